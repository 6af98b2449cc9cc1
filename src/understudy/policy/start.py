"""One attempt that is to begin."""

from __future__ import annotations

from understudy.core.outcomes import Attempt
from understudy.policy.plans import Target

__all__ = ["Start"]


class Start:
    """Begin an attempt at `target`; what happens to it is told with this very object.

    Read more often than anything else of a request: a class of its own, which mypyc compiles, and
    no msgspec struct.

    Args:
        target: where.
        attempt: its entry in the journal.
        retry: it has been tried for this request before.
        began: the moment of the decision, by which health tells an attempt that began before a
            target was given up from one that tries it out.
        hedge: it runs beside another.
    """

    __slots__ = ("attempt", "began", "hedge", "retry", "target")

    def __init__(
        self, target: Target, attempt: Attempt, retry: bool, began: float, hedge: bool = False
    ) -> None:
        self.target = target
        self.attempt = attempt
        self.retry = retry
        self.began = began
        self.hedge = hedge
