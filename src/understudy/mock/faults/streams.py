"""Faults of an answer's form: events that are missing, broken, strange, or never stop."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from understudy.mock.errors import ErrorSpec
from understudy.mock.faults.entry import CONTENT, CatalogueEntry
from understudy.mock.faults.events import Change, each, named, numbered_on, said
from understudy.mock.faults.scene import Args, Scene
from understudy.mock.reply import Frame, Stage, Where, body_frames
from understudy.mock.script import Script, Wait

__all__ = ["ENTRIES"]

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(dict[str, object])


def _without(*stages: Stage) -> Callable[[Scene], Script]:
    """The answer without its frames of those stages."""

    def play(scene: Scene) -> Script:
        kept = [frame for frame in scene.reply.frames if frame.stage not in stages]
        yield from scene.with_frames(kept).whole()

    return play


def _no_terminal(scene: Scene) -> Script:
    yield from scene.before()
    yield scene.end


def _error_then_done(scene: Scene) -> Script:
    """As vLLM does: https://github.com/vllm-project/vllm, serving/openai/serving_chat.py."""
    yield from scene.before()
    yield scene.framed(scene.error_event())
    yield from scene.body(scene.terminal())
    yield scene.end


def _between(
    strange: Callable[[Scene], bytes], *, counts: bool = True
) -> Callable[[Scene], Script]:
    """The whole answer, with something strange in the middle of its content. `counts`: it is an
    event with a number of its own, where events are numbered.
    """

    def play(scene: Scene) -> Script:
        yield from scene.before()
        yield scene.framed(strange(scene))
        rest = scene.reply.frames[scene.struck :]
        yield from scene.body(numbered_on(scene, rest) if counts else rest, started=True)
        yield scene.end

    return play


def _malformed(scene: Scene) -> bytes:
    frames = scene.reply.frames
    good = frames[min(scene.struck, len(frames) - 1)].data.rstrip(b"\n")
    return good[:-1] + b"<!>\n\n"


def _unknown_event(scene: Scene) -> bytes:
    kinds = {"chat_completions": "chat.completion.weather", "responses": "response.weather"}
    kind = kinds.get(scene.dialect.name, "weather_report")
    return named(scene, {"type": kind, "outlook": "fair"})


def _bare_error_line(scene: Scene) -> Script:
    """As Ollama's streams of newline-delimited JSON fail: no `data:`, and nothing after it."""
    yield from scene.before()
    yield scene.framed(b'{"error":"an error was encountered while running the model"}\n')
    yield scene.end


def _oversized(scene: Scene) -> bytes:
    """A delta of the answer's text, much too long."""
    return said(scene, "x" * (scene.args.size or 0))


def _ping_only(scene: Scene) -> Script:
    yield from scene.before()
    while True:
        yield scene.framed(scene.dialect.ping)
        yield Wait(scene.args.seconds or 0.0)


def _with_pings(scene: Scene) -> Script:
    yield from scene.opening()
    for frame in scene.reply.frames:
        yield from scene.body([frame])
        if frame.stage is not Stage.TERMINAL:
            yield scene.framed(b": keep-alive\n\n" + scene.dialect.ping)
    yield scene.end


def _crlf(scene: Scene) -> Script:
    """Line ends and a byte order mark that WHATWG HTML §9.2.6 allows."""
    frames = [
        msgspec.structs.replace(frame, data=frame.data.replace(b"\n", b"\r\n"))
        for frame in scene.reply.frames
    ]
    frames[0] = msgspec.structs.replace(frames[0], data=b"\xef\xbb\xbf" + frames[0].data)
    yield from scene.with_frames(frames).whole()


def _changed(change: Change) -> Callable[[Scene], Script]:
    """The answer with each of its JSON objects changed."""

    def play(scene: Scene) -> Script:
        if scene.reply.streamed:
            frames: tuple[Frame, ...] = tuple(each(scene.reply.frames, change))
        else:
            body = change(_DECODER.decode(scene.reply.body))
            frames = body_frames(_ENCODER.encode(body))
        yield from scene.with_frames(frames).whole()

    return play


def _no_usage(data: dict[str, object]) -> dict[str, object]:
    for name in ("message", "response"):
        inner = data.get(name)
        if isinstance(inner, dict):
            data[name] = _no_usage(inner)
    return {key: value for key, value in data.items() if key != "usage"}


def _more_fields(data: dict[str, object]) -> dict[str, object]:
    return {"obfuscation": "q7", **data, "x_experiment": {"arm": 7, "tags": [None, True]}}


def _new_reason(data: dict[str, object]) -> dict[str, object]:
    for place in _endings(data):
        for key in ("stop_reason", "finish_reason"):
            if place.get(key):
                place[key] = "changed_its_mind"
    response = data.get("response", data)
    if isinstance(response, dict) and response.get("status") == "completed":
        response["status"] = "incomplete"
        response["incomplete_details"] = {"reason": "changed_its_mind"}
        if response is not data:
            data["type"] = "response.incomplete"
    return data


