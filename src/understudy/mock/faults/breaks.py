"""Faults of the connection: it breaks, falls silent, or crawls."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from understudy.mock import tokens, wire
from understudy.mock.ask import Composition
from understudy.mock.faults.entry import ANYWHERE, CONTENT, CatalogueEntry
from understudy.mock.faults.scene import Args, Scene
from understudy.mock.reply import Stage, Where
from understudy.mock.script import Act, Script, Wait

__all__ = ["ENTRIES"]

#: Tokens that a place may move by as it is rounded up to a whole event.
_ROUNDED = 32


def _ends_with(act: Act) -> Callable[[Scene], Script]:
    def play(scene: Scene) -> Script:
        yield from scene.before()
        yield act

    return play


def _stall(scene: Scene) -> Script:
    """Silence for a time, then the rest."""
    yield from scene.before()
    yield Wait(scene.args.seconds or 0.0)
    if scene.where is Where.BEFORE_HEADERS:
        yield from scene.whole()
        return
    yield from scene.body(scene.reply.frames[scene.struck :], started=True)
    yield scene.end


def _slow_drip(scene: Scene) -> Script:
    yield scene.head()
    for frame in scene.reply.frames:
        yield Wait(scene.args.seconds or 0.0)
        yield scene.sent(frame)
    yield scene.end


def _byte_sliced(scene: Scene) -> Script:
    for part in scene.whole():
        if not isinstance(part, bytes):
            yield part
            continue
        for index in range(len(part)):
            yield part[index : index + 1]
            yield Wait(0)


def _slow_headers(scene: Scene) -> Script:
    lines = scene.head().splitlines(keepends=True)
    for line in lines:
        yield line
        yield Wait(scene.args.seconds or 0.0)
    yield from scene.body(scene.reply.frames)
    yield scene.end


def _truncated_utf8(scene: Scene) -> Script:
    """Cuts within the first character of several bytes, after `n` tokens where that is set, and
    ends the body in order.
    """
    yield from scene.opening(scene.head(drop=("content-length",), add=_closing(scene)))
    sound = scene.struck if scene.args.n is not None else 0
    for number, frame in enumerate(scene.reply.frames):
        place = next((i for i, byte in enumerate(frame.data) if byte >= 0xC2), -1)
        if number >= sound and place >= 0 and frame.stage is not Stage.OPENING:
            yield scene.sent(replace(frame, data=frame.data[: place + 1]))
            break
        yield scene.sent(frame)
    yield scene.end
    yield Act.CLOSE


def _closing(scene: Scene) -> tuple[tuple[str, str], ...]:
    """For a whole answer, whose end the closing of the connection is then to tell."""
    return () if scene.reply.streamed else (("connection", "close"),)


def _truncated_sse(scene: Scene) -> Script:
    """Half an event, then the end of the body in order."""
    yield from scene.before()
    frames = scene.reply.frames
    if scene.struck < len(frames):
        frame = frames[scene.struck]
        yield scene.sent(replace(frame, data=frame.data[: max(len(frame.data) * 2 // 3, 1)]))
    yield scene.end
    yield Act.CLOSE


def _truncated_chunk(scene: Scene) -> Script:
    yield from scene.before()
    frames = scene.reply.frames
    data = frames[min(scene.struck, len(frames) - 1)].data
    yield wire.chunk(data)[: -(len(data) // 2 + 2)]
    yield Act.CLOSE


def _length_too_long(scene: Scene) -> Script:
    size = len(scene.reply.body) + (scene.args.size or 0)
    yield from scene.opening(scene.head(add=(("content-length", str(size)),)))
    yield scene.reply.body
    yield Act.CLOSE


def _length_too_short(scene: Scene) -> Script:
    size = max(len(scene.reply.body) - (scene.args.size or 0), 0)
    yield from scene.opening(scene.head(add=(("content-length", str(size)),)))
    yield scene.reply.body
    yield Act.CLOSE


def _with_wide_characters(made: Composition, args: Args) -> Composition:
    """The answer with characters of several bytes where it is to be cut, if it has none there."""
    kept, _ = tokens.cut(made.text, args.n or 0)
    if not made.text[len(kept) :].isascii():
        return made
    before = tokens.count(made.text) // 2 if args.n is None else args.n + _ROUNDED
    head, _ = tokens.cut(made.text, before)
    return replace(made, text=f"{head} café — 日本語 {made.text[len(head) :]}")


ENTRIES = (
    CatalogueEntry(
        name="reset",
        summary="The connection is reset (RST).",
        where=Where.MID_TEXT,
        wheres=ANYWHERE,
        play=_ends_with(Act.RESET),
    ),
    CatalogueEntry(
        name="close",
        summary="The connection closes in order (FIN) although the body is not whole.",
        where=Where.MID_TEXT,
        wheres=ANYWHERE,
        play=_ends_with(Act.CLOSE),
    ),
    CatalogueEntry(
        name="half_close",
        summary="The provider closes its direction only and waits for the client to leave.",
        where=Where.MID_TEXT,
        wheres=ANYWHERE,
        play=_ends_with(Act.HALF_CLOSE),
    ),
    CatalogueEntry(
        name="hang",
        summary="Nothing more comes; the connection stays open until the client leaves.",
        where=Where.MID_TEXT,
        wheres=ANYWHERE,
        play=_ends_with(Act.HANG),
    ),
    CatalogueEntry(
        name="cut_after",
        summary="The connection closes after `n` tokens of text.",
        where=Where.MID_TEXT,
        defaults=Args(n=20),
        modes=("stream",),
        play=_ends_with(Act.CLOSE),
    ),
    CatalogueEntry(
        name="stall_after",
        summary="After `n` tokens of text there is silence for `seconds`; then the rest comes.",
        where=Where.MID_TEXT,
        wheres=ANYWHERE,
        defaults=Args(n=20, seconds=60),
        modes=("stream",),
        play=_stall,
    ),
    CatalogueEntry(
        name="first_token_late",
        summary="The headers come at once, the first content after `seconds`.",
        where=Where.AFTER_HEADERS,
        defaults=Args(seconds=30),
        argument="seconds",
        play=_stall,
    ),
    CatalogueEntry(
        name="headers_late",
        summary="Nothing comes for `seconds`; then the whole answer.",
        defaults=Args(seconds=30),
        argument="seconds",
        play=_stall,
    ),
    CatalogueEntry(
        name="slow_headers",
        summary="The header lines come one by one, `seconds` apart.",
        defaults=Args(seconds=1),
        argument="seconds",
        play=_slow_headers,
    ),
    CatalogueEntry(
        name="slow_drip",
        summary="Every event (of a whole answer: each part of its body) takes `seconds`.",
        where=Where.AFTER_HEADERS,
        defaults=Args(seconds=2),
        argument="seconds",
        play=_slow_drip,
    ),
    CatalogueEntry(
        name="byte_sliced",
        summary="Every byte of the response is written by itself.",
        harmless=True,
        play=_byte_sliced,
    ),
    CatalogueEntry(
        name="truncated_utf8",
        summary="The body ends in order within a character of several bytes.",
        where=Where.MID_TEXT,
        alter=_with_wide_characters,
        play=_truncated_utf8,
    ),
    CatalogueEntry(
        name="truncated_sse",
        summary="The body ends in order in the middle of an event.",
        where=Where.MID_TEXT,
        wheres=CONTENT,
        modes=("stream",),
        play=_truncated_sse,
    ),
    CatalogueEntry(
        name="truncated_chunk",
        summary="A chunk is shorter than it says, and the connection closes.",
        where=Where.MID_TEXT,
        wheres=CONTENT,
        modes=("stream",),
        play=_truncated_chunk,
    ),
    CatalogueEntry(
        name="length_too_long",
        summary="The content length is `size` bytes more than the body; the connection closes.",
        where=Where.AFTER_CONTENT,
        defaults=Args(size=100),
        argument="size",
        modes=("whole",),
        play=_length_too_long,
    ),
    CatalogueEntry(
        name="length_too_short",
        summary="The content length is `size` bytes less than the body.",
        where=Where.AFTER_CONTENT,
        defaults=Args(size=10),
        argument="size",
        modes=("whole",),
        play=_length_too_short,
    ),
)
