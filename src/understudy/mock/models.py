"""What each family of models takes, as the vendors' pages say, and the lists of models.

The stand-in answers to any name. A name that belongs to the other vendor is refused as that vendor
would refuse it, which shows a caller who forgot to change the name on the way.
"""

from __future__ import annotations

import re

import msgspec

__all__ = ["ANTHROPIC_MODELS", "OPENAI_MODELS", "ClaudeModel", "OpenAIModel", "claude", "openai"]

#: Models in the lists, newest first: id, title, release date, context, output.
ANTHROPIC_MODELS = (
    ("claude-opus-5", "Claude Opus 5", "2026-07-21", 1_000_000, 128_000),
    ("claude-sonnet-5", "Claude Sonnet 5", "2026-06-24", 1_000_000, 128_000),
    ("claude-opus-4-8", "Claude Opus 4.8", "2026-05-28", 1_000_000, 128_000),
    ("claude-sonnet-4-6", "Claude Sonnet 4.6", "2026-02-17", 1_000_000, 64_000),
    ("claude-haiku-4-5", "Claude Haiku 4.5", "2025-10-15", 200_000, 64_000),
    ("claude-sonnet-4-5", "Claude Sonnet 4.5", "2025-09-29", 200_000, 64_000),
)
OPENAI_MODELS = ("gpt-5.2", "gpt-5-mini", "o4-mini", "o3", "gpt-4.1", "gpt-4o", "gpt-4o-mini")

_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d+)(?:-(\d{1,2}))?(?![\d])")
_REASONING = re.compile(r"(?:gpt-[5-9]|o\d)")
_EFFORTLESS = re.compile(r"gpt-5\.[1-9]")
_OTHER_REASONING = re.compile(r"deepseek-reasoner|deepseek-r\d|qwq|thinking")
_FOREIGN_TO_ANTHROPIC = re.compile(r"(?:gpt-|o\d|gemini-|chatgpt-)")
_FOREIGN_TO_OPENAI = re.compile(r"(?:claude-|gemini-)")


class ClaudeModel(msgspec.Struct, frozen=True, kw_only=True):
    """https://platform.claude.com/docs/en/about-claude/models and its migration guide."""

    known: bool = True
    #: A last turn of the assistant is continued: not from 4.6 on.
    prefill: bool = True
    #: Non-default temperature, top_p, top_k: not from Opus 4.7 and the fifth generation on.
    sampling: bool = True
    #: `thinking: {type: enabled, budget_tokens}`: not where sampling is not.
    budget: bool = True
    #: `thinking: {type: adaptive}`: from 4.6 on.
    adaptive: bool = False
    #: `thinking: {type: disabled}`: not on Fable and Mythos.
    thinking_off: bool = True
    context: int = 200_000
    output: int = 128_000


class OpenAIModel(msgspec.Struct, frozen=True, kw_only=True):
    """https://developers.openai.com/api/docs/guides/reasoning."""

    known: bool = True
    #: One of OpenAI's own: fields that it does not know are refused.
    strict: bool = False
    #: Reasons before it answers: no `max_tokens`, no `stop`, and no sampling unless its effort is
    #: none.
    reasoning: bool = False
    #: The effort where none is asked for: none from gpt-5.1 on.
    effort: str = "medium"
    #: Another vendor's reasoning model, which shows its `reasoning_content`.
    shows_reasoning: bool = False
    context: int = 400_000


def claude(name: str) -> ClaudeModel:
    """What the model `name` takes under the messages API."""
    if _FOREIGN_TO_ANTHROPIC.match(name):
        return ClaudeModel(known=False)
    found = _VERSION.match(name)
    if found is None:
        return ClaudeModel(adaptive=True)
    version = (int(found[1]), int(found[2] or 0))
    new = version >= (4, 7)
    return ClaudeModel(
        prefill=version < (4, 6),
        sampling=not new,
        budget=not new,
        adaptive=version >= (4, 6),
        thinking_off=not name.startswith(("claude-fable", "claude-mythos")),
        context=1_000_000 if version >= (4, 6) else 200_000,
        output=128_000 if new else 64_000,
    )


def openai(name: str) -> OpenAIModel:
    """What the model `name` takes under chat completions."""
    if _FOREIGN_TO_OPENAI.match(name):
        return OpenAIModel(known=False)
    reasoning = bool(_REASONING.match(name))
    return OpenAIModel(
        strict=reasoning or name.startswith("gpt-"),
        reasoning=reasoning,
        effort="none" if _EFFORTLESS.match(name) else "medium",
        shows_reasoning=bool(_OTHER_REASONING.search(name)),
        context=400_000 if reasoning else 128_000,
    )
