"""What a caller makes of an answer's bytes: read strictly, by readers that share nothing with the
relay's own. A stream is read once it is over; the grammars are the vendors'.

https://platform.claude.com/docs/en/build-with-claude/streaming,
https://developers.openai.com/api/reference/resources/chat/subresources/completions/streaming-events,
https://developers.openai.com/api/reference/resources/responses/streaming-events.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from simulation.sim_answers_responses import ResponsesReader, read_whole_response
from simulation.sim_reading import Answer, Event, Tool

__all__ = ["READERS", "Answer", "read_stream", "read_whole"]

_decode = msgspec.json.Decoder(dict[str, Any]).decode
#: What reading JSON of another shape than the grammar's raises.
_SHAPELESS = (KeyError, TypeError, IndexError, AttributeError)


def read_stream(dialect: str, body: bytes) -> Answer:
    """A stream's bytes, as far as they came."""
    answer = Answer()
    reader = READERS[dialect](answer)
    for event in _events(body, answer):
        if event.comment is not None:
            answer.comment(event.comment)
        elif answer.over:
            answer.blame(f"{event.name or 'an event'} after the end")
        else:
            try:
                reader.take(event)
            except _SHAPELESS as error:
                answer.blame(f"an event of another shape: {error!r}")
    return answer


def read_whole(dialect: str, body: bytes) -> Answer:
    """A whole answer's body, or an error's."""
    answer = Answer()
    try:
        told = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        answer.blame(f"not JSON: {error}")
        return answer
    if told.get("error"):
        answer.fail(told["error"])
        return answer
    try:
        _WHOLE[dialect](answer, told)
    except _SHAPELESS as error:
        answer.blame(f"no answer: {error!r}")
    return answer


def _events(body: bytes, answer: Answer) -> Iterator[Event]:
    """The events and comments of a stream (WHATWG HTML §9.2.6), each with its parsed data."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        answer.blame(f"not UTF-8: {error.reason}")
        text = body.decode("utf-8", "replace")
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    *whole, rest = text.split("\n\n")
    answer.half = bool(rest.strip("\n"))
    for block in whole:
        name, data = "", []
        for line in block.split("\n"):
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if line.startswith(":"):
                yield Event(comment=line[1:].strip())
            elif field == "data":
                data.append(value)
            elif field == "event":
                name = value
        if data:
            yield Event(name=name, raw="\n".join(data))


def _parsed(event: Event, answer: Answer) -> dict[str, Any] | None:
    try:
        return _decode(event.raw.encode())
    except msgspec.DecodeError as error:
        answer.blame(f"an event is not JSON: {error}")
        return None


class MessagesReader:
    """Anthropic's messages."""

    _KINDS = {  # noqa: RUF012 - a table
        "text_delta": "text",
        "thinking_delta": "thinking",
        "signature_delta": "thinking",
        "input_json_delta": "tool_use",
        "citations_delta": "text",
    }

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._begun = False
        self._count = 0
        #: Kind of the open block.
        self._open: str | None = None

    def take(self, event: Event) -> None:
        data = _parsed(event, self._answer)
        if data is None:
            return
        kind = data.get("type", "")
        if event.name and event.name != kind:
            self._answer.blame(f"event {event.name} holds {kind}")
        if kind == "error":
            self._answer.fail(data.get("error"))
        elif kind == "ping":
            self._answer.pings += 1
        elif kind == "message_start":
            self._start(data)
        elif (take := getattr(self, f"_{kind}", None)) is None:
            pass  # The vendor adds kinds: "handle unknown event types gracefully".
        elif self._begun:
            take(data)
        else:
            self._answer.blame(f"{kind} before message_start")

    def _start(self, data: dict[str, Any]) -> None:
        if self._begun:
            self._answer.blame("message_start twice")
        self._begun = True
        message = data["message"]
        self._answer.id, self._answer.model = message["id"], message["model"]
        self._answer.usage = message.get("usage")

    def _content_block_start(self, data: dict[str, Any]) -> None:
        answer, block = self._answer, data["content_block"]
        if self._open is not None:
            answer.blame("a block began before the one before it ended")
        if data["index"] != self._count:
            answer.blame(f"block {data['index']} where {self._count} was due")
        if answer.stop is not None:
            answer.blame("a block after the stop reason")
        self._count += 1
        self._open = block["type"]
        if block["type"] == "tool_use":
            answer.tools.append(Tool(block["id"], block["name"]))
        elif block["type"] == "text":
            answer.add_text(0, block.get("text", ""))

    def _content_block_delta(self, data: dict[str, Any]) -> None:
        answer, delta = self._answer, data["delta"]
        if self._open is None or data["index"] != self._count - 1:
            answer.blame(f"a delta for block {data['index']}, which is not open")
            return
        if self._KINDS.get(delta["type"], self._open) != self._open:
            answer.blame(f"{delta['type']} in a block of {self._open}")
        if delta["type"] == "text_delta":
            answer.add_text(0, delta["text"])
        elif delta["type"] == "thinking_delta":
            answer.thinking += delta["thinking"]
        elif delta["type"] == "input_json_delta" and answer.tools:
            answer.tools[-1].arguments += delta["partial_json"]

    def _content_block_stop(self, data: dict[str, Any]) -> None:
        if self._open is None or data["index"] != self._count - 1:
            self._answer.blame(f"block {data['index']} ended, which is not open")
        if self._open == "tool_use":
            self._answer.tools[-1].closed = True
        self._open = None

    def _message_delta(self, data: dict[str, Any]) -> None:
        if self._open is not None:
            self._answer.blame("message_delta while a block is open")
        self._answer.stop = data["delta"].get("stop_reason") or self._answer.stop
        self._answer.usage = {**(self._answer.usage or {}), **(data.get("usage") or {})}

    def _message_stop(self, data: dict[str, Any]) -> None:
        if self._answer.stop is None:
            self._answer.blame("message_stop without a stop reason")
        self._answer.ended = self._answer.over = True


