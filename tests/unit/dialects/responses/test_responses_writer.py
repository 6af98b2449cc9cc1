"""What a caller of the Responses API is streamed, as the official SDK reads it."""

from __future__ import annotations

import httpx
import pytest
from openai import APIError, OpenAI

from understudy.core.conversation import Stop, Usage
from understudy.core.events import (
    BlockStarted,
    BlockStopped,
    Ended,
    Failed,
    Finished,
    Pinged,
    SignatureDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    UsageSeen,
)
from understudy.core.faults import Fault, Kind, Scope
from understudy.dialects.base import ErrorView
from understudy.dialects.responses import RESPONSES
from unit.dialects.responses.responses_samples import ASKED, BLOCKS, events_of, parsed

TEXT = [BlockStarted(index=0, kind="text"), TextDelta(0, "hi"), BlockStopped(0)]
STARTED = Started(id="resp_9", model="claude", created=17)


def write(*events):
    return RESPONSES.stream_writer(ASKED).write(events)


def client_of(stream: bytes) -> OpenAI:
    """The SDK, connected to this stream."""

    def answer(_):
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=stream)

    transport = httpx.MockTransport(answer)
    return OpenAI(
        api_key="k", base_url="http://x.test", http_client=httpx.Client(transport=transport)
    )


def final_response(stream: bytes):
    with client_of(stream).responses.stream(model="m", input="x") as streamed:
        return streamed.get_final_response()


def test_the_sdks_stream_helper_reads_the_whole_answer():
    read = final_response(write(*BLOCKS))
    reasoning, message, first, second, last = read.output
    assert (read.id, read.model, read.status, read.created_at) == (
        "resp_9",
        "claude",
        "completed",
        17,
    )
    assert reasoning.summary[0].text == "hm"
    text, refusal = message.content
    assert (text.text, refusal.refusal) == ('Hello "☃"', "no")
    assert (first.call_id, first.name, first.arguments) == ("toolu_1", "f", '{"a":1}')
    assert (second.call_id, second.name, second.arguments) == ("toolu_2", "g", "{}")
    assert last.content[0].text == "bye"
    usage = read.usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (3, 4, 7)
    assert usage.input_tokens_details.cached_tokens == 1
    assert usage.output_tokens_details.reasoning_tokens == 2


def test_every_event_is_one_of_the_sdks_and_is_named_on_its_own_line():
    stream = write(*BLOCKS)
    events = events_of(stream)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    named = [line[7:].decode() for line in stream.split(b"\n") if line.startswith(b"event: ")]
    assert named == [event.type for event in events]


def test_ids_and_indexes_agree_from_added_to_the_end():
    events = events_of(write(*BLOCKS))
    output = events[-1].response.output
    added = [event for event in events if event.type == "response.output_item.added"]
    done = [event for event in events if event.type == "response.output_item.done"]
    assert [event.output_index for event in added] == [0, 1, 2, 3, 4]
    assert [event.item.id for event in added] == [event.item.id for event in done]
    assert [event.item for event in done] == output
    prefixes = ["rs_understudy_", "msg_", "fc_", "fc_", "msg_"]
    assert all(item.id.startswith(p) for item, p in zip(output, prefixes, strict=True))
    assert len({item.id for item in output}) == 5
    for event in events:
        if hasattr(event, "item_id"):
            assert event.item_id == output[event.output_index].id


def test_parts_are_announced_filled_and_closed_with_their_whole_text():
    events = [
        event.type for event in events_of(write(STARTED, *TEXT, Finished(stop=Stop.END), Ended()))
    ]
    assert events == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]


def test_a_call_without_arguments_has_an_empty_object():
    block = BlockStarted(index=0, kind="tool_use", tool_id="t", tool_name="f")
    stream = write(STARTED, block, BlockStopped(0), Finished(stop=Stop.TOOL_USE), Ended())
    assert final_response(stream).output[0].arguments == "{}"


