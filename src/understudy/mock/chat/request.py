"""Reads a request of OpenAI's chat completions, with the API's own complaints.

https://developers.openai.com/api/reference/resources/chat; the wording of a 400 is the one that
users of the API report. Names that are not OpenAI's own are taken for those of a compatible
server, which lets unknown fields pass.
"""

from __future__ import annotations

import re
from typing import Literal

from understudy.mock import models, tokens
from understudy.mock.answers import digest_of
from understudy.mock.ask import Ask, Tool, Turn
from understudy.mock.chat.style import STYLE, refusal
from understudy.mock.chat.turns import read_turns
from understudy.mock.cursor import Cursor
from understudy.mock.errors import ErrorSpec, RefusedError

__all__ = ["read"]

_FIELDS = frozenset(
    [
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "metadata",
        "modalities",
        "model",
        "moderation",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
        "web_search_options",
    ]
)
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_EFFORT = {"none": 0, "minimal": 0, "low": 64, "medium": 128, "high": 256, "xhigh": 512, "max": 512}
#: What models that reason take at its default only; `stop` not at all.
_SAMPLING = (
    ("top_p", 1),
    ("presence_penalty", 0),
    ("frequency_penalty", 0),
    ("logprobs", False),
    ("stop", None),
)
#: A prompt is cached from this length on (…/guides/prompt-caching).
_CACHED_FROM = 1024


def read(fields: dict[str, object], *, counting: bool = False) -> Ask:
    """The request in `fields` (a body's JSON).

    Raises:
        RefusedError: the API would refuse it.
    """
    root = Cursor(fields, STYLE)
    if not fields.get("model"):
        raise refusal("you must provide a model parameter")
    name = root.need("model").text()
    model = models.openai(name)
    if not model.known:
        told = f"The model `{name}` does not exist or you do not have access to it."
        raise RefusedError(
            ErrorSpec(
                status=404, type="invalid_request_error", message=told, code="model_not_found"
            )
        )
    unknown = next((key for key in fields if key not in _FIELDS), None)
    if unknown and model.strict:
        raise refusal(f"Unknown parameter: '{unknown}'.", unknown, "unknown_parameter")
    system, turns = read_turns(root.need("messages").items())
    _check_parameters(root, model)
    return _assembled(root, model, system, turns)


def _assembled(
    root: Cursor, model: models.OpenAIModel, system: str, turns: tuple[Turn, ...]
) -> Ask:
    tools = _tools(root)
    choice, chosen = _tool_choice(root, tools)
    parallel, stream, count = root.at("parallel_tool_calls"), root.at("stream"), root.at("n")
    text = "".join([system, *(turn.text for turn in turns)])
    asked = _input_tokens(text, turns, tools)
    if asked > model.context:
        raise refusal(
            f"This model's maximum context length is {model.context} tokens. However, your "
            f"messages resulted in {asked} tokens. Please reduce the length of the messages.",
            "messages",
            "context_length_exceeded",
        )
    effort = _EFFORT.get(_effort(root, model), 128)
    return Ask(
        model=root.need("model").text(),
        turns=turns,
        system=system,
        tools=tools,
        tool_choice=choice,
        tool_name=chosen,
        parallel=parallel.boolean() if parallel else True,
        max_tokens=_limit(root),
        stop=_stop(root),
        stream=stream.boolean() if stream else False,
        include_usage=_include_usage(root),
        schema=_format(root, text),
        thinking=model.shows_reasoning,
        reasoning_tokens=effort if model.reasoning else 0,
        choices=count.integer() if count else 1,
        input_tokens=asked,
        cached_tokens=asked // 128 * 128 if asked >= _CACHED_FROM else 0,
        digest=digest_of(turns, system),
    )


# -- parameters


