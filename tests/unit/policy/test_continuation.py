"""Going on with a broken answer: what is asked, and what becomes of the reply."""

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
    Pinged,
    RefusalDelta,
    SignatureDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    UsageSeen,
)
from understudy.core.faults import Fault, Kind, Scope
from understudy.core.transcript import Transcript
from understudy.policy.continuation import (
    BYTES_PER_TOKEN,
    Continuation,
    can_continue,
    estimated_tokens,
    estimated_usage,
    remaining_tokens,
    turns,
    why_not,
)
from understudy.policy.seam import anchor
from unit.policy.seam_texts import ALL, GERMAN, GUIDE

BEGUN = Started(id="msg_1", model="one", usage=Usage(input=30, output=1))
AGAIN = Started(id="msg_2", model="two", usage=Usage(input=50, output=1))
FINISHED = Finished(stop=Stop.END)
FAULT = Failed(Fault(kind=Kind.OVERLOAD, scope=Scope.MODEL))
NOTHING = Usage()


def text_block(index, *pieces, whole=True):
    events = [BlockStarted(index=index, kind="text"), *[TextDelta(index, p) for p in pieces]]
    return [*events, BlockStopped(index)] if whole else events


def thinking_block(index, *pieces, whole=True):
    events = [BlockStarted(index=index, kind="thinking")]
    events += [ThinkingDelta(index, piece) for piece in pieces]
    return [*events, SignatureDelta(index, "sig"), BlockStopped(index)] if whole else events


def tool_block(index, name="look_up"):
    started = BlockStarted(index=index, kind="tool_use", tool_id="call_1", tool_name=name)
    return [started, ToolDelta(index, '{"a":'), ToolDelta(index, "1}"), BlockStopped(index)]


def standing(*events):
    transcript = Transcript()
    transcript.take([BEGUN, *events])
    return transcript


def go_on(before, after, *, prefilled=False, usage=NOTHING):
    """What follows for the caller, and all that the caller has then."""
    continuation = Continuation(standing(*before), prefilled=prefilled, before=usage)
    follows = continuation.take(after)
    transcript = standing(*before, *follows)
    return follows, [(b.kind, b.text, b.open) for b in transcript.blocks]


# -- what is asked ------------------------------------------------------------------------------


def test_a_prefill_is_the_partial_text_without_white_space_at_its_end():
    assert turns("One.\n\nTwo \n\n", prefill=True) == (("assistant", "One.\n\nTwo"),)


def test_a_user_turn_quotes_the_end_and_asks_for_the_anchor():
    (first, partial), (second, words) = turns(GUIDE, prefill=False)
    assert (first, partial) == ("assistant", GUIDE.rstrip())
    assert second == "user"
    quote = words.partition("<interrupted_end>\n")[2].partition("\n</interrupted_end>")[0]
    assert GUIDE.rstrip().endswith(quote)
    assert 150 <= len(quote) <= 200
    assert quote.split()[0] in GUIDE.split()
    assert f"<repeat_first>\n{anchor(GUIDE)}\n</repeat_first>" in words


@pytest.mark.parametrize("text", ALL.values(), ids=ALL)
def test_the_quote_ends_in_the_anchor_wherever_the_text_broke(text):
    for cut in range(1, len(text), 3):
        words = turns(text[:cut], prefill=False)[1][1]
        quote = words.partition("<interrupted_end>\n")[2].partition("\n</interrupted_end>")[0]
        assert text[:cut].rstrip().endswith(quote)
        assert quote.endswith(anchor(text[:cut]))


@pytest.mark.parametrize("prefill", [True, False])
@pytest.mark.parametrize("partial", ["", "  \n", "\ufffd"])
def test_nothing_said_needs_no_turns(partial, prefill):
    assert turns(partial, prefill=prefill) == ()


@pytest.mark.parametrize("half", ["\ufffd", "\ufffd\ufffd", chr(0xD83D)])
def test_half_a_character_is_not_shown_to_the_next_model(half):
    assert turns("party " + half, prefill=True) == (("assistant", "party"),)


