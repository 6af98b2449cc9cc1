"""The shape of a completion as we write it, whole. Encoded as it stands, field by field.

msgspec writes a struct's fields without looking each name up, which a dictionary's encoder must.
"""

from __future__ import annotations

import msgspec

__all__ = ["WrittenChoice", "WrittenCompletion", "WrittenMessage", "WrittenUsage", "written_usage"]


class WrittenMessage(msgspec.Struct, gc=False):
    """The answer itself. What is unset is not written."""

    role: str
    content: str | None
    refusal: str | None
    reasoning_content: str | msgspec.UnsetType = msgspec.UNSET
    tool_calls: list[dict[str, object]] | msgspec.UnsetType = msgspec.UNSET


class WrittenChoice(msgspec.Struct, gc=False):
    """The one choice."""

    index: int
    message: WrittenMessage
    logprobs: None
    finish_reason: str


class _PromptDetails(msgspec.Struct, gc=False):
    cached_tokens: int
    cache_write_tokens: int


class _CompletionDetails(msgspec.Struct, gc=False):
    reasoning_tokens: int


class WrittenUsage(msgspec.Struct, gc=False):
    """Tokens, as OpenAI counts them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: _PromptDetails
    completion_tokens_details: _CompletionDetails


class WrittenCompletion(msgspec.Struct, gc=False):
    """A whole completion."""

    id: str
    object: str
    created: int
    model: str
    choices: tuple[WrittenChoice]
    usage: WrittenUsage


def written_usage(
    prompt: int, completion: int, cache_read: int, cache_write: int, reasoning: int
) -> WrittenUsage:
    """OpenAI's `usage` object."""
    return WrittenUsage(
        prompt,
        completion,
        prompt + completion,
        _PromptDetails(cache_read, cache_write),
        _CompletionDetails(reasoning),
    )
