"""Core events to a stream of chunks."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from understudy.core.conversation import Request, Stop, Usage
from understudy.core.events import (
    BlockStarted,
    BlockStopped,
    Ended,
    Event,
    Finished,
    Pinged,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    UsageSeen,
)
from understudy.core.transcript import Transcript
from understudy.dialects.chat_completions.answer import usage_json
from understudy.dialects.chat_completions.stops import finish_reason_for

__all__ = ["PING", "ChatWriter"]

#: A comment: the dialect has no event for it.
PING = b": ping\n\n"

_encode = msgspec.json.encode

_FIELDS: dict[type, bytes] = {
    TextDelta: b'{"content":',
    ThinkingDelta: b'{"reasoning_content":',
    RefusalDelta: b'{"refusal":',
}
_FIRST_DELTA = b'{"role":"assistant","content":"","refusal":null}'


class ChatWriter:
    """A `StreamWriter`. One choice; id, model and creation time are the first `Started`'s.

    What the dialect has no words for is left out: signatures and redacted thinking, which only
    their own vendor can read. Thinking goes into `reasoning_content`, as DeepSeek, vLLM and SGLang
    do it.

    With a transcript of what was `sent` it goes on from there: its id, model and creation time
    stand in each further chunk, its role is not repeated, and tool calls are counted on.
    """

    __slots__ = (
        "_calls",
        "_close",
        "_close_delta",
        "_head",
        "_include_usage",
        "_needs_arguments",
        "_open",
        "_refused",
        "_usage",
    )

    def __init__(self, request: Request, sent: Transcript | None = None) -> None:
        self._include_usage = request.include_usage
        # With include_usage every chunk but the last says `"usage":null`.
        nulls = b'],"usage":null}\n\n' if request.include_usage else b"]}\n\n"
        self._close = nulls
        self._close_delta = b',"logprobs":null,"finish_reason":null}' + nulls
        self._head = b""
        self._open = b""
        self._calls = -1
        self._needs_arguments = False
        self._refused = False
        self._usage: Usage | None = None
        self._begin("", "", 0)
        if sent is not None:
            self._resume(sent)

    def write(self, events: Iterable[Event]) -> bytes:
        """See `StreamWriter.write`."""
        return b"".join([self._one(event) for event in events])

    def _one(self, event: Event) -> bytes:
        match event:
            case TextDelta() | ThinkingDelta() | RefusalDelta():
                self._refused = self._refused or type(event) is RefusalDelta
                return self._delta(_FIELDS[type(event)] + _encode(event.text) + b"}")
            case ToolDelta():
                return self._arguments(event.json)
            case BlockStarted(kind="tool_use"):
                return self._call(event)
            case BlockStopped():
                # A client parses the arguments as JSON: an empty text would be none.
                return self._arguments("{}") if self._needs_arguments else b""
            case _:
                return self._frame(event)

    def _frame(self, event: Event) -> bytes:
        match event:
            case Started():
                return self._start(event)
            case UsageSeen():
                self._usage = event.usage
                return b""
            case Finished():
                return self._finish(event.stop)
            case Ended():
                return self._end()
            case Pinged():
                return PING
            case _:
                return b""

    def _begin(self, answer_id: str, model: str, created: int) -> None:
        self._head = (
            b'data: {"id":'
            + _encode(answer_id)
            + b',"object":"chat.completion.chunk","created":'
            + _encode(created)
            + b',"model":'
            + _encode(model)
            + b',"choices":['
        )
        self._open = self._head + b'{"index":0,"delta":'

    def _resume(self, sent: Transcript) -> None:
        if sent.started is not None:
            self._begin(sent.started.id, sent.started.model, sent.started.created)
        kinds = [block.kind for block in sent.blocks]
        self._calls = kinds.count("tool_use") - 1
        self._refused = "refusal" in kinds
        self._usage = sent.usage
        last = sent.open_block
        self._needs_arguments = last is not None and last.kind == "tool_use" and not last.text

    def _start(self, event: Started) -> bytes:
        self._begin(event.id, event.model, event.created)
        if event.usage is not None:
            self._usage = event.usage
        return self._delta(_FIRST_DELTA)

    def _delta(self, delta: bytes) -> bytes:
        return self._open + delta + self._close_delta

    def _call(self, event: BlockStarted) -> bytes:
        self._calls += 1
        self._needs_arguments = True
        call = {
            "index": self._calls,
            "id": event.tool_id,
            "type": "function",
            "function": {"name": event.tool_name, "arguments": ""},
        }
        return self._delta(b'{"tool_calls":[' + _encode(call) + b"]}")

    def _arguments(self, text: str) -> bytes:
        if text:
            self._needs_arguments = False
        return self._delta(
            b'{"tool_calls":[{"index":%d,"function":{"arguments":' % self._calls
            + _encode(text)
            + b"}}]}"
        )

    def _finish(self, stop: Stop) -> bytes:
        reason = _encode(finish_reason_for(stop, refused=self._refused))
        return self._open + b'{},"logprobs":null,"finish_reason":' + reason + b"}" + self._close

    def _end(self) -> bytes:
        done = b"data: [DONE]\n\n"
        if not self._include_usage or self._usage is None:
            return done
        return self._head + b'],"usage":' + _encode(usage_json(self._usage)) + b"}\n\n" + done
