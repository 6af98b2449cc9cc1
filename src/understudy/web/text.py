"""Texts for terminals: spans of time, and what others have written."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["columns", "cut", "plain", "span"]


def span(seconds: float) -> str:
    """A time, as `90 s`, `5 min`, `3 h` or `4 d`."""
    whole = max(0, round(seconds))
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min"
    if whole < 2 * 86_400:
        return f"{whole // 3600} h"
    return f"{whole // 86_400} d"


def plain(text: str) -> str:
    """A text without its control characters: a terminal would obey them."""
    return "".join(sign if sign.isprintable() else "�" for sign in text)


def cut(text: str, width: int | None) -> str:
    """As much of a text as fits; None: all of it."""
    if width is None or len(text) <= width:
        return text
    return text[: max(0, width - 1)] + "…"


def columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows of cells as lines in which they stand below one another."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
