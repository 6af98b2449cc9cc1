"""A product of seven features, the model that serves it, and the ways in which that falls ill.

Answers are texts, read by the very code that reads real ones; only who writes them is made up.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from understudy.core.conversation import Stop
from understudy.policy.quality import Asked, Event, Quality, Said, Sign, Signs, read
from understudy.policy.quality.scripts import scripts_of

__all__ = [
    "FEATURES",
    "ILLNESSES",
    "Feature",
    "Found",
    "Illness",
    "Kitchen",
    "Life",
    "healthy",
    "ill",
]

MODEL = "anthropic/claude-sonnet-5"
#: The most answers until an illness is noticed, or a recovery; and those after it was noticed.
LONGEST, STILL = 5000, 300
#: Different answers of a kind that are written and read; a life draws from them.
POOL = 120
#: Seconds between samples.
STEP = 1.0

Spoil = Callable[[random.Random, str], str]

_WORDS = {
    "CYRILLIC": "и в не на я быть он с что а по это она этот к но они мы весь который из у один",
    "THAI": "สวัสดี ครับ ขอบคุณ การ และ ที่ เป็น ของ ใน ได้ มี ไม่ ให้ ว่า จะ ไป มา กับ แล้ว คน",
    "CJK": "的 一 是 不 了 在 人 有 我 他 这 个 们 中 来 上 大 为 和 国 地 到 以 说 时 要 就 出 会",
    "ARABIC": "في من على أن إلى عن هذا التي كان مع هو كل بعد ما لا قد هذه بين عند حتى يوم",
    "DEVANAGARI": "के है में की और से का को पर यह नहीं कि एक हो था कर भी इस लिए तो",
    "HANGUL": "이 그 저 것 수 나 우리 않다 있다 하다 되다 보다 같다 주다 대하다 가다 년 한 말 일",
    "HEBREW": "של את על לא הוא זה עם כי היה גם אני אל יש היא כל אבל מה או אם רק",
    "GREEK": "και το να του στο για που είναι από με τον δεν στην θα της ένα τους αλλά",
}
_LATIN = (
    "the of and to in a is that for it as was with be by on not he this are or his from at which "
    "but have an had they you were there one all we their has would when if who more no out up "
    "time people year work government day system program question number night point home water "
    "room mother area money story fact month lot right study book eye job word business issue side "
    "kind head house service friend father power hour game line end member law car city community "
    "name president team minute idea body information back parent face others level office door "
    "health person art war history party result change morning reason research girl guy moment air "
    "teacher force education foot boy age policy music market sense process product effect class"
)
#: How often a word comes is about one in its place in the list (Zipf).
_COMMON = [1.0 / (place + 2.0) for place in range(400)]
_SCHEMA = (
    b'{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"},'
    b'"tags":{"type":"array","items":{"type":"string"}}},"required":["name","age"],'
    b'"additionalProperties":false}'
)
_NO = "I'm sorry, but I can't help with that request. "


def prose(draw: random.Random, size: int, words: str = _LATIN) -> str:
    """So many characters of what looks like a language."""
    vocabulary = words.split()
    found: list[str] = []
    length = 0
    while length < size:
        sentence = draw.choices(vocabulary, _COMMON[: len(vocabulary)], k=draw.randint(5, 16))
        found.append(" ".join(sentence).capitalize() + ".")
        length += len(found[-1]) + 1
    return " ".join(found)


def _code(draw: random.Random, size: int) -> str:
    lines = []
    while sum(map(len, lines)) < size:
        name, other = draw.choices(_LATIN.split(), k=2)
        lines += [f"def {name}_{other}({other}, value={draw.randint(0, 99)}):"]
        lines += [f"    total = {other} * {draw.randint(2, 9)} + value", "    return total", ""]
    return "Here is the code:\n\n```python\n" + "\n".join(lines) + "\n```\n"


def _table(draw: random.Random, size: int) -> str:
    rows = ["| name | value | share |", "| --- | --- | --- |"]
    while sum(map(len, rows)) < size:
        name = draw.choice(_LATIN.split())
        rows.append(f"| {name} | {draw.randint(0, 9999)} | {draw.random():.1%} |")
    return "\n".join(rows)


def _record(draw: random.Random, size: int) -> str:
    tags = draw.choices(_LATIN.split(), k=max(1, size // 12))
    record = {"name": draw.choice(_LATIN.split()), "age": draw.randint(1, 99), "tags": tags}
    return msgspec.json.encode(record).decode()


def _in_any(draw: random.Random, size: int) -> str:
    return prose(draw, size // 2, _WORDS[draw.choice(list(_WORDS))])


def _english_mostly(draw: random.Random, size: int) -> str:
    text = prose(draw, size)
    if draw.random() < 0.005:  # "What is the Russian for…?"
        text += f" In that language: {prose(draw, 20, _WORDS[draw.choice(list(_WORDS))])}"
    return text


class Feature(NamedTuple):
    """One feature of the product, while all is well."""

    name: str
    #: Its part of the product's calls.
    part: float
    write: Callable[[random.Random, int], str]
    #: Characters of an answer: the median, and the spread of the logarithm.
    length: int
    spread: float
    #: It is asked for in the script that it answers in; else in English.
    in_kind: bool = False
    schema: bytes | None = None
    #: Shares of answers that decline in prose, are refused, are not what the schema asks for.
    declines: float = 0.005
    refuses: float = 0.003
    breaks: float = 0.0


FEATURES = (
    Feature("assistant", 0.3, _english_mostly, 900, 0.9),
    Feature("support", 0.15, _in_any, 500, 0.6, in_kind=True),
    Feature("translate", 0.1, _in_any, 700, 0.8),
    Feature("code", 0.1, _code, 1500, 0.8),
    Feature("reports", 0.1, _table, 1800, 0.5),
    Feature("extract", 0.15, _record, 300, 0.6, schema=_SCHEMA, breaks=0.005),
    Feature("moderated", 0.1, prose, 600, 0.6, declines=0.08, refuses=0.05),
)


class Answer(NamedTuple):
    """What is left of an answer once it has been read."""

    signs: Signs
    refused: bool = False


class Illness(NamedTuple):
    """A way to be ill: what becomes of an answer that it strikes, and how many it strikes."""

    name: str
    share: float
    spoil: Spoil | None = None
    #: Only these features show it.
    only: tuple[str, ...] = ()
    #: Refusals come so many times as often; answers are so many times as long.
    refusals: float = 1.0
    lengths: float = 1.0


def _stray(draw: random.Random, text: str) -> str:
    words = text.split(" ")
    for _ in range(3):
        at = draw.randrange(len(words))
        words.insert(at, draw.choice(_WORDS["THAI"].split() + _WORDS["CJK"].split()))
    return " ".join(words)


def _stuck(draw: random.Random, text: str) -> str:
    words = text.split(" ")
    kept = " ".join(words[: max(1, len(words) // 4)])
    return f"{kept} {' '.join(words[: draw.randint(3, 9)] * 60)}"


def _not_json(draw: random.Random, text: str) -> str:
    return draw.choice(
        (f"Here is the JSON you asked for: {text}", text[:-2], '{"name": "it", "years": 3}')
    )


_HIT = (0.01, 0.02, 0.05, 0.1, 0.2)
ILLNESSES = (
    *(Illness("Thai and Chinese words strewn in", share, _stray) for share in _HIT),
    *(Illness("answers that repeat themselves", share, _stuck) for share in (0.01, 0.05, 0.2)),
    *(
        Illness("JSON that breaks its schema (where asked for)", share, _not_json, ("extract",))
        for share in (0.02, 0.05, 0.2)
    ),
    Illness("five times the refusals", 1.0, refusals=5.0),
    Illness("answers half as long", 1.0, lengths=0.5),
    Illness("answers a third shorter", 1.0, lengths=2.0 / 3.0),
)


class Kitchen:
    """Answers, written and read, by feature and by what has been done to them."""

    def __init__(self, seed: int = 1) -> None:
        self._draw = random.Random(seed)
        self._pools: dict[tuple[str, Spoil | None], list[Signs]] = {}

    def pool(self, feature: Feature, spoil: Spoil | None) -> list[Signs]:
        """What answers of a feature show, spoilt in this way or in none."""
        key = (feature.name, spoil)
        found = self._pools.get(key)
        if found is None:
            found = self._pools[key] = [self._cook(feature, spoil) for _ in range(POOL)]
        return found

    def _cook(self, feature: Feature, spoil: Spoil | None) -> Signs:
        text = feature.write(self._draw, feature.length)
        scripts = scripts_of(text) if feature.in_kind else frozenset()
        asked = Asked(scripts=scripts, structured=feature.schema is not None, schema=feature.schema)
        if spoil is not None:
            text = spoil(self._draw, text)
        return read(Said(text=text, stop=Stop.END), asked)


class Life:
    """One model's answers, one after the other, as a product with its moods asks for them."""

    def __init__(self, seed: int, kitchen: Kitchen, features: Sequence[Feature] = FEATURES) -> None:
        self._draw = random.Random(seed)
        self._kitchen = kitchen
        self._features = features
        self._parts = [feature.part for feature in features]
        self._mood = 0.0
        self._phase = self._draw.random()
        self._turn = 0
        self.quality = Quality()

    def answer(self, illness: Illness | None = None) -> None:
        """One more."""
        draw = self._draw
        self._turn += 1
        (feature,) = draw.choices(self._features, self._parts)
        now = self._turn * STEP
        if illness is not None and illness.only and feature.name not in illness.only:
            illness = None
        times = illness.refusals if illness is not None else 1.0
        if draw.random() < min(0.95, feature.refuses * times):
            self.quality.showed(MODEL, feature.name, Sign.REFUSED, now)
            return
        self.quality.answered(MODEL, feature.name)
        self.quality.settle(now)
        self.quality.sampled(MODEL, feature.name, self._signs(feature, illness), now)

    def _signs(self, feature: Feature, illness: Illness | None) -> Signs:
        draw = self._draw
        struck = illness if illness is not None and draw.random() < illness.share else None
        signs = draw.choice(
            self._kitchen.pool(feature, struck.spoil if struck is not None else None)
        )
        declines = signs.declines
        if declines is not None and draw.random() < feature.declines:
            declines = True
        broken = signs.breaks_structure
        if broken is False and draw.random() < feature.breaks:
            broken = True
        length = signs.length
        if length is not None:
            times = struck.lengths if struck is not None else 1.0
            length = self._length(feature, 60 if declines else feature.length, times)
        return msgspec.structs.replace(
            signs, declines=declines, breaks_structure=broken, length=length
        )

    def _length(self, feature: Feature, median: int, times: float) -> int:
        """Lengths go with the hour, and with what one person asks for several times in a row."""
        draw = self._draw
        hour = 0.15 * math.sin(2.0 * math.pi * (self._turn / 3000.0 + self._phase))
        self._mood = 0.5 * self._mood + draw.gauss(0.0, 0.3)
        own = draw.gauss(0.0, feature.spread)
        return max(1, round(times * median * math.exp(hour + self._mood * 0.5 + own)))


