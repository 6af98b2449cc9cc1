"""The attempts of one request that are under way: one, or two while a hedge runs."""

from __future__ import annotations

from typing import Final

from understudy.core.faults import Fault
from understudy.core.outcomes import Result
from understudy.policy.decisions import Ended, Limits, Pace, Start, Stream
from understudy.policy.run import Run, held_to, slow_at

__all__ = ["Runs"]

_ABANDONED: Final = Result.ABANDONED
_NEVER: Final = float("inf")


class Runs:
    """What is under way. Each that begins ends exactly once, by `end`.

    Args:
        limits: what bounds the request.
        pace: how long targets take.
    """

    __slots__ = ("_limits", "_pace", "_runs", "hedge_at")

    def __init__(self, limits: Limits, pace: Pace) -> None:
        self._limits = limits
        self._pace = pace
        self._runs: list[Run] = []
        #: When a second attempt may begin beside the one under way.
        self.hedge_at = _NEVER

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._runs)

    @property
    def first(self) -> Run:
        """The one that began first. Raises IndexError where there is none."""
        return self._runs[0]

    @property
    def due(self) -> float:
        """When one of them must be looked at, a hedge may begin, or the request's time is over."""
        due = min(self._limits.deadline, self.hedge_at)
        for run in self._runs:
            due = min(due, run.due)
        return due

    def begin(self, start: Start, now: float, *, is_last: bool, sent: bool) -> None:
        """An attempt begins. `is_last`: no other will have a turn after it; `sent`: the caller has
        the beginning of an answer.
        """
        limits, pace = self._limits, self._pace
        self._runs.append(held_to(start, now, limits, pace, is_last=is_last))
        if not start.hedge:
            self.hedge_at = _NEVER if sent else slow_at(start.target, now, limits, pace)

    def of(self, start: Start) -> Run:
        """The watch over an attempt.

        Raises:
            RuntimeError: it is not under way.
        """
        for run in self._runs:
            if run.start is start:
                return run
        raise RuntimeError("this attempt is not under way")

    def excuse(self, now: float, stream: Stream) -> None:
        """Until now somebody else made them wait."""
        for run in self._runs:
            run.excuse(now, stream)

    def given_up(self, now: float, stream: Stream) -> list[tuple[Run, Fault]]:
        """Those that must be given up now, and why."""
        looks = [(run, run.look(now, self._limits, stream)) for run in self._runs]
        return [(run, fault) for run, fault in looks if fault is not None]

    def end(self, run: Run, result: Result, fault: Fault | None, now: float) -> Ended:
        """One has ended so."""
        self._runs.remove(run)
        attempt = run.start.attempt
        attempt.ended_ms = (now - run.start.began) * 1000.0
        attempt.result = result
        attempt.fault = fault
        return Ended(run.start)

    def end_all(self, result: Result, now: float, *, but: Run | None = None) -> tuple[Ended, ...]:
        """All of them end, but for one."""
        ending = [run for run in self._runs if run is not but]
        return tuple([self.end(run, result, None, now) for run in ending])

    def run_out(self, now: float) -> tuple[Ended, ...]:
        """The request's time is over. A fault it is for those that had all they are entitled to."""
        ended: list[Ended] = []
        for run in tuple(self._runs):
            if run.has_content or now < run.entitled:
                ended.append(self.end(run, _ABANDONED, None, now))
            else:
                late = run.late(now, self._limits)
                ended.append(self.end(run, Result.FAULT, late, now))
        return tuple(ended)
