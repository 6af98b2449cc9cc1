"""How many attempts at once a target takes well: found from both sides, never guessed too low."""

from collections.abc import Callable
from heapq import heappop, heappush
from math import isinf
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.policy.concurrency import INITIAL, LEAST, MOST, Concurrency

NOW = 1_000.0


def busy(count):
    """One with so many attempts under way."""
    concurrency = Concurrency()
    for _ in range(count):
        concurrency.started(NOW)
    return concurrency


def bearing(limit, count):
    """One that has shown that it bears so many at once, with `count` under way."""
    concurrency = busy(count)
    concurrency.pushed_back(NOW - 10.0)
    concurrency.limit = limit
    return concurrency


class World:
    """A target that serves `capacity` answers at once well, and more of them more slowly.

    Twice as many it refuses. First content takes `first` seconds on average, half of the answers
    less than `first / 2`: prompts differ. Attempts come at random; over the limit they go
    elsewhere.
    """

    def __init__(self, seed: int, *, whole: bool = False) -> None:
        self.random = Random(seed)
        self.concurrency = Concurrency()
        self.whole = whole
        self.now = NOW
        self.number = 0
        self.due: list[tuple[float, int, Callable[[], None]]] = []
        self.refused = self.elsewhere = self.served = 0
        self.most = 0

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        self.number += 1
        heappush(self.due, (self.now + seconds, self.number, what))

    def attempt(self, capacity: float, first: float) -> None:
        concurrency = self.concurrency
        if concurrency.is_full():
            self.elsewhere += 1
            return
        concurrency.started(self.now)
        load = concurrency.in_flight / capacity
        self.most = max(self.most, concurrency.in_flight)
        if load > 2.0:
            self.refused += 1
            self.later(0.1, lambda: (concurrency.pushed_back(self.now), self.end()))
            return
        self.served += 1
        seconds = first * max(1.0, load) * self.random.lognormvariate(-0.32, 0.8)
        length = self.random.uniform(5.0, 15.0)
        if self.whole:
            self.later(seconds + length, lambda: (self.answer(None), self.end()))
        else:
            self.later(seconds, lambda: self.answer(seconds))
            self.later(seconds + length, self.end)

    def answer(self, seconds: float | None) -> None:
        self.concurrency.answered(seconds, self.now)

    def end(self) -> None:
        self.concurrency.ended(self.now)

    def run(self, seconds: float, *, rate: float, capacity: float, first: float = 0.5) -> list[int]:
        """The attempts under way, second by second."""
        until, seen, tick = self.now + seconds, [], self.now
        arrival = self.now
        while arrival < until:
            while self.due and self.due[0][0] <= arrival:
                self.now, _, what = heappop(self.due)
                what()
            self.now = arrival
            while tick <= self.now:
                seen.append(self.concurrency.in_flight)
                tick += 1.0
            self.attempt(capacity, first)
            arrival += self.random.expovariate(rate)
        return seen


SEEDS = pytest.mark.parametrize("seed", range(5))


@SEEDS
class TestInAWorld:
    """Against targets of some capacity."""

    def test_a_target_with_room_for_all_is_soon_open_to_all(self, seed):
        world = World(seed)
        world.run(20.0, rate=40.0, capacity=1e6)
        world.elsewhere = 0
        world.run(280.0, rate=40.0, capacity=1e6)
        assert world.elsewhere <= 0.05 * world.served

    def test_twice_what_it_takes_well_settles_below_what_it_refuses(self, seed):
        world = World(seed)
        world.run(120.0, rate=20.0, capacity=100.0)
        world.refused = world.served = 0
        seen = world.run(600.0, rate=20.0, capacity=100.0)
        assert 80 <= sum(seen) / len(seen) <= 200
        assert world.refused <= 0.03 * world.served

    def test_a_capacity_that_falls_is_followed(self, seed):
        world = World(seed)
        world.run(300.0, rate=7.0, capacity=100.0)
        world.run(60.0, rate=7.0, capacity=30.0)
        seen = world.run(300.0, rate=7.0, capacity=30.0)
        assert 24 <= sum(seen) / len(seen) <= 60

    def test_prompts_that_become_long_do_not_close_a_target(self, seed):
        world = World(seed)
        world.run(200.0, rate=20.0, capacity=1e6)
        world.elsewhere = world.served = 0
        world.run(300.0, rate=20.0, capacity=1e6, first=4.0)
        assert world.elsewhere <= 0.2 * world.served

    def test_whole_answers_find_the_limit_by_refusals_alone(self, seed):
        world = World(seed, whole=True)
        world.run(120.0, rate=30.0, capacity=100.0)
        world.refused = world.served = 0
        seen = world.run(600.0, rate=30.0, capacity=100.0)
        assert 150 <= sum(seen) / len(seen) <= 205
        assert world.refused <= 0.02 * world.served

    def test_a_little_traffic_never_meets_it(self, seed):
        world = World(seed)
        world.run(3600.0, rate=0.3, capacity=10.0)
        assert world.elsewhere == 0


