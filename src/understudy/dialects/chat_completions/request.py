"""A caller's request, read as lightly as choosing a target allows, and in full."""

from __future__ import annotations

from typing import Final

import msgspec

from understudy.core.conversation import (
    BadRequestError,
    InexpressibleError,
    JsonFormat,
    Request,
    ThinkingMode,
    ToolChoice,
    ToolDefinition,
)
from understudy.dialects.base import (
    EFFORT,
    MAX_COMPLETION_TOKENS,
    MAX_TOKENS,
    SAMPLING,
    STOP,
    Envelope,
)
from understudy.dialects.chat_completions.shapes import (
    ABSENT,
    ChatEnvelope,
    ChatRequest,
    ExactRequest,
    FormatKind,
    ResponseFormat,
    Tool,
    ToolChoiceObject,
)
from understudy.dialects.chat_completions.turns import read_messages
from understudy.dialects.fields import (
    decode_body,
    decode_fields,
    known_here_only,
    present,
    require_array,
    require_model,
)
from understudy.dialects.openai import choice_by_word, optional_object

__all__ = ["parse_request", "read_envelope"]


_ENVELOPE: Final = msgspec.json.Decoder(ChatEnvelope)
_REQUEST: Final = msgspec.json.Decoder(ChatRequest)
_EXACT: Final = msgspec.json.Decoder(ExactRequest)
_FORMAT: Final = msgspec.json.Decoder(FormatKind)
_EMPTY: Final = frozenset({b"", b"null"})
#: Kinds of `response_format` of which a half is of no use.
_STRUCTURED: Final = frozenset({"json_object", "json_schema"})


def read_envelope(body: bytes) -> Envelope:
    """What the relay must know before it chooses a target.

    Raises:
        BadRequestError: no JSON object, or `model`, `messages`, `stream` or a limit is wrong.
    """
    light = decode_body(_ENVELOPE, body)
    if not light.model.strip():
        require_model(decode_fields(body))
    if not light.messages:
        require_array(decode_fields(body), "messages")
    limit = light.max_completion_tokens
    return Envelope(
        model=light.model,
        stream=bool(light.stream),
        body=body,
        delicate=_delicate(light),
        has_stop=light.stop is not ABSENT and bytes(light.stop) != b"null",
        max_tokens=light.max_tokens if limit is None else limit,
        structured=light.response_format is not ABSENT and _is_structured(light.response_format),
        choices=1 if light.n is None else light.n,
    )


def _is_structured(raw: msgspec.Raw) -> bool:
    """What cannot be read is left for the provider to answer in its own words."""
    try:
        return _FORMAT.decode(raw).type in _STRUCTURED
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False


def _delicate(light: ChatEnvelope) -> int:
    """What some models reject (see `readdress`)."""
    found = 0
    if (
        light.temperature is not ABSENT
        or light.top_p is not ABSENT
        or light.top_k is not ABSENT
        or light.frequency_penalty is not ABSENT
        or light.presence_penalty is not ABSENT
    ):
        found = SAMPLING
    if light.max_tokens is not None:
        found |= MAX_TOKENS
    if light.max_completion_tokens is not None:
        found |= MAX_COMPLETION_TOKENS
    if light.stop is not ABSENT:
        found |= STOP
    if light.reasoning_effort is not ABSENT:
        found |= EFFORT
    return found


def parse_request(body: bytes) -> Request:
    """The whole request in the core's words; null is the same as absent.

    Raises:
        BadRequestError: a field is wrong; `field` is its path.
        InexpressibleError: a field, part or tool that no other dialect has words for.
    """
    wire, extras = _read(body)
    if wire.functions is not None:
        raise known_here_only("functions", "the deprecated form of tools")
    if wire.function_call is not None:
        raise known_here_only("function_call", "the deprecated form of tools")
    system, messages = read_messages(wire.messages)
    return Request(
        model=wire.model,
        messages=messages,
        system=system,
        tools=_tools(wire.tools) if wire.tools else (),
        tool_choice=_tool_choice(wire),
        max_tokens=(
            wire.max_tokens if wire.max_completion_tokens is None else wire.max_completion_tokens
        ),
        temperature=wire.temperature,
        top_p=wire.top_p,
        top_k=wire.top_k,
        stop=(wire.stop,) if isinstance(wire.stop, str) else tuple(wire.stop or ()),
        stream=bool(wire.stream),
        include_usage=bool(wire.stream_options and wire.stream_options.include_usage),
        json_format=_json_format(wire.response_format),
        thinking=_thinking(wire.reasoning_effort),
        user=wire.user,
        extras=extras,
    )


def _read(body: bytes) -> tuple[ChatRequest, dict[str, msgspec.Raw]]:
    """The fields that have words elsewhere, and the others as they are."""
    try:
        exact = _EXACT.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        pass  # Another field, or a fault: below it is kept, or named.
    else:
        if exact.messages and exact.model.strip():
            return exact, {}
    fields = decode_fields(body)
    require_model(fields)
    require_array(fields, "messages")
    return _decode(body), {
        name: raw
        for name, raw in fields.items()
        if name not in ChatRequest.__struct_fields__ and present(fields, name) is not None
    }


def _decode(body: bytes) -> ChatRequest:
    try:
        return decode_body(_REQUEST, body)
    except InexpressibleError as error:
        if error.field.endswith(".role"):
            raise BadRequestError(
                error.field,
                "Expected `system`, `developer`, `user`, `assistant` or `tool`",
            ) from None
        raise


def _tools(tools: list[Tool]) -> tuple[ToolDefinition, ...]:
    return tuple([_tool(tool, f"tools[{index}]") for index, tool in enumerate(tools)])


def _tool(tool: Tool, path: str) -> ToolDefinition:
    if tool.type != "function":
        raise known_here_only(path, f"the type {tool.type!r}")
    function = tool.function
    if function is None:
        raise BadRequestError(f"{path}.function", "Field required")
    cache = tool.cache_control
    definition = ToolDefinition(
        name=function.name,
        description=function.description,
        strict=function.strict,
        cache=None if bytes(cache) in _EMPTY else cache,
    )
    schema = optional_object(function.parameters, f"{path}.function.parameters")
    return definition if schema is None else msgspec.structs.replace(definition, schema=schema)


def _tool_choice(wire: ChatRequest) -> ToolChoice | None:
    choice, parallel = wire.tool_choice, wire.parallel_tool_calls
    if choice is None:
        return None if parallel is None else ToolChoice(parallel=parallel)
    if isinstance(choice, str):
        return choice_by_word(choice, parallel=parallel)
    return _named_choice(choice, parallel=parallel)


def _named_choice(choice: ToolChoiceObject, *, parallel: bool | None) -> ToolChoice:
    if choice.type != "function":
        raise known_here_only("tool_choice", f"the type {choice.type!r}")
    if choice.function is None:
        raise BadRequestError("tool_choice.function", "Field required")
    return ToolChoice(mode="tool", name=choice.function.name, parallel=parallel)


def _json_format(wanted: ResponseFormat | None) -> JsonFormat | None:
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return JsonFormat()
    if wanted.type != "json_schema":
        raise known_here_only("response_format", f"the type {wanted.type!r}")
    described = wanted.json_schema
    if described is None:
        raise BadRequestError("response_format.json_schema", "Field required")
    return JsonFormat(
        schema=optional_object(described.schema, "response_format.json_schema.schema"),
        name=described.name,
        description=described.description,
        strict=described.strict,
    )


def _thinking(effort: str | None) -> ThinkingMode | None:
    if effort is None:
        return None
    return ThinkingMode(mode="disabled" if effort == "none" else None, effort=effort)
