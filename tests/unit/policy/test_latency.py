"""What is learned of how long targets take: when to give up, when to begin a second attempt."""

import math
from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.policy.latency import History, Latencies, samples_needed

KEY = "anthropic@main/sonnet"
OTHER = "openai@main/gpt"
NOW = 1_000.0
MINUTE, HOUR = 60.0, 3600.0
#: The width of a bucket: what is learned is never too low and at most so much too high.
RATIO = 1.15
HANGS = math.inf


def history(times: list[float], at: float = NOW) -> History:
    made = History(at)
    for seconds in times:
        made.observe(seconds, at)
    return made


def is_bucket_of(learned: float | None, seconds: float) -> bool:
    return learned is not None and seconds <= learned <= seconds * RATIO * (1 + 1e-9)


class TestQuantiles:
    """A history keeps the shape of what it saw."""

    @given(
        st.lists(st.floats(0.02, 600.0), min_size=100, max_size=150),
        st.sampled_from([0.5, 0.9, 0.95, 0.99]),
    )
    @settings(deadline=None)
    def test_are_never_too_low_and_at_most_a_bucket_too_high(self, times, q):
        rank = max(math.ceil(q * len(times) - 1e-9), 1)
        assert is_bucket_of(history(times).quantile(q), sorted(times)[rank - 1])

    def test_are_not_a_rank_too_high_by_rounding(self):
        assert is_bucket_of(history([1.0] * 99 + [50.0] * 11).quantile(0.9), 1.0)

    def test_what_is_faster_than_the_shortest_bucket_is_in_it(self):
        assert history([0.0] * 100).quantile(0.5) == 0.02

    def test_what_is_slower_than_the_longest_bucket_has_no_end(self):
        assert history([3_000.0] * 100).quantile(0.5) == math.inf
        assert is_bucket_of(history([600.0] * 100).quantile(0.5), 600.0)

    @pytest.mark.parametrize(("q", "needed"), [(0.5, 100), (0.95, 100), (0.99, 100), (0.999, 1000)])
    def test_are_not_known_before_one_attempt_is_expected_beyond_them(self, q, needed):
        assert math.ceil(samples_needed(q)) == needed
        assert history([1.0] * (needed - 1)).quantile(q) is None
        assert history([1.0] * needed).quantile(q) is not None

    def test_one_slow_answer_of_a_thousand_is_beyond_the_p99_9_and_two_are_not(self):
        assert is_bucket_of(history([1.0] * 999 + [50.0]).quantile(0.999), 1.0)
        assert is_bucket_of(history([1.0] * 998 + [50.0] * 2).quantile(0.999), 50.0)


class TestForgetting:
    """By time, whatever the traffic."""

    def test_a_half_life_halves_what_is_known(self):
        known = history([1.0] * 199)
        known.observe(1.0, NOW + 30 * MINUTE)
        assert known.knows(0.95), "199 / 2 and one more"
        known.observe(1.0, NOW + 31 * MINUTE)
        assert not known.knows(0.95)

    def test_nobody_is_held_to_last_weeks_times(self):
        latencies = Latencies()
        for _ in range(5_000):
            latencies.observe(KEY, 40.0, NOW, stream=True)
        assert latencies.first_token(KEY) > 40.0
        latencies.observe(KEY, 1.0, NOW + 7 * 24 * HOUR, stream=True)
        assert latencies.first_token(KEY) == 30.0
        assert latencies.hedge_after(KEY) is None

    def test_a_clock_that_stands_still_or_turns_back_forgets_nothing(self):
        known = history([1.0] * 200)
        known.observe(1.0, NOW - HOUR)
        assert known.knows(0.95)

    @given(
        st.lists(st.tuples(st.floats(0.01, 700.0), st.floats(0.0, 7_200.0)), max_size=200),
        st.sampled_from([0.5, 0.95, 0.999]),
    )
    @settings(deadline=None)
    def test_no_quantile_is_outside_of_what_was_seen(self, steps, q):
        known, now = History(NOW), NOW
        for seconds, pause in steps:
            now += pause
            known.observe(seconds, now)
        learned = known.quantile(q)
        if learned is not None and learned < math.inf:
            times = [seconds for seconds, _ in steps]
            assert min(times) <= learned <= max(*times, 0.02) * RATIO


# -- a target in traffic ----------------------------------------------------------------------

Draw = Callable[[Random], float]


def usually(median: float, spread: float = 0.6) -> Draw:
    """Times as providers have them: many about the median, some several times that."""
    return lambda chance: chance.lognormvariate(math.log(median), spread)


def sometimes(share: float, seconds: float, rest: Draw) -> Draw:
    return lambda chance: seconds if chance.random() < share else rest(chance)


