"""Counting within the last minute."""

from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.policy.tally import Tally
from unit.policy.policy_world import NOW


def test_what_was_counted_is_forgotten_after_a_minute():
    tally = Tally()
    tally.add_good(NOW)
    tally.add_bad(NOW)
    tally.add_bad(NOW + 30.0)
    assert tally.counts(NOW + 30.0) == (1, 2)
    assert tally.counts(NOW + 60.0) == (0, 1)
    assert tally.counts(NOW + 90.0) == (0, 0)


def test_a_long_silence_forgets_everything():
    tally = Tally()
    tally.add_bad(NOW)
    assert tally.counts(NOW + 86_400.0) == (0, 0)


def test_clearing_forgets_at_once():
    tally = Tally()
    tally.add_good(NOW)
    tally.add_bad(NOW)
    tally.clear()
    assert tally.counts(NOW) == (0, 0)


@given(
    start=st.floats(0.0, 1e9),
    steps=st.lists(st.tuples(st.booleans(), st.floats(0.0, 100.0)), max_size=100),
)
@settings(deadline=None)
def test_nothing_younger_than_fifty_seconds_is_missed_and_nothing_older_than_sixty_counted(
    start, steps
):
    tally, now = Tally(), start
    seen: dict[bool, list[float]] = {True: [], False: []}
    for good, pause in steps:
        now += pause
        (tally.add_good if good else tally.add_bad)(now)
        seen[good].append(now)
        for kind, count in zip((True, False), tally.counts(now), strict=True):
            assert len([t for t in seen[kind] if now - t < 49.999]) <= count
            assert count <= len([t for t in seen[kind] if now - t < 60.001])
