"""Where operators' words about targets are kept, for every process to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

__all__ = ["Mark", "PullStore"]


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """The last word on a part of the tree of providers: it is out of use, or it is back."""

    node: str
    #: Unix seconds. Whoever knows of an earlier word on the node says a later moment.
    at: float
    by: str
    #: Why it is out of use; None: it is back.
    reason: str | None


class PullStore(Protocol):
    """Keeps the last word on each node. Both methods may raise a `StoreError`; neither blocks."""

    async def marks(self) -> list[Mark]:
        """Every word that is kept, in order of node."""

    async def mark(self, marks: Sequence[Mark]) -> None:
        """Keep these words, but for those on a node of which one is kept that is as late."""
