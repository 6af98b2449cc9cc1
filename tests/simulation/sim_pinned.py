"""What a world takes from outside, pinned to its seed: the calendar, chance, the order of sets."""

from __future__ import annotations

import contextlib
import io
import math
import random
import secrets
import time
from collections.abc import Iterator
from typing import Any
from unittest import mock

from simulation.sim_loop import VirtualLoop
from simulation.sim_script import Provider
from understudy.mock.board import Board
from understudy.relay.relay import Relay
from understudy.services.logs import Log

__all__ = ["CALENDAR", "NotingLog", "OrderedSet", "keep_order", "pinned", "play_spells"]

#: 2026-03-02T12:00:00Z, at the loop's 0.
CALENDAR = 1_772_452_800.0


@contextlib.contextmanager
def pinned(loop: VirtualLoop, chance: random.Random) -> Iterator[None]:
    """The calendar follows the loop's clock, and what is secret is drawn from the seed."""

    def calendar() -> float:
        return CALENDAR + loop.time()

    with (
        mock.patch.object(time, "time", calendar),
        mock.patch.object(secrets, "randbits", chance.getrandbits),
        mock.patch.object(secrets, "token_bytes", chance.randbytes),
    ):
        yield


class OrderedSet(dict[Any, None]):
    """A set that is walked in the order in which it was filled."""

    def add(self, item: Any) -> None:
        """Put in."""
        self[item] = None

    def discard(self, item: Any) -> None:
        """Take out, if there."""
        self.pop(item, None)

    def remove(self, item: Any) -> None:
        """Take out."""
        del self[item]


class NotingLog(Log):
    """The product's log, into memory; faults of its own keep their text."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.own: list[str] = []
        super().__init__(self.stream)

    def own_fault(self, request_id: str, where: str, error: BaseException) -> None:
        """Kept with its text, which the product's log leaves out."""
        self.own.append(f"{where}: {error!r}")
        super().own_fault(request_id, where, error)


def keep_order(relay: Relay) -> None:
    """Its sets are walked in the order in which they were filled."""
    for owner in (relay, relay.pool):
        for name, value in list(vars(owner).items()):
            if type(value) is set:
                setattr(owner, name, OrderedSet.fromkeys(value))


def play_spells(loop: VirtualLoop, board: Board, provider: Provider) -> None:
    """A stand-in fails as its provider's spells say."""
    for moment in sorted({m for s in provider.spells for m in (s.start, s.end)}):
        if moment < math.inf:
            rules = [s.rule for s in provider.spells if s.start <= moment < s.end]
            loop.call_at(max(moment, 0.0), board.put_faults, rules)
