"""What a caller sees of a failure before the first content: nothing, or its own fault.

Every entry of the stand-in's catalogue is played by a primary of its own, with the other vendor as
the second choice. What breaks later is in test_failover_streams.py.
"""

import pytest

from support_catalogue import HARMLESS, KIND_OF, MOVING, RETURNED, SAID, Stage, each
from support_lab import DIALECTS, OTHER, OWN, PROMPT
from understudy.mock import CATALOGUE

dialects = pytest.mark.parametrize("dialect", DIALECTS)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    cases = [*MOVING, *RETURNED, *HARMLESS, *SAID]
    with Stage(cases, tmp_path_factory.mktemp("failover")) as stage:
        yield stage


def test_every_entry_of_the_catalogue_has_its_place_here():
    named = set(KIND_OF) | {name for name, entry in CATALOGUE.items() if entry.harmless}
    assert named == set(CATALOGUE)


class TestBeforeTheFirstContent:
    @each(MOVING)
    def test_the_second_target_answers_whole_and_the_first_ones_fault_is_journalled(
        self, stage, case, right_answer
    ):
        told = stage.ask(case)
        assert told.is_whole()
        assert told.answer.text == right_answer(PROMPT)
        assert told.answer.marks == []
        assert told.headers["x-understudy-attempts"] == "2"
        assert told.headers["x-understudy-tier"] == "substitute"

        first, second = told.attempts
        assert told.journal["outcome"] == "succeeded"
        if first["result"] == "abandoned":  # Less time than so long an answer may take: no fault.
            assert (case.kind, case.mode, first["fault"]) == ("slow", "whole", None)
        else:
            assert (first["result"], first["fault"]["kind"]) == ("fault", case.kind)
        assert second["target"] == told.headers["x-understudy-target"] != first["target"]
        assert (second["result"], second["fault"]) == ("content", None)
        assert second["why"].startswith("after ")

    @each(HARMLESS)
    def test_what_is_odd_but_right_is_no_fault(self, stage, case, right_answer):
        told = stage.ask(case)
        assert told.answer.is_success
        assert told.answer.text == right_answer(PROMPT)
        assert told.results == ["content"]

    @each(SAID)
    def test_what_a_model_says_is_passed_on(self, stage, case):
        told = stage.ask(case)
        assert told.status == 200
        assert told.results == ["content"]
        assert told.journal["outcome"] == "succeeded"


class TestTheCallersOwnFault:
    @each(RETURNED)
    def test_it_goes_back_once_and_nobody_else_is_asked(self, stage, case):
        keys = ("sk-claude-well", "sk-gpt-well")
        before = [len(stage.stand_in.attempts(key)) for key in keys]
        told = stage.ask(case)
        assert [len(stage.stand_in.attempts(key)) for key in keys] == before
        assert told.status in {400, 413}
        assert told.headers["x-understudy-attempts"] == "1"
        assert told.headers["x-should-retry"] == "false"
        assert "retry-after" not in told.headers
        assert (told.results, told.journal["outcome"]) == ([case.kind], "failed")

    @dialects
    def test_the_providers_own_words_come_back_in_its_own_shape(self, stage, dialect):
        case = next(c for c in RETURNED if c[:3] == ("invalid_request", dialect, "whole"))
        error = stage.ask(case).error
        spec = CATALOGUE[case.name].error_in(dialect)
        assert (error["type"], error["message"]) == (spec.type, spec.message)
        assert error["understudy"]["code"] == "request_rejected"
        if dialect != "messages":
            assert (error["param"], error["code"]) == (spec.param, spec.code)

    @dialects
    def test_what_fits_no_target_comes_back_in_a_providers_own_words(self, lab, dialect):
        too_long = {"fault": "context_too_long"}
        scene = lab.serve(OWN[dialect](too_long), OTHER[dialect](too_long))
        seen = len(lab.relay.log.text)
        told = scene.ask(dialect)
        assert told.status == 400
        assert told.headers["x-understudy-attempts"] == "2"
        words = {CATALOGUE["context_too_long"].error_in(d).message for d in DIALECTS}
        assert told.error["message"] in words
        assert [len(scene.asked(place)) for place in (0, 1)] == [1, 1]
        log = lab.relay.log.text[seen:]
        assert told.headers["x-request-id"] in log
        assert not any(text in log for text in words)
