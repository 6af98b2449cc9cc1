"""Core's request as a body for a Messages API.

What the API or the model rejects is adapted and named; what changes what the answer *is* and
cannot be said is refused by name. Nothing is dropped in silence but blocks without content.
"""

from __future__ import annotations

import msgspec

from understudy.core.conversation import (
    InexpressibleError,
    JsonFormat,
    Request,
    ThinkingMode,
    ToolChoice,
    ToolDefinition,
)
from understudy.dialects.base import Traits
from understudy.dialects.messages.extras import place_extras
from understudy.dialects.messages.fit import EFFORT_BUDGETS, Knobs, continuation, fit
from understudy.dialects.messages.schema import is_closed, with_type
from understudy.dialects.messages.turns import Turns, text_of
from understudy.dialects.messages.wire import ThinkingConfig

__all__ = ["DEFAULT_MAX_TOKENS", "render_request"]

#: `max_tokens` is required; this is for a caller who sets none and a model whose limit is unknown.
DEFAULT_MAX_TOKENS = 4096

#: OpenAI's words of effort → those that every model with adaptive thinking takes
#: (platform.claude.com/docs/en/build-with-claude/effort: `xhigh` is not for all of them).
_EFFORTS = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "max",
}

Body = dict[str, object]
_ENCODER = msgspec.json.Encoder()


def render_request(request: Request, model: str, traits: Traits) -> tuple[bytes, list[str]]:
    """The body, and the names of what was adapted.

    Raises:
        InexpressibleError: a part or field asks for what this dialect has no words for.
    """
    names: list[str] = []
    turns = Turns(request.messages)
    names += turns.noted
    if not turns.turns:
        raise InexpressibleError("messages", "messages", "messages: there is nothing to answer")
    body: Body = {"model": model}
    knobs, effort = _knobs(request, traits, turns, names)
    names += fit(knobs, traits)
    _place_knobs(knobs, body)
    _place_output(request.json_format, effort, body, names)
    _place_prefill(turns, knobs, traits, body, names)
    body["messages"] = turns.wire()
    _place_system(request, body, names)
    _place_tools(request, turns, body, names)
    _place_stop(request, traits, body, names)
    if request.stream:
        body["stream"] = True
    if request.user is not None:
        body["metadata"] = {"user_id": request.user}
    if request.extras:
        names += place_extras(request.extras, body)
    return _ENCODER.encode(body), list(dict.fromkeys(names))


def _knobs(
    request: Request, traits: Traits, turns: Turns, names: list[str]
) -> tuple[Knobs, str | None]:
    max_tokens = request.max_tokens
    if max_tokens is None:
        max_tokens = traits.max_output or DEFAULT_MAX_TOKENS
        names.append("max_tokens")
    thinking, effort = _thinking(request.thinking, traits, names)
    if thinking is not None and thinking.type == "enabled" and turns.resumes_unsigned_tools:
        thinking = None
        names.append("thinking")
    choice = request.tool_choice
    knobs = Knobs(
        max_tokens=max_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        thinking=thinking,
        forced_tool=choice is not None and choice.mode in {"any", "tool"},
    )
    return knobs, effort


def _thinking(
    asked: ThinkingMode | None, traits: Traits, names: list[str]
) -> tuple[ThinkingConfig | None, str | None]:
    """`thinking` and the word for `output_config.effort`."""
    if asked is None:
        return None, None
    # Models without adaptive thinking do not know the word.
    effort = _EFFORTS.get(asked.effort or "") if traits.thinking_adaptive else None
    if asked.mode is None:
        return _thinking_by_effort(asked.effort, effort, traits, names), effort
    if effort != asked.effort:
        names.append("output_config.effort")
    budget = asked.budget_tokens
    if asked.mode == "enabled" and budget is None:
        budget = EFFORT_BUDGETS["high"]
    return ThinkingConfig(type=asked.mode, budget_tokens=budget), effort


def _thinking_by_effort(
    asked: str | None, effort: str | None, traits: Traits, names: list[str]
) -> ThinkingConfig | None:
    """The way to think where only a word such as `reasoning_effort` asks for it."""
    if asked is None:
        return None
    if asked == "none":
        # Where thinking is not adaptive, it is off unless it is asked for.
        return ThinkingConfig(type="disabled") if traits.thinking_adaptive else None
    if effort != asked:
        names.append("reasoning_effort")
    if effort is not None:
        return ThinkingConfig(type="adaptive")
    budget = EFFORT_BUDGETS.get(asked)
    if budget is None or not traits.thinking_budget:
        return None
    return ThinkingConfig(type="enabled", budget_tokens=budget)


