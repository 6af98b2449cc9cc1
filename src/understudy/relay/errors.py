"""Errors for callers, in the caller's dialect, with the `understudy` object inside."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from understudy.core.faults import Fault, Kind
from understudy.core.outcomes import Attempt
from understudy.dialects.base import Dialect, ErrorView
from understudy.policy.verdict import Verdict
from understudy.relay.http import Refusal

__all__ = ["error_headers", "own_error", "provider_error", "verdict_error"]

#: Status → the kind of error that both vendors' vocabularies have for it.
_KINDS = {
    400: "invalid_request",
    401: "authentication",
    402: "billing",
    403: "permission",
    404: "not_found",
    405: "invalid_request",
    408: "timeout",
    413: "request_too_large",
    414: "invalid_request",
    415: "invalid_request",
    422: "invalid_request",
    429: "rate_limit",
    431: "invalid_request",
    501: "invalid_request",
    503: "overloaded",
    504: "timeout",
    505: "invalid_request",
}


def _kind(status: int) -> str:
    return _KINDS.get(status, "api" if status >= 500 else "invalid_request")


def own_error(
    dialect: Dialect, refusal: Refusal, *, request_id: str, job: str | None = None
) -> bytes:
    """The body for a request that was turned away before any attempt. `job`: the path of the one
    that it is about, where the refusal does not name it.
    """
    job = refusal.job or job
    about: dict[str, object] = {
        "code": refusal.code,
        "message": refusal.message,
        "request_id": request_id,
    }
    if refusal.retry_after is not None:
        about["retry_after"] = round(refusal.retry_after, 1)
    if job is not None:
        about["job"] = job
    return dialect.render_error(
        ErrorView(
            status=refusal.status,
            kind=refusal.kind or _kind(refusal.status),
            message=refusal.message,
            # A kind of its own has the dialect's own code.
            code=None if refusal.kind else refusal.code,
            param=refusal.param,
            understudy=about,
        )
    )


def verdict_error(
    verdict: Verdict,
    *,
    feature: str,
    request_id: str,
    attempts: Sequence[Attempt],
    param: str | None = None,
) -> ErrorView:
    """The view of a verdict: what a program needs, what a person reads, where to look further."""
    if verdict.is_callers and verdict.fault is not None:
        message = verdict.fault.message or verdict.words
        code = verdict.fault.code
    else:
        message = f"{_summary(attempts)} See GET /v1/requests/{request_id}."
        code = verdict.code
    return ErrorView(
        status=verdict.status,
        kind=_kind(verdict.status),
        message=message,
        code=code,
        param=param,
        understudy=_object(verdict, feature, request_id),
    )


def provider_error(verdict: Verdict, body: bytes, *, feature: str, request_id: str) -> bytes | None:
    """The provider's own words with the `understudy` object set into its `error`.

    None if `body` is no JSON object with an `error` object (an edge's page, say).
    """
    try:
        outer = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        inner = msgspec.json.decode(outer["error"], type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, KeyError, RecursionError, UnicodeDecodeError):
        return None
    inner["understudy"] = msgspec.Raw(msgspec.json.encode(_object(verdict, feature, request_id)))
    outer["error"] = msgspec.Raw(msgspec.json.encode(inner))
    return msgspec.json.encode(outer)


def error_headers(retry_after: float | None, *, again: bool = False) -> str:
    """Header lines that keep the official SDKs from hammering on; `again`: that let them ask again
    after that time.
    """
    advice = f"x-should-retry: {'true' if again else 'false'}\r\n"
    if retry_after is None:
        return advice
    return f"retry-after: {max(1, round(retry_after))}\r\n{advice}"


def _object(verdict: Verdict, feature: str, request_id: str) -> dict[str, object]:
    return {
        "code": verdict.code,
        "feature": feature,
        "message": verdict.words,
        "retry_after": None if verdict.retry_after is None else round(verdict.retry_after, 1),
        "request_id": request_id,
    }


def _summary(attempts: Sequence[Attempt]) -> str:
    if not attempts:
        return "No target can be tried for this request now."
    told = "; ".join(f"{attempt.target}: {_reason(attempt.fault)}" for attempt in attempts)
    return f"No target could serve this request ({told})."


def _reason(fault: Fault | None) -> str:
    if fault is None:
        return "given up"
    if fault.kind is Kind.INTERNAL:
        return "a fault of our own"
    return f"{fault.kind.value} ({fault.status})" if fault.status else fault.kind.value