def test_what_is_asked_can_be_sent_whatever_was_received():
    for _, text in turns("a\ud83d b \ud83c\udf89 c", prefill=False):
        text.encode()
    assert turns("a \ud83c\udf89 c", prefill=True) == (("assistant", "a 🎉 c"),)


# -- limits and usage ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "partial", "left"),
    [
        (None, "text", None),
        (100, "", 100),
        (100, "a" * 100, 60),
        (100, "日" * 50, 40),
        (10, "a" * 1000, 1),
        (1, "", 1),
    ],
)
def test_what_is_left_of_the_callers_limit(limit, partial, left):
    assert remaining_tokens(limit, partial) == left


@given(st.text())
def test_tokens_are_rather_too_many_than_too_few(text):
    size = len(text.encode("utf-8", "replace"))
    assert estimated_tokens(text) * BYTES_PER_TOKEN >= size
    assert estimated_tokens(text) <= size


def test_lost_usage_is_what_was_told_and_what_was_written():
    told = Usage(input=900, output=1, cache_read=400, cache_write=20)
    expected = Usage(input=900, output=400, cache_read=400, cache_write=20)
    assert estimated_usage(told, "a" * 1000) == expected
    assert estimated_usage(Usage(input=9, output=500), "a" * 1000) == Usage(input=9, output=500)
    assert estimated_usage(None, "", prompt_bytes=1000) == Usage(input=400)


# -- what can be gone on with -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([], None),
        (text_block(0, "One", whole=False), None),
        (text_block(0, "One"), None),
        (thinking_block(0, "Hm", whole=False), None),
        ([*thinking_block(0, "Hm"), *text_block(1, "One", whole=False)], None),
        ([*text_block(0, "One"), *tool_block(1)], "a tool call was sent"),
        ([BlockStarted(index=0, kind="refusal"), RefusalDelta(0, "No")], "a refusal was sent"),
        ([BlockStarted(index=0, kind="video")], "a block of kind video was sent"),
        ([*text_block(0, "One"), FINISHED], "it had finished"),
    ],
)
def test_what_can_be_gone_on_with(events, reason):
    transcript = standing(*events)
    assert why_not(transcript) == reason
    assert can_continue(transcript) is (reason is None)


# -- the reply ----------------------------------------------------------------------------------


def test_text_goes_on_in_the_open_block():
    follows, blocks = go_on(
        text_block(0, "The quick bro", whole=False),
        [AGAIN, *text_block(0, "quick bro", "wn fox"), FINISHED, Ended()],
        usage=NOTHING,
    )
    assert blocks == [("text", "The quick brown fox", False)]
    usage = UsageSeen(Usage(input=50, output=1))
    assert follows == [TextDelta(0, "wn fox"), BlockStopped(0), FINISHED, usage, Ended()]


def test_text_after_a_whole_block_opens_another():
    _, blocks = go_on(
        text_block(0, "The first part is here."),
        [AGAIN, *text_block(0, "first part is here. And more"), FINISHED, Ended()],
    )
    assert blocks == [("text", "The first part is here.", False), ("text", " And more", False)]


def test_an_answer_that_was_complete_gets_no_empty_block():
    after = [AGAIN, *text_block(0, "first part is here."), FINISHED, Ended()]
    follows, _ = go_on(text_block(0, "The first part is here."), after)
    assert not [event for event in follows if isinstance(event, BlockStarted | TextDelta)]
    assert follows[0] == FINISHED


@pytest.mark.parametrize("after", [[], text_block(0), text_block(0, "\n")])
def test_an_answer_without_more_text_ends_properly(after):
    follows, blocks = go_on(text_block(0, "All.", whole=False), [AGAIN, *after, FINISHED, Ended()])
    assert blocks[0][0] == "text"
    assert blocks[0][1].rstrip() == "All."
    assert not blocks[0][2]
    assert follows[-1] == Ended()


