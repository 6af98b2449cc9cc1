"""The glance at a passing stream: nothing that decides anything is missed, nothing is invented."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.core.conversation import Stop, Usage
from understudy.core.events import Ended
from understudy.core.faults import Kind, Scope
from understudy.dialects.messages import MESSAGES
from understudy.dialects.sse import MAX_EVENT_BYTES
from unit.dialects.messages.messages_samples import (
    FULL_STREAM,
    MESSAGE_STOP,
    PING,
    TAIL,
    TEXT_STREAM,
    block_start,
    block_stop,
    delta,
    event,
    message_delta,
    message_start,
    read_error,
    text,
)


def glance_at(*pieces: bytes):
    glance = MESSAGES.stream_glance(read_error, 0)
    return glance, b"".join([glance.feed(piece) for piece in pieces])


def seen(glance):
    return (glance.has_content, glance.ended, glance.fault, glance.stop, glance.usage)


HEAD = [message_start(), block_start()]


@pytest.mark.parametrize("stream", [TEXT_STREAM, FULL_STREAM])
def test_a_whole_stream_passes_untouched(stream):
    glance, passed = glance_at(*stream)
    assert passed == b"".join(stream)
    assert (glance.has_content, glance.ended, glance.fault) == (True, True, None)
    assert glance.finish() is None


def test_a_delta_is_returned_as_the_very_object_that_came():
    glance, _ = glance_at(*HEAD, text("a"))
    read = text("b")
    assert glance.feed(read) is read


@pytest.mark.parametrize("stream", [TEXT_STREAM, FULL_STREAM])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
@given(cuts=st.lists(st.integers(min_value=0), max_size=20))
def test_any_split_shows_the_same(stream, ending, cuts):
    data = b"".join(stream).replace(b"\n", ending)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    glance, passed = glance_at(*[data[start:end] for start, end in pairwise(edges)])
    whole, _ = glance_at(data)
    assert passed == data
    assert seen(glance) == seen(whole)
    assert glance.ended


GARBAGE = st.lists(
    st.one_of(
        st.binary(max_size=60),
        st.sampled_from([*FULL_STREAM, b"\n", b"\n\n", b"event: ", b"data: ", b"{}", b"\r"]),
    ),
    max_size=30,
)


@given(GARBAGE)
def test_garbage_never_raises_and_only_whole_events_pass(pieces):
    glance, passed = glance_at(*pieces)
    assert b"".join(pieces).startswith(passed)
    glance.finish()
    assert glance.ended != (glance.fault is not None)


@given(GARBAGE)
def test_garbage_shows_the_same_in_any_split(pieces):
    glance, passed = glance_at(*HEAD, text(), *pieces)
    data = b"".join([*HEAD, text(), *pieces])
    whole, passed_whole = glance_at(data)
    single, passed_single = glance_at(*[data[i : i + 1] for i in range(len(data))])
    assert seen(glance) == seen(whole) == seen(single)
    assert passed == passed_whole == passed_single


# Near misses of a stream: events dropped, doubled and moved.
NEAR_MISSES = st.lists(st.sampled_from(range(len(FULL_STREAM))), max_size=4).flatmap(
    lambda out: st.permutations(range(len(FULL_STREAM))).map(
        lambda order: [FULL_STREAM[order[i] if i in out else i] for i in range(len(FULL_STREAM))]
    )
)


@given(NEAR_MISSES)
def test_what_the_parser_finds_whole_the_glance_does_too(stream):
    parser = MESSAGES.stream_parser(read_error)
    events = [event for piece in stream for event in parser.feed(piece)] + parser.finish()
    glance, _ = glance_at(*stream)
    glance.finish()
    assert glance.ended or Ended() not in events


@pytest.mark.parametrize(
    ("events", "content"),
    [
        ([], False),
        ([PING], False),
        ([event("ping"), b": comment\n\n"], False),
        ([text("")], False),
        ([text("x")], True),
        ([delta(0, type="thinking_delta", thinking="")], False),
        ([delta(0, type="thinking_delta", thinking="x")], True),
        ([delta(0, type="input_json_delta", partial_json="")], False),
        ([delta(0, type="input_json_delta", partial_json="{")], True),
        ([delta(0, type="signature_delta", signature="x")], False),
        ([delta(0, type="citations_delta", citation={})], True),
        ([delta(0, type="delta_of_tomorrow")], True),
        ([block_start(1, type="thinking", thinking="", signature="")], False),
        ([block_start(1, type="text", text="x")], True),
        ([block_start(1, type="tool_use", id="t", name="n", input={})], True),
        ([block_start(1, type="server_tool_use", id="t", name="n", input={})], True),
        ([block_start(1, type="redacted_thinking", data="x")], True),
        ([block_start(1, type="block_of_tomorrow")], True),
        ([event("event_of_tomorrow", anything=[1])], False),
    ],
)
def test_what_counts_as_content(events, content):
    glance, passed = glance_at(*HEAD, *events)
    assert glance.has_content is content
    assert glance.fault is None
    assert passed == b"".join([*HEAD, *events])


def test_usage_is_cumulative_and_counts_all_of_the_prompt():
    glance, _ = glance_at(*HEAD)
    assert glance.usage == Usage(input=18, output=1, cache_read=5, cache_write=3)
    usage = {"output_tokens": 30, "output_tokens_details": {"thinking_tokens": 20}}
    glance.feed(message_delta(None, usage=usage))
    assert glance.usage == Usage(input=18, output=30, cache_read=5, cache_write=3, reasoning=20)
    glance.feed(message_delta(None, usage={"input_tokens": 12, "output_tokens": 31}))
    assert glance.usage.input == 20


@pytest.mark.parametrize("usage", [None, 3, {"output_tokens": "7"}, {"input_tokens": -9}])
def test_usage_that_cannot_be_read_is_no_fault(usage):
    glance, _ = glance_at(message_start(usage=usage), block_start(), text(), block_stop(), *TAIL)
    assert glance.ended
    assert glance.usage.output == 7


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("end_turn", Stop.END),
        ("stop_sequence", Stop.STOP_SEQUENCE),
        ("max_tokens", Stop.LENGTH),
        ("model_context_window_exceeded", Stop.CONTEXT),
        ("tool_use", Stop.TOOL_USE),
        ("pause_turn", Stop.PAUSE),
        ("refusal", Stop.REFUSED),
        ("reason_of_tomorrow", Stop.END),
    ],
)
def test_stop_reasons(reason, stop):
    glance, _ = glance_at(*HEAD, text(), block_stop(), message_delta(reason), MESSAGE_STOP)
    assert (glance.stop, glance.ended) == (stop, True)


def test_a_refusal_before_any_output_ends_in_order():
    glance, _ = glance_at(message_start(), message_delta("refusal"), MESSAGE_STOP)
    assert (glance.has_content, glance.ended, glance.stop) == (False, True, Stop.REFUSED)


ERROR = event("error", error={"type": "overloaded_error", "message": "Overloaded"})


@pytest.mark.parametrize(
    "error",
    [
        ERROR,
        ERROR.split(b"\n", 1)[1],
        b'data: {"error":{"message":"no type"}}\n\n',
        b"event: error\ndata: not json\n\n",
        b"event: error\n\n",
    ],
)
@pytest.mark.parametrize("before", [HEAD, [*HEAD, text()]])
def test_an_error_is_classified_and_nothing_from_it_on_passes(error, before):
    glance, passed = glance_at(b"".join([*before, error, text("after")]), MESSAGE_STOP)
    assert glance.fault.kind is Kind.OVERLOAD
    assert passed == b"".join(before)
    assert not glance.ended
    assert glance.finish() is glance.fault


@pytest.mark.parametrize(
    "bad",
    [
        b"data: not json\n\n",
        b"data: [DONE]\n\n",
        b"data: [1]\n\n",
        b"data: {}\n\n",
        b'data: {"type":5}\n\n',
        b"event: content_block_delta\ndata: {\n\n",
        b"data: " + b"[" * 5000 + b"\n\n",
        b'data: {"type":"\xff"}\n\n',
        text("x").replace(b',"delta"', b',\n"delta"'),
        text("x").replace(b',"delta"', b',\r"delta"'),
        text("x", index=7),
        event("content_block_delta", index=0),
        event("content_block_delta", delta={"type": "text_delta", "text": "x"}),
        block_start(0),
        event("content_block_start", index=1),
        event("content_block_start", content_block={"type": "text"}),
        block_stop(7),
        b"data: " + b"x" * MAX_EVENT_BYTES + b"\n\n",
    ],
    ids=lambda bad: bad[:40],
)
@pytest.mark.parametrize("before", [HEAD, [*HEAD, text()]])
def test_what_the_dialect_does_not_allow_is_malformed(bad, before):
    for pieces in ([b"".join([*before, bad])], [*before, bad]):
        glance, passed = glance_at(*pieces, b"".join(TAIL))
        assert (glance.fault.kind, glance.fault.scope) == (Kind.MALFORMED, Scope.PROVIDER)
        assert passed == b"".join(before)


def test_a_block_before_the_message_is_malformed():
    glance, _ = glance_at(block_start())
    assert glance.fault.kind is Kind.MALFORMED


@pytest.mark.parametrize(
    "events",
    [
        [],
        [message_start()],
        [*HEAD, text()],
        [*HEAD, text(), block_stop()],
        [*HEAD, text(), message_delta()],
        [*HEAD, text(), b"event: message_stop"],
        [*HEAD, text(), block_stop(), message_delta(None)],
    ],
)
def test_a_close_without_the_terminal_signal_is_truncated(events):
    glance, _ = glance_at(*events)
    assert glance.finish().kind is Kind.TRUNCATED
    assert glance.fault.kind is Kind.TRUNCATED
    assert not glance.ended


@pytest.mark.parametrize(
    "events",
    [
        [*HEAD, text(), MESSAGE_STOP],
        [*HEAD, text(), block_stop(), MESSAGE_STOP],
        [*HEAD, text(), message_delta(), MESSAGE_STOP],
    ],
    ids=["mid-block", "no stop_reason", "open block"],
)
def test_a_message_stop_that_closes_a_cut_answer_is_truncated_and_does_not_pass(events):
    glance, passed = glance_at(*events)
    assert glance.fault.kind is Kind.TRUNCATED
    assert MESSAGE_STOP not in passed


def test_only_message_stop_missing_is_whole_with_all_blocks_closed():
    glance, _ = glance_at(*HEAD, text(), block_stop(), message_delta())
    assert not glance.ended
    assert glance.finish() is None
    assert glance.ended


@pytest.mark.parametrize(
    ("tail", "kind"),
    [
        (ERROR.rstrip(b"\n"), Kind.OVERLOAD),
        (json.dumps({"type": "error", "error": {"message": "x"}}).encode(), Kind.OVERLOAD),
        (b"<!DOCTYPE html><html>", Kind.MALFORMED),
        (b'data: {"type":"content_blo', Kind.TRUNCATED),
    ],
)
def test_a_last_event_that_was_not_closed_still_tells_what_happened(tail, kind):
    glance, passed = glance_at(tail)
    assert passed == b""
    assert glance.finish().kind is kind


def test_nothing_passes_after_the_end():
    glance, passed = glance_at(*TEXT_STREAM, b"data: [DONE]\n\n", text())
    assert passed == b"".join(TEXT_STREAM)
    assert glance.fault is None


@pytest.mark.parametrize(
    "odd",
    [
        text("x").split(b"\n", 1)[1],
        text("x").replace(b"\n", b"\r\n"),
        text("x").replace(b": ", b":"),
        text("x").replace(b',"delta"', b',\ndata: "delta"'),
        text("x").replace(b'"type":"content_block_delta",', b""),
    ],
    ids=["no event line", "CR LF", "no spaces", "two data lines", "no type"],
)
def test_other_spellings_of_an_event_are_read_too(odd):
    for before in (HEAD, [*HEAD, text()]):
        glance, passed = glance_at(*before, odd, block_stop(), *TAIL)
        assert (glance.has_content, glance.ended) == (True, True)
        assert passed == b"".join([*before, odd, block_stop(), *TAIL])
