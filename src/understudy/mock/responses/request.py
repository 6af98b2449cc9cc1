"""Reads a request of OpenAI's Responses, with the API's own complaints, in the API's own order.

https://developers.openai.com/api/reference/resources/responses; the wording of a 400 is the one
that users of the API report. Names that are not OpenAI's own are taken for those of a compatible
server, which lets unknown fields pass. The stand-in keeps no answers: what refers to an earlier
one is not found.
"""

from __future__ import annotations

from typing import Literal

from understudy.mock import models
from understudy.mock.answers import digest_of
from understudy.mock.ask import Ask, Tool, Turn
from understudy.mock.cursor import Cursor
from understudy.mock.errors import RefusedError
from understudy.mock.openai import checks
from understudy.mock.openai.style import RESPONSES_STYLE, refusal
from understudy.mock.responses.items import read_input
from understudy.mock.responses.options import FIELDS, check_shapes, check_state

__all__ = ["read"]

#: Fields of chat completions that have another name here.
_MOVED = {
    "messages": "input",
    "max_completion_tokens": "max_output_tokens",
    "reasoning_effort": "reasoning.effort",
    "response_format": "text.format",
    "verbosity": "text.verbosity",
}
#: The least limit that OpenAI's own models take.
_LEAST_OUTPUT = 16
#: Fields that the answer repeats, with what it says where they are not given.
_REPEATED: tuple[tuple[str, object], ...] = (
    ("instructions", None),
    ("max_output_tokens", None),
    ("max_tool_calls", None),
    ("parallel_tool_calls", True),
    ("previous_response_id", None),
    ("prompt_cache_key", None),
    ("safety_identifier", None),
    ("store", True),
    ("temperature", 1.0),
    ("tool_choice", "auto"),
    ("tools", []),
    ("top_logprobs", 0),
    ("top_p", 1.0),
    ("truncation", "disabled"),
    ("user", None),
    ("metadata", {}),
)


def read(fields: dict[str, object], *, counting: bool = False) -> Ask:
    """The request in `fields` (a body's JSON).

    Raises:
        RefusedError: the API would refuse it.
    """
    root = Cursor(fields, RESPONSES_STYLE)
    model = _model(root)
    _check_names(root, model)
    system, turns = read_input(root, model)
    check_shapes(root)
    check_state(root)
    _check_supported(root, model)
    return _assembled(root, model, system, turns)


def _model(root: Cursor) -> models.OpenAIModel:
    if "model" in root.fields() and root.fields()["model"] is None:
        told = "Invalid type for 'model': expected a string, but got an object instead."
        raise refusal(told, "model", "invalid_type")
    name = root.need("model").text()
    model = models.openai(name)
    if not name or not model.known:
        told = f"The requested model '{name}' does not exist."
        raise refusal(told, "model", "model_not_found")
    return model


def _check_names(root: Cursor, model: models.OpenAIModel) -> None:
    if not model.strict:
        return
    for name in root.fields():
        if name in FIELDS:
            continue
        if name in _MOVED:
            raise refusal(
                f"Unsupported parameter: '{name}'. In the Responses API, this parameter has moved "
                f"to '{_MOVED[name]}'. Try again with the new parameter. See the API documentation "
                "for more information: "
                "https://platform.openai.com/docs/api-reference/responses/create.",
                None,
                "unsupported_parameter",
            )
        raise refusal(f"Unknown parameter: '{name}'.", name, "unknown_parameter")


def _check_supported(root: Cursor, model: models.OpenAIModel) -> None:
    """What the model does not take, although the API does."""
    checks.check_range(root, "temperature", 2)
    checks.check_range(root, "top_p", 1)
    if not model.reasoning:
        for name in ("effort", "summary"):
            field = root.at("reasoning")
            if model.strict and field is not None and field.at(name):
                raise _unsupported(f"reasoning.{name}", "unsupported_parameter")
    elif _effort(root, model) != "none":
        for name in ("temperature", "top_p"):
            field = root.at(name)
            if field is not None and field.number() != 1:
                raise _unsupported(name, None)
        if root.at("top_logprobs"):
            raise refusal(
                "logprobs are not supported with reasoning models.",
                "top_logprobs",
                "unsupported_parameter",
            )


def _unsupported(name: str, code: str | None) -> RefusedError:
    return refusal(f"Unsupported parameter: '{name}' is not supported with this model.", name, code)


def _effort(root: Cursor, model: models.OpenAIModel) -> str:
    reasoning = root.at("reasoning")
    field = reasoning.at("effort") if reasoning else None
    return field.text() if field else model.effort


