"""OpenAI's responses, read strictly: see `sim_answers`."""

from __future__ import annotations

from typing import Any

import msgspec

from simulation.sim_reading import Answer, Event, Tool

__all__ = ["ResponsesReader", "read_whole_response"]

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed"})


class ResponsesReader:
    """A stream of typed events, numbered without a gap."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._next = 0
        #: Output index → the type of the item that is open there.
        self._open: dict[int, str] = {}
        self._items = 0
        #: (output index, part index) → the text of the open part.
        self._parts: dict[tuple[int, int], str] = {}

    def take(self, event: Event) -> None:
        answer = self._answer
        try:
            data = _decode(event.raw.encode())
        except msgspec.DecodeError as error:
            answer.blame(f"an event is not JSON: {error}")
            return
        kind = data.get("type", "")
        if event.name and event.name != kind:
            answer.blame(f"event {event.name} holds {kind}")
        self._count(data, kind)
        if kind == "error":
            answer.fail(data)
        elif kind in _TERMINAL:
            self._terminal(kind, data["response"])
        elif kind == "response.created":
            answer.id, answer.model = data["response"]["id"], data["response"]["model"]
        else:
            take = getattr(self, f"_{kind.removeprefix('response.').replace('.', '_')}", None)
            if take is not None:
                take(data)

    def _count(self, data: dict[str, Any], kind: str) -> None:
        number = data.get("sequence_number")
        if number is None:
            return
        if number != self._next:
            self._answer.blame(f"{kind} is number {number} where {self._next} was due")
        self._next = number + 1

    def _terminal(self, kind: str, response: dict[str, Any]) -> None:
        answer = self._answer
        answer.over = True
        answer.usage = response.get("usage")
        if kind == "response.failed":
            answer.fail(response.get("error"))
            return
        if self._open:
            answer.blame(f"{kind} while items are open")
        whole = Answer()
        read_whole_response(whole, response)
        if whole.text != answer.text:
            answer.blame("the text of the end is not the text of the deltas")
        answer.stop = whole.stop
        answer.ended = True

    def _output_item_added(self, data: dict[str, Any]) -> None:
        item, index = data["item"], data["output_index"]
        if index != self._items:
            self._answer.blame(f"item {index} where {self._items} was due")
        self._items += 1
        self._open[index] = item["type"]
        if item["type"] == "function_call":
            self._answer.tools.append(Tool(item.get("call_id", ""), item["name"]))

    def _output_item_done(self, data: dict[str, Any]) -> None:
        kind = self._open.pop(data["output_index"], None)
        if kind is None:
            self._answer.blame(f"item {data['output_index']} ended, which is not open")
        elif kind == "function_call":
            tool = self._answer.tools[-1]
            tool.closed = True
            if tool.arguments != data["item"]["arguments"]:
                self._answer.blame("the arguments of the end are not those of the deltas")

    def _content_part_added(self, data: dict[str, Any]) -> None:
        if self._open.get(data["output_index"]) != "message":
            self._answer.blame("a part outside a message")
        self._parts[data["output_index"], data["content_index"]] = ""

    def _content_part_done(self, data: dict[str, Any]) -> None:
        if self._parts.pop((data["output_index"], data["content_index"]), None) is None:
            self._answer.blame("a part ended, which is not open")

    def _output_text_delta(self, data: dict[str, Any]) -> None:
        place = data["output_index"], data["content_index"]
        if place not in self._parts:
            self._answer.blame("text outside a part")
            return
        self._parts[place] += data["delta"]
        self._answer.add_text(0, data["delta"])

    def _output_text_done(self, data: dict[str, Any]) -> None:
        if self._parts.get((data["output_index"], data["content_index"])) != data["text"]:
            self._answer.blame("a part's whole text is not that of its deltas")

    def _refusal_delta(self, data: dict[str, Any]) -> None:
        self._answer.refusal += data["delta"]

    def _reasoning_summary_text_delta(self, data: dict[str, Any]) -> None:
        self._answer.thinking += data["delta"]

    def _reasoning_text_delta(self, data: dict[str, Any]) -> None:
        self._answer.thinking += data["delta"]

    def _function_call_arguments_delta(self, data: dict[str, Any]) -> None:
        if self._open.get(data["output_index"]) != "function_call":
            self._answer.blame("arguments outside a call")
            return
        self._answer.tools[-1].arguments += data["delta"]


def read_whole_response(answer: Answer, told: dict[str, Any]) -> None:
    """A response object that is over."""
    answer.id, answer.model = told.get("id", ""), told.get("model", "")
    answer.usage = told.get("usage")
    for item in told.get("output") or ():
        if item["type"] == "message":
            for part in item["content"]:
                if part["type"] == "output_text":
                    answer.add_text(0, part["text"])
                elif part["type"] == "refusal":
                    answer.refusal += part["refusal"]
        elif item["type"] == "reasoning":
            answer.thinking += "".join(part["text"] for part in item.get("summary") or ())
        elif item["type"] == "function_call":
            answer.tools.append(
                Tool(item.get("call_id", ""), item["name"], item["arguments"], closed=True)
            )
    details = told.get("incomplete_details") or {}
    answer.stop = details.get("reason") or told.get("status")
    answer.ended = told.get("status") in {"completed", "incomplete"}
    if told.get("status") == "failed":
        answer.fail(told.get("error"))
