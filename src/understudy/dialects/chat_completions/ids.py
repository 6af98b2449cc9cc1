"""Ids of tool calls: those too long for the dialect, and those that a server forgot.

Both are functions of what is known, so that a call and its result, or two readings of one answer,
always agree.
"""

from __future__ import annotations

from hashlib import sha256

__all__ = ["MAX_TOOL_ID", "made_tool_id", "short_tool_id"]

#: OpenAI answers 400 `string_above_max_length` for `tool_calls[].id` above it
#: (vercel/ai#5171, agno-agi/agno#5382).
MAX_TOOL_ID = 40


def short_tool_id(tool_id: str) -> str:
    """The id as it is, or a digest of it where it is too long."""
    return tool_id if len(tool_id) <= MAX_TOOL_ID else f"call_{_digest(tool_id)}"


def made_tool_id(answer_id: str, position: int) -> str:
    """An id for call number `position` of an answer whose server gave none."""
    return f"call_{_digest(f'{answer_id}/{position}')}"


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]
