"""Checks of what each request came to. See `sim_invariants`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from simulation.sim_callers import Ending, Seen
from simulation.sim_served import signalled
from simulation.sim_world import Story
from understudy.core.faults import Kind
from understudy.core.outcomes import Record

__all__ = [
    "i01_ends_once",
    "i05_success_was_signalled",
    "i07_within_its_deadline",
    "i18_never_silent",
    "i20_own_faults_are_503",
]

#: What the caller's own request is at fault for: the provider's status goes back to it.
_GIVEN_BACK = frozenset({Kind.CALLER, Kind.ADAPTABLE, Kind.REFUSED})
#: Seconds: a tick of the relay's timer, silence on an open stream, and how late a deadline may be.
TICK = 0.06
SILENCE = 15.0
LATE = 1.0


def i01_ends_once(story: Story) -> Iterator[str]:
    """I1: every request ends exactly once, and the journal says what the caller saw."""
    for record in story.records:
        if record.ended_at is None or record.outcome is None:
            yield f"{record.id} never ended"
        for attempt in record.attempts:
            if attempt.result is None or attempt.ended_ms is None:
                yield f"{record.id}: an attempt at {attempt.target} never ended"
    for seen in story.seen:
        case = f"case-{seen.request.case}"
        if seen.ending == Ending.WHOLE and seen.responses != 1:
            yield f"{case} had {seen.responses} responses"
        wrong = _disagreement(seen, story.record_of(seen))
        if wrong:
            yield f"{case} {wrong}"


def _disagreement(seen: Seen, record: Record | None) -> str | None:
    """Where caller and journal tell different things."""
    outcome = None if record is None else record.outcome
    if seen.ending == Ending.LEFT:
        return None  # It cannot say how it would have ended.
    if seen.ending != Ending.WHOLE:
        return f"was cut off without a word; the journal says {outcome}"
    answer = seen.answer
    told = "failed"
    if seen.status == 200 and answer.error is None:
        told = "succeeded" if answer.ended else "neither whole nor an error"
    # What is turned away before any attempt has no record.
    agreed = told == outcome or (told == "failed" and outcome is None)
    return None if agreed else f"{told} to its caller, {outcome} to the journal"


def i05_success_was_signalled(story: Story) -> Iterator[str]:
    """I5: no success that no provider signalled."""
    for seen in story.seen:
        succeeded = seen.status == 200 and seen.answer.is_success
        if succeeded and not any(map(signalled, story.served_for(seen))):
            yield f"case-{seen.request.case} is a success that no provider signalled"


def i07_within_its_deadline(story: Story) -> Iterator[str]:
    """I7: a request is over, for the journal and for its caller, a second after its deadline."""
    for seen in story.seen:
        record = story.record_of(seen)
        allowed = story.script.feature.deadline
        if seen.request.deadline is not None:
            allowed = min(allowed, seen.request.deadline)
        if record is not None and record.ended_at is not None:
            took = record.ended_at - record.started_at
            if took > allowed + LATE:
                yield f"case-{seen.request.case} took {took:.1f} s of {allowed:g}"
        if seen.client.reading is None and seen.ended_at is not None:
            took = seen.ended_at - seen.sent_at
            if took > allowed + LATE + seen.way:
                yield f"case-{seen.request.case}'s caller waited {took:.1f} s of {allowed:g}"


def i18_never_silent(story: Story) -> Iterator[str]:
    """I18: from the response's head on, a byte at least every 15 s."""
    for seen in story.seen:
        if seen.client.reading is not None or seen.status != 200 or not seen.request.stream:
            continue
        times = [*seen.times, seen.ended_at or seen.times[-1]]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        longest = max(gaps, default=0.0)
        if longest > SILENCE + TICK + seen.way:
            yield f"case-{seen.request.case} was silent for {longest:.1f} s"


def i20_own_faults_are_503(story: Story) -> Iterator[str]:
    """I20: what is not the caller's fault is 503 or 504, and says so to SDKs."""
    for seen in story.seen:
        if seen.status in {0, 200}:
            continue
        record = story.record_of(seen)
        faults = [] if record is None else [a.fault for a in record.attempts if a.fault is not None]
        case = f"case-{seen.request.case}"
        given_back = {f.status for f in faults if f.kind in _GIVEN_BACK} | (
            {400} if any(f.kind in _GIVEN_BACK for f in faults) else set()
        )
        if seen.status not in {503, 504} and seen.status not in given_back:
            yield f"{case} was answered {seen.status} after {[str(f.kind) for f in faults]}"
        if seen.ending != Ending.WHOLE:
            continue
        error = seen.answer.error
        if error is None or "understudy" not in error:
            yield f"{case} was answered {seen.status} without an error in its dialect"
        if seen.headers.get("x-should-retry") != "false":
            yield f"{case} was answered {seen.status} and may be retried at once"
        if seen.status == 503 and not seen.headers.get("retry-after"):
            yield f"{case} was answered 503 without a Retry-After"
