"""Which writing systems a text has.

A script is named by the first word of its letters' names in the Unicode Character Database
(https://www.unicode.org/Public/UCD/latest/ucd/UnicodeData.txt): `THAI CHARACTER SO SUA`. Letters
that are no part of a language's words (`MICRO SIGN`, `MATHEMATICAL BOLD SMALL A`) have other first
words and count for nothing; nor do Latin ones, which code, names and units bring everywhere.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = ["GARBLED", "scripts_of"]

#: Characters that stand for bytes which were no text: as foreign as any script.
GARBLED: Final = "GARBLED"
_GARBLE: Final = "\ufffd"

_SCRIPTS: Final = frozenset(
    {
        "ARABIC", "ARMENIAN", "BENGALI", "BOPOMOFO", "CHEROKEE", "CJK", "CYRILLIC", "DEVANAGARI",
        "ETHIOPIC", "GEORGIAN", "GREEK", "GUJARATI", "GURMUKHI", "HANGUL", "HEBREW", "HIRAGANA",
        "JAVANESE", "KANNADA", "KATAKANA", "KHMER", "LAO", "MALAYALAM", "MONGOLIAN", "MYANMAR",
        "ORIYA", "SINHALA", "SYRIAC", "TAMIL", "TELUGU", "THAANA", "THAI", "TIBETAN", "TIFINAGH",
    }
)  # fmt: skip
#: Scripts that are written together: who reads one of them is no stranger to the others.
_EAST_ASIAN: Final = frozenset({"BOPOMOFO", "CJK", "HANGUL", "HIRAGANA", "KATAKANA"})
_JAPANESE: Final = frozenset({"CJK", "HIRAGANA", "KATAKANA"})
#: A Greek letter alone is a sign of mathematics or physics; three together are a word.
_GREEK_WORD: Final = re.compile("[\u0370-\u03ff\u1f00-\u1fff]{3}")


def scripts_of(text: str) -> frozenset[str]:
    """The scripts of a text's letters, Latin not among them."""
    if text.isascii():
        return frozenset()
    found = set()
    for char in set(text):
        if char == _GARBLE:
            found.add(GARBLED)
        elif not char.isascii() and char.isalpha():
            name = unicodedata.name(char, "").partition(" ")[0]
            if name in _SCRIPTS:
                found.add(name)
    if "GREEK" in found and _GREEK_WORD.search(text) is None:
        found.discard("GREEK")
    return frozenset(found)


def foreign_to(known: frozenset[str], found: frozenset[str]) -> frozenset[str]:
    """Those that were `found` and that nothing in what is `known` explains."""
    strange = found - known
    if strange and known & _EAST_ASIAN:
        strange -= {"CJK"}
        if known & (_JAPANESE - {"CJK"}):
            strange -= _JAPANESE
    return strange
