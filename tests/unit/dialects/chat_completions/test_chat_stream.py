"""Chunks to core events, and core events to chunks that OpenAI's own SDK reads."""

from __future__ import annotations

import json
from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from understudy.core.conversation import Stop, Usage
from understudy.core.events import (
    BlockStarted,
    BlockStopped,
    Ended,
    Failed,
    Finished,
    Pinged,
    RefusalDelta,
    SignatureDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    UsageSeen,
)
from understudy.core.faults import Kind
from understudy.dialects.base import truncated_fault
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
    parse,
    read_error,
    user,
)


def events_of(*pieces: bytes, finish: bool = False):
    parser = CHAT_COMPLETIONS.stream_parser(read_error)
    events = [event for piece in pieces for event in parser.feed(piece)]
    return events + parser.finish() if finish else events


def fault_of(events):
    assert isinstance(events[-1], Failed)
    assert sum(isinstance(event, Failed) for event in events) == 1
    return events[-1].fault


def written(events, **fields):
    writer = CHAT_COMPLETIONS.stream_writer(parse(user(), **fields))
    return writer.write(events)


def chunks_in(stream: bytes):
    payloads = [line[6:] for line in stream.decode().split("\n\n") if line.startswith("data: ")]
    return [
        ChatCompletionChunk.model_validate_json(payload, strict=True)
        for payload in payloads
        if payload != "[DONE]"
    ]


STARTED = Started(id="chatcmpl-1", model="gpt-5.2", created=1700000000)
HI = chunk({"content": "hi"})
END = chunk({}, "stop")


