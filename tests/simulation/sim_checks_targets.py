"""Checks of what is asked of providers. See `sim_invariants`."""

from __future__ import annotations

from collections.abc import Iterator

from simulation.sim_budgets import STEP, WINDOW, again, beside, firsts, overlaps, rounds, target_of
from simulation.sim_callers import Ending
from simulation.sim_world import Story
from understudy.core.faults import Kind
from understudy.core.outcomes import RequestOutcome

__all__ = [
    "i04_attempts_are_bounded",
    "i04_hedges_within_budget",
    "i04_open_targets_rest",
    "i04_retries_within_budget",
    "i08_never_again",
    "i09_no_hedge_after_content",
    "i15_leaving_is_felt",
]

#: What no second try at the target can mend.
_NEVER_AGAIN = frozenset({Kind.CALLER, Kind.ACCOUNT, Kind.CONFIG, Kind.REFUSED})
#: Concurrent retries that need no budget, and the shares of first attempts.
FREE_RETRIES = 3
RETRY_SHARE = 0.1
HEDGE_SHARE = 0.05
#: An open target is tried out of turn no oftener than this, in seconds.
PANIC_SECONDS = 1.0
#: Seconds in which a caller that leaves is felt.
FELT_WITHIN = 1.0


def i04_attempts_are_bounded(story: Story) -> Iterator[str]:
    """I4: no more attempts than allowed, in the journal and at the providers."""
    most = story.script.feature.attempts
    for record in story.records:
        for attempts in rounds(record):
            if len(attempts) > most:
                yield f"{record.id} made {len(attempts)} attempts of {most}"
    for seen in story.seen:
        record = story.record_of(seen)
        served = story.served_for(seen)
        tries = (
            0 if record is None else (len(record.attempts) + story.redials.count(seen.request.case))
        )
        if len(served) > tries:
            yield f"case-{seen.request.case} came to providers {len(served)} times of {tries}"


def i04_retries_within_budget(story: Story) -> Iterator[str]:
    """I4: retries at one target are at most 10 % of first attempts, beyond three at a time."""
    tries = again(story)
    for place, retry in enumerate(tries):
        same = [other for other in tries[:place] if other.target == retry.target]
        at_once = sum(other.ended > retry.promised for other in same)
        if at_once < FREE_RETRIES:
            continue
        since = retry.promised - WINDOW
        recent = sum(other.promised > since + STEP for other in same)
        allowed = RETRY_SHARE * firsts(story, retry.target, since - STEP, retry.promised)
        if recent + 1 > allowed:
            yield f"{retry.target}: {at_once} retries at once, {recent} in a minute of {allowed:g}"


def i04_hedges_within_budget(story: Story) -> Iterator[str]:
    """I4: attempts beside a slow one are at most 5 % of first attempts."""
    hedges = beside(story)
    for hedge in hedges:
        since = hedge.promised - WINDOW
        recent = sum(
            since < other.promised <= hedge.promised and other.target == hedge.target
            for other in hedges
        )
        allowed = HEDGE_SHARE * firsts(story, hedge.target, since - STEP, hedge.promised)
        if recent > allowed:
            yield f"{hedge.target}: {recent} attempts beside others in a minute of {allowed:g}"


def i04_open_targets_rest(story: Story) -> Iterator[str]:
    """I4: a dead target, one whose breaker is open and that has not worked for a minute, is tried
    in its turn, or once a second. One that still answers some is better than nobody.
    """
    last: dict[str, float] = {}
    for tried in story.open_tries:
        before = last.get(tried.key)
        if tried.is_dead and not tried.was_due and before is not None:
            after = tried.at - before
            if after < PANIC_SECONDS - 1e-6:
                yield f"{tried.key} is open and was tried after {after:.3f} s"
        last[tried.key] = tried.at


def i08_never_again(story: Story) -> Iterator[str]:
    """I8: what a second try cannot mend is not tried again at the same target."""
    for record in story.records:
        for place, attempt in enumerate(record.attempts):
            fault = attempt.fault
            if fault is None or fault.kind not in _NEVER_AGAIN:
                continue
            later = [target_of(other) for other in record.attempts[place + 1 :]]
            if target_of(attempt) in later:
                yield f"{record.id}: {attempt.target} was asked again after {fault.kind}"
            begun = any(a.first_content_ms is not None for a in record.attempts[: place + 1])
            given_back = fault.kind is Kind.REFUSED or (fault.kind is Kind.CALLER and not begun)
            if given_back and later:
                yield f"{record.id}: {later[0]} was asked after {fault.kind}"


def i09_no_hedge_after_content(story: Story) -> Iterator[str]:
    """I9: no attempt begins beside another that has shown content."""
    for record in story.records:
        for earlier, later in overlaps(record):
            shown = earlier.first_content_ms
            if shown is not None and earlier.started_at + shown / 1000.0 < later.started_at:
                yield f"{record.id}: {later.target} beside {earlier.target}, which had content"


def i15_leaving_is_felt(story: Story) -> Iterator[str]:
    """I15: a caller that leaves is felt at its provider within a second."""
    holes = [f for f in story.script.network if f.trouble == "hole"]
    lines = {provider.name: provider.line for provider in story.script.providers}
    for seen in story.seen:
        record = story.record_of(seen)
        if seen.ending != Ending.LEFT or seen.ended_at is None or record is None:
            continue
        if record.outcome is not RequestOutcome.CANCELLED:
            continue  # The relay had come to an end before it could know.
        for served in story.served_for(seen):
            if any(fault.host == f"{served.provider}.sim" for fault in holes):
                continue
            line = lines[served.provider]
            felt = served.attempt.ended
            latest = seen.ended_at + FELT_WITHIN + seen.way + 2 * (line.latency + line.jitter)
            if felt is not None and max(felt, served.attempt.started) > latest:
                late = felt - seen.ended_at
                yield f"case-{seen.request.case} left; {served.provider} felt it {late:.2f} s later"
