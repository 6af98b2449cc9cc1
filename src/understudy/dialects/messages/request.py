"""A caller's messages request in the words that all dialects share. Used for translation only.

What only this dialect knows is refused by its path (server tools, file ids, search results,
citations) or, at the top level, travels in `Request.extras` under its own name. Two things are
left behind because no answer depends on them: `thinking.display` and a tool's
`eager_input_streaming`. A system turn at the head of `messages` joins the system prompt; a later
one becomes text of the user's, between `<system>` tags, where it stood.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from understudy.core.conversation import (
    BadRequestError,
    JsonFormat,
    Message,
    Request,
    Text,
    ThinkingMode,
    ToolChoice,
    ToolDefinition,
)
from understudy.dialects.fields import (
    decode_body,
    decode_fields,
    known_here_only,
    optional_bool,
    present,
    require_array,
    require_model,
)
from understudy.dialects.messages import blocks
from understudy.dialects.messages.wire import (
    OutputConfig,
    TextBlock,
    ThinkingConfig,
    ToolChoiceConfig,
    ToolKind,
    ToolSpec,
    Turn,
)

__all__ = ["parse_count_request", "parse_request"]

_TURNS = msgspec.json.Decoder(list[Turn])
_SYSTEM = msgspec.json.Decoder(str | list[TextBlock])
_RAW_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_TOOL_KIND = msgspec.json.Decoder(ToolKind)
_TOOL = msgspec.json.Decoder(ToolSpec)
_TOOL_CHOICE = msgspec.json.Decoder(ToolChoiceConfig)
_THINKING = msgspec.json.Decoder(ThinkingConfig)
_OUTPUT = msgspec.json.Decoder(OutputConfig)
_METADATA = msgspec.json.Decoder(dict[str, str | None])
_FLOAT = msgspec.json.Decoder(float)
_INT = msgspec.json.Decoder(int)
_STRINGS = msgspec.json.Decoder(list[str])

_ROLES: dict[str, Literal["user", "assistant"]] = {"user": "user", "assistant": "assistant"}
_CHOICES: dict[str, Literal["auto", "any", "tool", "none"]] = {
    "auto": "auto",
    "any": "any",
    "tool": "tool",
    "none": "none",
}
_THOUGHT: dict[str, Literal["enabled", "adaptive", "disabled"]] = {
    "enabled": "enabled",
    "adaptive": "adaptive",
    "disabled": "disabled",
}

#: Top-level fields that core has words for; every other one goes to `extras`.
_SHARED = frozenset(
    {
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "output_config",
        "output_format",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    }
)


def parse_request(body: bytes) -> Request:
    """The whole of a request.

    Raises:
        BadRequestError: a field is missing or of a wrong type.
        InexpressibleError: a part is known to this dialect only.
    """
    fields = decode_fields(body)
    raw = present(fields, "max_tokens")
    if raw is None:
        raise BadRequestError("max_tokens", "Field required")
    max_tokens = decode_body(_INT, raw, "max_tokens")
    if max_tokens < 0:
        raise BadRequestError("max_tokens", "Expected `int` >= 0")
    if max_tokens == 0:
        raise known_here_only("max_tokens", "0, to fill a cache without an answer,")
    return _parse(fields, max_tokens)


def parse_count_request(body: bytes) -> Request:
    """The same for `count_tokens`, which has no `max_tokens`.

    Raises:
        BadRequestError: a field is missing or of a wrong type.
        InexpressibleError: a part is known to this dialect only.
    """
    return _parse(decode_fields(body), None)


def _parse(fields: dict[str, msgspec.Raw], max_tokens: int | None) -> Request:
    model = require_model(fields)
    turns = decode_body(_TURNS, require_array(fields, "messages"), "messages")
    leading, messages = _messages(turns)
    effort, json_format = _output(fields)
    raw_stop = present(fields, "stop_sequences")
    stop: list[str] = [] if raw_stop is None else decode_body(_STRINGS, raw_stop, "stop_sequences")
    top_k = present(fields, "top_k")
    return Request(
        model=model,
        messages=messages,
        system=(*_system(present(fields, "system")), *leading),
        tools=_tools(present(fields, "tools")),
        tool_choice=_tool_choice(present(fields, "tool_choice")),
        max_tokens=max_tokens,
        temperature=_float(fields, "temperature"),
        top_p=_float(fields, "top_p"),
        top_k=None if top_k is None else decode_body(_INT, top_k, "top_k"),
        stop=tuple(stop),
        stream=optional_bool(fields, "stream"),
        include_usage=True,
        json_format=json_format,
        thinking=_thinking(present(fields, "thinking"), effort),
        user=_user(present(fields, "metadata")),
        extras={
            name: raw
            for name, raw in fields.items()
            if name not in _SHARED and present(fields, name) is not None
        },
    )


def _messages(turns: list[Turn]) -> tuple[list[Text], tuple[Message, ...]]:
    """System turns at the head, and the rest of the turns."""
    leading: list[Text] = []
    messages: list[Message] = []
    for index, turn in enumerate(turns):
        at = f"messages[{index}].content"
        role = _ROLES.get(turn.role)
        if role is not None:
            messages.append(Message(role=role, parts=blocks.read_parts(turn.content, at)))
            continue
        if turn.role != "system":
            what = f"Expected `user`, `assistant` or `system`, got {turn.role!r}"
            raise BadRequestError(f"messages[{index}].role", what)
        texts = [part for part in blocks.read_parts(turn.content, at) if isinstance(part, Text)]
        if len(texts) < (1 if isinstance(turn.content, str) else len(turn.content)):
            raise BadRequestError(at, "Expected text only in a system turn")
        if messages:
            said = "\n".join(text.text for text in texts)
            told = Text(text=f"<system>\n{said}\n</system>")
            messages.append(Message(role="user", parts=(told,)))
        else:
            leading.extend(texts)
    return leading, tuple(messages)


def _system(raw: msgspec.Raw | None) -> Iterable[Text]:
    if raw is None:
        return ()
    content = decode_body(_SYSTEM, raw, "system")
    if isinstance(content, str):
        return (Text(text=content),) if content else ()
    return [blocks.read_text(block, f"system[{index}]") for index, block in enumerate(content)]


def _tools(raw: msgspec.Raw | None) -> tuple[ToolDefinition, ...]:
    if raw is None:
        return ()
    items = decode_body(_RAW_LIST, raw, "tools")
    return tuple(_tool(item, f"tools[{index}]") for index, item in enumerate(items))


def _tool(raw: msgspec.Raw, at: str) -> ToolDefinition:
    kind = decode_body(_TOOL_KIND, raw, at).type
    if kind not in {None, "custom"}:
        raise known_here_only(at, f"the tool {kind!r}")
    spec = decode_body(_TOOL, raw, at)
    if spec.defer_loading:
        raise known_here_only(f"{at}.defer_loading")
    if spec.allowed_callers not in (None, ["direct"]):
        raise known_here_only(f"{at}.allowed_callers")
    return ToolDefinition(
        name=spec.name,
        description=spec.description,
        schema=blocks.require_object(spec.input_schema, f"{at}.input_schema"),
        strict=spec.strict,
        cache=blocks.cache_of(spec.cache_control),
    )


def _tool_choice(raw: msgspec.Raw | None) -> ToolChoice | None:
    if raw is None:
        return None
    choice = decode_body(_TOOL_CHOICE, raw, "tool_choice")
    mode = _CHOICES.get(choice.type)
    if mode is None:
        raise known_here_only("tool_choice", f"the type {choice.type!r}")
    if mode == "tool" and not choice.name:
        raise BadRequestError("tool_choice.name", "Field required")
    parallel = choice.disable_parallel_tool_use
    return ToolChoice(
        mode=mode,
        name=choice.name if mode == "tool" else None,
        parallel=None if parallel is None else not parallel,
    )


def _thinking(raw: msgspec.Raw | None, effort: str | None) -> ThinkingMode | None:
    if raw is None:
        return None if effort is None else ThinkingMode(effort=effort)
    config = decode_body(_THINKING, raw, "thinking")
    mode = _THOUGHT.get(config.type)
    if mode is None:
        raise known_here_only("thinking", f"the type {config.type!r}")
    if mode == "enabled" and config.budget_tokens is None:
        raise BadRequestError("thinking.budget_tokens", "Field required")
    return ThinkingMode(mode=mode, budget_tokens=config.budget_tokens, effort=effort)


def _output(fields: dict[str, msgspec.Raw]) -> tuple[str | None, JsonFormat | None]:
    """Effort and structured output. `output_format` is the older place of the latter."""
    raw, at = present(fields, "output_config"), "output_config"
    old = present(fields, "output_format")
    if raw is None and old is not None:
        raw, at = msgspec.Raw(b'{"format":' + bytes(old) + b"}"), ""
    if raw is None:
        return None, None
    config = decode_body(_OUTPUT, raw, at)
    if config.format is None:
        return config.effort, None
    schema = blocks.require_object(config.format.schema, "output_config.format.schema")
    return config.effort, JsonFormat(schema=schema, strict=True)


def _user(raw: msgspec.Raw | None) -> str | None:
    if raw is None:
        return None
    metadata = decode_body(_METADATA, raw, "metadata")
    for name in metadata:
        if name != "user_id":
            raise known_here_only(f"metadata.{name}")
    return metadata.get("user_id")


def _float(fields: dict[str, msgspec.Raw], name: str) -> float | None:
    raw = present(fields, name)
    return None if raw is None else decode_body(_FLOAT, raw, name)
