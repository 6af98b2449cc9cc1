"""Single events of a stream, as faults need them: changed, made up, or found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from understudy.mock.chat import reply as chat_reply
from understudy.mock.faults.scene import Scene
from understudy.mock.messages import reply as messages_reply
from understudy.mock.reply import Frame, Stage
from understudy.mock.responses import reply as responses_reply

__all__ = ["Change", "decoded", "each", "named", "numbered_on", "said"]

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(dict[str, object])
_DATA = b"data: "

Change = Callable[[dict[str, object]], dict[str, object]]


def decoded(frame: Frame) -> dict[str, object]:
    """The JSON of an event; {} where it has none."""
    _, _, data = frame.data.partition(_DATA)
    return _DECODER.decode(data) if data.startswith(b"{") else {}


def each(frames: tuple[Frame, ...], change: Change) -> Iterator[Frame]:
    """The events with the JSON of each changed, and called what its type says then."""
    for frame in frames:
        before, _, _ = frame.data.partition(_DATA)
        data = decoded(frame)
        if not data:
            yield frame
            continue
        changed = change(data)
        if before and "type" in changed:
            before = f"event: {changed['type']}\n".encode()
        made = before + _DATA + _ENCODER.encode(changed) + b"\n\n"
        yield msgspec.structs.replace(frame, data=made)


def numbered_on(scene: Scene, frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """The events after one that has been put in: numbered on, in a dialect that numbers them."""
    if scene.dialect.name != "responses":
        return frames
    return tuple(each(frames, _next))


def _next(data: dict[str, object]) -> dict[str, object]:
    number = data.get("sequence_number")
    return data | {"sequence_number": number + 1 if isinstance(number, int) else number}


def named(scene: Scene, data: Mapping[str, object]) -> bytes:
    """An event of the type that `data` names (chat completions: with `data` as a chunk)."""
    match scene.dialect.name:
        case "messages":
            return messages_reply.event(str(data["type"]), data)
        case "responses":
            return responses_reply.event({**data, "sequence_number": scene.struck})
        case _:
            return chat_reply.event({"object": data["type"], "choices": [], **data})


def said(scene: Scene, text: str) -> bytes:
    """A delta of the answer's text at the place of the fault, saying `text`.

    It is the answer's next delta of text, or else its last, with other words.
    """
    frames, struck = scene.reply.frames, scene.struck
    texts = [i for i, frame in enumerate(frames) if frame.stage is Stage.TEXT and frame.tokens]
    if not texts:
        return scene.dialect.ping
    place = next((i for i in texts if i >= struck), texts[-1])

    def reword(data: dict[str, object]) -> dict[str, object]:
        match scene.dialect.name:
            case "messages":
                data["delta"] = {"type": "text_delta", "text": text}
            case "responses":
                data |= {"delta": text, "sequence_number": struck}
            case _:
                data["choices"] = [{"index": 0, "delta": {"content": text}, "finish_reason": None}]
        return data

    return next(each((frames[place],), reword)).data
