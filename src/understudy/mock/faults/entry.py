"""One named fault."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from understudy.mock.answers import continues
from understudy.mock.ask import Ask, Composition
from understudy.mock.dialect import DialectName
from understudy.mock.errors import ErrorSpec
from understudy.mock.faults.scene import Args, Scene
from understudy.mock.reply import Where
from understudy.mock.script import Script

__all__ = ["ALL", "ANYWHERE", "CONTENT", "OPENAI", "CatalogueEntry", "Mode", "Only"]

Mode = Literal["stream", "whole"]
#: The requests that a fault strikes: any; those that ask for the rest of an answer; those that do
#: so by ending with a turn of the assistant's.
Only = Literal["any", "continuing", "prefilled"]

#: Dialects: every one, and those that OpenAI's vocabulary of errors is for.
OPENAI: tuple[DialectName, ...] = ("chat_completions", "responses")
ALL: tuple[DialectName, ...] = ("messages", *OPENAI)

#: Places within an answer.
CONTENT = (
    Where.AFTER_HEADERS,
    Where.MID_TEXT,
    Where.MID_TOOL_CALL,
    Where.MID_THINKING,
    Where.AFTER_CONTENT,
)
ANYWHERE = (Where.BEFORE_HEADERS, *CONTENT)


class CatalogueEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A fault by name: what it shows, where, and what of it can be set.

    `where` is the place where it strikes unless another of `wheres` is asked for. `argument` names
    the setting that a bare `:value` after the name gives. `harmless`: the answer is whole and
    right, and a client that minds is at fault itself.
    """

    name: str
    summary: str
    where: Where = Where.BEFORE_HEADERS
    wheres: tuple[Where, ...] = ()
    dialects: tuple[DialectName, ...] = ALL
    modes: tuple[Mode, ...] = ("stream", "whole")
    defaults: Args = Args()
    argument: Literal["n", "seconds", "size", "retry_after"] = "n"
    #: Play at every so many requests only.
    every: int = 1
    harmless: bool = False
    only: Only = "any"
    #: The error as each vendor words it, and as Responses does where it has words of its own.
    anthropic: ErrorSpec | None = None
    openai: ErrorSpec | None = None
    responses: ErrorSpec | None = None
    #: Writes what is to be seen.
    play: Callable[[Scene], Script]
    #: Changes the answer before it is put in a dialect.
    alter: Callable[[Composition, Args], Composition] | None = None

    def error_in(self, dialect: DialectName) -> ErrorSpec | None:
        """The error in that dialect's words."""
        if dialect == "messages":
            return self.anthropic
        return (self.responses if dialect == "responses" else None) or self.openai

    def allows(self, where: Where) -> bool:
        """Whether it can strike there."""
        return where is self.where or where in self.wheres

    def suits(self, dialect: DialectName, mode: Mode) -> bool:
        """Whether it can be shown in an answer of that kind."""
        return dialect in self.dialects and mode in self.modes

    def concerns(self, ask: Ask | None) -> bool:
        """Whether a request is one of those that it strikes; None: it asks for no answer."""
        if self.only == "any":
            return ask is not None or self.alter is None
        if ask is None:
            return False
        return ask.prefilled if self.only == "prefilled" else continues(ask)