def _check_parameters(root: Cursor, model: models.OpenAIModel) -> None:
    if root.at("max_tokens") and root.at("max_completion_tokens"):
        raise refusal(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            None,
            "invalid_parameter_combination",
        )
    if model.reasoning:
        _check_reasoning(root, sampled=_effort(root, model) == "none")
    elif root.at("reasoning_effort") and model.strict:
        raise refusal("Unrecognized request argument supplied: reasoning_effort")
    for name, most in (("temperature", 2), ("top_p", 1)):
        field = root.at(name)
        if field is not None and not 0 <= field.number() <= most:
            above = field.number() > most
            raise refusal(
                f"Invalid '{name}': decimal {'above maximum' if above else 'below minimum'} value. "
                f"Expected a value {'<= ' + str(most) if above else '>= 0'}, but got "
                f"{field.number()} instead.",
                name,
                f"decimal_{'above_max' if above else 'below_min'}_value",
            )
    count = root.at("n")
    if count is not None and not 1 <= count.integer() <= 128:
        raise refusal(
            f"Invalid 'n': integer out of range. Expected 1 to 128, but got {count.value}.", "n"
        )


def _effort(root: Cursor, model: models.OpenAIModel) -> str:
    field = root.at("reasoning_effort")
    return field.text() if field else model.effort


def _check_reasoning(root: Cursor, *, sampled: bool) -> None:
    if root.at("max_tokens"):
        raise refusal(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead.",
            "max_tokens",
            "unsupported_parameter",
        )
    temperature = root.at("temperature")
    if temperature is not None and temperature.number() != 1 and not sampled:
        raise refusal(
            f"Unsupported value: 'temperature' does not support {temperature.value} with this "
            "model. Only the default (1) value is supported.",
            "temperature",
            "unsupported_value",
        )
    for name, default in _SAMPLING:
        field = root.at(name)
        if field is not None and field.value != default and (name == "stop" or not sampled):
            raise refusal(
                f"Unsupported parameter: '{name}' is not supported with this model.",
                name,
                "unsupported_parameter",
            )


def _limit(root: Cursor) -> int | None:
    field = root.at("max_completion_tokens") or root.at("max_tokens")
    if field is None:
        return None
    if field.integer() < 1:
        raise refusal(
            f"Invalid '{field.path}': integer below minimum value. Expected a value >= 1, but got "
            f"{field.value} instead.",
            field.path,
            "integer_below_min_value",
        )
    return field.integer()


def _stop(root: Cursor) -> tuple[str, ...]:
    field = root.at("stop")
    if field is None:
        return ()
    if isinstance(field.value, str):
        return (field.value,) if field.value else ()
    sequences = tuple(item.text() for item in field.items())
    if len(sequences) > 4:
        raise refusal(
            f"Invalid 'stop': array too long. Expected an array with maximum length 4, but got an "
            f"array with length {len(sequences)} instead.",
            "stop",
            "array_above_max_length",
        )
    return tuple(sequence for sequence in sequences if sequence)


def _include_usage(root: Cursor) -> bool:
    options = root.at("stream_options")
    if options is None:
        return False
    stream = root.at("stream")
    if not (stream and stream.boolean()):
        raise refusal(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            "stream_options",
        )
    include = options.at("include_usage")
    return include.boolean() if include else False


# -- tools and structured output


def _tools(root: Cursor) -> tuple[Tool, ...]:
    field = root.at("tools")
    if field is None:
        if root.at("parallel_tool_calls"):
            raise refusal(
                "Invalid value for 'parallel_tool_calls': 'parallel_tool_calls' is only allowed "
                "when 'tools' are specified.",
                "parallel_tool_calls",
            )
        return ()
    made = []
    for item in field.items():
        if item.need("type").text() != "function":
            continue
        function = item.need("function")
        name = function.need("name")
        if not _TOOL_NAME.fullmatch(name.text()):
            raise refusal(
                f"Invalid '{name.path}': string does not match pattern. Expected a string that "
                "matches the pattern '^[a-zA-Z0-9_-]+$'.",
                name.path,
                "invalid_value",
            )
        told, schema, strict = (
            function.at("description"), function.at("parameters"), function.at("strict")
        )  # fmt: skip
        if schema and strict and strict.boolean():
            _check_strict(schema.fields(), f"function '{name.text()}'", name.path)
        made.append(
            Tool(name.text(), told.text() if told else "", schema.fields() if schema else {})
        )
    return tuple(made)


