"""A tokeniser of the stand-in's own: four characters or so to a token, as the vendors' guides say.

A token is up to four characters and the white space before them, so that pieces join up to the
text they came from and a limit can cut between any two of them.
"""

from __future__ import annotations

import re

__all__ = ["count", "cut", "group", "split"]

_PIECE = re.compile(r"\s*\S{1,4}|\s+")


def split(text: str) -> list[str]:
    """The tokens of `text`, in order; joined, they are `text`."""
    return _PIECE.findall(text)


def count(text: str) -> int:
    """How many tokens `text` has."""
    return len(_PIECE.findall(text))


def cut(text: str, limit: int) -> tuple[str, int]:
    """The first `limit` tokens of `text`, and how many there were in them."""
    pieces = split(text)
    if len(pieces) <= limit:
        return text, len(pieces)
    return "".join(pieces[:limit]), max(limit, 0)


def group(text: str, size: int) -> list[tuple[str, int]]:
    """`text` in pieces of `size` tokens, each with the number of tokens in it."""
    pieces = split(text)
    if size <= 1:
        return [(piece, 1) for piece in pieces]
    return [
        ("".join(pieces[start : start + size]), len(pieces[start : start + size]))
        for start in range(0, len(pieces), size)
    ]
