"""What was sent of a messages stream, read back, and gone on with where it stopped."""

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
    TextDelta,
    UsageSeen,
)
from understudy.dialects.messages import MESSAGES
from understudy.dialects.sse import SseSplitter, parse_event
from unit.dialects.event_strategies import answers
from unit.dialects.messages.messages_samples import (
    PING,
    TAIL,
    TEXT_STREAM,
    asks,
    block_start,
    block_stop,
    delta,
    event,
    message_start,
    read_error,
    text,
)

SEAM = b": understudy continued at openai/gpt-5.2 from character 5\n\n"
#: A provider's own stream: thinking, text and a call, and no word that the core has not.
VENDORS = [
    message_start(),
    block_start(0, type="thinking", thinking="", signature=""),
    delta(0, type="thinking_delta", thinking="hm"),
    delta(0, type="signature_delta", signature="c2ln"),
    block_stop(0),
    PING,
    block_start(1, type="text", text=""),
    text("I'll ", 1),
    text("ask.", 1),
    block_stop(1),
    block_start(2, type="tool_use", id="toolu_1", name="weather", input={}),
    delta(2, type="input_json_delta", partial_json='{"city":"Oslo"}'),
    block_stop(2),
    *TAIL,
]


def sent(*pieces):
    reader = MESSAGES.sent()
    for piece in pieces:
        reader.feed(piece)
    return reader


def parsed(*pieces):
    parser = MESSAGES.stream_parser(read_error)
    return [event for piece in pieces for event in parser.feed(piece)]


def datas(stream):
    return [json.loads(parse_event(raw).data) for raw in SseSplitter().feed(stream)]


@given(answers(), st.data())
def test_a_stream_that_goes_on_after_any_event_is_the_uncut_one(events, data):
    # What comes from `Finished` on is written with the end.
    cut = data.draw(st.integers(min_value=1, max_value=len(events) - 3))
    head = MESSAGES.stream_writer(asks()).write(events[:cut])
    size = data.draw(st.integers(min_value=1, max_value=100))
    reader = sent(*[head[at : at + size] for at in range(0, len(head), size)])
    whole = head + reader.writer(asks()).write(events[cut:])
    assert whole == MESSAGES.stream_writer(asks()).write(events)
    assert not reader.transcript.foreign


@pytest.mark.parametrize("cut", range(1, len(VENDORS) - 1))
def test_a_vendors_stream_that_goes_on_after_any_event_is_the_uncut_one(cut):
    reader = sent(*VENDORS[:cut], SEAM, PING)
    rest = parsed(*VENDORS)[len(parsed(*VENDORS[:cut])) :]
    resumed = reader.writer(asks()).write(rest)
    assert parsed(*VENDORS[:cut], SEAM, resumed) == parsed(*VENDORS)


def test_the_transcript_says_what_the_caller_has():
    transcript = sent(*VENDORS[:8], SEAM).transcript
    assert (transcript.started.id, transcript.started.model) == ("msg_1", "claude-sonnet-4-5")
    assert transcript.usage == Usage(input=18, output=1, cache_read=5, cache_write=3)
    assert [(b.kind, b.text, b.open, b.signed) for b in transcript.blocks] == [
        ("thinking", "hm", False, True),
        ("text", "I'll ", True, False),
    ]
    assert transcript.text == "I'll "
    assert not transcript.foreign


def test_text_goes_to_the_open_block_and_the_next_block_is_the_next():
    reader = sent(*TEXT_STREAM[:4])
    writer = reader.writer(asks())
    stream = writer.write(
        [
            TextDelta(0, "lo"),
            BlockStopped(0),
            BlockStarted(index=1, kind="tool_use", tool_id="t", tool_name="n"),
            BlockStopped(1),
            Finished(stop=Stop.TOOL_USE),
            UsageSeen(Usage(input=7, output=9)),
            Ended(),
        ]
    )
    first, *_, last, end = datas(stream)
    assert first == {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "lo"},
    }
    starts = [data for data in datas(stream) if data["type"] == "content_block_start"]
    assert [start["index"] for start in starts] == [1]
    assert (last["delta"]["stop_reason"], last["usage"]["output_tokens"]) == ("tool_use", 9)
    assert end == {"type": "message_stop"}


def test_a_stream_may_break_and_go_on_twice():
    first = TEXT_STREAM[:4]
    one = sent(*first)
    second = one.writer(asks()).write([TextDelta(0, "lo, ")])
    two = sent(*first, SEAM, second)
    third = two.writer(asks()).write(
        [TextDelta(0, "you."), BlockStopped(0), Finished(stop=Stop.END), Ended()]
    )
    events = parsed(*first, SEAM, second, SEAM, third)
    said = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert said == two.transcript.text + "you." == "Hello, you."
    assert events[-1] == Ended()


def test_usage_that_nobody_speaks_of_again_is_the_first_ones():
    writer = sent(message_start(), block_start()).writer(asks())
    stream = writer.write([BlockStopped(0), Finished(stop=Stop.END), Ended()])
    usage = datas(stream)[-2]["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (10, 5)


SEARCH = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}


@pytest.mark.parametrize(
    "pieces",
    [
        [message_start(), block_start(0, **SEARCH)],
        [message_start(), block_start(0, **SEARCH), block_stop(0), block_start(1)],
        [message_start(), block_start(), text(), delta(0, type="citations_delta", citation={})],
        [message_start(), block_start(3), text(index=3)],
        [message_start(), block_start(), text(), b"data: nonsense\n\n"],
        [message_start(), block_start(), block_start(1)],
        [message_start(), event("error", error={"type": "api_error", "message": "x"})],
    ],
    ids=["server tool", "after it", "citation", "indexes", "garbage", "grammar", "error"],
)
def test_what_the_core_has_no_words_for_cannot_be_gone_on_with(pieces):
    assert sent(*pieces).transcript.foreign


@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([*VENDORS, b"\n\n"]))))
def test_garbage_never_raises(pieces):
    reader = sent(*pieces)
    failed = any(isinstance(event, Failed) for event in parsed(*pieces))
    assert reader.transcript.foreign or not failed


@given(cuts=st.lists(st.integers(min_value=0), max_size=20))
def test_any_split_reads_the_same(cuts):
    data = b"".join([*VENDORS[:9], SEAM])
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    split = sent(*[data[a:b] for a, b in pairwise(edges)]).transcript
    whole = sent(data).transcript
    assert [(b.kind, b.text, b.open) for b in split.blocks] == [
        (b.kind, b.text, b.open) for b in whole.blocks
    ]
