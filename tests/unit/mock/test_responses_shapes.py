"""Responses: the order of its events, their numbers, and shapes that OpenAI's own types accept."""

import json

import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from understudy.mock import Pace
from unit.mock.mock_wire import PATHS, SCHEMA, Sleeper, ask, stand_in

EVENT = TypeAdapter(ResponseStreamEvent)
WEATHER = "What is the weather in Paris?"
REASONING = {"model": "gpt-5-mini", "reasoning": {"summary": "auto"}}
FORMAT = {"format": {"type": "json_schema", "name": "a", "schema": SCHEMA, "strict": True}}

#: Requests of every kind of answer.
KINDS = {
    "text": {},
    "tool": {"tool": True, "prompt": WEATHER},
    "tools": {"tool": True, "tool_choice": "required"},
    "reasoning": REASONING,
    "reasoning, no summary": {"model": "o4-mini"},
    "reasoning and a tool": {**REASONING, "tool": True, "prompt": WEATHER},
    "reasoning of another vendor's": {"model": "deepseek-reasoner"},
    "structured": {"text": FORMAT},
    "cut": {"max_output_tokens": 16},
    "cut while it thinks": {"model": "o4-mini", "max_output_tokens": 16},
    "cut within arguments": {"tool": True, "tool_choice": "required", "max_output_tokens": 16,
                             "prompt": "word " * 60},
    "refused": {"model": "mock-fault-refusal"},
    "refused in words": {"model": "mock-fault-refusal_in_words"},
    "failed": {"model": "mock-fault-response_failed"},
    "an error": {"model": "mock-fault-overloaded_mid_stream"},
}  # fmt: skip


async def both(kind):
    """The answer, streamed and whole; ids count attempts, so each is the first of its server."""
    told = []
    for stream in (True, False):
        async with stand_in() as server:
            told.append(await ask(server, "responses", stream=stream, **KINDS[kind]))
    return told


@pytest.mark.parametrize("kind", KINDS)
async def test_every_object_is_what_openai_s_own_types_say(kind):
    streamed, whole = await both(kind)
    for data in streamed.objects:
        EVENT.validate_python(data, strict=True)
    if "error" not in whole.json or whole.json["error"] is None or kind == "failed":
        Response.model_validate(whole.json, strict=True)


@pytest.mark.parametrize("kind", KINDS)
async def test_events_are_named_by_their_type_and_numbered_from_0(kind):
    streamed, _ = await both(kind)
    assert [name for name, _ in streamed.events] == [data["type"] for data in streamed.objects]
    assert streamed.numbers == list(range(len(streamed.events)))
    assert b"[DONE]" not in streamed.body


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {"failed", "an error"}])
async def test_the_last_event_is_the_whole_answer(kind):
    streamed, whole = await both(kind)
    assert streamed.objects[-1]["response"] == whole.json
    assert streamed.objects[-1]["type"] == f"response.{whole.json['status']}"
    first = streamed.objects[0]["response"]
    assert (first["status"], first["output"], first["usage"]) == ("in_progress", [], None)
    assert first["id"] == whole.json["id"]


@pytest.mark.parametrize("kind", KINDS)
async def test_what_the_events_add_up_to_is_what_the_last_one_tells(kind):
    streamed, _ = await both(kind)
    made, parts = {}, {}
    for data in streamed.objects:
        match data["type"].removeprefix("response."):
            case "output_item.added":
                made[data["output_index"]] = None
            case "output_item.done":
                made[data["output_index"]] = data["item"]
            case kind if kind.endswith(".delta"):
                place = data["item_id"], data.get("content_index"), data.get("summary_index")
                parts.setdefault(place, []).append(data["delta"])
            case kind if kind.endswith(("_text.done", "refusal.done", "arguments.done")):
                place = data["item_id"], data.get("content_index"), data.get("summary_index")
                told = data.get("text") or data.get("refusal") or data.get("arguments") or ""
                assert "".join(parts.pop(place)) == told
    last = streamed.objects[-1].get("response", {})
    if last.get("status") in {"completed", "incomplete"}:
        assert list(made.values()) == last["output"]
        assert not parts


