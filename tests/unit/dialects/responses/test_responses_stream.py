"""A provider's stream becomes the same core events, however it is cut, and never a success that the
provider did not signal.
"""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.core.conversation import Stop, Usage
from understudy.core.events import (
    BlockStarted,
    BlockStopped,
    Ended,
    Failed,
    Finished,
    Foreign,
    Pinged,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    UsageSeen,
)
from understudy.core.faults import Kind
from understudy.dialects.responses import RESPONSES
from understudy.dialects.responses.payload import MAX_EVENT_BYTES
from unit.dialects.responses.responses_samples import (
    DONE,
    TEXT_STREAM,
    TOOL_STREAM,
    call,
    call_item,
    closing,
    event,
    message,
    numbered,
    opening,
    parsed,
    read_error,
    reasoning,
    response,
    text_item,
)

STARTED = Started(id="resp_1", model="gpt-5.2", created=1700000000)
USAGE = UsageSeen(Usage(input=20, output=9, cache_read=12, cache_write=3, reasoning=4))
STREAMS = (b"".join(TEXT_STREAM), b"".join(TOOL_STREAM))


def stream(*kinds_and_fields):
    return b"".join(numbered(*kinds_and_fields))


def fault_of(data: bytes):
    events = parsed(data)
    assert isinstance(events[-1], Failed)
    assert not any(isinstance(event, (Ended, Failed)) for event in events[:-1])
    return events[-1].fault


def test_text():
    assert parsed(STREAMS[0]) == [
        STARTED,
        BlockStarted(index=0, kind="text"),
        TextDelta(0, "Hel"),
        TextDelta(0, "lo ☃"),
        BlockStopped(0),
        Finished(stop=Stop.END),
        USAGE,
        Ended(),
    ]


def test_reasoning_text_and_calls():
    assert parsed(STREAMS[1])[1:-3] == [
        BlockStarted(index=0, kind="thinking"),
        ThinkingDelta(0, "Let "),
        ThinkingDelta(0, "me think."),
        BlockStopped(0),
        BlockStarted(index=1, kind="text"),
        TextDelta(1, "Let me see."),
        BlockStopped(1),
        BlockStarted(index=2, kind="tool_use", tool_id="call_a", tool_name="weather"),
        ToolDelta(2, '{"city":'),
        ToolDelta(2, '"Oslo"}'),
        BlockStopped(2),
        BlockStarted(index=3, kind="tool_use", tool_id="call_b", tool_name="weather"),
        ToolDelta(3, "{}"),
        BlockStopped(3),
    ]
    assert parsed(STREAMS[1])[-3] == Finished(stop=Stop.TOOL_USE)


@given(st.sampled_from(STREAMS), st.lists(st.integers(0, 5000), max_size=30))
def test_any_split_gives_the_same_events(whole, cuts):
    parser = RESPONSES.stream_parser(read_error)
    edges = [0, *sorted(cut % len(whole) for cut in cuts), len(whole)]
    events = [e for a, b in pairwise(edges) for e in parser.feed(whole[a:b])]
    assert events + parser.finish() == parsed(whole)


@given(st.sampled_from(STREAMS), st.integers(0, 5000), st.binary(max_size=40))
def test_garbage_gives_a_typed_fault_and_nothing_after_it(whole, cut, garbage):
    parser = RESPONSES.stream_parser(read_error)
    events = parser.feed(whole[: cut % len(whole)] + garbage)
    events += parser.feed(whole)
    events += parser.finish()
    assert isinstance(events[-1], (Ended, Failed))
    assert sum(isinstance(event, (Ended, Failed)) for event in events) == 1
    assert parser.feed(whole) == []


@pytest.mark.parametrize("pieces", [TEXT_STREAM, TOOL_STREAM])
def test_a_stream_that_closes_early_is_truncated(pieces):
    for cut in range(len(pieces)):
        assert fault_of(b"".join(pieces[:cut])).kind is Kind.TRUNCATED
    unfinished = b"".join(pieces)[:-1]
    assert fault_of(unfinished).kind is Kind.TRUNCATED


def test_done_is_tolerated_after_the_end_only():
    assert parsed(STREAMS[0] + DONE) == parsed(STREAMS[0])
    assert fault_of(b"".join(TEXT_STREAM[:-1]) + DONE).kind is Kind.TRUNCATED


@pytest.mark.parametrize(
    ("status", "details", "stop"),
    [
        ("incomplete", {"reason": "max_output_tokens"}, Stop.LENGTH),
        ("incomplete", {"reason": "content_filter"}, Stop.REFUSED),
        ("incomplete", {"reason": "brand_new"}, Stop.LENGTH),
        ("incomplete", None, Stop.LENGTH),
        ("completed", None, Stop.END),
    ],
)
def test_why_it_ended(status, details, stop):
    end = closing(message("x"), status=status, incomplete_details=details)
    assert Finished(stop=stop) in parsed(stream(*opening(), *text_item("x"), end))


