"""HTTP/1.1 as bytes: heads and chunks (RFC 9112)."""

from __future__ import annotations

import http

from understudy.mock.reply import Headers

__all__ = ["LAST_CHUNK", "chunk", "head", "status_of"]

LAST_CHUNK = b"0\r\n\r\n"

_REASONS = {int(status): status.phrase for status in http.HTTPStatus} | {
    # https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/
    520: "Web Server Returned an Unknown Error",
    521: "Web Server Is Down",
    522: "Connection Timed Out",
    523: "Origin Is Unreachable",
    524: "A Timeout Occurred",
    525: "SSL Handshake Failed",
    526: "Invalid SSL Certificate",
    529: "Site is overloaded",
    530: "Site Frozen",
}


def head(status: int, headers: Headers) -> bytes:
    """A status line and headers, with the empty line that ends them."""
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def status_of(data: bytes) -> int | None:
    """The status of a response that begins with `data`; None where it is no response, or 1xx."""
    if not data.startswith(b"HTTP/1.1 ") or data[9:10] == b"1":
        return None
    return int(data[9:12])
