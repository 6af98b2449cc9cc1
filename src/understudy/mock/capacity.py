"""How much a stand-in can do at once."""

from __future__ import annotations

import msgspec

__all__ = ["Capacity"]


class Capacity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Serves `answers` at once at its pace. Beyond them requests queue: the first content comes
    later in proportion, by `delay` seconds at twice as many. What is beyond that is turned away.
    """

    answers: int
    delay: float = 1.0

    def __post_init__(self) -> None:
        """Raises ValueError for what cannot be."""
        if self.answers < 1 or self.delay < 0:
            raise ValueError("a capacity is one answer at least, and a delay is not negative")

    def wait(self, in_flight: int) -> float | None:
        """How much later than usual, in seconds, the last of so many begins; None: not at all."""
        beyond = in_flight - self.answers
        if beyond > self.answers:
            return None
        return max(beyond, 0) * self.delay / self.answers
