"""A request's way through the table of `transitions`: what is not in it cannot happen."""

from __future__ import annotations

from typing import Final

from understudy.policy.transitions import TRANSITIONS, Happening, State

__all__ = ["Walk"]

_CHOOSING: Final = State.CHOOSING
_BEGUN: Final = Happening.BEGUN


class Walk:
    """Where one request is in its life, and what is happening to it."""

    __slots__ = ("_happening", "_sent", "state")

    def __init__(self) -> None:
        self.state = _CHOOSING
        self._happening = _BEGUN
        #: Something has been sent to the caller.
        self._sent = False

    @property
    def _waiting(self) -> State:
        return State.PAUSED if self._sent else State.WAITING

    def _expect(self, happening: Happening) -> None:
        """Refuse what cannot happen now, before anything is changed."""
        if happening not in TRANSITIONS[self.state]:
            raise RuntimeError(f"{happening} cannot happen to a request that is {self.state}")
        self._happening = happening

    def _move(self, to: State) -> None:
        if to not in TRANSITIONS[self.state][self._happening]:
            raise RuntimeError(f"{self._happening} cannot lead from {self.state} to {to}")
        self.state = to
