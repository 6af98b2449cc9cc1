"""Retries at the same target stay a small share of what is asked there anyway."""

from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.policy.budget import RetryBudget
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
