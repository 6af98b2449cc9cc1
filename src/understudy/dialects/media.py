"""Images, files and cache marks as OpenAI's dialects give them, in the core's words."""

from __future__ import annotations

import base64
import binascii

import msgspec

from understudy.core.conversation import BadRequestError, Document, Image

__all__ = ["breakpoint_cache", "read_document", "read_image"]

_EPHEMERAL = msgspec.Raw(b'{"type":"ephemeral"}')
_EPHEMERAL_LONG = msgspec.Raw(b'{"type":"ephemeral","ttl":"1h"}')
_WEB = ("http://", "https://")


def breakpoint_cache(ttl: str | None) -> msgspec.Raw:
    """`prompt_cache_breakpoint` of this `ttl` as Anthropic's `cache_control`: it means the same."""
    return _EPHEMERAL_LONG if ttl == "12h" else _EPHEMERAL


def read_image(url: str, detail: str | None, cache: msgspec.Raw | None, path: str) -> Image:
    """An image by its URL, or in a data URL.

    Raises:
        BadRequestError: neither; `path` is where it stands.
    """
    if url.startswith("data:"):
        media_type, data = _data_url(url, path)
        return Image(data=data, media_type=media_type, detail=detail, cache=cache)
    if url.startswith(_WEB):
        return Image(url=url, detail=detail, cache=cache)
    raise BadRequestError(path, "Expected an http(s) URL or `data:<media type>;base64,<data>`")


def read_document(
    data: str | None, title: str | None, cache: msgspec.Raw | None, path: str
) -> Document:
    """A file by its `file_data`: a data URL, or bare base64, which then is a PDF.

    Raises:
        BadRequestError: absent or unreadable; `path` is where it stands.
    """
    if not data:
        raise BadRequestError(path, "Field required")
    media_type = "application/pdf"
    if data.startswith("data:"):
        media_type, data = _data_url(data, path)
    if media_type.startswith("text/"):
        try:
            text = base64.b64decode(data, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise BadRequestError(path, "Expected base64 of UTF-8 text") from None
        return Document(text=text, media_type=media_type, title=title, cache=cache)
    return Document(data=data, media_type=media_type, title=title, cache=cache)


def _data_url(url: str, path: str) -> tuple[str, str]:
    """(media type, base64) of a data URL (RFC 2397)."""
    head, comma, data = url.removeprefix("data:").partition(",")
    if not comma or not data or not head.endswith(";base64"):
        raise BadRequestError(path, "Expected `data:<media type>;base64,<data>`")
    return head.partition(";")[0].lower(), data
