"""Content blocks of a messages request as core's parts."""

from __future__ import annotations

import msgspec

from understudy.core.conversation import (
    BadRequestError,
    Document,
    Image,
    Part,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from understudy.dialects.fields import known_here_only
from understudy.dialects.messages.wire import (
    Base64Source,
    Block,
    ContentSource,
    DocumentBlock,
    ImageBlock,
    RedactedThinkingBlock,
    TextBlock,
    TextSource,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UrlSource,
)

__all__ = ["cache_of", "read_parts", "read_text", "require_object"]


def read_parts(content: str | list[Block], at: str) -> tuple[Part, ...]:
    """The parts of one turn; `at` is the path of its content.

    Raises:
        BadRequestError: a part is wrong.
        InexpressibleError: a part is known to this dialect only.
    """
    if isinstance(content, str):
        return (Text(text=content),)
    return tuple(_read_part(block, f"{at}[{index}]") for index, block in enumerate(content))


def read_text(block: TextBlock, at: str) -> Text:
    """A text block.

    Raises:
        InexpressibleError: it carries citations.
    """
    if block.citations:
        raise known_here_only(f"{at}.citations")
    return Text(text=block.text, cache=cache_of(block.cache_control))


def cache_of(raw: msgspec.Raw) -> msgspec.Raw | None:
    """`cache_control` as it came; None where it is absent or null."""
    return None if not raw or bytes(raw) == b"null" else raw


def require_object(raw: msgspec.Raw, at: str) -> msgspec.Raw:
    """JSON that must be an object.

    Raises:
        BadRequestError: it is something else.
    """
    if bytes(memoryview(raw)[:1]) != b"{":
        raise BadRequestError(at, "Expected `object`")
    return raw


def _read_part(block: Block, at: str) -> Part:
    if isinstance(block, TextBlock):
        return read_text(block, at)
    if isinstance(block, ImageBlock):
        return _read_image(block, at)
    if isinstance(block, DocumentBlock):
        return _read_document(block, at)
    if isinstance(block, ToolUseBlock):
        return _read_tool_use(block, at)
    if isinstance(block, ToolResultBlock):
        return _read_tool_result(block, at)
    return _read_thinking(block)


def _read_thinking(block: ThinkingBlock | RedactedThinkingBlock) -> Thinking:
    if isinstance(block, RedactedThinkingBlock):
        return Thinking(redacted=block.data)
    return Thinking(text=block.thinking, signature=block.signature or None)


def _read_image(block: ImageBlock, at: str) -> Image:
    if block.transformations:
        raise known_here_only(f"{at}.transformations")
    cache = cache_of(block.cache_control)
    source = block.source
    if isinstance(source, UrlSource):
        return Image(url=source.url, cache=cache)
    return Image(data=source.data, media_type=source.media_type, cache=cache)


def _read_document(block: DocumentBlock, at: str) -> Document:
    if block.citations is not None and block.citations.enabled:
        raise known_here_only(f"{at}.citations")
    if block.context:
        raise known_here_only(f"{at}.context")
    title, cache, source = block.title, cache_of(block.cache_control), block.source
    if isinstance(source, UrlSource):
        return Document(url=source.url, title=title, cache=cache)
    if isinstance(source, Base64Source):
        return Document(data=source.data, media_type=source.media_type, title=title, cache=cache)
    text = source.data if isinstance(source, TextSource) else _joined(source, f"{at}.source")
    return Document(text=text, media_type="text/plain", title=title, cache=cache)


def _joined(source: ContentSource, at: str) -> str:
    if isinstance(source.content, str):
        return source.content
    texts = []
    for index, block in enumerate(source.content):
        path = f"{at}.content[{index}]"
        if isinstance(block, ImageBlock):
            raise known_here_only(path, "an image inside a document")
        texts.append(read_text(block, path).text)
    return "\n".join(texts)


def _read_tool_use(block: ToolUseBlock, at: str) -> ToolUse:
    if block.toolset_name is not None:
        raise known_here_only(f"{at}.toolset_name")
    arguments = require_object(block.input, f"{at}.input")
    try:
        text = bytes(arguments).decode()
    except UnicodeDecodeError:
        raise BadRequestError(f"{at}.input", "the JSON is not valid UTF-8") from None
    return ToolUse(
        id=block.id, name=block.name, arguments=text, cache=cache_of(block.cache_control)
    )


def _read_tool_result(block: ToolResultBlock, at: str) -> ToolResult:
    if block.toolset_name is not None:
        raise known_here_only(f"{at}.toolset_name")
    content: list[Text | Image | Document] = []
    if isinstance(block.content, str):
        content.append(Text(text=block.content))
    else:
        for index, inner in enumerate(block.content or ()):
            path = f"{at}.content[{index}]"
            if isinstance(inner, TextBlock):
                content.append(read_text(inner, path))
            elif isinstance(inner, ImageBlock):
                content.append(_read_image(inner, path))
            else:
                content.append(_read_document(inner, path))
    return ToolResult(
        id=block.tool_use_id,
        content=tuple(content),
        is_error=bool(block.is_error),
        cache=cache_of(block.cache_control),
    )
