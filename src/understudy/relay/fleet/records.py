"""The journal of the other processes: what became of a request that one of them served.

Each remembers its own requests. Whoever is asked for one that it doesn't know asks the others by a
word; the one that remembers it looks whether it is the caller's own, and answers in as many words
as the record takes. Nobody answers that he knows nothing: after a second the request is unknown.
"""

from __future__ import annotations

import zlib
from itertools import count
from typing import TYPE_CHECKING, Final

import msgspec

from understudy.core.outcomes import Record
from understudy.relay.http import Incoming, Refusal, Responder
from understudy.services.journal import record_view

if TYPE_CHECKING:
    from understudy.relay.relay import Relay

__all__ = ["Records"]

ASKED_TOPIC: Final = "record-asked"
TOLD_TOPIC: Final = "record-told"
#: Seconds that the others have to answer.
ANSWER_SECONDS: Final = 1.0
#: Questions under way at once: each goes to every process. More are told that nobody knows.
AT_ONCE: Final = 32
#: Bytes of a record in one word, and words that one may take.
PIECE_BYTES: Final = 4_000
MOST_PIECES: Final = 32
#: What no record is longer than, unpacked.
MOST_BYTES: Final = 1 << 22
_JSON: Final = "content-type: application/json\r\n"


class _Question(msgspec.Struct, frozen=True):
    """Who remembers this request of this caller's?"""

    number: int
    id: str
    caller: str | None


class _Piece(msgspec.Struct, frozen=True):
    """A part of an answer."""

    to: str
    number: int
    part: int
    parts: int
    data: bytes


_ENCODER: Final = msgspec.json.Encoder()
_QUESTION: Final = msgspec.json.Decoder(_Question)
_PIECE: Final = msgspec.json.Decoder(_Piece)


class Records:
    """Asks for other processes' records, and tells of one's own.

    Args:
        relay: whose journal it is.
    """

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._numbers = count()
        self._open: dict[int, Inquiry] = {}
        relay.fleet.on(ASKED_TOPIC, self._asked)
        relay.fleet.on(TOLD_TOPIC, self._told)

    def own(self, request: Incoming, request_id: str) -> Record:
        """A record that is remembered here, and is the caller's own.

        Raises:
            Refusal: there is none.
        """
        record = self._relay.journal.find(request_id)
        if record is None or record.caller != _caller(request):
            raise Refusal(
                404, "request_not_found", "No request of yours with this id is remembered."
            )
        return record

    def may_be_elsewhere(self, request_id: str) -> bool:
        """Nothing is known of the request here, and there are others to ask."""
        fleet = self._relay.fleet
        return (
            fleet.is_up
            and fleet.processes > 1
            and len(self._open) < AT_ONCE
            and self._relay.journal.find(request_id) is None
        )

    def ask(self, request: Incoming, request_id: str, responder: Responder) -> Inquiry:
        """Answer a caller by what the others know."""
        number = next(self._numbers)
        inquiry = self._open[number] = Inquiry(responder)
        question = _Question(number, request_id, _caller(request))
        self._relay.fleet.tell(ASKED_TOPIC, _ENCODER.encode(question))
        self._relay.call_later(ANSWER_SECONDS, lambda: self._give_up(number, request, request_id))
        return inquiry

    def _give_up(self, number: int, request: Incoming, request_id: str) -> None:
        inquiry = self._open.pop(number, None)
        if inquiry is None or inquiry.is_over:
            return
        try:
            view = record_view(self.own(request, request_id))
        except Refusal as refusal:
            self._relay.turn_away(request, refusal, inquiry.responder)
        else:
            self._respond(inquiry, _ENCODER.encode(view))

    def _asked(self, sender: str, body: bytes) -> None:
        try:
            question = _QUESTION.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        record = self._relay.journal.find(question.id)
        if record is None or record.caller != question.caller:
            return
        packed = zlib.compress(_ENCODER.encode(record_view(record)))
        pieces = [packed[at : at + PIECE_BYTES] for at in range(0, len(packed), PIECE_BYTES)]
        if len(pieces) <= MOST_PIECES:
            for part, data in enumerate(pieces):
                piece = _Piece(sender, question.number, part, len(pieces), data)
                self._relay.fleet.tell(TOLD_TOPIC, _ENCODER.encode(piece))

    def _told(self, sender: str, body: bytes) -> None:
        try:
            piece = _PIECE.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        inquiry = self._open.get(piece.number)
        if piece.to != self._relay.fleet.name or inquiry is None:
            return
        inquiry.pieces[piece.part] = piece.data
        if len(inquiry.pieces) < piece.parts:
            return
        try:
            packed = b"".join(inquiry.pieces[part] for part in range(piece.parts))
            view = zlib.decompressobj().decompress(packed, MOST_BYTES)
        except (KeyError, zlib.error):
            return
        del self._open[piece.number]
        if not inquiry.is_over:
            self._respond(inquiry, view)

    def _respond(self, inquiry: Inquiry, view: bytes) -> None:
        inquiry.responder.respond(200, self._relay.plain_head(_JSON), view)


class Inquiry:
    """A caller who waits for it: see `understudy.relay.server.Running`.

    Args:
        responder: the caller's connection.
    """

    def __init__(self, responder: Responder) -> None:
        self.responder = responder
        self.pieces: dict[int, bytes] = {}
        self.is_over = False

    def gone(self) -> None:
        """The caller has left."""
        self.is_over = True

    def pause(self) -> None:
        """There is nothing to hold back."""

    def resume(self) -> None:
        """There is nothing to go on with."""


def _caller(request: Incoming) -> str | None:
    return request.caller.name if request.caller is not None else None
