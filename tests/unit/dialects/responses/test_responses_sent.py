"""What was sent is read back, and another writer goes on with it as if it had written all of it."""

from __future__ import annotations

import json
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import OpenAI

from understudy.core.conversation import Stop, Usage
from understudy.core.events import (
    BlockStarted,
    BlockStopped,
    Ended,
    Failed,
    Finished,
    RefusalDelta,
    Started,
    TextDelta,
    ToolDelta,
    UsageSeen,
)
from understudy.dialects.responses import RESPONSES
from unit.dialects.responses.responses_samples import (
    ASKED,
    BLOCKS,
    TEXT_STREAM,
    TOOL_STREAM,
    call_item,
    event,
    events_of,
    numbered,
    opening,
    parsed,
    reasoning,
    reasoning_item,
    text_item,
)

WRITTEN = RESPONSES.stream_writer(ASKED).write(BLOCKS)
#: The bytes of every core event, and where each server-sent event ends.
_WRITER = RESPONSES.stream_writer(ASKED)
PIECES = [_WRITER.write([event]) for event in BLOCKS]
_ENDS = [n + 2 for n in range(len(WRITTEN)) if WRITTEN[n : n + 2] == b"\n\n"]
CUTS = [cut for cut in _ENDS if cut < len(WRITTEN)]

END = [Finished(stop=Stop.END), UsageSeen(Usage(input=7, output=8)), Ended()]


def read_back(data: bytes):
    sent = RESPONSES.sent()
    sent.feed(data)
    return sent


def remaining(cut: int):
    """The core events that are not yet wholly written in the first `cut` bytes."""
    at = 0
    for position, piece in enumerate(PIECES):
        at += len(piece)
        if at > cut:
            return BLOCKS[position:]
    raise AssertionError


def went_on(data: bytes, *events):
    """(the whole stream, its events by the SDK's types)."""
    whole = data + read_back(data).writer(ASKED).write(events)
    return whole, events_of(whole)


@pytest.mark.parametrize("cut", CUTS)
def test_a_stream_cut_anywhere_goes_on_as_if_it_had_not_been(cut):
    rest = [event for event in remaining(cut) if not isinstance(event, Started)]
    if not any(isinstance(event, Finished) for event in rest):
        # Why an answer ended is written at its very end: who goes on says so again.
        rest = BLOCKS[-3:]
    sent = read_back(WRITTEN[:cut])
    kinds = [block.kind for block in sent.transcript.blocks]
    if rest and isinstance(rest[0], BlockStarted) and len(kinds) > rest[0].index:
        rest = rest[1:]  # Its beginning was sent, though not all that belongs to it.
    whole = WRITTEN[:cut] + sent.writer(ASKED).write(rest)
    assert parsed(whole) == parsed(WRITTEN)
    uncut, now = events_of(WRITTEN), events_of(whole)
    assert [event.sequence_number for event in now] == list(range(len(now)))
    assert [_place(event) for event in now] == [_place(event) for event in uncut]
    ids = [item.id for item in now[-1].response.output]
    assert ids == [item.id for item in uncut[-1].response.output]


def _place(event):
    names = ("type", "item_id", "output_index", "content_index", "summary_index", "delta", "text")
    return [getattr(event, name, None) for name in names]


@given(st.sampled_from(CUTS), st.lists(st.integers(0, 9000), max_size=20))
def test_it_is_fed_in_any_split(cut, splits):
    data = WRITTEN[:cut]
    sent = RESPONSES.sent()
    edges = [0, *sorted(split % len(data) for split in splits), len(data)]
    for a, b in pairwise(edges):
        sent.feed(data[a:b])
    at_once = read_back(data)
    assert [(b.kind, b.text, b.open) for b in sent.transcript.blocks] == [
        (b.kind, b.text, b.open) for b in at_once.transcript.blocks
    ]
    assert sent.writer(ASKED).write(END) == at_once.writer(ASKED).write(END)


