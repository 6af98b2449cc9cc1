"""What must hold in every world, whatever goes wrong in it.

Each check is a function `iNN_…` that reads a story and yields a sentence for each breach; those of
requests, answers and targets stand in modules of their own. The ids are those of the product's
promises; a check whose id stands in `NOT_YET` is not run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from simulation.sim_checks_answers import (
    i06_grammar_is_kept,
    i06_no_half_tool_call,
    i06_seams_are_marked,
    i06_words_are_right,
    i17_usage_is_known,
)
from simulation.sim_checks_requests import (
    i01_ends_once,
    i05_success_was_signalled,
    i07_within_its_deadline,
    i18_never_silent,
    i20_own_faults_are_503,
)
from simulation.sim_checks_targets import (
    i04_attempts_are_bounded,
    i04_hedges_within_budget,
    i04_open_targets_rest,
    i04_retries_within_budget,
    i08_never_again,
    i09_no_hedge_after_content,
    i15_leaving_is_felt,
)
from simulation.sim_world import LAST, RECOVERY, Story
from understudy.core.faults import Kind

__all__ = ["CHECKS", "NOT_YET", "PER_CONNECTION", "breaches"]

#: Promises that the product does not keep yet, and faults that it does not see through yet.
NOT_YET: frozenset[str] = frozenset()

Check = Callable[[Story], Iterator[str]]


def breaches(story: Story, not_yet: frozenset[str] = NOT_YET) -> list[str]:
    """Every breach of every promise that is kept by now: `I6: case-3: …`."""
    found = [] if story.stuck is None else [f"I1: the world did not end: {story.stuck}"]
    for name, check in CHECKS.items():
        if name not in not_yet:
            found += [f"{name}: {told}" for told in check(story)]
    return found


def i12_no_secret_in_the_log(story: Story) -> Iterator[str]:
    """I12: neither a key nor a prompt stands in the log, nor a key in what callers get."""
    told = msgspec.json.encode(story.log).decode()
    for secret in ("sk-of-", "caller-key-of-", "case-"):
        if secret in told:
            yield f"{secret!r} stands in the log"
    for seen in story.seen:
        if b"sk-of-" in seen.body or any("sk-of-" in v for v in seen.headers.values()):
            yield f"case-{seen.request.case} was told a provider's key"


def i13_recovers(story: Story) -> Iterator[str]:
    """I13: when all is well again a request gets its answer, unless a human is waited for, or a
    provider asked for a longer rest than the wait was.
    """
    faults = [a.fault for r in story.records for a in r.attempts if a.fault is not None]
    rests = any(
        fault.kind in {Kind.ACCOUNT, Kind.CONFIG} or (fault.retry_after or 0.0) > RECOVERY
        for fault in faults
    )
    for seen in story.seen:
        if seen.client.name == LAST and not rests and not seen.answer.is_success:
            yield f"all was well again, and still {seen.status}: {seen.answer.error}"


def i16_nothing_is_left(story: Story) -> Iterator[str]:
    """I16: no task, connection, timer, live exchange or running answer is left."""
    yield from story.left


def i16_no_garbage(story: Story) -> Iterator[str]:
    """I16, memory: requests leave nothing that only the collector could free."""
    kinds = [kind for kind in story.garbage if kind not in PER_CONNECTION]
    if kinds and not _dials_failed(story):
        yield f"only the collector can free {', '.join(sorted(set(kinds)))}"


#: A connection and its parser hold each other.
PER_CONNECTION = frozenset(
    {
        "understudy.relay.familiar.FamiliarHead",
        "understudy.relay.server.CallerProtocol",
        "understudy.relay.upstream._Connection",
    }
)


def i16_no_garbage_of_dials(story: Story) -> Iterator[str]:
    """I16, memory: nor do requests whose dials failed."""
    kinds = [kind for kind in story.garbage if kind not in PER_CONNECTION]
    if kinds and _dials_failed(story):
        yield f"only the collector can free {', '.join(sorted(set(kinds)))}"


def _dials_failed(story: Story) -> bool:
    signs = ("refuses the connection", "is unreachable")
    return any(what.endswith(signs) for _, _, what in story.timeline)


def i16_no_garbage_of_connections(story: Story) -> Iterator[str]:
    """I16, memory: nor do connections."""
    kinds = [kind for kind in story.garbage if kind in PER_CONNECTION]
    if kinds:
        yield f"only the collector can free {', '.join(sorted(set(kinds)))}"


def i21_parsers_never_raise(story: Story) -> Iterator[str]:
    """I21: nothing that a provider sends makes anything of ours raise."""
    yield from story.errors


#: Promise → its check. `I6` and its like have several.
CHECKS: dict[str, Check] = {
    "I1": i01_ends_once,
    "I4-attempts": i04_attempts_are_bounded,
    "I4-retries": i04_retries_within_budget,
    "I4-hedges": i04_hedges_within_budget,
    "I4-open": i04_open_targets_rest,
    "I5": i05_success_was_signalled,
    "I6": i06_words_are_right,
    "I6-tools": i06_no_half_tool_call,
    "I6-seams": i06_seams_are_marked,
    "I6-grammar": i06_grammar_is_kept,
    "I7": i07_within_its_deadline,
    "I8": i08_never_again,
    "I9": i09_no_hedge_after_content,
    "I12": i12_no_secret_in_the_log,
    "I13": i13_recovers,
    "I15": i15_leaving_is_felt,
    "I16": i16_nothing_is_left,
    "I16-garbage": i16_no_garbage,
    "I16-dials": i16_no_garbage_of_dials,
    "I16-connections": i16_no_garbage_of_connections,
    "I17": i17_usage_is_known,
    "I18": i18_never_silent,
    "I20": i20_own_faults_are_503,
    "I21": i21_parsers_never_raise,
}
