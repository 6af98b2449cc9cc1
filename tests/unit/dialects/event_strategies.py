"""Valid sequences of core events, for the tests of writers and of what reads them back."""

from __future__ import annotations

from hypothesis import strategies as st

from understudy.core.conversation import Stop, Usage
from understudy.core.events import (
    BlockStarted,
    BlockStopped,
    Ended,
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

TEXTS = st.text(max_size=8).filter(bool)
DELTAS = {
    "text": lambda index: st.builds(TextDelta, st.just(index), TEXTS),
    "refusal": lambda index: st.builds(RefusalDelta, st.just(index), TEXTS),
    "thinking": lambda index: st.one_of(
        st.builds(ThinkingDelta, st.just(index), TEXTS),
        st.builds(SignatureDelta, st.just(index), TEXTS),
    ),
    "redacted_thinking": lambda _: st.nothing(),
    "tool_use": lambda index: st.builds(ToolDelta, st.just(index), TEXTS),
}
COUNTS = st.integers(min_value=0, max_value=10**6)


@st.composite
def usages(draw):
    read, write = draw(COUNTS), draw(COUNTS)
    return Usage(
        input=draw(COUNTS) + read + write,
        output=draw(COUNTS),
        cache_read=read,
        cache_write=write,
        reasoning=draw(COUNTS),
    )


@st.composite
def blocks(draw, index):
    kind = draw(st.sampled_from(sorted(DELTAS)))
    tool = kind == "tool_use"
    events = [
        BlockStarted(
            index=index,
            kind=kind,
            tool_id=f"{draw(TEXTS)}_{index}" if tool else "",
            tool_name=draw(TEXTS) if tool else "",
            data=draw(TEXTS) if kind == "redacted_thinking" else "",
        )
    ]
    deltas = DELTAS[kind](index)
    events += [] if deltas.is_empty else draw(st.lists(deltas, max_size=4))
    return [*events, BlockStopped(index)]


@st.composite
def answers(draw):
    """Whole answers, usage after the reason why they ended."""
    events = [Started(id="msg_x", model="m", usage=draw(usages()))]
    for index in range(draw(st.integers(min_value=0, max_value=4))):
        events += draw(blocks(index))
        events += draw(st.lists(st.just(Pinged()), max_size=1))
    stop = draw(st.sampled_from(Stop))
    sequence = draw(st.none() | TEXTS)
    usage = draw(usages())
    return [*events, Finished(stop=stop, stop_sequence=sequence), UsageSeen(usage), Ended()]
