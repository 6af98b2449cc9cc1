"""The glance at a passing stream: nothing that decides anything is missed, nothing is invented."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.core.conversation import Stop, Usage
from understudy.core.faults import Kind
from understudy.dialects.chat_completions import CHAT_COMPLETIONS
from understudy.dialects.sse import MAX_EVENT_BYTES
from unit.dialects.chat_completions.chat_samples import (
    DONE,
    TEXT_STREAM,
    TOOL_STREAM,
    USAGE_CHUNK,
    call,
    chunk,
    event,
    read_error,
)


def glance_at(*pieces: bytes):
    glance = CHAT_COMPLETIONS.stream_glance(read_error, 0)
    return glance, b"".join([glance.feed(piece) for piece in pieces])


HI = chunk({"content": "hi"})
END = chunk({}, "stop")


@pytest.mark.parametrize("stream", [TEXT_STREAM, TOOL_STREAM])
def test_a_whole_stream_passes_untouched_and_ends(stream):
    glance, passed = glance_at(*stream)
    assert passed == b"".join(stream)
    assert (glance.ended, glance.fault, glance.has_content) == (True, None, True)
    assert glance.finish() is None


def test_stop_and_usage_are_read():
    glance, _ = glance_at(*TEXT_STREAM)
    assert glance.stop is Stop.END
    assert glance.usage == Usage(input=20, output=9, cache_read=12, reasoning=4)


def test_whole_events_are_returned_as_the_very_object_that_came():
    glance = CHAT_COMPLETIONS.stream_glance(read_error, 0)
    for data in (TEXT_STREAM[0], TEXT_STREAM[1], TEXT_STREAM[1] + TEXT_STREAM[2], END):
        assert glance.feed(data) is data


@pytest.mark.parametrize(
    ("delta", "is_content"),
    [
        ({"role": "assistant"}, False),
        ({"role": "assistant", "content": ""}, False),
        ({"role": "assistant", "content": None, "refusal": None, "tool_calls": None}, False),
        ({"content": "x"}, True),
        ({"refusal": "no"}, True),
        ({"reasoning_content": "hm"}, True),
        ({"reasoning": "hm"}, True),
        ({"tool_calls": [call(0, tool_id="a", name="f")]}, True),
        ({"function_call": {"name": "f", "arguments": ""}}, True),
        ({"audio": {"data": "AAAA"}}, True),
        ({"content": [{"type": "text", "text": "x"}]}, True),
    ],
)
def test_what_counts_as_content(delta, is_content):
    glance, _ = glance_at(chunk(delta))
    assert glance.has_content is is_content


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("stop", Stop.END),
        ("length", Stop.LENGTH),
        ("tool_calls", Stop.TOOL_USE),
        ("function_call", Stop.TOOL_USE),
        ("content_filter", Stop.REFUSED),
        ("model_length", Stop.CONTEXT),
        ("a_word_of_tomorrow", Stop.END),
    ],
)
@pytest.mark.parametrize("before", [b"", HI])
def test_finish_reasons(reason, stop, before):
    glance, _ = glance_at(before, chunk({}, reason), DONE)
    assert (glance.stop, glance.ended) == (stop, True)


@pytest.mark.parametrize("before", [(), (HI,), (HI, END)])
@pytest.mark.parametrize(
    "error",
    [
        event({"error": {"message": "engine died", "code": 500}}),
        event({"error": "out of memory"}),
        event({"object": "error", "message": "engine died", "code": 40303}),
        b'event: error\ndata: {"message":"engine died"}\n\n',
        b'error: {"code":500,"message":"engine died"}\n\n',
        b'{"error":{"message":"no stream for you"}}\n\n',
        event({"id": "x", "choices": [{"index": 0, "finish_reason": "error"}], "error": {"a": 1}}),
    ],
)
def test_an_error_is_a_fault_and_is_not_forwarded(before, error):
    glance, passed = glance_at(*before, error, DONE)
    assert passed == b"".join(before)
    assert glance.fault is not None
    assert glance.fault.kind is Kind.OVERLOAD
    assert glance.fault.message.startswith("{")
    assert not glance.ended
    assert glance.finish() is glance.fault


def test_events_before_an_error_in_one_read_still_pass():
    glance, passed = glance_at(HI + HI + event({"error": {"message": "x"}}) + DONE)
    assert passed == HI + HI
    assert glance.fault is not None


@pytest.mark.parametrize("nothing", [None, "", {}])
def test_an_empty_error_field_is_no_error(nothing):
    glance, _ = glance_at(HI, chunk({"content": "x"}, error=nothing), END, DONE)
    assert glance.fault is None
    assert glance.ended


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("abort", Kind.TRUNCATED),
        ("error", Kind.OUTAGE),
        ("insufficient_system_resource", Kind.OVERLOAD),
    ],
)
@pytest.mark.parametrize("before", [b"", HI])
def test_a_finish_reason_that_admits_a_failure_is_a_fault(reason, kind, before):
    glance, passed = glance_at(before, chunk({}, reason), DONE)
    assert passed == before
    assert (glance.fault.kind, glance.fault.code, glance.ended) == (kind, reason, False)


@pytest.mark.parametrize("odd", [{}, {"finish_reason": ""}, {"finish_reason": None}])
def test_done_without_a_finish_reason_is_truncated(odd):
    unfinished = event({"id": "x", "choices": [{"index": 0, "delta": {"content": "a"}, **odd}]})
    glance, passed = glance_at(unfinished, DONE)
    assert passed == unfinished
    assert glance.fault.kind is Kind.TRUNCATED
    assert not glance.ended


def test_every_choice_must_finish():
    first, second = chunk({"content": "a"}), chunk({"content": "b"}, index=1)
    glance, _ = glance_at(first, second, chunk({}, "stop"))
    assert glance.finish().kind is Kind.TRUNCATED
    glance, _ = glance_at(first, second, chunk({}, "length", index=1), chunk({}, "stop"), DONE)
    assert (glance.ended, glance.stop) == (True, Stop.END)


def test_a_choice_that_begins_after_content_must_finish_too():
    glance, _ = glance_at(HI, chunk({"content": "b"}, index=1), END, DONE)
    assert glance.fault.kind is Kind.TRUNCATED


def test_a_clean_close_without_done_is_whole_where_all_choices_finished():
    glance, _ = glance_at(HI, END)
    assert not glance.ended
    assert glance.finish() is None
    assert glance.ended


@pytest.mark.parametrize("stream", [(), (HI,), (b": ping\n\n",), (USAGE_CHUNK,), (HI, b"data: {")])
def test_a_close_before_the_end_is_truncated(stream):
    glance, _ = glance_at(*stream)
    assert glance.finish().kind is Kind.TRUNCATED


def test_an_error_that_its_server_did_not_close_is_still_read():
    glance, passed = glance_at(HI, b'data: {"error":{"message":"died"}}\n')
    assert passed == HI
    assert glance.finish().kind is Kind.OVERLOAD


@pytest.mark.parametrize("before", [(), (HI,)])
@pytest.mark.parametrize(
    "garbage",
    [
        b"data: {\n\n",
        b"data: not json\n\n",
        b"data: 7\n\n",
        b"data: []\n\n",
        b'data: {"choices":[{"index":0,"delta":{"content":"\xff"}}]}\n\n',
        b'data: {"choices":[{"index":0}]} trailing\n\n',
        b"data: " + b"[" * 100_000 + b"\n\n",
        b"<!DOCTYPE html><title>Just a moment</title>\n\n",
        b'{"choices":[{"index":0,"message":{"content":"whole"},"finish_reason":"stop"}]}\n\n',
        b"data: " + b"x" * (MAX_EVENT_BYTES + 1) + b"\n\n",
        b"data: " + b"x" * (MAX_EVENT_BYTES + 1),
        chunk({"content": "x"}, index=128),
        chunk({"content": "x"}, index=-1),
    ],
)
def test_garbage_is_malformed_and_is_not_forwarded(before, garbage):
    glance, passed = glance_at(*before, garbage, END, DONE)
    assert passed == b"".join(before)
    assert glance.fault.kind is Kind.MALFORMED


@pytest.mark.parametrize(
    "odd",
    [
        {"index": 0, "delta": {"content": "x", "reasoning": {"an": "object"}}},
        {"index": None, "delta": {"content": "x"}},
        {"index": 0, "delta": {"content": "x", "tool_calls": "none"}},
        {"index": 0, "delta": {"content": "x"}, "finish_reason": 0},
    ],
)
def test_a_field_of_a_wrong_type_costs_nothing_but_itself(odd):
    glance, _ = glance_at(event({"created": 1.5, "usage": 3, "choices": [odd]}), END, DONE)
    assert (glance.fault, glance.ended, glance.has_content) == (None, True, True)


@pytest.mark.parametrize("comment", [b": ping\n\n", b"id: 7\nretry: 10\n\n", b"\n\n"])
def test_comments_pass(comment):
    glance, passed = glance_at(HI, comment)
    assert passed == HI + comment
    assert glance.fault is None


def test_nothing_after_the_end_is_passed():
    glance, passed = glance_at(HI, END, DONE + HI, HI)
    assert passed == HI + END + DONE
    assert glance.ended


@pytest.mark.parametrize("newline", [b"\r\n", b"\r"])
def test_other_line_endings(newline):
    stream = b"".join(TEXT_STREAM).replace(b"\n", newline)
    glance, passed = glance_at(stream, b": end\n\n")
    assert passed == stream
    assert glance.ended


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_any_split_shows_the_same(data):
    stream = data.draw(
        st.sampled_from(
            [
                b"".join(TEXT_STREAM),
                b"".join(TOOL_STREAM),
                HI + event({"error": {"message": "x"}}) + DONE,
                HI + HI + b"data: nonsense\n\n" + END + DONE,
                (HI + HI + END + DONE).replace(b"\n", b"\r\n"),
                HI + DONE,
            ]
        )
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    def seen(glance, passed):
        fault = glance.finish()
        return (
            passed,
            glance.ended,
            fault and fault.kind,
            glance.stop,
            glance.usage,
            glance.has_content,
        )

    assert seen(*glance_at(*pieces)) == seen(*glance_at(stream))


@given(pieces=st.lists(st.binary(max_size=60) | st.sampled_from([HI, END, b"data: ", b"\n\n"])))
@settings(max_examples=200, deadline=None)
def test_garbage_never_raises_and_only_whole_events_pass(pieces):
    glance, passed = glance_at(*pieces)
    assert b"".join(pieces).removeprefix(b"\xef\xbb\xbf").startswith(passed)
    fault = glance.finish()
    assert glance.ended is (fault is None)
