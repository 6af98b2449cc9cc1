"""What one server-sent event of this dialect says: the way from its bytes to a typed event.

Source: developers.openai.com/api/reference/resources/responses/streaming-events. Every event has
a `type` and a `sequence_number`. A stream ends with `response.completed` or `response.incomplete`
and has no `[DONE]`; imitators that send one send it after that. Errors come as `response.failed`,
whose response holds the error, or as an `error` event, flat as it is documented or (as the API
really does it: openai/openai-dotnet#881, Effect-TS/effect#7262) with an `error` object.

Sequence numbers only ever grow. A gap costs nothing, for content that is missing shows elsewhere;
a number that stands still or goes back means that content is repeated, and is MALFORMED. Servers
that do not count (no number, or the same one all along) are not held to it.
"""

from __future__ import annotations

from typing import Final

import msgspec

from understudy.core.faults import Fault, Kind, Scope
from understudy.dialects.base import ReadError, truncated_fault
from understudy.dialects.responses.stops import FAILED
from understudy.dialects.responses.wire import Response, StreamEvent, decode_event
from understudy.dialects.sse import parse_event

__all__ = [
    "MAX_EVENT_BYTES",
    "TERMINAL",
    "failure_of",
    "follows",
    "malformed",
    "read_event",
    "tail_fault",
]

#: The last event repeats the whole answer, generated images included; the first repeats the
#: caller's instructions and tools.
MAX_EVENT_BYTES: Final = 16 * 1024 * 1024

#: The events that end a whole answer.
TERMINAL: Final = frozenset({"response.completed", "response.incomplete"})

_DONE: Final = b"[DONE]"


def read_event(raw: bytes, read_error: ReadError) -> StreamEvent | Fault | None:
    """Read one whole event, as `SseSplitter` returns it.

    Returns:
        What it says; the fault that it is; None where there is nothing to read: a comment.
    """
    sse = parse_event(raw)
    if sse.data is None:
        return _read_bare(raw.strip(), read_error, is_error=sse.event == "error")
    data = sse.data.strip()
    if not data:
        return None
    if data == _DONE:
        return truncated_fault("[DONE] came before the response was whole")
    event = _decoded(data)
    if isinstance(event, Fault):
        return event
    if event.error or event.type == "error" or sse.event == "error":
        return read_error(data)
    # The name on the event's own line says the same.
    event.type = event.type or sse.event
    return _judged(event, read_error)


def _read_bare(data: bytes, read_error: ReadError, *, is_error: bool) -> Fault | None:
    """Lines without data: a comment, a page of HTML, or the bare JSON of a body."""
    if is_error:
        return read_error(b"")
    if data[:1] == b"{":
        event = _decoded(data)
        if not isinstance(event, Fault) and (event.error or event.type == "error"):
            return read_error(data)
    return malformed("not an event stream") if data[:1] in {b"<", b"{"} else None


def _decoded(data: bytes) -> StreamEvent | Fault:
    try:
        return decode_event(data)
    except ValueError:
        return malformed("an event is not JSON of a response")


def _judged(event: StreamEvent, read_error: ReadError) -> StreamEvent | Fault:
    if event.type == "message":
        return malformed("an event has no type")
    if event.type == "response.failed":
        return read_error(failure_of(event.response or Response()))
    if event.type in TERMINAL:
        response = event.response
        if response is not None and (response.error or response.status in FAILED):
            return read_error(failure_of(response))
    return event


def failure_of(response: Response) -> bytes:
    """The error of a failed response in the shape that providers' tables read."""
    error = response.error or {
        "code": "server_error",
        "message": f"the response ended as {response.status or 'failed'} without an error",
    }
    return msgspec.json.encode({"error": error})


def follows(number: int | None, last: int) -> bool:
    """Whether a sequence number may come after `last`, the highest so far (-1: none).

    Servers that do not count (no number, or always the same 0 or -1) are let off. Of one that
    counts, a gap is a lost event, and with it perhaps a piece of the text.
    """
    return number is None or last <= 0 or number == last + 1


def tail_fault(pending: bytes, read_error: ReadError) -> Fault:
    """The fault of a stream that closed too early; `pending` are the bytes of its last event.

    They may tell more than that it is short: an error that its server did not close with an empty
    line, or a page of HTML where a stream was promised.
    """
    rest = pending.strip()
    if rest[:1] == b"<":
        return malformed("not an event stream")
    read = read_event(rest + b"\n\n", read_error) if rest else None
    if isinstance(read, Fault) and read.kind not in {Kind.MALFORMED, Kind.TRUNCATED}:
        return read
    return truncated_fault("the stream closed before the response was whole")


def malformed(message: str, scope: Scope = Scope.PROVIDER) -> Fault:
    """The provider did not speak the dialect."""
    return Fault(kind=Kind.MALFORMED, scope=scope, status=200, message=message)
