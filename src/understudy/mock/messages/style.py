"""How the messages API names a field and says what is wrong with it."""

from __future__ import annotations

from understudy.mock.cursor import Style
from understudy.mock.errors import ErrorSpec, RefusedError

__all__ = ["STYLE", "refusal"]

_KINDS = {
    "object": "dictionary",
    "array": "list",
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
}


def _invalid(message: str) -> ErrorSpec:
    return ErrorSpec(status=400, type="invalid_request_error", message=message)


STYLE = Style(
    join=lambda path, key: f"{path}.{key}" if path else str(key),
    missing=lambda path: _invalid(f"{path}: Field required"),
    wrong=lambda path, kind, _: _invalid(f"{path}: Input should be a valid {_KINDS[kind]}"),
    invalid=lambda path, message: _invalid(f"{path}: {message}" if path else message),
)


def refusal(message: str) -> RefusedError:
    """A 400 with that message, to be raised."""
    return RefusedError(_invalid(message))
