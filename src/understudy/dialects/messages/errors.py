"""Errors as callers of the messages dialect read them.

Source: platform.claude.com/docs/en/api/errors. The types are those that the vendor documents;
`request_too_large` alone has no `_error`.
"""

from __future__ import annotations

import msgspec

from understudy.dialects.base import ErrorView

__all__ = ["ERROR_TYPES", "render_error", "render_stream_error"]

#: Our kind → the vendor's type.
ERROR_TYPES = {
    "invalid_request": "invalid_request_error",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "not_found": "not_found_error",
    "request_too_large": "request_too_large",
    "rate_limit": "rate_limit_error",
    "request_limit": "rate_limit_error",
    "token_limit": "rate_limit_error",
    "api": "api_error",
    "overloaded": "overloaded_error",
    "timeout": "timeout_error",
    "billing": "billing_error",
}


def render_error(error: ErrorView) -> bytes:
    """The JSON body. A kind that the vendor does not know is an `api_error`."""
    inside: dict[str, object] = {
        "type": ERROR_TYPES.get(error.kind, "api_error"),
        "message": error.message,
    }
    if error.understudy:
        inside["understudy"] = error.understudy
    body: dict[str, object] = {"type": "error", "error": inside}
    if "request_id" in error.understudy:
        body["request_id"] = error.understudy["request_id"]
    return msgspec.json.encode(body)


def render_stream_error(error: ErrorView) -> bytes:
    """The same as an event inside a stream. Nothing follows it."""
    return b"event: error\ndata: " + render_error(error) + b"\n\n"
