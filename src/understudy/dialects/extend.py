"""Further turns at the end of a request's `messages`, in the shape that its dialects share.

Messages and chat completions write a turn of text alike: `role`, and `content` as a string or as a
list of parts of which `{"type": "text", "text": …}` is one.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

__all__ = ["add_turns"]

_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STRING = msgspec.json.Decoder(str)
_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)
_NOTHING = (b"null", b"[]")

_encode = msgspec.json.encode


def add_turns(messages: msgspec.Raw, turns: Sequence[tuple[str, str]]) -> msgspec.Raw:
    """`messages` with these turns (role, text) at their end; what stands there stays as it is.

    Where the last one is an assistant's text already (a prefill) and the first of `turns` is the
    assistant's too, they become one: it is one answer.
    """
    listed = _LIST.decode(messages)
    rest = list(turns)
    if listed and rest and rest[0][0] == "assistant":
        longer = _longer(listed[-1], rest[0][1])
        if longer is not None:
            listed[-1] = longer
            del rest[0]
    listed += [msgspec.Raw(_encode({"role": role, "content": text})) for role, text in rest]
    return msgspec.Raw(_encode(listed))


def _longer(raw: msgspec.Raw, text: str) -> msgspec.Raw | None:
    """An assistant's turn of text with more text at its end; None for any other turn."""
    try:
        turn = _OBJECT.decode(raw)
        if _STRING.decode(turn.get("role", b'""')) != "assistant":
            return None
        if bytes(turn.get("tool_calls", b"null")) not in _NOTHING:
            return None
        content = turn.get("content", msgspec.Raw(b"null"))
        if bytes(memoryview(content)[:1]) == b'"':
            turn["content"] = msgspec.Raw(_encode(_STRING.decode(content) + text))
        else:
            parts = _LIST.decode(content)
            last = _OBJECT.decode(parts[-1]) if parts else {}
            if _STRING.decode(last.get("type", b'""')) != "text":
                return None
            last["text"] = msgspec.Raw(_encode(_STRING.decode(last["text"]) + text))
            parts[-1] = msgspec.Raw(_encode(last))
            turn["content"] = msgspec.Raw(_encode(parts))
    except (*_UNREADABLE, KeyError):
        return None
    return msgspec.Raw(_encode(turn))
