"""The splitter: any split of the bytes gives the same events, and nothing is lost or invented."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.dialects import sse
from understudy.dialects.sse import (
    MAX_EVENT_BYTES,
    EventTooLargeError,
    ServerSentEvent,
    SseSplitter,
    parse_event,
)

BOM = b"\xef\xbb\xbf"
# Line endings far more often than chance would give them, and the bytes of a BOM.
STREAMS = st.lists(
    st.sampled_from([b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n", b"data: x", b"a", b":", b"\xef"]),
    max_size=40,
).map(b"".join)


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def feed_all(splitter: SseSplitter, pieces: list[bytes]) -> tuple[list[bytes], bool]:
    events: list[bytes] = []
    try:
        for piece in pieces:
            events += splitter.feed(piece)
    except EventTooLargeError as error:
        return [*events, *error.events], True
    return events, False


def lines_of(event: bytes) -> list[bytes]:
    return event.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")


@given(STREAMS, st.lists(st.integers(min_value=0), max_size=12), st.booleans())
def test_any_split_gives_the_same_events(data, cuts, bom):
    data = BOM + data if bom else data
    whole, _ = feed_all(SseSplitter(), [data])
    parts, _ = feed_all(SseSplitter(), split(data, cuts))
    single, _ = feed_all(SseSplitter(), [data[i : i + 1] for i in range(len(data))])
    assert parts == whole
    assert single == whole


@given(STREAMS, st.lists(st.integers(min_value=0), max_size=12))
def test_what_comes_out_and_what_is_pending_join_up_to_the_input_without_its_bom(data, cuts):
    splitter = SseSplitter()
    events, _ = feed_all(splitter, split(BOM + data, cuts))
    assert b"".join(events) + splitter.pending == data


@given(STREAMS)
def test_every_event_ends_at_its_first_empty_line(data):
    events, _ = feed_all(SseSplitter(), [data])
    for event in events:
        lines = lines_of(event)
        assert lines[-2:] == [b"", b""]
        assert not any(first == second == b"" for first, second in pairwise(lines[1:-1]))


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
def test_each_line_ending_cuts_between_events(ending):
    event = ending.join([b"event: a", b"data: 1", b"", b""])
    assert SseSplitter().feed(event * 3 + b":")[:3] == [event] * 3


def test_a_cr_at_the_end_waits_for_its_lf():
    splitter = SseSplitter()
    assert splitter.feed(b"data: 1\r\n\r") == []
    assert splitter.feed(b"\n") == [b"data: 1\r\n\r\n"]


def test_a_read_that_is_one_event_comes_back_as_the_same_object():
    splitter = SseSplitter()
    read = b'data: {"a":1}\n\n'
    assert splitter.feed(read)[0] is read


def test_at_boundary_only_between_events():
    splitter = SseSplitter()
    splitter.feed(b"data: 1\n\n")
    assert splitter.at_boundary
    splitter.feed(b"data")
    assert not splitter.at_boundary


@given(
    st.lists(
        st.sampled_from(
            [b"data: 12\n\n", b"data: 12\r\n\r\n", b"data: 1234567890\n\n", b"data: 1"]
        ),
        max_size=8,
    ).map(b"".join),
    st.lists(st.integers(min_value=0), max_size=8),
)
def test_an_event_over_the_cap_is_refused_after_those_before_it_however_it_comes(data, cuts):
    whole = feed_all(SseSplitter(max_event_bytes=14), [data])
    assert feed_all(SseSplitter(max_event_bytes=14), split(data, cuts)) == whole


def test_the_cap_is_one_mebibyte_and_memory_ends_there():
    splitter = SseSplitter()
    assert splitter.feed(b"x" * MAX_EVENT_BYTES) == []
    with pytest.raises(EventTooLargeError):
        splitter.feed(b"x")
    assert len(splitter.pending) < 2
    with pytest.raises(EventTooLargeError):
        splitter.feed(b"data: 1\n\n")


@pytest.mark.parametrize("filler", [b"x", b"x\r", b"x\n"])
def test_a_large_event_in_small_reads_is_searched_once(filler, monkeypatch):
    # Work is counted, not timed: the sum of what each search may look through.
    looked: list[int] = []

    def counting(cuts):
        def wrapped(buffer, position):
            looked.append(len(buffer) - position)
            return cuts(buffer, position)

        return wrapped

    monkeypatch.setattr(sse, "_cuts", counting(sse._cuts))
    monkeypatch.setattr(sse, "_cuts_mixed", counting(sse._cuts_mixed))
    splitter = SseSplitter()
    read = filler * (100 // len(filler))
    reads = MAX_EVENT_BYTES // 100
    for _ in range(reads):
        assert splitter.feed(read) == []
    assert sum(looked) < 2 * MAX_EVENT_BYTES


@pytest.mark.parametrize(
    ("raw", "event", "data"),
    [
        (b"data: 1\n\n", "message", b"1"),
        (b"data:1\n\n", "message", b"1"),
        (b"data:  1\n\n", "message", b" 1"),
        (b"event: a\ndata: 1\n\n", "a", b"1"),
        (b"data: 1\nevent: a\n\n", "a", b"1"),
        (b"event:a\ndata: 1\ndata: 2\n\n", "a", b"1\n2"),
        (b"event: a\ndata: 1\n data: 2\n\n", "a", b"1"),
        (b"event: a\r\ndata: 1\r\n\r\n", "a", b"1"),
        (b"event: a\rdata: 1\r\r", "a", b"1"),
        (b"event: \ndata: 1\n\n", "message", b"1"),
        (b"event: a\nid: 7\nretry: 10\ndata: 1\n\n", "a", b"1"),
        (b"data\n\n", "message", b""),
        (b"data: \n\n", "message", b""),
        (b": a comment\n\n", "message", None),
        (b"event: ping\n\n", "ping", None),
        (b"\n\n", "message", None),
        (b"\ndata: 1\n\n", "message", b"1"),
        (b"event: \xff\ndata: 1\n\n", "\ufffd", b"1"),
        (b"data: a\rb\n\n", "message", b"a"),
    ],
)
def test_lines_are_read_as_the_standard_says(raw, event, data):
    assert parse_event(raw) == ServerSentEvent(event, data)
