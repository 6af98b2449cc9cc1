"""What is left of a target's rate limits: never more than there is, and soon what there is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.core.quota import Need, Quota, Unit
from understudy.policy.allowance import Allowance

NOW = 1_000.0
NEED = Need(100.0, 50.0)


def quota(unit=Unit.REQUESTS, *, left, limit=60.0, full_in=None, rounding=0.0):
    return Quota(unit=unit, limit=limit, remaining=left, full_in=full_in, rounding=rounding)


def told(*quotas, reserves_output=False, now=NOW):
    """An allowance that has just been told of these limits, by an attempt that has ended."""
    allowance = Allowance(reserves_output=reserves_output)
    mark = allowance.took(Need(0.0, 0.0), now)
    allowance.told(quotas, mark, now)
    allowance.used(Need(0.0, 0.0), None, now)
    return allowance


def left(allowance, now=NOW, unit=Unit.REQUESTS):
    """What is left of one limit; None where it is not known."""
    found = [level.left for level in allowance.levels(now) if level.unit is unit]
    return found[0] if found else None


class Bucket:
    """A vendor's limit: it refills all the time, and may owe what was produced."""

    def __init__(self, limit, level, now):
        self.limit, self.level, self.at = limit, level, now

    def left(self, now):
        self.level = min(self.limit, self.level + (now - self.at) * self.limit / 60.0)
        self.at = now
        return self.level

    def take(self, amount, now):
        self.level = self.left(now) - amount


class Vendor:
    """A vendor with perfect headers, of the one way to count or the other.

    `admits` is at the instant of asking. Its headers tell how it stood when the attempt was let in,
    or when they were written: the tests choose.
    """

    def __init__(self, limits, now, *, reserves_output=False):
        self.buckets = {unit: Bucket(limit, level, now) for unit, (limit, level) in limits.items()}
        self.reserves_output = reserves_output

    def costs(self, need):
        output = need.output if self.reserves_output else 0.0
        return {
            Unit.REQUESTS: 1.0,
            Unit.INPUT_TOKENS: need.input,
            Unit.TOKENS: need.input + output,
            Unit.OUTPUT_TOKENS: output,
        }

    def admits(self, need, now):
        costs = self.costs(need)
        if any(
            bucket.left(now) < costs[unit] - 1e-6 or bucket.left(now) <= 0.0
            for unit, bucket in self.buckets.items()
        ):
            return False
        for unit, bucket in self.buckets.items():
            bucket.take(costs[unit], now)
        return True

    def produced(self, tokens, now):
        for unit, bucket in self.buckets.items():
            if unit in {Unit.OUTPUT_TOKENS, Unit.TOKENS}:
                bucket.take(tokens, now)

    def tells(self, now):
        return tuple(
            quota(unit, left=max(bucket.left(now), 0.0), limit=bucket.limit)
            for unit, bucket in self.buckets.items()
        )


#: (seconds until, tokens of prompt, tokens of answer at most, seconds until its headers, whether
#: those are as it stood when it was let in, whether it goes ahead without being let in)
STEPS = st.lists(
    st.tuples(
        st.one_of(st.just(0.0), st.floats(0.0, 30.0)),
        st.floats(0.0, 2_000.0),
        st.floats(0.0, 2_000.0),
        st.one_of(st.just(0.0), st.floats(0.0, 120.0)),
        st.booleans(),
        st.booleans(),
    ),
    max_size=40,
)
#: The share of each limit that is there at first.
SHARES = st.floats(0.0, 1.0)


