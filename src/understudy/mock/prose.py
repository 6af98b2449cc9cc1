"""The stand-in's prose: picks out what a text says and puts it in the form that was asked for."""

from __future__ import annotations

import hashlib
import keyword
import re
from collections import Counter
from collections.abc import Callable

import msgspec

from understudy.mock.ask import Turn

__all__ = ["Intent", "Material", "material_of", "write"]

#: An answer's words, unless the form asks for fewer; the least where it is to go into detail.
_LEAST, _MOST = 60, 200
_LEAST_IN_DETAIL = 150

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_WORD = re.compile(r"[^\W\d_][\w'-]*")
_NAME = re.compile(r"(?<=[a-z,;] )[A-Z][\w-]+(?: [A-Z][\w-]+)*")
_COMMON = frozenset(
    """
    about after again all also and any are because been before being both but can could did does
    for from had has have her here his how into its just like make more most much must not now of
    off one only other our out over own please same she should some such summarise summarize text
    than that the their them then there these they this those through to too under until use very
    was way were what when where which while who why will with would write you your following
    give list tell into page document answer rewrite translate outline plan keeps when
    """.split()  # noqa: SIM905 - reads better than a column of strings
)
#: What to speak of when a text gives too few words of its own.
_FILLERS = ("the purpose", "the timing", "the people involved", "the next step", "the cost")


class Intent(msgspec.Struct, frozen=True):
    """A kind of request: how it is recognised, called, and answered."""

    describe: str
    signs: re.Pattern[str]
    form: Callable[[Material], str]
    #: As short as it comes; others are brought to an answer's usual length.
    short: bool = False


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer is made of."""

    intent: Intent
    #: What was asked, without the text that it was asked about.
    prompt: str
    #: Sentences of the text that it was asked about.
    sentences: tuple[str, ...]
    #: The text's main words, most frequent first.
    terms: tuple[str, ...]
    #: Proper names in it, or else its main words.
    names: tuple[str, ...]
    #: Draws that look random and are not: see `pick`.
    seed: int

    def term(self, index: int) -> str:
        """The main word at `index`, round and round."""
        return self.terms[index % len(self.terms)]

    def pick(self, options: tuple[str, ...], salt: int = 0) -> str:
        """One of `options`, always the same one for the same conversation."""
        return options[(self.seed + salt * 7) % len(options)]


def material_of(turns: tuple[Turn, ...], system: str, choice: int = 0) -> Material:
    """What the conversation gives to answer with."""
    said = [turn.text for turn in turns if turn.role == "user" and turn.text.strip()]
    last = said[-1].strip() if said else ""
    prompt, body = _parted(last)
    sentences = _sentences(body or prompt)
    words = [w.lower() for w in _WORD.findall(body or prompt)]
    counted = Counter(w for w in words if len(w) > 3 and w not in _COMMON)
    terms = tuple(sorted(counted, key=lambda w: (-counted[w], words.index(w)))[:8])
    results = " ".join(result.text for turn in turns for result in turn.results)
    seeded = f"{choice}\x1f{last}\x1f{results}".encode()
    return Material(
        intent=_intent(prompt, system),
        prompt=prompt,
        sentences=sentences,
        terms=(*terms, *_FILLERS)[: max(len(terms), len(_FILLERS))],
        names=tuple(dict.fromkeys(_NAME.findall(last))) or terms or ("note",),
        seed=int.from_bytes(hashlib.sha256(seeded).digest()[:6], "big"),
    )


def write(last: Turn, material: Material) -> str:
    """The answer to a conversation that ends with `last`, as prose."""
    if last.results:
        return _fitted(_from_results(last), material)
    seen = " ".join(
        f"The image is {image.media_type}, {image.size:,} bytes."
        if image.size is not None
        else f"The image is {image.media_type}, given by its address."
        for image in last.images
    )
    body = material.intent.form(material)
    if seen:
        body = f"{seen} {body}"
    return body if material.intent.short else _fitted(body, material)


def _parted(text: str) -> tuple[str, str]:
    """The request and the text that it is about: the longest paragraph run beside it."""
    head, separator, rest = text.partition("\n\n")
    if not separator:
        head, separator, rest = text.partition(":\n")
    if not separator:
        colon = text.find(": ")
        short = 0 < colon < 80 and len(text) - colon > 80
        return (text[:colon], text[colon + 2 :]) if short else (text, "")
    if len(rest) >= len(head):
        return head, rest
    before, _, after = text.rpartition("\n\n")
    return (after, before) if before and len(after) < len(before) else (text, "")


def _sentences(text: str) -> tuple[str, ...]:
    found = (piece.strip(" \t-*#>\"'`") for piece in _SENTENCE.split(text[:20_000]))
    return tuple(piece for piece in found if len(piece) > 2)


_DETAIL = re.compile(r"\b(?:in detail|detailed|thorough|at length|long answer)", re.IGNORECASE)


def _intent(prompt: str, system: str) -> Intent:
    for text in (f"{prompt[:400]} {prompt[-200:]}", system[:600]):
        for intent in _INTENTS:
            if intent.signs.search(text):
                return intent
    return _GENERAL


def _weighty(material: Material, most: int) -> list[str]:
    """The sentences that carry most of the main words, in the text's order."""
    weight = {term: len(material.terms) - i for i, term in enumerate(material.terms)}

    def score(sentence: str) -> float:
        words = [word.lower() for word in _WORD.findall(sentence)]
        return sum(weight.get(word, 0) for word in words) / (len(words) + 4)

    ranked = sorted(range(len(material.sentences)), key=lambda i: -score(material.sentences[i]))
    return [material.sentences[i] for i in sorted(ranked[:most])]


