"""What was sent of a stream of chunks, read back, and gone on with where it stopped."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.core.conversation import Stop, Usage
from understudy.core.events import (
    BlockStarted,
    BlockStopped,
    Ended,
    Finished,
    TextDelta,
    UsageSeen,
)
from understudy.dialects.chat_completions import CHAT_COMPLETIONS
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
from unit.dialects.event_strategies import answers

SEAM = b": understudy continued at anthropic/claude-sonnet-5 from character 5\n\n"
USED = {"stream_options": {"include_usage": True}}


def asks(**fields):
    return parse(user(), **fields)


def sent(*pieces):
    reader = CHAT_COMPLETIONS.sent()
    for piece in pieces:
        reader.feed(piece)
    return reader


def parsed(*pieces):
    parser = CHAT_COMPLETIONS.stream_parser(read_error)
    return [event for piece in pieces for event in parser.feed(piece)]


def chunks_in(stream):
    return [json.loads(line[6:]) for line in stream.decode().split("\n\n") if line[:7] == "data: {"]


@given(answers(), st.data())
@settings(deadline=None)
def test_a_stream_that_goes_on_after_any_event_is_the_uncut_one(events, data):
    request = asks(**data.draw(st.sampled_from([{}, USED])))
    cut = data.draw(st.integers(min_value=1, max_value=len(events) - 2))
    head = CHAT_COMPLETIONS.stream_writer(request).write(events[:cut])
    size = data.draw(st.integers(min_value=1, max_value=200))
    reader = sent(*[head[at : at + size] for at in range(0, len(head), size)])
    whole = head + reader.writer(request).write(events[cut:])
    assert whole == CHAT_COMPLETIONS.stream_writer(request).write(events)
    assert not reader.transcript.foreign


@pytest.mark.parametrize(
    ("stream", "cut"),
    [(stream, cut) for stream in (TEXT_STREAM, TOOL_STREAM) for cut in range(1, len(stream))],
)
def test_a_vendors_stream_that_goes_on_after_any_event_is_the_uncut_one(stream, cut):
    head = stream[:cut]
    rest = parsed(*stream)[len(parsed(*head)) :]
    resumed = sent(*head, SEAM).writer(asks(**USED)).write(rest)
    again = [event for event in parsed(*head, resumed) if not isinstance(event, UsageSeen)]
    assert again == [event for event in parsed(*stream) if not isinstance(event, UsageSeen)]


def test_the_transcript_says_what_the_caller_has():
    transcript = sent(*TOOL_STREAM[:2], SEAM, chunk({"content": " Now."})).transcript
    started = transcript.started
    assert (started.id, started.model, started.created) == ("chatcmpl-1", "gpt-5.2", 1700000000)
    assert [(b.kind, b.text, b.open) for b in transcript.blocks] == [
        ("thinking", "hm", False),
        ("text", "Let me see. Now.", True),
    ]
    assert not transcript.foreign


def test_every_further_chunk_is_one_of_the_first_attempts_answer():
    writer = sent(*TEXT_STREAM[:2]).writer(asks(**USED))
    stream = writer.write(
        [
            TextDelta(0, "lo"),
            BlockStopped(0),
            Finished(stop=Stop.END),
            UsageSeen(Usage(input=3, output=4)),
            Ended(),
        ]
    )
    assert stream.endswith(DONE)
    chunks = chunks_in(stream)
    assert {(c["id"], c["model"], c["created"]) for c in chunks} == {
        ("chatcmpl-1", "gpt-5.2", 1700000000)
    }
    assert chunks[0]["choices"][0]["delta"] == {"content": "lo"}
    assert not any("role" in c["choices"][0]["delta"] for c in chunks if c["choices"])
    assert chunks[-1]["usage"]["total_tokens"] == 7


def test_tool_calls_are_counted_on():
    writer = sent(*TOOL_STREAM[:5]).writer(asks())
    stream = writer.write(
        [
            BlockStarted(index=3, kind="tool_use", tool_id="call_b", tool_name="time"),
            BlockStopped(3),
        ]
    )
    fragments = [c["choices"][0]["delta"]["tool_calls"][0] for c in chunks_in(stream)]
    assert [fragment["index"] for fragment in fragments] == [1, 1]
    assert fragments[1]["function"]["arguments"] == "{}"


def test_a_refusal_that_began_before_still_ends_as_one():
    writer = sent(chunk({"refusal": "I "})).writer(asks())
    (last,) = chunks_in(writer.write([Finished(stop=Stop.REFUSED)]))
    assert last["choices"][0]["finish_reason"] == "stop"


def test_usage_that_nobody_speaks_of_again_is_the_first_ones():
    writer = sent(*TEXT_STREAM[:2], USAGE_CHUNK).writer(asks(**USED))
    last = chunks_in(writer.write([Finished(stop=Stop.END), Ended()]))[-1]
    assert last["usage"]["prompt_tokens"] == 20


@pytest.mark.parametrize(
    "odd",
    [
        chunk({"content": "b"}, index=1),
        chunk({"audio": {"data": "AAAA"}}),
        chunk({"content": [{"type": "reference", "reference_ids": [1]}]}),
        b"data: nonsense\n\n",
        event({"error": {"message": "x"}}),
        chunk({"tool_calls": [call(5, arguments="{}")]}),
    ],
    ids=["second choice", "audio", "reference", "garbage", "error", "grammar"],
)
def test_what_the_core_has_no_words_for_cannot_be_gone_on_with(odd):
    assert sent(TEXT_STREAM[1], odd).transcript.foreign


@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([*TOOL_STREAM, b"\n\n"]))))
@settings(deadline=None)
def test_garbage_never_raises(pieces):
    sent(*pieces).writer(asks())


@given(cuts=st.lists(st.integers(min_value=0), max_size=20))
def test_any_split_reads_the_same(cuts):
    data = b"".join([*TOOL_STREAM[:5], SEAM])
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    split = sent(*[data[a:b] for a, b in pairwise(edges)]).transcript
    whole = sent(data).transcript
    assert [(b.kind, b.text, b.open) for b in split.blocks] == [
        (b.kind, b.text, b.open) for b in whole.blocks
    ]