def run(allowance, vendor, steps, check):
    """Ask as `steps` say, with the vendor's headers coming whenever they come."""
    now, waiting = NOW, []
    for passed, prompt, answer, delay, early, pushes in steps:
        due = now + passed
        waiting.sort(key=lambda item: item[0])
        while waiting and waiting[0][0] <= due:
            at, mark, need, quotas = waiting.pop(0)
            now = max(now, at)
            allowance.told(quotas or vendor.tells(now), mark, now)
            allowance.used(need, Need(need.input, 0.0), now)
            check(now)
        now, need = due, Need(prompt, answer)
        let_in = allowance.wait(need, now) == 0.0
        if let_in or pushes:
            mark = allowance.took(need, now)
            admitted = vendor.admits(need, now)
            quotas = vendor.tells(now) if early else None
            waiting.append((now + delay, mark, need, quotas))
            check(now, let_in=let_in, admitted=admitted, need=need)


class TestBesideARealBucket:
    """With perfect headers and nobody else, it never promises what is not there."""

    @pytest.mark.parametrize(
        ("reserves_output", "limits"),
        [
            (True, {Unit.REQUESTS: 20.0, Unit.TOKENS: 10_000.0}),
            (False, {Unit.REQUESTS: 20.0, Unit.INPUT_TOKENS: 5_000.0}),
        ],
    )
    @given(steps=STEPS, share=SHARES)
    def test_never_more_than_the_bucket_has(self, reserves_output, limits, steps, share):
        vendor = Vendor(
            {unit: (limit, share * limit) for unit, limit in limits.items()},
            NOW,
            reserves_output=reserves_output,
        )
        allowance = Allowance(reserves_output=reserves_output)

        def check(now, *, let_in=False, admitted=True, need=NEED):
            levels = allowance.levels(now)
            for level in levels:
                true = vendor.buckets[level.unit].left(now)
                assert level.left <= max(true, 0.0) + 1e-6
                assert 0.0 <= level.left <= level.limit
            fits = all(vendor.costs(need)[level.unit] <= level.limit for level in levels)
            if levels and let_in and fits:
                assert admitted

        run(allowance, vendor, steps, check)

    @given(steps=STEPS, share=SHARES, others=st.floats(0.0, 20.0))
    def test_headers_that_come_at_once_settle_what_others_took(self, steps, share, others):
        vendor = Vendor({Unit.REQUESTS: (20.0, share * 20.0)}, NOW)
        allowance = Allowance()
        run(allowance, vendor, steps, lambda *_, **__: None)
        now = NOW + 10_000.0
        vendor.produced(0.0, now)
        vendor.buckets[Unit.REQUESTS].take(others, now)
        mark = allowance.took(NEED, now)
        allowance.told(vendor.tells(now), mark, now)
        assert left(allowance, now) == pytest.approx(max(20.0 - others, 0.0))

    @pytest.mark.parametrize("early", [True, False])
    def test_whole_answers_of_a_minute_do_not_close_a_limit_that_is_kept(self, early):
        # 0.9 of the limit, headers a minute late: what was taken since is nearly all of it.
        vendor = Vendor({Unit.REQUESTS: (60.0, 60.0)}, NOW)
        allowance = Allowance()
        refused, late = 0, []
        for step in range(600):
            now = NOW + step / 0.9
            while late and late[0][0] <= now:
                at, mark, quotas = late.pop(0)
                allowance.told(quotas or vendor.tells(at), mark, at)
            refused += allowance.wait(NEED, now) > 0.0
            mark = allowance.took(NEED, now)
            assert vendor.admits(NEED, now)
            late.append((now + 60.0, mark, vendor.tells(now) if early else None))
        assert refused == 0

    def test_a_limit_is_used_to_the_full_by_those_who_wait_as_told(self):
        vendor = Vendor({Unit.REQUESTS: (60.0, 60.0)}, NOW)
        allowance = told(*vendor.tells(NOW))
        now, served = NOW, 0
        while now < NOW + 600.0:
            wait = allowance.wait(NEED, now)
            now += wait
            mark = allowance.took(NEED, now)
            assert vendor.admits(NEED, now)
            allowance.told(vendor.tells(now), mark, now)
            served += 1
        assert served == pytest.approx(60 + 600, abs=2)


