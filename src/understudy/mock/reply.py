"""An answer before it is written: a status, headers, and a body in frames that know their place.

A streamed answer has a frame for each event. A whole answer has its JSON cut in three (half, all
but the last byte, the last byte), so that a fault strikes in both by the same rule.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec

__all__ = ["Frame", "Headers", "Reply", "Stage", "Where", "body_frames", "strike"]

Headers = tuple[tuple[str, str], ...]


class Where(StrEnum):
    """Where in an answer a fault strikes."""

    BEFORE_HEADERS = "before_headers"
    #: After the headers and the events that open a stream, before the first content.
    AFTER_HEADERS = "after_headers_before_content"
    MID_TEXT = "mid_text"
    MID_TOOL_CALL = "mid_tool_call"
    MID_THINKING = "mid_thinking"
    #: All content has been sent, the end has not been told.
    AFTER_CONTENT = "after_content_before_terminal"


class Stage(StrEnum):
    """What a frame of a body is part of."""

    OPENING = "opening"
    THINKING = "thinking"
    TEXT = "text"
    TOOL = "tool"
    #: Tells why the answer ended, and what it used.
    CLOSING = "closing"
    #: The dialect's own last word.
    TERMINAL = "terminal"


class Frame(msgspec.Struct, frozen=True):
    """Some bytes of a body. `tokens` is how many of the answer's tokens they carry."""

    data: bytes
    stage: Stage
    tokens: int = 0


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A whole response. Header names in lower case; framing headers are added when it is written.

    `streamed`: written as chunks, one for each frame; else with a content length.
    """

    status: int
    headers: Headers
    frames: tuple[Frame, ...]
    streamed: bool = False

    @property
    def body(self) -> bytes:
        """The body, whole."""
        return b"".join(frame.data for frame in self.frames)


_CONTENT = (Stage.THINKING, Stage.TEXT, Stage.TOOL)
_STAGE_OF = {
    Where.MID_TEXT: Stage.TEXT,
    Where.MID_TOOL_CALL: Stage.TOOL,
    Where.MID_THINKING: Stage.THINKING,
}


def body_frames(body: bytes, tokens: int = 0) -> tuple[Frame, ...]:
    """The frames of a body that is sent whole; `tokens` are those of the answer in it."""
    half = len(body) // 2
    pieces = (
        Frame(body[:half], Stage.TEXT, tokens // 2),
        Frame(body[half:-1], Stage.TEXT, tokens - tokens // 2),
        Frame(body[-1:], Stage.TERMINAL),
    )
    return tuple(piece for piece in pieces if piece.data)


def strike(reply: Reply, where: Where, n: int | None = None) -> int:
    """How many frames stand before a fault at `where`.

    `n` moves the place: tokens of that kind of content before it (rounded up to a whole frame;
    default: half of them), or frames of the opening, or frames after the content. An answer that
    has no such content is struck in what content it has.
    """
    frames = reply.frames
    if where is Where.BEFORE_HEADERS:
        return 0
    if where is Where.AFTER_HEADERS:
        opening = _first(reply, lambda stage: stage is not Stage.OPENING)
        return opening if n is None else min(n, opening)
    end = _first(reply, lambda stage: stage in {Stage.CLOSING, Stage.TERMINAL})
    if where is Where.AFTER_CONTENT:
        return min(end + (n or 0), len(frames))
    return _middle(reply, _STAGE_OF[where], n, end)


def _first(reply: Reply, wanted: Callable[[Stage], bool]) -> int:
    for index, frame in enumerate(reply.frames):
        if wanted(frame.stage):
            return index
    return len(reply.frames)


def _middle(reply: Reply, stage: Stage, n: int | None, end: int) -> int:
    frames = reply.frames
    places = [i for i, frame in enumerate(frames) if frame.stage is stage and frame.tokens]
    places = places or [i for i, f in enumerate(frames) if f.stage in _CONTENT and f.tokens]
    if not places:
        return end
    if n is None:
        return places[(len(places) - 1) // 2] + 1
    if n <= 0:
        return places[0]
    sent = 0
    for place in places:
        sent += frames[place].tokens
        if sent >= n:
            return place + 1
    return places[-1] + 1