async def test_the_order_of_a_text_s_events():
    streamed, _ = await both("text")
    names = [name.removeprefix("response.") for name, _ in streamed.events]
    deltas = names.count("output_text.delta")
    assert names == [
        "created", "in_progress", "output_item.added", "content_part.added",
        *["output_text.delta"] * deltas,
        "output_text.done", "content_part.done", "output_item.done", "completed",
    ]  # fmt: skip


async def test_the_order_of_reasoning_and_a_call():
    streamed, whole = await both("reasoning and a tool")
    names = list(dict.fromkeys(name.removeprefix("response.") for name, _ in streamed.events))
    assert names == [
        "created", "in_progress", "output_item.added", "reasoning_summary_part.added",
        "reasoning_summary_text.delta", "reasoning_summary_text.done",
        "reasoning_summary_part.done", "output_item.done", "content_part.added",
        "output_text.delta", "output_text.done", "content_part.done",
        "function_call_arguments.delta", "function_call_arguments.done", "completed",
    ]  # fmt: skip
    assert [item["type"] for item in whole.json["output"]] == [
        "reasoning", "message", "function_call",
    ]  # fmt: skip
    call = whole.json["output"][-1]
    assert call["call_id"].startswith("call_")
    assert call["id"].startswith("fc_")
    assert json.loads(call["arguments"])["city"] == "Paris"


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        ("text", "completed", None),
        ("tool", "completed", None),
        ("cut", "incomplete", "max_output_tokens"),
        ("cut while it thinks", "incomplete", "max_output_tokens"),
        ("refused", "incomplete", "content_filter"),
        ("refused in words", "completed", None),
        ("failed", "failed", None),
    ],
)
async def test_how_an_answer_ended(kind, status, reason):
    _, whole = await both(kind)
    told = whole.json
    assert told["status"] == status
    assert (told["incomplete_details"] or {}).get("reason") == reason
    assert bool(told["completed_at"]) == (status == "completed")
    if kind == "cut":
        assert told["output"][-1]["status"] == "incomplete"
        assert told["usage"]["output_tokens"] == 16


async def test_reasoning_is_shown_as_a_summary_only_where_one_was_asked_for():
    _, shown = await both("reasoning")
    _, hidden = await both("reasoning, no summary")
    _, other = await both("reasoning of another vendor's")
    first = [told.json["output"][0] for told in (shown, hidden, other)]
    assert first[0]["summary"][0]["text"] == first[2]["content"][0]["text"]
    assert (first[1]["summary"], bool(first[1]["encrypted_content"])) == ([], True)
    assert hidden.json["usage"]["output_tokens_details"] == {"reasoning_tokens": 128}


async def test_the_answer_repeats_what_the_request_said():
    more = {
        "instructions": "Be brief.",
        "metadata": {"a": "b"},
        "temperature": 0.5,
        "store": False,
        "max_output_tokens": 400,
    }
    async with stand_in() as server:
        told = (await ask(server, "responses", **more)).json
    assert {key: told[key] for key in more} == more
    assert told["text"] == {"format": {"type": "text"}, "verbosity": "medium"}
    assert (told["tool_choice"], told["tools"], told["truncation"]) == ("auto", [], "disabled")


async def test_a_cached_prompt_is_written_once_and_read_after_that():
    async with stand_in() as server:
        usage = [
            (await ask(server, "responses", prompt="word " * 1200)).json["usage"] for _ in "ab"
        ]
    first, second = (told["input_tokens_details"] for told in usage)
    assert first["cache_write_tokens"] == second["cached_tokens"] > 1000
    assert first["cached_tokens"] == second["cache_write_tokens"] == 0


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("dialect", PATHS)
async def test_an_answer_at_a_pace_is_the_answer_that_comes_at_once(dialect, stream):
    """The one is made anew, the other is filled into a template."""
    more = {"stream": stream, "tool": True, "prompt": WEATHER, "thinking": True}
    bodies = []
    for pace in (Pace(), Pace(first_token=1e-9)):
        async with stand_in(pace=pace, sleep=Sleeper()) as server:
            bodies.append((await ask(server, dialect, **more)).body)
    assert bodies[0] == bodies[1]
    assert b"~" not in bodies[0]
