"""OpenAI's headers, its envelope for errors, its list of models, and what it says of keys.

https://developers.openai.com/api/docs/guides/rate-limits and …/guides/error-codes.
"""

from __future__ import annotations

import msgspec

from understudy.mock import models
from understudy.mock.allowance import Allowance
from understudy.mock.errors import ErrorSpec
from understudy.mock.openai import limits
from understudy.mock.reply import Headers

__all__ = [
    "BAD_KEY",
    "NO_JSON",
    "NO_KEY",
    "NO_PATH",
    "PING",
    "error_body",
    "error_object",
    "headers",
    "model_list",
]

_ENCODER = msgspec.json.Encoder()

#: Neither API has a ping; servers that keep a connection warm send a comment.
PING = b": ping\n\n"
#: When the listed models came out (Unix seconds): one day for all.
_RELEASED = 1_760_000_000

NO_KEY = ErrorSpec(
    status=401,
    type="invalid_request_error",
    message=(
        "You didn't provide an API key. You need to provide your API key in an Authorization "
        "header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY). You can obtain an "
        "API key from https://platform.openai.com/account/api-keys."
    ),
)
BAD_KEY = ErrorSpec(
    status=401,
    type="invalid_request_error",
    message=(
        "Incorrect API key provided: {key}. You can find your API key at "
        "https://platform.openai.com/account/api-keys."
    ),
    code="invalid_api_key",
)
NO_PATH = ErrorSpec(status=404, type="invalid_request_error", message="Invalid URL")
NO_JSON = ErrorSpec(
    status=400,
    type="invalid_request_error",
    message=(
        "We could not parse the JSON body of your request. (HINT: This likely means you "
        "aren't using your HTTP library correctly. The OpenAI API expects a JSON payload.)"
    ),
)


def headers(request_id: str, allowance: Allowance) -> Headers:
    """The vendor's headers."""
    return (
        ("x-request-id", request_id),
        ("openai-organization", "understudy-mock"),
        ("openai-processing-ms", "12"),
        ("openai-version", "2020-10-01"),
        *limits.headers(allowance),
    )


def error_object(spec: ErrorSpec) -> dict[str, object]:
    """What stands under `error`."""
    return {"message": spec.message, "type": spec.type, "param": spec.param, "code": spec.code}


def error_body(spec: ErrorSpec, request_id: str) -> bytes:
    """The error envelope."""
    return _ENCODER.encode({"error": error_object(spec)})


def model_list() -> bytes:
    """`GET /v1/models`."""
    listed = [
        {"id": name, "object": "model", "created": _RELEASED, "owned_by": "system"}
        for name in models.OPENAI_MODELS
    ]
    return _ENCODER.encode({"object": "list", "data": listed})