class TestTold:
    """What a vendor tells corrects what was thought."""

    def test_nothing_known_nothing_waits(self):
        allowance = Allowance()
        assert allowance.wait(NEED, NOW) == 0.0
        assert allowance.levels(NOW) == []

    def test_the_first_reading_less_what_was_taken_since(self):
        allowance = Allowance()
        first = allowance.took(NEED, NOW)
        for _ in range(3):
            allowance.took(NEED, NOW)
        allowance.told([quota(left=10.0)], first, NOW + 1.0)
        assert left(allowance, NOW + 1.0) == pytest.approx(7.0)

    def test_it_refills_by_the_clock_up_to_the_limit(self):
        allowance = told(quota(left=0.0, limit=60.0))
        assert left(allowance, NOW + 10.0) == pytest.approx(10.0)
        assert left(allowance, NOW + 500.0) == 60.0

    def test_another_process_with_the_key_is_seen(self):
        allowance = told(quota(left=60.0))
        mark = allowance.took(NEED, NOW + 1.0)
        allowance.told([quota(left=5.0)], mark, NOW + 1.0)
        assert left(allowance, NOW + 1.0) == pytest.approx(5.0)

    def test_a_late_reading_raises_only_what_it_proves(self):
        allowance = told(quota(left=0.0))
        mark = allowance.took(NEED, NOW)
        for _ in range(10):
            allowance.took(NEED, NOW)
        allowance.told([quota(left=40.0)], mark, NOW)
        assert left(allowance) == pytest.approx(30.0)

    def test_a_reading_that_is_too_old_tells_nothing(self):
        allowance = told(quota(left=60.0, limit=1e6))
        mark = allowance.took(NEED, NOW)
        for _ in range(2_000):
            allowance.took(NEED, NOW)
        before = left(allowance)
        allowance.told([quota(left=1e6, limit=1e6)], mark, NOW)
        assert left(allowance) == before

    def test_a_limit_that_was_raised_or_lowered(self):
        allowance = told(quota(left=60.0, limit=60.0))
        for limit in (600.0, 20.0):
            mark = allowance.took(NEED, NOW)
            allowance.told([quota(left=limit, limit=limit)], mark, NOW)
            assert [level.limit for level in allowance.levels(NOW)] == [limit]
            assert left(allowance) <= limit

    def test_what_is_rounded_counts_as_the_least_that_it_may_be(self):
        allowance = told(quota(Unit.INPUT_TOKENS, left=7_000.0, limit=8_000.0, rounding=1_000.0))
        assert left(allowance, unit=Unit.INPUT_TOKENS) == pytest.approx(6_500.0)

    def test_a_rest_without_a_limit(self):
        allowance = told(quota(left=2.0, limit=None))
        assert allowance.wait(NEED, NOW) == 0.0
        allowance.took(NEED, NOW)
        allowance.took(NEED, NOW)
        assert allowance.wait(NEED, NOW) == pytest.approx(30.0)

    def test_a_rest_of_nothing_without_a_limit_says_nothing(self):
        assert told(quota(left=0.0, limit=None)).wait(NEED, NOW) == 0.0

    def test_a_limit_by_the_day_refills_by_the_day(self):
        # Groq: 14,400 requests a day, of which 30 are back in 180 s.
        allowance = told(quota(left=14_370.0, limit=14_400.0, full_in=180.0))
        assert left(allowance, NOW + 60.0) == pytest.approx(14_380.0)

    def test_what_was_told_long_ago_is_forgotten(self):
        allowance = told(quota(left=0.0))
        for _ in range(1_000):
            allowance.took(NEED, NOW)
        assert allowance.wait(NEED, NOW + 500.0) > 0.0
        assert allowance.wait(NEED, NOW + 601.0) == 0.0
        assert allowance.levels(NOW + 601.0) == []

    def test_views_are_told_how_old_it_is(self):
        (level,) = told(quota(left=10.0)).levels(NOW + 5.0)
        assert (level.unit, level.limit, level.age) == (Unit.REQUESTS, 60.0, 5.0)
        assert level.left == pytest.approx(15.0)


