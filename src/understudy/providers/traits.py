"""What a model takes, by its name.

Anthropic publishes capabilities by `GET /v1/models`, but a request cannot wait for that, and
OpenAI publishes none, so these are tables by generation. A name newer than a table is held to the
newest generation's rules: these have only ever become stricter, and what is not sent is not
rejected.

Sources: https://platform.claude.com/docs/en/about-claude/models/overview and the page of each
model below it (windows, thinking), https://platform.claude.com/docs/en/api/errors (prefill),
https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking,
https://developers.openai.com/api/docs/models and the page of each model below it,
https://developers.openai.com/api/docs/guides/reasoning.
"""

from __future__ import annotations

import re

import msgspec

from understudy.dialects.base import Traits

__all__ = ["anthropic_traits", "compatible_traits", "openai_traits"]

# -- Anthropic --------------------------------------------------------------------------------

_MILLION = 1_000_000

#: Opus 5.5, Sonnet 5.5, Fable and Mythos 5: they always think.
_ALWAYS_THINKING = Traits(
    sampling=False,
    thinking_budget=False,
    thinking_off=False,
    thinking_adaptive=True,
    prefill=False,
    context=_MILLION,
    max_output=128_000,
)
#: Opus 4.7 to 5, Sonnet 5, Haiku 5.5: sampling parameters and thinking budgets are rejected.
_ADAPTIVE = msgspec.structs.replace(_ALWAYS_THINKING, thinking_off=True)
#: 4.6: prefill is rejected; budgets are deprecated and still work.
_WITHOUT_PREFILL = msgspec.structs.replace(_ADAPTIVE, sampling=True, thinking_budget=True)
#: 4.5 and before.
_EXTENDED = Traits(context=200_000, max_output=64_000)
_OPUS_4 = Traits(context=200_000, max_output=32_000)
#: Before 3.7 there was no thinking to be had.
_CLAUDE_3_5 = Traits(thinking_budget=False, context=200_000, max_output=8_192)
_CLAUDE_3 = Traits(thinking_budget=False, context=200_000, max_output=4_096)
_BEFORE_3 = Traits(thinking_budget=False)


class _Generation(msgspec.Struct, frozen=True):
    """From `since` (major, minor) on, for these lines of models; () for any."""

    since: tuple[int, int]
    lines: tuple[str, ...]
    traits: Traits


#: Newest first; the first row that fits decides.
_CLAUDE: tuple[_Generation, ...] = (
    _Generation((5, 5), ("haiku",), _ADAPTIVE),
    _Generation((5, 1), (), _ALWAYS_THINKING),
    _Generation((5, 0), ("opus", "sonnet"), _ADAPTIVE),
    _Generation((5, 0), (), _ALWAYS_THINKING),
    _Generation((4, 7), (), _ADAPTIVE),
    _Generation((4, 6), (), _WITHOUT_PREFILL),
    _Generation((4, 5), (), _EXTENDED),
    _Generation((4, 0), ("opus",), _OPUS_4),
    _Generation((3, 7), (), _EXTENDED),
    _Generation((3, 5), (), _CLAUDE_3_5),
    _Generation((3, 0), (), _CLAUDE_3),
    _Generation((0, 0), (), _BEFORE_3),
)

#: `claude-opus-4-1-20250805`, `claude-3-5-haiku-latest`, `claude-sonnet-4.6`, `claude-opus-5`. A
#: number of more than two digits is a date.
_CLAUDE_NAME = re.compile(
    r"claude-(?:(?P<line>[a-z]+)-)?(?P<major>\d{1,2})(?!\d)(?:[-.](?P<minor>\d{1,2})(?!\d))?"
    r"(?:-(?P<line_after>[a-z]+))?",
    re.ASCII,
)


def anthropic_traits(model: str) -> Traits:
    """The traits of a Claude model, by a name as Anthropic, Bedrock, Vertex or OpenRouter has it.

    A name that is not Claude's (another vendor behind the same dialect) takes everything.
    """
    name = model.lower()
    start = name.find("claude")
    if start < 0:
        return Traits()
    found = _CLAUDE_NAME.match(name, start)
    if found is None:
        # Without a number: an alias or a preview.
        return _ALWAYS_THINKING
    version = (int(found["major"]), int(found["minor"] or 0))
    line = found["line"] or found["line_after"] or ""
    for row in _CLAUDE:
        if version >= row.since and (not row.lines or line in row.lines):
            return row.traits
    return _ALWAYS_THINKING