@given(st.binary(max_size=200))
def test_garbage_never_raises(garbage):
    sent = read_back(b"".join(TEXT_STREAM[:5]))
    sent.feed(garbage)
    sent.feed(b"\n\n")
    assert sent.transcript.text.startswith("Hel")


@pytest.mark.parametrize(
    "raw",
    [
        event("response.output_item.added", 5, output_index=1, item={"type": "web_search_call"}),
        event("response.output_text.annotation.added", 5, output_index=0, annotation={}),
        event("error", 5, message="No."),
        b"data: nonsense\n\n",
    ],
)
def test_what_nobody_can_go_on_with_is_foreign(raw):
    sent = read_back(b"".join(TEXT_STREAM[:5]) + raw)
    assert sent.transcript.foreign
    assert not read_back(b"".join(TEXT_STREAM[:5])).transcript.foreign


def test_comments_between_two_writers_say_nothing():
    first = b"".join(TEXT_STREAM[:5]) + b": understudy continued at openai/gpt from character 3\n\n"
    sent = read_back(first)
    assert (sent.transcript.text, sent.transcript.foreign) == ("Hel", False)


# -- a provider's own stream, gone on with elsewhere


def test_an_open_text_goes_on_and_closes_with_all_of_it():
    whole, events = went_on(b"".join(TEXT_STREAM[:5]), TextDelta(0, "p!"), BlockStopped(0), *END)
    by_kind = {event.type: event for event in events}
    delta = by_kind["response.output_text.delta"]
    assert (delta.item_id, delta.output_index, delta.content_index) == ("msg_1", 0, 0)
    assert by_kind["response.output_text.done"].text == "Help!"
    assert by_kind["response.content_part.done"].part.text == "Help!"
    done = by_kind["response.output_item.done"].item
    assert (done.id, done.status, done.content[0].text) == ("msg_1", "completed", "Help!")
    last = events[-1].response
    assert (last.id, last.created_at, last.model) == ("resp_1", 1700000000, "gpt-5.2")
    assert (last.instructions, last.metadata) == ("Be kind.", {"a": "b"})
    assert (last.usage.input_tokens, last.usage.output_tokens) == (7, 8)
    assert last.output == [done]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert isinstance(parsed(whole)[-1], Ended)


def test_the_whole_of_it_satisfies_the_sdks_stream_helper():
    whole, _ = went_on(b"".join(TEXT_STREAM[:5]), TextDelta(0, "p!"), BlockStopped(0), *END)

    def answer(_):
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=whole)

    http = httpx.Client(transport=httpx.MockTransport(answer))
    client = OpenAI(api_key="k", base_url="http://x.test", http_client=http)
    with client.responses.stream(model="m", input="x") as streamed:
        assert streamed.get_final_response().output_text == "Help!"


def test_items_that_were_whole_stay_as_they_were_written():
    first = reasoning("hm", encrypted_content="gAAA")
    pairs = [
        *opening(),
        ("response.output_item.added", {"output_index": 0, "item": reasoning()}),
        ("response.output_item.done", {"output_index": 0, "item": first}),
        *text_item("Let ", index=1)[:3],
    ]
    _, events = went_on(b"".join(numbered(*pairs)), TextDelta(1, "me."), BlockStopped(1), *END)
    kept, said = events[-1].response.output
    assert kept.encrypted_content == "gAAA"
    assert said.content[0].text == "Let me."


def test_new_blocks_become_new_items():
    blocks = [
        BlockStopped(0),
        BlockStarted(index=1, kind="tool_use", tool_id="call_z", tool_name="f"),
        BlockStopped(1),
        BlockStarted(index=2, kind="text"),
        TextDelta(2, "bye"),
        BlockStopped(2),
    ]
    _, events = went_on(b"".join(TEXT_STREAM[:5]), *blocks, *END)
    first, called, last = events[-1].response.output
    assert (first.content[0].text, called.call_id, last.content[0].text) == ("Hel", "call_z", "bye")
    assert len({first.id, called.id, last.id}) == 3