def _place_knobs(knobs: Knobs, body: Body) -> None:
    body["max_tokens"] = knobs.max_tokens
    if knobs.thinking is not None:
        body["thinking"] = knobs.thinking
    if knobs.temperature is not None:
        body["temperature"] = knobs.temperature
    if knobs.top_p is not None:
        body["top_p"] = knobs.top_p
    if knobs.top_k is not None:
        body["top_k"] = knobs.top_k


def _place_output(
    json_format: JsonFormat | None, effort: str | None, body: Body, names: list[str]
) -> None:
    config: Body = {}
    if effort is not None:
        config["effort"] = effort
    if json_format is not None and is_closed(json_format.schema):
        config["format"] = {"type": "json_schema", "schema": json_format.schema}
        if json_format.description:
            names.append("response_format.description")
    if config:
        body["output_config"] = config


def _place_prefill(
    turns: Turns, knobs: Knobs, traits: Traits, body: Body, names: list[str]
) -> None:
    """A last assistant turn is continued where the model allows it; neither thinking nor
    structured output goes with that (…/build-with-claude/extended-thinking, …/structured-outputs).
    """
    if not turns.ends_with_assistant:
        return
    config = body.get("output_config")
    structured = isinstance(config, dict) and "format" in config
    if traits.prefill and not knobs.thinks and not structured:
        turns.strip_end()
        return
    turns.ask(continuation(turns.last_text()))
    names.append("prefill")


def _place_system(request: Request, body: Body, names: list[str]) -> None:
    blocks: list[Body] = []
    for text in request.system:
        blocks += text_of(text)
    asked = request.json_format
    if asked is not None and not is_closed(asked.schema):
        blocks.append({"type": "text", "text": _json_instruction(asked)})
        names.append("response_format")
    if blocks:
        body["system"] = blocks


def _json_instruction(asked: JsonFormat) -> str:
    """Structured output for schemas that the API's own field does not take."""
    text = "Answer with one JSON object and nothing else: no prose, no code fence."
    if asked.description:
        text += f"\nWhat it is: {asked.description}"
    if asked.schema is not None:
        text += f"\nIt must be valid against this JSON Schema:\n{bytes(asked.schema).decode()}"
    return text


def _place_tools(request: Request, turns: Turns, body: Body, names: list[str]) -> None:
    tools = [_tool(tool) for tool in request.tools]
    choice = request.tool_choice
    if not tools:
        if choice is not None and choice.mode in {"any", "tool"}:
            names.append("tool_choice")
        choice = None
        if turns.has_tools():
            # "Requests which include tool_use or tool_result blocks must define tools."
            tools = [_named(name) for name in turns.tool_names()]
            choice = ToolChoice(mode="none")
            names.append("tools")
    if tools:
        body["tools"] = tools
    if tools and choice is not None:
        body["tool_choice"] = _choice(choice)


def _tool(tool: ToolDefinition) -> Body:
    body: Body = {"name": tool.name, "input_schema": with_type(tool.schema)}
    if tool.description is not None:
        body["description"] = tool.description
    if tool.strict is not None:
        body["strict"] = tool.strict
    if tool.cache is not None:
        body["cache_control"] = tool.cache
    return body


def _named(name: str) -> Body:
    return {"name": name, "input_schema": {"type": "object"}}


def _choice(choice: ToolChoice) -> Body:
    body: Body = {"type": choice.mode}
    if choice.mode == "tool":
        body["name"] = choice.name
    if choice.parallel is not None and choice.mode != "none":
        body["disable_parallel_tool_use"] = not choice.parallel
    return body


def _place_stop(request: Request, traits: Traits, body: Body, names: list[str]) -> None:
    """Sequences of white space alone are refused ("must contain non-whitespace")."""
    if not request.stop:
        return
    kept = [sequence for sequence in request.stop if sequence.strip()] if traits.stop else []
    if len(kept) < len(request.stop):
        names.append("stop_sequences")
    if kept:
        body["stop_sequences"] = kept
