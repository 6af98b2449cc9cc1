"""Small parts of HTTP/1.1 that both sides of the relay share."""

from __future__ import annotations

from http import HTTPStatus
from typing import Protocol

import msgspec

from understudy.core.settings import Caller

__all__ = [
    "STATUS_LINES",
    "Incoming",
    "Origin",
    "OverLimit",
    "Refusal",
    "Responder",
    "status_line",
]

#: Status → its line.
STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


def status_line(status: int) -> bytes:
    """`HTTP/1.1 503 Service Unavailable` and its line end; vendors' own statuses (529) too."""
    known = STATUS_LINES.get(status)
    return known if known is not None else b"HTTP/1.1 %d Error\r\n" % status


class Origin(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """Where connections go: a host name or address literal, and whether TLS is spoken there."""

    host: str
    port: int
    tls: bool


class Refusal(Exception):  # noqa: N818 - an answer, not an error of ours
    """A request is turned away before any attempt.

    `code` is for programs, `message` says what is wrong and what would be right, `param` is the
    path of the field in the body, `allow` the methods that the path has (for 405), `retry_after`
    the seconds after which it may be taken, `job` the path of the job that it is about.
    """

    #: The kind of error (`understudy.dialects.base.ErrorView`) where the status does not tell it.
    kind: str | None = None
    #: Further header lines.
    lines = ""
    #: To ask the same again after `retry_after` is right.
    again = False

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        allow: str | None = None,
        retry_after: float | None = None,
        job: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.allow = allow
        self.retry_after = retry_after
        self.job = job


class OverLimit(Refusal):
    """A caller or a tenant has used up what it may use.

    `kind` is what the dialect calls that, `lines` tell what is left.
    """

    again = True

    def __init__(self, code: str, message: str, *, kind: str, wait: int, lines: str) -> None:
        super().__init__(429, code, message, retry_after=wait)
        self.kind = kind
        self.lines = lines


class Incoming(msgspec.Struct, kw_only=True, gc=False):
    """One whole request of a caller's, authenticated.

    `headers` are the ones that we know, `own` those that begin with x-understudy-, names in lower
    case. `arrived` is on the loop's clock. `caller` is None where keys are not asked for.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    own: dict[str, str]
    body: bytes
    caller: Caller | None
    arrived: float
    #: What is asked for, where it is a dialect's (`understudy.relay.runtime.DIALECTS`).
    operation: str | None = None
    #: HTTP/1.1 knows chunks; 1.0 does not.
    chunks: bool = True
    keep_alive: bool = True


class Responder(Protocol):
    """The caller's side of one response: `respond`ed whole, or begun, sent in pieces and ended."""

    #: The caller does not keep up: hold back what can be held back.
    paused: bool

    def respond(self, status: int, headers: bytes, body: bytes) -> None:
        """A whole response. `headers` are ready lines; length and connection are added."""
        ...

    def begin(self, status: int, headers: bytes) -> None:
        """The head of a streamed response."""
        ...

    def send(self, data: bytes) -> None:
        """A piece of a streamed response, never empty."""
        ...

    def end(self) -> None:
        """The streamed response is whole."""
        ...

    def cut(self) -> None:
        """End without the closing chunk: the caller must see that something is missing."""
        ...