def _closed(sentence: str) -> str:
    sentence = sentence[:1].upper() + sentence[1:]
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence.rstrip(',;:')}."


def _fitted(text: str, material: Material) -> str:
    """`text` with at least `_LEAST` words (or as many as detail takes), and cut after a sentence
    that brings it to `_MOST` at most.
    """
    words = len(text.split())
    least = _LEAST_IN_DETAIL if _DETAIL.search(material.prompt) else _LEAST
    salt = 0
    while words < least and salt < len(_MORE):
        more = _MORE[(material.seed + salt) % len(_MORE)]
        added = more.format(material.term(salt), material.term(salt + 1))
        text = f"{text.rstrip()}{_joint(text)}{added}"
        words += len(added.split())
        salt += 1
    return text if words <= _MOST else _shortened(text)


def _joint(text: str) -> str:
    """What stands between a text and a sentence after it: a list is left first."""
    return "\n\n" if text.rsplit("\n", 1)[-1].startswith(("- ", "1.", "5.")) else " "


def _shortened(text: str) -> str:
    kept, held = "", 0
    for piece in re.split(r"(?<=[.!?])(?=\s)", text):
        held += len(piece.split())
        if held > _MOST:
            break
        kept += piece
    return kept or " ".join(text.split()[:_MOST])


_MORE = (
    "The part on {0} matters most here, because the rest follows from it.",
    "Between {0} and {1} there is a link that is worth a second look.",
    "Anyone who reads this for the first time should start with {0} and come back to {1}.",
    "A short example of {0} would make the point easier to follow.",
    "If only one thing is kept, let it be {0}; what is said on {1} can wait.",
    "It is safe to act on this now, and to look at {0} again once more is known.",
    "The open question is how far {0} reaches, and who decides on {1}.",
    "Nothing in this depends on a guess about {1}.",
)


def _summary(material: Material) -> str:
    lead = material.pick(("In short:", "The main points:", "Put briefly:"))
    return " ".join([lead, *(_closed(s) for s in _weighty(material, 4))])


def _outline(material: Material) -> str:
    steps = ("Where it stands", "What is needed", "How it is done", "What may go wrong", "Next")
    lines = [
        f"{i + 1}. {step}: {material.term(i)} and {material.term(i + 1)}."
        for i, step in enumerate(steps)
    ]
    return "\n".join(
        [f"An outline for {material.term(0)}:", *lines, "", "Each part fits on half a page."]
    )


def _rewrite(material: Material) -> str:
    kept = [_closed(s) for s in material.sentences[:12]]
    return _shortened(" ".join(kept))


def _listing(material: Material) -> str:
    points = _weighty(material, 5)
    if len(points) < 3:
        points = [f"{material.term(i).capitalize()}: what it is for" for i in range(5)]
    return "\n".join(f"- {_closed(point)}" for point in points)


