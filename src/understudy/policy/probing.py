"""Which targets to ask a question of our own, and when, so that people need not be the samples.

A target is probed
* under suspicion: at once, and every second until the suspicion is gone or is certainty;
* whose answers come later than usual: three times;
* beside one in doubt: until three answers of its siblings are in, and anew when the doubt becomes
  certainty: is it only that model, or that account, or all of the provider?
* at rest after an outage: when its time is over, one probe at a time (`breaker`), so that no
  caller's request has to be the trial;
* idle: when it has not been seen to work for a while, so that a fallback is known to work before it
  is needed.

Of several processes the one that leads sends the probes of all. Where nobody leads, each draws lots
for each probe, as many as there are processes, and whoever loses counts it as sent by another: so
together they spend what one would. Some trials are a process' own, whoever leads
(`Breaker.is_ours`), and what the leader neglects is drawn lots for as well: it may have other
settings.

A probe costs a few tokens. Those under suspicion have a budget for each target; those at rest are
as rare as its rests are long; a target that an operator has pulled, or that asked us to wait, is
left alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from understudy.core.faults import Fault
from understudy.policy.board import Board
from understudy.policy.breaker import Breaker, BreakerState
from understudy.policy.plans import Recourse, Target

__all__ = ["IDLE_SECONDS", "SUSPICION_BURST", "SUSPICION_SECONDS", "Always", "Probing"]

#: Seconds without a success after which an idle target is probed.
IDLE_SECONDS: Final = 600.0
#: Seconds between probes under suspicion.
SUSPICION_SECONDS: Final = 1.0
#: The budget under suspicion: so many at once, and one more every so many seconds.
SUSPICION_BURST: Final = 20.0
SUSPICION_REFILL_SECONDS: Final = 10.0
#: Seconds after the end of a rest for which it is left to whoever leads.
NEGLECT_SECONDS: Final = 30.0
#: Answers of siblings that tell whether the trouble is one target's or all of its provider's.
OPINIONS: Final = 3

_CLOSED = BreakerState.CLOSED
_NEVER = float("-inf")


class _Watched:
    """One target's probes."""

    __slots__ = ("_begun", "budget", "filled_at", "first_at", "under_way")

    def __init__(self, now: float, first_at: float) -> None:
        self.under_way = False
        #: When the last ones began.
        self._begun: deque[float] = deque(maxlen=OPINIONS)
        self.budget = SUSPICION_BURST
        self.filled_at = now
        #: Not before: at the start not everything is probed at once.
        self.first_at = first_at

    @property
    def at(self) -> float:
        """When the last one began."""
        return self._begun[-1] if self._begun else _NEVER

    def times_since(self, moment: float) -> int:
        """How many have begun since then, `OPINIONS` at most."""
        return sum(at >= moment for at in self._begun)

    def begin(self, now: float) -> None:
        """One begins."""
        self.under_way = True
        self._begun.append(now)

    def refill(self, now: float) -> None:
        self.budget += (now - self.filled_at) / SUSPICION_REFILL_SECONDS
        self.budget = min(SUSPICION_BURST, self.budget)
        self.filled_at = now


