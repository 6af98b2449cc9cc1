"""Streams that are sick and not dead: bytes come, and the answer does not get on."""

from __future__ import annotations

from collections.abc import Callable

from understudy.mock.faults.entry import CONTENT, CatalogueEntry
from understudy.mock.faults.events import said
from understudy.mock.faults.scene import Args, Scene
from understudy.mock.reply import Where, strike
from understudy.mock.script import Script, Wait

__all__ = ["ENTRIES"]

_COMMENT = b": keep-alive\n\n"
#: Tokens of text before the trouble begins, and seconds between what comes after that.
_DEFAULTS = Args(n=20, seconds=15)


def _for_ever(noise: Callable[[Scene], bytes]) -> Callable[[Scene], Script]:
    """The answer up to the place, and then nothing but noise until the client leaves."""

    def play(scene: Scene) -> Script:
        yield from scene.before()
        told = scene.framed(noise(scene))
        while True:
            yield told
            yield Wait(scene.args.seconds or 0.0)

    return play


def _ping(scene: Scene) -> bytes:
    return scene.dialect.ping


def _comment(scene: Scene) -> bytes:
    return _COMMENT


def _empty_delta(scene: Scene) -> bytes:
    return said(scene, "")


def _pings_first(scene: Scene) -> Script:
    """The opening, `n` pings, and then the answer as it should be."""
    frames = scene.reply.frames
    opened = strike(scene.reply, Where.AFTER_HEADERS)
    yield from scene.opening()
    yield from scene.body(frames[:opened])
    for _ in range(scene.args.n or 0):
        yield scene.framed(scene.dialect.ping)
        yield Wait(scene.args.seconds or 0.0)
    yield from scene.body(frames[opened:])
    yield scene.end


def _drip_after(scene: Scene) -> Script:
    yield from scene.before()
    for frame in scene.reply.frames[scene.struck :]:
        yield Wait(scene.args.seconds or 0.0)
        yield scene.sent(frame)
    yield scene.end


def _stall(name: str, summary: str, noise: Callable[[Scene], bytes]) -> CatalogueEntry:
    return CatalogueEntry(
        name=name,
        summary=summary,
        where=Where.MID_TEXT,
        wheres=CONTENT,
        defaults=_DEFAULTS,
        modes=("stream",),
        play=_for_ever(noise),
    )


ENTRIES = (
    _stall(
        "stall_with_pings",
        "After `n` tokens of text only pings come, `seconds` apart, for ever.",
        _ping,
    ),
    _stall(
        "stall_with_comments",
        "After `n` tokens of text only comments come, `seconds` apart, for ever.",
        _comment,
    ),
    _stall(
        "stall_with_empty_deltas",
        "After `n` tokens of text only deltas without text come, `seconds` apart, for ever.",
        _empty_delta,
    ),
    CatalogueEntry(
        name="drip_after",
        summary="After `n` tokens of text every event takes `seconds`.",
        where=Where.MID_TEXT,
        wheres=CONTENT,
        defaults=Args(n=20, seconds=2),
        argument="seconds",
        modes=("stream",),
        play=_drip_after,
    ),
    CatalogueEntry(
        name="pings_first",
        summary="`n` pings, `seconds` apart, come before the first content; then the whole answer.",
        where=Where.AFTER_HEADERS,
        defaults=Args(n=10, seconds=15),
        modes=("stream",),
        play=_pings_first,
    ),
)
