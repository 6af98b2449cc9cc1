"""Evidence counts what was seen, forgets what is old, and never grows beyond its bounds."""

from understudy.core.faults import Fault, Kind, Scope
from understudy.policy.evidence import (
    CELLS_KEPT,
    FEATURES_KEPT,
    TARGETS_KEPT,
    TENANTS_KEPT,
    UNCONTRADICTED_SECONDS,
    WAYS_KEPT,
)
from understudy.policy.seen import OTHER, STEPS
from understudy.policy.symptoms import Symptom
from unit.policy.attribution_world import (
    BLUNDER,
    FAILED,
    LIMITED,
    OVERLOADED,
    REFUSED,
    REJECTED,
    REVOKED,
    Told,
)

SONNET, HAIKU = "anthropic@main/sonnet", "anthropic@main/haiku"
WINDOW = 300.0


def counted(told: Told, **which: object) -> dict[Symptom, int]:
    """How many calls ended so, of all that are `which`."""
    counts: dict[Symptom, int] = {}
    for seen in told.evidence.snapshot(told.now).seen:
        if all(getattr(seen, name) == value for name, value in which.items()):
            for count in seen.counts:
                counts[count.symptom] = counts.get(count.symptom, 0) + sum(count.steps)
    return counts


def test_calls_are_counted_apart_by_target_feature_tenant_and_translation():
    told = Told().works(SONNET, 3, tenant="acme").works(HAIKU, 2, feature="search")
    told.fails(SONNET, OVERLOADED, 4, tenant="acme", translated=True)
    assert counted(told, target=SONNET, tenant="acme", translated=False) == {Symptom.GOOD: 3}
    assert counted(told, target=SONNET, translated=True) == {Symptom.OVERLOADED: 4}
    assert counted(told, feature="search") == {Symptom.GOOD: 2}


def test_the_providers_own_words_are_kept_with_a_failure():
    told = Told().fails(SONNET, OVERLOADED)
    (seen,) = told.evidence.snapshot(told.now).seen
    assert [count.words for count in seen.counts] == ["529 overloaded_error"]


def test_calls_stand_in_the_step_in_which_they_were_seen():
    told = Told().works(SONNET).pass_by(12.0).works(SONNET, 2).pass_by(1.0)
    (seen,) = told.evidence.snapshot(told.now).seen
    (count,) = seen.counts
    assert len(count.steps) == STEPS
    assert count.steps[:3] == (2, 0, 1)
    assert sum(count.steps) == 3


def test_what_is_older_than_the_window_is_forgotten():
    told = Told().works(SONNET, 5).fails(SONNET, LIMITED).pass_by(WINDOW - 6.0)
    assert counted(told) == {Symptom.GOOD: 5, Symptom.LIMIT: 1}
    assert counted(told.pass_by(6.0)) == {}


def test_a_failure_is_remembered_until_the_target_works_again():
    told = Told().works(SONNET).fails(SONNET, REVOKED, 2).pass_by(12 * WINDOW)
    assert counted(told, target=SONNET) == {Symptom.KEY: 2}
    told.works(SONNET).pass_by(WINDOW)
    assert counted(told) == {}


def test_a_failure_that_nobody_contradicts_is_forgotten_in_the_end():
    told = Told().fails(SONNET, REVOKED).pass_by(UNCONTRADICTED_SECONDS + 1.0)
    assert counted(told) == {}


def test_what_works_beside_a_failing_target_is_remembered_as_long():
    told = Told().fails(SONNET, OVERLOADED, 3).works(HAIKU, 2).pass_by(2 * WINDOW)
    assert counted(told, target=HAIKU) == {Symptom.GOOD: 2}
    told.works(SONNET).pass_by(WINDOW)
    assert counted(told, target=HAIKU) == {}


def test_an_answer_that_began_before_a_failure_does_not_contradict_it():
    told = Told().pass_by(30.0)
    told.fails(SONNET, OVERLOADED).works(SONNET, began=told.now - 20.0).pass_by(WINDOW)
    assert counted(told, target=SONNET) == {Symptom.OVERLOADED: 1}


def test_an_answer_counts_for_the_moment_at_which_it_began():
    told = Told().pass_by(60.0).works(SONNET).works(SONNET, began=told_at(-30.0, 60.0))
    (seen,) = told.evidence.snapshot(told.now).seen
    (count,) = seen.counts
    assert (count.steps[0], count.steps[6]) == (1, 1)
    # One that began before the window says nothing any more.
    assert counted(told.works(SONNET, began=told.now - 2 * WINDOW)) == {Symptom.GOOD: 2}


def told_at(ago: float, passed: float) -> float:
    return Told().now + passed + ago


