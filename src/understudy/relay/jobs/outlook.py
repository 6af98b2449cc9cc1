"""When a job will be done, about: what is known of targets and lines, put into the estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from understudy.core.faults import Kind
from understudy.policy.estimate import jobs_before, serves_in
from understudy.policy.plans import Target
from understudy.ports import TERMINAL, Job, JobStatus

if TYPE_CHECKING:
    from understudy.relay.jobs.jobs import Jobs

__all__ = ["Outlook"]

#: Seconds that a job takes, where none has been seen of its feature; how far one moves it.
RUN_UNKNOWN: Final = 10.0
RUN_STEP: Final = 0.1
#: Only a human mends these: nobody can say when.
_HUMAN: Final = frozenset({Kind.ACCOUNT, Kind.CONFIG})


class Outlook:
    """Estimates for the people who wait.

    Args:
        jobs: what they wait for.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        #: Feature → seconds that its jobs take.
        self._usual: dict[str, float] = {}

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
        opens = self._serves(job, now)
        if opens is None:
            return None
        target, seconds = opens
        others, higher = jobs.lines.beside(job.lane)
        before = jobs_before(place, others, higher)
        drained = jobs.ways.of(target).drained_in(before, usual, now)
        turn = max(seconds + drained, job.ready_at - jobs.calendar())
        # Nothing before its end is worth a word where it would be begun after it.
        return turn + usual if jobs.calendar() + turn < job.expires_at else None

    def _serves(self, job: Job, now: float) -> tuple[Target, float] | None:
        """Which target serves first, and in how many seconds."""
        board = self._jobs.relay.board
        best: tuple[Target, float] | None = None
        for target in self._jobs.ways.targets(job.lane):
            if board.rests(target, now) is None:
                return target, 0.0
            seconds = self._back_in(target, now)
            if seconds is not None and (best is None or seconds < best[1]):
                best = target, seconds
        return best

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
