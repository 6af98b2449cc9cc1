"""What the simulation asks of a detector, and what it notes of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

__all__ = ["NEVER", "Change", "Watched"]

NEVER = float("inf")


class Change(NamedTuple):
    """A detector gives its target up (`is_open`), or takes it back."""

    at: float
    is_open: bool


class Watched(ABC):
    """A detector that watches one target and says whether a call may go there.

    Without probes, unless a detector says otherwise. Times are seconds of virtual time, and never
    go back from one call to the next.
    """

    name: ClassVar[str]

    def __init__(self) -> None:
        #: Every change, in order of time.
        self.changes: list[Change] = []

    @property
    def is_open(self) -> bool:
        """Whether the target is given up, trials included."""
        return bool(self.changes) and self.changes[-1].is_open

    def is_calm(self, now: float) -> bool:
        """Whether any number of good calls would leave it as it is, from `now` on."""
        return False

    def note(self, at: float, *, is_open: bool) -> None:
        """It has changed."""
        self.changes.append(Change(at, is_open))

    @abstractmethod
    def admits(self, now: float) -> bool:
        """Whether a call that comes now may go to the target; else it goes elsewhere."""

    def began(self, now: float, *, is_probe: bool) -> None:
        """A call or a probe goes to the target."""
        return

    @abstractmethod
    def ended(self, now: float, began: float, *, good: bool) -> None:
        """A call that went to the target at `began` has ended."""

    def probe_ended(self, now: float, began: float, *, good: bool) -> None:
        """A probe has ended."""
        return

    def probe_at(self, now: float) -> float:
        """When, after `now`, it wants to be asked for a probe."""
        return NEVER

    def wants_probe(self, now: float) -> bool:
        """Whether a probe is to go to the target now."""
        return False
