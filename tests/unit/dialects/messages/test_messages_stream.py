"""Streams in and out of core's events: parser, writer, and each against the vendor's own types."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from anthropic.types import RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

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
    SignatureDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    UsageSeen,
)
from understudy.core.faults import Fault, Kind, Scope
from understudy.dialects.messages import MESSAGES
from understudy.dialects.sse import MAX_EVENT_BYTES, SseSplitter, parse_event
from unit.dialects.event_strategies import answers
from unit.dialects.messages.messages_samples import (
    FULL_STREAM,
    MESSAGE_STOP,
    PING,
    TAIL,
    TEXT_STREAM,
    asks,
    block_start,
    block_stop,
    delta,
    event,
    message_delta,
    message_start,
    read_error,
    text,
)

HEAD = [message_start(), block_start()]
START_USAGE = Usage(input=18, output=1, cache_read=5, cache_write=3)
VENDOR_EVENT = TypeAdapter(RawMessageStreamEvent)


def parsed(*pieces: bytes, finish: bool = False):
    parser = MESSAGES.stream_parser(read_error)
    events = [event for piece in pieces for event in parser.feed(piece)]
    return events + parser.finish() if finish else events


def written(events):
    return MESSAGES.stream_writer(asks()).write(events)


def fault_of(events):
    assert isinstance(events[-1], Failed)
    assert sum(isinstance(event, Failed) for event in events) == 1
    return events[-1].fault


def test_every_kind_of_event_in_order():
    end_usage = Usage(input=18, output=42, cache_read=5, cache_write=3)
    assert parsed(*FULL_STREAM) == [
        Started(id="msg_1", model="claude-sonnet-4-5", usage=START_USAGE),
        BlockStarted(index=0, kind="thinking"),
        ThinkingDelta(0, "hm"),
        SignatureDelta(0, "c2ln"),
        BlockStopped(0),
        BlockStarted(index=1, kind="redacted_thinking", data="ZGF0YQ=="),
        BlockStopped(1),
        Pinged(),
        BlockStarted(index=2, kind="text"),
        TextDelta(2, "I'll ask."),
        Foreign(),  # a citation
        BlockStopped(2),
        BlockStarted(index=3, kind="tool_use", tool_id="toolu_1", tool_name="weather"),
        ToolDelta(3, '{"city":'),
        ToolDelta(3, '"Paris"}'),
        BlockStopped(3),
        Finished(stop=Stop.TOOL_USE),
        UsageSeen(end_usage),
        Ended(),
    ]


def test_after_the_end_nothing_comes():
    parser = MESSAGES.stream_parser(read_error)
    for piece in TEXT_STREAM:
        parser.feed(piece)
    assert parser.feed(text()) == []
    assert parser.finish() == []


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
@given(cuts=st.lists(st.integers(min_value=0), max_size=20))
def test_any_split_gives_the_same_events(ending, cuts):
    # The comment keeps the last event of a CR stream from waiting for half of a CR LF.
    data = b"".join([*FULL_STREAM, b":\n\n"]).replace(b"\n", ending)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    events = parsed(*[data[start:end] for start, end in pairwise(edges)])
    assert events == parsed(*FULL_STREAM)


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.sampled_from([*FULL_STREAM, b"\n\n", b"event: ", b"data: ", b"{}"]),
        ),
        max_size=30,
    )
)
def test_garbage_never_raises_and_fails_at_most_once(pieces):
    events = parsed(*pieces, finish=True)
    ends = [event for event in events if isinstance(event, Ended | Failed)]
    assert ends == [events[-1]]


def test_a_block_that_core_has_no_word_for_leaves_no_gap():
    server_tool = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    events = parsed(
        message_start(),
        block_start(0, **server_tool),
        delta(0, type="input_json_delta", partial_json="{}"),
        block_stop(0),
        block_start(1),
        text("x", 1),
        delta(1, type="delta_of_tomorrow", x=1),
        event("event_of_tomorrow"),
        block_stop(1),
        *TAIL,
    )
    assert events[1:5] == [
        Foreign(),
        BlockStarted(index=0, kind="text"),
        TextDelta(0, "x"),
        BlockStopped(0),
    ]
    assert events[-1] == Ended()


@pytest.mark.parametrize(
    ("block", "given_at_start"),
    [
        ({"type": "text", "text": "x"}, [TextDelta(0, "x")]),
        (
            {"type": "thinking", "thinking": "x", "signature": "s"},
            [ThinkingDelta(0, "x"), SignatureDelta(0, "s")],
        ),
        (
            {"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1}},
            [ToolDelta(0, '{"a": 1}')],
        ),
        ({"type": "tool_use", "id": "t", "name": "n", "input": {}}, []),
        ({"type": "tool_use", "id": "t", "name": "n", "input": None}, []),
        ({"type": "tool_use", "id": "t", "name": "n"}, []),
        ({"type": "text", "text": None}, []),
    ],
)
def test_what_a_block_holds_from_its_start_is_not_lost(block, given_at_start):
    frame = json.dumps({"type": "content_block_start", "index": 0, "content_block": block})
    events = parsed(message_start(), b"data: " + frame.encode() + b"\n\n")
    assert events[2:] == given_at_start


ERROR = event("error", error={"type": "overloaded_error", "message": "Overloaded"})


@pytest.mark.parametrize(
    "error",
    [
        ERROR,
        ERROR.split(b"\n", 1)[1],
        b'data: {"error":{"message":"no type"}}\n\n',
        b"event: error\n\n",
    ],
)
def test_an_error_ends_the_events(error):
    events = parsed(*HEAD, text(), error, text(), *TAIL, finish=True)
    assert fault_of(events).kind is Kind.OVERLOAD
    assert TextDelta(0, "hi") in events


@pytest.mark.parametrize(
    "events",
    [
        [b"data: not json\n\n"],
        [b"data: [DONE]\n\n"],
        [b"data: {}\n\n"],
        [text()],
        [block_start()],
        [message_delta()],
        [message_start(), message_start()],
        [event("message_start")],
        [*HEAD, text(index=1)],
        [*HEAD, block_start(1)],
        [*HEAD, block_stop(1)],
        [*HEAD, event("content_block_delta", index=0)],
        [*HEAD, delta(0, type="input_json_delta", partial_json="{")],
        [*HEAD, block_stop(), text()],
        [*HEAD, block_stop(), message_delta(), block_start(1)],
        [message_start(), event("content_block_start", index=0)],
        [message_start(), block_start(0, type="tool_use", name="n", input={})],
        [*HEAD, b"data: " + b"x" * MAX_EVENT_BYTES],
    ],
    ids=lambda events: str(events[-1][:50]),
)
def test_what_the_dialect_does_not_allow_is_malformed(events):
    fault = fault_of(parsed(*events, *TAIL, finish=True))
    assert (fault.kind, fault.scope) == (Kind.MALFORMED, Scope.PROVIDER)


@pytest.mark.parametrize(
    "events",
    [
        [],
        [*HEAD, text()],
        [*HEAD, text(), block_stop()],
        [*HEAD, text(), MESSAGE_STOP],
        [*HEAD, text(), block_stop(), MESSAGE_STOP],
        [*HEAD, text(), message_delta(), MESSAGE_STOP],
    ],
)
def test_an_end_without_the_terminal_signal_is_truncated(events):
    events = parsed(*events, finish=True)
    assert fault_of(events).kind is Kind.TRUNCATED
    assert Ended() not in events


def test_only_message_stop_missing_is_whole():
    events = parsed(*HEAD, text(), block_stop(), message_delta(), finish=True)
    assert events[-1] == Ended()


def test_a_last_event_that_was_not_closed_still_tells_what_happened():
    events = parsed(message_start(), ERROR.rstrip(b"\n"), finish=True)
    assert fault_of(events).kind is Kind.OVERLOAD


# -- the writer


def as_text(event):
    """The dialect has no refusals in words: they become text."""
    if isinstance(event, RefusalDelta):
        return TextDelta(event.index, event.text)
    if isinstance(event, BlockStarted) and event.kind == "refusal":
        return BlockStarted(index=event.index, kind="text")
    return event


@given(answers())
def test_what_is_written_is_read_back(events):
    again = parsed(written(events))
    start, end = events[0], events[-2]
    assert again[0] == start
    # `reasoning` 0 is not written, and what is not named stays.
    reasoning = end.usage.reasoning or start.usage.reasoning
    assert again[-2].usage.reasoning == reasoning
    assert [as_text(event) for event in events[1:-2]] == again[1:-2]
    assert again[-1] == Ended()


@given(answers())
def test_the_vendors_sdk_reads_every_event_that_is_written(events):
    for raw in SseSplitter().feed(written(events)):
        sse = parse_event(raw)
        assert json.loads(sse.data)["type"] == sse.event
        if sse.event != "ping":
            VENDOR_EVENT.validate_json(sse.data)


@given(answers())
def test_the_glance_finds_what_is_written_whole(events):
    glance = MESSAGES.stream_glance(read_error, 0)
    data = written(events)
    assert glance.feed(data) == data
    assert (glance.ended, glance.fault) == (True, None)


def datas(stream: bytes):
    return [json.loads(parse_event(raw).data) for raw in SseSplitter().feed(stream)]


def test_usage_that_comes_after_the_reason_still_stands_in_message_delta():
    events = [
        Started(id="chatcmpl-9", model="gpt-5.2"),
        BlockStarted(index=0, kind="text"),
        TextDelta(0, "x"),
        BlockStopped(0),
        Finished(stop=Stop.END),
    ]
    writer = MESSAGES.stream_writer(asks())
    before = writer.write(events)
    assert b"message_delta" not in before
    last = datas(writer.write([UsageSeen(Usage(input=4, output=2, cache_read=1)), Ended()]))
    assert [data["type"] for data in last] == ["message_delta", "message_stop"]
    assert last[0]["usage"] == {
        "input_tokens": 3,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 1,
        "output_tokens": 2,
    }
    assert datas(before)[0]["message"]["id"] == "msg_chatcmpl-9"


def test_indexes_have_no_gap_whatever_the_source_gave():
    events = [
        Started(id="a", model="m"),
        BlockStarted(index=4, kind="text"),
        TextDelta(4, "x"),
        BlockStopped(4),
        BlockStarted(index=9, kind="text"),
        TextDelta(9, "y"),
        BlockStopped(9),
    ]
    assert [data["index"] for data in datas(written(events))[1:]] == [0, 0, 0, 1, 1, 1]


def test_a_failure_writes_nothing_and_no_terminal_event():
    fault = Fault(kind=Kind.OVERLOAD, scope=Scope.MODEL)
    events = [Started(id="a", model="m"), Finished(stop=Stop.END), Failed(fault)]
    assert [data["type"] for data in datas(written(events))] == ["message_start"]


def test_an_end_that_no_provider_signalled_is_not_written():
    assert written([Started(id="a", model="m"), Ended()]).count(b"message_stop") == 0


def test_pings_are_written_as_the_dialects_own():
    assert written([Pinged()]) == MESSAGES.ping == PING