class TestWaiting:
    """How long until there is enough."""

    @pytest.mark.parametrize(
        ("unit", "level", "reserve", "seconds"),
        [
            (Unit.REQUESTS, 1.0, 0.0, 0.0),
            (Unit.REQUESTS, 0.0, 0.0, 0.1),
            (Unit.INPUT_TOKENS, 100.0, 0.0, 0.0),
            (Unit.INPUT_TOKENS, 40.0, 0.0, 6.0),
            (Unit.TOKENS, 150.0, 0.0, 0.0),
            (Unit.TOKENS, 100.0, 0.0, 5.0),
            (Unit.REQUESTS, 121.0, 0.2, 0.0),
            (Unit.REQUESTS, 120.0, 0.2, 0.1),
            (Unit.INPUT_TOKENS, 220.0, 0.2, 0.0),
            (Unit.INPUT_TOKENS, 120.0, 0.2, 10.0),
        ],
    )
    def test_until_there_is_enough_beside_the_reserve(self, unit, level, reserve, seconds):
        allowance = told(quota(unit, left=level, limit=600.0), reserves_output=True)
        assert allowance.wait(NEED, NOW, reserve) == pytest.approx(seconds)
        assert allowance.wait(NEED, NOW + seconds + 1e-6, reserve) == 0.0

    def test_the_scarcest_limit_decides(self):
        allowance = told(
            quota(left=0.0, limit=60.0), quota(Unit.INPUT_TOKENS, left=0.0, limit=600.0)
        )
        assert allowance.wait(NEED, NOW) == pytest.approx(10.0)

    @pytest.mark.parametrize("reserve", [0.0, 0.5, 1.0])
    def test_what_is_larger_than_the_limit_waits_until_it_is_whole_and_no_longer(self, reserve):
        allowance = told(quota(Unit.INPUT_TOKENS, left=0.0, limit=600.0))
        assert allowance.wait(Need(1e9, 0.0), NOW, reserve) == pytest.approx(60.0)
        assert allowance.wait(Need(1e9, 0.0), NOW + 60.0, reserve) == 0.0

    def test_what_was_never_asked_is_there_again(self):
        allowance = told(quota(left=1.0), quota(Unit.TOKENS, left=150.0, limit=600.0))
        mark = allowance.took(NEED, NOW)
        assert allowance.wait(NEED, NOW) > 0.0
        allowance.gave_back(mark, NOW)
        assert left(allowance) == pytest.approx(1.0)
        assert left(allowance, unit=Unit.TOKENS) == pytest.approx(150.0)

    def test_nothing_is_given_back_that_the_vendor_has_not_counted(self):
        allowance = told(quota(left=10.0))
        never = allowance.took(NEED, NOW)
        mark = allowance.took(NEED, NOW)
        allowance.told([quota(left=9.0)], mark, NOW)
        before = left(allowance)
        allowance.gave_back(never, NOW)
        assert left(allowance) == before


