"""The shapes of a caller's request, as strict as the API itself.

A field or a kind of part that is not named here is refused by its path (`fields.decode_body`),
for nobody else would understand it. What the model itself wrote (messages of the assistant's,
calls, reasoning) takes any further field: callers send it back as some provider gave it to them.
Source: developers.openai.com/api/reference/resources/responses/methods/create.
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = [
    "ABSENT",
    "AssistantMessage",
    "CallItem",
    "CallOutputItem",
    "ChosenTool",
    "ContentPart",
    "FilePart",
    "FunctionTool",
    "ImagePart",
    "InputMessage",
    "ItemKind",
    "ItemMark",
    "OutputTextPart",
    "ReasoningConfig",
    "ReasoningItem",
    "RefusalPart",
    "ResponsesEnvelope",
    "ResponsesRequest",
    "TextConfig",
    "TextFormat",
    "TextPart",
    "ToolKind",
]

#: A field that is not there.
ABSENT = msgspec.Raw()


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names all that it takes."""


class CacheBreakpoint(Strict, frozen=True):
    """OpenAI's mark for the end of a reusable prefix."""

    mode: str = "explicit"
    ttl: str | None = None


class TextPart(Strict, frozen=True, tag="input_text"):
    """Text."""

    text: str
    prompt_cache_breakpoint: CacheBreakpoint | None = None


class ImagePart(Strict, frozen=True, tag="input_image"):
    """An image: a URL, a data URL, or the id of an uploaded file."""

    image_url: str | None = None
    file_id: str | None = None
    detail: str | None = None
    prompt_cache_breakpoint: CacheBreakpoint | None = None


class FilePart(Strict, frozen=True, tag="input_file"):
    """A file to read: its data (a data URL, or bare base64), a URL, or the id of an uploaded one.

    `detail` says how finely its pages are drawn, which elsewhere is not for the caller to say.
    """

    file_data: str | None = None
    file_url: str | None = None
    file_id: str | None = None
    filename: str | None = None
    detail: str | None = None
    prompt_cache_breakpoint: CacheBreakpoint | None = None


class OutputTextPart(msgspec.Struct, frozen=True, tag="output_text"):
    """Text that the model wrote. Its annotations and probabilities say nothing to another."""

    text: str


class RefusalPart(msgspec.Struct, frozen=True, tag="refusal"):
    """A refusal that the model gave."""

    refusal: str


ContentPart = TextPart | ImagePart | FilePart | OutputTextPart | RefusalPart


class ItemKind(msgspec.Struct, frozen=True):
    """What an input item is. Messages may leave out their type, references too."""

    type: str | None = None
    role: str | None = None


class ItemMark(msgspec.Struct, frozen=True):
    """By what an item of the model's is known to its vendor."""

    type: str | None = None
    role: str | None = None
    id: str | None = None
    status: str | None = None

    @property
    def is_models(self) -> bool:
        """A message of the assistant's, or a call of a function."""
        return self.type == "function_call" or self.role == "assistant"


class InputMessage(Strict, frozen=True):
    """A turn of the user's, or instructions."""

    role: str
    content: str | list[ContentPart]
    type: str | None = None
    id: str | None = None
    status: str | None = None
    phase: str | None = None


class AssistantMessage(msgspec.Struct, frozen=True):
    """A turn of the model's."""

    content: str | list[ContentPart]


class CallItem(msgspec.Struct, frozen=True):
    """A call of a function. `arguments` is JSON text."""

    call_id: str
    name: str
    arguments: str = ""
    namespace: str | None = None


class CallOutputItem(msgspec.Struct, frozen=True):
    """What a function gave back."""

    call_id: str
    output: str | list[TextPart | ImagePart | FilePart]
    namespace: str | None = None


class _Section(msgspec.Struct, frozen=True):
    text: str = ""


class ReasoningItem(msgspec.Struct, frozen=True):
    """Reasoning. What is encrypted in it only its own vendor can read."""

    summary: list[_Section] | None = None
    content: list[_Section] | None = None


class ToolKind(msgspec.Struct, frozen=True):
    """The type of one of `tools`."""

    type: str


class FunctionTool(Strict, frozen=True):
    """A function that the model may call."""

    type: str
    name: str
    description: str | None = None
    parameters: msgspec.Raw = ABSENT
    strict: bool | None = None
    defer_loading: bool | None = None
    allowed_callers: list[str] | None = None


class ChosenTool(msgspec.Struct, frozen=True):
    """`tool_choice` as an object."""

    type: str
    name: str | None = None


class TextFormat(Strict, frozen=True):
    """`text`, `json_object` or `json_schema`."""

    type: str
    name: str | None = None
    description: str | None = None
    schema: msgspec.Raw = ABSENT
    strict: bool | None = None


class TextConfig(Strict, frozen=True):
    """`text`."""

    format: TextFormat | None = None
    verbosity: str | None = None


class ReasoningConfig(Strict, frozen=True):
    """`reasoning`. `summary` and `context` say what is shown and kept of it, not how much."""

    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None
    context: str | None = None
    mode: str | None = None


class ResponsesRequest(msgspec.Struct, frozen=True):
    """The fields that other dialects have words for; the rest travels as `Request.extras`.

    Those of type Any mean nothing elsewhere: they speak of padding, of what is stored, of calls
    of built-in tools, and of responses in the background.
    """

    model: str
    input: str | list[msgspec.Raw]
    instructions: str | None = None
    tools: list[msgspec.Raw] | None = None
    tool_choice: str | ChosenTool | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    text: TextConfig | None = None
    reasoning: ReasoningConfig | None = None
    stream: bool | None = None
    user: str | None = None
    include: list[str] | None = None
    store: bool | None = None
    background: bool | None = None
    stream_options: Any = None
    metadata: Any = None
    max_tool_calls: Any = None
    background_options: Any = None


class _EnvelopeFormat(msgspec.Struct, gc=False):
    type: str = ""


class _EnvelopeText(msgspec.Struct, gc=False):
    format: _EnvelopeFormat | None = None


class ResponsesEnvelope(msgspec.Struct, gc=False):
    """What of a request the relay must know before it chooses a target."""

    model: str
    input: msgspec.Raw = ABSENT
    stream: bool | None = None
    max_output_tokens: int | None = None
    text: _EnvelopeText | None = None
    temperature: msgspec.Raw = ABSENT
    top_p: msgspec.Raw = ABSENT
    reasoning: msgspec.Raw = ABSENT
    include: msgspec.Raw = ABSENT
    previous_response_id: msgspec.Raw = ABSENT
    conversation: msgspec.Raw = ABSENT
    prompt: msgspec.Raw = ABSENT
    background: bool | None = None
