"""What the stand-in answers: a function of the conversation, and of nothing else.

The same conversation gives the same answer from every model and in either dialect, so a failover
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
from understudy.mock.prose import Material, material_of, write
from understudy.mock.schema_values import Words, value_for

__all__ = ["compose", "digest_of"]

_ENCODER = msgspec.json.Encoder()

_INTERRUPTED = re.compile(r"interrupted|cut off|cut short|broke off", re.IGNORECASE)
_CONTINUE = re.compile(r"\bcontinue\b|\bpick up\b|\bgo on\b|left off", re.IGNORECASE)
#: How much of an answer must be quoted for its place to be found.
_SEAM = 40


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
    turns, said = _without_continuation(ask.turns)
    last = turns[-1] if turns else Turn(role="user")
    material = material_of(turns, ask.system, choice)
    thinking = _thinking(material) if ask.thinking and not said else ""
    calls = () if said else _calls(ask, last, material, prefer_tool=prefer_tool)
    if calls:
        text = "" if ask.tool_choice in {"any", "tool"} else f"I will ask {calls[0].name} first."
        return _limited(ask, Composition(thinking=thinking, text=text, calls=calls))
    text = _json(ask, material) if ask.schema is not None else write(last, material)
    return _limited(ask, Composition(thinking=thinking, text=_after(text, said)))


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


# -- continuation


class _Said(msgspec.Struct, frozen=True):
    """What stands of an answer: the `part` itself, and the `note` that may quote its end."""

    part: str = ""
    note: str = ""

    def __bool__(self) -> bool:
        return bool(self.part or self.note)


_NOTHING = _Said()


def _without_continuation(turns: tuple[Turn, ...]) -> tuple[tuple[Turn, ...], _Said]:
    """The conversation as it was first asked, and what has been said of its answer already.

    Two ways of asking for the rest: a last turn of the assistant, and (for models that take none)
    a user's turn that says that the response was interrupted and how it ended
    (https://platform.claude.com/docs/en/build-with-claude/streaming#error-recovery).
    """
    if not turns:
        return turns, _NOTHING
    last = turns[-1]
    if last.role == "assistant":
        return turns[:-1], _Said(part=last.text)
    if not (_INTERRUPTED.search(last.text) and _CONTINUE.search(last.text)):
        return turns, _NOTHING
    if len(turns) == 1:
        return _within_turn(last)
    before = turns[-2]
    if before.role == "assistant" and not before.called:
        return turns[:-2], _Said(before.text, last.text)
    return turns[:-1], _Said(note=last.text)


def _within_turn(turn: Turn) -> tuple[tuple[Turn, ...], _Said]:
    """The request and the note in one turn, as where consecutive turns were put together."""
    found = _INTERRUPTED.search(turn.text)
    start = turn.text.rfind("\n\n", 0, found.start()) if found else -1
    if start <= 0:
        return (turn,), _NOTHING
    first = msgspec.structs.replace(turn, text=turn.text[:start])
    return (first,), _Said(note=turn.text[start:])


def _after(answer: str, said: _Said) -> str:
    """What is left of `answer` after what has been said of it."""
    if not said or (said.part and answer.startswith(said.part)):
        return answer[len(said.part) :] if said else answer
    told = f"{said.part}\n{said.note}"
    for end in range(len(answer), 0, -1):
        if not answer[end - 1].isspace() and answer[max(0, end - _SEAM) : end] in told:
            return answer[end:]
    return answer


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
