"""Which targets have had their turn, and whom what was learnt rules out."""

import pytest

from understudy.core.faults import Kind, Remedy, Scope
from understudy.policy.targets import Plan
from understudy.policy.turns import Turns
from unit.policy.policy_world import fault, target

SONNET = target("anthropic@main/sonnet")
HAIKU = target("anthropic@main/haiku")
BACKUP = target("anthropic@backup/sonnet")
GPT = target("openai@main/gpt")
TARGETS = (SONNET, HAIKU, BACKUP, GPT)

#: What passes by itself.
PASSES = {
    Kind.THROTTLED,
    Kind.OVERLOAD,
    Kind.OUTAGE,
    Kind.SLOW,
    Kind.TRUNCATED,
    Kind.EMPTY,
    Kind.MALFORMED,
}


@pytest.fixture
def turns() -> Turns:
    return Turns(Plan(targets=TARGETS))


def test_at_first_nobody_is_out(turns):
    assert turns.out() == set()
    assert turns.misfit(used_up=True) is None
    assert list(turns.retryable()) == []


#: A fault of the first target → who has had no turn and may still have one.
LEFT = [
    *[(fault(kind), [HAIKU, BACKUP, GPT]) for kind in sorted(PASSES)],
    (fault(Kind.ACCOUNT), [BACKUP, GPT]),
    (fault(Kind.CONFIG), [HAIKU, GPT]),
    (fault(Kind.CONFIG, scope=Scope.ACCOUNT), [HAIKU, BACKUP, GPT]),
    (fault(Kind.ADAPTABLE), [HAIKU, GPT]),
    (fault(Kind.INTERNAL), [HAIKU, BACKUP, GPT]),
    (fault(Kind.DEGRADED), [HAIKU, BACKUP, GPT]),
]


@pytest.mark.parametrize(
    ("seen", "left"), LEFT, ids=[f"{seen.kind}-{seen.scope}" for seen, _ in LEFT]
)
def test_who_may_still_have_a_turn(turns, seen, left):
    assert turns.had(SONNET, seen) == f"after {seen.kind} at {SONNET.key}"
    out = turns.out()
    assert [t for t in TARGETS if t.key not in out] == left
    assert turns.left()
    assert (turns.misfit(used_up=True) == seen) is (seen.kind is Kind.ADAPTABLE)
    assert turns.misfit(used_up=False) is None
    assert turns.kind_at(SONNET) is seen.kind


@pytest.mark.parametrize("kind", Kind)
def test_only_what_passes_by_itself_may_be_asked_again(turns, kind):
    turns.had(SONNET, fault(kind))
    expected = [(SONNET, fault(kind))] if kind in PASSES else []
    assert list(turns.retryable()) == expected


def test_retries_are_offered_in_the_order_of_the_turns(turns):
    turns.had(GPT, fault(Kind.OUTAGE))
    turns.had(SONNET, fault(Kind.OVERLOAD))
    assert [where for where, _ in turns.retryable()] == [GPT, SONNET]


def test_what_was_learnt_at_one_target_rules_out_another_that_had_failed_in_passing(turns):
    turns.had(HAIKU, fault(Kind.OUTAGE))
    turns.had(SONNET, fault(Kind.ACCOUNT))
    assert list(turns.retryable()) == []
    assert not {HAIKU.key, SONNET.key} - turns.out()


def test_the_latest_fault_of_a_target_counts(turns):
    turns.had(SONNET, fault(Kind.OUTAGE))
    turns.had(SONNET, fault(Kind.THROTTLED))
    assert turns.kind_at(SONNET) is Kind.THROTTLED


def test_nobody_is_left_when_all_had_their_turn(turns):
    for where in TARGETS:
        turns.had(where, fault(Kind.OUTAGE))
    assert not turns.left()


def test_what_fits_nowhere_is_told_by_the_first_that_it_did_not_fit(turns):
    for number, where in enumerate(TARGETS):
        assert turns.misfit(used_up=False) is None
        turns.had(where, fault(Kind.ADAPTABLE, code=f"{number}"))
    assert turns.misfit(used_up=False).code == "0"
    turns.had(TARGETS[-1], fault(Kind.OUTAGE))
    assert turns.misfit(used_up=False) is None


def test_whoever_runs_now_is_not_left_to_wait_for(turns):
    for where in (SONNET, HAIKU, BACKUP):
        turns.had(where, fault(Kind.OUTAGE))
    assert turns.left()
    assert not turns.left(GPT)
    assert not Turns(Plan(targets=(GPT,))).left(GPT)
    assert Turns(Plan(targets=(GPT, SONNET))).left(GPT)
    assert not Turns(Plan(targets=())).left()


# -- remedies ---------------------------------------------------------------------------------


def misfit(remedy: Remedy | None):
    return fault(Kind.ADAPTABLE, remedy=remedy)


def test_a_mended_turn_is_as_if_it_had_not_been(turns):
    seen = misfit(Remedy.WITHOUT_PREFILL)
    turns.had(SONNET, seen)
    assert turns.mend(SONNET, seen)
    assert turns.out() == set()
    assert turns.misfit(used_up=True) is None


def test_without_a_remedy_there_is_nothing_to_mend(turns):
    turns.had(SONNET, misfit(None))
    assert not turns.mend(SONNET, misfit(None))
    assert SONNET.key in turns.out()


def test_the_same_remedy_is_taken_once_a_target(turns):
    seen = misfit(Remedy.WITHOUT_THINKING)
    for where, expected in ((SONNET, True), (SONNET, False), (GPT, True)):
        turns.had(where, seen)
        assert turns.mend(where, seen) is expected
    other = misfit(Remedy.WITHOUT_PREFILL)
    turns.had(SONNET, other)
    assert turns.mend(SONNET, other)
