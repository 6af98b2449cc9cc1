"""The caller's own body for another model: everything but what must change stays as it came."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from understudy.dialects.base import (
    PAST_THINKING,
    PREFILL,
    SAMPLING,
    THINKING,
    Envelope,
    Traits,
)
from understudy.dialects.fields import present, readdress_model, splice_model
from understudy.dialects.messages.fit import Knobs, continuation, fit
from understudy.dialects.messages.history import (
    ADAPTED,
    drop_clearing,
    drop_unsigned,
    rest_from_thinking,
)
from understudy.dialects.messages.shapes import Kind, PastTextTurn
from understudy.dialects.messages.wire import ThinkingConfig

__all__ = ["readdress"]


_MESSAGES: Final = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TURN: Final = msgspec.json.Decoder(PastTextTurn)
_CHOICE: Final = msgspec.json.Decoder(Kind)
_NUMBER: Final = msgspec.json.Decoder(float)
_INT: Final = msgspec.json.Decoder(int)
_THINKING: Final = msgspec.json.Decoder(ThinkingConfig)

_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    "max_tokens": _INT,
    "temperature": _NUMBER,
    "top_p": _NUMBER,
    "top_k": _INT,
    "thinking": _THINKING,
}


#: A call of the caller's tools in the conversation so far.
_CALL: Final = b'"tool_use"'


def readdress(envelope: Envelope, model: str, traits: Traits | None) -> tuple[bytes, list[str]]:
    """The body for `model` and the names of what was adapted to its `traits`.

    Without traits only `model` changes, and thinking that no model takes back (`history`). A field
    that cannot be read is left for the vendor to answer in its own words.
    """
    if _must_look(envelope, traits):
        addressed = readdress_model(envelope.fields, model)
        names = [ADAPTED] if drop_unsigned(addressed) else []
        if traits is not None:
            names += _adapt(addressed, traits)
        if rest_from_thinking(addressed) and "thinking" not in names:
            names.append("thinking")
        if "thinking" in names and "thinking" not in addressed:
            drop_clearing(addressed)
        if names:
            return msgspec.json.encode(addressed), names
    spliced = splice_model(envelope.body, envelope.model, model)
    if spliced is not None:
        return spliced, []
    return msgspec.json.encode(readdress_model(envelope.fields, model)), []


def _must_look(envelope: Envelope, traits: Traits | None) -> bool:
    """Something may have to be adapted."""
    delicate = envelope.delicate
    if delicate & PAST_THINKING or (delicate & THINKING and _CALL in envelope.body):
        return True
    return traits is not None and not _surely_fits(envelope, traits)


def _surely_fits(envelope: Envelope, traits: Traits) -> bool:
    """There is nothing to be looked at that this model could reject."""
    if envelope.delicate & (SAMPLING | THINKING):
        return False
    if envelope.delicate & PREFILL and not traits.prefill:
        return False
    return traits.allow(envelope.max_tokens)


def _adapt(fields: dict[str, msgspec.Raw], traits: Traits) -> list[str]:
    choice = _read(fields, "tool_choice", _CHOICE)
    read = {name: _read(fields, name, decoder) for name, decoder in _DECODERS.items()}
    knobs = Knobs(**read, forced_tool=choice is not None and choice.type in {"any", "tool"})
    names = fit(knobs, traits)
    for name in names:
        value = getattr(knobs, name)
        if value is None:
            del fields[name]
        else:
            fields[name] = msgspec.Raw(msgspec.json.encode(value))
    if not traits.thinking_adaptive and _drop_effort(fields):
        names.append("output_config.effort")
    # Nor does a prefill go with thinking (…/build-with-claude/extended-thinking).
    if (knobs.thinks or not traits.prefill) and _ask_to_continue(fields):
        names.append("prefill")
    return names


def _drop_effort(fields: dict[str, msgspec.Raw]) -> bool:
    """Models without adaptive thinking do not know the word."""
    config = _read(fields, "output_config", _OBJECT)
    if config is None or config.pop("effort", None) is None:
        return False
    if config:
        fields["output_config"] = msgspec.Raw(msgspec.json.encode(config))
    else:
        del fields["output_config"]
    return True


def _ask_to_continue(fields: dict[str, msgspec.Raw]) -> bool:
    """End with a user's turn where the last one is the assistant's."""
    messages = _read(fields, "messages", _MESSAGES)
    if not messages:
        return False
    try:
        last = _TURN.decode(messages[-1])
    except (msgspec.DecodeError, ValueError):
        return False
    if last.role != "assistant":
        return False
    content = last.content
    said = content if isinstance(content, str) else "".join(part.text for part in content)
    turn = {"role": "user", "content": continuation(said)}
    messages.append(msgspec.Raw(msgspec.json.encode(turn)))
    fields["messages"] = msgspec.Raw(msgspec.json.encode(messages))
    return True


def _read(fields: dict[str, msgspec.Raw], name: str, decoder: msgspec.json.Decoder[Any]) -> Any:
    raw = present(fields, name)
    if raw is None:
        return None
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
