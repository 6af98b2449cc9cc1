"""Parts of a message's content, and of what a function gave back, in the core's words."""

from __future__ import annotations

import base64
import binascii

import msgspec

from understudy.core.conversation import BadRequestError, Document, Image, Refusal, Text
from understudy.dialects.fields import known_here_only
from understudy.dialects.responses.shapes import (
    ContentPart,
    FilePart,
    ImagePart,
    OutputTextPart,
    RefusalPart,
    TextPart,
)

__all__ = ["read_part"]

_EPHEMERAL = msgspec.Raw(b'{"type":"ephemeral"}')
_EPHEMERAL_LONG = msgspec.Raw(b'{"type":"ephemeral","ttl":"1h"}')

_WEB = ("http://", "https://")


def read_part(part: ContentPart, path: str) -> Text | Image | Document | Refusal | None:
    """One part; None where it says nothing.

    Raises:
        BadRequestError: it is wrong; `path` is where it stands.
        InexpressibleError: a file that was uploaded to one provider.
    """
    match part:
        case TextPart():
            return Text(text=part.text, cache=_cache_of(part)) if part.text else None
        case OutputTextPart():
            return Text(text=part.text) if part.text else None
        case RefusalPart():
            return Refusal(text=part.refusal) if part.refusal else None
        case ImagePart():
            return _image(part, path)
        case FilePart():
            return _document(part, path)


def _cache_of(part: TextPart | ImagePart | FilePart) -> msgspec.Raw | None:
    """A part's cache mark as Anthropic's `cache_control`, which means the same."""
    mark = part.prompt_cache_breakpoint
    if mark is None:
        return None
    return _EPHEMERAL_LONG if mark.ttl == "12h" else _EPHEMERAL


def _image(part: ImagePart, path: str) -> Image:
    if part.file_id:
        raise known_here_only(f"{path}.file_id", "a file uploaded to one provider")
    at = f"{path}.image_url"
    if not part.image_url:
        raise BadRequestError(at, "Field required")
    detail, cache = part.detail, _cache_of(part)
    if part.image_url.startswith("data:"):
        media_type, data = _data_url(part.image_url, at)
        return Image(data=data, media_type=media_type, detail=detail, cache=cache)
    if part.image_url.startswith(_WEB):
        return Image(url=part.image_url, detail=detail, cache=cache)
    raise BadRequestError(at, "Expected an http(s) URL or `data:<media type>;base64,<data>`")


def _document(part: FilePart, path: str) -> Document:
    if part.file_id:
        raise known_here_only(f"{path}.file_id", "a file uploaded to one provider")
    title, cache = part.filename, _cache_of(part)
    if part.file_url:
        if not part.file_url.startswith(_WEB):
            raise BadRequestError(f"{path}.file_url", "Expected an http(s) URL")
        return Document(url=part.file_url, title=title, cache=cache)
    at = f"{path}.file_data"
    if not part.file_data:
        raise BadRequestError(at, "Field required")
    media_type, data = "application/pdf", part.file_data
    if data.startswith("data:"):
        media_type, data = _data_url(data, at)
    if media_type.startswith("text/"):
        try:
            text = base64.b64decode(data, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise BadRequestError(at, "Expected base64 of UTF-8 text") from None
        return Document(text=text, media_type=media_type, title=title, cache=cache)
    return Document(data=data, media_type=media_type, title=title, cache=cache)


def _data_url(url: str, path: str) -> tuple[str, str]:
    """(media type, base64) of a data URL (RFC 2397)."""
    head, comma, data = url.removeprefix("data:").partition(",")
    if not comma or not data or not head.endswith(";base64"):
        raise BadRequestError(path, "Expected `data:<media type>;base64,<data>`")
    return head.partition(";")[0].lower(), data
