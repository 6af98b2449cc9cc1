"""A caller's request in full, in the core's words.

State that one vendor holds has no words elsewhere: `previous_response_id`, `conversation`, `prompt`
and references to items are refused by name, and so such a request is served by that vendor or by
nobody. In the dialect itself they pass, to whichever account is next: a fallback account of another
organisation answers that it knows no such response, which is no fault of the caller's (the
vendor's table calls it ADAPTABLE). Who wants every fallback sends the conversation itself.

`store` defaults to true at OpenAI. Elsewhere nothing is stored, so true says nothing; false, the
wish that nothing be, travels. `metadata` labels what is stored and stays behind with it. Of
`include` only the probabilities of tokens matter to another vendor, who cannot give them; the rest
concerns what only built-in tools and the vendor's own reasoning write.
"""

from __future__ import annotations

import msgspec

from understudy.core.conversation import (
    BadRequestError,
    JsonFormat,
    Request,
    ThinkingMode,
    ToolChoice,
    ToolDefinition,
)
from understudy.dialects.fields import (
    decode_body,
    decode_fields,
    known_here_only,
    present,
    require_model,
)
from understudy.dialects.openai import choice_by_word, optional_object
from understudy.dialects.responses.envelope import refuse_background
from understudy.dialects.responses.shapes import (
    FunctionTool,
    ReasoningConfig,
    ResponsesRequest,
    TextConfig,
    ToolKind,
)
from understudy.dialects.responses.turns import read_input

__all__ = ["parse_request"]

_REQUEST = msgspec.json.Decoder(ResponsesRequest)
_TOOL_KIND = msgspec.json.Decoder(ToolKind)
_FUNCTION = msgspec.json.Decoder(FunctionTool)

#: State that one vendor holds.
_KEPT_ELSEWHERE = ("previous_response_id", "conversation", "prompt")

#: Values that ask for nothing.
_DEFAULTS = {"truncation": b'"disabled"'}

_LOGPROBS = "message.output_text.logprobs"
_NO_STORE = msgspec.Raw(b"false")
_ENCODER = msgspec.json.Encoder()


def parse_request(body: bytes) -> Request:
    """The whole request in the core's words; null is the same as absent.

    Raises:
        BadRequestError: a field is wrong; `field` is its path.
        InexpressibleError: a field, item or tool that no other dialect has words for.
    """
    fields = decode_fields(body)
    require_model(fields)
    for name in _KEPT_ELSEWHERE:
        if present(fields, name) is not None:
            raise known_here_only(name, "what one provider keeps")
    if present(fields, "input") is None:
        raise BadRequestError("input", "Field required")
    wire = decode_body(_REQUEST, body)
    refuse_background(wire.background)
    for index, entry in enumerate(wire.include or ()):
        if entry == _LOGPROBS:
            raise known_here_only(f"include[{index}]")
    if wire.top_logprobs:
        raise known_here_only("top_logprobs")
    system, messages = read_input(wire.input, wire.instructions)
    return Request(
        model=wire.model,
        messages=messages,
        system=system,
        tools=tuple(_tool(raw, f"tools[{i}]") for i, raw in enumerate(wire.tools or ())),
        tool_choice=_tool_choice(wire),
        max_tokens=wire.max_output_tokens,
        temperature=wire.temperature,
        top_p=wire.top_p,
        stream=bool(wire.stream),
        include_usage=True,  # The last event always has it.
        json_format=_json_format(wire.text),
        thinking=_thinking(wire.reasoning),
        user=wire.user,
        extras=_extras(fields, wire),
    )


def _extras(fields: dict[str, msgspec.Raw], wire: ResponsesRequest) -> dict[str, msgspec.Raw]:
    extras = {
        name: raw
        for name, raw in fields.items()
        if name not in ResponsesRequest.__struct_fields__
        and present(fields, name) is not None
        and bytes(raw) != _DEFAULTS.get(name)
    }
    if wire.text is not None and wire.text.verbosity is not None:
        extras["verbosity"] = msgspec.Raw(_ENCODER.encode(wire.text.verbosity))
    if wire.store is False:
        extras["store"] = _NO_STORE
    return extras


def _tool(raw: msgspec.Raw, path: str) -> ToolDefinition:
    """A function. Without `strict` the vendor makes a schema strict where it can; here it is left
    open, for not every vendor could, and a schema that is not fit for it would be refused.
    """
    kind = decode_body(_TOOL_KIND, raw, path).type
    if kind != "function":
        raise known_here_only(path, f"the type {kind!r}")
    function = decode_body(_FUNCTION, raw, path)
    if function.defer_loading:
        raise known_here_only(f"{path}.defer_loading")
    if function.allowed_callers not in (None, ["direct"]):
        raise known_here_only(f"{path}.allowed_callers")
    definition = ToolDefinition(
        name=function.name, description=function.description, strict=function.strict
    )
    schema = optional_object(function.parameters, f"{path}.parameters")
    return definition if schema is None else msgspec.structs.replace(definition, schema=schema)


def _tool_choice(wire: ResponsesRequest) -> ToolChoice | None:
    choice, parallel = wire.tool_choice, wire.parallel_tool_calls
    if choice is None:
        return None if parallel is None else ToolChoice(parallel=parallel)
    if not isinstance(choice, str):
        if choice.type != "function":
            raise known_here_only("tool_choice", f"the type {choice.type!r}")
        if not choice.name:
            raise BadRequestError("tool_choice.name", "Field required")
        return ToolChoice(mode="tool", name=choice.name, parallel=parallel)
    return choice_by_word(choice, parallel=parallel)


def _json_format(text: TextConfig | None) -> JsonFormat | None:
    wanted = text.format if text else None
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return JsonFormat()
    if wanted.type != "json_schema":
        raise known_here_only("text.format", f"the type {wanted.type!r}")
    if not wanted.name:
        raise BadRequestError("text.format.name", "Field required")
    schema = optional_object(wanted.schema, "text.format.schema")
    if schema is None:
        raise BadRequestError("text.format.schema", "Field required")
    return JsonFormat(
        schema=schema, name=wanted.name, description=wanted.description, strict=wanted.strict
    )


def _thinking(reasoning: ReasoningConfig | None) -> ThinkingMode | None:
    if reasoning is None:
        return None
    if reasoning.mode not in {None, "standard"}:
        raise known_here_only("reasoning.mode")
    effort = reasoning.effort
    if effort is None:
        return None
    return ThinkingMode(mode="disabled" if effort == "none" else None, effort=effort)
