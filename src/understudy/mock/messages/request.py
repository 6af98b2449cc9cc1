"""Reads a request of Anthropic's messages API, with the API's own complaints.

Field by field as in https://platform.claude.com/docs/en/api/messages; the wording of a 400 is the
one that users of the API report (each rule's source is what the API answers, not its page).
"""

from __future__ import annotations

import re
from typing import Literal

from understudy.mock import models, tokens
from understudy.mock.answers import digest_of
from understudy.mock.ask import Ask, Tool, Turn
from understudy.mock.cursor import Cursor
from understudy.mock.errors import ErrorSpec, RefusedError
from understudy.mock.messages.style import STYLE, refusal
from understudy.mock.messages.turns import read_turns

__all__ = ["read"]

_FIELDS = frozenset(
    [
        "betas",
        "cache_control",
        "container",
        "context_management",
        "diagnostics",
        "fallbacks",
        "inference_geo",
        "max_tokens",
        "mcp_servers",
        "messages",
        "metadata",
        "model",
        "output_config",
        "output_format",
        "service_tier",
        "speed",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
        "user_profile_id",
        "workspace_id",
    ]
)
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_THINKING_DOCS = "https://docs.claude.com/en/docs/build-with-claude/extended-thinking"


def read(fields: dict[str, object], *, counting: bool = False) -> Ask:
    """The request in `fields` (a body's JSON); `counting`: it goes to count_tokens.

    Raises:
        RefusedError: the API would refuse it.
    """
    root = Cursor(fields, STYLE)
    name = root.need("model").text()
    model = models.claude(name)
    if not name or not model.known:
        raise RefusedError(ErrorSpec(status=404, type="not_found_error", message=f"model: {name}"))
    unknown = next((key for key in fields if key not in _FIELDS), None)
    if unknown:
        raise refusal(f"{unknown}: Extra inputs are not permitted")
    limit = None if counting else _limit(root, model, name)
    turns = read_turns(root.need("messages").items(), model)
    return _assembled(root, model, turns, limit)


def _assembled(
    root: Cursor, model: models.ClaudeModel, turns: tuple[Turn, ...], limit: int | None
) -> Ask:
    system = _system(root)
    tools = _tools(root)
    thinking, hidden = _thinking(root, model, limit)
    _check_sampling(root, model, thinking=thinking)
    if thinking and turns[-1].role == "assistant":
        _check_thinking_first(root.need("messages").items()[-1])
    choice, chosen, parallel = _tool_choice(root, tools, thinking=thinking)
    stream, stop = root.at("stream"), root.at("stop_sequences")
    text = "".join([system, *(turn.text for turn in turns)])
    asked = _input_tokens(text, turns, tools)
    if asked > model.context:
        raise refusal(f"prompt is too long: {asked} tokens > {model.context} maximum")
    return Ask(
        model=root.need("model").text(),
        turns=turns,
        system=system,
        tools=tools,
        tool_choice=choice,
        tool_name=chosen,
        parallel=parallel,
        max_tokens=limit,
        stop=_stop(stop) if stop else (),
        stream=stream.boolean() if stream else False,
        schema=_format(root),
        thinking=thinking,
        thinking_hidden=hidden,
        input_tokens=asked,
        cached_tokens=_cached(root.fields(), asked),
        digest=digest_of(turns, system),
    )


def _limit(root: Cursor, model: models.ClaudeModel, name: str) -> int:
    field = root.need("max_tokens")
    limit = field.integer()
    if limit < 0:
        raise field.refusal("Input should be greater than or equal to 0")
    if limit > model.output:
        raise field.refusal(
            f"{limit} > {model.output}, which is the maximum allowed number of output tokens "
            f"for {name}"
        )
    return limit


def _system(root: Cursor) -> str:
    field = root.at("system")
    if field is None:
        return ""
    if isinstance(field.value, str):
        return field.value
    told = []
    for block in field.items():
        if block.need("type").text() != "text":
            raise block.refusal("Input should be 'text'")
        text = block.need("text").text()
        if not text:
            raise refusal("system: text content blocks must be non-empty")
        told.append(text)
    return "\n\n".join(told)


def _tools(root: Cursor) -> tuple[Tool, ...]:
    field = root.at("tools")
    made = []
    for item in field.items() if field else []:
        kind = item.at("type")
        if kind is not None and kind.text() != "custom":
            continue  # The vendor's own server tools run on its side; the stand-in has none.
        name = Cursor(item.need("name").value, STYLE, f"{item.path}.custom.name")
        if not _TOOL_NAME.fullmatch(name.text()):
            raise name.refusal("String should match pattern '^[a-zA-Z0-9_-]{1,128}$'")
        custom = Cursor(item.value, STYLE, f"{item.path}.custom")
        schema = custom.need("input_schema")
        if schema.need("type").text() != "object":
            raise schema.need("type").refusal("Input should be 'object'")
        told = item.at("description")
        made.append(Tool(name.text(), told.text() if told else "", schema.fields()))
    if len({tool.name for tool in made}) != len(made):
        raise refusal("tools: Tool names must be unique.")
    return tuple(made)


_Choice = Literal["auto", "none", "any", "tool"]


