"""The board over HTTP, below `/mock/`. For loopback: whoever can reach it may turn every knob."""

from __future__ import annotations

import msgspec

from understudy.mock import wire
from understudy.mock.board import Attempt, Board
from understudy.mock.capacity import Capacity
from understudy.mock.catalogue import CATALOGUE, CatalogueEntry
from understudy.mock.http import HttpRequest
from understudy.mock.limits import Limit
from understudy.mock.pace import Pace
from understudy.mock.rules import FaultRule
from understudy.mock.script import Script

__all__ = ["Admin"]

_ENCODER = msgspec.json.Encoder()
_RULES = msgspec.json.Decoder(list[FaultRule])
_PACE = msgspec.json.Decoder(Pace)
_LIMITS = msgspec.json.Decoder(list[Limit])
_CAPACITY = msgspec.json.Decoder(Capacity | None)


class _Keys(msgspec.Struct, forbid_unknown_fields=True):
    revoked: list[str]


_KEYS = msgspec.json.Decoder(_Keys)


class Admin:
    """Answers admin calls."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def __call__(self, request: HttpRequest) -> Script:
        """The script for one call: 200 with JSON, 204, 400, 404 or 405."""
        try:
            status, told = self._called(request)
        except (msgspec.DecodeError, ValueError) as error:
            status, told = 400, {"error": str(error)}
        body = b"" if status == 204 else _ENCODER.encode(told)
        headers = [("content-type", "application/json")] if body else []
        if status != 204:
            headers.append(("content-length", str(len(body))))
        if not request.keep_alive:
            headers.append(("connection", "close"))
        yield wire.head(status, tuple(headers)) + body

    def _called(self, request: HttpRequest) -> tuple[int, object]:
        noun = request.path.removeprefix("/mock/")
        verbs = {
            "faults": ("GET", "PUT", "DELETE"),
            "attempts": ("GET", "DELETE"),
            "pace": ("GET", "PUT"),
            "keys": ("GET", "PUT"),
            "limits": ("GET", "PUT"),
            "capacity": ("GET", "PUT"),
            "catalogue": ("GET",),
        }.get(noun)
        if verbs is None:
            return 404, {"error": f"no {request.path}"}
        if request.method not in verbs:
            return 405, {"error": f"{request.path} takes {', '.join(verbs)}"}
        if request.method == "GET":
            return 200, self._shown(noun, request.query)
        if request.method == "PUT":
            self._put(noun, request.body)
            return 200, self._shown(noun, "")
        if noun == "faults":
            self._board.delete_faults()
        else:
            self._board.delete_attempts()
        return 204, None

    def _put(self, noun: str, body: bytes) -> None:
        match noun:
            case "faults":
                self._board.put_faults(_RULES.decode(body))
            case "pace":
                self._board.put_pace(_PACE.decode(body))
            case "limits":
                self._board.put_limits(_LIMITS.decode(body))
            case "capacity":
                self._board.put_capacity(_CAPACITY.decode(body))
            case _:
                self._board.put_revoked(_KEYS.decode(body).revoked)

    def _shown(self, noun: str, query: str) -> object:
        board = self._board
        match noun:
            case "keys":
                return _Keys(sorted(board.revoked))
            case "catalogue":
                return [_described(entry) for entry in CATALOGUE.values()]
            case "attempts":
                bodies = board.keep_bodies and "bodies=1" in query.split("&")
                return [_told(attempt, bodies=bodies) for attempt in board.attempts]
            case _:
                held: object = getattr(board, noun)
                return held


def _told(attempt: Attempt, *, bodies: bool) -> dict[str, object]:
    told = msgspec.structs.asdict(attempt)
    body = told.pop("body")
    if bodies and isinstance(body, bytes):
        told["body"] = body.decode("utf-8", "replace")
    return told


def _described(entry: CatalogueEntry) -> dict[str, object]:
    told = msgspec.structs.asdict(entry)
    for private in ("play", "alter", "anthropic", "openai", "responses"):
        del told[private]
    return told