def test_a_refusal_in_words():
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    part = {"type": "refusal", "refusal": ""}
    events = parsed(
        stream(
            *opening(),
            ("response.output_item.added", {"output_index": 0, "item": message("")}),
            ("response.content_part.added", {**at, "part": part}),
            ("response.refusal.delta", {**at, "delta": "I can't."}),
            ("response.refusal.done", {**at, "refusal": "I can't."}),
            closing(),
        )
    )
    assert events[1:4] == [
        BlockStarted(index=0, kind="refusal"),
        RefusalDelta(0, "I can't."),
        BlockStopped(0),
    ]
    assert Finished(stop=Stop.REFUSED) in events


def test_summaries_and_texts_of_one_reasoning_item_are_one_block():
    at = {"item_id": "rs_1", "output_index": 0}
    said = "response.reasoning_summary_text.delta"
    events = parsed(
        stream(
            *opening(),
            ("response.output_item.added", {"output_index": 0, "item": reasoning()}),
            (said, {**at, "summary_index": 0, "delta": "a"}),
            (said, {**at, "summary_index": 1, "delta": "b"}),
            ("response.reasoning_text.delta", {**at, "content_index": 0, "delta": "c"}),
            ("response.output_item.done", {"output_index": 0, "item": reasoning("a")}),
            closing(reasoning("a")),
        )
    )
    texts = [event.text for event in events if isinstance(event, ThinkingDelta)]
    assert "".join(texts) == "a\n\nb\n\nc"
    assert sum(isinstance(event, BlockStarted) for event in events) == 1


def test_reasoning_without_a_word_is_no_block():
    events = parsed(
        stream(
            *opening(),
            ("response.output_item.added", {"output_index": 0, "item": reasoning()}),
            ("response.output_item.done", {"output_index": 0, "item": reasoning()}),
            *text_item("hi", index=1),
            closing(reasoning(), message("hi")),
        )
    )
    assert [event.kind for event in events if isinstance(event, BlockStarted)] == ["text"]


@pytest.mark.parametrize(
    "further",
    [
        ("response.output_item.added", {"output_index": 9, "item": {"type": "web_search_call"}}),
        ("response.output_item.done", {"output_index": 9, "item": {"type": "custom_tool_call"}}),
        ("response.output_text.annotation.added", {"output_index": 0, "annotation": {}}),
    ],
)
def test_what_has_no_words_elsewhere_is_said_to_be_there_once(further):
    opened, closed = text_item("hi")[:3], text_item("hi")[3:]
    events = parsed(stream(*opening(), *opened, further, further, *closed, closing(message("hi"))))
    assert events.count(Foreign()) == 1
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["hi"]
    assert isinstance(events[-1], Ended)


# -- errors


def test_a_failed_response_is_read_by_the_providers_table():
    error = {"code": "rate_limit_exceeded", "message": "Slow down."}
    failed = ("response.failed", {"response": response("failed", error=error)})
    fault = fault_of(stream(*opening(), failed))
    assert json.loads(fault.message) == {"error": error}


def test_a_failure_without_an_error_is_the_servers():
    fault = fault_of(stream(*opening(), ("response.failed", {"response": response("failed")})))
    assert json.loads(fault.message)["error"]["code"] == "server_error"


@pytest.mark.parametrize("fields", [{"error": {"code": "server_error"}}, {"status": "failed"}])
def test_a_completed_response_that_holds_an_error_is_none(fields):
    end = ("response.completed", {"response": {**response("completed"), **fields}})
    assert fault_of(stream(*opening(), *text_item("hi"), end)).kind is Kind.OVERLOAD


@pytest.mark.parametrize(
    "raw",
    [
        event("error", 3, code="server_error", message="No.", param=None),
        event("error", 3, error={"type": "server_error", "code": None, "message": "No."}),
        b'data: {"type":"error","message":"No."}\n\n',
        b'data: {"error":{"message":"No."}}\n\n',
        b'event: error\ndata: {"message":"No."}\n\n',
        b'{"error":{"message":"No."}}',
        b'data: {"error":{"message":"No."}}',
    ],
)
def test_errors_in_every_shape_are_read_by_the_providers_table(raw):
    fault = fault_of(b"".join(TEXT_STREAM[:5]) + raw)
    assert fault.kind is Kind.OVERLOAD
    assert "No." in fault.message


@pytest.mark.parametrize(
    "raw",
    [
        b"data: not json\n\n",
        b"data: [1]\n\n",
        b'data: {"type":"response.output_text.delta","delta":"\xff"}\n\n',
        b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n',
        b"<html>Bad gateway</html>\n\n",
        b"<html>Bad gateway</html>",
        b'{"id":"resp_1","object":"response"}\n\n',
        b"data: " + b"x" * (MAX_EVENT_BYTES + 1),
    ],
)
def test_what_is_no_event_is_malformed(raw):
    assert fault_of(b"".join(TEXT_STREAM[:5]) + raw).kind is Kind.MALFORMED


