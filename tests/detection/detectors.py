"""Every detector that is compared: ours, driven as the relay drives it, and its peers."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Final, NamedTuple

from detection.peers import Envoy, Hystrix, Resilience4j
from detection.watched import NEVER, Watched
from understudy.core.faults import Fault, Kind, Scope
from understudy.core.outcomes import Result
from understudy.policy.board import Board
from understudy.policy.breaker import BreakerState
from understudy.policy.gates import Gates, Ticket
from understudy.policy.plans import NOBODYS
from understudy.policy.probing import Probing
from understudy.policy.targets import Choice, Target, choose
from understudy.relay.probes import SOON_SECONDS

__all__ = ["DETECTORS", "Rest", "Understudy"]

#: Seconds that sums of times may be off by.
_ROUNDING = 1e-6
_FAILED = Fault(kind=Kind.OUTAGE, scope=Scope.PROVIDER, status=500)


def _target(provider: str, model: str) -> Target:
    return Target(
        provider=provider,
        account="main",
        model=model,
        tier="same",
        operations=frozenset({"messages"}),
        key=f"{provider}@main/{model}",
        account_key=f"{provider}@main",
        name=f"{provider}/{model}",
        probed=True,
    )


_WATCHED: Final = _target("anthropic", "claude-sonnet-5")
#: Always well, and told nothing about: what the watched target is not given goes here.
_FALLBACK: Final = _target("openai", "gpt-5.2")
_ORDER: Final = (_WATCHED, _FALLBACK)


class Rest(NamedTuple):
    """A time in which nothing is sent to the target."""

    at: float
    until: float


class Understudy(Watched):
    """The relay's own `Board` and `Probing`, with a second target that is always well."""

    name = "Understudy"

    def __init__(self, seed: int = 0, *, probed: bool = True) -> None:
        super().__init__()
        chance = Random(f"understudy {seed}")
        self._probed = probed
        self._draw = chance.random
        self._gates = Gates()
        self._board = Board(chance.random, probed=probed)
        self._probing = Probing(self._board, chance.random)
        self._target = self._board.of_target(_WATCHED)
        self._provider = self._board.of_provider(_WATCHED)
        self._probes_under_way = 0
        #: The look that follows the last failure.
        self._soon = NEVER
        #: Each time it was left alone; in order.
        self.rests: list[Rest] = []

    def admits(self, now: float) -> bool:
        choice = choose(_ORDER, self._board, now, Ticket(self._gates, NOBODYS, self._draw))
        return isinstance(choice, Choice) and choice.target is _WATCHED

    def began(self, now: float, *, is_probe: bool) -> None:
        if is_probe:
            self._probes_under_way += 1
            self._probing.began(_WATCHED, now)
        self._board.started(_WATCHED, now)

    def ended(self, now: float, began: float, *, good: bool) -> None:
        self._ended(now, began, good=good, is_probe=False)

    def probe_ended(self, now: float, began: float, *, good: bool) -> None:
        self._ended(now, began, good=good, is_probe=True)
        self._probing.ended(_WATCHED, now)
        self._probes_under_way -= 1

    def _ended(self, now: float, began: float, *, good: bool, is_probe: bool) -> None:
        result, fault = (Result.CONTENT, None) if good else (Result.FAULT, _FAILED)
        self._board.ended(_WATCHED, result, fault, now, began, is_probe=is_probe)
        if not good:
            self._soon = now + SOON_SECONDS
        is_open = not (self._target.state is self._provider.state is BreakerState.CLOSED)
        if is_open is not self.is_open:
            self.note(now, is_open=is_open)
        if not good and is_open:
            until = max(self._target.opened_until, self._provider.opened_until)
            if not self.rests or until != self.rests[-1].until:
                self.rests.append(Rest(now, until))

    def probe_at(self, now: float) -> float:
        """As `understudy.relay`: a look once a second, and one soon after every failure."""
        if not self._probed or self._probes_under_way:
            return NEVER
        wanted = self._probing.next_at(_WATCHED, now)
        if wanted is None:
            return NEVER
        if self._soon > now and self._soon >= wanted:
            return min(self._soon, _sweep(wanted, now))
        return _sweep(wanted, now)

    def wants_probe(self, now: float) -> bool:
        return bool(self._probing.due((_WATCHED,), now))

    def is_calm(self, now: float) -> bool:
        if self.is_open or self._probes_under_way:
            return False
        if self._target.score or self._provider.score:
            return False
        return self._share(now) >= 1.0

    def full_share_after(self, closed: float) -> float:
        """Seconds from closing until all traffic may come, as things stand after the last event."""
        seconds = 0
        while self._share(closed + seconds + _ROUNDING) < 1.0:
            seconds += 1
        return float(seconds)

    def _share(self, now: float) -> float:
        return min(self._target.share(now), self._provider.share(now))


#: A fresh detector of each kind for a seed; ours first.
DETECTORS: Final[dict[str, Callable[[int], Watched]]] = {
    Understudy.name: Understudy,
    "no probes": lambda seed: Understudy(seed, probed=False),
    Envoy.name: lambda _: Envoy(),
    Resilience4j.name: lambda _: Resilience4j(),
    Hystrix.name: lambda _: Hystrix(),
}


def _sweep(at: float, now: float) -> float:
    """The first whole second at or after `at` that is after `now`."""
    return max(math.ceil(at), math.floor(now) + 1.0)
