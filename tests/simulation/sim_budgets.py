"""How much is asked on top: retries at the same target, second attempts beside a slow first one."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from simulation.sim_world import Story
from understudy.core.outcomes import Attempt, Record

__all__ = ["Again", "again", "beside", "firsts", "overlaps", "rounds", "target_of"]

#: A window of both budgets, and how much a tally's steps may add to it or take from it.
WINDOW = 60.0
STEP = 10.0


class Again(msgspec.Struct, frozen=True):
    """An attempt on top of first ones. Times on the journal's calendar.

    `promised`: when it was decided on. `ended`: when it was over.
    """

    target: str
    promised: float
    ended: float


def target_of(attempt: Attempt) -> str:
    """`provider@account/model`."""
    provider, _, model = attempt.target.partition("/")
    return f"{provider}@{attempt.account}/{model}"


def _end(attempt: Attempt) -> float:
    return attempt.started_at + (attempt.ended_ms or 0.0) / 1000.0


def overlaps(record: Record) -> Iterator[tuple[Attempt, Attempt]]:
    """(an attempt, another that began beside it) of one request."""
    for place, attempt in enumerate(record.attempts):
        for earlier in record.attempts[:place]:
            if earlier.started_at <= attempt.started_at < _end(earlier) - 1e-6:
                yield earlier, attempt


def rounds(record: Record) -> list[list[Attempt]]:
    """The attempts of a request, parted where it set out anew after its caller had been kept."""
    found: list[list[Attempt]] = [[]]
    for attempt in record.attempts:
        if "kept for" in attempt.why:
            found.append([])
        found[-1].append(attempt)
    return found


def again(story: Story) -> list[Again]:
    """Attempts at a target that the same request had tried just before."""
    found: list[Again] = []
    for attempts in (tries for record in story.records for tries in rounds(record)):
        for place, attempt in enumerate(attempts):
            key = target_of(attempt)
            if any(target_of(earlier) == key for earlier in attempts[:place]):
                promised = max(_end(earlier) for earlier in attempts[:place])
                found.append(Again(key, min(promised, attempt.started_at), _end(attempt)))
    return sorted(found, key=lambda retry: retry.promised)


def beside(story: Story) -> list[Again]:
    """Attempts beside another, by the target that was asked first."""
    return [
        Again(target_of(first), second.started_at, _end(second))
        for record in story.records
        for first, second in overlaps(record)
    ]


def firsts(story: Story, key: str, since: float, until: float) -> int:
    """How many requests tried a target for the first time within a time."""
    count = 0
    for record in story.records:
        tries = [a.started_at for a in record.attempts if target_of(a) == key]
        if tries and since <= tries[0] <= until:
            count += 1
    return count