class TestOutput:
    """A vendor counts what an answer may be when it is let in, or what is produced as it is."""

    def test_openai_reserves_what_it_may_be(self):
        allowance = told(quota(Unit.TOKENS, left=600.0, limit=600.0), reserves_output=True)
        allowance.took(NEED, NOW)
        assert left(allowance, unit=Unit.TOKENS) == pytest.approx(450.0)
        allowance.used(NEED, Need(100.0, 1.0), NOW)
        assert left(allowance, unit=Unit.TOKENS) == pytest.approx(450.0)

    def test_anthropic_counts_it_as_it_is_produced(self):
        allowance = told(quota(Unit.OUTPUT_TOKENS, left=8e3, limit=8e3))
        need = Need(0.0, 64_000.0)
        allowance.took(need, NOW)
        assert left(allowance, unit=Unit.OUTPUT_TOKENS) == pytest.approx(8e3)
        allowance.used(need, Need(0.0, 3_000.0), NOW)
        assert left(allowance, unit=Unit.OUTPUT_TOKENS) == pytest.approx(5e3)

    def test_what_was_counted_while_it_was_written_is_not_counted_again(self):
        allowance = told(quota(Unit.OUTPUT_TOKENS, left=60.0, limit=60.0))
        need = Need(0.0, 400.0)
        allowance.took(need, NOW)
        allowance.used(need, Need(0.0, 400.0), NOW + 8.0)
        # One a second, until the 400 that were taken of 60 are there again, and one more.
        assert allowance.wait(Need(0.0, 1.0), NOW + 8.0) == pytest.approx(400.0 - 60.0 + 1.0)

    def test_usual_answers_wait_for_no_more_than_they_need(self):
        allowance = told(quota(Unit.OUTPUT_TOKENS, left=1e3, limit=8e3))
        for _ in range(100):
            allowance.took(Need(0.0, 64_000.0), NOW)
            allowance.used(Need(0.0, 64_000.0), Need(0.0, 5.0), NOW)
        assert allowance.wait(Need(0.0, 64_000.0), NOW) == 0.0

    def test_a_burst_is_let_in_by_what_its_answers_will_take(self):
        allowance = told(quota(Unit.OUTPUT_TOKENS, left=8e3, limit=8e3))
        let_in = 0
        while allowance.wait(Need(0.0, 1e4), NOW) == 0.0 and let_in < 1_000:
            allowance.took(Need(0.0, 1e4), NOW)
            let_in += 1
        # 500 tokens each until their length is known, and a little that refills meanwhile.
        assert 14 <= let_in <= 24

    def test_long_answers_within_the_limit_do_not_close_it(self):
        # 7.2 answers a minute of 1,000 tokens: 0.9 of 8,000 a minute, 20 s each.
        vendor = Vendor({Unit.OUTPUT_TOKENS: (8e3, 8e3)}, NOW)
        allowance, writing, waited = Allowance(), [], 0
        need = Need(0.0, 64_000.0)
        for tick in range(1, 6_000):
            now = NOW + tick / 10.0
            vendor.produced(5.0 * len(writing), now)
            for began in [began for began in writing if now - began >= 20.0]:
                writing.remove(began)
                allowance.used(need, Need(0.0, 1_000.0), now)
            if tick % 83 == 0:
                waited += allowance.wait(need, now) > 0.0
                mark = allowance.took(need, now)
                assert vendor.admits(need, now)
                allowance.told(vendor.tells(now), mark, now)
                writing.append(now)
        assert waited == 0

    def test_an_answer_that_ended_unknown_leaves_nothing_pending(self):
        allowance = told(quota(Unit.OUTPUT_TOKENS, left=8e3, limit=8e3))
        for _ in range(1_000):
            allowance.took(NEED, NOW)
            allowance.used(NEED, None, NOW)
        assert allowance.wait(NEED, NOW) == 0.0


class TestEstimates:
    """Estimates of prompts are corrected by what the vendor counted."""

    def test_prompts_from_a_cache_weigh_little(self):
        allowance = Allowance()
        need = Need(100_000.0, 10.0)
        for _ in range(200):
            allowance.took(need, NOW)
            allowance.used(need, Need(2_000.0, 10.0), NOW)
        mark = allowance.took(need, NOW)
        allowance.told([quota(Unit.INPUT_TOKENS, left=8_000.0, limit=8_000.0)], mark, NOW)
        assert allowance.wait(need, NOW) == 0.0

    def test_underestimates_weigh_more(self):
        allowance = told(quota(Unit.INPUT_TOKENS, left=1_000.0, limit=1_000.0))
        need = Need(400.0, 0.0)
        for _ in range(200):
            allowance.took(need, NOW)
            allowance.used(need, Need(800.0, 0.0), NOW)
        mark = allowance.took(need, NOW + 100.0)
        allowance.told([quota(Unit.INPUT_TOKENS, left=700.0, limit=1e3)], mark, NOW + 100.0)
        assert allowance.wait(need, NOW + 100.0) == pytest.approx(6.0, rel=0.05)

    def test_odd_usages_do_no_harm(self):
        allowance = told(quota(Unit.INPUT_TOKENS, left=8e3, limit=8e3))
        for actual in (Need(0.0, 0.0), Need(-5.0, -5.0), Need(1e12, 1e12)):
            allowance.took(NEED, NOW)
            allowance.used(NEED, actual, NOW)
        wait = allowance.wait(NEED, NOW)
        assert 0.0 <= wait <= 60.0


