"""Traffic at one target in virtual time, and a detector that decides how much of it goes there.

A trace is drawn from its seed before any detector sees it: when calls come (Poisson), which of them
would fail, and how long they take. So every detector is given the same calls; what it sends
elsewhere is lost to it as evidence. Probes, where a detector asks for some, meet the same truth of
the moment as calls do; their chance is drawn apart, so that the calls stay the same.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from detection.watched import NEVER, Change, Watched

__all__ = ["Call", "Scene", "Story", "Trace", "Truth", "Try", "first_change", "play", "trace"]

#: Seconds that things take: the median and the spread of a log-normal.
ANSWER, PROBE_ANSWER, FAILURE = (4.0, 0.6), (0.6, 0.4), (0.15, 0.5)
#: Seconds after which a call that hangs is given up: the default of `first_token`.
PATIENCE = 10.0
#: Seconds before a failing call in which none is left out: the longest that answers take.
LEAD_SECONDS = 60.0
#: A frail target counts what it takes over so many seconds, and begins with this share of its
#: strength.
WINDOW, WEAKEST = 60.0, 0.1


class Truth(NamedTuple):
    """How the target is at a moment: the share of calls that fail, and how they do."""

    errors: float
    hangs: bool = False


@dataclass(frozen=True)
class Scene:
    """Calls a minute, and how the target is: from 0 on, from `onset` on, from `heal` on, to `end`.

    `flaps`: between onset and healing it is ill and well in turn, so many seconds each. `frail`:
    for so many seconds after its healing it cannot take all that it could before.
    """

    rate: float
    illness: Truth
    base: float = 0.01
    onset: float = 3600.0
    heal: float = 7200.0
    end: float = 9000.0
    flaps: float | None = None
    frail: float | None = None

    def takes(self, now: float) -> float:
        """How many calls it takes within `WINDOW` seconds: twice its traffic when it is strong."""
        if self.frail is None or now < self.heal:
            return NEVER
        strength = min(1.0, WEAKEST + (1.0 - WEAKEST) * (now - self.heal) / self.frail)
        return 2.0 * strength * self.rate / 60.0 * WINDOW

    def at(self, now: float) -> Truth:
        """How the target is then."""
        if not self.onset <= now < self.heal:
            return Truth(self.base)
        if self.flaps is not None and int((now - self.onset) / self.flaps) % 2:
            return Truth(self.base)
        return self.illness


class Call(NamedTuple):
    """A call that comes at `at`, and how it would end, were it sent to the target."""

    at: float
    seconds: float
    good: bool


@dataclass(frozen=True)
class Trace:
    """Every call of a scene."""

    scene: Scene
    seed: int
    calls: list[Call]
    #: Where in `calls` those stand that would fail.
    bad: list[int]

    def first_failing(self) -> float:
        """When the first call comes that would fail, from the onset on."""
        since = bisect_left(self.calls, (self.scene.onset,))
        place = bisect_left(self.bad, since)
        return self.calls[self.bad[place]].at if place < len(self.bad) else NEVER


def trace(scene: Scene, seed: int) -> Trace:
    """The calls of a scene, by their seed."""
    chance = Random(seed)
    calls: list[Call] = []
    bad: list[int] = []
    at, gap = 0.0, scene.rate / 60.0
    while (at := at + chance.expovariate(gap)) < scene.end:
        good, seconds = _outcome(scene.at(at), chance, ANSWER)
        if not good:
            bad.append(len(calls))
        calls.append(Call(at, seconds, good))
    return Trace(scene, seed, calls, bad)


def _outcome(truth: Truth, chance: Random, answer: tuple[float, float]) -> tuple[bool, float]:
    good = chance.random() >= truth.errors
    median, spread = answer if good else FAILURE
    seconds = median * math.exp(spread * chance.gauss(0.0, 1.0))
    return good, PATIENCE if truth.hangs and not good else seconds


class Try(NamedTuple):
    """A call or a probe that went to the target: noted if it failed, or the detector was open."""

    at: float
    good: bool
    is_probe: bool
    while_open: bool


@dataclass
class Story:
    """What became of a trace under a detector."""

    trace: Trace
    detector: Watched
    tries: list[Try] = field(default_factory=list)
    #: Calls that were sent elsewhere, and all probes.
    moved: int = 0
    probes: int = 0
    #: Attempts that a frail target refused as too many.
    refused: int = 0

    @property
    def changes(self) -> list[Change]:
        """When the detector opened and closed."""
        return self.detector.changes

    def openings(self) -> int:
        """How often it opened."""
        return sum(change.is_open for change in self.changes)


class _Ending(NamedTuple):
    at: float
    place: int
    began: float
    good: bool
    is_probe: bool


def play(given: Trace, detector: Watched, *, skip: bool = False) -> Story:
    """Give a trace to a detector.

    `skip` leaves out good calls where they can change nothing: the detector is calm, and nothing
    under way will fail. (Long healthy traces; a test holds that nothing is lost by it. Not where
    calls are so rare that idle targets are probed.)
    """
    return _Play(given, detector, skip=skip).run()


class _Play:
    """One trace, one detector."""

    def __init__(self, given: Trace, detector: Watched, *, skip: bool) -> None:
        self._trace = given
        self._detector = detector
        self._skip = skip
        self._chance = Random(f"probes of {given.seed}")
        self._story = Story(given, detector)
        self._under_way: list[_Ending] = []
        self._begun = 0
        #: Attempts under way that will fail.
        self._failing = 0
        #: Calls have been left out, and none after them has ended: for all it knows it is idle.
        self._is_blind = False
        self._resumes = 0.0
        #: When what a frail target has taken lately began.
        self._taken: deque[float] = deque()

    def run(self) -> Story:
        """From the first call to the last ending before the scene's end."""
        calls, end, detector = self._trace.calls, self._trace.scene.end, self._detector
        place, probe_at = 0, detector.probe_at(0.0)
        while True:
            call_at = calls[place].at if place < len(calls) else NEVER
            ends_at = self._under_way[0].at if self._under_way else NEVER
            now = min(call_at, ends_at, probe_at)
            if now >= end:
                return self._story
            if ends_at == now:
                self._end(heapq.heappop(self._under_way))
            elif call_at == now:
                self._ask(calls[place])
                place = self._next(place, now)
            elif detector.wants_probe(now):
                self._probe(now)
            probe_at = NEVER if self._is_blind else detector.probe_at(now)

    def _next(self, place: int, now: float) -> int:
        """The next call that matters."""
        place += 1
        if not self._skip or self._failing or not self._detector.is_calm(now):
            return place
        calls, bad = self._trace.calls, self._trace.bad
        ahead = bisect_left(bad, place)
        if ahead == len(bad):
            self._is_blind, self._resumes = True, NEVER
            return len(calls)
        since = bisect_left(calls, (calls[bad[ahead]].at - LEAD_SECONDS,))
        if since <= place:
            return place
        since = min(since, bad[ahead] - 1)
        self._is_blind, self._resumes = True, calls[since].at
        return since

    def _ask(self, call: Call) -> None:
        if self._detector.admits(call.at):
            self._begin(call.at, call.seconds, good=call.good, is_probe=False)
        else:
            self._story.moved += 1

    def _probe(self, now: float) -> None:
        good, seconds = _outcome(self._trace.scene.at(now), self._chance, PROBE_ANSWER)
        self._story.probes += 1
        self._begin(now, seconds, good=good, is_probe=True)

    def _begin(self, now: float, seconds: float, *, good: bool, is_probe: bool) -> None:
        if good and self._is_too_much(now):
            self._story.refused += 1
            good, seconds = False, FAILURE[0]
        if self._detector.is_open or not good:
            self._story.tries.append(Try(now, good, is_probe, self._detector.is_open))
        self._failing += not good
        self._begun += 1
        ending = _Ending(now + seconds, self._begun, now, good, is_probe)
        heapq.heappush(self._under_way, ending)
        self._detector.began(now, is_probe=is_probe)

    def _is_too_much(self, now: float) -> bool:
        takes = self._trace.scene.takes(now)
        if takes == NEVER:
            return False
        while self._taken and self._taken[0] <= now - WINDOW:
            self._taken.popleft()
        if len(self._taken) + 1 > takes:
            return True
        self._taken.append(now)
        return False

    def _end(self, ending: _Ending) -> None:
        self._failing -= not ending.good
        if ending.began >= self._resumes:
            self._is_blind = False
        told = self._detector.probe_ended if ending.is_probe else self._detector.ended
        told(ending.at, ending.began, good=ending.good)


def first_change(changes: list[Change], since: float, *, is_open: bool) -> float:
    """When the detector first opened (or closed) at or after a moment; NEVER if it did not."""
    for change in changes[bisect_left(changes, (since,)) :]:
        if change.is_open is is_open:
            return change.at
    return NEVER
