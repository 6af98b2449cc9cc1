"""What a stand-in was asked and what it sent, read as its client would read it."""

from __future__ import annotations

import contextlib
from typing import Any

import httptools
import msgspec

from simulation.sim_answers import Answer, read_stream, read_whole
from understudy.mock.board import Attempt

__all__ = ["Served", "answer_sent", "is_whole", "signalled"]


class Served(msgspec.Struct, kw_only=True):
    """One request as a stand-in met it. `sent`: every byte that its script gave."""

    #: When it came, by the loop's clock.
    at: float
    provider: str
    case: int | None
    attempt: Attempt
    body: bytes
    sent: bytearray = msgspec.field(default_factory=bytearray)


class _Response:
    """The final response in some bytes, as far as they go."""

    def __init__(self, sent: bytes) -> None:
        self.parts: list[bytes] = []
        self.whole = False
        self._parser: Any = httptools.HttpResponseParser(self)
        with contextlib.suppress(httptools.HttpParserError):
            self._parser.feed_data(sent)  # What comes before nonsense counts.
        del self._parser

    def on_body(self, body: bytes) -> None:
        self.parts.append(body)

    def on_message_complete(self) -> None:
        self.whole = self._parser.get_status_code() >= 200


def is_whole(sent: bytes) -> bool:
    """Whether the HTTP message is whole, whatever it says."""
    return _Response(sent).whole


def answer_sent(served: Served) -> Answer:
    """The answer in what was sent, as far as it came, in the dialect of the wire."""
    dialect = served.attempt.dialect or ""
    body = b"".join(_Response(bytes(served.sent)).parts)
    read = read_stream if served.attempt.stream else read_whole
    return read(dialect, body)


def signalled(served: Served) -> bool:
    """Whether the provider said that its answer was whole: with its dialect's last word, or with
    the reason why it ended and nothing left open.
    """
    if served.attempt.fault is None and not served.attempt.client_closed:
        return served.attempt.status == 200
    answer = answer_sent(served)
    return answer.error is None and (answer.ended or answer.stop is not None)
