"""The words of `sim_answers`: what stands in an answer, in no dialect."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Answer", "Event", "Tool"]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a stream, or (`comment`) a comment in it."""

    name: str = ""
    raw: str = ""
    comment: str | None = None


class Tool(msgspec.Struct):
    """One tool call, as far as it came."""

    id: str
    name: str
    arguments: str = ""
    closed: bool = False
    choice: int = 0


class Answer(msgspec.Struct, kw_only=True):
    """One answer, as far as it came.

    `ended`: the dialect's terminal signal came. `over`: nothing may follow. `marks`: what
    `: understudy` comments said, each with the characters of text before it. `breaches`: what the
    dialect's grammar does not allow.
    """

    id: str = ""
    model: str = ""
    texts: dict[int, str] = {}
    thinking: str = ""
    refusal: str = ""
    tools: list[Tool] = []
    stop: str | None = None
    usage: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    ended: bool = False
    over: bool = False
    #: The bytes end within an event.
    half: bool = False
    pings: int = 0
    marks: list[tuple[str, int]] = []
    breaches: list[str] = []

    @property
    def text(self) -> str:
        """The first choice's text."""
        return self.texts.get(0, "")

    @property
    def is_success(self) -> bool:
        """Whether it shows itself as whole."""
        return self.ended and self.error is None

    def add_text(self, choice: int, text: str) -> None:
        """More text."""
        self.texts[choice] = self.texts.get(choice, "") + text

    def comment(self, text: str) -> None:
        """A comment was met."""
        if text.startswith("understudy"):
            self.marks.append((text, len(self.text)))
        else:
            self.pings += 1

    def fail(self, error: object) -> None:
        """An error event was met."""
        self.error = error if isinstance(error, dict) else {"message": str(error)}
        self.over = True

    def blame(self, what: str) -> None:
        """The grammar is broken."""
        self.breaches.append(what)
