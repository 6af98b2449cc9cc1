"""Checks of a request that OpenAI's two APIs share, with the complaints of the API."""

from __future__ import annotations

import base64
import re

from understudy.mock import tokens
from understudy.mock.ask import Image, Tool, Turn
from understudy.mock.cursor import Cursor
from understudy.mock.openai.style import refusal

__all__ = [
    "EFFORT",
    "cached",
    "check_least",
    "check_range",
    "check_strict",
    "function",
    "image",
    "input_tokens",
]

_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_DATA_URL = re.compile(r"data:(image/[a-z+.-]+);base64,", re.IGNORECASE)
#: Tokens of reasoning that each effort costs here.
EFFORT = {"none": 0, "minimal": 0, "low": 64, "medium": 128, "high": 256, "xhigh": 512, "max": 512}
#: A prompt is cached from this length on, in steps (…/guides/prompt-caching).
_CACHED_FROM = 1024
_CACHED_STEP = 128


def check_range(root: Cursor, name: str, most: float) -> None:
    """Raises RefusedError where the field `name` is not between 0 and `most`."""
    field = root.at(name)
    if field is None or 0 <= field.number() <= most:
        return
    above = field.number() > most
    raise refusal(
        f"Invalid '{name}': decimal {'above maximum' if above else 'below minimum'} value. "
        f"Expected a value {'<= ' + str(most) if above else '>= 0'}, but got "
        f"{field.number()} instead.",
        name,
        f"decimal_{'above_max' if above else 'below_min'}_value",
    )


def check_least(field: Cursor, least: int) -> int:
    """The integer in `field`. Raises RefusedError where it is less than `least`."""
    if field.integer() < least:
        raise refusal(
            f"Invalid '{field.path}': integer below minimum value. Expected a value >= {least}, "
            f"but got {field.value} instead.",
            field.path,
            "integer_below_min_value",
        )
    return field.integer()


def function(item: Cursor) -> Tool:
    """A function on offer, whose name, description, parameters and strict stand in `item`."""
    name = item.need("name")
    if not _TOOL_NAME.fullmatch(name.text()):
        raise refusal(
            f"Invalid '{name.path}': string does not match pattern. Expected a string that "
            "matches the pattern '^[a-zA-Z0-9_-]+$'.",
            name.path,
            "invalid_value",
        )
    told, schema, strict = item.at("description"), item.at("parameters"), item.at("strict")
    if schema and strict and strict.boolean():
        check_strict(schema.fields(), f"function '{name.text()}'", name.path)
    return Tool(name.text(), told.text() if told else "", schema.fields() if schema else {})


def check_strict(
    schema: dict[str, object],
    where: str,
    param: str,
    code: str | None = None,
    context: tuple[str, ...] = (),
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
                code,
            )
        required = schema.get("required")
        named = properties if isinstance(properties, dict) else {}
        for key in named:
            if not isinstance(required, list) or key not in required:
                raise refusal(
                    f"{told}, 'required' is required to be supplied and to be an array including "
                    f"every key in properties. Missing '{key}'.",
                    param,
                    code,
                )
    for keyword in ("properties", "$defs"):
        inner = schema.get(keyword)
        for key, value in (inner if isinstance(inner, dict) else {}).items():
            if isinstance(value, dict):
                check_strict(value, where, param, code, (*context, keyword, key))
    items = schema.get("items")
    if isinstance(items, dict):
        check_strict(items, where, param, code, (*context, "items"))


def image(url: Cursor) -> Image:
    """An image given by its address, or as a data URL."""
    found = _DATA_URL.match(url.text())
    if found is None:
        if not url.text().startswith(("http://", "https://")):
            raise refusal(
                f"Invalid '{url.path}'. Expected a base64-encoded data URL with an image MIME type "
                "(e.g. 'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU='), but got a value without the "
                "'data:' prefix.",
                url.path,
                "invalid_value",
            )
        return Image("an image", None)
    try:
        size = len(base64.b64decode(url.text()[found.end() :], validate=True))
    except ValueError:
        raise refusal(
            f"Invalid base64 image_url. ({url.path})", url.path, "invalid_base64"
        ) from None
    return Image(found[1].lower(), size)


def input_tokens(text: str, turns: tuple[Turn, ...], tools: tuple[Tool, ...]) -> int:
    """What a prompt costs: `text` is all that its turns and its system say."""
    held = sum(tokens.count(result.text) for turn in turns for result in turn.results)
    offered = sum(tokens.count(f"{tool.description}{tool.schema}") for tool in tools)
    images = sum(765 for turn in turns for _ in turn.images)
    return tokens.count(text) + held + offered + images + 4 * len(turns) + 3


def cached(asked: int) -> int:
    """How many of `asked` tokens are cached once the prompt has been seen."""
    return asked // _CACHED_STEP * _CACHED_STEP if asked >= _CACHED_FROM else 0
