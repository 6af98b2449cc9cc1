"""What belongs between the text that stands and the text that goes on from it."""

from __future__ import annotations

import unicodedata

from understudy.policy.markdown import fence_of, last_line, marker_of, open_fence

__all__ = ["LOOKAHEAD", "is_spaceless", "lost_gap", "rest_of_gap", "words_of"]

#: How much of a continuation `lost_gap` must see, if its first line is not shorter: a first word or
#: a list marker, with room for a long word.
LOOKAHEAD = 40

#: Scripts that are written without spaces between words, by the names of their letters.
_SPACELESS = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "BOPOMOFO")
_VOWELS = frozenset("aeiouyäöüáéíóúàèìòùâêîôûëïœæøåãõ")
#: What stands after an apostrophe in English.
_CONTRACTED = frozenset({"s", "t", "d", "m", "ll", "re", "ve"})
#: Ends of words that are no words: English, German, French, Spanish.
_ENDINGS = frozenset(
    {
        "ing", "ings", "ed", "ers", "ly", "ally", "tion", "tions", "ation", "ations",
        "ment", "ments", "ness", "ible", "ity", "ities", "ies", "ous", "ive", "ful", "ize",
        "ized", "ism", "ists", "ung", "ungen", "heit", "keit", "lich", "liche",
        "lichen", "isch", "ische", "ischen", "ement", "ements", "euse", "ción", "ciones",
        "mente", "idad",
    }
)  # fmt: skip


def rest_of_gap(stands: str, wanted: str) -> str:
    """What of the white space `wanted` is still to be sent where `stands` was sent already.

    A prefill may not end in white space, so what stood there often comes again.
    """
    if wanted.startswith(stands):
        return wanted[len(stands) :]
    if stands.startswith(wanted):
        return ""
    lines, more_lines = stands.count("\n"), wanted.count("\n")
    if not more_lines:
        return ""  # Two kinds of space; or a space for which a line end stands already.
    if not lines:
        return wanted
    indent, more_indent = stands.rpartition("\n")[2], wanted.rpartition("\n")[2]
    if more_lines > lines:
        return "\n" * (more_lines - lines) + more_indent
    return more_indent[len(indent) :] if more_indent.startswith(indent) else ""


def lost_gap(base: str, head: str, asked: str = "") -> str:
    """The white space that a model left out when it began a new turn with `head`.

    Models hardly ever begin a turn with a space, and streams mostly stop at the end of a word,
    since most tokens begin with their space. So between two words a space is what is most probable,
    unless something shows that they are halves of one: `asked`, what the answer is about, has words
    that it may use.
    """
    line = last_line(base)
    first = head.partition("\n")[0]
    fence = open_fence(base)
    if fence is not None:
        closes = fence_of(first)
        is_close = closes is not None and not closes.info and closes.mark.startswith(fence.mark)
        return "\n" if is_close and line.strip() and fence_of(line) is None else ""
    if fence_of(line) is None and line.count("`") % 2:
        return ""  # Inside code.
    return _lost_line_end(line, first) or (" " if _is_space_lost(base, line, head, asked) else "")


def words_of(text: str) -> dict[str, int]:
    """How often each whole word stands in `text`."""
    count: dict[str, int] = {}
    for word in "".join([c if c.isalnum() else " " for c in text]).split():
        count[word] = count.get(word, 0) + 1
    return count


def is_spaceless(character: str) -> bool:
    """A letter of a script without spaces between words."""
    return character > "\u0dff" and unicodedata.name(character, "").startswith(_SPACELESS)


def _lost_line_end(line: str, first: str) -> str:
    """The line end before a heading, a fence, the next list item or table row."""
    stands = fence_of(line)
    if stands is not None:
        return "\n\n"  # A closed fence: nothing may follow on its line.
    marker = marker_of(first)
    if marker == "#":
        return "\n\n"
    if fence_of(first) is not None:
        return "\n"
    if not marker or marker == ">":
        return ""
    if marker == marker_of(line) and (marker != "|" or line.rstrip().endswith("|")):
        return "\n"
    return "\n\n" if line.endswith(":") else ""


def _is_space_lost(base: str, line: str, head: str, asked: str) -> bool:
    before, after = base[-1], head[0]
    if marker_of(line + " ") and (" " not in line.strip() or "|" in {before, after}):
        return True  # A marker by itself, or the edge of a table's cell.
    if is_spaceless(before) or is_spaceless(after):
        return False
    if before.isalnum() and after.isalnum():
        return not _is_one_word(base, head, asked)
    if not (before.isalnum() or before in ".,;:!?)" or _is_picture(before) or _closes(line)):
        return False
    if not after.isalpha():
        return _opens(line, head)
    return before not in ".!?" or (after.isupper() and not line[-2:-1].isupper())


def _closes(line: str) -> bool:
    """It ends in a sign that closes bold or code."""
    return any(line.endswith(sign) and line.count(sign) % 2 == 0 for sign in ("**", "`"))


def _opens(line: str, head: str) -> bool:
    """`head` begins with a sign that belongs to the next word, or stands for itself."""
    if head[0] in "–—-":
        return head[1:2] == " "
    for sign in ("**", "`"):
        if head.startswith(sign):
            after = head[len(sign) : len(sign) + 1]
            return line.count(sign) % 2 == 0 and not (after or " ").isspace()
    return (head[0] in "(“„‘" and not head.startswith("(s)")) or _is_picture(head[0])


def _is_picture(character: str) -> bool:
    """An emoji or the like."""
    return character > "\u2000" and unicodedata.category(character) == "So"


def _is_one_word(base: str, head: str, asked: str) -> bool:
    """The last letters of `base` and the first of `head` are halves of a word or a number."""
    start = len(base)
    while start and base[start - 1].isalnum():
        start -= 1
    end = 0
    while end < len(head) and head[end].isalnum():
        end += 1
    left, right = base[start:], head[:end]
    if base[start - 1 : start] in {"'", "’"} and left in _CONTRACTED:
        return False
    if head[end : end + 1] in {"'", "’"} and head[end + 1 : end + 2] != "t":
        return False  # "l'oignon"
    if left.isdecimal() or right.isdecimal():
        return left[-1].isdecimal() and right[0].isdecimal()
    words = words_of(f"{base[:start]} {asked}")
    if left + right in words:
        return True
    if left in words or right in words:
        return False
    return right in _ENDINGS or _has_no_vowel(left) or _has_no_vowel(right)


def _has_no_vowel(letters: str) -> bool:
    """Small Latin letters that cannot be a word."""
    return letters.islower() and max(letters) < "\u0250" and _VOWELS.isdisjoint(letters)
