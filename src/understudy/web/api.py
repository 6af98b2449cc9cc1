"""What the parts of the operator's API share: JSON in, JSON out, and what is wrong in one shape."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from understudy.ports import StoreError
from understudy.web.wire import Error, ErrorBody

__all__ = [
    "EXCEPTION_HANDLERS",
    "Refused",
    "answer",
    "answer_error",
    "body_of",
    "read",
]

#: No request of the API needs more.
_MOST_BYTES: Final = 16 * 1024
_FIELD: Final = re.compile(r"at `\$\.(\w+)|field `(\w+)`")
_ENCODER: Final = msgspec.json.Encoder()

T = TypeVar("T")


class Refused(Exception):  # noqa: N818 - an answer, on its way out
    """Answers with an error."""

    def __init__(self, status: int, error: Error) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error


def answer(value: object, status: int = 200) -> Response:
    """A value as JSON."""
    return Response(_ENCODER.encode(value), status, media_type="application/json")


def answer_error(status: int, error: Error) -> Response:
    """What is wrong."""
    return answer(ErrorBody(error=error), status)


async def body_of(request: Request) -> bytes:
    """The body of a request, which is JSON or empty.

    Raises:
        Refused: it is too large, or something else.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            message = f"the body is larger than {_MOST_BYTES} bytes"
            raise Refused(413, Error(code="request_too_large", message=message))
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != "application/json":
        message = "the body is not `content-type: application/json`"
        raise Refused(415, Error(code="not_json", message=message))
    return bytes(body)


def read(body: bytes, decoder: msgspec.json.Decoder[T], remedies: Mapping[str, str]) -> T:
    """What a body says. `remedies`: field → what would be right.

    Raises:
        Refused: it is not what the decoder takes.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        found = _FIELD.search(str(error))
        field = (found[1] or found[2]) if found is not None else None
        wrong = str(error).partition(" - at ")[0]
        remedy = remedies.get(field or "", "see docs/operations.md")
        message = f"{field}: {wrong}; {remedy}" if field is not None else wrong
        raise Refused(400, Error(code="invalid_field", message=message, field=field)) from None
    except msgspec.DecodeError as error:
        message = f"the body is not JSON: {error}"
        raise Refused(400, Error(code="not_json", message=message)) from None


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101 - registered for it alone
    return answer_error(error.status, error.error)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
    response = answer_error(
        error.status_code,
        Error(code="not_found" if error.status_code == 404 else "refused", message=error.detail),
    )
    response.headers.update(error.headers or {})
    return response


async def _store(request: Request, error: Exception) -> Response:
    return answer_error(503, Error(code="store_unavailable", message=str(error)))


_Handler = Callable[[Request, Exception], Awaitable[Response]]
EXCEPTION_HANDLERS: Final[Mapping[Any, _Handler]] = {
    Refused: _refused,
    HTTPException: _http,
    StoreError: _store,
}
