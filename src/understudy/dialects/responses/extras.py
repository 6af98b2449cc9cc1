"""Top-level fields that core has no word for, on their way into a request of this dialect.

Each is known by name: this dialect's own go through; a hint that changes no answer's nature is left
out and noted; what says what the answer *is* is refused unless it says the default. A name that
stands nowhere here is refused. Sources: the API references of OpenAI (responses, chat completions)
and Anthropic (messages).
"""

from __future__ import annotations

import msgspec

from understudy.core.conversation import InexpressibleError
from understudy.dialects.openai import Notes
from understudy.dialects.responses.output import Json
from understudy.dialects.responses.render_items import NAME

__all__ = ["place_extras"]

#: This dialect's own fields, some of them chat completions' too.
_OURS = frozenset(
    {
        "access_programs",
        "context_management",
        "image",
        "max_tool_calls",
        "metadata",
        "moderation",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "truncation",
    }
)

#: Hints of the other dialects: without them the answer is of the same kind.
_HINTS = frozenset(
    {
        "anthropic_version",
        "billing_policy",
        "cache_control",
        "compaction",
        "diagnostics",
        "fallback_credit_token",
        "fallbacks",
        "frequency_penalty",
        "logit_bias",
        "prediction",
        "presence_penalty",
        "seed",
        "speed",
        # Always false here: see `render`.
        "store",
        "user_profile_id",
    }
)

#: Values that ask for nothing: there is nothing to leave out, and nothing to refuse.
_DEFAULTS: dict[str, tuple[object, ...]] = {
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "n": (1,),
    "presence_penalty": (0,),
    "store": (False,),
    "top_logprobs": (0,),
}


def place_extras(extras: dict[str, msgspec.Raw], body: Json, notes: Notes) -> None:
    """Put into `body` what belongs there; note the hints that are left out.

    Raises:
        InexpressibleError: a field asks for an answer that this dialect cannot give.
    """
    for name, raw in extras.items():
        value = _value(name, raw)
        if value is None or value in _DEFAULTS.get(name, ()):
            continue
        if name == "verbosity":
            body["text"] = {**_object(body.get("text")), "verbosity": raw}
        elif name in _OURS and not _is_foreign(name, value):
            body[name] = raw
        elif name in _OURS or name in _HINTS:
            notes[name] = None
        else:
            raise InexpressibleError(name, NAME)


def _is_foreign(name: str, value: object) -> bool:
    """Whether a field is Anthropic's, where both vendors have one of that name."""
    if name == "service_tier":
        return value == "standard_only"
    return name == "context_management" and not isinstance(value, list)


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _value(name: str, raw: msgspec.Raw) -> object:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise InexpressibleError(name, NAME, f"{name} cannot be read") from None
