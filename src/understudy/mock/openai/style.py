"""How OpenAI's APIs name a field and say what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping

from understudy.mock.cursor import Style, kind_of
from understudy.mock.errors import ErrorSpec, RefusedError

__all__ = ["RESPONSES_STYLE", "STYLE", "refusal"]


def _invalid(message: str, param: str | None = None, code: str | None = None) -> ErrorSpec:
    return ErrorSpec(
        status=400, type="invalid_request_error", message=message, param=param, code=code
    )


def _join(path: str, key: str | int) -> str:
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def _article(word: str) -> str:
    return f"an {word}" if word[0] in "aio" else f"a {word}"


def _style(words: Mapping[str, str]) -> Style:
    return Style(
        join=_join,
        missing=lambda path: _invalid(
            f"Missing required parameter: '{path}'.", path, "missing_required_parameter"
        ),
        wrong=lambda path, kind, value: _invalid(
            f"Invalid type for '{path}': expected {_article(words.get(kind, kind))}, "
            f"but got {_article(kind_of(value))} instead.",
            path,
            "invalid_type",
        ),
        invalid=lambda path, message: _invalid(message, path, "invalid_value"),
    )


STYLE = _style({})
#: Responses has words of its own for some types.
RESPONSES_STYLE = _style({"number": "decimal"})


def refusal(message: str, param: str | None = None, code: str | None = None) -> RefusedError:
    """A 400 with that message, to be raised."""
    return RefusedError(_invalid(message, param, code))
