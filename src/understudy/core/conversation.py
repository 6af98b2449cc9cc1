"""A request and an answer, in the words that all dialects share.

Translation goes caller's dialect → `Request` → provider's dialect, and back through `Answer`
(whole) or `understudy.core.events` (streamed). What only one dialect knows travels in
`Request.extras` under its own name, so that the other side adapts it or refuses it *by name*:
nothing is dropped in silence.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec

__all__ = [
    "Answer",
    "BadRequestError",
    "Document",
    "Image",
    "InexpressibleError",
    "JsonFormat",
    "Message",
    "Part",
    "Refusal",
    "Request",
    "Stop",
    "Text",
    "Thinking",
    "ThinkingMode",
    "ToolChoice",
    "ToolDefinition",
    "ToolResult",
    "ToolUse",
    "Usage",
]


class BadRequestError(Exception):
    """The caller's request is wrong: `field` is a path in its body such as `messages[2].role`."""

    def __init__(self, field: str | None, message: str, *, code: str | None = None) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field
        self.message = message
        self.code = code


class InexpressibleError(Exception):
    """The request asks for something that the target's dialect has no words for."""

    def __init__(self, field: str, dialect: str, message: str = "") -> None:
        text = message or f"{field} cannot be expressed in the {dialect} dialect"
        super().__init__(text)
        self.field = field
        self.dialect = dialect
        self.message = text


class Text(msgspec.Struct, frozen=True, kw_only=True, tag="text"):
    """Plain text. `cache` holds Anthropic's `cache_control` object as it came, if any."""

    text: str
    cache: msgspec.Raw | None = None


class Image(msgspec.Struct, frozen=True, kw_only=True, tag="image"):
    """An image, either by `url` or as base64 `data` with its `media_type` (`image/png`)."""

    url: str | None = None
    data: str | None = None
    media_type: str | None = None
    #: OpenAI's `detail` (low | high | auto), kept where it can be.
    detail: str | None = None
    cache: msgspec.Raw | None = None


class Document(msgspec.Struct, frozen=True, kw_only=True, tag="document"):
    """A file given to read: base64 `data` (PDF), plain `text`, or a `url`."""

    url: str | None = None
    data: str | None = None
    text: str | None = None
    media_type: str | None = None
    title: str | None = None
    cache: msgspec.Raw | None = None


class ToolUse(msgspec.Struct, frozen=True, kw_only=True, tag="tool_use"):
    """A call that the model makes. `arguments` is JSON text of an object, never empty."""

    id: str
    name: str
    arguments: str = "{}"
    cache: msgspec.Raw | None = None


class ToolResult(msgspec.Struct, frozen=True, kw_only=True, tag="tool_result"):
    """What a tool gave back for the call `id`."""

    id: str
    content: tuple[Text | Image | Document, ...] = ()
    is_error: bool = False
    cache: msgspec.Raw | None = None


class Thinking(msgspec.Struct, frozen=True, kw_only=True, tag="thinking"):
    """A model's reasoning. Signatures bind it to the model and vendor that made it."""

    text: str = ""
    signature: str | None = None
    #: Anthropic's `redacted_thinking` data, in place of text.
    redacted: str | None = None


class Refusal(msgspec.Struct, frozen=True, kw_only=True, tag="refusal"):
    """A refusal in words, where a dialect tells it apart from text."""

    text: str


Part = Text | Image | Document | ToolUse | ToolResult | Thinking | Refusal


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One turn. System prompts are not turns: see `Request.system`."""

    role: Literal["user", "assistant"]
    parts: tuple[Part, ...]


class ToolDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """A function that the model may call; `schema` is the JSON Schema of its arguments."""

    name: str
    description: str | None = None
    schema: msgspec.Raw = msgspec.Raw(b'{"type":"object","properties":{}}')
    strict: bool | None = None
    cache: msgspec.Raw | None = None


class ToolChoice(msgspec.Struct, frozen=True, kw_only=True):
    """`mode` auto, none, any (some tool must be called) or tool (the one `name`d)."""

    mode: Literal["auto", "none", "any", "tool"] = "auto"
    name: str | None = None
    #: False: at most one call a turn. None: the dialect's default.
    parallel: bool | None = None


class JsonFormat(msgspec.Struct, frozen=True, kw_only=True):
    """Structured output: any JSON object (`schema` None) or one that a JSON Schema describes."""

    schema: msgspec.Raw | None = None
    name: str = "answer"
    description: str | None = None
    strict: bool | None = None


class ThinkingMode(msgspec.Struct, frozen=True, kw_only=True):
    """How much a model is asked to reason before it answers.

    `mode`: `enabled` (with `budget_tokens`), `adaptive`, or `disabled`. `effort` is a word such as
    low, medium, high where the dialect speaks in words.
    """

    mode: Literal["enabled", "adaptive", "disabled"] | None = None
    budget_tokens: int | None = None
    effort: str | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request for an answer, in no vendor's dialect."""

    model: str
    messages: tuple[Message, ...]
    system: tuple[Text, ...] = ()
    tools: tuple[ToolDefinition, ...] = ()
    tool_choice: ToolChoice | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    stream: bool = False
    #: Chat completions' `stream_options.include_usage`; messages streams always carry usage.
    include_usage: bool = False
    json_format: JsonFormat | None = None
    thinking: ThinkingMode | None = None
    #: An opaque id of the end user, where the dialect has one (`user`, `metadata.user_id`).
    user: str | None = None
    #: What only the caller's dialect knows: top-level field → its JSON, untouched.
    extras: dict[str, msgspec.Raw] = {}


class Stop(StrEnum):
    """Why an answer ended."""

    END = "end"
    STOP_SEQUENCE = "stop_sequence"
    #: The caller's own token limit.
    LENGTH = "length"
    #: The model's context window.
    CONTEXT = "context"
    TOOL_USE = "tool_use"
    #: Anthropic's `pause_turn`: send the content back as it is to go on.
    PAUSE = "pause"
    REFUSED = "refused"


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens. `input` counts all of the prompt, cached parts included (OpenAI's way of counting);
    Anthropic's `input_tokens` is `input - cache_read - cache_write`. `output` includes
    `reasoning`.
    """

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0

    def plus(self, other: Usage) -> Usage:
        """The usage of both together."""
        return Usage(
            input=self.input + other.input,
            output=self.output + other.output,
            cache_read=self.cache_read + other.cache_read,
            cache_write=self.cache_write + other.cache_write,
            reasoning=self.reasoning + other.reasoning,
        )


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer. `stop_sequence` is the sequence that ended it, where the provider says."""

    id: str
    model: str
    parts: tuple[Text | ToolUse | Thinking | Refusal, ...]
    stop: Stop
    stop_sequence: str | None = None
    usage: Usage = Usage()
    #: Unix seconds; dialects without a creation time leave 0 and the caller's side fills it in.
    created: int = 0
