"""Where a request's head and body begin and end: what llhttp leaves open, bounds, and headers.

llhttp refuses what smuggling is made of: both lengths, repeated lengths, folded headers, bare line
feeds, odd transfer codings. The rest is refused here, by name.
"""

from __future__ import annotations

from types import MappingProxyType

from understudy.relay.http import Incoming, Refusal

__all__ = [
    "KNOWN_HEADERS",
    "MAX_BODY_BYTES",
    "MAX_HEADERS",
    "MAX_HEAD_BYTES",
    "MAX_TARGET_BYTES",
    "OWN_PREFIX",
    "add_header",
    "check_framing",
    "check_length",
    "head_too_large",
    "reason",
    "too_large",
]

#: Anthropic's limit for a Messages request (32 MB), the larger of the two vendors'.
MAX_BODY_BYTES = 32 * 1024 * 1024
MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 100
MAX_TARGET_BYTES = 8 * 1024

#: The headers that the relay reads, by their names in lower case; all others are counted and passed
#: over.
KNOWN_HEADERS = MappingProxyType(
    {
        name.encode(): name
        for name in (
            "accept",
            "anthropic-beta",
            "anthropic-version",
            "authorization",
            "content-encoding",
            "content-length",
            "content-type",
            "expect",
            "idempotency-key",
            "last-event-id",
            "openai-beta",
            "prefer",
            "traceparent",
            "transfer-encoding",
            "x-api-key",
        )
    }
)
#: Headers that say nothing about where a body ends or how it is coded, or only its length.
PLAIN_FRAMING = frozenset(KNOWN_HEADERS.values()) - {"transfer-encoding", "content-encoding"}
#: Headers of our own begin so.
OWN_PREFIX = b"x-understudy-"


def check_framing(request: Incoming, hosts: int, version: str) -> None:
    """What llhttp leaves open (RFC 9112 §2.3, §3.2, §6.1; RFC 9110 §8.4).

    `hosts` counts the Host lines, `version` is the request line's.

    Raises:
        Refusal: 400, 415, 501 or 505.
    """
    headers = request.headers
    if request.chunks and hosts == 1 and PLAIN_FRAMING.issuperset(headers):
        return
    if not request.chunks and version != "1.0":
        raise Refusal(505, "bad_http", "HTTP/1.1 is spoken here.")
    if hosts > 1 or (request.chunks and not hosts):
        raise Refusal(400, "bad_http", "An HTTP/1.1 request carries exactly one Host header.")
    coding = headers.get("transfer-encoding")
    if coding is not None and (coding.lower() != "chunked" or not request.chunks):
        raise Refusal(501, "bad_http", "The only transfer coding here is chunked.")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal(415, "compressed_body", "Send the body without a content-encoding.")


def check_length(headers: dict[str, str]) -> None:
    """A body that says that it is too large is refused before it is sent.

    Raises:
        Refusal: 413.
    """
    if "content-length" in headers and int(headers["content-length"]) > MAX_BODY_BYTES:
        raise too_large()


def add_header(headers: dict[str, str], name: str, value: bytes) -> None:
    """Lines of one name are one list (RFC 9110 §5.3): none of them hides another."""
    text = value.decode("latin-1")
    headers[name] = f"{headers[name]}, {text}" if name in headers else text


def too_large() -> Refusal:
    """The refusal of a body."""
    return Refusal(
        413,
        "request_too_large",
        f"The request's body is larger than {MAX_BODY_BYTES // (1024 * 1024)} MB.",
    )


def head_too_large() -> Refusal:
    """The refusal of a head."""
    return Refusal(
        431,
        "headers_too_large",
        f"More than {MAX_HEADERS} headers, or {MAX_HEAD_BYTES // 1024} KiB of them.",
    )


def reason(error: BaseException) -> str:
    """What the parser says, without a full stop."""
    return str(error).rstrip(".") or type(error).__name__