def test_broken_thinking_is_closed_and_begun_anew():
    _, blocks = go_on(
        thinking_block(0, "Let me se", whole=False),
        [AGAIN, *thinking_block(0, "I see"), *text_block(1, "Yes."), FINISHED, Ended()],
    )
    assert blocks == [
        ("thinking", "Let me se", False),
        ("thinking", "I see", False),
        ("text", "Yes.", False),
    ]


def test_broken_thinking_is_closed_before_text():
    after = [AGAIN, *text_block(0, "Sure, continuing:\n\nYes."), FINISHED, Ended()]
    _, blocks = go_on(thinking_block(0, "Hm", whole=False), after)
    assert blocks[0] == ("thinking", "Hm", False)
    # Nothing stood that it could be a preamble to.
    assert blocks[1] == ("text", "Sure, continuing:\n\nYes.", False)


def test_broken_thinking_stays_open_while_nothing_has_come():
    follows, _ = go_on(thinking_block(0, "Hm", whole=False), [AGAIN, Pinged(), FAULT])
    assert follows == [Pinged(), FAULT]


def test_thinking_about_the_interruption_is_dropped():
    hidden = BlockStarted(index=1, kind="redacted_thinking", data="xx")
    after = [
        AGAIN,
        *thinking_block(0, "I was interrupted"),
        hidden,
        BlockStopped(1),
        *text_block(2, "One two", " three"),
    ]
    _, blocks = go_on(text_block(0, "One two", whole=False), [*after, FINISHED, Ended()])
    assert blocks == [("text", "One two three", False)]


def test_tool_calls_after_the_text_get_the_next_indexes():
    after = [
        AGAIN,
        *thinking_block(0, "Hm"),
        *text_block(1, " two."),
        *tool_block(2),
        *text_block(3, "Sure, continuing:"),
    ]
    follows, blocks = go_on(
        [*thinking_block(0, "Ah"), *text_block(1, "One", whole=False)],
        [*after, Finished(stop=Stop.TOOL_USE), Ended()],
    )
    assert blocks == [
        ("thinking", "Ah", False),
        ("text", "One two.", False),
        ("tool_use", '{"a":1}', False),
        ("text", "Sure, continuing:", False),
    ]
    started = [event for event in follows if isinstance(event, BlockStarted)]
    assert [(e.index, e.tool_id, e.tool_name) for e in started] == [
        (2, "call_1", "look_up"),
        (3, "", ""),
    ]


@pytest.mark.parametrize("kind", ["tool_use", "refusal"])
def test_the_open_text_is_closed_before_another_kind(kind):
    given_block = tool_block(0)
    if kind == "refusal":
        given_block = [BlockStarted(index=0, kind=kind), RefusalDelta(0, "No."), BlockStopped(0)]
    follows, blocks = go_on(text_block(0, "One", whole=False), [AGAIN, *given_block])
    assert follows[0] == BlockStopped(0)
    assert [(block[0], block[2]) for block in blocks] == [("text", False), (kind, False)]


def test_usage_is_the_sum():
    before = Usage(input=30, output=12, cache_read=10, cache_write=3, reasoning=2)
    told = Usage(input=50, output=20, cache_read=5, cache_write=1, reasoning=4)
    whole = Usage(input=80, output=32, cache_read=15, cache_write=4, reasoning=6)
    continuation = Continuation(standing(), prefilled=True, before=before)
    assert continuation.usage == before
    follows = continuation.take([AGAIN, FINISHED, UsageSeen(told), Ended()])
    assert follows == [FINISHED, UsageSeen(whole), Ended()]
    assert continuation.usage == whole


def test_usage_that_only_the_beginning_told_is_told_at_the_end():
    follows, _ = go_on([], [AGAIN, FINISHED, Ended()], usage=Usage(input=30, output=7))
    assert follows == [FINISHED, UsageSeen(Usage(input=80, output=8)), Ended()]


def test_an_answer_nobody_counted_gets_no_usage():
    begun = Started(id="x", model="two")
    follows, _ = go_on([], [begun, *text_block(0, "Hi"), FINISHED, Ended()])
    assert not [event for event in follows if isinstance(event, UsageSeen)]