class ChatReader:
    """OpenAI's chat completions. Whole with a finish reason for every choice; `[DONE]` may lack,
    as with compatible servers.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._seen: set[int] = set()
        self._finished: set[int] = set()

    def take(self, event: Event) -> None:
        answer = self._answer
        if event.raw == "[DONE]":
            answer.over = True
            if not answer.ended:
                answer.blame("[DONE] without a finish reason")
            return
        chunk = _parsed(event, answer)
        if chunk is None:
            return
        if chunk.get("error"):
            answer.ended = False
            answer.fail(chunk["error"])
            return
        if chunk.get("object") != "chat.completion.chunk":
            return
        self._same("id", chunk)
        answer.model = chunk.get("model") or answer.model
        answer.usage = chunk.get("usage") or answer.usage
        for choice in chunk["choices"]:
            self._choice(choice)
        answer.ended = bool(self._seen) and self._seen == self._finished

    def _same(self, field: str, chunk: dict[str, Any]) -> None:
        if not chunk.get(field):
            return
        if self._answer.id and self._answer.id != chunk[field]:
            self._answer.blame(f"another {field} in the middle")
        self._answer.id = chunk[field]

    def _choice(self, choice: dict[str, Any]) -> None:
        answer, index = self._answer, choice["index"]
        delta = choice.get("delta") or {}
        if index in self._finished and (delta.get("content") or delta.get("tool_calls")):
            answer.blame(f"content for choice {index} after its finish reason")
        self._seen.add(index)
        answer.add_text(index, delta.get("content") or "")
        answer.refusal += delta.get("refusal") or ""
        answer.thinking += delta.get("reasoning_content") or ""
        for part in delta.get("tool_calls") or ():
            self._tool(index, part)
        if choice.get("finish_reason"):
            self._finished.add(index)
            answer.stop = choice["finish_reason"]
            for tool in answer.tools:
                tool.closed = tool.closed or tool.choice == index

    def _tool(self, choice: int, part: dict[str, Any]) -> None:
        mine = [tool for tool in self._answer.tools if tool.choice == choice]
        function = part.get("function") or {}
        if part["index"] == len(mine):
            for tool in mine:
                tool.closed = True
            if not part.get("id") or not function.get("name"):
                self._answer.blame("a tool call begins without id or name")
            self._answer.tools.append(
                Tool(part.get("id") or "", function.get("name") or "", choice=choice)
            )
        elif part["index"] != len(mine) - 1:
            self._answer.blame(f"tool call {part['index']} out of order")
            return
        last = [tool for tool in self._answer.tools if tool.choice == choice][-1]
        last.arguments += function.get("arguments") or ""


READERS = {
    "messages": MessagesReader,
    "chat_completions": ChatReader,
    "responses": ResponsesReader,
}


def _whole_message(answer: Answer, told: dict[str, Any]) -> None:
    answer.id, answer.model = told.get("id", ""), told.get("model", "")
    for block in told["content"]:
        if block["type"] == "text":
            answer.add_text(0, block["text"])
        elif block["type"] == "thinking":
            answer.thinking += block["thinking"]
        elif block["type"] == "tool_use":
            arguments = msgspec.json.encode(block["input"]).decode()
            answer.tools.append(Tool(block["id"], block["name"], arguments, closed=True))
    answer.stop, answer.usage = told["stop_reason"], told.get("usage")
    answer.ended = answer.stop is not None


def _whole_chat(answer: Answer, told: dict[str, Any]) -> None:
    answer.id, answer.model = told.get("id", ""), told.get("model", "")
    answer.usage = told.get("usage")
    for choice in told["choices"]:
        message = choice["message"]
        answer.add_text(choice["index"], message.get("content") or "")
        answer.refusal += message.get("refusal") or ""
        answer.thinking += message.get("reasoning_content") or ""
        for call in message.get("tool_calls") or ():
            function = call["function"]
            answer.tools.append(
                Tool(
                    call["id"],
                    function["name"],
                    function["arguments"],
                    closed=True,
                    choice=choice["index"],
                )
            )
        answer.stop = choice["finish_reason"]
    answer.ended = bool(told["choices"]) and all(c["finish_reason"] for c in told["choices"])


_WHOLE = {
    "messages": _whole_message,
    "chat_completions": _whole_chat,
    "responses": read_whole_response,
}
