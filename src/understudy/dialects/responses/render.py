"""The core's request as a body for a provider.

`store` is always false: what a substitute is asked is nobody's to keep. The dialect has no stop
sequences and no `top_k`; they are left out and noted.
"""

from __future__ import annotations

import msgspec

from understudy.core.conversation import (
    JsonFormat,
    Request,
    ToolChoice,
    ToolDefinition,
)
from understudy.dialects.base import Traits
from understudy.dialects.openai import (
    GO_ON,
    Json,
    Notes,
    asks_to_go_on,
    effort_for,
    place_sampling,
)
from understudy.dialects.responses.extras import place_extras
from understudy.dialects.responses.render_items import render_input, said_item

__all__ = ["MIN_OUTPUT", "render_request"]

#: The smallest `max_output_tokens` that OpenAI takes (BerriAI/litellm#31536,
#: earendil-works/pi#6265).
MIN_OUTPUT = 16


def render_request(request: Request, model: str, traits: Traits) -> tuple[bytes, list[str]]:
    """The body, and the names of what had to be adapted.

    Raises:
        InexpressibleError: something that the dialect has no words for and that matters.
    """
    notes: Notes = {}
    body: Json = {"model": model}
    if request.system:
        body["instructions"] = "\n\n".join(text.text for text in request.system)
    body["input"] = _input(request, traits, notes)
    _add_tools(body, request, notes)
    _add_limits(body, request, traits, notes)
    place_sampling(body, request, traits, notes)
    effort = effort_for(request.thinking, traits, notes)
    if effort is not None:
        body["reasoning"] = {"effort": effort}
    if request.json_format is not None:
        body["text"] = {"format": _format(request.json_format)}
    if request.user is not None:
        body["user"] = request.user
    if request.stream:
        body["stream"] = True
    body["store"] = False
    place_extras(request.extras, body, notes)
    return msgspec.json.encode(body), list(notes)


def _input(request: Request, traits: Traits, notes: Notes) -> list[Json]:
    """A last turn of the assistant's asks for its continuation, which some models cannot give."""
    items = render_input(request, notes)
    if asks_to_go_on(request, traits, notes):
        items.append(said_item("user", GO_ON))
    return items


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
    """A function. Unlike other dialects this one is strict unless told otherwise, so it is told
    (developers.openai.com/api/docs/guides/migrate-to-responses).
    """
    if tool.cache is not None:
        notes["cache_control"] = None
    function: Json = {"type": "function", "name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    function["parameters"] = tool.schema
    function["strict"] = bool(tool.strict)
    return function


def _tool_choice(choice: ToolChoice) -> object:
    if choice.mode == "tool":
        return {"type": "function", "name": choice.name}
    return "required" if choice.mode == "any" else choice.mode


def _add_limits(body: Json, request: Request, traits: Traits, notes: Notes) -> None:
    if request.max_tokens is not None:
        most = traits.max_output or request.max_tokens
        limit = max(min(request.max_tokens, most), MIN_OUTPUT)
        if limit != request.max_tokens:
            notes["max_tokens"] = None
        body["max_output_tokens"] = limit
    if request.stop:
        notes["stop"] = None


def _format(wanted: JsonFormat) -> Json:
    if wanted.schema is None:
        return {"type": "json_object"}
    described: Json = {"type": "json_schema", "name": wanted.name}
    if wanted.description is not None:
        described["description"] = wanted.description
    described["schema"] = wanted.schema
    # Without it OpenAI would make the schema strict.
    described["strict"] = bool(wanted.strict)
    return described