def test_retries_of_a_request_count_once():
    told = Told().fails(SONNET, FAILED).fails(SONNET, FAILED, 3, retry=True)
    assert counted(told) == {Symptom.FAILED: 1}


def test_a_refusal_and_what_a_dialect_has_no_words_for_are_evidence_of_nothing():
    inexpressible = Fault(
        kind=Kind.ADAPTABLE, scope=Scope.REQUEST, status=400, code="inexpressible"
    )
    told = Told().fails(SONNET, REFUSED).fails(SONNET, inexpressible)
    assert counted(told) == {}


def test_a_probe_counts_for_its_target_and_for_no_feature():
    told = Told().works(SONNET, feature="probe", probe=True)
    told.fails(SONNET, FAILED, feature="probe", probe=True)
    assert counted(told, feature="") == {Symptom.GOOD: 1, Symptom.FAILED: 1}


def test_callers_faults_and_our_own_are_no_standing_fault_of_the_target():
    told = Told().fails(SONNET, REJECTED).fails(SONNET, BLUNDER).fails(SONNET, LIMITED)
    assert counted(told.pass_by(WINDOW)) == {}


# -- late answers -----------------------------------------------------------------------------


def test_an_answer_is_late_by_its_targets_own_history():
    told = Told()
    for _ in range(20):
        told.works(SONNET, first=1.0).works(HAIKU, first=4.0).pass_by(2.0)
    told.works(SONNET, first=5.0).works(HAIKU, first=5.0)
    assert counted(told, target=SONNET)[Symptom.LATE] == 1
    assert Symptom.LATE not in counted(told, target=HAIKU)


def test_a_fast_target_is_not_late_within_a_blink():
    told = Told().works(SONNET, 20, first=0.1).works(SONNET, first=1.0)
    assert Symptom.LATE not in counted(told)


def test_a_whole_answer_is_never_late():
    told = Told().works(SONNET, 20, first=0.5).works(SONNET, first=None)
    assert counted(told) == {Symptom.GOOD: 21}


def test_slowness_does_not_become_usual_within_minutes():
    told = Told().works(SONNET, 20, first=1.0)
    for _ in range(60):
        told.pass_by(2.0).works(SONNET, first=6.0)
    assert counted(told)[Symptom.LATE] >= 55


def test_one_probe_is_enough_to_know_a_slow_one_by():
    told = Told().works(SONNET, first=0.6, probe=True).pass_by(60.0)
    told.works(SONNET, first=4.0, probe=True)
    assert counted(told)[Symptom.LATE] == 1


# -- bounds -----------------------------------------------------------------------------------


def test_tenants_and_features_beyond_the_bound_are_counted_together():
    told = Told()
    for number in range(TENANTS_KEPT + 10):
        told.works(SONNET, tenant=f"t{number}")
    for number in range(FEATURES_KEPT + 10):
        told.works(SONNET, feature=f"f{number}")
    assert counted(told, tenant=OTHER) == {Symptom.GOOD: 10}
    assert counted(told, feature=OTHER) == {Symptom.GOOD: 11}
    assert counted(told)[Symptom.GOOD] == TENANTS_KEPT + FEATURES_KEPT + 20


def test_models_that_callers_invent_are_counted_together():
    told = Told()
    for number in range(TARGETS_KEPT + 50):
        told.fails(f"anthropic@main/m{number}", REVOKED)
    snapshot = told.evidence.snapshot(told.now)
    assert len({seen.target for seen in snapshot.seen}) <= TARGETS_KEPT + 1
    assert counted(told)[Symptom.KEY] == TARGETS_KEPT + 50
    assert counted(told, model=OTHER)[Symptom.KEY] == 50


def test_there_is_an_end_to_cells_and_to_words():
    told = Told()
    for number in range(3 * CELLS_KEPT):
        told.works(f"anthropic@main/m{number % 200}", tenant=f"t{number % 97}")
    assert len(told.evidence.snapshot(told.now).seen) <= CELLS_KEPT + TARGETS_KEPT
    assert counted(told)[Symptom.GOOD] == 3 * CELLS_KEPT
    for number in range(100):
        told.fails(
            SONNET, Fault(kind=Kind.OUTAGE, scope=Scope.MODEL, status=500, code=f"c{number}")
        )
    words = [
        count.words
        for seen in told.evidence.snapshot(told.now).seen
        if seen.target == SONNET
        for count in seen.counts
    ]
    assert len(words) <= WAYS_KEPT + 2
    assert counted(told, target=SONNET)[Symptom.FAILED] == 100


def test_room_is_made_by_what_is_no_longer_heard_of():
    told = Told()
    for number in range(TENANTS_KEPT):
        told.works(SONNET, tenant=f"old{number}")
    told.pass_by(2 * WINDOW).works(SONNET, tenant="new")
    assert counted(told, tenant="new") == {Symptom.GOOD: 1}