def _assembled(
    root: Cursor, model: models.OpenAIModel, system: str, turns: tuple[Turn, ...]
) -> Ask:
    tools = _tools(root)
    choice, chosen = _tool_choice(root, tools)
    parallel, stream, limit = (
        root.at("parallel_tool_calls"), root.at("stream"), root.at("max_output_tokens"),
    )  # fmt: skip
    text = "".join([system, *(turn.text for turn in turns)])
    asked = checks.input_tokens(text, turns, tools)
    if asked > model.context:
        raise refusal(
            "Your input exceeds the context window of this model. Please adjust your input and "
            "try again.",
            "input",
            "context_length_exceeded",
        )
    effort = checks.EFFORT.get(_effort(root, model), 128) if model.reasoning else 0
    return Ask(
        model=root.need("model").text(),
        turns=turns,
        system=system,
        tools=tools,
        tool_choice=choice,
        tool_name=chosen,
        parallel=parallel.boolean() if parallel else True,
        max_tokens=checks.check_least(limit, _LEAST_OUTPUT if model.strict else 1)
        if limit
        else None,
        stream=stream.boolean() if stream else False,
        schema=_format(root, text),
        thinking=model.shows_reasoning or bool(effort and _summary(root)),
        reasoning_tokens=effort,
        input_tokens=asked,
        cached_tokens=checks.cached(asked),
        digest=digest_of(turns, system),
        repeated=_repeated(root, model),
    )


def _summary(root: Cursor) -> Cursor | None:
    reasoning = root.at("reasoning")
    return reasoning.at("summary") if reasoning else None


def _repeated(root: Cursor, model: models.OpenAIModel) -> dict[str, object]:
    given = root.fields()
    told = {
        name: default if given.get(name) is None else given[name] for name, default in _REPEATED
    }
    summary, text = _summary(root), root.at("text")
    asked = text.fields() if text else {}
    effort = _effort(root, model) if model.reasoning else None
    told["reasoning"] = {"effort": effort, "summary": summary.value if summary else None}
    told["text"] = {
        "format": asked.get("format") or {"type": "text"},
        "verbosity": asked.get("verbosity") or "medium",
    }
    return told


# -- tools and structured output

_Choice = Literal["auto", "none", "any", "tool"]
_CHOICES: dict[str, _Choice] = {"auto": "auto", "none": "none", "required": "any"}


def _tools(root: Cursor) -> tuple[Tool, ...]:
    field = root.at("tools")
    offered = field.items() if field else []
    # The vendor's own tools run on its side; the stand-in has none.
    return tuple(
        checks.function(item) for item in offered if item.need("type").text() == "function"
    )


def _tool_choice(root: Cursor, tools: tuple[Tool, ...]) -> tuple[_Choice, str | None]:
    field = root.at("tool_choice")
    if field is None:
        return "auto", None
    if isinstance(field.value, str):
        if field.value not in _CHOICES:
            raise field.refusal(
                f"Invalid value: '{field.value}'. Supported values are: 'none', 'auto', and "
                "'required'."
            )
        if field.value == "required" and not root.at("tools"):
            raise refusal(
                "Tool choice 'required' must be specified with 'tools' parameter.", "tool_choice"
            )
        return _CHOICES[field.value], None
    if not isinstance(field.value, dict):
        raise refusal(
            "Invalid type for 'tool_choice': expected one of an object or 'none', 'auto', or "
            f"'required', but got {field.described} instead.",
            "tool_choice",
            "invalid_type",
        )
    kind = field.need("type").text()
    if kind == "allowed_tools":
        return _CHOICES.get(field.need("mode").text(), "auto"), None
    if kind != "function":
        return "auto", None
    name = field.need("name").text()
    if all(tool.name != name for tool in tools):
        raise refusal("Tool choice 'function' not found in 'tools' parameter.", "tool_choice")
    return "tool", name


def _format(root: Cursor, text: str) -> dict[str, object] | None:
    config = root.at("text")
    field = config.at("format") if config else None
    if field is None:
        return None
    match field.need("type").text():
        case "text":
            return None
        case "json_object":
            if "json" not in text.lower():
                raise refusal(
                    "Response input messages must contain the word 'json' in some form to use "
                    "'text.format' of type 'json_object'.",
                    "text.format",
                )
            return {}
        case "json_schema":
            name, schema = field.need("name").text(), field.need("schema")
            strict = field.at("strict")
            if strict and strict.boolean():
                checks.check_strict(
                    schema.fields(),
                    f"response_format '{name}'",
                    "text.format.schema",
                    "invalid_json_schema",
                )
            return schema.fields()
        case kind:
            raise field.need("type").refusal(
                f"Invalid value: '{kind}'. Supported values are: 'json_object', 'json_schema', "
                "and 'text'."
            )
