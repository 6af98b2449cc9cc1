"""Top-level fields that core has no word for, on their way into a messages request.

Each is known by name: this dialect's own go through; a hint that changes no answer's nature is
left out and noted; what says what the answer *is* is refused unless it says the default. A name
that stands nowhere here is refused. Sources: platform.claude.com/docs/en/api/messages,
platform.openai.com/docs/api-reference/chat/create.
"""

from __future__ import annotations

import msgspec

from understudy.core.conversation import InexpressibleError

__all__ = ["place_extras"]

#: This dialect's own fields.
_OURS = frozenset(
    {
        "cache_control",
        "container",
        "context_management",
        "diagnostics",
        "inference_geo",
        "mcp_servers",
        "speed",
        "user_profile_id",
    }
)

#: Hints of chat completions: without them the answer is of the same kind.
_HINTS = frozenset(
    {
        "frequency_penalty",
        "logit_bias",
        "metadata",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "seed",
        "service_tier",
        "store",
        "stream_options",
        "verbosity",
    }
)

#: Values that ask for nothing: there is nothing to leave out, and nothing to refuse.
_DEFAULTS: dict[str, tuple[object, ...]] = {
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "metadata": ({},),
    "modalities": (["text"],),
    "n": (1,),
    "parallel_tool_calls": (True,),
    "presence_penalty": (0,),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "stream_options": ({},),
    "top_logprobs": (0,),
    "verbosity": ("medium",),
}

#: `service_tier` is a field of both dialects; these are this one's words.
_TIERS = frozenset({"auto", "standard_only"})


def place_extras(extras: dict[str, msgspec.Raw], body: dict[str, object]) -> list[str]:
    """Put into `body` what belongs there; the names of the hints that were left out.

    Raises:
        InexpressibleError: a field asks for an answer that this dialect cannot give.
    """
    noted: list[str] = []
    for name, raw in extras.items():
        if name in _OURS:
            body[name] = raw
            continue
        value = _value(name, raw)
        if name == "service_tier" and isinstance(value, str) and value in _TIERS:
            body[name] = value
        elif value is None or value in _DEFAULTS.get(name, ()):
            continue
        elif name in _HINTS:
            noted.append(name)
        else:
            raise InexpressibleError(name, "messages")
    if "safety_identifier" in noted and "metadata" not in body:
        body["metadata"] = {"user_id": extras["safety_identifier"]}
    return noted


def _value(name: str, raw: msgspec.Raw) -> object:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise InexpressibleError(name, "messages", f"{name} cannot be read") from None
