"""Takes off the end of a fence that a model put around the whole of its continuation."""

from __future__ import annotations

from understudy.policy.markdown import fence_of

__all__ = ["Wrapping"]


class Wrapping:
    """A filter for the text after a fence's opening line that was dropped.

    Holds back a line while it may be a fence. The first bare fence that closes nothing that was
    opened since is the wrapping's end: it is dropped, and all after it passes.
    """

    __slots__ = ("_begins_line", "_inside", "_is_over", "_line")

    def __init__(self) -> None:
        self._line = ""
        #: The text so far ends in the middle of a line that is no fence.
        self._begins_line = False
        self._inside = False
        self._is_over = False

    def feed(self, text: str) -> str:
        """Take the next piece; returns what may go on."""
        if self._is_over:
            return text
        lines = (self._line + text).splitlines(keepends=True)
        return "".join([self._take(line) for line in lines])

    def finish(self) -> str:
        """The text has ended."""
        line, self._line = self._line, ""
        fence = fence_of(line)
        return "" if fence is not None and not fence.info and not self._inside else line

    def _take(self, line: str) -> str:
        self._line = ""
        if self._is_over or not self._begins_line:
            self._begins_line = line.endswith("\n")
            return line
        if not line.endswith("\n"):
            if not line.strip() or line.lstrip()[0] in "`~":
                self._line = line
                return ""
            self._begins_line = False
            return line
        fence = fence_of(line)
        if fence is None:
            return line
        if self._inside or fence.info:
            self._inside = bool(fence.info)
            return line
        self._is_over = True
        return ""