class Probing:
    """Decides on probes; whoever sends them says when they begin and end.

    Args:
        board: what is known.
        draw: gives a number in [0, 1): idle probes are spread.
        idle: seconds without a success after which an idle target is probed.
    """

    def __init__(self, board: Board, draw: Callable[[], float], idle: float = IDLE_SECONDS) -> None:
        self._board = board
        self._draw = draw
        self._idle = idle
        self._watched: dict[str, _Watched] = {}

    def _of(self, target: Target, now: float) -> _Watched:
        watched = self._watched.get(target.key)
        if watched is None:
            # The first within a tenth of the idle time: a minute, by default.
            first = now + 0.1 * self._idle * (0.1 + 0.9 * self._draw())
            watched = self._watched[target.key] = _Watched(now, first)
        return watched

    def due(
        self, targets: Iterable[Target], now: float, share: float = 1.0
    ) -> list[tuple[Target, str]]:
        """The targets to be probed now, each with the reason. One with `*` has no model to ask.

        `share`: the chance that a probe is this process' to send.
        """
        known = [target for target in targets if target.probed and target.model != "*"]
        chosen: list[tuple[Target, str]] = []
        taken: set[str] = set()
        for target in known:
            why = self._why(target, now)
            if why is None:
                why = self._beside(target, known, now, {other.key for other, _ in chosen})
            if why is None:
                continue
            # One probe tells of an account, or of a provider, for all of its targets.
            above = self._resting_above(target)
            if above is not None:
                if above in taken:
                    continue
                taken.add(above)
            if self._is_ours(target, now, share):
                chosen.append((target, why))
        return chosen

    def _is_ours(self, target: Target, now: float, share: float) -> bool:
        """Whether this process sends a probe that is due."""
        if share >= 1.0:
            return True
        resting = self._board.resting(target)
        if resting and all(breaker.is_ours for breaker in resting):
            return True
        if not share:
            ended_at = max((breaker.opened_until for breaker in resting), default=now)
            if now < ended_at + NEGLECT_SECONDS:
                return False
            share = 1.0 / self._board.processes
        if self._draw() < share:
            return True
        # Another sends it, as far as chance will have it.
        self.began(target, now)
        self.ended(target, now)
        for breaker in resting:
            breaker.rest_on(now)
        return False

    def _resting_above(self, target: Target) -> str | None:
        if self._board.of_account(target).state is not _CLOSED:
            return target.account_key
        if self._board.of_provider(target).state is not _CLOSED:
            return target.provider
        return None

    def _why(self, target: Target, now: float) -> str | None:
        board, watched = self._board, self._of(target, now)
        if watched.under_way or board.pulls.obstacle(target) is not None:
            return None
        resting = board.resting(target)
        if resting:
            waits = any(b.was_told_to_wait or not b.admits(now) for b in resting)
            return None if waits else "its rest is over"
        breaker = board.of_target(target)
        if breaker.is_suspicious:
            watched.refill(now)
            may = watched.budget >= 1.0 and now - watched.at >= SUSPICION_SECONDS
            return "under suspicion" if may else None
        if self._may_be_slow(breaker, watched, now):
            return "slower than usual"
        if self._is_idle(breaker, watched, now):
            return "idle" if breaker.last_good > _NEVER else "never proved"
        return None

    def _may_be_slow(self, breaker: Breaker, watched: _Watched, now: float) -> bool:
        """Its answers come late: three probes confirm it, or leave it to callers' answers."""
        since = breaker.slow_since
        if since == _NEVER or now - watched.at < SUSPICION_SECONDS:
            return False
        return watched.times_since(since) < OPINIONS

    def _is_idle(self, breaker: Breaker, watched: _Watched, now: float) -> bool:
        heard = max(breaker.last_good, watched.at)
        return now >= watched.first_at and now - heard >= self._idle

    def _beside(
        self, target: Target, known: list[Target], now: float, chosen: set[str]
    ) -> str | None:
        """Which of its provider's targets is in doubt, so that this one is asked as well."""
        board, watched = self._board, self._of(target, now)
        if watched.under_way or now - watched.at < SUSPICION_SECONDS:
            return None
        if board.is_in_doubt(target) or board.pulls.obstacle(target) is not None:
            return None
        family = [other for other in known if other.provider == target.provider]
        for other in family:
            since = board.of_target(other).doubted_since
            if since == _NEVER:
                continue
            answers = {
                sibling.key: self._of(sibling, now).times_since(since) + (sibling.key in chosen)
                for sibling in family
                if not board.is_in_doubt(sibling)
            }
            asked = answers[target.key]
            if sum(answers.values()) < OPINIONS and asked == min(answers.values()):
                return f"{other.key} is in doubt"
        return None

    def began(self, target: Target, now: float) -> None:
        """A probe of `target` begins."""
        watched = self._of(target, now)
        watched.begin(now)
        if self._board.of_target(target).is_suspicious:
            watched.refill(now)
            watched.budget -= 1.0

    def ended(self, target: Target, now: float) -> None:
        """It has ended, one way or the other."""
        self._of(target, now).under_way = False

    def next_at(self, target: Target, now: float) -> float | None:
        """When `target` will be probed next, as things stand; None: not by itself."""
        board = self._board
        if target.model == "*" or not target.probed or board.pulls.obstacle(target) is not None:
            return None
        watched = self._of(target, now)
        resting = board.resting(target)
        if any(breaker.was_told_to_wait for breaker in resting):
            return None
        if resting:
            return max(now, *(breaker.opened_until for breaker in resting))
        breaker = board.of_target(target)
        if breaker.is_suspicious:
            return max(now, watched.at + SUSPICION_SECONDS)
        return max(now, watched.first_at, max(breaker.last_good, watched.at) + self._idle)


class Always:
    """Health as a probe sees it: it is sent wherever it is meant to go."""

    def obstacle(
        self, target: Target, now: float, luck: Callable[[], float] | None = None
    ) -> str | None:
        """None: see `understudy.policy.targets.Health`."""
        return None

    def recourse(self, target: Target, now: float) -> Recourse:
        """None worse."""
        return Recourse.LESSER

    def fault(self, target: Target) -> Fault | None:
        """None."""
        return None

    def is_short(self, target: Target, now: float) -> bool:
        """False."""
        return False

    def opens_again_in(self, target: Target, now: float) -> float:
        """Now."""
        return 0.0
