"""A whole answer of the messages dialect: read, written, glanced at."""

from __future__ import annotations

from typing import Final

import msgspec

from understudy.core.conversation import (
    Answer,
    Refusal,
    Stop,
    Text,
    Thinking,
    ToolUse,
    Usage,
)
from understudy.core.faults import FaultError, Scope
from understudy.dialects.base import AnswerGlance
from understudy.dialects.messages.shapes import (
    AnswerBlock,
    Count,
    LightAnswer,
    LightBlock,
    PlainAnswer,
    WholeAnswer,
)
from understudy.dialects.messages.tally import (
    STOP_REASONS,
    malformed,
    merged_usage,
    read_stop,
    read_usage,
    wire_usage,
)

__all__ = ["glance_answer", "glance_count", "message_id", "parse_answer", "render_answer"]


# A tuple: `A | B` would make a new union at each test.
_WORDS = (Text, Refusal)
_ANSWER: Final = msgspec.json.Decoder(WholeAnswer)
_PLAIN: Final = msgspec.json.Decoder(PlainAnswer)
_LIGHT: Final = msgspec.json.Decoder(LightAnswer)
_COUNT: Final = msgspec.json.Decoder(Count)
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])

_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)

_ID_CHARACTERS: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
)


def parse_answer(body: bytes) -> Answer:
    """A message in core's words. Blocks that core has no word for (server tools) are left out.

    Raises:
        FaultError: MALFORMED; not a message, or a tool call without id, name or an object.
    """
    try:
        plain = _PLAIN.decode(body)
    except _UNREADABLE:
        return _parse_any(body)
    return Answer(
        id=plain.id,
        model=plain.model,
        parts=(Text(text=plain.content[0].text),),
        stop=read_stop(plain.stop_reason),
        stop_sequence=plain.stop_sequence,
        usage=read_usage(plain.usage),
    )


def _parse_any(body: bytes) -> Answer:
    try:
        wire = _ANSWER.decode(body)
    except _UNREADABLE:
        raise FaultError(malformed("the body is not a message")) from None
    if wire.type == "error" or _is_object(wire.error):
        raise FaultError(malformed("the body is an error under status 200"))
    parts = [_read_block(block) for block in wire.content]
    return Answer(
        id=wire.id,
        model=wire.model,
        parts=tuple([part for part in parts if part is not None]),
        stop=Stop.END if wire.stop_reason is None else read_stop(wire.stop_reason),
        stop_sequence=wire.stop_sequence,
        usage=merged_usage(wire.usage, None) or Usage(),
    )


def glance_answer(body: bytes) -> AnswerGlance:
    """What the relay must know of a body that passes.

    Raises:
        FaultError: MALFORMED; JSON, but neither a message nor an error, or no JSON at all.
    """
    try:
        wire = _LIGHT.decode(body)
    except _UNREADABLE:
        raise FaultError(malformed("the body is not a message")) from None
    if wire.type == "error" or _is_object(wire.error):
        return AnswerGlance(error=body)
    if wire.content is None:
        raise FaultError(malformed("the body is not a message"))
    return AnswerGlance(
        has_content=any(_is_content(block) for block in wire.content),
        stop=None if wire.stop_reason is None else read_stop(wire.stop_reason),
        usage=merged_usage(wire.usage, None),
    )


def glance_count(body: bytes) -> AnswerGlance:
    """The same for `count_tokens`, whose whole answer is `{"input_tokens": n}`.

    Raises:
        FaultError: MALFORMED; neither a count nor an error.
    """
    try:
        wire = _COUNT.decode(body)
    except _UNREADABLE:
        raise FaultError(malformed("the body is not a token count")) from None
    if wire.type == "error" or _is_object(wire.error):
        return AnswerGlance(error=body)
    if wire.input_tokens is None:
        raise FaultError(malformed("the body is not a token count"))
    return AnswerGlance(has_content=True, stop=Stop.END, usage=Usage(input=wire.input_tokens))


def render_answer(answer: Answer) -> bytes:
    """A message. Refusals in words become text beside their `stop_reason`.

    A tool call that a token limit cut in its arguments is left out: it never was a whole one.

    Raises:
        FaultError: MALFORMED; a call's arguments are no JSON object, and nothing says why.
    """
    content = [_write_part(part, answer.stop) for part in answer.parts]
    return msgspec.json.encode(
        {
            "id": message_id(answer.id),
            "type": "message",
            "role": "assistant",
            "model": answer.model,
            "content": [block for block in content if block is not None],
            "stop_reason": STOP_REASONS[answer.stop],
            "stop_sequence": answer.stop_sequence,
            "usage": wire_usage(answer.usage),
        }
    )


def message_id(answer_id: str) -> str:
    """An id of the vendor's form for the answer of any provider; its own stays as it is."""
    if answer_id.startswith("msg_"):
        return answer_id
    kept = "".join(letter if letter in _ID_CHARACTERS else "_" for letter in answer_id)
    return f"msg_{kept}"


def _read_block(block: AnswerBlock) -> Text | ToolUse | Thinking | None:
    if block.type == "text":
        return Text(text=block.text or "")
    if block.type == "thinking":
        return Thinking(text=block.thinking or "", signature=block.signature or None)
    if block.type == "redacted_thinking":
        return Thinking(redacted=block.data or "")
    if block.type != "tool_use":
        return None
    if not block.id or not block.name:
        raise FaultError(malformed("a tool call has no id or no name"))
    if not block.input:
        return ToolUse(id=block.id, name=block.name)
    if not _is_object(block.input):
        raise FaultError(malformed("a tool call's input is no object"))
    try:
        return ToolUse(id=block.id, name=block.name, arguments=bytes(block.input).decode())
    except UnicodeDecodeError:
        raise FaultError(malformed("a tool call's input is not UTF-8")) from None


def _write_part(part: Text | ToolUse | Thinking | Refusal, stop: Stop) -> object:
    if isinstance(part, _WORDS):
        return {"type": "text", "text": part.text}
    if isinstance(part, Thinking):
        if part.redacted is not None:
            return {"type": "redacted_thinking", "data": part.redacted}
        return {"type": "thinking", "thinking": part.text, "signature": part.signature or ""}
    encoded = part.arguments.encode()
    try:
        _OBJECT.decode(encoded)
    except _UNREADABLE:
        if stop in {Stop.LENGTH, Stop.CONTEXT}:
            return None
        fault = malformed("a tool call's arguments are no JSON object", Scope.MODEL)
        raise FaultError(fault) from None
    return {"type": "tool_use", "id": part.id, "name": part.name, "input": msgspec.Raw(encoded)}


def _is_content(block: LightBlock) -> bool:
    if block.type == "text":
        return bool(block.text)
    if block.type == "thinking":
        return bool(block.thinking)
    return True


def _is_object(raw: msgspec.Raw) -> bool:
    return bytes(memoryview(raw)[:1]) == b"{"