class TestRules:
    """The single rules."""

    def test_no_limit_is_assumed_before_there_is_a_sign_of_one(self):
        concurrency = busy(5_000)
        for step in range(500):
            concurrency.answered(0.5, NOW + step / 10.0)
        assert isinf(concurrency.limit)
        assert not concurrency.is_full()

    def test_a_refusal_is_a_sign_that_what_was_tried_is_too_much(self):
        concurrency = busy(100)
        concurrency.pushed_back(NOW)
        assert concurrency.limit == pytest.approx(90.0)
        assert concurrency.is_full()

    def test_one_slow_window_is_no_sign_and_two_are(self):
        concurrency = busy(100)
        for step in range(200):
            concurrency.answered(0.5, NOW + step / 10.0)
        for step in range(11):
            concurrency.answered(1.5, NOW + 20.0 + step / 10.0)
        assert isinf(concurrency.limit)
        for step in range(25):
            concurrency.answered(1.5, NOW + 21.1 + step / 10.0)
        assert concurrency.limit < 100

    def test_a_few_at_once_are_not_what_makes_a_target_slow(self):
        concurrency = busy(8)
        for step in range(800):
            concurrency.answered(0.5 if step < 200 else 1.5, NOW + step / 10.0)
        assert isinf(concurrency.limit)

    def test_a_share_leaves_room_for_others(self):
        concurrency = bearing(20.0, 16)
        assert concurrency.is_full(0.8)
        assert not concurrency.is_full()

    def test_what_has_ended_makes_room(self):
        concurrency = bearing(20.0, 20)
        assert concurrency.is_full()
        concurrency.ended(NOW)
        assert not concurrency.is_full()
        assert concurrency.in_flight == 19

    def test_nothing_ends_that_never_began(self):
        concurrency = Concurrency()
        concurrency.ended(NOW)
        assert concurrency.in_flight == 0

    def test_it_grows_only_where_it_is_used(self):
        idle, used = bearing(20.0, 5), bearing(20.0, 15)
        for concurrency in (idle, used):
            for step in range(100):
                concurrency.answered(0.5, NOW + step)
        assert idle.limit == 20.0
        assert used.limit > 20.0

    def test_a_limit_that_has_grown_large_is_none(self):
        concurrency = bearing(MOST - 1.0, int(MOST))
        for step in range(100):
            concurrency.answered(0.5, NOW + step)
        assert isinf(concurrency.limit)

    def test_refusals_of_one_second_count_once(self):
        concurrency = busy(20)
        for step in range(50):
            concurrency.pushed_back(NOW + step / 100.0)
        assert concurrency.limit == pytest.approx(0.9 * INITIAL)
        concurrency.pushed_back(NOW + 1.0)
        assert concurrency.limit == pytest.approx(0.81 * INITIAL)

    def test_a_limit_from_busier_times_is_not_what_was_refused(self):
        concurrency = bearing(400.0, 400)
        for _ in range(350):
            concurrency.ended(NOW + 300.0)
        concurrency.pushed_back(NOW + 300.0)
        assert concurrency.limit == pytest.approx(0.9 * 100)

    def test_refused_for_ever_it_still_lets_some_in(self):
        concurrency = busy(3)
        for step in range(1_000):
            concurrency.pushed_back(NOW + step)
        assert concurrency.limit == LEAST
        assert not concurrency.is_full()

    def test_it_shrinks_as_first_content_takes_three_times_as_long(self):
        concurrency = bearing(20.0, 18)
        for step in range(200):
            concurrency.answered(0.5, NOW + step / 10.0)
        before = concurrency.limit
        while not concurrency.is_full():
            concurrency.started(NOW + 20.0)
        for step in range(60):
            concurrency.answered(1.5, NOW + 20.0 + step / 10.0)
        assert concurrency.limit < before

    @given(
        st.integers(0, 60),
        st.lists(
            st.tuples(
                st.sampled_from(["started", "ended", "answered", "pushed_back"]),
                st.one_of(st.none(), st.floats(-1.0, 1e6)),
                st.floats(0.0, 100.0),
            ),
            max_size=200,
        ),
    )
    def test_whatever_happens_it_stays_within_its_bounds(self, count, events):
        concurrency, now = busy(count), NOW
        for what, seconds, passed in events:
            now += passed
            if what == "answered":
                concurrency.answered(seconds, now)
            else:
                getattr(concurrency, what)(now)
            assert concurrency.limit >= LEAST
            assert concurrency.limit < MOST or isinf(concurrency.limit)
            assert concurrency.in_flight >= 0
