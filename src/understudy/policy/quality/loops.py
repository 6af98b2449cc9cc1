"""Whether a text falls into saying the same thing again and again.

Two tests, because what repeats may be short or long, and not every language puts spaces between its
words. The end of a loop compresses to almost nothing; and of the runs of four words in a longer
piece nearly all are different in anything that people read (Holtzman et al., "The Curious Case of
Neural Text Degeneration", ICLR 2020, measure it in this way), tables and code included.
"""

from __future__ import annotations

import zlib
from itertools import islice
from typing import Final

__all__ = ["loops"]

#: Characters at the end that are compressed, the fewest that say anything, and the share of their
#: bytes that is left of a loop. Prose leaves a half, code a third, a table of numbers a quarter.
END: Final = 1000
END_LEAST: Final = 400
LEFT: Final = 0.12
#: Words that are counted, at least and at most, the length of a run, and the share of different
#: runs below which a text repeats itself.
WORDS_LEAST: Final = 80
WORDS: Final = 600
RUN: Final = 4
DIFFERENT: Final = 0.35


def loops(text: str) -> bool:
    """Whether the end of `text` repeats itself."""
    end = text[-END:].strip()
    if len(end) >= END_LEAST and any(char.isalpha() for char in end[-200:]):
        raw = end.encode("utf-8", "replace")
        if len(zlib.compress(raw, 1)) < LEFT * len(raw):
            return True
    words = text.split()[-WORDS:]
    if len(words) < WORDS_LEAST:
        return False
    runs = list(zip(*(islice(words, start, None) for start in range(RUN)), strict=False))
    return len(set(runs)) < DIFFERENT * len(runs)
