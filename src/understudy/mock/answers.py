"""What the stand-in answers: a function of the conversation, and of nothing else.

The same conversation gives the same answer from every model and in every dialect, so a failover
or a continuation can be checked to the letter. The answer suits the request as far as a stand-in
can: a summary is made of the text's own sentences, a question is answered with what it quotes.
"""

from __future__ import annotations

import hashlib
import re
from typing import Literal

import msgspec

from understudy.mock import tokens
from understudy.mock.ask import Ask, Call, Composition, Turn
from understudy.mock.continuation import parted, place_in
from understudy.mock.prose import Material, material_of, write
from understudy.mock.schema_values import Words, value_for

__all__ = ["compose", "continues", "counted", "digest_of"]

_ENCODER = msgspec.json.Encoder()
_BEFORE_CALL = "I will ask"


def digest_of(turns: tuple[Turn, ...], system: str) -> bytes:
    """Distinguishes conversations; white space at the ends of turns does not count."""
    summed = hashlib.sha256(system.strip().encode())
    for turn in turns:
        results = "\x1e".join(result.text.strip() for result in turn.results)
        summed.update(f"\x1d{turn.role}\x1f{turn.text.strip()}\x1f{results}".encode())
    return summed.digest()


def compose(ask: Ask, *, prefer_tool: bool = False, choice: int = 0) -> Composition:
    """The answer to `ask`, within its limits.

    `prefer_tool`: call a tool if any is on offer (a fault is to strike within the call). `choice`:
    which of several answers to the same prompt.
    """
    turns, said = parted(ask.turns)
    last = turns[-1] if turns else Turn(role="user")
    material = material_of(turns, ask.system, choice)
    thinking = _thinking(material) if ask.thinking and not said.prefilled else ""
    prefer_tool = prefer_tool or said.part.startswith(_BEFORE_CALL)
    calls = _calls(ask, last, material, prefer_tool=prefer_tool)
    if calls:
        forced = ask.tool_choice in {"any", "tool"}
        text = "" if forced else f"{_BEFORE_CALL} {calls[0].name} first."
    elif ask.schema is not None:
        text = _json(ask, material)
    else:
        text = write(last, material)
    place = place_in(text, said)
    made = Composition(thinking=thinking, text=text[place:], calls=calls, before=text[:place])
    return _limited(ask, made)


def continues(ask: Ask) -> bool:
    """Whether `ask` asks for the rest of an answer."""
    return bool(parted(ask.turns)[1])


def counted(made: Composition) -> Composition:
    """The same answer with its tokens counted anew."""
    said = [made.text, made.refusal, *(call.arguments for call in made.calls)]
    spoken = sum(tokens.count(text) for text in said)
    return msgspec.structs.replace(made, output_tokens=made.thinking_tokens + spoken)


def _thinking(material: Material) -> str:
    return (
        f"The request is {material.intent.describe}. It turns on {material.term(0)} and "
        f"{material.term(1)}. I will keep to what the text says, put the main point first, and "
        "leave out what nobody asked for."
    )


def _json(ask: Ask, material: Material) -> str:
    schema = ask.schema or {}
    words = Words(material.prompt, material.terms)
    if not schema:
        made: object = {"answer": material.sentences[0] if material.sentences else words.term()}
    else:
        made = value_for(schema, words)
    return _ENCODER.encode(made).decode()


# -- tools


def _calls(ask: Ask, last: Turn, material: Material, *, prefer_tool: bool) -> tuple[Call, ...]:
    if not ask.tools or ask.tool_choice == "none":
        return ()
    fitting = [tool for tool in ask.tools if _fits(tool.name, last.text)]
    if ask.tool_choice == "tool":
        chosen = [tool for tool in ask.tools if tool.name == ask.tool_name]
    elif ask.tool_choice == "any" or prefer_tool:
        chosen = fitting or [ask.tools[0]]
    else:
        chosen = [] if last.results else fitting
    made = []
    for tool in chosen[: 2 if ask.parallel else 1]:
        arguments = value_for({"type": "object", **tool.schema}, Words(last.text, material.names))
        made.append(Call(tool.name, _ENCODER.encode(arguments).decode()))
    return tuple(made)


def _fits(name: str, prompt: str) -> bool:
    """Whether a word of the tool's name (get_weather: weather) stands in the prompt."""
    said = set(re.findall(r"[a-z]+", prompt.lower()))
    parts = re.findall(r"[a-z]+", re.sub(r"([A-Z])", r" \1", name).lower())
    return any(len(part) > 3 and (part in said or f"{part}s" in said) for part in parts)


# -- limits


def _limited(ask: Ask, whole: Composition) -> Composition:
    """The answer up to the first stop sequence and the token limit, with its tokens counted."""
    text, stopped = _stopped(whole.text, ask.stop)
    calls = () if stopped else whole.calls
    left = ask.max_tokens if ask.max_tokens is not None else 1 << 40
    left -= ask.reasoning_tokens
    thinking, thought = tokens.cut(whole.thinking, max(left, 0))
    left -= thought
    shown, spoken = tokens.cut(text, max(left, 0))
    left -= spoken
    short = thinking != whole.thinking or shown != text
    kept: list[Call] = []
    called = 0
    for call in calls:
        arguments, used = tokens.cut(call.arguments, max(left, 0))
        if short or not used:
            short = True
            break
        kept.append(Call(call.name, arguments))
        left -= used
        called += used
        short = arguments != call.arguments
    hidden = min(ask.reasoning_tokens, ask.max_tokens or ask.reasoning_tokens)
    return Composition(
        thinking=thinking,
        text=shown,
        calls=tuple(kept),
        ending="length" if short else _ending(stopped, kept),
        stop_sequence=None if short else stopped,
        output_tokens=thought + spoken + called + hidden,
        thinking_tokens=thought + hidden,
        before=whole.before,
    )


def _ending(stopped: str | None, calls: list[Call]) -> Literal["stop_sequence", "tool_use", "end"]:
    if stopped:
        return "stop_sequence"
    return "tool_use" if calls else "end"


def _stopped(text: str, sequences: tuple[str, ...]) -> tuple[str, str | None]:
    """The text before the earliest stop sequence, and which it was."""
    found = [(text.find(sequence), sequence) for sequence in sequences if sequence in text]
    if not found:
        return text, None
    place, sequence = min(found)
    return text[:place], sequence
