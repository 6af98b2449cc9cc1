"""Joins the text of a continuing attempt to the text that the caller already has.

A stream broke; another model goes on. Asked by a prefill it goes on token by token. Asked by a
user's turn it repeats the last words first, as `understudy.policy.continuation` tells it to, or
does what models do: begins the answer again, announces what it will do, opens the code fence anew,
starts in the middle of a word with the whole word.

    deciding ──▶ joining ──▶ passing          deciding: hold the text, compare it with what stands
        │  └──▶ skipping ──▶ joining …        skipping: it begins the answer again; drop it
        └─────────┴──▶ broken                 joining: find the white space in between

What a seam gives is a function of the whole text, whatever the pieces: every step waits until
nothing that may follow could change it.

Rules, in this order.
* The continuation, or what stands in it after a preamble, a fence or an ellipsis, repeats the end
  of what was sent: removed where the repetition is no accident (`_is_certain`, `_is_short`).
  Where several lengths fit, that of the anchor, else the longest.
* It repeats the beginning, so that it can be no accident, and differs before it comes to where the
  stream broke: another answer. `broken`.
* After a user's turn: a sentence broke off, and without any repetition another begins: the same.
* A preamble, a fence that is open already, an ellipsis: dropped.
* Else it goes on as it is, save for the white space at the joint.

After a prefill almost everything is right as it comes: "ha ha" may go on with "ha ha", a table's
row with the same row. So there only repetitions that are long and rich are removed.

What cannot be told apart, and what is done:
* Text that goes round (the same line thrice) and is repeated, unless from the anchor on: the
  longest repetition is removed.
* A user's turn that goes on in the middle of a word without any repetition: a space is put between
  unless the halves are seen to be one word (`lost_gap`).
* After a prefill, a repetition of less than `PREFILLED_LEAST` characters: kept, since it may be
  meant. After a user's turn, a word that begins like the unfinished one and is another
  ("co" "conut"): taken for the repetition.
* A new answer in other words from its first words on, or (after a prefill) a beginning of less than
  a dozen characters again: joined, since nothing shows it.
* White space at the joint that the model was not shown: what it wrote is all that it wanted there.
* Half a character (U+FFFD, half of a surrogate pair) at the end of what was sent: what was sent
  stays, the whole character comes after it.
"""

from __future__ import annotations

from enum import Enum

from understudy.policy.joint import LOOKAHEAD, is_spaceless, lost_gap, rest_of_gap, words_of
from understudy.policy.leads import Lead, Standing, find_leads, past_space
from understudy.policy.markdown import last_line, open_fence
from understudy.policy.repeats import Repeat
from understudy.policy.wrapping import Wrapping

__all__ = ["OVERLAP_MOST", "Seam", "anchor", "whole_characters"]

#: Characters from the end within which a repetition may begin: twice what the instruction quotes.
OVERLAP_MOST = 400
#: The anchor: about eight words, quickly repeated and yet certain.
ANCHOR_WORDS = 8
ANCHOR_MOST = 60

# How much of the same text is no accident: this long, and of so many different characters, so that
# rules, indentation and "| --- | --- |" never count.
#: After a user's turn, which asked for a repetition.
ASKED_LEAST, ASKED_RICH = 12, 6
#: The beginning of the answer, once more.
AGAIN_LEAST, AGAIN_RICH = 24, 8
#: A beginning of this length that stands in the answer twice is not looked for.
AGAIN_MOST = 800
#: After a prefill nothing should come twice: longer than rows and lines that are often the same.
PREFILLED_LEAST, PREFILLED_RICH = 64, 12
#: White space that is held back at most: models in trouble write it without end.
SPACE_MOST = 400
#: A word of a script without spaces: two letters are often doubled for good reason ("いろいろ").
SPACELESS_LEAST = 3
#: A longer word seldom stands before another that begins likewise ("in industrial").
SHORT_MOST = 3
#: Words of one letter that never do: "a and", "I It".
_LETTERS = frozenset("aAI")


class _Stage(Enum):
    DECIDING = 0
    SKIPPING = 1
    JOINING = 2
    PASSING = 3
    BROKEN = 4


