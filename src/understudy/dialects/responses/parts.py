"""Parts of a message's content, and of what a function gave back, in the core's words."""

from __future__ import annotations

import msgspec

from understudy.core.conversation import BadRequestError, Document, Image, Refusal, Text
from understudy.dialects.fields import known_here_only
from understudy.dialects.media import breakpoint_cache, read_document, read_image
from understudy.dialects.responses.shapes import (
    ContentPart,
    FilePart,
    ImagePart,
    OutputTextPart,
    RefusalPart,
    TextPart,
)

__all__ = ["read_part"]

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
    return None if mark is None else breakpoint_cache(mark.ttl)


def _image(part: ImagePart, path: str) -> Image:
    if part.file_id:
        raise known_here_only(f"{path}.file_id", "a file uploaded to one provider")
    at = f"{path}.image_url"
    if not part.image_url:
        raise BadRequestError(at, "Field required")
    return read_image(part.image_url, part.detail, _cache_of(part), at)


def _document(part: FilePart, path: str) -> Document:
    if part.file_id:
        raise known_here_only(f"{path}.file_id", "a file uploaded to one provider")
    title, cache = part.filename, _cache_of(part)
    if part.file_url:
        if not part.file_url.startswith(_WEB):
            raise BadRequestError(f"{path}.file_url", "Expected an http(s) URL")
        return Document(url=part.file_url, title=title, cache=cache)
    return read_document(part.file_data, title, cache, f"{path}.file_data")