class Traffic:
    """Streams to one target at a steady rate, each given up at the limit of its moment."""

    def __init__(self, rate: float) -> None:
        self.latencies = Latencies()
        self.now = NOW
        self._pause = 1.0 / rate
        self._chance = Random(7)

    @property
    def limit(self) -> float:
        return self.latencies.first_token(KEY)

    def flow(self, seconds: float, draw: Draw) -> float:
        """The share of good attempts, those that would have answered in a minute, cut off."""
        end, good, lost = self.now + seconds, 0, 0
        while self.now < end:
            self.now += self._pause
            takes, limit = draw(self._chance), self.limit
            good += takes <= 60.0
            if takes > limit:
                lost += takes <= 60.0
                self.latencies.observe_at_least(KEY, limit + 0.01, self.now, stream=True)
            else:
                self.latencies.observe(KEY, takes, self.now, stream=True)
        return lost / max(good, 1)

    def until(self, done: Callable[[], bool], draw: Draw) -> float:
        """Seconds of traffic until then."""
        began = self.now
        while not done():
            self.flow(1.0, draw)
            assert self.now < began + 24 * HOUR, "never"
        return self.now - began


RATES = pytest.mark.parametrize("rate", [0.6, 1.5, 4.0])


class TestFirstToken:
    """The limit of `first_token: auto`."""

    def test_is_patient_with_a_target_that_nobody_knows(self):
        assert Latencies().first_token(KEY) == 30.0

    def test_never_falls_below_what_a_long_prompt_takes(self):
        traffic = Traffic(10.0)
        traffic.flow(10 * MINUTE, usually(0.2))
        assert traffic.limit == 5.0

    def test_never_lets_anybody_wait_for_more_than_a_minute(self):
        traffic = Traffic(10.0)
        traffic.flow(10 * MINUTE, usually(50.0))
        assert traffic.limit == 60.0

    @RATES
    def test_cuts_off_hardly_any_good_attempt(self, rate):
        traffic = Traffic(rate)
        traffic.flow(HOUR, usually(1.2))
        assert 6.0 < traffic.limit < 12.0
        assert traffic.flow(HOUR, usually(1.2)) < 0.002

    @RATES
    def test_learns_within_minutes_that_a_target_became_slower_for_good(self, rate):
        traffic = Traffic(rate)
        traffic.flow(HOUR, usually(1.2))
        assert traffic.until(lambda: traffic.limit > 17.0, usually(4.8)) < 15 * MINUTE
        assert traffic.flow(HOUR, usually(4.8)) < 0.005

    @RATES
    def test_does_not_feed_on_its_own_cut_offs(self, rate):
        # Every single attempt is now beyond what it has learned, and beyond three times that.
        traffic = Traffic(rate)
        traffic.flow(HOUR, usually(1.2))
        assert traffic.limit < 12.0
        assert traffic.until(lambda: traffic.limit > 45.0, usually(38.0, 0.1)) < 15 * MINUTE
        assert traffic.flow(10 * MINUTE, usually(38.0, 0.1)) < 0.01

    def test_loosens_itself_where_nothing_is_known_yet(self):
        latencies = Latencies()
        limits = []
        for _ in range(10):
            limits.append(latencies.first_token(KEY))
            latencies.observe_at_least(KEY, limits[-1], NOW, stream=True)
        assert limits[0] == 30.0
        assert limits[-1] == 60.0
        assert all(later > sooner for sooner, later in pairwise(limits[:6]))

    @RATES
    def test_one_bad_hour_is_over_after_a_few(self, rate):
        traffic = Traffic(rate)
        traffic.flow(HOUR, usually(1.2))
        traffic.flow(HOUR, usually(12.0))
        assert traffic.limit > 40.0
        assert traffic.until(lambda: traffic.limit < 12.0, usually(1.2)) < 8 * HOUR

    @RATES
    def test_is_not_worn_out_by_attempts_that_never_answer(self, rate):
        traffic = Traffic(rate)
        traffic.flow(HOUR, usually(1.2))
        traffic.flow(2 * HOUR, sometimes(0.01, HANGS, usually(1.2)))
        assert traffic.limit < 3 * 12.0

    @RATES
    def test_finds_the_few_good_attempts_that_take_ten_times_as_long(self, rate):
        mixed = sometimes(0.006, 18.0, usually(1.2))
        traffic = Traffic(rate)
        traffic.flow(HOUR, usually(1.2))
        assert traffic.limit < 12.0
        traffic.flow(2 * HOUR, mixed)
        assert traffic.limit >= 18.0
        assert traffic.flow(HOUR, mixed) < 0.002

    def test_a_few_that_hang_do_not_move_a_target_that_is_little_known(self):
        traffic = Traffic(0.05)
        traffic.flow(2 * HOUR, usually(1.2))
        assert traffic.until(lambda: traffic.limit > 30.0, lambda _: HANGS) > 0
        assert traffic.until(lambda: traffic.limit == 30.0, usually(1.2)) < HOUR

    def test_every_target_has_its_own(self):
        traffic = Traffic(10.0)
        traffic.flow(10 * MINUTE, usually(0.2))
        assert traffic.latencies.first_token(OTHER) == 30.0


