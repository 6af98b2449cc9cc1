"""A response's `status` and the core's `Stop`, both ways.

`completed` is every proper end, `incomplete` an answer that something cut; `incomplete_details`
says what. Reasons are an open set: one that is not known still cut the answer, so it is a LENGTH.
"""

from __future__ import annotations

from understudy.core.conversation import Stop

__all__ = ["FAILED", "UNFINISHED", "status_for", "stop_for"]

#: Statuses of an answer that went wrong.
FAILED = frozenset({"failed", "cancelled"})

#: Statuses of an answer that is still being made. Only background responses are ever seen so, and
#: none is asked for here.
UNFINISHED = frozenset({"queued", "in_progress"})

_REASONS = {"max_output_tokens": Stop.LENGTH, "content_filter": Stop.REFUSED}

_CUT = {
    Stop.LENGTH: "max_output_tokens",
    # The dialect has no word for a full context window.
    Stop.CONTEXT: "max_output_tokens",
    Stop.REFUSED: "content_filter",
}


def stop_for(*, is_cut: bool, reason: str | None, called: bool, refused: bool) -> Stop:
    """What the end of a response means.

    Args:
        is_cut: Its status is `incomplete`.
        reason: `incomplete_details.reason`.
        called: It holds a call of a function.
        refused: It holds a refusal in words.
    """
    if is_cut:
        return _REASONS.get(reason or "", Stop.LENGTH)
    if refused:
        return Stop.REFUSED
    return Stop.TOOL_USE if called else Stop.END


def status_for(stop: Stop, *, refused: bool) -> tuple[str, str | None]:
    """(status, reason if it is incomplete). A refusal in words (`refused`) completes an answer."""
    if stop is Stop.REFUSED and refused:
        return "completed", None
    reason = _CUT.get(stop)
    return ("incomplete", reason) if reason else ("completed", None)