def _tool_choice(
    root: Cursor, tools: tuple[Tool, ...], *, thinking: bool
) -> tuple[_Choice, str | None, bool]:
    field = root.at("tool_choice")
    if field is None:
        return "auto", None, True
    if not root.at("tools"):
        raise refusal("tool_choice: `tool_choice` may only be specified while providing tools.")
    single = field.at("disable_parallel_tool_use")
    parallel = not (single and single.boolean())
    match field.need("type").text():
        case "auto" | "none" as mode:
            return ("none" if mode == "none" else "auto"), None, parallel
        case "any" | "tool" as mode:
            if thinking:
                raise refusal("Thinking may not be enabled when tool_choice forces tool use.")
            if mode == "any":
                return "any", None, parallel
            name = field.need("name").text()
            if all(tool.name != name for tool in tools):
                raise refusal(f"Tool '{name}' not found in provided tools")
            return "tool", name, parallel
        case kind:
            raise field.refusal(
                f"Input tag '{kind}' found using 'type' does not match any of the expected tags: "
                "'auto', 'any', 'none', 'tool'"
            )


def _thinking(root: Cursor, model: models.ClaudeModel, limit: int | None) -> tuple[bool, bool]:
    field = root.at("thinking")
    if field is None:
        return False, False
    kind = field.need("type").text()
    display = field.at("display")
    hidden = display is not None and display.text() == "omitted"
    match kind:
        case "disabled":
            if not model.thinking_off:
                raise refusal('"thinking.type.disabled" is not supported for this model.')
            return False, False
        case "adaptive" | "between_tools":
            if not model.adaptive:
                raise refusal("adaptive thinking is not supported on this model")
            return True, hidden
        case "enabled":
            _check_budget(field, model, limit)
            return True, hidden
        case _:
            raise field.refusal(
                f"Input tag '{kind}' found using 'type' does not match any of the expected tags: "
                "'adaptive', 'disabled', 'enabled'"
            )


def _check_budget(field: Cursor, model: models.ClaudeModel, limit: int | None) -> None:
    if not model.budget:
        raise refusal(
            '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" '
            'and "output_config.effort" to control thinking behavior.'
        )
    field = Cursor(field.value, STYLE, "thinking.enabled")
    budget = field.need("budget_tokens")
    if budget.integer() < 1024:
        raise budget.refusal("Input should be greater than or equal to 1024")
    if limit is not None and limit <= budget.integer():
        raise refusal(
            "`max_tokens` must be greater than `thinking.budget_tokens`. Please consult our "
            f"documentation at {_THINKING_DOCS}#max-tokens-and-context-window-size"
        )


def _check_thinking_first(last: Cursor) -> None:
    """A model that thinks does so before its first word: no other beginning can be put in its
    mouth (…/extended-thinking#feature-compatibility).
    """
    content = last.need("content")
    blocks = content.items() if isinstance(content.value, list) else []
    kind = blocks[0].need("type").text() if blocks else "text"
    if kind not in {"thinking", "redacted_thinking"}:
        raise refusal(
            f"{content.path}.0.type: Expected `thinking` or `redacted_thinking`, but found "
            f"`{kind}`. When `thinking` is enabled, a final `assistant` message must start with a "
            "thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks). "
            "We recommend you include thinking blocks from previous turns. To avoid this "
            "requirement, disable `thinking`. Please consult our documentation at "
            f"{_THINKING_DOCS}"
        )


def _check_sampling(root: Cursor, model: models.ClaudeModel, *, thinking: bool) -> None:
    for name, default in (("temperature", 1), ("top_p", 1), ("top_k", None)):
        field = root.at(name)
        if field is None:
            continue
        value = field.number()
        if not model.sampling and value != default:
            raise refusal(f"`{name}` is deprecated for this model.")
        if name != "top_k" and not 0 <= value <= 1:
            raise field.refusal("range: 0..1")
        if thinking and name == "temperature" and value != 1:
            raise refusal(
                "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode. "
                f"Please consult our documentation at {_THINKING_DOCS}"
            )


def _stop(field: Cursor) -> tuple[str, ...]:
    sequences = tuple(item.text() for item in field.items())
    if any(not sequence.strip() for sequence in sequences):
        raise refusal("stop_sequences: each stop sequence must contain non-whitespace")
    return sequences


def _format(root: Cursor) -> dict[str, object] | None:
    config = root.at("output_config")
    field = (config.at("format") if config else None) or root.at("output_format")
    if field is None:
        return None
    if field.need("type").text() != "json_schema":
        raise field.need("type").refusal("Input should be 'json_schema'")
    return field.need("schema").fields()


# -- tokens


def _input_tokens(text: str, turns: tuple[Turn, ...], tools: tuple[Tool, ...]) -> int:
    held = sum(tokens.count(result.text) for turn in turns for result in turn.results)
    offered = sum(tokens.count(f"{tool.description}{tool.schema}") for tool in tools)
    images = sum(1_200 for turn in turns for _ in turn.images)
    return tokens.count(text) + held + offered + images + 4 * len(turns) + 3


def _cached(fields: dict[str, object], total: int) -> int:
    """Tokens up to the last block that carries `cache_control`, as a share of the prompt's text."""
    before, marked, everything = 0, 0, 0
    if fields.get("cache_control"):
        return total
    for block in _blocks(fields):
        everything += len(str(block.get("text") or block.get("input_schema") or ""))
        before = everything
        if block.get("cache_control"):
            marked = before
    return total * marked // everything if everything else 0


def _blocks(fields: dict[str, object]) -> list[dict[str, object]]:
    """Every block of the prompt in the order in which the API caches: tools, system, messages."""
    found: list[object] = []
    messages = fields.get("messages")
    parts = [fields.get("tools"), fields.get("system")]
    parts += [m.get("content") for m in messages] if isinstance(messages, list) else []
    for part in parts:
        if isinstance(part, str):
            found.append({"text": part})
        elif isinstance(part, list):
            found.extend(part)
    return [block for block in found if isinstance(block, dict)]
