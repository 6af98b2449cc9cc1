"""Detection keeps its goals, on fewer seeds than docs/detection.md."""

from itertools import pairwise

import pytest

from detection.campaign import Sizes, collect
from detection.detectors import DETECTORS, Understudy
from detection.goals import NEEDED, RATE, judge
from detection.measures import detection, quantile
from detection.sim_detection import Scene, Truth, play, trace
from detection.watched import NEVER
from understudy.policy.breaker import MIXED_SECONDS

#: Few enough for every `make test`.
SIZES = Sizes(days=60, seeds=20, detectors=(Understudy.name,), only=NEEDED)


def test_every_goal_is_met():
    assert [goal for goal in judge(collect(SIZES)) if not goal.met] == []


def test_each_rest_of_a_flapping_target_is_longer_than_the_one_before():
    scene = Scene(60.0, Truth(1.0), flaps=30.0, end=7200.0)
    for seed in range(5):
        detector = Understudy(seed)
        play(trace(scene, seed), detector, skip=True)
        rests = [rest.until - rest.at for rest in detector.rests if rest.at >= scene.onset]
        # But for the short ones between a probe that passed and one that failed.
        lengths = [length for length in rests if length > MIXED_SECONDS]
        # Twice as long ± 20 %, until they are 300 s ± 20 %.
        assert all(longer > shorter or longer >= 240.0 for shorter, longer in pairwise(lengths))
        assert lengths[-1] >= 240.0


def test_probes_make_the_samples_that_the_alarm_needs():
    scene = Scene(RATE, Truth(1.0), end=7200.0)
    traces = [trace(scene, seed) for seed in range(10)]
    with_probes, without = (
        quantile([detection(play(t, DETECTORS[name](t.seed))).from_failing for t in traces], 0.5)
        for name in (Understudy.name, "no probes")
    )
    assert with_probes <= 10.0 < without


def test_a_target_that_nobody_calls_is_found_broken_by_a_probe():
    scene = Scene(0.05, Truth(1.0), base=0.0, heal=14_400.0, end=14_400.0)
    for seed in range(10):
        story = play(trace(scene, seed), Understudy(seed))
        # Ten minutes without a call, then as many probes as the alarm needs.
        assert detection(story).from_onset <= 620.0


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize(("rate", "hours", "seeds"), [(5.0, 12, 8), (60.0, 4, 1)])
def test_the_fast_path_through_healthy_hours_loses_nothing(name, rate, hours, seeds):
    scene = Scene(rate, Truth(0.03), 0.03, onset=NEVER, heal=NEVER, end=hours * 3600.0)
    for seed in range(seeds):
        drawn = trace(scene, seed)
        slow, fast = (play(drawn, DETECTORS[name](seed), skip=skip) for skip in (False, True))
        assert fast.changes == slow.changes
        assert fast.probes == slow.probes


def test_every_detector_is_given_the_same_calls():
    scene = Scene(RATE, Truth(0.5), end=7200.0)
    drawn, again = trace(scene, 7), trace(scene, 7)
    for name in DETECTORS:
        play(drawn, DETECTORS[name](7))
    assert drawn == again


def test_a_seed_always_tells_the_same_story():
    scene = Scene(RATE, Truth(0.2), end=7200.0)
    one, other = (play(trace(scene, 3), Understudy(3)) for _ in range(2))
    assert (one.changes, one.tries, one.probes) == (other.changes, other.tries, other.probes)
