"""What a failed reply shows, gathered from every error shape that providers use. Never raises.

The shapes, and who speaks them:

- `{"type": "error", "error": {"type", "message", "details": {"error_code"}}}`: Anthropic
- `{"error": {"message", "type", "param", "code"}}`: OpenAI and most compatible servers; vLLM,
  OpenRouter and llama.cpp put a number, the HTTP status, into `code`
- `{"object": "error", "message", "type", "code"}`: vLLM before 0.9, SGLang, Mistral
- `{"type": "error", "code", "message"}`: the `error` event of OpenAI's Responses stream
- `{"error": "text"}`: Ollama, LM Studio
- `[{"error": {"code", "message", "status", "details": […]}}]`: Google's compatible endpoint
- `{"cloudflare_error": true, "error_code", "retry_after", …}`, HTML, `error code: 522`: an edge
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from understudy.providers.base import Reply
from understudy.providers.retry_after import from_headers, from_value

__all__ = ["Evidence", "Shape", "of_error", "of_reply"]

#: A body beyond this is not read as JSON: no error is that long.
_LONGEST_BODY = 1 << 20

_EDGE_LINE = re.compile(r"error code: \d{3,4}", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,300})", re.IGNORECASE)

_DECODER = msgspec.json.Decoder()

#: A JSON object as it was decoded.
_Object = dict[str, object]


class Shape(StrEnum):
    """What a body looks like."""

    #: An error in one of the shapes above, written by the provider's own software.
    ENVELOPE = "envelope"
    #: JSON that names no error.
    JSON = "json"
    #: Written by something in front of the provider: HTML, Cloudflare's JSON or its error line.
    EDGE = "edge"
    TEXT = "text"
    EMPTY = "empty"


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that rules may judge by. `codes` are the provider's words for it, most exact first.

    `status` is the HTTP status; under a 2xx, where an error names a status itself, it is that one.
    `retry_after` is in seconds.
    """

    status: int
    shape: Shape
    type: str | None = None
    codes: tuple[str, ...] = ()
    message: str = ""
    retry_after: float | None = None


def of_reply(reply: Reply) -> Evidence:
    """The evidence of a whole reply."""
    hint = from_headers(reply.headers, reply.now)
    text = reply.body[:_LONGEST_BODY].decode("utf-8", "replace").strip().lstrip("\ufeff")
    if not text:
        return Evidence(status=reply.status, shape=Shape.EMPTY, retry_after=hint)
    if _is_page(text, reply):
        title = _TITLE.search(text[:20_000])
        message = title.group(1) if title else (text if _EDGE_LINE.fullmatch(text) else "")
        return Evidence(status=reply.status, shape=Shape.EDGE, message=message, retry_after=hint)
    value = _first(_decode(text))
    # What came under a success may be an answer: nothing of it is repeated.
    failed = reply.status >= 400
    if not isinstance(value, dict):
        shape = Shape.TEXT if value is None else Shape.JSON
        words = text[:200] if failed and shape is Shape.TEXT else ""
        return Evidence(status=reply.status, shape=shape, message=words, retry_after=hint)
    if value.get("cloudflare_error"):
        return _of_cloudflare(value, reply.status, hint)
    error = _error_in(value, loosely=failed)
    if error is None:
        words = _plain_words(value) if failed else ""
        return Evidence(status=reply.status, shape=Shape.JSON, message=words, retry_after=hint)
    return _of_error_object(error, value, reply.status, hint)


def of_error(data: bytes) -> Evidence:
    """The evidence of an error that came under a 200: the whole event or body, or its `error`."""
    text = data[:_LONGEST_BODY].decode("utf-8", "replace")
    value = _first(_decode(text))
    if isinstance(value, str):
        return Evidence(status=200, shape=Shape.ENVELOPE, message=value)
    if not isinstance(value, dict):
        return Evidence(status=200, shape=Shape.TEXT if text.strip() else Shape.EMPTY)
    error = _error_in(value, loosely=True)
    return _of_error_object(value if error is None else error, value, 200, None)


def _of_error_object(
    error: _Object | str, around: _Object, status: int, hint: float | None
) -> Evidence:
    if isinstance(error, str):
        words = _text(around, "message", "detail")
        return Evidence(
            status=status,
            shape=Shape.ENVELOPE,
            codes=(error,) if words else (),
            message=words or error,
            retry_after=hint if hint is not None else from_value(around.get("retry_after")),
        )
    code, named = error.get("code"), _status_in(error.get("code"))
    entries = _entries(error.get("details"))
    codes = [*(_text(entry, "error_code", "reason") for entry in entries)]
    if isinstance(code, str) and named is None:
        codes.append(code)
    kind = _text(error, "type", "status")
    places = [error.get("retry_after"), around.get("retry_after")]
    for place in (*places, *(entry.get("retryDelay") for entry in entries)):
        hint = from_value(place) if hint is None else hint
    return Evidence(
        status=named if named is not None and 200 <= status < 300 else status,
        shape=Shape.ENVELOPE,
        type=kind if kind and kind != "error" else None,
        codes=tuple(c for c in codes if c),
        message=_text(error, "message", "detail"),
        retry_after=hint,
    )


def _entries(details: object) -> list[_Object]:
    """Anthropic's `details` is an object, Google's is a list of them."""
    listed = details if isinstance(details, list) else [details]
    return [entry for entry in listed if isinstance(entry, dict)]


def _of_cloudflare(value: _Object, status: int, hint: float | None) -> Evidence:
    return Evidence(
        status=status,
        shape=Shape.EDGE,
        codes=tuple(str(c) for c in (value.get("error_code"),) if isinstance(c, int | str)),
        message=_text(value, "title", "detail", "error_name"),
        retry_after=hint if hint is not None else from_value(value.get("retry_after")),
    )


def _error_in(value: _Object, *, loosely: bool) -> _Object | str | None:
    """The error that a JSON object holds or is; `loosely` also by its looks alone."""
    error = value.get("error")
    if isinstance(error, dict | str) and error:
        return error
    if value.get("object") == "error" or value.get("type") == "error":
        return value
    looks = isinstance(value.get("message"), str) and ("type" in value or "code" in value)
    return value if loosely and looks else None


def _plain_words(value: _Object) -> str:
    """FastAPI's `detail` (text, or a list of what was wrong), or what API gateways write."""
    detail = _first(value.get("detail"))
    listed = _text(detail, "msg") if isinstance(detail, dict) else ""
    return listed or _text(value, "message", "detail", "title")


def _is_page(text: str, reply: Reply) -> bool:
    if text[0] in '{["':
        return False
    return (
        text[0] == "<"
        or "cf-mitigated" in reply.headers
        or "html" in reply.headers.get("content-type", "").lower()
        or _EDGE_LINE.fullmatch(text) is not None
    )


def _decode(text: str) -> object:
    try:
        return _DECODER.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def _first(value: object) -> object:
    return value[0] if isinstance(value, list) and value else value


def _status_in(code: object) -> int | None:
    """The HTTP status that a `code` is, as a number or its digits."""
    if isinstance(code, str) and len(code) == 3 and code.isascii() and code.isdigit():
        code = int(code)
    return code if isinstance(code, int) and 400 <= code < 600 else None


def _text(value: _Object, *names: str) -> str:
    """The first of these fields that holds some text, else an empty one."""
    for name in names:
        found = value.get(name)
        if isinstance(found, str) and found:
            return found
    return ""