class Found(NamedTuple):
    """What came of one life. Counts are answers; None: never."""

    #: The signs for which it was doubted while it was well.
    false_alarms: tuple[str, ...] = ()
    noticed: int | None = None
    #: Well again, and cleared after so many; and how often it was cleared while it was still ill.
    cleared: int | None = None
    cleared_wrongly: int = 0


def healthy(seed: int, kitchen: Kitchen, answers: int) -> Found:
    """A model that is well all the time."""
    life = Life(seed, kitchen)
    return Found(tuple(sign for _ in range(answers) for sign in _doubts(life)))


def ill(seed: int, kitchen: Kitchen, illness: Illness, well: int) -> Found:
    """A model that is well for so many answers, ill until that has been noticed, and for `STILL`
    more; then well again.
    """
    life = Life(seed, kitchen)
    for _ in range(well):
        life.answer()
    if life.quality.doubted:  # A false alarm is not what is measured here.
        _until(life, None, lambda: not life.quality.doubted)
    noticed = _until(life, illness, lambda: bool(life.quality.doubted))
    if noticed is None:
        return Found()
    wrongly = 0
    life.quality.changes()
    for _ in range(STILL):
        life.answer(illness)
        wrongly += any(one.event is Event.RECOVERED for one in life.quality.changes())
    if not life.quality.doubted:
        _until(life, illness, lambda: bool(life.quality.doubted))
    return Found((), noticed, _until(life, None, lambda: not life.quality.doubted), wrongly)


def _doubts(life: Life) -> list[str]:
    life.answer()
    changes = life.quality.changes()
    return [str(change.sign) for change in changes if change.event is Event.DOUBTED]


def _until(life: Life, illness: Illness | None, over: Callable[[], bool]) -> int | None:
    for count in range(1, LONGEST + 1):
        life.answer(illness)
        if over():
            return count
    return None