def test_a_fault_passes_and_what_was_held_back_is_not_sent():
    follows, _ = go_on(
        text_block(0, "The quick brown fox", whole=False),
        [AGAIN, BlockStarted(index=0, kind="text"), TextDelta(0, "Sure"), FAULT],
    )
    assert follows == [FAULT]


@pytest.mark.parametrize("end", [[], [BlockStopped(0)], [BlockStopped(0), FINISHED, Ended()]])
def test_another_answer_breaks_the_seam_and_never_ends_well(end):
    transcript = standing(*text_block(0, GUIDE[:700], whole=False))
    continuation = Continuation(transcript, prefilled=False, before=NOTHING)
    begun = [AGAIN, BlockStarted(index=0, kind="text"), TextDelta(0, GUIDE[:300])]
    assert continuation.take(begun) == []
    assert not continuation.seam_broken
    assert continuation.take([TextDelta(0, "And now for something else."), *end]) == []
    assert continuation.seam_broken
    assert continuation.take([FINISHED, Ended()]) == []


def test_words_of_the_request_show_what_is_one_word():
    transcript = standing(*text_block(0, "Tickets went up by twel", whole=False))
    asked = b'{"messages":[{"role":"user","content":"Why\\ntwelve percent?"}]}'
    continuation = Continuation(transcript, prefilled=False, before=NOTHING, asked=asked)
    follows = continuation.take([AGAIN, *text_block(0, "ve percent."), FINISHED, Ended()])
    assert "".join(e.text for e in follows if isinstance(e, TextDelta)) == "ve percent."


def test_a_beginning_that_stops_before_the_cut_breaks_the_seam_at_its_end():
    transcript = standing(*text_block(0, GUIDE[:700], whole=False))
    continuation = Continuation(transcript, prefilled=False, before=NOTHING)
    assert continuation.take([AGAIN, *text_block(0, GUIDE[:300]), FINISHED, Ended()]) == []
    assert continuation.seam_broken


@given(
    text=st.sampled_from([GUIDE, GERMAN]),
    share=st.floats(0.05, 0.95),
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=8),
    prefilled=st.booleans(),
    thinks=st.booleans(),
    is_open=st.booleans(),
)
def test_the_whole_text_stands_whatever_the_pieces(text, share, sizes, prefilled, thinks, is_open):
    cut = int(len(text) * share)
    base = text[:cut].rstrip()
    reply = text[len(base) :] if prefilled else text[len(base) - len(anchor(base)) :]
    pieces, at = [], 0
    while at < len(reply):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(reply[at : at + size])
        at += size
    events = [AGAIN]
    events += thinking_block(0, "What was I asked?") if thinks else []
    events += text_block(len(events[1:]) and 1, *pieces)
    events += [FINISHED, UsageSeen(Usage(input=50, output=20)), Ended()]

    transcript = standing(*text_block(0, text[:cut], whole=not is_open))
    continuation = Continuation(transcript, prefilled=prefilled, before=Usage(input=1))
    for event in events:
        transcript.take(continuation.take([event]))

    assert transcript.text == text
    assert [block.open for block in transcript.blocks] == [False] * len(transcript.blocks)
    assert len(transcript.blocks) == (1 if is_open else 2)
    assert transcript.finished == FINISHED
    assert transcript.usage == Usage(input=51, output=20)


def test_an_answer_that_breaks_twice_is_whole_in_the_end():
    transcript = standing(*text_block(0, GUIDE[:700], whole=False))
    for start, end in ((700, 1300), (1300, None)):
        continuation = Continuation(transcript, prefilled=False, before=NOTHING)
        asked = anchor(GUIDE[:start])
        base = len(GUIDE[:start].rstrip())
        reply = GUIDE[base - len(asked) : end]
        transcript.take(continuation.take([AGAIN, *text_block(0, reply, whole=end is None)]))
    assert transcript.text == GUIDE
    assert len(transcript.blocks) == 1
