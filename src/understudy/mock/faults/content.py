"""Faults of what is said: nothing, a refusal, nonsense under a success."""

from __future__ import annotations

import msgspec

from understudy.mock.ask import Call, Composition
from understudy.mock.faults.entry import OPENAI, CatalogueEntry
from understudy.mock.faults.scene import Args, Scene
from understudy.mock.reply import Where
from understudy.mock.script import Script

__all__ = ["ENTRIES"]

_replace = msgspec.structs.replace
#: Letters of several scripts, as in https://www.anthropic.com/engineering/a-postmortem-of-three-recent-issues.
_STRAY = "สวัสดี 模型 ответ ελιά ნიავი 结果 ขอบคุณ сбой"
_REFUSAL = "I can't help with that request."


def _whole(scene: Scene) -> Script:
    yield from scene.whole()


def _empty(made: Composition, args: Args) -> Composition:
    return _replace(made, thinking="", text="", calls=(), ending="end", thinking_tokens=0)


def _refused(made: Composition, args: Args) -> Composition:
    return _replace(_empty(made, args), ending="refused")


def _refused_midway(made: Composition, args: Args) -> Composition:
    return _replace(made, text=made.text[: len(made.text) // 2], calls=(), ending="refused")


def _refused_in_words(made: Composition, args: Args) -> Composition:
    return _replace(_empty(made, args), refusal=_REFUSAL)


def _garbled(made: Composition, args: Args) -> Composition:
    words = made.text.split(" ")
    stray = _STRAY.split()
    kept = len(words) // 4
    mixed = [stray[i % len(stray)] if i % 2 else word for i, word in enumerate(words)]
    return _replace(made, text=" ".join(words[:kept] + mixed[kept:]))


def _repeating(made: Composition, args: Args) -> Composition:
    words = made.text.split(" ")
    told = " ".join(words[: max(len(words) // 4, 1)])
    phrase = " ".join(words[:6])
    return _replace(made, text=" ".join([told, *[phrase] * (args.n or 1)]))


def _half(made: Composition, args: Args) -> Composition:
    return _replace(made, text=made.text[: len(made.text) // 2], ending="end")


def _prose(made: Composition, args: Args) -> Composition:
    plain = made.text.translate(str.maketrans("", "", '{}[]"'))
    return _replace(made, text=f"Sure! Here is the answer you asked for: {plain}", calls=())


def _broken_arguments(made: Composition, args: Args) -> Composition:
    broken = tuple(Call(call.name, f"{call.arguments[:-1]}, oops") for call in made.calls)
    return _replace(made, calls=broken)


ENTRIES = (
    CatalogueEntry(
        name="empty_answer",
        summary="A proper end, and no content before it.",
        where=Where.AFTER_HEADERS,
        alter=_empty,
        play=_whole,
    ),
    CatalogueEntry(
        name="refusal",
        summary="200 with a refusal in the place of content: stop_reason refusal, or "
        "finish_reason content_filter, or incomplete for content_filter.",
        where=Where.AFTER_HEADERS,
        alter=_refused,
        play=_whole,
    ),
    CatalogueEntry(
        name="refusal_midway",
        summary="Half the answer, and then a refusal as the reason of the end.",
        where=Where.MID_TEXT,
        alter=_refused_midway,
        play=_whole,
    ),
    CatalogueEntry(
        name="refusal_in_words",
        summary="A refusal in the message's own place for it, as an answer that is whole.",
        where=Where.AFTER_HEADERS,
        dialects=OPENAI,
        alter=_refused_in_words,
        play=_whole,
    ),
    CatalogueEntry(
        name="garbled",
        summary="Words of several scripts among those of the answer, under a success.",
        where=Where.MID_TEXT,
        alter=_garbled,
        play=_whole,
    ),
    CatalogueEntry(
        name="repetition",
        summary="The answer falls into saying the same thing `n` times.",
        where=Where.MID_TEXT,
        defaults=Args(n=40),
        alter=_repeating,
        play=_whole,
    ),
    CatalogueEntry(
        name="half_answer",
        summary="The answer stops in the middle and says that this was its end.",
        where=Where.MID_TEXT,
        alter=_half,
        play=_whole,
    ),
    CatalogueEntry(
        name="prose_for_json",
        summary="Prose, although JSON was asked for.",
        where=Where.MID_TEXT,
        alter=_prose,
        play=_whole,
    ),
    CatalogueEntry(
        name="broken_arguments",
        summary="A tool call whose arguments are no JSON. Needs a tool in the request.",
        where=Where.MID_TOOL_CALL,
        modes=("stream",),
        alter=_broken_arguments,
        play=_whole,
    ),
)
