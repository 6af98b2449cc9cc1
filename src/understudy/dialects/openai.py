"""What OpenAI's two dialects say alike: sampling, effort, how to choose a tool, a schema."""

from __future__ import annotations

import msgspec

from understudy.core.conversation import BadRequestError, Request, Text, ThinkingMode, ToolChoice
from understudy.dialects.base import Traits

__all__ = [
    "GO_ON",
    "Json",
    "Notes",
    "asks_to_go_on",
    "choice_by_word",
    "effort_for",
    "optional_object",
    "place_sampling",
]

Json = dict[str, object]
#: Names of what was changed to fit, each once, in the order in which they were met.
Notes = dict[str, None]

#: The user's turn behind a last turn of the assistant's, for models that do not go on with that.
GO_ON = "Go on with your last message exactly where it stops. Repeat none of it."

#: Budgets of thinking tokens up to which an effort is enough.
_LOW_BUDGET, _MEDIUM_BUDGET = 2048, 8192

#: Efforts that only some models take; `high` is taken by all that take any.
_ABOVE_HIGH = frozenset({"xhigh", "max"})

_ABSENT = frozenset({b"", b"null"})


def asks_to_go_on(request: Request, traits: Traits, notes: Notes) -> bool:
    """Whether the last turn is text of the assistant's, to be continued by a model that cannot."""
    last = request.messages[-1] if request.messages else None
    if last is None or last.role != "assistant" or traits.prefill:
        return False
    if not any(isinstance(part, Text) for part in last.parts):
        return False
    notes["prefill"] = None
    return True


def place_sampling(body: Json, request: Request, traits: Traits, notes: Notes) -> None:
    """Sampling, where the model takes it; `top_k` has no place in these dialects."""
    for name, value in (("temperature", request.temperature), ("top_p", request.top_p)):
        if value is None:
            continue
        if traits.sampling:
            body[name] = value
        else:
            notes[name] = None
    if request.top_k is not None:
        notes["top_k"] = None


def effort_for(thinking: ThinkingMode | None, traits: Traits, notes: Notes) -> str | None:
    """How much to reason, in these dialects' words: `adaptive` is what a model does unasked."""
    if thinking is None:
        return None
    if not traits.effort:
        if thinking.mode != "disabled":
            notes["thinking"] = None
        return None
    effort = thinking.effort
    if effort is None and thinking.mode == "enabled":
        effort = _by_budget(thinking.budget_tokens)
    if effort in _ABOVE_HIGH:
        notes["thinking"] = None
        return "high"
    if effort is None and thinking.mode == "disabled":
        notes["thinking"] = None  # Not every reasoning model takes the effort `none`.
    return effort


def choice_by_word(word: str, *, parallel: bool | None) -> ToolChoice:
    """`tool_choice` as a word.

    Raises:
        BadRequestError: it is none of the three.
    """
    match word:
        case "auto":
            return ToolChoice(mode="auto", parallel=parallel)
        case "none":
            return ToolChoice(mode="none", parallel=parallel)
        case "required":
            return ToolChoice(mode="any", parallel=parallel)
    raise BadRequestError("tool_choice", "Expected `none`, `auto`, `required` or an object")


def optional_object(raw: msgspec.Raw, path: str) -> msgspec.Raw | None:
    """A JSON object as it came; None where it is absent or null.

    Raises:
        BadRequestError: it is something else.
    """
    if bytes(raw) in _ABSENT:
        return None
    if not bytes(raw).startswith(b"{"):
        raise BadRequestError(path, "Expected `object`")
    return raw


def _by_budget(budget: int | None) -> str:
    if budget is None:
        return "medium"
    if budget <= _LOW_BUDGET:
        return "low"
    return "medium" if budget <= _MEDIUM_BUDGET else "high"
