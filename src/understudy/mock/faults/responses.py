"""Faults in forms that only Responses has: numbered events, and a response that says it failed."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from understudy.mock.errors import ErrorSpec
from understudy.mock.faults.entry import CONTENT, CatalogueEntry
from understudy.mock.faults.events import decoded
from understudy.mock.faults.scene import Scene
from understudy.mock.openai.vendor import error_object
from understudy.mock.reply import Where
from understudy.mock.responses import reply
from understudy.mock.script import Script

__all__ = ["ENTRIES"]

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(dict[str, object])

_INTERNAL = ErrorSpec(
    status=500,
    type="server_error",
    code="server_error",
    message=(
        "An error occurred while processing your request. You can retry your request, or contact "
        "us through our help center at help.openai.com if the error persists."
    ),
)
_LIMITED = ErrorSpec(
    status=429,
    type="tokens",
    code="rate_limit_exceeded",
    message=(
        "Rate limit reached for {model} in organization understudy-mock on tokens per min (TPM): "
        "Limit 30000, Used 29500, Requested 1200. Please try again in 1.4s. Visit "
        "https://platform.openai.com/account/rate-limits to learn more."
    ),
)


def _response(scene: Scene) -> dict[str, object]:
    """The response as it should have ended."""
    if not scene.reply.streamed:
        return _DECODER.decode(scene.reply.body)
    for frame in scene.terminal():
        response = decoded(frame).get("response")
        if isinstance(response, dict):
            return response
    raise LookupError("a stream without a last event")


def _spec(scene: Scene) -> ErrorSpec:
    if scene.error is None:
        raise LookupError(f"no such error in {scene.dialect.name}")
    message = scene.error.message.replace("{model}", scene.model)
    return msgspec.structs.replace(scene.error, message=message)


def _failed(scene: Scene) -> dict[str, object]:
    spec = _spec(scene)
    return reply.failed(_response(scene), str(spec.code), spec.message)


def _failed_event(scene: Scene, number: int) -> bytes:
    told = {"type": "response.failed", "sequence_number": number, "response": _failed(scene)}
    return scene.framed(reply.event(told))


def _fails(scene: Scene) -> Script:
    """The response says of itself that it failed, under 200."""
    if not scene.reply.streamed:
        yield from scene.instead(200, _ENCODER.encode(_failed(scene)), "application/json")
        return
    yield from scene.before()
    yield _failed_event(scene, scene.struck)
    yield scene.end


def _nested(scene: Scene) -> bytes:
    told = {"type": "error", "error": error_object(_spec(scene)), "sequence_number": scene.struck}
    return scene.framed(reply.event(told))


def _nested_error(scene: Scene) -> Script:
    yield from scene.before()
    yield _nested(scene)
    yield scene.end


def _error_then_failed(scene: Scene) -> Script:
    """As users of the API report it."""
    yield from scene.before()
    yield _nested(scene)
    yield _failed_event(scene, scene.struck + 1)
    yield scene.end


def _gap(scene: Scene) -> Script:
    """The answer without its next piece of content."""
    frames, struck = scene.reply.frames, scene.struck
    lost = next((i for i in range(struck, len(frames)) if frames[i].tokens), struck)
    yield from scene.with_frames([*frames[:lost], *frames[lost + 1 :]]).whole()


def _done_after(scene: Scene) -> Script:
    """As servers do that speak chat completions too."""
    yield from scene.opening()
    yield from scene.body(scene.reply.frames)
    yield scene.framed(b"data: [DONE]\n\n")
    yield scene.end


def _entry(
    name: str, summary: str, play: Callable[[Scene], Script], spec: ErrorSpec = _INTERNAL
) -> CatalogueEntry:
    return CatalogueEntry(
        name=name,
        summary=summary,
        where=Where.MID_TEXT,
        wheres=CONTENT,
        dialects=("responses",),
        modes=("stream", "whole") if play is _fails else ("stream",),
        openai=spec,
        play=play,
    )


ENTRIES = (
    _entry("response_failed", "response.failed, for an error of the server's.", _fails),
    _entry("response_failed_rate_limited", "response.failed, for a rate limit.", _fails, _LIMITED),
    _entry("error_nested", "The error event has its error in an object.", _nested_error),
    _entry("error_then_failed", "An error event, and then response.failed.", _error_then_failed),
    _entry("sequence_gap", "An event of the content is lost on the way.", _gap),
    CatalogueEntry(
        name="done_after_completed",
        summary="[DONE] after the last event.",
        where=Where.AFTER_CONTENT,
        dialects=("responses",),
        modes=("stream",),
        harmless=True,
        play=_done_after,
    ),
)
