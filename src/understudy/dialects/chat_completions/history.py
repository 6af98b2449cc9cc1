"""Reasoning in the turns so far, as servers hand it out and callers send it back.

The dialect itself has no word for it. DeepSeek, vLLM and SGLang say `reasoning_content`, OpenRouter
and newer vLLM `reasoning` and `reasoning_details`; some models want it back between their tool
calls, others ignore it, and a few servers refuse it ("property 'reasoning_content' is
unsupported", janhq/jan #8136 about Groq, Kilo-Org/kilocode #10375 about Cerebras). So it passes as
it came, and a server that refuses it is asked again without.
"""

from __future__ import annotations

import msgspec

from understudy.dialects.fields import decode_fields, present

__all__ = ["without_thinking"]

_NAMES = ("reasoning_content", "reasoning", "reasoning_details")

#: What an assistant's turn may consist of.
_SUBSTANCE = ("content", "refusal", "tool_calls", "function_call", "audio")

_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)

_encode = msgspec.json.encode


def without_thinking(body: bytes) -> bytes:
    """See `Dialect.forget_thinking`.

    Raises:
        BadRequestError: the body is no JSON object.
    """
    fields = decode_fields(body)
    raw = present(fields, "messages")
    try:
        turns = [] if raw is None else _LIST.decode(raw)
    except _UNREADABLE:
        return body
    rest = [_turn_without(turn) for turn in turns]
    if all(after is before for after, before in zip(rest, turns, strict=True)):
        return body
    fields["messages"] = msgspec.Raw(_encode([turn for turn in rest if turn is not None]))
    return _encode(fields)


def _turn_without(raw: msgspec.Raw) -> msgspec.Raw | None:
    """A turn without its reasoning: itself where it has none, None where it has nothing else."""
    try:
        turn = _OBJECT.decode(raw)
    except _UNREADABLE:
        return raw
    if bytes(turn.get("role", b"")) != b'"assistant"' or turn.keys().isdisjoint(_NAMES):
        return raw
    for name in _NAMES:
        turn.pop(name, None)
    if all(present(turn, name) is None for name in _SUBSTANCE):
        return None
    return msgspec.Raw(_encode(turn))
