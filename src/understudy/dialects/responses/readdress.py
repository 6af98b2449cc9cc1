"""The same request in the same dialect for another model: the fields pass as they came.

One thing is left behind even on the way to the caller's own model: reasoning that its vendor would
not find (see `history`). All reasoning is, where the model has none of its own.
"""

from __future__ import annotations

import msgspec

from understudy.dialects.base import EFFORT, PAST_THINKING, SAMPLING, Envelope, Traits
from understudy.dialects.fields import capped, readdress_model, splice_model
from understudy.dialects.responses.envelope import ENCRYPTED_REASONING
from understudy.dialects.responses.history import ADAPTED, drop_reasoning
from understudy.dialects.responses.wire import UNREADABLE

__all__ = ["readdress"]

#: What models with reasoning refuse (developers.openai.com, reasoning guide).
_SAMPLING = ("temperature", "top_p")

_NULL = b"null"
_ENTRIES = msgspec.json.Decoder(list[str])

_Fields = dict[str, msgspec.Raw]


def readdress(envelope: Envelope, model: str, traits: Traits | None) -> tuple[bytes, list[str]]:
    """The body for `model`, and the names of what its `traits` made us change.

    Fields keep their order and their bytes. A field that cannot be read is left for the vendor to
    answer in its own words.
    """
    adapted: list[str] = []
    fields = envelope.fields if _must_look(envelope, traits) else {}
    everything = traits is not None and not traits.effort
    if envelope.delicate & PAST_THINKING and drop_reasoning(fields, everything=everything):
        adapted.append(ADAPTED)
    if traits is not None and not _fits(envelope, traits):
        fields = _fitted(fields, traits, adapted)
    if not adapted:
        spliced = splice_model(envelope.body, envelope.model, model)
        if spliced is not None:
            return spliced, []
    return msgspec.json.encode(readdress_model(fields or envelope.fields, model)), adapted


def _must_look(envelope: Envelope, traits: Traits | None) -> bool:
    """Something may have to be adapted."""
    if envelope.delicate & PAST_THINKING:
        return True
    return traits is not None and not _fits(envelope, traits)


def _fits(envelope: Envelope, traits: Traits) -> bool:
    """The model rejects nothing of what the request asks for."""
    rejected = 0 if traits.sampling else SAMPLING
    if not traits.effort:
        rejected |= EFFORT
    if envelope.delicate & rejected:
        return False
    return traits.allow(envelope.max_tokens)


def _fitted(fields: _Fields, traits: Traits, adapted: list[str]) -> _Fields:
    fitted: _Fields = {}
    for name, raw in fields.items():
        kept: msgspec.Raw | None = raw
        if bytes(memoryview(raw)[:4]) != _NULL:
            kept = _fitting(name, raw, traits)
        if kept is not raw:
            adapted.append(name)
        if kept is not None:
            fitted[name] = kept
    return fitted


def _fitting(name: str, raw: msgspec.Raw, traits: Traits) -> msgspec.Raw | None:
    """A field as this model takes it; None if it does not."""
    if name in _SAMPLING:
        return raw if traits.sampling else None
    if name == "reasoning":
        return raw if traits.effort else None
    if name == "include" and not traits.effort:
        return _without_encrypted(raw)
    if name == "max_output_tokens":
        return capped(raw, traits.max_output)
    return raw


def _without_encrypted(raw: msgspec.Raw) -> msgspec.Raw:
    if ENCRYPTED_REASONING not in bytes(raw):
        return raw
    try:
        entries = _ENTRIES.decode(raw)
    except UNREADABLE:
        return raw
    unwanted = ENCRYPTED_REASONING.decode().strip('"')
    return msgspec.Raw(msgspec.json.encode([entry for entry in entries if entry != unwanted]))
