"""What a passing stream holds back: nothing of a tool call, or of an end, that may never come."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.core.conversation import Stop
from understudy.core.faults import Kind
from understudy.dialects.base import HOLD_TEXT, HOLD_TOOLS
from understudy.dialects.chat_completions import CHAT_COMPLETIONS
from understudy.dialects.glance import MAX_HELD_BYTES
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

ROLE = chunk({"role": "assistant", "content": ""})
HI = chunk({"content": "hi"})
CALLS = [
    chunk({"tool_calls": [call(0, tool_id="call_a", name="weather", arguments="")]}),
    chunk({"tool_calls": [call(0, arguments='{"city":')]}),
    chunk({"tool_calls": [call(0, arguments='"Oslo"}')]}),
]
END = chunk({}, "stop")
CALLED = chunk({}, "tool_calls")
PING = b": ping\n\n"


def fed(hold, *pieces):
    """The glance, and what it returned for each piece."""
    glance = CHAT_COMPLETIONS.stream_glance(read_error, hold)
    return glance, [glance.feed(piece) for piece in pieces]


@pytest.mark.parametrize("hold", [0, HOLD_TOOLS])
@pytest.mark.parametrize(
    "delta",
    [
        {"content": "b"},
        {"reasoning_content": "b"},
        {"reasoning": "b"},
        {"refusal": "b"},
        {"content": "b", "tool_calls": None},
        {"content": "b", "tool_calls": []},
        {"content": None, "tool_calls": [], "reasoning_content": "b"},
        {"content": 'of "tool_calls"'},
        {"content": [{"type": "text", "text": "b"}]},
    ],
)
def test_text_passes_as_it_comes(hold, delta):
    pieces = [ROLE, HI, chunk(delta), PING, chunk(delta)]
    glance, passed = fed(hold, *pieces)
    assert passed == pieces
    assert glance.held == 0


def test_a_tool_call_passes_as_it_comes_where_nothing_is_held():
    pieces = [ROLE, HI, *CALLS, CALLED, DONE]
    _, passed = fed(0, *pieces)
    assert passed == pieces


@pytest.mark.parametrize("before", [[ROLE], [ROLE, HI]])
@pytest.mark.parametrize("end", [[CALLED, DONE], [CALLED, USAGE_CHUNK, DONE], [END, DONE]])
def test_a_tool_call_waits_for_the_end_and_then_all_of_it_comes_in_order(before, end):
    glance, passed = fed(HOLD_TOOLS, *before, *CALLS)
    assert passed == [*before, *[b""] * len(CALLS)]
    assert glance.has_content
    assert glance.held == sum(map(len, CALLS))
    assert glance.feed(b"".join(end)) == b"".join([*CALLS, *end])
    assert (glance.ended, glance.held) == (True, 0)


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "one moment", "tool_calls": [call(0, tool_id="a", name="f")]},
        {"content": None, "tool_calls": [call(0, tool_id="a", name="f")]},
        {"function_call": {"name": "f", "arguments": ""}},
    ],
)
@pytest.mark.parametrize("before", [[ROLE], [ROLE, HI, HI]])
def test_an_event_that_has_a_call_in_it_is_held_as_a_whole(delta, before):
    _, passed = fed(HOLD_TOOLS, *before, chunk(delta), HI)
    assert passed == [*before, b"", b""]


def test_structured_output_waits_from_its_first_text_on():
    glance, passed = fed(HOLD_TEXT, ROLE, HI, HI)
    assert passed == [ROLE, b"", b""]
    assert glance.feed(END + DONE) == HI + HI + END + DONE


@pytest.mark.parametrize("hold", [HOLD_TOOLS, HOLD_TEXT])
def test_comments_overtake_what_is_held(hold):
    glance, passed = fed(hold, ROLE, *CALLS, PING)
    assert passed[-1] == PING
    assert glance.feed(CALLS[1] + PING + CALLS[2]) == PING


@pytest.mark.parametrize("hold", [HOLD_TOOLS, HOLD_TEXT])
@pytest.mark.parametrize("end", [[END], [END, USAGE_CHUNK], [chunk({"content": "!"}, "stop")]])
def test_the_reason_of_an_end_waits_for_the_end_itself(hold, end):
    glance, passed = fed(hold, ROLE, HI, *end)
    assert passed[2:] == [b""] * len(end)
    assert glance.stop is Stop.END
    assert glance.feed(DONE).endswith(b"".join([*end, DONE]))
    closed, _ = fed(hold, ROLE, HI, *end)
    assert closed.finish() is None
    assert closed.tail.endswith(b"".join(end))


def test_a_stream_that_passes_live_tells_the_reason_at_once():
    glance, passed = fed(0, ROLE, HI, END)
    assert passed[-1] == END
    assert glance.finish() is None
    assert glance.tail == b""


@pytest.mark.parametrize("hold", [HOLD_TOOLS, HOLD_TEXT])
def test_an_end_is_one_where_every_choice_has_ended(hold):
    other = chunk({}, "stop", index=1)
    glance, passed = fed(hold, ROLE, chunk({"role": "assistant"}, index=1), END)
    assert passed[-1] == END
    assert glance.feed(other) == b""
    assert glance.feed(DONE) == other + DONE


@pytest.mark.parametrize("hold", [HOLD_TOOLS, HOLD_TEXT])
@pytest.mark.parametrize(
    "fault",
    [
        event({"error": {"message": "engine died"}}),
        b"data: nonsense\n\n",
        DONE,
        chunk({}, "abort"),
    ],
    ids=["error", "garbage", "DONE without a reason", "abort"],
)
def test_after_a_fault_what_was_held_is_never_returned(hold, fault):
    glance, passed = fed(hold, ROLE, *CALLS, fault, CALLED, DONE)
    assert glance.fault is not None
    assert b"".join(passed) == ROLE
    assert glance.finish() is glance.fault
    assert (glance.tail, glance.held) == (b"", 0)


def test_a_stream_that_closes_too_early_gives_nothing_of_what_was_held():
    glance, _ = fed(HOLD_TOOLS, ROLE, *CALLS)
    assert glance.finish().kind is Kind.TRUNCATED
    assert glance.tail == b""


def test_what_is_held_is_bounded():
    glance, _ = fed(HOLD_TOOLS, ROLE, CALLS[0])
    piece = chunk({"tool_calls": [call(0, arguments="x" * 900_000)]})
    for _ in range(MAX_HELD_BYTES // len(piece) + 1):
        assert glance.feed(piece) == b""
    assert glance.fault.kind is Kind.MALFORMED
    assert glance.held == 0


@pytest.mark.parametrize("hold", [HOLD_TOOLS, HOLD_TEXT])
@given(data=st.data())
@settings(deadline=None)
def test_any_split_passes_the_same_and_a_broken_stream_only_what_may_stand(hold, data):
    stream = data.draw(st.sampled_from([b"".join(TEXT_STREAM), b"".join(TOOL_STREAM)]))
    end = data.draw(st.integers(0, len(stream)))
    cuts = data.draw(st.lists(st.integers(0, end), max_size=12))
    glance, passed = fed(hold, *[stream[a:b] for a, b in pairwise(sorted({0, *cuts, end}))])
    whole, passed_whole = fed(hold, stream[:end])
    assert b"".join(passed) == b"".join(passed_whole)
    assert (glance.held, glance.progress, glance.ended) == (
        whole.held,
        whole.progress,
        whole.ended,
    )
    sent = b"".join(passed)
    assert stream.startswith(sent)
    if not glance.ended:
        assert b'"tool_calls"' not in sent
        assert b'"finish_reason": "' not in sent


@pytest.mark.parametrize("hold", [0, HOLD_TOOLS, HOLD_TEXT])
@pytest.mark.parametrize(
    ("piece", "counts"),
    [
        (HI, True),
        (chunk({"reasoning_content": "hm"}), True),
        (chunk({"reasoning": "hm"}), True),
        (chunk({"refusal": "no"}), True),
        (chunk({"content": "", "tool_calls": [call(0, tool_id="a", name="f")]}), True),
        (chunk({"content": "b"}, index=1), True),
        (ROLE, False),
        (chunk({"content": "", "reasoning_content": "", "tool_calls": []}), False),
        (chunk({}), False),
        (event({"choices": []}), False),
        (PING, False),
    ],
)
def test_progress_is_the_size_of_what_carries_content(hold, piece, counts):
    glance, _ = fed(hold, ROLE)
    assert glance.progress == 0
    glance.feed(HI)
    for times in (1, 2):
        glance.feed(piece)
        assert glance.progress == len(HI) + (len(piece) * times if counts else 0)
