"""The shapes of answers: whole completions, and chunks of streamed ones.

They name only what is needed, and they forgive: servers that call themselves compatible differ in
what is null, absent or of another type. A value that does not fit is taken as not given
(`decode_leniently`), so that one odd field never costs an answer; only what is no JSON object at
all is an error.
"""

from __future__ import annotations

import re
from typing import Any, Generic, TypeVar

import msgspec

__all__ = [
    "UNNAMED",
    "UNREADABLE",
    "Choice",
    "Chunk",
    "ChunkChoice",
    "Completion",
    "CompletionMessage",
    "ContentPart",
    "Delta",
    "FunctionCall",
    "LenientDecoder",
    "LightChunk",
    "LightDelta",
    "PlainCompletion",
    "ToolCall",
    "WireUsage",
    "arguments_of",
    "is_error",
    "is_foreign",
    "reasoning_of",
    "text_of",
]

T = TypeVar("T")

#: A body whose misfits are more than this is no body of this dialect.
_MAX_MISFITS = 32
#: What msgspec raises for bytes that it cannot read into a type.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
#: The kinds of parts of content that are read.
_PARTS = frozenset({"", "text", "thinking"})
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


class ContentPart(msgspec.Struct, gc=False):
    """One part of content that comes as a list (Mistral's reasoning models)."""

    type: str = ""
    text: str | None = None
    thinking: Any = None


class FunctionCall(msgspec.Struct, gc=False):
    """`arguments` is JSON text; some servers send the object itself."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class ToolCall(msgspec.Struct, gc=False):
    """A call, or (in a chunk) a fragment of one."""

    index: int | None = None
    id: str | None = None
    function: FunctionCall | None = None


class Delta(msgspec.Struct, gc=False):
    """What a chunk adds. `reasoning_content` (DeepSeek, vLLM, SGLang) and `reasoning`
    (OpenRouter, Ollama, newer vLLM) carry the same thing; some servers send both.
    """

    content: str | list[ContentPart] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: FunctionCall | None = None
    audio: Any = None


#: A whole message has the fields of a delta.
CompletionMessage = Delta


class WireUsage(msgspec.Struct, gc=False):
    """OpenAI's `usage`: `prompt_tokens` counts cached tokens too."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class _PromptDetails(msgspec.Struct, gc=False):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _CompletionDetails(msgspec.Struct, gc=False):
    reasoning_tokens: int | None = None


class ChunkChoice(msgspec.Struct, gc=False):
    """One choice of a chunk."""

    index: int = 0
    delta: Delta | None = None
    finish_reason: str | None = None


class Chunk(msgspec.Struct, gc=False):
    """One event of a stream. `choices` is None where the event is no chunk at all."""

    id: str = ""
    model: str = ""
    created: int = 0
    choices: list[ChunkChoice] | None = None
    usage: WireUsage | None = None
    error: Any = None
    object: str = ""


#: The tool calls of a delta that names none.
UNNAMED = msgspec.Raw()


class LightDelta(msgspec.Struct, gc=False):
    """Only whether something is added, and whether that may be a tool call."""

    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: msgspec.Raw = UNNAMED


class LightChoice(msgspec.Struct, gc=False, kw_only=True):
    index: int = 0
    delta: LightDelta
    finish_reason: str | None = None


class LightChunk(msgspec.Struct, gc=False):
    """A chunk once content has been seen: one choice, of whose delta little matters."""

    choices: tuple[LightChoice]
    usage: Any = None
    error: Any = None


class Choice(msgspec.Struct, gc=False):
    """One choice of a whole completion."""

    index: int = 0
    message: CompletionMessage | None = None
    finish_reason: str | None = None


class Completion(msgspec.Struct, gc=False):
    """A whole answer. `choices` is None where the body is no completion at all."""

    id: str = ""
    model: str = ""
    created: int = 0
    choices: list[Choice] | None = None
    usage: WireUsage | None = None
    error: Any = None
    object: str = ""


class _PlainMessage(msgspec.Struct, gc=False):
    content: str
    refusal: None = None
    function_call: None = None


class _PlainChoice(msgspec.Struct, gc=False):
    message: _PlainMessage
    finish_reason: str


class PlainCompletion(msgspec.Struct, gc=False):
    """The common case of a whole answer: one choice and no error."""

    choices: tuple[_PlainChoice]
    error: None = None
    usage: WireUsage | None = None


class LenientDecoder(Generic[T]):
    """A typed decoder that takes a value of a wrong type as not given."""

    __slots__ = ("_decode", "_kind")

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        self._decode = msgspec.json.Decoder(kind).decode

    def decode(self, data: bytes) -> T:
        """Read one JSON object.

        Raises:
            ValueError: not JSON, not an object, too deep, or nothing like the shape.
        """
        try:
            return self._decode(data)
        except UNREADABLE:
            return self._decode_without_misfits(data)

    def _decode_without_misfits(self, data: bytes) -> T:
        """The slow way: leave out what does not fit, one value after another."""
        try:
            tree = msgspec.json.decode(data)
        except UNREADABLE:
            raise ValueError("not JSON") from None
        for _ in range(_MAX_MISFITS):
            try:
                return msgspec.convert(tree, self._kind)
            except msgspec.ValidationError as error:
                if not _prune(tree, str(error).rpartition(" - at `$")[2].rstrip("`")):
                    break
        raise ValueError("not the shape of an answer")


def _prune(tree: Any, path: str) -> bool:
    """Take the value at msgspec's `path` (`.choices[0].delta`) out of the tree."""
    steps = [name or int(index) for name, index in _STEP.findall(path)]
    if not steps or not isinstance(tree, dict):
        return False
    for step in steps[:-1]:
        tree = tree[step]
    del tree[steps[-1]]
    return True


def is_error(body: Chunk | Completion) -> bool:
    """Whether a body carries an error in place of, or beside, an answer.

    Three shapes are seen: `{"error": {…}}`, `{"error": "text"}` (Ollama) and the flat
    `{"object": "error", …}` (older vLLM). Null and empty values are no error.
    """
    return bool(body.error) or body.object == "error"


def is_foreign(message: Delta) -> bool:
    """Whether a message or delta holds what no other dialect has words for."""
    if message.audio is not None:
        return True
    parts = message.content
    return isinstance(parts, list) and any(part.type not in _PARTS for part in parts)


def text_of(content: str | list[ContentPart] | None) -> str:
    """The text of a message's or delta's content."""
    if isinstance(content, str):
        return content
    return "".join(part.text for part in content or () if part.text and part.type != "thinking")


def reasoning_of(message: Delta) -> str:
    """The reasoning of a message or delta, in whichever field it comes."""
    reasoning = message.reasoning_content or message.reasoning
    if reasoning or not isinstance(message.content, list):
        return reasoning or ""
    return "".join(_thinking_text(part.thinking) for part in message.content)


def _thinking_text(thinking: Any) -> str:
    """Mistral's `thinking`: a list of text parts, or a string."""
    if isinstance(thinking, list):
        return "".join(
            part["text"]
            for part in thinking
            if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    return thinking if isinstance(thinking, str) else ""


def arguments_of(function: FunctionCall) -> str:
    """The JSON text of a call's arguments; some servers send the object itself."""
    arguments = function.arguments
    if isinstance(arguments, dict):
        return msgspec.json.encode(arguments).decode()
    return arguments or ""