@pytest.mark.parametrize(
    ("stop", "status", "reason"),
    [
        (Stop.END, "completed", None),
        (Stop.STOP_SEQUENCE, "completed", None),
        (Stop.TOOL_USE, "completed", None),
        (Stop.PAUSE, "completed", None),
        (Stop.LENGTH, "incomplete", "max_output_tokens"),
        (Stop.CONTEXT, "incomplete", "max_output_tokens"),
        (Stop.REFUSED, "incomplete", "content_filter"),
    ],
)
def test_stops(stop, status, reason):
    last = events_of(write(STARTED, *TEXT, Finished(stop=stop), Ended()))[-1]
    details = last.response.incomplete_details
    assert (last.type, last.response.status) == (f"response.{status}", status)
    assert (details.reason if details else None) == reason
    assert last.response.output[0].status == status


def test_only_what_was_being_written_is_incomplete():
    block = BlockStarted(index=1, kind="tool_use", tool_id="t", tool_name="f")
    stop = Finished(stop=Stop.LENGTH)
    last = events_of(write(STARTED, *TEXT, block, BlockStopped(1), stop, Ended()))[-1]
    assert [item.status for item in last.response.output] == ["completed", "incomplete"]


@pytest.mark.parametrize(
    "events", [[Ended()], [STARTED, Ended()], [Finished(stop=Stop.END), Ended()]]
)
def test_an_end_without_anything_is_an_empty_output(events):
    read = final_response(write(*events))
    assert (read.status, read.output) == ("completed", [])


def test_usage_that_came_first_stands_at_the_end():
    started = Started(id="resp_9", model="m", usage=Usage(input=5, output=1))
    last = events_of(write(started, *TEXT, Finished(stop=Stop.END), Ended()))[-1]
    assert last.response.usage.input_tokens == 5
    more = UsageSeen(Usage(input=5, output=7))
    last = events_of(write(started, *TEXT, Finished(stop=Stop.END), more, Ended()))[-1]
    assert last.response.usage.output_tokens == 7


def test_what_only_its_own_vendor_reads_is_left_out():
    thought = [
        BlockStarted(index=0, kind="thinking"),
        ThinkingDelta(0, "hm"),
        SignatureDelta(0, "sig"),
        BlockStopped(0),
        BlockStarted(index=1, kind="redacted_thinking", data="secret"),
        BlockStopped(1),
    ]
    stream = write(STARTED, *thought, *TEXT, Finished(stop=Stop.END), Ended())
    assert b"sig" not in stream
    assert b"secret" not in stream
    kinds = [item.type for item in events_of(stream)[-1].response.output]
    assert kinds == ["reasoning", "message"]


def test_a_foreign_id_gets_the_vendors_form():
    stream = write(Started(id="msg_01:x", model="m"), Ended())
    assert events_of(stream)[0].response.id == "resp_msg_01_x"


def test_a_failure_writes_nothing_and_a_ping_is_no_event():
    fault = Fault(kind=Kind.OUTAGE, scope=Scope.MODEL)
    assert write(Failed(fault)) == b""
    assert write(Pinged()) == RESPONSES.ping
    stream = write(STARTED, *TEXT[:2], Pinged(), *TEXT[2:], Finished(stop=Stop.END), Ended())
    assert final_response(stream).output_text == "hi"


def test_what_is_written_is_read_back_as_it_was():
    again = [event for event in parsed(write(*BLOCKS)) if not isinstance(event, Started)]
    assert again == BLOCKS[1:]


def test_the_sdk_raises_on_an_error_inside_the_stream():
    view = ErrorView(
        status=503,
        kind="overloaded",
        message="All targets failed.",
        understudy={"code": "exhausted", "request_id": "req_1"},
    )
    error = RESPONSES.render_stream_error(view)
    assert b"response.completed" not in error
    events = client_of(write(STARTED, *TEXT[:2]) + error).responses.create(
        model="m", input="x", stream=True
    )
    with pytest.raises(APIError, match=r"All targets failed\.") as caught:
        list(events)
    assert caught.value.body["code"] == "server_is_overloaded"
    assert caught.value.body["understudy"]["request_id"] == "req_1"


def test_an_error_event_has_the_documented_shape_too():
    view = ErrorView(status=504, kind="timeout", message="Too late.", param="input")
    (read,) = events_of(RESPONSES.render_stream_error(view))
    assert (read.type, read.code, read.message, read.param) == (
        "error",
        "timeout",
        "Too late.",
        "input",
    )
