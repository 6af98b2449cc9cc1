"""The glance at a passing stream: nothing that decides anything is missed, nothing is invented."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.core.conversation import Stop, Usage
from understudy.core.events import Ended, Failed, Finished, UsageSeen
from understudy.core.faults import Kind
from understudy.dialects.base import HOLD_TEXT, HOLD_TOOLS
from understudy.dialects.glance import MAX_HELD_BYTES
from understudy.dialects.responses import RESPONSES
from understudy.dialects.responses.payload import MAX_EVENT_BYTES
from understudy.dialects.sse import MAX_EVENT_BYTES as USUAL_EVENT_BYTES
from unit.dialects.responses.responses_samples import (
    ASKED,
    BLOCKS,
    DONE,
    TEXT_STREAM,
    TOOL_STREAM,
    call,
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

WRITTEN = RESPONSES.stream_writer(ASKED).write(BLOCKS)
#: Where the first function call of TOOL_STREAM begins.
FIRST_CALL = next(n for n, raw in enumerate(TOOL_STREAM) if b'"type": "function_call"' in raw)


def glance_at(*pieces: bytes, hold: int = 0):
    glance = RESPONSES.stream_glance(read_error, hold)
    return glance, b"".join([glance.feed(piece) for piece in pieces])


def stream(*kinds_and_fields):
    return b"".join(numbered(*kinds_and_fields))


@pytest.mark.parametrize("pieces", [TEXT_STREAM, TOOL_STREAM])
def test_a_whole_stream_passes_untouched_and_ends(pieces):
    glance, passed = glance_at(*pieces)
    assert passed == b"".join(pieces)
    assert (glance.ended, glance.fault, glance.has_content) == (True, None, True)
    assert glance.finish() is None
    assert glance.feed(DONE) == b""
    assert glance.tail == b""


def test_stop_and_usage_are_read():
    glance, _ = glance_at(*TOOL_STREAM)
    assert glance.stop is Stop.TOOL_USE
    assert glance.usage == Usage(input=20, output=9, cache_read=12, cache_write=3, reasoning=4)


def test_whole_events_are_returned_as_the_very_object_that_came():
    glance = RESPONSES.stream_glance(read_error, 0)
    for data in (*TEXT_STREAM[:4], b"".join(TEXT_STREAM[4:6])):
        assert glance.feed(data) is data


AT = {"output_index": 0, "content_index": 0}


@pytest.mark.parametrize(
    ("kind", "fields", "is_content"),
    [
        ("response.created", {"response": response()}, False),
        ("response.output_item.added", {"item": message("")}, False),
        ("response.output_item.added", {"item": reasoning()}, False),
        ("response.output_item.added", {"item": reasoning(encrypted_content="gAAA")}, False),
        ("response.content_part.added", {"part": {"type": "output_text", "text": ""}}, False),
        ("response.output_text.delta", {"delta": ""}, False),
        ("response.output_text.done", {"text": ""}, False),
        ("keepalive", {}, False),
        ("response.output_text.delta", {"delta": "x"}, True),
        ("response.refusal.delta", {"delta": "x"}, True),
        ("response.reasoning_summary_text.delta", {"delta": "x"}, True),
        ("response.reasoning_text.delta", {"delta": "x"}, True),
        ("response.custom_tool_call_input.delta", {"delta": "x"}, True),
        ("response.output_item.added", {"item": call()}, True),
        ("response.output_item.added", {"item": {"type": "web_search_call", "id": "ws_1"}}, True),
        ("response.image_generation_call.partial_image", {"partial_image_b64": "iVBO"}, True),
        ("response.output_text.done", {"text": "x"}, True),
        ("response.output_item.done", {"item": message("x")}, True),
        ("response.content_part.added", {"part": {"type": "output_text", "text": "x"}}, True),
    ],
)
def test_what_counts_as_content(kind, fields, is_content):
    raw = event(kind, 0, **AT, **fields)
    glance, _ = glance_at(raw)
    assert glance.has_content is is_content
    assert glance.progress == (len(raw) if is_content else 0)


def test_progress_counts_deltas_once():
    glance, _ = glance_at(b": ping\n\n", *TEXT_STREAM)
    deltas = [raw for raw in TEXT_STREAM if b".delta" in raw]
    assert glance.progress == sum(map(len, deltas))
    one_by_one = glance.progress
    glance, _ = glance_at(b"".join(TEXT_STREAM))
    assert glance.progress == one_by_one


# -- it agrees with the parser

AT_1 = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
REFUSAL = stream(
    *opening(),
    ("response.output_item.added", {"output_index": 0, "item": message("")}),
    ("response.content_part.added", {**AT_1, "part": {"type": "refusal", "refusal": ""}}),
    ("response.refusal.delta", {**AT_1, "delta": "no"}),
    closing(),
)
FAILED = ("response.failed", {"response": response("failed", error={"code": "server_error"})})
KINDS = [
    b"".join(TEXT_STREAM),
    b"".join(TOOL_STREAM),
    WRITTEN,
    REFUSAL,
    stream(*opening(), closing()),
    stream(*opening(), closing(message("hi"))),
    stream(*opening(), closing(call("c"))),
    stream(*opening(), *text_item("a"), closing(status="incomplete")),
    stream(*opening(), *text_item("a")[:3], FAILED),
    stream(*opening(), *text_item("a")[:3]),
    stream(*opening(), ("response.output_item.added", {"item": call("", "f")})),
    stream(("response.function_call_arguments.delta", {"delta": "{"})),
    b"".join(TEXT_STREAM[:4]) + DONE,
    b"".join(TEXT_STREAM[:5]) + TEXT_STREAM[4] + b"".join(TEXT_STREAM[5:]),
    b"".join(TEXT_STREAM[:5]) + event("error", 5, message="No."),
    b"".join(TEXT_STREAM[:5]) + b"<html></html>\n\n",
    b"".join(TEXT_STREAM).replace(b"\n", b"\r\n"),
    b"data: {}\n\n",
    b"",
]


@given(st.sampled_from(KINDS), st.lists(st.integers(0, 9000), max_size=20), st.integers(0, 3))
def test_the_glance_agrees_with_the_parser(whole, cuts, hold):
    glance = RESPONSES.stream_glance(read_error, hold)
    edges = [0, *sorted(cut % (len(whole) + 1) for cut in cuts), len(whole)]
    passed = b"".join(glance.feed(whole[a:b]) for a, b in pairwise(edges))
    fault = glance.finish()
    events = parsed(whole)
    last = events[-1]
    assert glance.ended is isinstance(last, Ended)
    assert fault == (last.fault if isinstance(last, Failed) else None)
    assert whole.startswith(passed)
    if glance.ended:
        assert passed == whole
        stops = [event.stop for event in events if isinstance(event, Finished)]
        usages = [event.usage for event in events if isinstance(event, UsageSeen)]
        assert [glance.stop] == stops
        assert [glance.usage] == (usages or [None])


def test_an_error_and_what_follows_are_not_passed():
    error = event("error", 9, message="No.")
    glance, passed = glance_at(*TEXT_STREAM[:5], error + TEXT_STREAM[5], TEXT_STREAM[6])
    assert passed == b"".join(TEXT_STREAM[:5])
    assert glance.fault is not None
    assert glance.fault.kind is Kind.OVERLOAD


def test_a_repeated_delta_is_a_fault_on_the_fast_way_too():
    glance, passed = glance_at(*TEXT_STREAM[:6], TEXT_STREAM[5])
    assert passed == b"".join(TEXT_STREAM[:6])
    assert glance.fault is not None
    assert glance.fault.kind is Kind.MALFORMED


def test_a_delta_that_is_no_utf8_is_a_fault_on_the_fast_way_too():
    bad = TEXT_STREAM[5].replace(b"\\u2603", b"\xff").replace(b'"sequence_number": 5', b'"x": 1')
    glance, _ = glance_at(*TEXT_STREAM[:5], bad)
    assert glance.fault is not None
    assert glance.fault.kind is Kind.MALFORMED


def test_an_image_in_an_event_is_no_event_too_large():
    image = "A" * (USUAL_EVENT_BYTES + 1)
    raw = event("response.image_generation_call.partial_image", 2, partial_image_b64=image)
    glance, passed = glance_at(*TEXT_STREAM[:2], raw)
    assert glance.fault is None
    assert passed.endswith(raw)
    glance, _ = glance_at(b"data: " + b"x" * (MAX_EVENT_BYTES + 1))
    assert glance.fault is not None
    assert glance.fault.kind is Kind.MALFORMED


# -- holding back


def test_calls_are_held_back_until_the_answer_is_whole():
    glance, passed = glance_at(*TOOL_STREAM[:-1], hold=HOLD_TOOLS)
    assert passed == b"".join(TOOL_STREAM[:FIRST_CALL])
    held = b"".join(TOOL_STREAM[FIRST_CALL:-1])
    assert (glance.held, glance.has_content) == (len(held), True)
    assert glance.progress > 0
    assert glance.feed(TOOL_STREAM[-1]) == held + TOOL_STREAM[-1]
    assert (glance.held, glance.ended) == (0, True)


def test_text_behind_a_call_keeps_its_place():
    pairs = [
        *opening(),
        ("response.output_item.added", {"output_index": 0, "item": call()}),
        *text_item("hi", index=1),
        closing(call(), message("hi")),
    ]
    pieces = numbered(*pairs)
    glance, passed = glance_at(*pieces[:-1], hold=HOLD_TOOLS)
    assert passed == b"".join(pieces[:2])
    assert glance.feed(pieces[-1]) == b"".join(pieces[2:])


@pytest.mark.parametrize("kind", ["custom_tool_call", "computer_call", "local_shell_call"])
def test_whatever_the_caller_would_run_is_held_back(kind):
    raw = event("response.output_item.added", 2, output_index=0, item={"type": kind, "id": "x"})
    assert glance_at(*TEXT_STREAM[:2], raw, hold=HOLD_TOOLS)[0].held == len(raw)


def test_what_runs_at_the_provider_passes():
    item = {"type": "web_search_call", "id": "ws_1"}
    raw = event("response.output_item.added", 2, output_index=0, item=item)
    assert glance_at(*TEXT_STREAM[:2], raw, hold=HOLD_TOOLS)[0].held == 0


def test_structured_output_is_held_back_from_its_first_content_on():
    glance, passed = glance_at(*TEXT_STREAM[:-1], hold=HOLD_TEXT)
    first = next(n for n, raw in enumerate(TEXT_STREAM) if b".delta" in raw)
    assert passed == b"".join(TEXT_STREAM[:first])
    assert glance.has_content
    assert glance.feed(TEXT_STREAM[-1]) == b"".join(TEXT_STREAM[first:])


def test_comments_pass_what_is_held_back():
    glance, _ = glance_at(*TOOL_STREAM[: FIRST_CALL + 1], hold=HOLD_TOOLS)
    assert glance.feed(b": ping\n\n") == b": ping\n\n"


def test_nothing_that_was_held_back_passes_after_a_fault():
    failed = event(FAILED[0], 99, **FAILED[1])
    glance, passed = glance_at(*TOOL_STREAM[:-1], failed, hold=HOLD_TOOLS)
    assert passed == b"".join(TOOL_STREAM[:FIRST_CALL])
    assert (glance.held, glance.ended) == (0, False)
    glance, passed = glance_at(*TOOL_STREAM[:-1], hold=HOLD_TOOLS)
    assert glance.finish().kind is Kind.TRUNCATED
    assert passed == b"".join(TOOL_STREAM[:FIRST_CALL])


def test_what_is_held_back_is_bounded():
    begun = event("response.output_item.added", 0, output_index=0, item=call())
    glance, _ = glance_at(begun, hold=HOLD_TOOLS)
    piece = "x" * (MAX_HELD_BYTES // 4)
    said = "response.function_call_arguments.delta"
    for number in range(1, 5):
        assert glance.feed(event(said, number, output_index=0, delta=piece)) == b""
    assert glance.fault is not None
    assert glance.fault.kind is Kind.MALFORMED
    assert glance.held == 0
