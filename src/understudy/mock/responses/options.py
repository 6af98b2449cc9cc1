"""The fields of a Responses request: their types and values, checked in the API's own order."""

from __future__ import annotations

from collections.abc import Callable

from understudy.mock.cursor import Cursor
from understudy.mock.errors import ErrorSpec, RefusedError
from understudy.mock.openai.checks import check_least
from understudy.mock.openai.style import refusal

__all__ = ["FIELDS", "check_shapes", "check_state", "listed"]

Check = Callable[[Cursor], object]


def listed(values: tuple[str, ...], last: str = "and") -> str:
    """The values as a complaint lists them."""
    quoted = [f"'{value}'" for value in values]
    comma = "," if len(quoted) > 2 else ""
    return f"{', '.join(quoted[:-1])}{comma} {last} {quoted[-1]}"


def _one_of(*values: str) -> Check:
    def check(field: Cursor) -> None:
        if not isinstance(field.value, str):
            raise _expected(field, f"one of {listed(values, 'or')}")
        if field.value not in values:
            told = f"Invalid value: '{field.value}'. Supported values are: {listed(values)}."
            raise field.refusal(told)

    return check


def _expected(field: Cursor, what: str) -> RefusedError:
    told = f"Invalid type for '{field.path}': expected {what}, but got {field.described} instead."
    return refusal(told, field.path, "invalid_type")


def _any(field: Cursor) -> None:
    """Whatever it is."""


def _array_of(what: str, check: Check = _any) -> Check:
    def checked(field: Cursor) -> None:
        if not isinstance(field.value, list):
            raise _expected(field, f"an array of {what}")
        for item in field.items():
            check(item)

    return checked


def _object_of(members: dict[str, Check]) -> Check:
    """An object that has no other members than these."""

    def check(field: Cursor) -> None:
        for name in field.fields():
            if name not in members:
                path = f"{field.path}.{name}"
                raise refusal(f"Unknown parameter: '{path}'.", path, "unknown_parameter")
        for name, checked in members.items():
            member = field.at(name)
            if member is not None:
                checked(member)

    return check


def _metadata(field: Cursor) -> None:
    if not isinstance(field.value, dict):
        raise _expected(field, "a metadata object")
    if len(field.value) > 16:
        raise refusal(
            "Invalid 'metadata': too many properties. Expected an object with at most 16 "
            f"properties, but got an object with {len(field.value)} properties instead.",
            "metadata",
            "object_above_max_properties",
        )


_INCLUDE = (
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
)
_REASONING = _object_of(
    {
        "context": _one_of("auto", "current_turn", "all_turns"),
        "effort": _one_of("none", "minimal", "low", "medium", "high", "xhigh", "max"),
        "mode": Cursor.text,
        "summary": _one_of("concise", "detailed", "auto"),
    }
)
_TEXT = _object_of({"format": Cursor.fields, "verbosity": _one_of("low", "medium", "high")})

#: In the order in which the API complains; model and input come before all of them.
_SHAPES: dict[str, Check] = {
    "moderation": Cursor.fields,
    "include": _array_of("strings", _one_of(*_INCLUDE)),
    "tools": _array_of("tools"),
    "metadata": _metadata,
    "text": _TEXT,
    "temperature": Cursor.number,
    "top_p": Cursor.number,
    "parallel_tool_calls": Cursor.boolean,
    "stream": Cursor.boolean,
    "stream_options": _object_of({"include_obfuscation": Cursor.boolean}),
    "background": Cursor.boolean,
    "max_output_tokens": Cursor.integer,
    "max_tool_calls": lambda field: check_least(field, 1),
    "reasoning": _REASONING,
    "user": Cursor.text,
    "safety_identifier": Cursor.text,
    "prompt_cache_options": Cursor.fields,
    "prompt_cache_key": Cursor.text,
    "prompt_cache_retention": _one_of("in_memory", "24h"),
    "truncation": _one_of("auto", "disabled"),
    "instructions": Cursor.text,
    "store": Cursor.boolean,
    "service_tier": _one_of("auto", "default", "fast", "flex", "priority"),
    "top_logprobs": Cursor.integer,
    "context_management": _array_of("objects"),
    "prompt": Cursor.fields,
    "previous_response_id": Cursor.text,
    "conversation": _any,
    "access_programs": Cursor.fields,
    "background_options": Cursor.fields,
    "image": Cursor.fields,
}
#: Every field there is.
FIELDS = frozenset({"model", "input", "tool_choice", *_SHAPES})


def check_shapes(root: Cursor) -> None:
    """Raises RefusedError for a field of the wrong type, or with a value that there is not."""
    for name, check in _SHAPES.items():
        field = root.at(name)
        if field is not None:
            check(field)


def check_state(root: Cursor) -> None:
    """Raises RefusedError for what refers to something that the API would have to remember, and
    for work in the background, which the stand-in does not do.
    """
    conversation, prompt, previous = (
        root.at("conversation"), root.at("prompt"), root.at("previous_response_id"),
    )  # fmt: skip
    if conversation is not None:
        by_name = isinstance(conversation.value, str)
        name = conversation.text() if by_name else conversation.need("id").text()
        raise _gone(f"Conversation with id '{name}' not found.")
    if prompt is not None:
        raise _gone(f"Prompt with id '{prompt.need('id').text()}' not found.")
    if previous is not None:
        raise refusal(
            f"Previous response with id '{previous.text()}' not found.",
            "previous_response_id",
            "previous_response_not_found",
        )
    background = root.at("background")
    if background is not None and background.boolean():
        raise refusal("The stand-in does not answer in the background.", "background")


def _gone(message: str) -> RefusedError:
    return RefusedError(ErrorSpec(status=404, type="invalid_request_error", message=message))
