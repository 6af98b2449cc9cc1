"""Why an answer ended and what it cost, between Anthropic's words and ours.

Source: platform.claude.com/docs/en/api/messages (`stop_reason`, `usage`).
"""

from __future__ import annotations

import msgspec

from understudy.core.conversation import Stop, Usage
from understudy.core.faults import Fault, Kind, Scope
from understudy.dialects.messages.shapes import WireUsage

__all__ = [
    "STOP_REASONS",
    "malformed",
    "merged_usage",
    "read_stop",
    "read_usage",
    "wire_usage",
]

#: Our word → Anthropic's.
STOP_REASONS = {
    Stop.END: "end_turn",
    Stop.STOP_SEQUENCE: "stop_sequence",
    Stop.LENGTH: "max_tokens",
    Stop.CONTEXT: "model_context_window_exceeded",
    Stop.TOOL_USE: "tool_use",
    Stop.PAUSE: "pause_turn",
    Stop.REFUSED: "refusal",
}

_STOPS = {word: stop for stop, word in STOP_REASONS.items()}


_NOTHING = Usage()
_USAGE = msgspec.json.Decoder(WireUsage | None)


def read_stop(word: str) -> Stop:
    """Our word for a `stop_reason`. The vendor's set is open: an unknown one is a plain end."""
    return _STOPS.get(word, Stop.END)


def merged_usage(raw: msgspec.Raw, before: Usage | None) -> Usage | None:
    """Cumulative usage: what `raw` names overwrites, what it does not name stays.

    Usage that cannot be read is worth no fault: `before` is returned.
    """
    if not raw:
        return before
    try:
        wire = _USAGE.decode(raw)
    except msgspec.DecodeError:
        return before
    return before if wire is None else read_usage(wire, before)


def read_usage(wire: WireUsage, before: Usage | None = None) -> Usage:
    """Our way of counting: `input` is the whole prompt, cached parts included."""
    old = before or _NOTHING
    read = _or(wire.cache_read_input_tokens, old.cache_read)
    write = _or(wire.cache_creation_input_tokens, old.cache_write)
    fresh = _or(wire.input_tokens, old.input - old.cache_read - old.cache_write)
    details = wire.output_tokens_details
    return Usage(
        input=fresh + read + write,
        output=_or(wire.output_tokens, old.output),
        cache_read=read,
        cache_write=write,
        reasoning=_or(details.thinking_tokens if details else None, old.reasoning),
    )


def wire_usage(usage: Usage) -> dict[str, object]:
    """Anthropic's way of counting: `input_tokens` leaves out what a cache gave or took."""
    body: dict[str, object] = {
        "input_tokens": max(0, usage.input - usage.cache_read - usage.cache_write),
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.output,
    }
    if usage.reasoning:
        body["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return body


def malformed(message: str, scope: Scope = Scope.PROVIDER) -> Fault:
    """Under status 200 came what the messages dialect does not allow."""
    return Fault(kind=Kind.MALFORMED, scope=scope, status=200, message=message)


def _or(value: int | None, before: int) -> int:
    return before if value is None else max(0, value)
