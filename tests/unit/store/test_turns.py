"""Deficit round robin: whatever jobs cost and whoever has some, shares of cost are even."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from understudy.store.turns import Turns

COSTS = st.lists(st.integers(1, 50), min_size=1, max_size=200)


def serve(turns, lines, limit):
    """Claims `limit` jobs; who was served, with which cost."""
    served = []

    def take(tenant):
        if not lines[tenant]:
            return None
        served.append((tenant, lines[tenant].pop(0)))
        return served[-1][1]

    assert turns.serve(lines.keys(), limit, take) == len(served)
    return served


@given(
    lines=st.dictionaries(st.sampled_from("abcdef"), COSTS, min_size=2),
    limits=st.lists(st.integers(1, 9), min_size=1, max_size=60),
)
def test_while_all_have_jobs_no_share_is_ahead_of_another_by_more_than_one_job(lines, limits):
    dearest = max(max(costs) for costs in lines.values())
    turns, had = Turns(), Counter(dict.fromkeys(lines, 0))
    for limit in limits:
        for tenant, cost in serve(turns, lines, limit):
            had[tenant] += cost
            if not all(lines.values()):
                return
            assert max(had.values()) - min(had.values()) <= dearest


@given(lines=st.dictionaries(st.sampled_from("abcdef"), COSTS), limit=st.integers(1, 9))
def test_everything_is_served_once(lines, limit):
    turns, served = Turns(), []
    expected = sorted((tenant, cost) for tenant, costs in lines.items() for cost in costs)
    while got := serve(turns, lines, limit):
        assert len(got) == limit or not any(lines.values())
        served += got
    assert sorted(served) == expected


def test_a_tenant_that_comes_back_waits_for_no_more_than_it_has_had():
    turns = Turns()
    assert serve(turns, {"a": [1_000_000]}, 1) == [("a", 1_000_000)]
    # Its debt holds it back only while others have something to do.
    lines = {"a": [1, 1], "b": [1, 1, 1]}
    assert [tenant for tenant, _ in serve(turns, lines, 5)] == ["b", "b", "b", "a", "a"]


def test_one_tenant_with_ever_one_dear_job_does_not_take_more_than_its_share():
    turns, had = Turns(), Counter()
    cheap = [1] * 10_000
    for _ in range(1000):
        for tenant, cost in serve(turns, {"dear": [100], "cheap": cheap}, 1):
            had[tenant] += cost
    assert abs(had["dear"] - had["cheap"]) <= 100


def test_a_trial_on_a_copy_costs_nobody_a_turn():
    turns = Turns()
    serve(turns.copy(), {"a": [9], "b": [1]}, 1)
    assert serve(turns, {"a": [9], "b": [1]}, 1) == [("a", 9)]


@given(
    costs=st.lists(st.integers(1, 50), min_size=4, max_size=4),
    claims=st.lists(st.tuples(st.booleans(), st.integers(1, 9)), min_size=50, max_size=300),
)
def test_who_is_served_elsewhere_pays_nobodys_debts(costs, claims):
    """Two tenants wait for one target, two for another, and each claim is for one of the two."""
    turns, had = Turns(), Counter(dict.fromkeys("abcd", 0))
    cost_of = dict(zip("abcd", costs, strict=True))
    for first, limit in claims:
        pair = "ab" if first else "cd"
        lines = {tenant: [cost_of[tenant]] * limit for tenant in pair}
        for tenant, cost in serve(turns, lines, limit):
            had[tenant] += cost
    assert abs(had["a"] - had["b"]) <= max(costs[:2])
    assert abs(had["c"] - had["d"]) <= max(costs[2:])


def test_debts_of_those_who_left_run_out():
    turns = Turns()
    serve(turns, {"gone": [500]}, 1)
    for _ in range(1_000):
        serve(turns, {"here": [10]}, 1)
    assert [tenant for tenant, _ in serve(turns, {"gone": [1], "here": [1]}, 1)] == ["gone"]
