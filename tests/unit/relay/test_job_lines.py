"""What waits, between two counts of the store's."""

from understudy.ports import Backlog, Lane
from understudy.relay.jobs.lines import Lines

CHAT, BATCH = Lane("interactive", "ann", "chat"), Lane("background", "ann", "batch")
BOBS = Lane("interactive", "bob", "chat")


def row(lane, queued):
    return Backlog(lane=lane, oldest=1.0, next_expiry=2.0, queued=queued, running=0)


def test_what_comes_and_goes_is_counted_at_once():
    lines = Lines()
    lines.came(BATCH)
    lines.came(CHAT)
    lines.came(CHAT)
    assert lines.lanes() == [CHAT, BATCH]
    lines.went(BATCH)
    assert (lines.lanes(), lines.waiting(CHAT)) == ([CHAT], 2)


def test_a_count_takes_the_place_of_what_was_before_it_and_not_of_what_came_meanwhile():
    lines = Lines()
    lines.came(CHAT)
    lines.begin()
    lines.came(CHAT)
    lines.counted([row(CHAT, 1)])
    assert lines.waiting(CHAT) == 2
    lines.begin()
    lines.counted([row(CHAT, 2)])
    assert lines.waiting(CHAT) == 2


def test_nothing_is_less_than_nothing():
    lines = Lines()
    lines.went(CHAT)
    assert (lines.waiting(CHAT), lines.lanes(), lines.of_tenant(CHAT)) == (0, [], 0)


def test_who_stands_beside_and_before():
    lines = Lines()
    lines.begin()
    lines.counted(
        [row(CHAT, 4), row(BOBS, 7), row(BATCH, 2), row(Lane("background", "cy", "b"), 1)]
    )
    assert lines.beside(CHAT) == ([7], 0)
    assert lines.beside(BATCH) == ([1], 11)
    assert lines.of_tenant(Lane("interactive", "ann", "other")) == 4
