"""Writes streamed answers of OpenAI's Responses: one frame an event, numbered from 0.

https://developers.openai.com/api/reference/resources/responses/streaming-events. An item is
announced, its parts are, their text comes in deltas; then each is told again, whole, from the
inside out. The last event carries the whole response; there is no [DONE].
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from understudy.mock import tokens
from understudy.mock.ask import Ask, Call, Composition
from understudy.mock.ids import Ids
from understudy.mock.reply import Frame, Stage
from understudy.mock.responses import reply

__all__ = ["frames"]


def frames(
    ask: Ask,
    made: tuple[Composition, ...],
    ids: Ids,
    *,
    created: int,
    cache_hit: bool,
    size: int,
) -> tuple[Frame, ...]:
    """A streamed answer, `size` tokens to a delta."""
    answer = made[0]
    writer = _Events(ask, ids, size)
    response = reply.started(ask, ids, created)
    for kind in ("response.created", "response.in_progress"):
        writer.add(kind, {"response": response}, Stage.OPENING)
    last = reply.finished(ask, answer, ids, created=created, cache_hit=cache_hit)
    items = reply.output_of(ask, answer, ids)
    for index, item in enumerate(items):
        match item["type"]:
            case "reasoning":
                writer.reasoning(index, item, answer)
            case "message":
                writer.message(index, item, answer)
            case _:
                before = sum(other["type"] != "function_call" for other in items)
                writer.call(index, item, answer.calls[index - before], index - before)
    writer.add(f"response.{last['status']}", {"response": last}, Stage.TERMINAL)
    return tuple(writer.told)


class _Place(msgspec.Struct, frozen=True):
    """Where a delta belongs: the item, and the part of it."""

    at: dict[str, object]
    stage: Stage


class _Events:
    """Numbers events and keeps them as frames."""

    def __init__(self, ask: Ask, ids: Ids, size: int) -> None:
        self.told: list[Frame] = []
        self._ask = ask
        self._ids = ids
        self._size = size

    def add(self, kind: str, data: Mapping[str, object], stage: Stage, count: int = 0) -> None:
        """One event with `data`, carrying `count` tokens."""
        head: dict[str, object] = {"type": kind, "sequence_number": len(self.told)}
        self.told.append(Frame(reply.event(head | dict(data)), stage, count))

    def reasoning(self, index: int, item: dict[str, object], answer: Composition) -> None:
        """The reasoning item, with what of it is shown."""
        empty = {"id": item["id"], "type": "reasoning", "summary": []}
        self._item("added", index, empty, Stage.THINKING)
        if answer.thinking and self._ask.reasoning_tokens:
            at = {"item_id": item["id"], "output_index": index, "summary_index": 0}
            self._part("reasoning_summary_part", at, "summary_text", "", Stage.THINKING)
            self._text("reasoning_summary_text", _Place(at, Stage.THINKING), answer.thinking)
            self._part(
                "reasoning_summary_part", at, "summary_text", answer.thinking, Stage.THINKING
            )
        elif answer.thinking:
            at = {"item_id": item["id"], "output_index": index, "content_index": 0}
            self._part("content_part", at, "reasoning_text", "", Stage.THINKING)
            self._text("reasoning_text", _Place(at, Stage.THINKING), answer.thinking)
            self._part("content_part", at, "reasoning_text", answer.thinking, Stage.THINKING)
        self._item("done", index, item, Stage.THINKING)

    def message(self, index: int, item: dict[str, object], answer: Composition) -> None:
        """The message, with the text or the refusal in it."""
        self._item("added", index, reply.message(self._ids, [], "in_progress"), Stage.TEXT)
        at = {"item_id": item["id"], "output_index": index, "content_index": 0}
        refused = bool(answer.refusal and not answer.text)
        key, text = ("refusal", answer.refusal) if refused else ("text", answer.text)
        full = reply.part(answer)
        place = at | {"part": full | {key: ""}}
        self.add("response.content_part.added", place, Stage.TEXT)
        if refused:
            self._text("refusal", _Place(at, Stage.TEXT), text, key="refusal")
        else:
            self._text("output_text", _Place(at, Stage.TEXT), text, logprobs=True)
        self.add("response.content_part.done", at | {"part": full}, Stage.TEXT)
        self._item("done", index, item, Stage.TEXT)

    def call(self, index: int, item: dict[str, object], made: Call, number: int) -> None:
        """A function call, with its arguments."""
        empty = reply.call(self._ids, number, Call(made.name, ""), "in_progress")
        self._item("added", index, empty, Stage.TOOL)
        at: dict[str, object] = {"item_id": item["id"], "output_index": index}
        place = _Place(at, Stage.TOOL)
        self._text("function_call_arguments", place, made.arguments, key="arguments")
        self._item("done", index, item, Stage.TOOL)

    def _item(self, verb: str, index: int, item: Mapping[str, object], stage: Stage) -> None:
        self.add(f"response.output_item.{verb}", {"output_index": index, "item": item}, stage)

    def _part(self, name: str, at: dict[str, object], kind: str, text: str, stage: Stage) -> None:
        """A part that has nothing but text: added while that is empty, then done."""
        verb = "done" if text else "added"
        self.add(f"response.{name}.{verb}", at | {"part": {"type": kind, "text": text}}, stage)

    def _text(
        self, name: str, place: _Place, text: str, *, key: str = "text", logprobs: bool = False
    ) -> None:
        """Deltas, and then the whole under `key`."""
        tail: dict[str, object] = {"logprobs": []} if logprobs else {}
        for piece, count in tokens.group(text, self._size):
            delta = place.at | {"delta": piece} | tail
            self.add(f"response.{name}.delta", delta, place.stage, count)
        self.add(f"response.{name}.done", place.at | {key: text} | tail, place.stage)