class Seam:
    """A filter for the text of one continuing attempt. `sent` is all text that the caller has,
    `asked` is of what it asked: words that the answer may use.

    `broken` becomes True where no clean seam can be had; nothing more is returned then.
    """

    __slots__ = (
        "_anchor",
        "_asked",
        "_base",
        "_fence",
        "_fresh",
        "_gap",
        "_held",
        "_leads",
        "_matched",
        "_prefilled",
        "_repeats",
        "_stage",
        "_standing",
        "_wrapping",
        "broken",
    )

    def __init__(self, sent: str, *, prefilled: bool, asked: str = "") -> None:
        self.broken = False
        self._asked = asked
        self._prefilled = prefilled
        whole = whole_characters(sent)
        #: What the model was shown, and the white space after it.
        self._base = whole.rstrip()
        self._gap = whole[len(self._base) :]
        self._held = ""
        self._fence = open_fence(whole)
        self._standing = Standing(self._base, self._gap, self._fence, prefilled)
        self._anchor = len(self._base) - len(anchor(self._base))
        self._leads: list[Lead] | None = None
        self._repeats: list[Repeat] = []
        #: The text repeated what stands; a new turn began, which may have lost a space.
        self._matched = False
        self._fresh = not prefilled
        self._wrapping: Wrapping | None = None
        self._stage = _Stage.DECIDING if self._base else _Stage.PASSING

    def feed(self, text: str) -> str:
        """Take the next piece; returns what may go to the caller now."""
        if self._stage is _Stage.PASSING:
            return text if self._wrapping is None else self._wrapping.feed(text)
        if not text or self._stage is _Stage.BROKEN:
            return ""
        self._held += text
        return self._advance(is_all=False)

    def finish(self) -> str:
        """The text has ended; returns what was held back. No more may be fed."""
        out = "" if self._stage is _Stage.PASSING else self._advance(is_all=True)
        return out if self._wrapping is None else out + self._wrapping.finish()

    def _advance(self, *, is_all: bool) -> str:
        if self._stage is _Stage.DECIDING and self._held[:SPACE_MOST].isspace():
            if is_all or len(self._held) >= SPACE_MOST:
                self._stage = _Stage.JOINING
        elif self._stage is _Stage.DECIDING:
            self._decide(is_all)
        if self._stage is _Stage.SKIPPING:
            self._skip(is_all)
        return self._join(is_all) if self._stage is _Stage.JOINING else ""

    # -- deciding

    def _decide(self, is_all: bool) -> None:
        if self._leads is None:
            self._leads = find_leads(self._held, self._standing, is_all=is_all)
            if self._leads is None:
                return
            for lead in self._leads:
                self._follow(lead)
        alive = []
        for repeat in self._repeats:
            repeat.step(self._base, self._held)
            if repeat.is_alive:
                alive.append(repeat)
        if not is_all:
            if self._may_skip(alive):
                self._repeats = alive
                self._stage = _Stage.SKIPPING
                return
            # A repetition that is just whole is judged by what follows it.
            if alive or any(repeat.end == len(self._held) for repeat in self._repeats):
                return
        self._choose(self._leads, is_all)

    def _follow(self, lead: Lead) -> None:
        """Compare from `lead` on with every place where a repetition may begin."""
        if lead.at == len(self._held):
            return
        base, first = self._base, self._held[lead.at]
        top = len(base) - len(base.lstrip())
        # What goes round for so long would be held back until it ends.
        goes_round = base.find(base[top : top + AGAIN_MOST], top + 1) >= 0
        if base[top] == first and not goes_round:
            self._repeats.append(Repeat(top, lead.at))
        found = base.find(first, max(top + 1, len(base) - OVERLAP_MOST))
        while found >= 0:
            self._repeats.append(Repeat(found, lead.at))
            found = base.find(first, found + 1)

    def _may_skip(self, alive: list[Repeat]) -> bool:
        """Nothing else is left than the beginning of the answer, once more."""
        return (
            len(alive) == 1
            and self._is_again(alive[0])
            and not any(repeat.end >= 0 for repeat in self._repeats)
        )

    def _is_again(self, repeat: Repeat) -> bool:
        """So much of the answer's beginning was repeated that it is no accident."""
        base = self._base
        if base[: repeat.start].strip():
            return False
        again = base[repeat.start : repeat.position]
        if self._prefilled:
            certain = _is_rich(again, PREFILLED_LEAST, PREFILLED_RICH)
        else:
            certain = _is_rich(again, AGAIN_LEAST, AGAIN_RICH)
        # What stands more than once is the answer's own habit, as the rows of a table.
        return certain and base.find(again, repeat.start + 1) < 0

    def _choose(self, leads: list[Lead], is_all: bool) -> None:
        best = self._best(leads, is_all)
        if best is not None:
            self._cut(best, leads)
            return
        if any(self._is_again(repeat) for repeat in self._repeats if repeat.end < 0):
            self._break()
            return
        lead = _likeliest(leads)
        if self._begins_anew(lead):
            self._break()
            return
        self._fresh = self._fresh or lead.is_spoken or lead.is_fenced
        self._held = self._held[lead.gap :]
        self._stage = _Stage.JOINING

    def _begins_anew(self, lead: Lead) -> bool:
        """A sentence begins where one was broken off, by a model that was asked to repeat the last
        words and did not: another answer.
        """
        if self._prefilled or self._fence is not None or "\n" in self._gap:
            return False
        begun = self._held[lead.at : lead.at + 2]
        broken_off = self._base[-1].islower() or self._base[-1] == ","
        return broken_off and begun[:1].isupper() and (len(begun) < 2 or not begun[1].isupper())

    def _best(self, leads: list[Lead], is_all: bool) -> Repeat | None:
        """The repetition to be removed, if one is."""
        if is_all and not self._prefilled:
            for repeat in self._repeats:
                self._end_within(repeat)
        whole = [repeat for repeat in self._repeats if repeat.end >= 0]
        certain = [repeat for repeat in whole if self._is_certain(repeat)]
        if not certain and not self._prefilled:
            likely = _likeliest(leads)
            certain = [r for r in whole if r.lead == likely.at and self._is_short(r, likely.gap)]
        return min(certain, key=self._rank, default=None)

    def _rank(self, repeat: Repeat) -> tuple[int, bool, int]:
        """The least is the best: the first lead, then the anchor, then the longest."""
        return repeat.lead, repeat.start != self._anchor, repeat.start

    def _end_within(self, repeat: Repeat) -> None:
        """The text ended while it repeated the last words: nothing of it is new."""
        base = self._base
        again = base[repeat.start : repeat.position]
        if (
            repeat.is_alive
            and repeat.start >= len(base) - OVERLAP_MOST
            and base[: repeat.start].strip()
            and _is_rich(again, ASKED_LEAST, ASKED_RICH)
        ):
            repeat.end = len(self._held)

    def _is_certain(self, repeat: Repeat) -> bool:
        """The repetition, by itself, can be no accident."""
        base, start = self._base, repeat.start
        again = base[start:]
        if not base[:start].strip():  # All of it: how else should an answer go on so?
            return _is_rich(again, ASKED_LEAST, ASKED_RICH)
        if not self._prefilled:
            return start == self._anchor or _is_rich(again, ASKED_LEAST, ASKED_RICH)
        return _is_rich(again, PREFILLED_LEAST, PREFILLED_RICH) and base.find(again) == start

    def _is_short(self, repeat: Repeat, gap: int) -> bool:
        """The few characters of an unfinished word or of a marker, with which a new turn began."""
        base, start = self._base, repeat.start
        again, before = base[start:], base[start - 1] if start else "\n"
        after = self._held[repeat.end : repeat.end + 1]
        indent = last_line(base[:start])
        begins_line = not indent.strip()
        if gap < repeat.lead and " " not in again:  # Space before it says that a word is a new one.
            begins_line = begins_line and last_line(self._held[gap : repeat.lead]) == indent
            return begins_line and (self._fence is None or again[0].isalnum())
        if is_spaceless(again[0]):
            return len(again) >= SPACELESS_LEAST or not before.isalnum()
        if not any(character.isalnum() for character in again):
            if self._fence is not None:
                return begins_line and not again.strip(self._fence.mark[0])
            is_bullet = again == "*" and after == "*"  # And bold after it.
            return (begins_line and not is_bullet) or (before.isspace() and after.isalnum())
        if again[0].isalpha():
            return not (before.isalnum() or before in "'’_") and self._is_unfinished(again, after)
        return begins_line or before.isspace() or before in '([{"“'

    def _is_unfinished(self, again: str, after: str) -> bool:
        """Not a whole word by itself of which another, longer one begins likewise."""
        if not after.isalpha() or len(again) > SHORT_MOST or again in _LETTERS:
            return True
        return words_of(self._base).get(again, 0) <= 1

    def _cut(self, best: Repeat, leads: list[Lead]) -> None:
        self._matched = True
        lead = next(lead for lead in leads if lead.at == best.lead)
        if lead.is_fenced and self._fence is None:
            self._wrapping = Wrapping()
        self._held = self._held[best.end :]
        self._stage = _Stage.JOINING

    def _break(self) -> None:
        self.broken = True
        self._stage = _Stage.BROKEN
        self._held = ""

    # -- skipping and joining

    def _skip(self, is_all: bool) -> None:
        repeat = self._repeats[0]
        repeat.step(self._base, self._held)
        if repeat.end >= 0:
            self._matched = True
            self._held = self._held[repeat.end :]
            self._stage = _Stage.JOINING
        elif is_all or not repeat.is_alive:
            self._break()
        else:
            self._held = self._held[repeat.at :]
            repeat.at = 0

    def _join(self, is_all: bool) -> str:
        held = self._held
        start = min(past_space(held, 0), SPACE_MOST)
        if self._gap:
            if start == len(held) < SPACE_MOST and not is_all:
                return ""
            return self._pass(self._wanted(held[:start]) + held[start:])
        if start or self._matched or not self._fresh:
            return self._pass(held) if held or is_all else ""
        if not is_all and len(held) < LOOKAHEAD and "\n" not in held:
            return ""
        gap = lost_gap(self._base, held[:LOOKAHEAD], self._asked) if held else ""
        return self._pass(gap + held)

    def _wanted(self, gap: str) -> str:
        is_indent = bool(gap) and "\n" not in gap and "\n" in self._gap
        if is_indent and not self._matched and (gap != " " or self._fence is not None):
            return gap.removeprefix(last_line(self._gap))
        return rest_of_gap(self._gap, gap)

    def _pass(self, out: str) -> str:
        self._stage = _Stage.PASSING
        self._held = ""
        self._repeats = []
        return out if self._wrapping is None else self._wrapping.feed(out)


def anchor(text: str) -> str:
    """The last words of `text` (without white space at its end), by whose repetition a seam is
    certain: of the last line, or of more where that is too little.
    """
    end = len(text.rstrip())
    start = end
    words = 0
    while start:
        start = _word_start(text, start)
        words += 1
        said = text[start:end]
        begins_line = not last_line(text[:start]).strip()
        if _is_rich(said, ASKED_LEAST, ASKED_RICH) and (begins_line or words >= ANCHOR_WORDS):
            break
        if len(said) >= ANCHOR_MOST:
            break
    return text[max(start, end - ANCHOR_MOST) : end]


def whole_characters(text: str) -> str:
    """`text` without half a character at its end; halves that met are one, others are U+FFFD."""
    if not text.isascii():
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.rstrip("\ufffd")


def _word_start(text: str, end: int) -> int:
    """Where the last word of `text[:end]` begins, white space after it passed over."""
    while end and text[end - 1].isspace():
        end -= 1
    while end and not text[end - 1].isspace():
        end -= 1
    return end


def _is_rich(text: str, least: int, rich: int) -> bool:
    return len(text) >= least and len(set(text)) >= rich


def _likeliest(leads: list[Lead]) -> Lead:
    return [lead for lead in leads if lead.is_likely][-1]
