"""Errors as OpenAI words them: `{"error": {"message", "type", "param", "code"}}`.

Types and codes follow the error-codes guide (developers.openai.com/api/docs/guides/error-codes)
and what the API is seen to answer; SDKs choose their exception by the status alone.
"""

from __future__ import annotations

import msgspec

from understudy.dialects.base import ErrorView

__all__ = ["render_error", "render_stream_error"]

#: kind → (type, code where the view has none).
_TYPES: dict[str, tuple[str, str | None]] = {
    "invalid_request": ("invalid_request_error", None),
    "authentication": ("invalid_request_error", "invalid_api_key"),
    "permission": ("permission_error", None),
    "not_found": ("invalid_request_error", "model_not_found"),
    "request_too_large": ("invalid_request_error", "request_too_large"),
    "rate_limit": ("rate_limit_error", "rate_limit_exceeded"),
    "request_limit": ("requests", "rate_limit_exceeded"),
    "token_limit": ("tokens", "rate_limit_exceeded"),
    "billing": ("insufficient_quota", "insufficient_quota"),
    "api": ("server_error", None),
    "overloaded": ("service_unavailable_error", "server_is_overloaded"),
    "timeout": ("server_error", "timeout"),
}


def render_error(view: ErrorView) -> bytes:
    """The body of an error answer."""
    return msgspec.json.encode({"error": _error(view)})


def render_stream_error(view: ErrorView) -> bytes:
    """The event of an error inside a stream; no `[DONE]` follows it."""
    return b"data: " + render_error(view) + b"\n\n"


def _error(view: ErrorView) -> dict[str, object]:
    fallback = "invalid_request_error" if 400 <= view.status < 500 else "server_error"
    kind, code = _TYPES.get(view.kind, (fallback, None))
    error: dict[str, object] = {
        "message": view.message,
        "type": kind,
        "param": view.param,
        "code": view.code or code,
    }
    if view.understudy:
        error["understudy"] = view.understudy
    return error
