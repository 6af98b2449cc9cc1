"""What a caller sees of a failure after the first content: an answer that goes on, or an error.

Every entry of the stand-in's catalogue that can break a stream is played by a primary of its own,
in the middle of the text and after all of it, with the other vendor as the second choice.
"""

import anthropic
import openai
import pytest

from support_catalogue import BY_STATUS, KIND_OF, Case, Stage, each, late
from support_lab import PROMPT
from understudy.mock import Where

#: A refusal is not gone around, and neither is it in the middle of an answer.
CONTINUED = [case for case in late(continues=True) if KIND_OF[case.name] != "refused"]
BROKEN = [case for case in late(continues=True) if KIND_OF[case.name] == "refused"]
BROKEN += late(continues=False)
#: As the official SDKs meet them.
SOME = pytest.mark.parametrize("name", ["overloaded_mid_stream", "reset", "no_terminal", "hang"])


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with Stage([*CONTINUED, *BROKEN], tmp_path_factory.mktemp("streams")) as stage:
        yield stage


@each(CONTINUED)
def test_the_second_target_goes_on_with_the_answer(stage, case, right_answer):
    told = stage.ask(case)
    assert told.is_whole()
    assert told.answer.text == right_answer(PROMPT)

    first, *others = told.attempts
    assert told.journal["outcome"] == "succeeded"
    assert first["first_content_ms"] is not None
    assert told.headers["x-understudy-target"] == first["target"]
    assert told.headers["x-understudy-attempts"] == "1"
    if case.name not in BY_STATUS:
        assert first["fault"]["kind"] in {case.kind, "truncated"}
    assert [attempt["fault"] for attempt in others[-1:]] == [None]
    assert others[-1]["from_char"] > 0
    assert len(told.answer.marks) == 1


@each(BROKEN)
def test_where_nobody_goes_on_it_ends_in_an_error_and_never_in_a_success(stage, case, right_answer):
    told = stage.ask(case)
    assert told.is_broken_off()
    assert told.answer.text
    assert right_answer(PROMPT).startswith(told.answer.text)
    assert told.answer.stop is None

    assert told.error["understudy"]["feature"] == stage.feature(case)
    assert told.error["understudy"]["request_id"] == told.journal["id"]
    assert told.journal["outcome"] == "failed"
    (attempt,) = told.attempts
    if case.name not in BY_STATUS:
        assert attempt["fault"]["kind"] in {case.kind, "truncated"}
    assert attempt["first_content_ms"] is not None


class TestTheOfficialSdksRaise:
    @SOME
    def test_anthropics(self, stage, name):
        case = Case(name, "messages", "stream", Where.MID_TEXT, continues=False)
        asked = {"model": stage.feature(case), "max_tokens": 1000}
        asked["messages"] = [{"role": "user", "content": PROMPT}]
        texts = []
        with (
            anthropic.Anthropic(base_url=stage.relay.url, api_key="any", max_retries=0) as sdk,
            pytest.raises(anthropic.APIStatusError, match="No target could serve"),
            sdk.messages.stream(**asked) as stream,
        ):
            texts.extend(stream.text_stream)
        assert texts

    @SOME
    def test_openais_in_chat_completions(self, stage, name):
        case = Case(name, "chat_completions", "stream", Where.MID_TEXT, continues=False)
        asked = {"model": stage.feature(case), "stream": True}
        asked["messages"] = [{"role": "user", "content": PROMPT}]
        chunks = []
        with (
            openai.OpenAI(base_url=f"{stage.relay.url}/v1", api_key="any", max_retries=0) as sdk,
            pytest.raises(openai.APIError, match="No target could serve"),
            sdk.chat.completions.create(**asked) as stream,
        ):
            chunks.extend(stream)
        assert chunks

    @SOME
    def test_openais_in_responses(self, stage, name):
        case = Case(name, "responses", "stream", Where.MID_TEXT, continues=False)
        events = []
        with (
            openai.OpenAI(base_url=f"{stage.relay.url}/v1", api_key="any", max_retries=0) as sdk,
            pytest.raises(openai.APIError, match="No target could serve"),
            sdk.responses.create(model=stage.feature(case), input=PROMPT, stream=True) as stream,
        ):
            events.extend(stream)
        assert events