_Choice = Literal["auto", "none", "any", "tool"]


def _tool_choice(root: Cursor, tools: tuple[Tool, ...]) -> tuple[_Choice, str | None]:
    field = root.at("tool_choice")
    if field is None:
        return "auto", None
    if not root.at("tools"):
        raise refusal(
            "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are "
            "specified.",
            "tool_choice",
        )
    if isinstance(field.value, str):
        choices: dict[str, _Choice] = {"auto": "auto", "none": "none", "required": "any"}
        if field.value not in choices:
            raise field.refusal(
                f"Invalid value: '{field.value}'. Supported values are: 'none', 'auto', and "
                "'required'."
            )
        return choices[field.value], None
    if field.need("type").text() != "function":
        return "auto", None
    name = field.need("function").need("name").text()
    if all(tool.name != name for tool in tools):
        raise refusal(
            f"Invalid value for 'tool_choice': no function named '{name}' was specified in the "
            "'tools' parameter.",
            "tool_choice",
        )
    return "tool", name


def _format(root: Cursor, text: str) -> dict[str, object] | None:
    field = root.at("response_format")
    if field is None:
        return None
    match field.need("type").text():
        case "text":
            return None
        case "json_object":
            if "json" not in text.lower():
                raise refusal(
                    "'messages' must contain the word 'json' in some form, to use "
                    "'response_format' of type 'json_object'.",
                    "messages",
                )
            return {}
        case "json_schema":
            described = field.need("json_schema")
            name, schema = described.need("name").text(), described.at("schema")
            strict = described.at("strict")
            if schema and strict and strict.boolean():
                _check_strict(schema.fields(), f"response_format '{name}'", "response_format")
            return schema.fields() if schema else {}
        case kind:
            raise field.need("type").refusal(
                f"Invalid value: '{kind}'. Supported values are: 'json_object', 'json_schema', "
                "and 'text'."
            )


def _check_strict(
    schema: dict[str, object], where: str, param: str, context: tuple[str, ...] = ()
) -> None:
    """Strict mode wants every object closed and every property required
    (https://developers.openai.com/api/docs/guides/structured-outputs#supported-schemas).
    """
    told = f"Invalid schema for {where}: In context={context!r}"
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, dict):
        if schema.get("additionalProperties") is not False:
            raise refusal(
                f"{told}, 'additionalProperties' is required to be supplied and to be false.",
                param,
            )
        required = schema.get("required")
        named = properties if isinstance(properties, dict) else {}
        for key in named:
            if not isinstance(required, list) or key not in required:
                raise refusal(
                    f"{told}, 'required' is required to be supplied and to be an array including "
                    f"every key in properties. Missing '{key}'.",
                    param,
                )
    for keyword in ("properties", "$defs"):
        inner = schema.get(keyword)
        for key, value in (inner if isinstance(inner, dict) else {}).items():
            if isinstance(value, dict):
                _check_strict(value, where, param, (*context, keyword, key))
    items = schema.get("items")
    if isinstance(items, dict):
        _check_strict(items, where, param, (*context, "items"))


def _input_tokens(text: str, turns: tuple[Turn, ...], tools: tuple[Tool, ...]) -> int:
    held = sum(tokens.count(result.text) for turn in turns for result in turn.results)
    offered = sum(tokens.count(f"{tool.description}{tool.schema}") for tool in tools)
    images = sum(765 for turn in turns for _ in turn.images)
    return tokens.count(text) + held + offered + images + 4 * len(turns) + 3