class TestHedgeAfter:
    """The moment of `hedge: auto`."""

    def test_is_not_known_before_a_hundred_attempts(self):
        latencies = Latencies()
        for _ in range(99):
            latencies.observe(KEY, 1.0, NOW, stream=True)
            assert latencies.hedge_after(KEY) is None
        latencies.observe(KEY, 1.0, NOW, stream=True)
        assert is_bucket_of(latencies.hedge_after(KEY), 1.0)

    def test_is_when_nineteen_of_twenty_would_have_answered(self):
        latencies = Latencies()
        for number in range(1_000):
            latencies.observe(KEY, 1.0 + number / 1_000, NOW, stream=True)
        assert is_bucket_of(latencies.hedge_after(KEY), 1.949)

    def test_is_the_time_to_first_content_and_not_to_a_whole_answer(self):
        latencies = Latencies()
        for _ in range(1_000):
            latencies.observe(KEY, 30.0, NOW, stream=False)
        assert latencies.hedge_after(KEY) is None
        assert latencies.hedge_after(OTHER) is None

    def test_does_not_creep_down_when_hedges_replace_the_slow_answers(self):
        # One of ten takes 20 s, and its hedge is there after 3 s.
        latencies, chance = Latencies(), Random(7)
        after = 20.0
        for number in range(20_000):
            now = NOW + number / 5.0
            if chance.random() < 0.1 and after < 20.0:
                latencies.observe_at_least(KEY, after + 1.0, now, stream=True)
            else:
                latencies.observe(KEY, usually(1.0, 0.3)(chance), now, stream=True)
            after = latencies.hedge_after(KEY) or 20.0
        assert after > 2.0

    def test_is_never_where_attempts_take_longer_than_is_measured(self):
        latencies = Latencies()
        for _ in range(1_000):
            latencies.observe_at_least(KEY, 3_000.0, NOW, stream=True)
        assert latencies.hedge_after(KEY) is None

    def test_a_target_that_became_slower_is_known_for_it_in_minutes(self):
        traffic = Traffic(2.0)
        traffic.flow(HOUR, usually(1.2))
        known = traffic.latencies.hedge_after(KEY)
        learned = traffic.until(
            lambda: traffic.latencies.hedge_after(KEY) > 1.5 * known, usually(4.8)
        )
        assert learned < 5 * MINUTE


class TestWholeAnswers:
    """How long an answer in one piece may take."""

    def test_is_not_known_before_a_thousand_attempts(self):
        latencies = Latencies()
        for _ in range(999):
            latencies.observe(KEY, 20.0, NOW, stream=False)
        assert latencies.whole_answer(KEY) is None
        latencies.observe(KEY, 20.0, NOW, stream=False)
        assert is_bucket_of(latencies.whole_answer(KEY) / 1.5, 20.0)

    def test_leaves_half_as_much_again_above_the_slowest_of_a_thousand(self):
        latencies = Latencies()
        for number in range(2_000):
            latencies.observe(KEY, 100.0 if number < 3 else 10.0, NOW, stream=False)
        assert is_bucket_of(latencies.whole_answer(KEY) / 1.5, 100.0)

    def test_is_another_thing_than_the_time_to_first_content(self):
        latencies = Latencies()
        for _ in range(1_000):
            latencies.observe(KEY, 1.0, NOW, stream=True)
        assert latencies.whole_answer(KEY) is None

    def test_gives_way_where_it_was_too_short(self):
        latencies = Latencies()
        for _ in range(1_000):
            latencies.observe(KEY, 20.0, NOW, stream=False)
        before = latencies.whole_answer(KEY)
        for _ in range(10):
            limit = latencies.whole_answer(KEY)
            latencies.observe_at_least(KEY, limit, NOW, stream=False)
        assert latencies.whole_answer(KEY) > 2 * before

    def test_is_not_known_beyond_what_is_measured(self):
        latencies = Latencies()
        for _ in range(1_000):
            latencies.observe(KEY, 3_000.0, NOW, stream=False)
        assert latencies.whole_answer(KEY) is None


def test_callers_who_make_up_models_cannot_fill_the_memory():
    latencies = Latencies()
    for _ in range(1_000):
        latencies.observe(KEY, 1.0, NOW, stream=True)
    for number in range(4_095):
        latencies.observe(f"openai@main/{number}", 1.0, NOW, stream=True)
    assert latencies.first_token(KEY) == 5.0
    latencies.observe("openai@main/one-more", 1.0, NOW, stream=True)
    assert latencies.first_token(KEY) == 30.0, "the oldest gives way"
