"""What stood in a messages stream when it closed without its terminal signal."""

from __future__ import annotations

import msgspec

from understudy.core.faults import Fault
from understudy.dialects.base import ReadError, truncated_fault
from understudy.dialects.messages.shapes import ErrorShape
from understudy.dialects.messages.tally import malformed
from understudy.dialects.sse import parse_event

__all__ = ["UNREADABLE", "tail_fault"]

#: What a decode may raise on bytes of any kind; UnicodeDecodeError is a ValueError.
UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)


_ERROR = msgspec.json.Decoder(ErrorShape)


def tail_fault(pending: bytes, read_error: ReadError) -> Fault:
    """The fault of a stream that closed too early; `pending` are the bytes of its last event.

    They may tell more than that it is short: an error event that its server did not close with an
    empty line, the bare JSON of an error, or a page of HTML where a stream was promised.
    """
    rest = pending.strip()
    if rest[:1] == b"<":
        return malformed("not an event stream")
    data = rest if rest[:1] == b"{" else parse_event(rest + b"\n\n").data
    if data is not None:
        try:
            tail = _ERROR.decode(data)
        except UNREADABLE:
            return truncated_fault("the stream ended inside an event")
        if tail.type == "error" or (tail.error and not tail.type):
            return read_error(data)
    return truncated_fault("the stream ended before message_stop")
