"""Retries and hedges stay a small share of what is asked of a target anyway."""

from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.policy.budget import HedgeBudget, RetryBudget
from unit.policy.policy_world import NOW

KEY = "anthropic@main/sonnet"


def test_three_retries_at_a_time_where_traffic_is_thin():
    budget = RetryBudget()
    for _ in range(3):
        assert budget.allows(KEY, NOW)
        budget.retry(KEY, NOW)
    assert not budget.allows(KEY, NOW)
    budget.retried(KEY)
    assert budget.allows(KEY, NOW)


def test_a_tenth_of_the_first_attempts_where_traffic_is_heavy():
    budget = RetryBudget()
    for _ in range(100):
        budget.first(KEY, NOW)
    for _ in range(10):
        assert budget.allows(KEY, NOW)
        budget.retry(KEY, NOW)
    assert not budget.allows(KEY, NOW)


def test_first_attempts_of_more_than_a_minute_ago_pay_for_nothing():
    budget = RetryBudget()
    for _ in range(100):
        budget.first(KEY, NOW)
    for _ in range(3):
        budget.retry(KEY, NOW)
    assert budget.allows(KEY, NOW)
    assert not budget.allows(KEY, NOW + 60.0)


def test_every_target_has_its_own_budget():
    budget = RetryBudget()
    for _ in range(3):
        budget.retry(KEY, NOW)
    assert budget.allows("openai@main/gpt", NOW)


def test_a_retry_that_ends_twice_is_worth_no_more_than_one():
    budget = RetryBudget()
    budget.retried(KEY)
    for _ in range(3):
        budget.retry(KEY, NOW)
    assert not budget.allows(KEY, NOW)


#: What happens at a target: how many first attempts begin, or a retry, or the end of one.
STEPS = st.lists(
    st.tuples(
        st.integers(1, 40) | st.sampled_from(["retry", "retry", "retried"]), st.floats(0.0, 15.0)
    ),
    max_size=60,
)


@given(STEPS)
@settings(deadline=None)
def test_retries_never_exceed_a_tenth_of_the_traffic_or_three_at_a_time(steps):
    budget, now, running = RetryBudget(), NOW, 0
    firsts: list[float] = []
    retries: list[float] = []
    for step, pause in steps:
        now += pause
        if isinstance(step, int):
            for _ in range(step):
                budget.first(KEY, now)
                firsts.append(now)
        elif step == "retried":
            if running:
                budget.retried(KEY)
                running -= 1
        elif budget.allows(KEY, now):
            # The window turns in steps of ten seconds: it is 50 s long at least, 60 s at most.
            paid_for = len([t for t in firsts if now - t < 60.0]) // 10
            spent = len([t for t in retries if now - t <= 50.0])
            assert running < 3 or spent < paid_for
            budget.retry(KEY, now)
            retries.append(now)
            running += 1
        else:
            assert running >= 3


class TestHedges:
    """Second attempts beside a slow first one."""

    def spend(self, budget: HedgeBudget, now: float) -> int:
        """As many hedges as are allowed."""
        count = 0
        while budget.allows(KEY, now):
            budget.hedged(KEY, now)
            count += 1
        return count

    def test_are_a_twentieth_of_the_first_attempts(self):
        budget = HedgeBudget()
        for _ in range(1_000):
            budget.first(KEY, NOW)
        assert self.spend(budget, NOW) == 50

    def test_none_is_for_free_where_traffic_is_thin(self):
        budget = HedgeBudget()
        assert not budget.allows(KEY, NOW)
        for _ in range(19):
            budget.first(KEY, NOW)
            assert not budget.allows(KEY, NOW)
        budget.first(KEY, NOW)
        assert self.spend(budget, NOW) == 1

    def test_first_attempts_of_more_than_a_minute_ago_pay_for_nothing(self):
        budget = HedgeBudget()
        for _ in range(100):
            budget.first(KEY, NOW)
        assert budget.allows(KEY, NOW + 40.0)
        assert not budget.allows(KEY, NOW + 60.0)

    def test_a_hedge_counts_for_a_whole_minute(self):
        # The tally of first attempts turns in steps of ten seconds; no hedge is lost by that.
        budget, start = HedgeBudget(), 1_000.0
        for _ in range(20):
            budget.first(KEY, start + 9.9)
        assert self.spend(budget, start + 9.9) == 1
        for _ in range(20):
            budget.first(KEY, start + 69.0)
        assert self.spend(budget, start + 69.0) == 0
        assert self.spend(budget, start + 70.0) == 1

    def test_every_target_has_its_own_budget(self):
        budget = HedgeBudget()
        for _ in range(20):
            budget.first("openai@main/gpt", NOW)
        assert not budget.allows(KEY, NOW)
        assert budget.allows("openai@main/gpt", NOW)

    def test_of_a_target_that_is_not_known_spend_nothing(self):
        budget = HedgeBudget()
        budget.hedged(KEY, NOW)
        assert not budget.allows(KEY, NOW)

    def test_callers_who_make_up_models_cannot_fill_the_memory(self):
        budget = HedgeBudget()
        for _ in range(20):
            budget.first(KEY, NOW)
        for number in range(4_095):
            budget.first(f"openai@main/{number}", NOW)
        assert budget.allows(KEY, NOW)
        budget.first("openai@main/one-more", NOW)
        assert not budget.allows(KEY, NOW), "the oldest gives way"


@given(
    st.lists(
        st.tuples(st.integers(0, 60) | st.just("hedge"), st.floats(0.0, 20.0)),
        max_size=80,
    )
)
@settings(deadline=None)
def test_hedges_are_at_most_a_twentieth_of_the_minute_up_to_any_of_them(steps):
    budget, now = HedgeBudget(), NOW
    firsts: list[float] = []
    hedges: list[float] = []
    for step, pause in steps:
        now += pause
        if step == "hedge":
            while budget.allows(KEY, now):
                budget.hedged(KEY, now)
                hedges.append(now)
                within = [t for t in hedges if now - t < 60.0]
                assert 20 * len(within) <= len([t for t in firsts if now - t < 60.0])
        else:
            for _ in range(step):
                budget.first(KEY, now)
                firsts.append(now)
    # And none is refused that the traffic of the last 50 s pays for.
    spent = len([t for t in hedges if now - t <= 60.0])
    paid_for = len([t for t in firsts if now - t < 50.0]) // 20
    assert budget.allows(KEY, now) or spent + 1 > paid_for