# -- OpenAI -----------------------------------------------------------------------------------

#: Chat completions knows `max_completion_tokens` and `reasoning_effort`, none of Anthropic's
#: thinking. An assistant turn at the end is accepted but answered, not continued.
_CHAT = Traits(
    thinking_budget=False, thinking_off=False, prefill=False, context=128_000, max_output=16_384
)
_REASONING = msgspec.structs.replace(
    _CHAT,
    sampling=False,
    completion_tokens_name=True,
    effort=True,
    context=400_000,
    max_output=128_000,
)
#: The chat variants of GPT-5 reason as they see fit.
_GPT_5_CHAT = msgspec.structs.replace(_REASONING, effort=False, context=128_000, max_output=16_384)
_O_SERIES = msgspec.structs.replace(_REASONING, context=200_000, max_output=100_000)
_O1_PREVIEW = msgspec.structs.replace(_O_SERIES, effort=False, context=128_000, max_output=32_768)
_NEWEST = msgspec.structs.replace(_REASONING, context=None, max_output=None)


def _chat(context: int, max_output: int) -> Traits:
    return msgspec.structs.replace(_CHAT, context=context, max_output=max_output)


class _Family(msgspec.Struct, frozen=True):
    """Models whose names begin like `name` (a regular expression)."""

    name: re.Pattern[str]
    traits: Traits


#: The first row that fits decides. `stop` is rejected by o3 and o4-mini (OpenAI's API reference)
#: and by the first GPT-5, -mini and -nano (BerriAI/litellm #28662). From GPT-5.1 on sampling
#: parameters are taken at effort `none` only, and so not here.
_OPENAI: tuple[_Family, ...] = tuple(
    _Family(re.compile(name, re.ASCII), traits)
    for name, traits in (
        (r"o1-(?:mini|preview)", _O1_PREVIEW),
        (r"o3-mini|o1", _O_SERIES),
        (r"o[3-9]", msgspec.structs.replace(_O_SERIES, stop=False)),
        (r"gpt-5-chat", msgspec.structs.replace(_GPT_5_CHAT, sampling=True)),
        (r"gpt-5\.\d+-chat", _GPT_5_CHAT),
        (r"gpt-5(?!\.)", msgspec.structs.replace(_REASONING, stop=False)),
        (r"gpt-5\.[12](?!\d)", _REASONING),
        (r"gpt-(?:[5-9]|\d\d)|codex", _NEWEST),
        (r"gpt-4o(?:-mini)?-search", msgspec.structs.replace(_CHAT, sampling=False)),
        (r"gpt-4\.1", _chat(1_047_576, 32_768)),
        (r"gpt-4o-2024-05-13", _chat(128_000, 4_096)),
        (r"gpt-4o|chatgpt-4o|gpt-4\.5", _CHAT),
        (r"gpt-4-(?:turbo|vision|1106|0125)", _chat(128_000, 4_096)),
        (r"gpt-4-32k", _chat(32_768, 32_768)),
        (r"gpt-4", _chat(8_192, 8_192)),
        (r"gpt-3\.5-turbo", _chat(16_385, 4_096)),
    )
)

#: Any other name. All of OpenAI's chat models take `max_completion_tokens`.
_OPENAI_OTHER = msgspec.structs.replace(
    _CHAT, completion_tokens_name=True, context=None, max_output=None
)


def openai_traits(model: str) -> Traits:
    """The traits of an OpenAI model, by its name, its fine-tune's, or `openai/…`."""
    name = model.lower().rpartition("/")[2].removeprefix("ft:")
    for row in _OPENAI:
        if row.name.match(name):
            return row.traits
    return _OPENAI_OTHER


# -- Compatible servers -----------------------------------------------------------------------

#: They take every parameter, or ignore it: their models are whatever was loaded. Only a last
#: assistant turn is not relied on: llama.cpp and Ollama continue it, vLLM answers it with a new
#: turn unless told otherwise (`continue_final_message`).
_COMPATIBLE = Traits(effort=True, prefill=False)


def compatible_traits(model: str) -> Traits:
    """The traits of any model behind a compatible server."""
    return _COMPATIBLE
