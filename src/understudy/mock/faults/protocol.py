"""Faults of HTTP and of what stands between: edges, proxies, servers that answer otherwise."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import msgspec

from understudy.mock import wire
from understudy.mock.faults.entry import CatalogueEntry
from understudy.mock.faults.scene import Args, Scene
from understudy.mock.reply import Headers, Where
from understudy.mock.script import Act, Script

__all__ = ["ENTRIES"]

_ENCODER = msgspec.json.Encoder()
_HTML = "text/html; charset=UTF-8"
_EDGE: Headers = (("server", "cloudflare"), ("cf-ray", "9f1c2d3e4a5b6c7d-FRA"))
_DOCS = (
    "https://developers.cloudflare.com/support/troubleshooting/http-status-codes/"
    "cloudflare-5xx-errors/error-522/"
)
#: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
_METADATA = "http://169.254.169.254/latest/meta-data/iam/security-credentials/"


def _page(title: str, text: str) -> bytes:
    return (
        f'<!DOCTYPE html>\n<html lang="en-US">\n<head><title>{title}</title></head>\n'
        f"<body><h1>{title}</h1><p>{text}</p></body>\n</html>\n"
    ).encode()


def _edge_page(status: int, title: str) -> CatalogueEntry:
    body = _page(f"api.example.com | {status}: {title}", "Cloudflare could not reach the host.")

    def play(scene: Scene) -> Script:
        yield from scene.instead(status, body, _HTML, _EDGE)

    return CatalogueEntry(
        name=f"edge_{status}",
        summary=f"The edge answers {status} ({title.lower()}) with a page of HTML.",
        play=play,
    )


def _responds(
    status: int, body: bytes, content_type: str | None, add: Headers = ()
) -> Callable[[Scene], Script]:
    def play(scene: Scene) -> Script:
        yield from scene.instead(status, body, content_type, add)

    return play


def _edge_problem(scene: Scene) -> Script:
    seconds = int(scene.args.seconds or 0)
    body = {
        "type": _DOCS,
        "title": "Error 522: Connection timed out",
        "status": 522,
        "detail": "The edge could not establish a TCP connection to the origin server.",
        "error_code": 522,
        "error_name": "connection_timeout",
        "error_category": "origin",
        "zone": "api.example.com",
        "cloudflare_error": True,
        "retryable": True,
        "retry_after": seconds,
        "owner_action_required": True,
    }
    yield from scene.instead(522, _ENCODER.encode(body), "application/json", _EDGE)


def _gzip_unasked(scene: Scene) -> Script:
    scene.produced()
    packed = gzip.compress(scene.reply.body, mtime=0)
    yield from scene.instead(
        scene.reply.status, packed, dict(scene.reply.headers).get("content-type"), _GZIP
    )


_GZIP: Headers = (("content-encoding", "gzip"),)


def _gzip_bomb(scene: Scene) -> Script:
    """`size` bytes of spaces around nothing, in a thousandth of that."""
    packed = gzip.compress(b" " * (scene.args.size or 0), compresslevel=6, mtime=0)
    yield from scene.instead(200, packed, "application/json", _GZIP)


def _wrong_content_type(scene: Scene) -> Script:
    yield from scene.whole(scene.head(add=(("content-type", "application/octet-stream"),)))


def _interim(scene: Scene) -> Script:
    yield wire.head(103, (("link", "</v1>; rel=preconnect"),))
    yield from scene.whole()


def _trailers(scene: Scene) -> Script:
    """A chunked body, streamed or not, with a trailer after it (RFC 9112 §7.1.2)."""
    add = (("transfer-encoding", "chunked"), ("trailer", "x-mock-trailer"))
    yield from scene.opening(scene.head(add=add, drop=("content-length",)))
    for step in scene.body(scene.reply.frames):
        chunked = isinstance(step, bytes) and not scene.reply.streamed
        yield wire.chunk(step) if chunked and isinstance(step, bytes) else step
    yield b"0\r\nx-mock-trailer: seen\r\n\r\n"


def _close_delimited(scene: Scene) -> Script:
    """Neither a length nor chunks: the end of the connection ends the body (RFC 9112 §6.3)."""
    head = scene.head(add=(("connection", "close"),), drop=("content-length", "transfer-encoding"))
    yield from scene.opening(head)
    yield scene.all_sent()
    yield Act.CLOSE


def _idle_close(scene: Scene) -> Script:
    """A whole answer that promises to keep the connection, and a close that nobody announced."""
    yield from scene.whole()
    yield Act.CLOSE


def _not_http(scene: Scene) -> Script:
    yield b"SSH-2.0-OpenSSH_9.6\r\n"
    yield Act.CLOSE


def _conflicting_lengths(scene: Scene) -> Script:
    """A length and chunks at once, which RFC 9112 §6.1 has a client treat as an attack."""
    add = (("transfer-encoding", "chunked"), ("content-length", "5"))
    yield from scene.opening(scene.head(add=add))
    yield wire.chunk(scene.all_sent())
    yield wire.LAST_CHUNK
    yield Act.CLOSE


def _oversized_header(scene: Scene) -> Script:
    yield from scene.whole(scene.head(add=(("x-filler", "x" * (scene.args.size or 0)),)))


def _garbage_limits(scene: Scene) -> Script:
    garbage = ("-1", "0", "soon", "", "1e999", "NaN", "٣", "6m0s6m", "2026-13-45T99:99:99Z")
    limits = [name for name, _ in scene.reply.headers if "ratelimit" in name]
    add = tuple((name, garbage[i % len(garbage)]) for i, name in enumerate(limits))
    told = tuple((name, value.encode().decode("latin-1")) for name, value in add)
    yield from scene.whole(scene.head(add=told))


_PAGES = tuple(
    _edge_page(status, title)
    for status, title in (
        (502, "Bad gateway"),
        (520, "Web server is returning an unknown error"),
        (521, "Web server is down"),
        (522, "Connection timed out"),
        (523, "Origin is unreachable"),
        (524, "A timeout occurred"),
        (525, "SSL handshake failed"),
        (526, "Invalid SSL certificate"),
        (530, "Origin DNS error"),
    )
)

ENTRIES = (
    *_PAGES,
    CatalogueEntry(
        name="edge_problem",
        summary="The edge answers 522 with a JSON problem that asks to wait `seconds`.",
        defaults=Args(seconds=120),
        argument="seconds",
        play=_edge_problem,
    ),
    CatalogueEntry(
        name="edge_520_empty",
        summary="The edge answers 520 without a body.",
        play=_responds(520, b"", None, _EDGE),
    ),
    CatalogueEntry(
        name="challenge_403",
        summary="The edge answers 403 with its challenge page (Just a moment…).",
        play=_responds(
            403,
            _page("Just a moment...", "Enable JavaScript and cookies to continue"),
            _HTML,
            (*_EDGE, ("cf-mitigated", "challenge")),
        ),
    ),
    CatalogueEntry(
        name="request_too_large_edge",
        summary="The edge answers 413 with HTML, before the API has seen the request.",
        play=_responds(413, _page("413 Request Entity Too Large", "cloudflare"), _HTML, _EDGE),
    ),
    CatalogueEntry(
        name="redirect_to_metadata",
        summary="302 to a cloud's metadata address: nobody may follow it.",
        play=_responds(302, b"", None, (("location", _METADATA),)),
    ),
    CatalogueEntry(
        name="html_200",
        summary="200 with a page of HTML.",
        play=_responds(200, _page("Sign in", "Please sign in to the network."), _HTML),
    ),
    CatalogueEntry(
        name="empty_200",
        summary="200 without a body.",
        play=_responds(200, b"", "application/json"),
    ),
    CatalogueEntry(
        name="wrong_body_200",
        summary="200 with JSON that is no answer, as some local servers give for an unknown route.",
        play=_responds(
            200, b'{"error":"Unexpected endpoint or method. Returning 200 anyway"}',
            "application/json",
        ),
    ),
    CatalogueEntry(
        name="wrong_content_type",
        summary="The right answer as application/octet-stream.",
        play=_wrong_content_type,
    ),
    CatalogueEntry(
        name="gzip_unasked",
        summary="The answer in gzip, although nobody said that they read it.",
        play=_gzip_unasked,
    ),
    CatalogueEntry(
        name="gzip_bomb",
        summary="A body in gzip that unpacks to `size` bytes.",
        defaults=Args(size=16 * 1024 * 1024),
        argument="size",
        play=_gzip_bomb,
    ),
    CatalogueEntry(
        name="not_http",
        summary="What comes back is not HTTP.",
        play=_not_http,
    ),
    CatalogueEntry(
        name="conflicting_lengths",
        summary="A content length and chunks in one response.",
        play=_conflicting_lengths,
    ),
    CatalogueEntry(
        name="oversized_header",
        summary="A header of `size` bytes.",
        defaults=Args(size=256 * 1024),
        argument="size",
        play=_oversized_header,
    ),
    CatalogueEntry(
        name="garbage_limits",
        summary="A right answer whose rate-limit headers make no sense.",
        harmless=True,
        play=_garbage_limits,
    ),
    CatalogueEntry(
        name="interim_response",
        summary="103 Early Hints before the answer.",
        harmless=True,
        play=_interim,
    ),
    CatalogueEntry(
        name="chunked_trailers",
        summary="A chunked body with a trailer after it.",
        harmless=True,
        play=_trailers,
    ),
    CatalogueEntry(
        name="close_delimited",
        summary="A body without length or chunks, ended by the end of the connection.",
        harmless=True,
        play=_close_delimited,
    ),
    CatalogueEntry(
        name="idle_close",
        summary="A whole answer; then the kept connection closes without a word.",
        where=Where.AFTER_CONTENT,
        harmless=True,
        play=_idle_close,
    ),
)  # fmt: skip
