"""Reads a request of OpenAI's chat completions, with the API's own complaints.

https://developers.openai.com/api/reference/resources/chat; the wording of a 400 is the one that
users of the API report. Names that are not OpenAI's own are taken for those of a compatible
server, which lets unknown fields pass.
"""

from __future__ import annotations

from typing import Literal

from understudy.mock import models
from understudy.mock.answers import digest_of
from understudy.mock.ask import Ask, Tool, Turn
from understudy.mock.chat.turns import read_turns
from understudy.mock.cursor import Cursor
from understudy.mock.errors import ErrorSpec, RefusedError
from understudy.mock.openai import checks
from understudy.mock.openai.style import STYLE, refusal

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
#: What models that reason take at its default only; `stop` not at all.
_SAMPLING = (
    ("top_p", 1),
    ("presence_penalty", 0),
    ("frequency_penalty", 0),
    ("logprobs", False),
    ("stop", None),
)


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
    asked = checks.input_tokens(text, turns, tools)
    if asked > model.context:
        raise refusal(
            f"This model's maximum context length is {model.context} tokens. However, your "
            f"messages resulted in {asked} tokens. Please reduce the length of the messages.",
            "messages",
            "context_length_exceeded",
        )
    effort = checks.EFFORT.get(_effort(root, model), 128)
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
        cached_tokens=checks.cached(asked),
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
    checks.check_range(root, "temperature", 2)
    checks.check_range(root, "top_p", 1)
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
    return None if field is None else checks.check_least(field, 1)


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
    offered = [item for item in field.items() if item.need("type").text() == "function"]
    return tuple(checks.function(item.need("function")) for item in offered)


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
                checks.check_strict(schema.fields(), f"response_format '{name}'", "response_format")
            return schema.fields() if schema else {}
        case kind:
            raise field.need("type").refusal(
                f"Invalid value: '{kind}'. Supported values are: 'json_object', 'json_schema', "
                "and 'text'."
            )
