"""Ids of responses, of their items and of calls.

All are functions of what is known, so that a call and its result, two readings of one answer, or
two writers of one stream always agree.
"""

from __future__ import annotations

from hashlib import sha256

__all__ = ["FOREIGN_REASONING", "MAX_CALL_ID", "item_id", "response_id", "short_call_id"]

#: OpenAI answers 400 `string_above_max_length` for a `call_id` above it
#: (AnswerDotAI/fastllm#45, NousResearch/hermes-agent#72006).
MAX_CALL_ID = 64

#: How the id of a reasoning item begins that this dialect's vendor did not write. Sent back to it
#: the item would be looked up, not found, and the request refused (vercel/ai#7543), so `readdress`
#: leaves it behind.
FOREIGN_REASONING = "rs_understudy_"

#: The vendor refuses an item whose id begins otherwise.
_PREFIXES = {"message": "msg_", "function_call": "fc_", "reasoning": FOREIGN_REASONING}

_ID_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def response_id(answer_id: str) -> str:
    """An id of the vendor's form for the answer of any provider; its own stays as it is."""
    if answer_id.startswith("resp_"):
        return answer_id
    kept = "".join(letter if letter in _ID_CHARACTERS else "_" for letter in answer_id)
    return f"resp_{kept}"


def item_id(kind: str, answer: str, index: int) -> str:
    """The id of output item `index` (from 0) of the response with the id `answer`.

    Args:
        kind: message, function_call or reasoning.
        answer: The response's id.
        index: Its place in `output`.
    """
    return f"{_PREFIXES[kind]}{_digest(f'{answer}/{index}')}"


def short_call_id(call_id: str) -> str:
    """The id as it is, or a digest of it where it is too long."""
    return call_id if len(call_id) <= MAX_CALL_ID else f"call_{_digest(call_id)}"


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
