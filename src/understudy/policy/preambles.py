"""What models say before they go on: "Certainly! Here is the rest of the answer:".

A phrase is written as its slots in order. A slot is its alternatives between bars; one that ends
in `?` may be left out.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

__all__ = ["Preamble", "Strength", "read_preamble"]


class Strength(IntEnum):
    """How sure it is that a phrase is no part of an answer."""

    #: Yes and certainly: words that an answer's dialogue may well hold.
    YES = 1
    #: Speaks of a rest, a continuation: so may a text about code or a list.
    LIKELY = 2
    #: Speaks of this interruption.
    CERTAIN = 3


class Preamble(NamedTuple):
    """A preamble, `end` just after it and the white space that parts it from the text.

    `is_set_off`: it ends in a colon or a line end. `is_pending`: more text must come to tell.
    """

    end: int
    strength: Strength
    is_set_off: bool
    is_pending: bool = False


_NOUN = (
    "answer|response|reply|message|text|code|list|table|story|essay|article|explanation|guide"
    "|document|email|letter|poem|script|function|file|section|paragraph|analysis|summary"
    "|translation|steps|items|points|output"
)
_OURS = "answer|response|reply|message"
_OFF = (
    "left off|stopped|was interrupted|was cut off|got cut off|were interrupted|were cut off"
    "|broke off|ended|had stopped|had left off|paused"
)
_GO_ON = (
    "continue|continuing|resume|resuming|pick up|picking up|picking it up|carry on|carrying on"
    "|to continue|continued"
)
_I_WILL = "i'll|i will|i am|i'm|let me|let's|let us|allow me to|now|i will now|i'll now?"

_SURE = (
    "sure|sure thing|certainly|of course|absolutely|okay|ok|got it|understood|right|alright"
    "|no problem|great|yes"
)
_FOR_THIS = (
    "for the interruption|for the inconvenience|for the confusion|for the cutoff|for that"
    "|about that"
)

_YES: tuple[tuple[str, ...], ...] = (
    (_SURE,),
    (
        "my apologies|apologies|i apologize|i apologise|sorry|i'm sorry",
        _FOR_THIS + "?",
    ),
    ("klar|gern|gerne|natürlich|selbstverständlich|sicher|alles klar|verstanden|in ordnung",),
    ("entschuldigung|entschuldige|verzeihung", "für die unterbrechung|für den abbruch?"),
    ("bien sûr|certainement|d'accord|très bien|entendu|compris|avec plaisir|absolument",),
    ("désolé|désolée|toutes mes excuses", "pour l'interruption|pour cette interruption?"),
    ("claro|claro que sí|por supuesto|desde luego|vale|entendido|de acuerdo|con gusto",),
    ("disculpa|disculpe|lo siento|perdón", "por la interrupción?"),
)
_LIKELY: tuple[tuple[str, ...], ...] = (
    (
        _I_WILL,
        "continue|continuing|continued|continuation|cont'd|cont|resuming",
        "with|from?",
        "the|my|your|this|there|here|that?",
        _NOUN + "|point?",
    ),
    (
        "here's|here is|here are|and here's|below is|this is",
        "the|your|my",
        "rest|remainder|remaining|continued",
        "part|portion|half|section?",
        "of?",
        "the|my|your|this?",
        _NOUN + "?",
    ),
    ("here's|here is", "the|my", "full|complete|completed|whole", _OURS),
    ("as i was saying|where was i",),
    ("the?", _NOUN, "continues|continued|continues here|continued below|continuation"),
    (
        "fortsetzung|weiter|weiter geht's|weiter geht es|es geht weiter|fortgesetzt",
        "im text|der antwort|des textes|des codes|der liste?",
    ),
    (
        "hier",
        "ist|sind|kommt|folgt",
        "der|die",
        "rest|restliche|übrige|restlichen|übrigen",
        "der antwort|des textes|des codes|der liste|antwort|text|code|liste|punkte?",
    ),
    ("suite|la suite", "de la réponse|du texte|du code|de la liste?"),
    ("voici|voilà", "le reste|la fin", "de la réponse|du texte|du code|de la liste?"),
    (
        "continuación|continúa|continuando|sigo|continúo",
        "de la respuesta|del texto|con la respuesta?",
    ),
    (
        "aquí",
        "está|tienes|va|sigue",
        "el resto|la parte restante",
        "de la respuesta|del texto|del código|de la lista?",
    ),
)
_CERTAIN: tuple[tuple[str, ...], ...] = (
    (
        _I_WILL,
        _GO_ON,
        "exactly|right|directly|precisely|seamlessly?",
        "from?",
        "exactly|right|precisely?",
        "where|the point where|the exact point where",
        (
            "i|we|it|you|my answer|the answer|my response|the response|my message|the text|things"
            "|the previous response|the previous answer|my previous response|my previous answer"
            "|the previous message|my last response|my last answer|my last message"
        ),
        _OFF,
    ),
    (
        _I_WILL,
        _GO_ON,
        "with|from?",
        "my|the|your",
        "previous|last|interrupted|earlier|unfinished|incomplete",
        _OURS + "|point|text",
    ),
    (_I_WILL, _GO_ON, "from", "the", "interruption|cutoff|cut-off|point of interruption|break"),
    (
        "here's|here is|and here's|below is|this is",
        "the|my",
        "continuation",
        "of?",
        "the|my|your?",
        "previous|interrupted?",
        _NOUN + "?",
    ),
    ("here's|here is", "the|my", "rest|remainder", "of", "my|the", _OURS),
    (
        "ich",
        "setze|fahre|mache|schreibe|knüpfe",
        "die antwort|meine antwort|den text?",
        "jetzt|nun?",
        "genau|direkt?",
        "dort|da|an der stelle|an dieser stelle?",
        "fort|weiter|an?",
    ),
    (
        "ich",
        "setze|fahre|mache|schreibe",
        "genau|direkt?",
        "dort|da|an der stelle",
        "fort,|weiter,|an,",
        "wo|an der",
        "ich|sie|die antwort|der text",
        "aufgehört habe|unterbrochen wurde|abgebrochen wurde|abgebrochen ist|stehen geblieben bin",
    ),
    (
        "hier",
        "ist|kommt|folgt",
        "die|meine",
        "fortsetzung",
        "der antwort|meiner antwort|des textes|des codes|der liste?",
    ),
    (
        "je",
        "continue|reprends|poursuis",
        "ma réponse|la réponse?",
        "exactement?",
        "là où|à partir de là où|où|à l'endroit où",
        "je me suis arrêté|je m'étais arrêté|j'ai été interrompu|la réponse s'est arrêtée",
    ),
    ("reprenons|continuons", "là où|où", "nous nous sommes arrêtés|nous en étions"),
    ("voici|voilà", "la suite", "de la réponse|de ma réponse|du texte|du code|de la liste?"),
    (
        "continúo|continuando|continuamos|sigo|prosigo|retomo",
        "exactamente?",
        "desde|en?",
        "donde|el punto donde|el punto en que",
        "lo dejé|me quedé|lo dejamos|se interrumpió|se cortó|me detuve",
    ),
    (
        "aquí",
        "está|tienes|va|sigue",
        "la continuación",
        "de la respuesta|de mi respuesta|del texto|del código|de la lista?",
    ),
)


def _slot(written: str) -> tuple[str, ...]:
    words = [" " + word for word in written.removesuffix("?").split("|")]
    return (*words, "") if written.endswith("?") else tuple(words)


_PHRASES = tuple(
    (strength, tuple([_slot(written) for written in phrase]))
    for strength, phrases in (
        (Strength.YES, _YES),
        (Strength.LIKELY, _LIKELY),
        (Strength.CERTAIN, _CERTAIN),
    )
    for phrase in phrases
)

#: Beyond the longest phrases there are.
_LONGEST = 400
_DECORATION = '*_(["“#>¡ '
_CLOSING = '*_)]"”'
_SIGNS = ".!?,;:…—–-"
_PENDING = Preamble(0, Strength.YES, is_set_off=False, is_pending=True)


def read_preamble(text: str, start: int, *, is_all: bool) -> Preamble | None:
    """The preamble that begins at `start`, if one does. `is_all`: no more text is to come."""
    spoken = text[start : start + _LONGEST].lower().replace("’", "'")
    if len(spoken) != min(len(text) - start, _LONGEST):
        return None  # A letter whose small form is two: in none of the phrases.
    is_all = is_all or len(spoken) == _LONGEST
    found: Preamble | None = None
    at = 0
    while True:
        said = _one(spoken, at, is_all)
        if said is None or said.is_pending:
            break
        strength = max(said.strength, found.strength) if found else said.strength
        found = said._replace(strength=strength)
        at = said.end
    if said is not None:
        return said
    return None if found is None else found._replace(end=start + found.end)


def _one(spoken: str, start: int, is_all: bool) -> Preamble | None:
    """One phrase and what ends it."""
    at = start
    while at < len(spoken) and spoken[at] in _DECORATION:
        at += 1
    best, strength, could_go_on = -1, Strength.YES, False
    for kind, slots in _PHRASES:
        end, partial = _match(slots, spoken, at)
        could_go_on = could_go_on or partial
        if end >= max(best, 0):
            best, strength = end, kind
    if could_go_on and not is_all:
        return _PENDING
    return None if best < 0 else _ended(spoken, best, strength, is_all)


def _match(slots: tuple[tuple[str, ...], ...], spoken: str, start: int) -> tuple[int, bool]:
    """(the furthest end of the phrase or -1, whether it may still become longer)."""
    ends = {start}
    partial = False
    for slot in slots:
        reached: set[int] = set()
        for end in ends:
            for word in slot:
                expected = word if end > start else word[1:]
                if spoken.startswith(expected, end):
                    reached.add(end + len(expected))
                elif len(expected) > len(spoken) - end and expected.startswith(spoken[end:]):
                    partial = True
        ends = reached
        if not ends:
            return -1, partial
    return max(ends), partial


def _ended(spoken: str, at: int, strength: Strength, is_all: bool) -> Preamble | None:
    """The phrase that stops at `at`, if something ends it there."""
    signs = _past(spoken, at, _CLOSING + " ")
    stop = _past(spoken, signs, _SIGNS + _CLOSING)
    end = _past(spoken, stop, " \t")
    if end == len(spoken):
        return Preamble(end, strength, is_set_off=True) if is_all else _PENDING
    said = spoken[signs:stop]
    if spoken[end] == "\n":
        while end < len(spoken) and spoken[end].isspace():
            end += 1
        if end == len(spoken) and not is_all:
            return _PENDING
        # What follows may be indented.
        return Preamble(spoken.rfind("\n", 0, end) + 1, strength, is_set_off=True)
    if not said.strip(_CLOSING):
        return None
    is_set_off = ":" in said
    return Preamble(end, strength, is_set_off) if end > stop or is_set_off or "…" in said else None


def _past(spoken: str, at: int, signs: str) -> int:
    while at < len(spoken) and spoken[at] in signs:
        at += 1
    return at
