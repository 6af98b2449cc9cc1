"""The watchdogs of one attempt: no content, silence, no progress, a trickle."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.core.faults import Fault, Kind, Scope
from understudy.core.outcomes import Attempt
from understudy.policy.decisions import Limits, Start
from understudy.policy.run import DRIP_BYTES_PER_SECOND, PATIENCE, Run
from unit.policy.policy_world import NOW, Answer, target

PRIMARY = target("anthropic@main/sonnet")
IDLE = 10.0


def limits(*, stream: bool = True, idle: float = IDLE) -> Limits:
    return Limits(deadline=NOW + 1e6, first_token=8.0, idle=idle, attempts=3, stream=stream)


def begun(now: float = NOW) -> Start:
    attempt = Attempt(
        target=PRIMARY.name, account="main", tier="same", why="first in order", started_at=now
    )
    return Start(PRIMARY, attempt, retry=False, began=now)


class Watch:
    """A stream that has begun, and the watchdogs on it."""

    def __init__(self, now: float = NOW, idle: float = IDLE) -> None:
        self.now = now
        self.limits = limits(idle=idle)
        self.run = Run(begun(now), now + 8.0, now + 8.0)
        self.answer = Answer()
        self.answer.begins(now)
        self.answer.comes(now, 200)
        self.run.content(now, self.limits)

    def look(self) -> Fault | None:
        return self.run.look(self.now, self.limits, self.answer)

    def at(self, seconds: float) -> Fault | None:
        """What is wrong so many seconds after the first content."""
        self.now = NOW + seconds
        return self.look()

    def brings(self, seconds: float, size: int) -> None:
        self.answer.comes(NOW + seconds, size)

    def pings(self, seconds: float) -> None:
        self.answer.heard_at = NOW + seconds


# -- before the first content -----------------------------------------------------------------


@pytest.mark.parametrize(("stream", "code"), [(True, "first_token"), (False, "answer")])
def test_without_content_an_attempt_is_late_once_it_is_due(stream, code):
    run = Run(begun(), NOW + 8.0, NOW + 8.0)
    answer = Answer()
    assert run.look(NOW + 7.999, limits(stream=stream), answer) is None
    assert run.look(NOW + 8.0, limits(stream=stream), answer) == Fault(
        kind=Kind.SLOW,
        scope=Scope.MODEL,
        code=f"{code}_timeout",
        message="no content within 8.0 s",
    )


def test_signs_of_life_do_not_stand_for_a_first_content():
    run = Run(begun(), NOW + 8.0, NOW + 8.0)
    answer = Answer()
    answer.heard_at = NOW + 8.0
    assert run.look(NOW + 8.0, limits(), answer).code == "first_token_timeout"


def test_a_late_attempt_says_how_long_it_had_and_not_how_long_it_was_entitled_to():
    run = Run(begun(), NOW + 60.0, NOW + 5.0)
    assert run.late(NOW + 5.0, limits()).message == "no content within 5.0 s"


# -- silence ----------------------------------------------------------------------------------


def test_a_stream_is_first_looked_at_when_it_could_have_fallen_silent():
    assert Watch().run.due == NOW + IDLE


def test_silence_is_told_from_the_last_byte():
    watch = Watch()
    watch.pings(7.0)
    assert watch.at(10.0) is None
    assert watch.run.due == NOW + 17.0
    assert watch.at(17.0) == Fault(
        kind=Kind.SLOW,
        scope=Scope.MODEL,
        status=200,
        code="idle_timeout",
        message="the stream fell silent for 10.0 s",
    )


# -- no progress ------------------------------------------------------------------------------


def test_bytes_without_content_buy_no_more_than_patience():
    watch = Watch()
    for seconds in (9.0, 18.0, 27.0, 36.0):
        watch.pings(seconds)
        assert watch.at(seconds) is None
    assert watch.run.due == NOW + PATIENCE * IDLE
    watch.pings(39.0)
    found = watch.at(40.0)
    assert (found.code, found.kind, found.status) == ("no_progress", Kind.SLOW, 200)
    assert found.message == "nothing but signs of life for 40.0 s"


def test_a_model_that_thinks_in_silence_is_waited_for_from_its_last_content():
    watch = Watch()
    watch.brings(9.0, 10_000)
    for seconds in (18.0, 27.0, 36.0, 45.0):
        watch.pings(seconds)
        assert watch.at(seconds) is None
    watch.pings(48.9)
    assert watch.at(49.0).code == "no_progress"


# -- a trickle --------------------------------------------------------------------------------


def trickle(size: int) -> list[str | None]:
    """What is found of a stream that brings so many bytes a second, in two windows."""
    watch = Watch()
    watch.answer.progress = 0
    found = []
    for second in range(1, 81):
        watch.brings(float(second), size)
        if second % 5 == 0:
            fault = watch.at(float(second))
            found.append(fault and fault.code)
    return found


def test_a_trickle_is_no_answer():
    found = trickle(int(DRIP_BYTES_PER_SECOND) - 1)
    assert found.index("slow_drip") == found.index(next(filter(None, found)))
    # Not before its window is over: 4 × idle.
    assert found.index("slow_drip") == 40 // 5 - 1


def test_a_slow_stream_that_gets_on_is_left_alone():
    assert set(trickle(int(DRIP_BYTES_PER_SECOND))) == {None}


def test_a_trickle_is_told_by_what_the_window_brought_and_not_by_what_came_before():
    watch = Watch()
    watch.brings(1.0, 1_000_000)
    for seconds in range(8, 41, 8):
        watch.brings(seconds, 1)
        assert watch.at(float(seconds)) is None
    for seconds in range(48, 80, 8):
        watch.brings(seconds, 1)
        assert watch.at(float(seconds)) is None
    watch.brings(79.0, 1)
    found = watch.at(80.0)
    assert found.code == "slow_drip"
    assert found.message == "5 bytes of content in 40 s"


# -- the moment that was asked for ------------------------------------------------------------


@given(
    now=st.floats(0.0, 1e9),
    idle=st.floats(1.0, 300.0),
    heard=st.floats(0.0, 0.99),
    habit=st.sampled_from(["silent", "pings", "drips"]),
)
@settings(deadline=None)
def test_a_look_at_the_due_moment_finds_something_or_moves_the_moment(now, idle, heard, habit):
    watch = Watch(now, idle)
    for _ in range(40):
        before = watch.run.due
        if habit == "pings":
            watch.answer.heard_at = watch.now + heard * idle
        elif habit == "drips":
            watch.answer.comes(watch.now + heard * idle, 1)
        watch.now = max(watch.now, before)
        if watch.look() is not None:
            return
        assert watch.run.due > before
    pytest.fail("it was never given up")
