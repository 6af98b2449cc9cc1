"""Core events as a messages stream.

Block indexes are this stream's own, from 0 without a gap, whatever the source's were. The usage
of other dialects comes after the reason why the answer ended, so `message_delta` is held back
until `Ended` and written together with `message_stop`.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from understudy.core.conversation import Request, Usage
from understudy.core.events import (
    BlockStarted,
    BlockStopped,
    Ended,
    Event,
    Finished,
    Pinged,
    RefusalDelta,
    SignatureDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    UsageSeen,
)
from understudy.core.transcript import Transcript
from understudy.dialects.messages.answer import message_id
from understudy.dialects.messages.tally import STOP_REASONS, wire_usage

__all__ = ["MESSAGE_STOP", "PING", "MessagesWriter"]

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'

_encode = msgspec.json.Encoder().encode


class MessagesWriter:
    """Implements `understudy.dialects.base.StreamWriter`.

    With a transcript of what was `sent` it goes on from there: deltas before the next
    `BlockStarted` add to the block that was left open, the next block has the next index. The
    message's id and model stand in its `message_start`, which is not written again.
    """

    def __init__(self, request: Request, sent: Transcript | None = None) -> None:
        self._model = request.model
        self._usage = (sent.usage if sent is not None else None) or Usage()
        self._finished: Finished | None = None
        #: The index of the open block, or of the last one; before the first, -1.
        self._index = -1 if sent is None else len(sent.blocks) - 1

    def write(self, events: Iterable[Event]) -> bytes:
        """The bytes for these events. `Failed` writes nothing."""
        return b"".join([self._write(event) for event in events])

    def _write(self, event: Event) -> bytes:
        delta = _delta_of(event)
        if delta is not None:
            return _event("content_block_delta", {"index": self._index, "delta": delta})
        written = b""
        match event:
            case BlockStarted():
                written = self._start_block(event)
            case BlockStopped():
                written = _event("content_block_stop", {"index": self._index})
            case Started():
                written = self._start(event)
            case Ended():
                written = self._end()
            case Pinged():
                written = PING
            case UsageSeen():
                self._usage = event.usage
            case Finished():
                self._finished = event
        return written

    def _start(self, event: Started) -> bytes:
        if event.usage is not None:
            self._usage = event.usage
        message: dict[str, object] = {
            "id": message_id(event.id),
            "type": "message",
            "role": "assistant",
            "model": event.model or self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": wire_usage(self._usage),
        }
        return _event("message_start", {"message": message})

    def _start_block(self, event: BlockStarted) -> bytes:
        self._index += 1
        block: dict[str, object]
        if event.kind == "tool_use":
            block = {
                "type": "tool_use",
                "id": event.tool_id,
                "name": event.tool_name,
                "input": {},
            }
        elif event.kind == "thinking":
            block = {"type": "thinking", "thinking": "", "signature": ""}
        elif event.kind == "redacted_thinking":
            block = {"type": "redacted_thinking", "data": event.data}
        else:  # text, and refusals in words, for which there is no block
            block = {"type": "text", "text": ""}
        return _event("content_block_start", {"index": self._index, "content_block": block})

    def _end(self) -> bytes:
        if self._finished is None:
            return b""
        delta = {
            "stop_reason": STOP_REASONS[self._finished.stop],
            "stop_sequence": self._finished.stop_sequence,
        }
        usage = wire_usage(self._usage)
        return _event("message_delta", {"delta": delta, "usage": usage}) + MESSAGE_STOP


def _delta_of(event: Event) -> dict[str, str] | None:
    match event:
        case TextDelta() | RefusalDelta():
            return {"type": "text_delta", "text": event.text}
        case ThinkingDelta():
            return {"type": "thinking_delta", "thinking": event.text}
        case ToolDelta():
            return {"type": "input_json_delta", "partial_json": event.json}
        case SignatureDelta():
            return {"type": "signature_delta", "signature": event.signature}
    return None


def _event(kind: str, body: dict[str, object]) -> bytes:
    name = kind.encode()
    return b"event: %b\ndata: %b\n\n" % (name, _encode({"type": kind, **body}))
