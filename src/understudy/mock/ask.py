"""A request as the stand-in understands it, in no vendor's words.

The stand-in reads the wire with readers of its own, not with those that the relay translates with:
a mistake in one of them must not be covered up by the other.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Ask", "Call", "Composition", "Ending", "Image", "Result", "Tool", "Turn"]


class Image(msgspec.Struct, frozen=True):
    """An image: its media type, and its size in bytes (None where only a URL was given)."""

    media_type: str
    size: int | None


class Result(msgspec.Struct, frozen=True):
    """What a tool gave back for the call `id`."""

    id: str
    text: str
    is_error: bool = False


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of the conversation."""

    role: Literal["user", "assistant"]
    text: str = ""
    images: tuple[Image, ...] = ()
    results: tuple[Result, ...] = ()
    #: Names of the tools that an assistant's turn called.
    called: tuple[str, ...] = ()


class Tool(msgspec.Struct, frozen=True):
    """A tool on offer; `schema` is the JSON Schema of its arguments."""

    name: str
    description: str
    schema: dict[str, object]


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for."""

    #: As the caller named it; the answer carries it back.
    model: str
    turns: tuple[Turn, ...]
    system: str = ""
    tools: tuple[Tool, ...] = ()
    tool_choice: Literal["auto", "none", "any", "tool"] = "auto"
    tool_name: str | None = None
    parallel: bool = True
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    stream: bool = False
    include_usage: bool = False
    #: A JSON Schema that the answer must satisfy; {} for any JSON object; None for prose.
    schema: dict[str, object] | None = None
    #: Reasoning is written out before the answer.
    thinking: bool = False
    #: Reasoning is written out, but only its signature is shown.
    thinking_hidden: bool = False
    #: Tokens of reasoning that are counted and never shown (OpenAI's reasoning models).
    reasoning_tokens: int = 0
    choices: int = 1
    input_tokens: int = 0
    #: Tokens of the prompt that the caller marked for caching, from its beginning.
    cached_tokens: int = 0
    #: Distinguishes prompts: equal for equal conversations, in every dialect.
    digest: bytes = b""
    #: Fields of the request that the answer repeats (Responses).
    repeated: dict[str, object] = {}

    @property
    def prefilled(self) -> bool:
        """The conversation ends with the beginning of an answer."""
        return bool(self.turns) and self.turns[-1].role == "assistant"


class Call(msgspec.Struct, frozen=True):
    """A tool call of the answer; `arguments` is JSON text, cut short where a limit struck."""

    name: str
    arguments: str


Ending = Literal["end", "stop_sequence", "length", "tool_use", "refused"]


class Composition(msgspec.Struct, frozen=True, kw_only=True):
    """An answer before it is put in a dialect. Its parts stand in this order."""

    thinking: str = ""
    text: str = ""
    calls: tuple[Call, ...] = ()
    ending: Ending = "end"
    stop_sequence: str | None = None
    output_tokens: int = 0
    thinking_tokens: int = 0
    #: A refusal in words, where the dialect has a field for it.
    refusal: str = ""
    #: The answer goes on from what had been said of it, which was this.
    before: str = ""
