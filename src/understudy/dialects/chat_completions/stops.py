"""`finish_reason` and the core's `Stop`, both ways.

Providers add reasons without notice: an unknown one is an ordinary end. A few say the opposite of
an end: the server gave the answer up half-way, under HTTP 200. Those are faults.
"""

from __future__ import annotations

from understudy.core.conversation import Stop
from understudy.core.faults import Fault, Kind, Scope

__all__ = ["broken_off", "finish_reason_for", "stop_for"]

_STOPS = {
    "stop": Stop.END,
    "length": Stop.LENGTH,
    "tool_calls": Stop.TOOL_USE,
    "function_call": Stop.TOOL_USE,
    "content_filter": Stop.REFUSED,
    # Mistral: the model's context window is full.
    "model_length": Stop.CONTEXT,
}

_FINISH_REASONS = {
    Stop.END: "stop",
    Stop.STOP_SEQUENCE: "stop",
    Stop.LENGTH: "length",
    Stop.CONTEXT: "length",
    Stop.TOOL_USE: "tool_calls",
    # The dialect has no word for a turn that waits to be resumed; its text is whole so far.
    Stop.PAUSE: "stop",
    Stop.REFUSED: "content_filter",
}

#: Reasons of servers that abandoned the answer: vLLM and SGLang `abort`, vLLM, Mistral and
#: OpenRouter `error`, DeepSeek `insufficient_system_resource`.
_BROKEN_OFF = {
    "abort": Kind.TRUNCATED,
    "error": Kind.OUTAGE,
    "insufficient_system_resource": Kind.OVERLOAD,
}


def stop_for(reason: str | None, *, called: bool, refused: bool) -> Stop:
    """What a `finish_reason` means, given what the answer holds.

    Args:
        reason: None, `""` (SGLang) and unknown words are an ordinary end.
        called: The answer holds a tool call. Many compatible servers then still say `stop`.
        refused: The answer holds a `refusal`, which OpenAI ends with `stop`.
    """
    stop = _STOPS.get(reason or "stop", Stop.END)
    if stop is Stop.END:
        if refused:
            return Stop.REFUSED
        if called:
            return Stop.TOOL_USE
    return stop


def finish_reason_for(stop: Stop, *, refused: bool) -> str:
    """The `finish_reason` for a stop. A refusal in words (`refused`) ends with `stop`."""
    if refused and stop is Stop.REFUSED:
        return "stop"
    return _FINISH_REASONS[stop]


def broken_off(reason: str | None) -> Fault | None:
    """The fault that a `finish_reason` admits to, or None for a proper end."""
    kind = _BROKEN_OFF.get(reason or "")
    if kind is None:
        return None
    return Fault(
        kind=kind,
        scope=Scope.MODEL,
        status=200,
        code=reason,
        message="the server broke the answer off",
    )