class TestThrottled:
    """A refusal closes a target for as long as it says; without headers a limit is learned."""

    def test_for_as_long_as_it_says(self):
        allowance = told(quota(left=50.0))
        allowance.throttled(20.0, NOW)
        allowance.throttled(5.0, NOW)
        assert allowance.wait(NEED, NOW + 1.0) == pytest.approx(19.0)
        assert allowance.wait(NEED, NOW + 20.0) == 0.0

    def test_nothing_is_learned_where_limits_are_told(self):
        allowance = told(quota(left=50.0))
        allowance.throttled(None, NOW)
        assert [level.age for level in allowance.levels(NOW)] == [0.0]
        assert allowance.wait(NEED, NOW) == 0.0

    def test_a_silent_limit_is_learned_below_what_it_served(self):
        allowance = Allowance()
        for second in range(50):
            allowance.took(NEED, NOW + second)
        allowance.throttled(None, NOW + 50.0)
        (level,) = allowance.levels(NOW + 50.0)
        assert (level.unit, level.age, level.left) == (Unit.REQUESTS, None, 0.0)
        assert 30.0 < level.limit <= 0.9 * 49
        assert allowance.wait(NEED, NOW + 50.0) == pytest.approx(60.0 / level.limit)

    def test_many_refusals_of_one_burst_are_one_lesson(self):
        allowance = Allowance()
        for _ in range(100):
            allowance.took(NEED, NOW)
        for _ in range(60):
            allowance.throttled(None, NOW + 1.0)
        (level,) = allowance.levels(NOW + 1.0)
        assert level.limit == pytest.approx(0.9 * 40)

    def test_it_grows_again_and_is_forgotten(self):
        allowance = Allowance()
        for _ in range(100):
            allowance.took(NEED, NOW)
        allowance.throttled(None, NOW)
        limits = [allowance.levels(NOW + minute * 60.0)[0].limit for minute in range(15)]
        assert limits == sorted(limits)
        assert limits[10] == pytest.approx(limits[0] * 1.05**10)
        assert allowance.levels(NOW + 900.0) == []
        assert allowance.wait(NEED, NOW + 900.0) == 0.0

    def test_however_low_it_seems_somebody_is_let_in_within_seconds(self):
        allowance = Allowance()
        allowance.took(NEED, NOW)
        for _ in range(50):
            allowance.throttled(None, NOW)
        assert allowance.wait(NEED, NOW) <= 10.0

    @pytest.mark.parametrize("limit", [30.0, 300.0])
    def test_a_silent_vendors_limit_is_found(self, limit):
        vendor = Vendor({Unit.REQUESTS: (limit, limit)}, NOW)
        allowance = Allowance()
        refused, served = [], []
        for tick in range(36_000):
            now = NOW + tick / 10.0
            if allowance.wait(NEED, now) > 0.0:
                continue
            allowance.took(NEED, now)
            if vendor.admits(NEED, now):
                served.append(now)
            else:
                refused.append(now)
                allowance.throttled(None, now)
            allowance.used(NEED, None, now)
        # Asked for as much as it lets in for an hour: nearly all of the limit, one refusal in so
        # many minutes.
        assert len(served) >= 0.85 * limit * 60
        assert len(refused) <= 60
