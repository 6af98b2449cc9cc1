"""What a model of this dialect rejects, taken out of a request before it is sent.

Used on both ways to a Messages API: by `readdress` (a caller of the same dialect whose request
goes to another model) and by `render_request` (a caller of another dialect). Sources:
platform.claude.com/docs/en/build-with-claude/extended-thinking ("Feature compatibility": no
`temperature`, no `top_k`, `top_p` from 0.95, no forced tool; `budget_tokens` from 1,024 and below
`max_tokens`), …/adaptive-thinking, …/api/errors (prefill); the API's own words for both sampling
parameters at once: "`temperature` and `top_p` cannot both be specified for this model".
"""

from __future__ import annotations

import msgspec

from understudy.dialects.base import Traits
from understudy.dialects.messages.wire import ThinkingConfig

__all__ = ["EFFORT_BUDGETS", "MIN_BUDGET", "Knobs", "continuation", "fit", "within_limit"]

#: The smallest `budget_tokens` that is accepted.
MIN_BUDGET = 1024

#: Thinking tokens for a word of effort, at models that take a budget and no word.
EFFORT_BUDGETS = {"low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 16384}

#: The smallest `top_p` that thinking goes with.
_THINKING_TOP_P = 0.95

#: How much of an interrupted answer the next turn quotes, in characters.
_QUOTED = 200


class Knobs(msgspec.Struct, kw_only=True):
    """The fields that a model may reject by their value; None is absent."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    thinking: ThinkingConfig | None = None
    #: `tool_choice` is any or tool.
    forced_tool: bool = False

    @property
    def thinks(self) -> bool:
        """Thinking is asked for."""
        return self.thinking is not None and self.thinking.type in {"enabled", "adaptive"}


def fit(knobs: Knobs, traits: Traits) -> list[str]:
    """Change in place what the model would answer with 400; the names of what was changed."""
    return [
        *_fit_max_tokens(knobs, traits),
        *_fit_thinking(knobs, traits),
        *_fit_sampling(knobs, traits),
    ]


def continuation(partial: str) -> str:
    """The user's turn that asks for more where an assistant turn may not be the last.

    `partial` is the text of that assistant turn, which stays before it. The vendor's advice:
    platform.claude.com/docs/en/build-with-claude/streaming, "Error recovery".
    """
    return (
        f'Your previous response was interrupted and ended with "{partial[-_QUOTED:]}". '
        "Continue from where you left off."
    )


def within_limit(thinking: ThinkingConfig, max_tokens: int | None) -> ThinkingConfig | None:
    """A budget of thoughts below `max_tokens`, towards which they count: where it would not fit,
    half of the limit is theirs; None where even that is less than the API takes.
    """
    budget = thinking.budget_tokens or 0
    if max_tokens is None or budget < max_tokens:
        return thinking
    if max_tokens // 2 < MIN_BUDGET:
        return None
    return msgspec.structs.replace(thinking, budget_tokens=max_tokens // 2)


def _fit_max_tokens(knobs: Knobs, traits: Traits) -> list[str]:
    if knobs.max_tokens is None or traits.max_output is None:
        return []
    if knobs.max_tokens <= traits.max_output:
        return []
    knobs.max_tokens = traits.max_output
    return ["max_tokens"]


def _fit_thinking(knobs: Knobs, traits: Traits) -> list[str]:
    before = knobs.thinking
    if before is None:
        return []
    thinking = _accepted(before, traits)
    if thinking is not None and thinking.type != "disabled" and knobs.forced_tool:
        thinking = None  # A forced tool says what the answer is; thinking only how well.
    if thinking is not None and thinking.type == "enabled":
        thinking = within_limit(thinking, knobs.max_tokens)
    knobs.thinking = thinking
    return [] if thinking == before else ["thinking"]


def _accepted(thinking: ThinkingConfig, traits: Traits) -> ThinkingConfig | None:
    """The nearest mode that the model takes."""
    if thinking.type == "enabled" and not traits.thinking_budget:
        if traits.thinking_adaptive:
            return ThinkingConfig(type="adaptive", display=thinking.display)
        return None
    if thinking.type == "adaptive" and not traits.thinking_adaptive:
        if traits.thinking_budget:
            budget = EFFORT_BUDGETS["high"]
            return ThinkingConfig(type="enabled", budget_tokens=budget, display=thinking.display)
        return None
    if thinking.type == "disabled" and not traits.thinking_off:
        return None
    return thinking


def _fit_sampling(knobs: Knobs, traits: Traits) -> list[str]:
    names: list[str] = []
    if not traits.sampling:
        for name in ("temperature", "top_p", "top_k"):
            if getattr(knobs, name) is not None:
                setattr(knobs, name, None)
                names.append(name)
        return names
    if knobs.temperature is not None:
        if knobs.thinks and knobs.temperature != 1:
            knobs.temperature = None
            names.append("temperature")
        elif knobs.temperature > 1:
            knobs.temperature = 1.0
            names.append("temperature")
    if knobs.top_p is not None and (
        knobs.temperature is not None or (knobs.thinks and knobs.top_p < _THINKING_TOP_P)
    ):
        knobs.top_p = None
        names.append("top_p")
    if knobs.thinks and knobs.top_k is not None:
        knobs.top_k = None
        names.append("top_k")
    return names
