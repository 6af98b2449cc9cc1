"""A second attempt beside a slow first one: only for streams, and only within its budget."""

import pytest

from support_lab import DIALECTS, OTHER, OWN, claude, compatible, gpt

dialects = pytest.mark.parametrize("dialect", DIALECTS)

#: A hedge may be one in twenty of a minute's first attempts.
ENOUGH = 20
LIMITS = {"hedge": "100ms", "first_token": "500ms"}


def slow(scene, lab, place=0):
    """From now on the target at that place shows nothing for an hour."""
    late = {"fault": "first_token_late", "seconds": 3600}
    lab.stand_in.play({**late, "key": scene.name_of(place)})


def warmed(scene, dialect, count=ENOUGH):
    """After so many requests that went well."""
    answers = [scene.ask(dialect, stream=True, limit=16) for _ in range(count)]
    assert all(told.places == [0] for told in answers)
    return scene


@dialects
class TestAHedge:
    def test_the_second_answers_and_the_slow_one_is_left_at_once(self, lab, dialect):
        scene = warmed(lab.serve(OWN[dialect](), OTHER[dialect](), **LIMITS), dialect)
        slow(scene, lab)
        told = scene.ask(dialect, stream=True)
        assert told.is_whole()
        assert told.answer.text == lab.right(dialect, stream=True).text
        assert told.places == [0, 1]
        assert told.results == ["abandoned", "content"]
        assert told.attempts[1]["why"].startswith(f"beside {scene.name_of(0)}@main/")
        assert told.answer.marks == []
        assert told.headers["x-understudy-attempts"] == "2"
        assert told.headers["x-understudy-target"] == scene.target(1)
        scene.until(0, lambda attempt: attempt.client_closed)

    def test_the_first_may_still_win(self, lab, dialect):
        scene = warmed(lab.serve(OWN[dialect](), OTHER[dialect](), **LIMITS), dialect)
        late = {"fault": "first_token_late", "seconds": 0.3, "key": scene.name_of(0)}
        mute = {"fault": "hang", "where": "before_headers", "key": scene.name_of(1)}
        lab.stand_in.play(late, mute)
        told = scene.ask(dialect, stream=True)
        assert told.is_whole()
        assert told.answer.text == lab.right(dialect, stream=True).text
        assert told.results == ["content", "abandoned"]
        scene.until(1, lambda attempt: attempt.client_closed)


class TestItsBudget:
    def test_one_in_twenty(self, lab):
        scene = warmed(lab.serve(claude(), gpt(), **LIMITS), "messages")
        slow(scene, lab)
        results = [scene.ask("messages", stream=True).results for _ in range(3)]
        assert results == [["abandoned", "content"], ["slow", "content"], ["slow", "content"]]

    def test_none_for_thin_traffic(self, lab):
        scene = warmed(lab.serve(claude(), gpt(), **LIMITS), "messages", ENOUGH // 2)
        slow(scene, lab)
        assert scene.ask("messages", stream=True).results == ["slow", "content"]


class TestNoHedge:
    def test_while_a_target_is_throttled(self, lab):
        once = {"fault": "internal_error", "times": 1}
        throttled = {"fault": "rate_limited", "retry_after": "3600"}
        scene = lab.serve(claude(once), gpt(throttled), compatible(), **LIMITS)
        assert scene.ask("messages", stream=True).results == ["outage", "throttled", "content"]
        warmed(scene, "messages")
        slow(scene, lab)
        told = scene.ask("messages", stream=True)
        assert told.results == ["slow", "content"]
        assert told.places == [0, 2]

    def test_for_whole_answers(self, lab):
        scene = warmed(lab.serve(claude(), gpt(), **LIMITS), "messages")
        slow(scene, lab)
        told = scene.ask("messages", stream=False, limit=16)
        assert told.is_whole()
        assert told.results == ["slow", "content"]

    def test_where_it_is_off(self, lab):
        scene = warmed(lab.serve(claude(), gpt(), first_token="500ms"), "messages")
        slow(scene, lab)
        assert scene.ask("messages", stream=True).results == ["slow", "content"]
