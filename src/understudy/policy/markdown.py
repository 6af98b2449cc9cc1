"""As much of Markdown as must be seen to join two halves of an answer: fences and line markers.

Rules: CommonMark 0.31 §4.5 (fenced code blocks), §5.2 (list items), GFM §4.10 (tables), read as
leniently as models write: any indentation, since fences inside list items are indented by it.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Fence", "fence_of", "last_line", "marker_of", "open_fence"]

#: A fence has at least three of its mark (CommonMark §4.5).
_FENCE_LEAST = 3
#: A list number has at most nine digits (CommonMark §5.2).
_NUMBER_MOST = 9
#: A heading has at most six (CommonMark §4.2).
_HEADING_MOST = 6
_MARKERS = {"-": "-", "*": "-", "+": "-", "•": "-", ">": ">"}


class Fence(NamedTuple):
    """A line that opens or closes fenced code: "```python" has the mark "```"."""

    mark: str
    info: str
    #: The line has ended. Where it has not, more of the info may be to come.
    is_whole: bool = True


def fence_of(line: str) -> Fence | None:
    """The fence that `line` (without its line end) is, if it is one."""
    stripped = line.strip()
    sign = stripped[:1]
    if sign not in {"`", "~"}:
        return None
    info = stripped.lstrip(sign)
    mark = stripped[: len(stripped) - len(info)]
    if len(mark) < _FENCE_LEAST or (sign == "`" and "`" in info):
        return None
    return Fence(mark, info.strip())


def open_fence(text: str) -> Fence | None:
    """The fence that is open at the end of `text`, if one is."""
    if "```" not in text and "~~~" not in text:
        return None
    opened: Fence | None = None
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        fence = fence_of(line)
        if fence is None:
            continue
        if opened is None:
            opened = fence._replace(is_whole=number < len(lines))
        elif not fence.info and fence.mark.startswith(opened.mark):
            opened = None
    return opened


def last_line(text: str) -> str:
    """What stands after the last line end."""
    return text[text.rfind("\n") + 1 :]


def marker_of(line: str) -> str:
    """The kind of marker that `line` begins with: "-", "1", "#", "|", ">", or "" without one."""
    stripped = line.lstrip()
    head, space, _ = stripped.partition(" ")
    if stripped.startswith("|"):
        return "|"
    if not space or not head:
        return ""
    if head in _MARKERS:
        return _MARKERS[head]
    if not head.strip("#") and len(head) <= _HEADING_MOST:
        return "#"
    digits = head[:-1]
    is_number = head[-1] in ".)" and digits.isdecimal() and len(digits) <= _NUMBER_MOST
    return "1" if is_number else ""
