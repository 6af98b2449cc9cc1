"""The core's request as a body for a provider."""

from __future__ import annotations

import msgspec

from understudy.core.conversation import (
    InexpressibleError,
    JsonFormat,
    Request,
    ToolChoice,
    ToolDefinition,
)
from understudy.dialects.base import Traits
from understudy.dialects.chat_completions.render_turns import render_messages
from understudy.dialects.openai import (
    GO_ON,
    Json,
    Notes,
    asks_to_go_on,
    effort_for,
    place_sampling,
)

__all__ = ["render_request"]

_NAME = "chat_completions"

#: OpenAI takes at most this many stop sequences (API reference, `stop`).
_MAX_STOPS = 4

#: Fields that only this dialect knows: a caller of it that is served through the core keeps them.
_OWN = frozenset(
    {
        "audio",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "metadata",
        "modalities",
        "moderation",
        "n",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "seed",
        "service_tier",
        "store",
        "top_logprobs",
        "verbosity",
        "web_search_options",
    }
)

#: Fields of other dialects that steer cost, speed or housekeeping, never what the answer is about.
#: All others are refused by name: tools that run at the provider (`mcp_servers`, `container`),
#: where the data may go (`inference_geo`), and whatever is not known here.
_HINTS = frozenset(
    {
        "anthropic_version",
        "billing_policy",
        "cache_control",
        "compaction",
        "context_management",
        "diagnostics",
        "fallback_credit_token",
        "fallbacks",
        "speed",
        "user_profile_id",
    }
)

#: Words that both `service_tier`s know; Anthropic's `standard_only` is left out.
_SERVICE_TIERS = frozenset(
    {b'"auto"', b'"default"', b'"flex"', b'"scale"', b'"priority"', b'"fast"'}
)


def render_request(request: Request, model: str, traits: Traits) -> tuple[bytes, list[str]]:
    """The body, and the names of what had to be adapted.

    Raises:
        InexpressibleError: something that the dialect has no words for and that matters.
    """
    notes: Notes = {}
    body: Json = {"model": model, "messages": render_messages(request, notes)}
    _add_continuation(body, request, traits, notes)
    _add_tools(body, request, notes)
    _add_limits(body, request, traits, notes)
    place_sampling(body, request, traits, notes)
    effort = effort_for(request.thinking, traits, notes)
    if effort is not None:
        body["reasoning_effort"] = effort
    if request.json_format is not None:
        body["response_format"] = _response_format(request.json_format)
    if request.user is not None:
        body["user"] = request.user
    if request.stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    _add_extras(body, request, notes)
    return msgspec.json.encode(body), list(notes)


def _add_continuation(body: Json, request: Request, traits: Traits, notes: Notes) -> None:
    """A last turn of the assistant's asks for its continuation, which some models cannot give."""
    if not asks_to_go_on(request, traits, notes):
        return
    messages = body["messages"]
    if isinstance(messages, list):
        messages.append({"role": "user", "content": GO_ON})


def _add_tools(body: Json, request: Request, notes: Notes) -> None:
    """Tools and how to choose; without tools the API takes neither choice nor parallelity."""
    if not request.tools:
        return
    body["tools"] = [_tool(tool, notes) for tool in request.tools]
    choice = request.tool_choice
    if choice is None:
        return
    body["tool_choice"] = _tool_choice(choice)
    if choice.parallel is not None:
        body["parallel_tool_calls"] = choice.parallel


def _tool(tool: ToolDefinition, notes: Notes) -> Json:
    if tool.cache is not None:
        notes["cache_control"] = None
    function: Json = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    function["parameters"] = tool.schema
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _tool_choice(choice: ToolChoice) -> object:
    if choice.mode == "tool":
        return {"type": "function", "function": {"name": choice.name}}
    return "required" if choice.mode == "any" else choice.mode


def _add_limits(body: Json, request: Request, traits: Traits, notes: Notes) -> None:
    if request.max_tokens is not None:
        name = "max_completion_tokens" if traits.completion_tokens_name else "max_tokens"
        most = traits.max_output
        if most is not None and request.max_tokens > most:
            notes["max_tokens"] = None
        body[name] = min(request.max_tokens, most or request.max_tokens)
    if not request.stop:
        return
    if not traits.stop:
        notes["stop"] = None
        return
    if len(request.stop) > _MAX_STOPS:
        notes["stop"] = None
    body["stop"] = request.stop[:_MAX_STOPS]


def _response_format(wanted: JsonFormat) -> Json:
    if wanted.schema is None:
        return {"type": "json_object"}
    described: Json = {"name": wanted.name}
    if wanted.description is not None:
        described["description"] = wanted.description
    described["schema"] = wanted.schema
    if wanted.strict is not None:
        described["strict"] = wanted.strict
    return {"type": "json_schema", "json_schema": described}


def _add_extras(body: Json, request: Request, notes: Notes) -> None:
    for name, raw in request.extras.items():
        value = bytes(raw)
        if value == b"null":
            continue
        if name == "service_tier" and value not in _SERVICE_TIERS:
            notes[name] = None
        elif name in _OWN:
            body[name] = raw
        elif name in _HINTS:
            notes[name] = None
        else:
            raise InexpressibleError(name, _NAME)
