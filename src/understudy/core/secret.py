"""A string that is not to be seen."""

from __future__ import annotations

__all__ = ["Secret"]


class Secret:
    """A string that shows itself to nobody: not in repr, logs, JSON, pickles or comparisons."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself, for the one line that sends it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not pickled")