def _translation(material: Material) -> str:
    kept = _shortened(" ".join(_closed(s) for s in material.sentences[:8]))
    return f"« {kept} »\n\n(A stand-in wrote this: the words are kept as they were.)"


def _title(material: Material) -> str:
    return f"{material.term(0).capitalize()} and {material.term(1)}: what to know"


def _reply(material: Material) -> str:
    quoted = material.prompt.strip().rstrip("?")[:160]
    ground = _weighty(material, 2)
    lead = material.pick(("You ask:", "The question was:", "To your question,"))
    body = " ".join(_closed(s) for s in ground if s.rstrip("?") not in material.prompt)
    told = body or f"It comes down to {material.term(0)}, seen together with {material.term(1)}."
    return f"{lead} “{quoted}”. {told}"


def _general(material: Material) -> str:
    said = " ".join(_closed(s) for s in _weighty(material, 3))
    lead = material.pick(("Here is what stands out.", "This is what I take from it.", "Noted."))
    return f"{lead} {said}".rstrip()


def _from_results(last: Turn) -> str:
    told = []
    for result in last.results:
        text = " ".join(result.text.split())[:400] or "nothing"
        told.append(f"It failed: {text}." if result.is_error else f"The tool says: {text}.")
    return " ".join(told)


def _code(material: Material) -> str:
    """A small program about the text's main words, between two paragraphs and a list."""
    first, second, third = (material.term(index) for index in range(3))
    one, two = (_identifier(term) for term in (first, second))
    lines = [
        f"Here is a small program that keeps {first} and {second} together:",
        "",
        "```python",
        "from dataclasses import dataclass, field",
        "",
        "",
        "@dataclass",
        f"class {one.title().replace('_', '')}:",
        f'    """One {first}, with its {second}."""',
        "",
        "    name: str",
        f"    {two}: list[str] = field(default_factory=list)",
        "",
        f"    def add(self, {two}: str) -> None:",
        f"        if {two} in self.{two}:",
        f'            raise ValueError(f"{{{two}}} is there already")',
        f"        self.{two}.append({two})",
        "",
        "",
        f"def count_{one}(items: list[{one.title().replace('_', '')}]) -> dict[str, int]:",
        f"    return {{item.name: len(item.{two}) for item in items}}",
        "```",
        "",
        "What to know about it:",
        "",
        f"- It refuses a {second} that is there already.",
        f"- It says nothing of {third}, which is better kept elsewhere.",
        "- It has no dependencies, and a test takes a line or two.",
    ]
    return "\n".join(lines)


def _identifier(term: str) -> str:
    name = re.sub(r"\W+", "_", term.lower()).strip("_") or "item"
    return f"{name}_" if keyword.iskeyword(name) else name


def _signs(*words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(words)})", re.IGNORECASE)


_INTENTS = (
    Intent(
        "a summary", _signs(r"summar", r"tl;?dr", r"key points", r"in short", "digest"), _summary
    ),
    Intent("a title", _signs(r"(?:a |the )?titles?\b", r"headline"), _title, short=True),
    Intent(
        "a translation", _signs(r"translat", r"in(?:to)? (?:french|german|spanish)"), _translation
    ),
    Intent(
        "some code",
        re.compile(
            r"\b(?:write|show|give|generate|implement|need|want|with)\b[^.?!\n]{0,60}"
            r"\b(?:code|script|snippet|function|program|class)\b",
            re.IGNORECASE,
        ),
        _code,
        short=True,
    ),
    Intent("an outline", _signs(r"outline", r"plan\b", r"agenda", r"structure"), _outline),
    Intent(
        "a rewriting",
        _signs(r"rewrit", r"rephras", r"improv", r"polish", r"proofread", r"simplif", r"shorten"),
        _rewrite,
        short=True,
    ),
    Intent(
        "a list", _signs(r"list\b", r"bullet", r"ideas", r"brainstorm", r"action items"), _listing
    ),
    Intent(
        "a question",
        re.compile(
            r"\?\s*$|^\s*(?:who|what|when|where|why|how|which|is|are|can|do|does)\b", re.IGNORECASE
        ),
        _reply,
    ),
)
_GENERAL = Intent("a general one", re.compile(""), _general)
