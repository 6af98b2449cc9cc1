"""How models go on with an answer that is not theirs: each its own habit, under a success.

A habit strikes requests that ask for the rest of an answer, and leaves all others alone. It acts on
what is said, not on how it is sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec.structs import replace

from understudy.mock.ask import Composition
from understudy.mock.faults.entry import CatalogueEntry
from understudy.mock.faults.scene import Args, Scene
from understudy.mock.reply import Where
from understudy.mock.script import Script

__all__ = ["ENTRIES", "PREAMBLES"]

#: What models say before they go on.
PREAMBLES = (
    "Sure, here is the continuation:\n\n",
    "Continuing from where I left off:\n\n",
    "Certainly! Here's the rest of the response:\n\n",
    "I apologize for the interruption. Continuing from where I left off:\n\n",
    "Of course. Let me pick up exactly where the previous response was cut off.\n\n",
    "Here is the continuation of the previous response:\n\n---\n\n",
    "...",
)
_FENCE = re.compile(r"^ {0,3}(?:>\s?)*(`{3,}|~{3,})[^\n`]*$", re.MULTILINE)
_SENTENCE = re.compile(r"(?<=[.!?:])\s+|\n+")
_WORD = re.compile(r"[^\W\d_]{4,}")

Habit = Callable[[Composition, Args], str]


def _overlap(made: Composition, args: Args) -> str:
    return made.before[-args.n :] + made.text if args.n else made.text


def _preamble(made: Composition, args: Args) -> str:
    return PREAMBLES[(args.n or 0) % len(PREAMBLES)] + made.text


def _restart(made: Composition, args: Args) -> str:
    return made.before + made.text


def _fence(made: Composition, args: Args) -> str:
    opened = ""
    for found in _FENCE.finditer(made.before):
        opened = "" if opened else found[0]
    return f"{opened}\n{made.text}" if opened else made.text


def _paraphrase(made: Composition, args: Args) -> str:
    """The whole answer's words in sentences that stand nowhere in it."""
    told = ["To put all of that another way."]
    for sentence in _SENTENCE.split(made.before + made.text):
        words = _WORD.findall(sentence.lower())
        if len(words) > 1:
            told.append(f"Where it says {words[-1]}, think of {words[0]}, and then again of both.")
    return " ".join(told)


def _none(made: Composition, args: Args) -> str:
    return ""


def _lost_space(made: Composition, args: Args) -> str:
    return made.text.lstrip()


def _only_on_the_rest(habit: Habit) -> Callable[[Composition, Args], Composition]:
    def alter(made: Composition, args: Args) -> Composition:
        if habit is _none:
            return replace(made, thinking="", text="", calls=(), ending="end", thinking_tokens=0)
        return replace(made, text=habit(made, args))

    return alter


def _whole(scene: Scene) -> Script:
    yield from scene.whole()


def _entry(name: str, summary: str, habit: Habit, n: int | None = None) -> CatalogueEntry:
    return CatalogueEntry(
        name=f"habit_{name}",
        summary=summary,
        where=Where.AFTER_HEADERS,
        only="continuing",
        defaults=Args(n=n),
        alter=_only_on_the_rest(habit),
        play=_whole,
    )


ENTRIES = (
    _entry("overlap", "The last `n` characters are said again first.", _overlap, 30),
    _entry(
        "preamble", f"Words about going on come first: one of {len(PREAMBLES)}, `n`.", _preamble, 0
    ),
    _entry("restart", "The whole answer comes again, from its beginning.", _restart),
    _entry("fence", "Within a code fence: the fence is opened again.", _fence),
    _entry("paraphrase", "The whole answer comes again in other words: there is no seam.",
           _paraphrase),
    _entry("none", "The rest ends at once: nothing is said.", _none),
    _entry("lost_space", "White space that the rest begins with is not said.", _lost_space),
)  # fmt: skip
