"""Faults for incidents as the relay would read them: the stand-in's own replies through the
providers' tables, and connections that are lost in the ways in which sockets lose them.
"""

from __future__ import annotations

import errno
import socket
from functools import cache

from understudy.core.faults import Fault, FaultError, Kind, Scope
from understudy.dialects.base import empty_fault, truncated_fault
from understudy.dialects.chat_completions import CHAT_COMPLETIONS
from understudy.dialects.messages import MESSAGES
from understudy.mock import CATALOGUE, Pace, Where
from understudy.mock import dialect as spoken
from understudy.mock.faults.scene import Scene
from understudy.mock.reply import Reply as Answer
from understudy.providers.base import Reply
from understudy.providers.registry import MANNERS
from understudy.providers.transport import transport_fault
from understudy.relay.attempt import misfit

__all__ = ["DIALECT_OF", "OURS", "lost", "said"]

#: Kind of provider → the dialect in which it is asked.
DIALECT_OF = {
    "anthropic": "messages",
    "openai": "chat_completions",
    "openai-compatible": "chat_completions",
}
_SPOKEN = {"messages": spoken.MESSAGES, "chat_completions": spoken.CHAT}
_READ = {"messages": MESSAGES, "chat_completions": CHAT_COMPLETIONS}
#: 15 November 2026, 12:00 UTC.
_WALL = 1_794_744_000.0
_NOTHING = Answer(status=200, headers=(), frames=())


@cache
def said(name: str, kind: str, model: str = "some-model") -> Fault:
    """What the catalogue's entry of that name, from a provider of that kind, is read as.

    Entries that are seen in an answer's content only are read where the relay does: by the dialect.
    """
    dialect = DIALECT_OF[kind]
    if name == "empty_answer":
        return empty_fault()
    if name == "no_terminal":
        return truncated_fault("the stream ended without its terminal signal")
    if name == "malformed_event":
        return _garbled(dialect)
    entry = CATALOGUE[name]
    scene = Scene(
        reply=_NOTHING,
        dialect=_SPOKEN[dialect],
        where=Where.BEFORE_HEADERS,
        args=entry.defaults,
        pace=Pace(),
        request_id="req_1",
        model=model,
        now=_WALL,
        error=entry.error_in(dialect),
    )
    written = b"".join(step for step in entry.play(scene) if isinstance(step, bytes))
    head, _, body = written.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    reply = Reply(status=int(first.split()[1]), headers=headers, body=body, now=_WALL)
    return MANNERS[kind].read_fault(reply)


def _garbled(dialect: str) -> Fault:
    try:
        _READ[dialect].parse_answer(b'{"cho')
    except FaultError as error:
        return error.fault
    raise AssertionError("garbage was taken for an answer")


_LOST = {
    "name_not_found": ("dns", lambda: socket.gaierror(-2, "Name or service not known")),
    "resolver_silent": ("dns", lambda: socket.gaierror(-3, "Temporary failure in name resolution")),
    "resolver_slow": ("dns", TimeoutError),
    "refused": ("connect", lambda: ConnectionRefusedError(errno.ECONNREFUSED, "")),
    "connect_timeout": ("connect", TimeoutError),
    "no_route": ("connect", lambda: OSError(errno.EHOSTUNREACH, "")),
    "no_network": ("connect", lambda: OSError(errno.ENETUNREACH, "")),
    "reset": ("head", lambda: ConnectionResetError(errno.ECONNRESET, "")),
    "closed": ("body", lambda: None),
}


@cache
def lost(name: str) -> Fault:
    """The fault of a connection that is lost in that way."""
    stage, make = _LOST[name]
    return transport_fault(stage, make())


#: What Understudy itself decides: nothing came in time (`understudy.policy.run`), a bug of ours, a
#: request that cannot be read to be translated (`understudy.relay.exchange`).
OURS = {
    "too_slow": Fault(
        kind=Kind.SLOW,
        scope=Scope.MODEL,
        code="first_token_timeout",
        message="no content within 10.0 s",
    ),
    "blunder": Fault(
        kind=Kind.INTERNAL,
        scope=Scope.OURSELVES,
        code="KeyError",
        message="translating the request",
    ),
    "unread": misfit(Kind.CALLER, "invalid_request", "messages: Field required"),
}
