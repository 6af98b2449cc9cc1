"""Who may use how much: requests, tokens and concurrency, of the caller and of the tenant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.core.allotment import Allotment, Holder, Limit, Taken, caller_key, tenant_key
from understudy.core.quota import Unit
from understudy.policy.allotments import METERS_KEPT, Allotments, quotas, shortage
from understudy.policy.meter import SILENT_SECONDS


def holder(key="caller:ann", **limits):
    return Holder(key, Allotment(**limits))


class House:
    """Allotments, and requests of some holders."""

    def __init__(self, *holders):
        self.allotments = Allotments()
        self.holders = holders

    def ask(self, now, tokens=100, *, runs=True, holders=None):
        """The grant, or the shortage."""
        meters = self.allotments.of(holders or self.holders, now)
        found = shortage(meters, tokens, runs=runs, now=now)
        return found or self.allotments.take(meters, tokens, runs=runs, now=now)

    def count(self, now, most=1_000, **more):
        """How many are let in at once."""
        for number in range(most):
            if hasattr(self.ask(now, **more), "wait"):
                return number
        return most

    def left(self, now, holders=None):
        told = quotas(self.allotments.of(holders or self.holders, now), now)
        return {quota.unit: (quota.limit, int(quota.remaining)) for quota in told}


# -- requests


def test_a_minutes_worth_at_once_and_then_as_they_come_back():
    house = House(holder(requests=60))
    assert house.count(0.0) == 60
    found = house.ask(0.0)
    assert (found.limit, found.most, found.wait) == (Limit.REQUESTS, 60, pytest.approx(1.0))
    assert house.count(5.0) == 5
    assert house.count(3_600.0) == 60


def test_what_is_refused_takes_nothing():
    house = House(holder(requests=60))
    house.count(0.0)
    for _ in range(100):
        house.ask(0.5)
    assert house.count(1.0) == 1


def test_who_waits_as_long_as_told_is_let_in():
    house = House(holder(requests=7, tokens=1_000))
    house.count(0.0)
    now = 0.0
    for _ in range(50):
        found = house.ask(now, tokens=300)
        if hasattr(found, "wait"):
            now += found.wait
            assert not hasattr(house.ask(now, tokens=300), "wait")


# -- tokens


def test_tokens_are_kept_by_the_estimate_and_settled_by_what_was_used():
    house = House(holder(tokens=1_000))
    grant = house.ask(0.0, tokens=800)
    assert house.left(0.0)[Unit.TOKENS] == (1_000, 200)
    found = house.ask(0.0, tokens=300)
    assert (found.limit, found.most) == (Limit.TOKENS, 1_000)
    assert found.wait == pytest.approx(6.0)
    grant.settle(100, 0.0)
    assert house.left(0.0)[Unit.TOKENS] == (1_000, 900)


def test_what_was_used_beyond_the_estimate_is_paid_back_before_anybody_is_let_in():
    house = House(holder(tokens=600))
    house.ask(0.0, tokens=100).settle(1_200, 0.0)
    assert house.left(0.0)[Unit.TOKENS] == (600, 0)
    assert house.ask(0.0, tokens=1).wait == pytest.approx(60.1)
    assert house.count(60.0, tokens=1) == 0
    assert house.count(61.0, tokens=1) > 0


def test_an_estimate_beyond_the_limit_needs_all_of_it_and_leaves_no_debt():
    house = House(holder(tokens=600))
    grant = house.ask(0.0, tokens=50_000)
    assert house.left(0.0)[Unit.TOKENS] == (600, 0)
    assert house.ask(0.0, tokens=50_000).wait == pytest.approx(60.0)
    grant.settle(40, 0.0)
    assert house.left(0.0)[Unit.TOKENS] == (600, 560)


def test_a_request_without_tokens_is_let_in_where_tokens_are_owed():
    house = House(holder(requests=10, tokens=600, concurrency=1))
    house.ask(0.0, tokens=100).settle(5_000, 0.0)
    assert house.count(0.0, tokens=0, runs=False) == 9


@given(
    limit=st.integers(10, 5_000),
    asked=st.lists(
        st.tuples(
            st.floats(0.0, 40.0),  # until it asks
            st.integers(1, 3_000),  # estimated
            st.floats(0.0, 1.0),  # really used, as a share of that
            st.floats(0.0, 30.0),  # how long it takes
        ),
        max_size=40,
    ),
)
def test_who_uses_no_more_than_estimated_never_uses_more_than_the_limit(limit, asked):
    house, now, under_way, used = House(holder(tokens=limit)), 0.0, [], []
    for pause, estimate, share, lasts in asked:
        now += pause
        for one in sorted([one for one in under_way if one[0] <= now], key=lambda one: one[0]):
            under_way.remove(one)
            one[1].settle(one[2], one[0])
        grant = house.ask(now, tokens=estimate)
        if not hasattr(grant, "wait"):
            spent = int(min(estimate, limit) * share)
            under_way.append((now + lasts, grant, spent))
            used.append((now, spent))
    for start, (began, _) in enumerate(used):
        for end in range(start, len(used)):
            total = sum(spent for _, spent in used[start : end + 1])
            assert total <= limit + (used[end][0] - began) * limit / 60.0 + 1.0


# -- concurrency


def test_so_many_at_once_and_the_next_when_one_has_ended():
    house = House(holder(concurrency=2))
    first, _ = house.ask(0.0), house.ask(0.0)
    found = house.ask(0.0)
    assert (found.limit, found.most) == (Limit.CONCURRENCY, 2)
    first.release()
    first.release()
    assert house.count(0.0) == 1


def test_what_does_not_run_at_a_model_takes_no_place():
    house = House(holder(concurrency=1))
    house.ask(0.0)
    grant = house.ask(0.0, runs=False)
    grant.release()
    assert hasattr(house.ask(0.0), "wait")


@given(st.lists(st.sampled_from(["ask", "end"]), max_size=200), st.integers(1, 5))
def test_no_more_run_at_once_than_may(moves, most):
    house, running = House(holder(concurrency=most)), []
    for move in moves:
        if move == "end" and running:
            running.pop().release()
        elif move == "ask":
            got = house.ask(0.0)
            if hasattr(got, "wait"):
                assert len(running) == most
            else:
                running.append(got)
        assert len(running) <= most


# -- caller and tenant

ANN, BOB = "caller:ann", "caller:bob"
ACME = "tenant:acme"


def test_both_must_have_room():
    house = House(holder(ANN, requests=100), holder(ACME, requests=10))
    assert house.count(0.0) == 10
    assert house.ask(0.0).key == ACME
    # What the tenant refused has cost the caller nothing.
    assert house.count(0.0, holders=[holder(ANN, requests=100)]) == 90


def test_callers_of_one_tenant_share_its_limit():
    house = House()
    ann = (holder(ANN, requests=100), holder(ACME, requests=10))
    bob = (holder(BOB, requests=100), holder(ACME, requests=10))
    assert house.count(0.0, most=6, holders=ann) == 6
    assert house.count(0.0, holders=bob) == 4


def test_the_longest_wait_is_told():
    house = House(holder(ANN, requests=60), holder(ACME, tokens=60))
    house.ask(0.0, tokens=60)
    found = house.ask(0.0, tokens=30)
    assert (found.key, found.limit, found.wait) == (ACME, Limit.TOKENS, pytest.approx(30.0))


def test_the_narrower_of_two_limits_is_shown():
    house = House(holder(ANN, requests=50, tokens=900), holder(ACME, requests=60, tokens=500))
    house.count(0.0, most=20, holders=[holder(ACME, requests=60, tokens=500)], tokens=1)
    assert house.left(0.0) == {Unit.REQUESTS: (60, 40), Unit.TOKENS: (500, 480)}


def test_only_what_is_limited_is_shown():
    assert House(holder(concurrency=1)).left(0.0) == {}
    assert House(holder(tokens=5)).left(0.0) == {Unit.TOKENS: (5, 5)}


# -- settings


def test_a_reload_keeps_what_is_used():
    house = House(holder(requests=100, concurrency=5))
    house.count(0.0, most=3)
    assert house.left(0.0, [holder(requests=50, concurrency=3)])[Unit.REQUESTS] == (50, 47)
    assert house.ask(0.0, holders=[holder(requests=50, concurrency=3)]).limit is Limit.CONCURRENCY


def test_a_limit_that_is_new_begins_full_and_one_that_goes_is_gone():
    house = House(holder(requests=10))
    house.count(0.0)
    assert house.count(0.0, holders=[holder(tokens=500)], tokens=100) == 5
    assert house.left(0.0, [holder(requests=10, tokens=500)])[Unit.REQUESTS] == (10, 10)


# -- other processes


def tell(one, other, now, name="one"):
    """What `one` has to tell, heard by `other`."""
    told = one.allotments.tell(now)
    for taken in told:
        (whose,) = [h for h in one.holders if h.key == taken.key]
        other.allotments.hear(name, whose, taken, now)
    return told


def test_what_others_take_is_taken():
    whose = holder(requests=60, tokens=6_000)
    one, other = House(whose), House(whose)
    grants = [one.ask(0.0, tokens=100) for _ in range(20)]
    tell(one, other, 0.0)
    assert other.left(0.0) == {Unit.REQUESTS: (60, 40), Unit.TOKENS: (6_000, 4_000)}
    for grant in grants:
        grant.settle(10, 0.0)
    tell(one, other, 0.0)
    assert other.left(0.0)[Unit.TOKENS] == (6_000, 5_800)
    assert tell(one, other, 0.0) == []


def test_what_two_took_at_the_same_time_is_owed_and_paid_back():
    whose = holder(requests=60)
    one, other = House(whose), House(whose)
    assert one.count(0.0) + other.count(0.0) == 120
    tell(one, other, 0.0)
    tell(other, one, 0.0)
    assert one.count(59.9) == other.count(59.9) == 0
    assert one.count(61.1) == 1


def test_one_that_is_new_learns_from_the_first_word_what_is_left():
    whose = holder(requests=60)
    old, new = House(whose), House(whose)
    old.count(0.0)
    old.allotments.tell(0.0)  # to nobody who is still there
    old.allotments.retell(0.0)
    tell(old, new, 0.0)
    assert new.count(0.0) == 0


def test_places_are_taken_in_other_processes():
    whose = holder(concurrency=3)
    one, other = House(whose), House(whose)
    grants = [one.ask(0.0), one.ask(0.0)]
    tell(one, other, 0.0)
    assert other.count(0.0) == 1
    grants[0].release()
    tell(one, other, 0.0)
    assert other.count(0.0) == 1


def test_a_process_that_is_silent_holds_no_places():
    whose = holder(concurrency=1)
    one, other = House(whose), House(whose)
    one.ask(0.0)
    tell(one, other, 0.0)
    other.allotments.sweep(SILENT_SECONDS - 0.1)
    assert other.count(SILENT_SECONDS - 0.1) == 0
    other.allotments.sweep(SILENT_SECONDS)
    assert other.count(SILENT_SECONDS) == 1


def test_what_runs_long_is_told_again():
    whose = holder(concurrency=1)
    one, other = House(whose), House(whose)
    one.ask(0.0)
    for second in range(20):
        tell(one, other, float(second))
        one.allotments.sweep(float(second))
        other.allotments.sweep(float(second))
    assert other.count(20.0) == 0


def test_apart_each_has_its_part():
    whose = holder(requests=60, tokens=600, concurrency=7)
    houses = [House(whose) for _ in range(3)]
    for house in houses:
        house.ask(0.0, tokens=10).release()
        house.allotments.divide(3, 0.0)
    # A third of the 59 that each thought were left.
    assert [house.count(0.0, tokens=1, runs=False) for house in houses] == [19, 19, 19]
    assert [house.count(60.0, tokens=1, runs=False) for house in houses] == [20, 20, 20]
    assert [house.count(120.0, tokens=1) for house in houses] == [2, 2, 2]


def test_a_part_is_never_nothing():
    house = House(holder(requests=1, tokens=1, concurrency=1))
    house.allotments.divide(4, 0.0)
    assert house.count(0.0, tokens=1) == 1
    assert house.count(60.0, tokens=1) == 0


def test_a_word_of_a_holder_that_is_not_known_yet_counts():
    house = House(holder(requests=10))
    house.allotments.hear("one", house.holders[0], Taken("caller:ann", 4, 0, 0, 6, None), 0.0)
    assert house.count(0.0) == 6


# -- memory


def test_who_has_used_nothing_for_a_while_is_forgotten():
    house = House()
    for number in range(100):
        house.ask(0.0, holders=[holder(f"tenant:{number}", requests=60)]).release()
    house.allotments.sweep(0.5)
    assert len(house.allotments) == 100
    house.allotments.sweep(1.0)
    assert len(house.allotments) == 0


def test_however_many_tenants_are_named_there_is_an_end():
    house = House()
    busy = holder("tenant:busy", requests=5, concurrency=1)
    house.ask(0.0, holders=[busy])
    for number in range(METERS_KEPT + 500):
        house.ask(0.0, holders=[holder(f"tenant:{number}", requests=1)]).release()
    assert len(house.allotments) == METERS_KEPT
    # What is under way is not forgotten.
    assert hasattr(house.ask(0.0, holders=[busy]), "wait")


def test_names_of_any_length_are_told_apart():
    long = "x" * 10_000
    assert len({tenant_key(long), tenant_key(long + "y"), tenant_key("x"), caller_key("x")}) == 4
    assert len(tenant_key(long)) < 100


# -- views


def test_who_was_refused_lately_is_seen():
    house = House(holder(requests=2, tokens=1_000))
    assert house.allotments.limited(0.0) == []
    house.count(0.0, tokens=100)
    (seen,) = house.allotments.limited(10.0)
    assert (seen.key, seen.limit, seen.ago) == ("caller:ann", Limit.REQUESTS, 10.0)
    assert (seen.requests_left, seen.tokens_left, seen.under_way) == (0, 966, 2)
    assert house.allotments.limited(61.0) == []