def _empty_reason(data: dict[str, object]) -> dict[str, object]:
    for place in _endings(data):
        if "finish_reason" in place and place["finish_reason"] is None:
            place["finish_reason"] = ""
    return data


def _endings(data: dict[str, object]) -> list[dict[str, object]]:
    """Where a reason for the end may stand."""
    choices = data.get("choices")
    places = [data, data.get("delta"), *(choices if isinstance(choices, list) else [])]
    return [place for place in places if isinstance(place, dict)]


_ENGINE_DEAD = ErrorSpec(
    status=500,
    type="InternalServerError",
    message="EngineCore encountered an issue. See stack trace (above) for the root cause.",
    code=500,
)

ENTRIES = (
    CatalogueEntry(
        name="no_terminal",
        summary="The stream ends in order, without telling why or that it is whole.",
        where=Where.AFTER_CONTENT,
        wheres=CONTENT,
        modes=("stream",),
        play=_no_terminal,
    ),
    CatalogueEntry(
        name="stop_missing",
        summary="The stop reason comes, message_stop does not.",
        where=Where.AFTER_CONTENT,
        dialects=("messages",),
        modes=("stream",),
        play=_without(Stage.TERMINAL),
    ),
    CatalogueEntry(
        name="done_missing",
        summary="The finish reason comes, [DONE] does not: whole, for a compatible server.",
        where=Where.AFTER_CONTENT,
        dialects=("chat_completions",),
        modes=("stream",),
        harmless=True,
        play=_without(Stage.TERMINAL),
    ),
    CatalogueEntry(
        name="finish_missing",
        summary="[DONE] comes, but no finish reason before it.",
        where=Where.AFTER_CONTENT,
        dialects=("chat_completions",),
        modes=("stream",),
        play=_without(Stage.CLOSING),
    ),
    CatalogueEntry(
        name="error_then_done",
        summary="An error event, and then the dialect's last word as if nothing had been.",
        where=Where.MID_TEXT,
        wheres=CONTENT,
        modes=("stream",),
        anthropic=ErrorSpec(status=500, type="api_error", message="Internal server error"),
        openai=_ENGINE_DEAD,
        play=_error_then_done,
    ),
    CatalogueEntry(
        name="bare_error_line",
        summary="An error as a line of JSON that is no event.",
        where=Where.MID_TEXT,
        wheres=CONTENT,
        dialects=("chat_completions",),
        modes=("stream",),
        play=_bare_error_line,
    ),
    CatalogueEntry(
        name="malformed_event",
        summary="An event whose JSON does not parse; the stream goes on after it.",
        where=Where.MID_TEXT,
        wheres=CONTENT,
        modes=("stream",),
        play=_between(_malformed, counts=False),
    ),
    CatalogueEntry(
        name="oversized_event",
        summary="One event of `size` bytes and more.",
        where=Where.MID_TEXT,
        wheres=CONTENT,
        defaults=Args(size=2 * 1024 * 1024),
        argument="size",
        modes=("stream",),
        play=_between(_oversized),
    ),
    CatalogueEntry(
        name="ping_only",
        summary="The stream opens; then pings, `seconds` apart, for ever, and no content.",
        where=Where.AFTER_HEADERS,
        wheres=CONTENT,
        defaults=Args(seconds=15),
        argument="seconds",
        modes=("stream",),
        play=_ping_only,
    ),
    CatalogueEntry(
        name="pings",
        summary="A comment and a ping after every event.",
        where=Where.AFTER_HEADERS,
        modes=("stream",),
        harmless=True,
        play=_with_pings,
    ),
    CatalogueEntry(
        name="crlf_stream",
        summary="CR LF line ends and a byte order mark.",
        where=Where.AFTER_HEADERS,
        modes=("stream",),
        harmless=True,
        play=_crlf,
    ),
    CatalogueEntry(
        name="unknown_event",
        summary="An event of a type that nobody has heard of, in the middle.",
        where=Where.MID_TEXT,
        wheres=CONTENT,
        modes=("stream",),
        harmless=True,
        play=_between(_unknown_event),
    ),
    CatalogueEntry(
        name="unknown_fields",
        summary="Fields that nobody has heard of, everywhere.",
        where=Where.AFTER_HEADERS,
        harmless=True,
        play=_changed(_more_fields),
    ),
    CatalogueEntry(
        name="unknown_reason",
        summary="The answer ends for a reason that nobody has heard of.",
        where=Where.AFTER_CONTENT,
        harmless=True,
        play=_changed(_new_reason),
    ),
    CatalogueEntry(
        name="empty_reason",
        summary='finish_reason is "" where it should be null.',
        where=Where.AFTER_HEADERS,
        dialects=("chat_completions",),
        modes=("stream",),
        harmless=True,
        play=_changed(_empty_reason),
    ),
    CatalogueEntry(
        name="usage_missing",
        summary="The answer does not tell what it used.",
        where=Where.AFTER_CONTENT,
        harmless=True,
        play=_changed(_no_usage),
    ),
)
