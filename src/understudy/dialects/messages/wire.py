"""The request of the messages dialect, as far as other dialects have words for it.

Types forbid unknown fields and unions know no other tags: whatever is not named here makes
`decode_body` say *where* the request asks for something that only this dialect knows. Fields that
are named and have no counterpart (`citations`, `transformations`) are typed loosely, so that null
and the documented default can be told from a real use. Source of the shapes:
platform.claude.com/docs/en/api/messages.
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = [
    "Base64Source",
    "Block",
    "ContentSource",
    "DirectCaller",
    "DocumentBlock",
    "ImageBlock",
    "OutputConfig",
    "RedactedThinkingBlock",
    "TextBlock",
    "TextSource",
    "ThinkingBlock",
    "ThinkingConfig",
    "ToolChoiceConfig",
    "ToolKind",
    "ToolResultBlock",
    "ToolSpec",
    "ToolUseBlock",
    "Turn",
    "UrlSource",
]


class _Known(msgspec.Struct, tag_field="type", forbid_unknown_fields=True, kw_only=True):
    """A part that other dialects have words for."""


class Base64Source(_Known, tag="base64"):
    """Bytes in place."""

    data: str
    media_type: str


class UrlSource(_Known, tag="url"):
    """Bytes elsewhere."""

    url: str


class TextSource(_Known, tag="text"):
    """A plain text document."""

    data: str
    media_type: str = "text/plain"


class TextBlock(_Known, tag="text"):
    """Text."""

    text: str
    cache_control: msgspec.Raw = msgspec.Raw()
    citations: list[Any] | None = None


class ImageBlock(_Known, tag="image"):
    """An image."""

    source: Base64Source | UrlSource
    cache_control: msgspec.Raw = msgspec.Raw()
    transformations: dict[str, Any] | None = None


class ContentSource(_Known, tag="content"):
    """A document made of blocks."""

    content: str | list[TextBlock | ImageBlock]


class _Citations(msgspec.Struct):
    enabled: bool | None = None


class DocumentBlock(_Known, tag="document"):
    """A document to be read."""

    source: Base64Source | UrlSource | TextSource | ContentSource
    cache_control: msgspec.Raw = msgspec.Raw()
    title: str | None = None
    context: str | None = None
    citations: _Citations | None = None


class DirectCaller(_Known, tag="direct"):
    """The model itself made the call; other callers are server tools."""


class ToolUseBlock(_Known, tag="tool_use"):
    """A call in the history."""

    id: str
    name: str
    input: msgspec.Raw
    cache_control: msgspec.Raw = msgspec.Raw()
    caller: DirectCaller | None = None
    toolset_name: str | None = None


class ToolResultBlock(_Known, tag="tool_result"):
    """What a tool gave back."""

    tool_use_id: str
    content: str | list[TextBlock | ImageBlock | DocumentBlock] | None = None
    is_error: bool | None = None
    cache_control: msgspec.Raw = msgspec.Raw()
    toolset_name: str | None = None


class ThinkingBlock(_Known, tag="thinking"):
    """Reasoning in the history."""

    thinking: str
    signature: str = ""


class RedactedThinkingBlock(_Known, tag="redacted_thinking"):
    """Reasoning in the history, encrypted."""

    data: str


Block = (
    TextBlock
    | ImageBlock
    | DocumentBlock
    | ToolUseBlock
    | ToolResultBlock
    | ThinkingBlock
    | RedactedThinkingBlock
)


class Turn(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One of `messages`."""

    role: str
    content: str | list[Block]


class ToolKind(msgspec.Struct):
    """The type of one of `tools`: absent, null and `custom` are the caller's own functions."""

    type: str | None = None


class ToolSpec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One of the caller's own functions."""

    name: str
    input_schema: msgspec.Raw
    description: str | None = None
    type: str | None = None
    strict: bool | None = None
    cache_control: msgspec.Raw = msgspec.Raw()
    #: How finely arguments are streamed: nothing to do with what they say.
    eager_input_streaming: bool | None = None
    defer_loading: bool | None = None
    allowed_callers: list[str] | None = None


class ToolChoiceConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`tool_choice`."""

    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class ThinkingConfig(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """`thinking`. `display` says whether thoughts are shown; it changes no answer."""

    type: str
    budget_tokens: int | None = None
    display: str | None = None


class _JsonOutputFormat(_Known, tag="json_schema"):
    schema: msgspec.Raw


class OutputConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`output_config`."""

    effort: str | None = None
    format: _JsonOutputFormat | None = None
