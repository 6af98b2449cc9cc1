"""The shapes of a caller's request, as strict as the API itself.

A field or a kind of part that is not named here is refused by its path (`fields.decode_body`),
for nobody else would understand it. Assistant turns alone take any further field: callers send
them back as some provider gave them, with its own additions.
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = [
    "ABSENT",
    "AssistantMessage",
    "AudioPart",
    "ChatEnvelope",
    "ChatMessage",
    "ChatRequest",
    "DeveloperMessage",
    "ExactRequest",
    "FilePart",
    "FunctionMessage",
    "ImagePart",
    "JsonSchema",
    "RefusalPart",
    "RequestToolCall",
    "ResponseFormat",
    "SystemMessage",
    "TextPart",
    "Tool",
    "ToolChoiceObject",
    "ToolMessage",
    "UserMessage",
]

_NOTHING = msgspec.Raw(b"")


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names all that it takes."""


class CacheBreakpoint(Strict, frozen=True):
    """OpenAI's mark for the end of a reusable prefix."""

    mode: str = "explicit"
    ttl: str | None = None


class TextPart(Strict, frozen=True, tag="text"):
    """`cache_control` is Anthropic's; OpenRouter and LiteLLM take it here."""

    text: str
    prompt_cache_breakpoint: CacheBreakpoint | None = None
    cache_control: msgspec.Raw = _NOTHING


class ImageUrl(Strict, frozen=True):
    """An http(s) URL, or the image itself in a data URL."""

    url: str
    detail: str | None = None


class ImagePart(Strict, frozen=True, tag="image_url"):
    """An image."""

    image_url: ImageUrl
    prompt_cache_breakpoint: CacheBreakpoint | None = None
    cache_control: msgspec.Raw = _NOTHING


class File(Strict, frozen=True):
    """A file: its data (a data URL, or bare base64), or the id of an uploaded one."""

    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class FilePart(Strict, frozen=True, tag="file"):
    """A file to read."""

    file: File
    prompt_cache_breakpoint: CacheBreakpoint | None = None
    cache_control: msgspec.Raw = _NOTHING


class AudioPart(msgspec.Struct, frozen=True, tag="input_audio"):
    """Sound."""

    input_audio: Any = None


class RefusalPart(Strict, frozen=True, tag="refusal"):
    """A refusal that the assistant gave."""

    refusal: str


class CalledFunction(msgspec.Struct, frozen=True):
    """What a call names. `arguments` is JSON text."""

    name: str
    arguments: str = ""


class RequestToolCall(msgspec.Struct, frozen=True):
    """A call in an assistant's turn."""

    id: str
    type: str = "function"
    function: CalledFunction | None = None


class SystemMessage(Strict, frozen=True, tag_field="role", tag="system"):
    """Instructions."""

    content: str | list[TextPart]
    name: str | None = None


class DeveloperMessage(Strict, frozen=True, tag_field="role", tag="developer"):
    """Instructions, as newer models call them."""

    content: str | list[TextPart]
    name: str | None = None


class UserMessage(Strict, frozen=True, tag_field="role", tag="user"):
    """A person's turn."""

    content: str | list[TextPart | ImagePart | FilePart | AudioPart]
    name: str | None = None


class AssistantMessage(msgspec.Struct, frozen=True, tag_field="role", tag="assistant"):
    """A turn of the model's."""

    content: str | list[TextPart | RefusalPart] | None = None
    refusal: str | None = None
    tool_calls: list[RequestToolCall] | None = None
    function_call: Any = None
    audio: Any = None
    #: DeepSeek, vLLM, SGLang; OpenRouter and newer vLLM say `reasoning`.
    reasoning_content: str | None = None
    reasoning: Any = None


class ToolMessage(Strict, frozen=True, tag_field="role", tag="tool"):
    """A tool's result. OpenAI takes text; several compatible servers take images too."""

    content: str | list[TextPart | ImagePart]
    tool_call_id: str
    name: str | None = None


class FunctionMessage(msgspec.Struct, frozen=True, tag_field="role", tag="function"):
    """The deprecated form of a tool's result."""


ChatMessage = (
    SystemMessage
    | DeveloperMessage
    | UserMessage
    | AssistantMessage
    | ToolMessage
    | FunctionMessage
)


class Function(Strict, frozen=True):
    """A function that the model may call."""

    name: str
    description: str | None = None
    parameters: msgspec.Raw = _NOTHING
    strict: bool | None = None


class Tool(msgspec.Struct, frozen=True):
    """A tool. Only `function` exists elsewhere."""

    type: str = "function"
    function: Function | None = None
    cache_control: msgspec.Raw = _NOTHING


class ChosenFunction(Strict, frozen=True):
    """The function that must be called."""

    name: str


class ToolChoiceObject(msgspec.Struct, frozen=True):
    """`tool_choice` as an object."""

    type: str
    function: ChosenFunction | None = None


class JsonSchema(Strict, frozen=True):
    """Structured output."""

    name: str
    description: str | None = None
    schema: msgspec.Raw = _NOTHING
    strict: bool | None = None


class ResponseFormat(Strict, frozen=True):
    """`text`, `json_object` or `json_schema`."""

    type: str
    json_schema: JsonSchema | None = None


class FormatKind(msgspec.Struct, frozen=True):
    """Of `response_format` its kind only."""

    type: str = ""


class StreamOptions(msgspec.Struct, frozen=True):
    """`include_obfuscation` is not named: our streams never carry padding."""

    include_usage: bool | None = None


#: A field that is not there.
ABSENT = msgspec.Raw()


class ChatEnvelope(msgspec.Struct, gc=False):
    """What of a request the relay must know before it chooses a target."""

    model: str
    messages: list[msgspec.Raw]
    stream: bool | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: msgspec.Raw = ABSENT
    temperature: msgspec.Raw = ABSENT
    top_p: msgspec.Raw = ABSENT
    top_k: msgspec.Raw = ABSENT
    frequency_penalty: msgspec.Raw = ABSENT
    presence_penalty: msgspec.Raw = ABSENT
    reasoning_effort: msgspec.Raw = ABSENT
    response_format: msgspec.Raw = ABSENT
    n: int | None = None


class ChatRequest(msgspec.Struct, frozen=True):
    """The fields that other dialects have words for; the rest travels as `Request.extras`."""

    model: str
    messages: list[ChatMessage]
    tools: list[Tool] | None = None
    tool_choice: str | ToolChoiceObject | None = None
    parallel_tool_calls: bool | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: str | list[str] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None
    user: str | None = None
    functions: Any = None
    function_call: Any = None


class ExactRequest(ChatRequest, frozen=True, forbid_unknown_fields=True):
    """The same without any other field, as most requests are: read once, and nothing is left."""
