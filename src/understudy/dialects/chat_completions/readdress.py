"""The same request in the same dialect for another model: the fields pass as they came."""

from __future__ import annotations

from typing import Final

import msgspec

from understudy.dialects.base import (
    EFFORT,
    MAX_COMPLETION_TOKENS,
    MAX_TOKENS,
    SAMPLING,
    STOP,
    Envelope,
    Traits,
)
from understudy.dialects.fields import capped, readdress_model, splice_model

__all__ = ["readdress"]

#: What reasoning models refuse beside `temperature` (developers.openai.com, reasoning guide).
_SAMPLING = ("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty")

#: Two names of one limit; a model takes the one or the other.
_LIMITS: Final = frozenset({"max_tokens", "max_completion_tokens"})

_NULL: Final = b"null"


def readdress(envelope: Envelope, model: str, traits: Traits | None) -> tuple[bytes, list[str]]:
    """The body for `model`, and the names of what its `traits` made us change.

    Fields keep their order and their bytes; without traits only `model` changes.
    """
    fits = traits is None or _fits(envelope, traits)
    if fits:
        spliced = splice_model(envelope.body, envelope.model, model)
        if spliced is not None:
            return spliced, []
    wanted = readdress_model(envelope.fields, model)
    adapted: list[str] = []
    if traits is not None and not fits:
        wanted = _fitted(wanted, traits, adapted)
    return msgspec.json.encode(wanted), adapted


def _fits(envelope: Envelope, traits: Traits) -> bool:
    """The model rejects nothing of what the request holds."""
    rejected = MAX_TOKENS if traits.completion_tokens_name else MAX_COMPLETION_TOKENS
    if not traits.sampling:
        rejected |= SAMPLING
    if not traits.effort:
        rejected |= EFFORT
    if not traits.stop:
        rejected |= STOP
    if envelope.delicate & rejected:
        return False
    return traits.allow(envelope.max_tokens)


def _fitted(
    fields: dict[str, msgspec.Raw], traits: Traits, adapted: list[str]
) -> dict[str, msgspec.Raw]:
    refused: set[str] = set()
    if not traits.sampling:
        refused.update(_SAMPLING)
    if not traits.effort:
        refused.add("reasoning_effort")
    if not traits.stop:
        refused.add("stop")
    limit = "max_completion_tokens" if traits.completion_tokens_name else "max_tokens"
    fitted: dict[str, msgspec.Raw] = {}
    for name, raw in fields.items():
        if bytes(memoryview(raw)[:5]) == _NULL:
            fitted[name] = raw
        elif name in refused:
            adapted.append(name)
        elif name not in _LIMITS:
            fitted[name] = raw
        elif name == limit or limit not in fields:
            fitted[limit] = capped(raw, traits.max_output)
            if name != limit or fitted[limit] is not raw:
                adapted.append(name)
        else:
            adapted.append(name)  # Both were given: the one that this model takes counts.
    return fitted
