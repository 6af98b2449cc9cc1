"""When a job will be done, about: what is known of targets and lines, put into the estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from understudy.core.faults import Kind
from understudy.policy.estimate import Speed, jobs_before, serves_in
from understudy.policy.plans import Target
from understudy.ports import TERMINAL, Job, JobStatus, Lane

if TYPE_CHECKING:
    from understudy.relay.jobs.jobs import Jobs

__all__ = ["Outlook"]

#: Everybody who is told within so many seconds is told by one look at the targets.
LOOK_SECONDS: Final = 0.25
#: Seconds that a job takes, where none has been seen of its feature; how far one moves it.
RUN_UNKNOWN: Final = 10.0
RUN_STEP: Final = 0.1
#: Only a human mends these: nobody can say when.
_HUMAN: Final = frozenset({Kind.ACCOUNT, Kind.CONFIG})


class Prospect(msgspec.Struct, frozen=True):
    """How a lane will be served: in how many seconds the first, and how fast then."""

    seconds: float
    speed: Speed


class Outlook:
    """Estimates for the people who wait.

    Args:
        jobs: what they wait for.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        #: Feature → seconds that its jobs take.
        self._usual: dict[str, float] = {}
        #: What was seen at the last look; None: nobody can say.
        self._prospects: dict[Lane, Prospect | None] = {}
        self._looked_at = float("-inf")

    def ran(self, feature: str, seconds: float) -> None:
        """A job of a feature was answered within so many seconds."""
        usual = self._usual.get(feature)
        step = 0.0 if usual is None else RUN_STEP * (seconds - usual)
        self._usual[feature] = seconds if usual is None else usual + step

    def done_in(self, job: Job, place: int) -> float | None:
        """Seconds until a job is done, with `place` of its own tenant's before it.

        None: it is over, or nobody can say.
        """
        if job.status in TERMINAL:
            return None
        usual = self._usual.get(job.feature, RUN_UNKNOWN)
        if job.status is JobStatus.RUNNING:
            return usual
        jobs = self._jobs
        now = jobs.relay.now()
        prospect = self._prospect(job.lane, now)
        if prospect is None:
            return None
        others, higher = jobs.lines.beside(job.lane)
        drained = prospect.speed.drained_in(jobs_before(place, others, higher), usual)
        turn = max(prospect.seconds + drained, job.ready_at - jobs.calendar())
        # Nothing before its end is worth a word where it would be begun after it.
        return turn + usual if jobs.calendar() + turn < job.expires_at else None

    def _prospect(self, lane: Lane, now: float) -> Prospect | None:
        if not 0.0 <= now - self._looked_at < LOOK_SECONDS:
            self._prospects.clear()
            self._looked_at = now
        if lane not in self._prospects:
            self._prospects[lane] = self._look(lane, now)
        return self._prospects[lane]

    def _look(self, lane: Lane, now: float) -> Prospect | None:
        """Which target serves first, and how."""
        board, ways = self._jobs.relay.board, self._jobs.ways
        best: tuple[float, Target] | None = None
        for target in ways.targets(lane):
            seconds = 0.0 if board.rests(target, now) is None else self._back_in(target, now)
            if seconds is not None and (best is None or seconds < best[0]):
                best = seconds, target
        if best is None:
            return None
        seconds, target = best
        return Prospect(seconds, ways.of(target).speed(now))

    def _back_in(self, target: Target, now: float) -> float | None:
        board = self._jobs.relay.board
        fault = board.fault(target)
        if fault is None or fault.kind in _HUMAN:
            return None
        opens = board.opens_again_in(target, now)
        breaker = board.of_target(target)
        if breaker.was_told_to_wait:
            return opens
        since = max(breaker.last_good, board.of_provider(target).last_good)
        if since == float("-inf"):
            since = breaker.doubted_since
        return serves_in(opens, None if since == float("-inf") else now - since)
