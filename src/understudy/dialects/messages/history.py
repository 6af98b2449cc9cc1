"""Thinking in the turns so far: what of it the vendor does not take back.

A thinking block is bound by its signature to the model, the vendor and the conversation that it
came from. A block without one was never finished (its stream broke and another target went on) or
was made by a model that signs nothing; it is refused whoever is asked, and so left out always. What
the vendor then sees is the same in every later request, so that blocks that follow, which are bound
to what stood before them, stay valid. A block that is signed by somebody else cannot be told from
a right one: a vendor that refuses it ("messages.1.content.0: Invalid `signature` in `thinking`
block", anthropics/claude-code #10627, anomalyco/opencode #48637) is asked again without any.

With a thinking budget the last assistant turn must begin with a thought where it calls tools
("Expected `thinking` or `redacted_thinking`, but found `tool_use`", anomalyco/opencode #3077).
Where it has none, thinking is switched off for this request, as that error's text advises.
Source: platform.claude.com/docs/en/build-with-claude/extended-thinking.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from understudy.dialects.fields import decode_fields, present
from understudy.dialects.messages.shapes import Kind, PastBlock, PastTurn

__all__ = [
    "ADAPTED",
    "drop_unsigned",
    "may_hold_thinking",
    "rest_from_thinking",
    "without_thinking",
]

#: The name under which an adaptation of the history is noted.
ADAPTED = "thinking history"

#: How a thinking block, redacted or not, names its kind.
_MARK = b'thinking"'
#: How turns mostly begin that can hold none: a user's, and an assistant's of plain text.
_WITHOUT = (
    b'{"role":"user"',
    b'{"role": "user"',
    b'{"role":"assistant","content":"',
    b'{"role": "assistant", "content": "',
)
_HEAD = max(map(len, _WITHOUT))
#: Bytes up to which copying a turn is cheaper than viewing it.
_SHORT = 4096
_KINDS = frozenset({"thinking", "redacted_thinking"})

_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)


_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TURN = msgspec.json.Decoder(PastTurn)
_BLOCKS = msgspec.json.Decoder(list[PastBlock])
_KIND = msgspec.json.Decoder(Kind)

_encode = msgspec.json.encode


def may_hold_thinking(turns: list[msgspec.Raw]) -> bool:
    """Whether a thinking block may stand in one of them, as far as a look at the bytes tells."""
    for turn in turns:
        head = bytes(turn) if len(turn) <= _SHORT else bytes(memoryview(turn)[:_HEAD])
        if not head.startswith(_WITHOUT) and _MARK in bytes(turn):
            return True
    return False


def drop_unsigned(fields: dict[str, msgspec.Raw]) -> bool:
    """Take thinking without a signature out of `messages`; whether there was any."""
    return _drop(fields, _is_unsigned)


def rest_from_thinking(fields: dict[str, msgspec.Raw]) -> bool:
    """Switch thinking off where the history does not allow it; whether it was."""
    thinking = present(fields, "thinking")
    if thinking is None or _kind(thinking) != "enabled" or not _calls_without_thought(fields):
        return False
    del fields["thinking"]
    return True


def drop_clearing(fields: dict[str, msgspec.Raw]) -> None:
    """Thinking was switched off: edits that clear thoughts away are then refused
    ("`clear_thinking_20251015` strategy requires `thinking` to be enabled or adaptive",
    router-for-me/CLIProxyAPI #4957).
    """
    raw = present(fields, "context_management")
    if raw is None:
        return
    try:
        management = _OBJECT.decode(raw)
        edits = _LIST.decode(management["edits"])
    except (*_UNREADABLE, KeyError):
        return
    kept = [edit for edit in edits if not _kind(edit).startswith("clear_thinking")]
    if len(kept) == len(edits):
        return
    if kept or len(management) > 1:
        management["edits"] = msgspec.Raw(_encode(kept))
        fields["context_management"] = msgspec.Raw(_encode(management))
    else:
        del fields["context_management"]


def without_thinking(body: bytes) -> bytes:
    """See `Dialect.forget_thinking`.

    Raises:
        BadRequestError: the body is no JSON object.
    """
    if _MARK not in body:
        return body
    fields = decode_fields(body)
    if not _drop(fields, _is_thinking):
        return body
    if rest_from_thinking(fields):
        drop_clearing(fields)
    return _encode(fields)


def _is_thinking(block: PastBlock) -> bool:
    return block.type in _KINDS


def _is_unsigned(block: PastBlock) -> bool:
    return (block.type == "thinking" and not block.signature) or (
        block.type == "redacted_thinking" and not block.data
    )


def _drop(fields: dict[str, msgspec.Raw], doomed: Callable[[PastBlock], bool]) -> bool:
    """Leave blocks out of assistant turns; a turn of nothing else goes with them."""
    raw = present(fields, "messages")
    try:
        turns = [] if raw is None else _LIST.decode(raw)
    except _UNREADABLE:
        return False
    kept: list[msgspec.Raw] = []
    changed = False
    for turn in turns:
        rest = _turn_without(turn, doomed)
        changed = changed or rest is not turn
        if rest is not None:
            kept.append(rest)
    if not changed or not kept:
        return False
    fields["messages"] = msgspec.Raw(_encode(kept))
    return True


def _turn_without(raw: msgspec.Raw, doomed: Callable[[PastBlock], bool]) -> msgspec.Raw | None:
    """A turn without those blocks: itself where it has none, None where it has nothing else."""
    blocks = _assistant_blocks(raw)
    left = [position for position, block in enumerate(blocks) if not doomed(block)]
    if len(left) == len(blocks):
        return raw
    if not left:
        return None
    turn = _OBJECT.decode(raw)
    content = _LIST.decode(turn["content"])
    turn["content"] = msgspec.Raw(_encode([content[position] for position in left]))
    return msgspec.Raw(_encode(turn))


def _assistant_blocks(raw: msgspec.Raw) -> list[PastBlock]:
    """The blocks of an assistant's turn; none where it is a string, or cannot be read."""
    try:
        turn = _TURN.decode(raw)
        if turn.role != "assistant" or bytes(memoryview(turn.content)[:1]) != b"[":
            return []
        return _BLOCKS.decode(turn.content)
    except _UNREADABLE:
        return []


def _calls_without_thought(fields: dict[str, msgspec.Raw]) -> bool:
    """The last assistant turn calls tools and does not begin with a thought."""
    raw = present(fields, "messages")
    try:
        turns = [] if raw is None else _LIST.decode(raw)
        for turn in reversed(turns):
            if _TURN.decode(turn).role == "assistant":
                blocks = _assistant_blocks(turn)
                calls = any(block.type == "tool_use" for block in blocks)
                return calls and blocks[0].type not in _KINDS
    except _UNREADABLE:
        pass
    return False


def _kind(raw: msgspec.Raw) -> str:
    try:
        return _KIND.decode(raw).type
    except _UNREADABLE:
        return ""