class TestReading:
    def test_text(self):
        assert events_of(*TEXT_STREAM) == [
            STARTED,
            BlockStarted(index=0, kind="text"),
            TextDelta(0, "Hel"),
            TextDelta(0, "lo ☃"),
            BlockStopped(0),
            Finished(stop=Stop.END),
            UsageSeen(Usage(input=20, output=9, cache_read=12, reasoning=4)),
            Ended(),
        ]

    def test_thinking_text_and_parallel_calls_become_blocks_one_at_a_time(self):
        assert events_of(*TOOL_STREAM) == [
            STARTED,
            BlockStarted(index=0, kind="thinking"),
            ThinkingDelta(0, "hm"),
            BlockStopped(0),
            BlockStarted(index=1, kind="text"),
            TextDelta(1, "Let me see."),
            BlockStopped(1),
            BlockStarted(index=2, kind="tool_use", tool_id="call_a", tool_name="weather"),
            ToolDelta(2, '{"city":'),
            ToolDelta(2, '"Oslo"}'),
            BlockStopped(2),
            BlockStarted(index=3, kind="tool_use", tool_id="call_b", tool_name="time"),
            ToolDelta(3, "{}"),
            BlockStopped(3),
            Finished(stop=Stop.TOOL_USE),
            Ended(),
        ]

    def test_a_refusal_is_a_block_of_its_own_and_a_refused_stop(self):
        events = events_of(chunk({"refusal": "I "}), chunk({"refusal": "can't."}), END, DONE)
        assert events[1:] == [
            BlockStarted(index=0, kind="refusal"),
            RefusalDelta(0, "I "),
            RefusalDelta(0, "can't."),
            BlockStopped(0),
            Finished(stop=Stop.REFUSED),
            Ended(),
        ]

    @pytest.mark.parametrize(
        ("reason", "stop"),
        [
            ("stop", Stop.END),
            ("length", Stop.LENGTH),
            ("content_filter", Stop.REFUSED),
            ("tool_calls", Stop.TOOL_USE),
            ("model_length", Stop.CONTEXT),
            ("tomorrow", Stop.END),
        ],
    )
    def test_finish_reasons(self, reason, stop):
        assert Finished(stop=stop) in events_of(HI, chunk({}, reason), DONE)

    def test_reasoning_that_a_server_sends_under_both_names_is_taken_once(self):
        events = events_of(chunk({"reasoning": "hm", "reasoning_content": "hm"}))
        assert [event for event in events if isinstance(event, ThinkingDelta)] == [
            ThinkingDelta(0, "hm")
        ]

    def test_content_in_a_list_of_parts(self):
        parts = [
            {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
            {"type": "text", "text": "hello"},
        ]
        events = events_of(chunk({"content": parts}))
        assert ThinkingDelta(0, "hm") in events
        assert TextDelta(1, "hello") in events

    @pytest.mark.parametrize(
        "fragments",
        [
            pytest.param(
                [
                    call(0, tool_id="a", name="f", arguments='{"x":'),
                    call(0, arguments="1}"),
                    call(1, tool_id="b", name="g", arguments="{}"),
                ],
                id="openai",
            ),
            pytest.param(
                [
                    call(0, tool_id="a", name="f", arguments='{"x":1}'),
                    call(0, tool_id="b", name="g", arguments="{}"),
                ],
                id="whole calls, always index 0",
            ),
            pytest.param(
                [
                    call(None, tool_id="a", name="f", arguments='{"x":'),
                    call(None, arguments="1}"),
                    call(None, tool_id="b", name="g", arguments="{}"),
                ],
                id="no index",
            ),
            pytest.param(
                [
                    call(0, tool_id="a", name="f", arguments='{"x":'),
                    call(0, tool_id="a", name="f", arguments="1}"),
                    call(1, tool_id="b", name="g", arguments=""),
                    call(1, tool_id="b", name="g", arguments="{}"),
                ],
                id="id and name in each fragment",
            ),
            pytest.param(
                [
                    call(0, tool_id="a", name="f", arguments={"x": 1}),
                    call(1, tool_id="b", name="g", arguments={}),
                    call(1, arguments=""),
                    call(0, arguments=""),
                ],
                id="arguments as objects, empty fragments late",
            ),
        ],
    )
    @pytest.mark.parametrize("together", [True, False])
    def test_servers_fragment_calls_in_many_ways(self, fragments, together):
        deltas = [fragments] if together else [[fragment] for fragment in fragments]
        stream = [chunk({"tool_calls": calls}) for calls in deltas]
        events = events_of(*stream, END, DONE)
        starts = [event for event in events if isinstance(event, BlockStarted)]
        assert [(start.tool_id, start.tool_name) for start in starts] == [("a", "f"), ("b", "g")]
        deltas = [event for event in events if isinstance(event, ToolDelta)]
        arguments = {
            index: "".join(delta.json for delta in group)
            for index, group in groupby(deltas, key=lambda delta: delta.index)
        }
        assert {index: json.loads(text) for index, text in arguments.items()} == {
            0: {"x": 1},
            1: {},
        }
        assert events[-2:] == [Finished(stop=Stop.TOOL_USE), Ended()]

    def test_calls_without_ids_get_different_ones_that_do_not_change(self):
        stream = [
            chunk({"tool_calls": [call(i, name="f", arguments="{}") for i in range(2)]}),
            chunk({"function_call": {"name": "g", "arguments": "{}"}}, "function_call"),
        ]
        ids = [event.tool_id for event in events_of(*stream) if isinstance(event, BlockStarted)]
        assert len(set(ids)) == 3
        assert all(tool_id.startswith("call_") for tool_id in ids)
        again = [event.tool_id for event in events_of(*stream) if isinstance(event, BlockStarted)]
        assert ids == again

    @pytest.mark.parametrize(
        "late",
        [
            call(0, arguments="1}"),
            call(0, tool_id="a", name="f", arguments="1}"),
        ],
    )
    def test_calls_that_interleave_are_a_fault_not_a_garbled_call(self, late):
        events = events_of(
            chunk({"tool_calls": [call(0, tool_id="a", name="f", arguments='{"x":')]}),
            chunk({"tool_calls": [call(1, tool_id="b", name="g", arguments="{")]}),
            chunk({"tool_calls": [late]}),
        )
        assert fault_of(events).kind is Kind.MALFORMED

    def test_azures_first_chunk_without_choices_does_not_name_the_answer(self):
        first = event({"id": "", "model": "", "choices": [], "prompt_filter_results": []})
        assert events_of(first, HI)[0] == STARTED

    def test_usage_in_each_chunk_and_beside_the_finish(self):
        usage = {"prompt_tokens": 3, "completion_tokens": 1}
        events = events_of(chunk({"content": "a"}, usage=usage), chunk({}, "stop", usage=usage))
        assert events.count(UsageSeen(Usage(input=3, output=1))) == 2
        assert events[-2] == Finished(stop=Stop.END)

    def test_comments_are_pings(self):
        assert events_of(b": OPENROUTER PROCESSING\n\n") == [Pinged()]

    def test_only_the_first_choice_is_the_answer_but_all_must_finish(self):
        stream = [HI, chunk({"content": "other"}, index=1), END]
        assert TextDelta(0, "other") not in events_of(*stream)
        assert fault_of(events_of(*stream, finish=True)).kind is Kind.TRUNCATED
        assert events_of(*stream, chunk({}, "stop", index=1), finish=True)[-1] == Ended()


class TestEnding:
    def test_a_close_without_done_is_an_end_where_all_finished(self):
        assert events_of(HI, END)[-1] == Finished(stop=Stop.END)
        assert events_of(HI, END, finish=True)[-1] == Ended()

    def test_finish_adds_nothing_after_the_end(self):
        assert events_of(*TEXT_STREAM) == events_of(*TEXT_STREAM, finish=True)

    @pytest.mark.parametrize("reason", [None, ""])
    def test_done_without_a_finish_reason_is_truncated(self, reason):
        events = events_of(HI, chunk({}, reason), DONE, finish=True)
        assert fault_of(events).kind is Kind.TRUNCATED

    @pytest.mark.parametrize("stream", [(), (HI,), (b": ping\n\n",), (USAGE_CHUNK,)])
    def test_a_close_before_the_end_is_truncated(self, stream):
        assert fault_of(events_of(*stream, finish=True)).kind is Kind.TRUNCATED

    @pytest.mark.parametrize(
        "error",
        [
            event({"error": {"message": "died"}}),
            event({"error": "died"}),
            event({"object": "error", "message": "died"}),
            b'event: error\ndata: {"message":"died"}\n\n',
            b'error: {"message":"died"}\n\n',
        ],
    )
    def test_errors_fail_the_stream_for_good(self, error):
        fault = fault_of(events_of(HI, END, error, DONE, HI, finish=True))
        assert fault.kind is Kind.OVERLOAD
        assert "died" in fault.message

    def test_an_error_that_its_server_did_not_close_is_still_read(self):
        events = events_of(HI, b'data: {"error":{"message":"died"}}', finish=True)
        assert fault_of(events).kind is Kind.OVERLOAD

    @pytest.mark.parametrize("reason", ["abort", "error", "insufficient_system_resource"])
    def test_a_finish_reason_that_admits_a_failure_fails(self, reason):
        assert fault_of(events_of(HI, chunk({}, reason), DONE)).code == reason

    @pytest.mark.parametrize(
        "garbage",
        [
            b"data: {\n\n",
            b"data: [1]\n\n",
            b'data: {"id":"\xff"}\n\n',
            b"data: " + b"[" * 100_000 + b"\n\n",
            b"<html>\n\n",
            b"data: " + b"x" * (MAX_EVENT_BYTES + 1),
            chunk({"tool_calls": [call(0, arguments="{}")]}),
            chunk({"tool_calls": [call(i, name="f") for i in range(1025)]}),
            END + chunk({"content": "after the end"}),
        ],
    )
    def test_garbage_is_malformed_once_and_the_last_word(self, garbage):
        events = events_of(HI, garbage, garbage, DONE, finish=True)
        assert fault_of(events).kind is Kind.MALFORMED
        assert events[:3] == [STARTED, BlockStarted(index=0, kind="text"), TextDelta(0, "hi")]


def draw_pieces(data, stream):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_split_gives_the_same_events(data):
    stream = data.draw(
        st.sampled_from(
            [
                b"".join(TEXT_STREAM),
                b"".join(TOOL_STREAM).replace(b"\n", b"\r\n"),
                HI + event({"error": "x"}) + DONE,
                HI + b"data: nonsense\n\n" + HI,
            ]
        )
    )
    assert events_of(*draw_pieces(data, stream), finish=True) == events_of(stream, finish=True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "delta",
                    "content",
                    "index",
                    "finish_reason",
                    "tool_calls",
                    "function",
                    "name",
                    "arguments",
                    "id",
                    "usage",
                    "error",
                    "object",
                    "reasoning",
                    "refusal",
                    "prompt_tokens",
                    "model",
                    "created",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(pieces=st.lists(st.binary(max_size=40) | JSON.map(event) | st.sampled_from([HI, END])))
@settings(max_examples=300, deadline=None)
def test_whatever_comes_nothing_raises_and_glance_and_parser_agree_on_the_end(pieces):
    parsed = events_of(*pieces, finish=True)
    assert isinstance(parsed[-1], Failed | Ended)
    glance = CHAT_COMPLETIONS.stream_glance(read_error, 0)
    for piece in pieces:
        glance.feed(piece)
    if isinstance(parsed[-1], Ended):
        assert glance.finish() is None


class TestWriting:
    def test_chunks_that_the_sdk_reads(self):
        stream = written(events_of(*TOOL_STREAM))
        assert stream.endswith(b"\n\n" + DONE)
        chunks = chunks_in(stream)
        assert {(c.id, c.created, c.model) for c in chunks} == {
            ("chatcmpl-1", 1700000000, "gpt-5.2")
        }
        assert chunks[0].choices[0].delta.role == "assistant"
        assert [c.choices[0].finish_reason for c in chunks] == [None] * (len(chunks) - 1) + [
            "tool_calls"
        ]

    @pytest.mark.parametrize("stream", [TEXT_STREAM, TOOL_STREAM])
    def test_what_is_written_reads_back_as_the_same_events(self, stream):
        events = events_of(*stream)
        again = events_of(written(events, stream_options={"include_usage": True}))
        assert again == events

    def test_tool_calls_are_counted_from_0_whatever_their_block(self):
        calls = [
            fragment
            for c in chunks_in(written(events_of(*TOOL_STREAM)))
            for fragment in c.choices[0].delta.tool_calls or ()
        ]
        assert [fragment.index for fragment in calls] == [0, 0, 0, 1, 1]
        assert [fragment.id for fragment in calls] == ["call_a", None, None, "call_b", None]
        assert calls[0].type == "function"

    def test_a_call_without_arguments_still_has_json(self):
        stream = written(
            [
                STARTED,
                BlockStarted(index=0, kind="tool_use", tool_id="a", tool_name="f"),
                ToolDelta(0, ""),
                BlockStopped(0),
            ]
        )
        fragments = [c.choices[0].delta.tool_calls for c in chunks_in(stream)[1:]]
        assert "".join(f[0].function.arguments for f in fragments) == "{}"

    def test_usage_only_for_callers_who_asked_and_the_last_word_counts(self):
        events = [
            Started(id="a", model="m", usage=Usage(input=7)),
            UsageSeen(Usage(input=7, output=1)),
            Finished(stop=Stop.END),
            UsageSeen(Usage(input=7, output=5, cache_read=2, reasoning=1)),
            Ended(),
        ]
        assert b"usage" not in written(events)
        stream = written(events, stream_options={"include_usage": True})
        *others, last = chunks_in(stream)
        assert all(c.usage is None and c.choices for c in others)
        assert last.choices == []
        assert (last.usage.prompt_tokens, last.usage.total_tokens) == (7, 12)
        assert last.usage.prompt_tokens_details.cached_tokens == 2
        assert last.usage.completion_tokens_details.reasoning_tokens == 1

    @pytest.mark.parametrize(
        ("stop", "reason"),
        [
            (Stop.END, "stop"),
            (Stop.STOP_SEQUENCE, "stop"),
            (Stop.LENGTH, "length"),
            (Stop.CONTEXT, "length"),
            (Stop.TOOL_USE, "tool_calls"),
            (Stop.PAUSE, "stop"),
            (Stop.REFUSED, "content_filter"),
        ],
    )
    def test_finish_reasons(self, stop, reason):
        (last,) = chunks_in(written([Finished(stop=stop)]))
        assert last.choices[0].finish_reason == reason

    def test_a_refusal_in_words_ends_with_stop_as_openai_does(self):
        events = [STARTED, RefusalDelta(0, "no"), Finished(stop=Stop.REFUSED), Ended()]
        _, refusal, last = chunks_in(written(events))
        assert refusal.choices[0].delta.refusal == "no"
        assert last.choices[0].finish_reason == "stop"

    def test_thinking_goes_where_compatible_servers_put_it(self):
        (only,) = chunks_in(written([ThinkingDelta(0, "hm")]))
        assert only.choices[0].delta.reasoning_content == "hm"

    @pytest.mark.parametrize("half", ["\\ud83d", "\\ude00", "\\ud83d\\ude00"])
    def test_halves_of_a_character_break_nothing(self, half):
        raw = b'data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % half.encode()
        written(events_of(raw, END, DONE, finish=True))

    def test_pings_are_comments(self):
        assert written([Pinged()]) == CHAT_COMPLETIONS.ping == b": ping\n\n"

    @pytest.mark.parametrize(
        "silent",
        [
            Failed(truncated_fault("x")),
            SignatureDelta(0, "sig"),
            BlockStarted(index=0, kind="text"),
            BlockStarted(index=0, kind="redacted_thinking", data="x"),
            BlockStopped(0),
        ],
    )
    def test_what_the_dialect_has_no_words_for_writes_nothing(self, silent):
        assert written([silent]) == b""

    def test_a_stream_that_failed_has_no_done(self):
        assert b"[DONE]" not in written(events_of(HI, event({"error": "x"}), DONE, finish=True))