def test_a_broken_thought_is_closed_as_unfinished_and_not_sent_back():
    broken = b"".join(numbered(*opening(), *reasoning_item("Let ", "me")[:3]))
    blocks = [
        BlockStopped(0),
        BlockStarted(index=1, kind="text"),
        TextDelta(1, "hi"),
        BlockStopped(1),
    ]
    whole, events = went_on(broken, *blocks, *END)
    thought, said = events[-1].response.output
    assert (thought.id, thought.status, thought.encrypted_content) == ("rs_1", "incomplete", None)
    assert thought.summary[0].text == "Let "
    assert said.content[0].text == "hi"
    output = json.loads(whole.rpartition(b"data: ")[2])["response"]["output"]
    body = json.dumps({"model": "m", "input": [*output, {"role": "user", "content": "x"}]}).encode()
    sent, names = RESPONSES.readdress(RESPONSES.read_envelope(body), "m", None)
    assert [item.get("type") for item in json.loads(sent)["input"]] == ["message", None]
    assert names == ["thinking history"]


def test_a_call_that_was_open_can_be_completed():
    begun = b"".join(numbered(*opening(), *call_item('{"a"', index=0, call_id="c")[:2]))
    sent = read_back(begun)
    assert sent.transcript.open_block.tool_id == "c"
    whole = begun + sent.writer(ASKED).write([ToolDelta(0, ":1}"), BlockStopped(0), *END])
    (called,) = events_of(whole)[-1].response.output
    assert (called.call_id, called.arguments, called.id) == ("c", '{"a":1}', "fc_0")


def test_a_refusal_that_was_sent_completes_the_answer():
    first = RESPONSES.stream_writer(ASKED).write(
        [Started(id="r", model="m"), BlockStarted(index=0, kind="refusal"), RefusalDelta(0, "no")]
    )
    _, events = went_on(first, BlockStopped(0), Finished(stop=Stop.REFUSED), Ended())
    assert events[-1].type == "response.completed"


def test_after_nothing_but_the_beginning():
    for count in (1, 2):
        blocks = [BlockStarted(index=0, kind="text"), TextDelta(0, "hi"), BlockStopped(0)]
        whole, events = went_on(b"".join(TEXT_STREAM[:count]), *blocks, *END)
        assert [event.type for event in events[:3]] == [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
        ]
        assert not any(isinstance(event, Failed) for event in parsed(whole))


def test_a_stream_can_go_on_twice():
    first = b"".join(TEXT_STREAM[:5])
    second = first + read_back(first).writer(ASKED).write([TextDelta(0, "p ")])
    whole, events = went_on(second, TextDelta(0, "me"), BlockStopped(0), *END)
    assert events[-1].response.output[0].content[0].text == "Help me"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert isinstance(parsed(whole)[-1], Ended)


def test_a_provider_that_does_not_count_is_counted_on_from():
    pairs = [*opening(), *text_item("Hel")[:3]]
    uncounted = b"".join(event(kind, **fields) for kind, fields in pairs)
    rest = read_back(uncounted).writer(ASKED).write([TextDelta(0, "p"), BlockStopped(0), *END])
    numbers = [event.sequence_number for event in events_of(rest)]
    assert numbers == list(range(len(pairs), len(pairs) + len(numbers)))


def test_the_transcript_says_what_the_caller_has():
    sent = read_back(b"".join(TOOL_STREAM[:-1]))
    assert [(b.kind, b.text, b.open) for b in sent.transcript.blocks] == [
        ("thinking", "Let me think.", False),
        ("text", "Let me see.", False),
        ("tool_use", '{"city":"Oslo"}', False),
        ("tool_use", "{}", False),
    ]
    assert sent.transcript.started.id == "resp_1"
    assert sent.transcript.finished is None