@pytest.mark.parametrize(
    "numbers",
    [(0, 1, 1), (0, 1, 2, 1), (0, 5, 4), (0, 1, 2, 4)],
    ids=["repeated", "replayed", "backwards", "a gap"],
)
def test_numbers_that_do_not_follow_one_another_are_malformed(numbers):
    raw = [event("response.in_progress", n, response=response()) for n in numbers]
    assert fault_of(b"".join(raw)).kind is Kind.MALFORMED


@pytest.mark.parametrize("numbers", [range(3, 303), [0] * 100, [-1] * 100, [None] * 100])
def test_another_beginning_and_servers_that_do_not_count_are_no_fault(numbers):
    pairs = [*opening(), *text_item("hi"), closing(message("hi"))]
    counted = zip(numbers, pairs, strict=False)
    raw = b"".join(event(kind, number, **fields) for number, (kind, fields) in counted)
    assert isinstance(parsed(raw)[-1], Ended)


def test_a_call_that_cannot_be_made_is_malformed():
    item = ("response.output_item.added", {"output_index": 0, "item": call("", "f")})
    assert fault_of(stream(*opening(), item)).kind is Kind.MALFORMED
    said = ("response.function_call_arguments.delta", {"output_index": 0, "delta": "{"})
    assert fault_of(stream(*opening(), said)).kind is Kind.MALFORMED


def test_parts_that_interleave_are_malformed():
    first, second = text_item("a"), text_item("b", index=1, item_id="msg_2")
    assert fault_of(stream(*opening(), *first[:3], *second[:3], first[2])).kind is Kind.MALFORMED


# -- imitators


def test_an_imitator_that_streams_nothing_but_the_end():
    events = parsed(stream(*opening(), closing(reasoning("hm"), message("hi"), call())))
    assert [event.kind for event in events if isinstance(event, BlockStarted)] == [
        "thinking",
        "text",
        "tool_use",
    ]
    assert Finished(stop=Stop.TOOL_USE) in events


def test_an_imitator_that_sends_items_only_when_they_are_done():
    done = [pair for pair in text_item("hi") if pair[0] == "response.output_item.done"]
    done += [("response.output_item.done", {"output_index": 1, "item": call("c", "f", '{"a":1}')})]
    events = parsed(stream(*opening(), *done, closing(message("hi"), call("c"))))
    assert TextDelta(0, "hi") in events
    assert ToolDelta(1, '{"a":1}') in events


def test_an_imitator_that_streams_deltas_alone():
    at = {"output_index": 0, "content_index": 0}
    delta = ("response.output_text.delta", {**at, "delta": "hi"})
    events = parsed(stream(delta, delta, ("response.completed", {})))
    assert events == [
        Started(id="", model=""),
        BlockStarted(index=0, kind="text"),
        TextDelta(0, "hi"),
        TextDelta(0, "hi"),
        BlockStopped(0),
        Finished(stop=Stop.END),
        Ended(),
    ]


def test_arguments_as_an_object_and_names_on_the_event_line_only():
    item = {**call("c", "f"), "arguments": {"a": 1}}
    lines = [
        b'event: response.output_item.done\ndata: {"item": %b}\n\n' % json.dumps(item).encode(),
        b"event: response.completed\ndata: {}\n\n",
    ]
    events = parsed(b"".join(lines))
    assert ToolDelta(0, '{"a":1}') in events
    assert isinstance(events[-1], Ended)


def test_values_of_a_wrong_type_are_taken_as_not_given():
    end = ("response.completed", {"response": {**response(), "usage": 3, "created_at": "now"}})
    events = parsed(stream(*text_item("hi"), end))
    assert isinstance(events[-1], Ended)
    assert not any(isinstance(event, UsageSeen) for event in events)


def test_comments_and_unknown_events_pass():
    further = ("response.brand_new.thing", {"output_index": 7})
    raw = stream(*opening(), further, *text_item("hi", index=0), closing(message("hi")))
    assert parsed(b": ping\n\n" + raw)[0] == Pinged()
    assert isinstance(parsed(raw)[-1], Ended)


def test_two_calls_one_after_the_other_keep_their_arguments_apart():
    items = [
        *call_item('{"a":1}', index=0, call_id="x"),
        *call_item('{"b":2}', index=1, call_id="y"),
    ]
    events = parsed(stream(*opening(), *items, closing()))
    assert [event for event in events if isinstance(event, ToolDelta)] == [
        ToolDelta(0, '{"a":1}'),
        ToolDelta(1, '{"b":2}'),
    ]
