"""What a passing stream holds back: nothing of a tool call, or of an end, that may never come."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.core.conversation import Stop
from understudy.core.faults import Kind
from understudy.dialects.base import HOLD_TEXT, HOLD_TOOLS
from understudy.dialects.glance import MAX_HELD_BYTES
from understudy.dialects.messages import MESSAGES
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

HEAD = [message_start(), block_start()]
SAID = [*HEAD, text(), block_stop()]
TOOL = [
    block_start(1, type="tool_use", id="toolu_1", name="weather", input={}),
    delta(1, type="input_json_delta", partial_json=""),
    delta(1, type="input_json_delta", partial_json='{"city":'),
    delta(1, type="input_json_delta", partial_json='"Oslo"}'),
    block_stop(1),
]
COMMENT = b": still here\n\n"
ERROR = event("error", error={"type": "overloaded_error", "message": "Overloaded"})


def fed(hold, *pieces):
    """The glance, and what it returned for each piece."""
    glance = MESSAGES.stream_glance(read_error, hold)
    return glance, [glance.feed(piece) for piece in pieces]


@pytest.mark.parametrize("hold", [0, HOLD_TOOLS])
def test_text_passes_as_it_comes(hold):
    pieces = [message_start(), block_start(), PING, text("a"), text("b"), block_stop()]
    glance, passed = fed(hold, *pieces)
    assert passed == pieces
    assert glance.held == 0


def test_a_tool_call_passes_as_it_comes_where_nothing_is_held():
    pieces = [*SAID, *TOOL, message_delta("tool_use"), MESSAGE_STOP]
    glance, passed = fed(0, *pieces)
    assert passed == pieces
    assert glance.held == 0


def test_a_tool_call_waits_for_the_end_and_then_all_of_it_comes_in_order():
    glance, passed = fed(HOLD_TOOLS, *SAID, *TOOL)
    assert passed == [*SAID, *[b""] * len(TOOL)]
    assert glance.held == sum(map(len, TOOL))
    end = message_delta("tool_use")
    assert glance.feed(end + MESSAGE_STOP) == b"".join([*TOOL, end, MESSAGE_STOP])
    assert (glance.ended, glance.held, glance.stop) == (True, 0, Stop.TOOL_USE)


def test_what_follows_a_tool_call_waits_behind_it():
    after = [block_start(2), text("and", 2), block_stop(2)]
    glance, passed = fed(HOLD_TOOLS, *SAID, *TOOL, *after)
    assert passed[len(SAID) :] == [b""] * (len(TOOL) + len(after))
    assert glance.feed(b"".join(TAIL)) == b"".join([*TOOL, *after, *TAIL])


def test_blocks_of_server_tools_are_not_held_for_nobody_can_redo_them():
    search = [
        block_start(1, type="server_tool_use", id="s", name="web_search", input={}),
        delta(1, type="input_json_delta", partial_json='{"query":"x"}'),
        block_stop(1),
        block_start(2, type="web_search_tool_result", tool_use_id="s", content=[]),
        block_stop(2),
    ]
    _, passed = fed(HOLD_TOOLS, *SAID, *search)
    assert passed == [*SAID, *search]


def test_structured_output_waits_from_its_block_on():
    glance, passed = fed(HOLD_TEXT, *SAID)
    assert passed == [message_start(), b"", b"", b""]
    assert glance.has_content
    assert glance.feed(b"".join(TAIL)) == b"".join([*SAID[1:], *TAIL])


@pytest.mark.parametrize("aside", [PING, COMMENT])
@pytest.mark.parametrize("hold", [HOLD_TOOLS, HOLD_TEXT])
def test_pings_and_comments_overtake_what_is_held(hold, aside):
    _, passed = fed(hold, *SAID, *TOOL[:2], aside)
    assert passed[-1] == aside
    glance = MESSAGES.stream_glance(read_error, hold)
    assert glance.feed(b"".join([*SAID, TOOL[0], aside, TOOL[1]])).endswith(aside)


@pytest.mark.parametrize("hold", [HOLD_TOOLS, HOLD_TEXT])
@pytest.mark.parametrize("together", [False, True])
def test_the_reason_of_an_end_waits_for_the_end_itself(hold, together):
    glance, passed = fed(hold, *SAID, message_delta())
    assert passed[-1] == b""
    assert glance.stop is Stop.END
    if together:
        assert glance.feed(MESSAGE_STOP).endswith(message_delta() + MESSAGE_STOP)
    else:
        assert glance.finish() is None
        assert glance.tail.endswith(message_delta() + MESSAGE_STOP)
    assert glance.ended


def test_a_stream_that_passes_live_tells_the_reason_at_once():
    _, passed = fed(0, *SAID, message_delta())
    assert passed[-1] == message_delta()


@pytest.mark.parametrize("hold", [HOLD_TOOLS, HOLD_TEXT])
@pytest.mark.parametrize(
    "fault",
    [ERROR, b"data: nonsense\n\n", block_stop(7), MESSAGE_STOP],
    ids=["error", "garbage", "out of grammar", "an end without its reason"],
)
def test_after_a_fault_what_was_held_is_never_returned(hold, fault):
    glance, passed = fed(hold, *SAID, *TOOL, fault, b"".join(TAIL))
    assert glance.fault is not None
    assert b"toolu_1" not in b"".join(passed)
    assert glance.finish() is glance.fault
    assert (glance.tail, glance.held) == (b"", 0)


@pytest.mark.parametrize("hold", [HOLD_TOOLS, HOLD_TEXT])
def test_a_stream_that_closes_too_early_gives_nothing_of_what_was_held(hold):
    glance, _ = fed(hold, *SAID, *TOOL)
    assert glance.finish().kind is Kind.TRUNCATED
    assert glance.tail == b""


@pytest.mark.parametrize("piece", [delta(1, type="input_json_delta", partial_json="x" * 900_000)])
def test_what_is_held_is_bounded(piece):
    glance, _ = fed(HOLD_TOOLS, *SAID, TOOL[0])
    for _ in range(MAX_HELD_BYTES // len(piece) + 1):
        assert glance.feed(piece) == b""
    assert glance.fault.kind is Kind.MALFORMED
    assert glance.held == 0


@pytest.mark.parametrize("stream", [TEXT_STREAM, FULL_STREAM, [*SAID, *TOOL, *TAIL]])
@pytest.mark.parametrize("hold", [HOLD_TOOLS, HOLD_TEXT, HOLD_TOOLS | HOLD_TEXT])
@given(cuts=st.lists(st.integers(min_value=0), max_size=20), lost=st.integers(min_value=0))
def test_any_split_passes_the_same_and_a_broken_stream_only_what_may_stand(
    stream, hold, cuts, lost
):
    data = b"".join(stream)
    end = len(data) - lost % (len(data) + 1)
    edges = sorted({0, *(cut % (end + 1) for cut in cuts), end})
    glance, passed = fed(hold, *[data[a:b] for a, b in pairwise(edges)])
    whole, passed_whole = fed(hold, data[:end])
    assert b"".join(passed) == b"".join(passed_whole)
    assert (glance.held, glance.progress, glance.ended, glance.stop) == (
        whole.held,
        whole.progress,
        whole.ended,
        whole.stop,
    )
    sent = b"".join(passed).replace(PING, b"")
    if glance.ended:
        assert sent == data.replace(PING, b"")
    else:
        assert data.replace(PING, b"").startswith(sent)
        assert b"toolu_1" not in sent
        assert b'stop_reason":"' not in sent


@pytest.mark.parametrize("hold", [0, HOLD_TOOLS, HOLD_TEXT])
@pytest.mark.parametrize(
    ("event_", "counts"),
    [
        (text("x"), True),
        (text('He said "no"'), True),
        (delta(0, type="thinking_delta", thinking="x"), True),
        (delta(0, type="input_json_delta", partial_json="{"), True),
        (delta(0, type="citations_delta", citation={}), True),
        (block_start(1, type="tool_use", id="t", name="n", input={}), True),
        (text(""), False),
        (delta(0, type="input_json_delta", partial_json=""), False),
        (delta(0, type="signature_delta", signature="s"), False),
        (block_start(1), False),
        (PING, False),
        (COMMENT, False),
        (message_delta(None), False),
    ],
)
def test_progress_is_the_size_of_what_carries_content(hold, event_, counts):
    glance, _ = fed(hold, *HEAD)
    assert glance.progress == 0
    first = text("first")
    glance.feed(first)
    for times in (1, 2):
        if event_.startswith(b"event: content_block_start") and times == 2:
            continue
        glance.feed(event_)
        assert glance.progress == len(first) + (len(event_) * times if counts else 0)
