"""What a reader sees of an answer that broke off and went on elsewhere: one answer."""

import json

import anthropic
import openai
import pytest

from support_lab import (
    DIALECTS,
    OTHER,
    OWN,
    PATHS,
    body_of,
    claude,
    compatible,
    gpt,
    json_of,
    tokens_of,
    tools_of,
)

dialects = pytest.mark.parametrize("dialect", DIALECTS)

CODE = "Write some code that keeps a logbook of ships. The captain reads it at night."
WEATHER = "What is the weather in Oslo?"


def responses(*faults, **more):
    """OpenAI, by its Responses whatever the caller's dialect is."""
    return gpt(*faults, settings={"dialect": "responses"}, **more)


#: Whose stream breaks, and who goes on with it.
PAIRS = {
    "claude-claude": (claude, claude),
    "claude-gpt": (claude, gpt),
    "claude-responses": (claude, responses),
    "claude-compatible": (claude, compatible),
    "gpt-claude": (gpt, claude),
    "gpt-gpt": (gpt, gpt),
    "gpt-compatible": (gpt, compatible),
    "responses-claude": (responses, claude),
    "responses-compatible": (responses, compatible),
    "compatible-claude": (compatible, claude),
    "compatible-responses": (compatible, responses),
}
pairs = pytest.mark.parametrize(("first", "second"), PAIRS.values(), ids=PAIRS)


def cut(tokens, where="mid_text"):
    return {"fault": "close", "where": where, "n": tokens}


@dialects
class TestText:
    @pairs
    def test_every_character_comes_once_whoever_goes_on(self, lab, dialect, first, second):
        scene = lab.serve(first(cut(40)), second())
        told = scene.ask(dialect, stream=True)
        assert told.is_whole()
        assert told.answer.text == lab.right(dialect, stream=True).text
        assert told.places == [0, 1]
        assert told.answer.stop == lab.right(dialect, stream=True).stop

    def test_another_account_goes_on_with_the_same_model(self, lab, dialect):
        provider = OWN[dialect](cut(40) | {"times": 1}, accounts=("main", "backup"))
        scene = lab.serve(provider)
        told = scene.ask(dialect, stream=True)
        assert told.is_whole()
        assert told.answer.text == lab.right(dialect, stream=True).text
        assert [attempt["account"] for attempt in told.attempts] == ["main", "backup"]
        assert {attempt["tier"] for attempt in told.attempts} == {"same"}

    @pytest.mark.parametrize("second", [claude, gpt, compatible])
    def test_wherever_it_breaks(self, lab, dialect, second):
        # Who is asked by a user's turn repeats the last words, as it is told to: without that,
        # nobody could know whether a word was whole.
        habits = () if second is claude else ({"fault": "habit_overlap", "n": 40},)
        right = lab.right(dialect, CODE, stream=True)
        wrong = []
        for place in range(1, tokens_of(dialect, right.usage)[1], 7):
            scene = lab.serve(OWN[dialect](cut(place)), second(*habits))
            told = scene.ask(dialect, CODE, stream=True)
            assert scene.asked(0)[0].output_tokens == place
            if not told.is_whole() or told.answer.text != right.text:
                wrong.append((place, told.answer.text))
        assert wrong == []

    @pytest.mark.parametrize("fault", ["truncated_utf8", "truncated_sse"])
    def test_half_a_character_or_half_an_event_is_never_sent(self, lab, dialect, fault):
        scene = lab.serve(OWN[dialect]({"fault": fault}), OTHER[dialect]())
        told = scene.ask(dialect, stream=True)
        assert told.is_whole()
        assert told.answer.text == lab.right(dialect, stream=True).text

    def test_the_callers_token_limit_is_for_all_attempts_together(self, lab, dialect):
        scene = lab.serve(OWN[dialect](cut(40)), OTHER[dialect]())
        told = scene.ask(dialect, stream=True, limit=90)
        right = lab.right(dialect, stream=True, limit=90)
        assert told.is_whole()
        assert told.answer.stop == right.stop != lab.right(dialect, stream=True).stop
        assert right.text.startswith(told.answer.text)
        made = [scene.asked(place)[0].output_tokens for place in (0, 1)]
        assert made[0] == 40
        assert sum(made) <= 90


@pytest.mark.parametrize(
    ("dialect", "name"), [("messages", "stop_sequences"), ("chat_completions", "stop")]
)
def test_a_stop_sequence_still_ends_the_text(lab, dialect, name):
    asked = {"stream": True, name: ["short example"]}
    scene = lab.serve(OWN[dialect](cut(40)), OTHER[dialect]())
    told = scene.ask(dialect, **asked)
    assert told.is_whole()
    assert told.answer.text == lab.right(dialect, **asked).text
    assert "short example" not in told.answer.text


@dialects
class TestToolCalls:
    """Nobody can go on with half a call: it is never sent, and made again."""

    @pairs
    @pytest.mark.parametrize("forced", [False, True], ids=["after-words", "forced"])
    def test_a_broken_call_is_made_again(self, lab, dialect, first, second, forced):
        asked = {**tools_of(dialect, forced=forced), "stream": True}
        scene = lab.serve(first(cut(2, "mid_tool_call")), second())
        told = scene.ask(dialect, WEATHER, **asked)
        right = lab.right(dialect, WEATHER, **asked)
        assert told.is_whole()
        assert told.answer.text == right.text
        (call,), (wanted,) = told.answer.tools, right.tools
        assert (call.name, call.closed) == (wanted.name, True)
        assert json.loads(call.arguments) == json.loads(wanted.arguments)
        assert told.answer.stop == right.stop
        assert told.results[1:] == ["content"]

    def test_where_nobody_can_make_it_nothing_of_it_is_sent(self, lab, dialect):
        broken = cut(2, "mid_tool_call")
        scene = lab.serve(OWN[dialect](broken), OTHER[dialect](broken))
        told = scene.ask(dialect, WEATHER, stream=True, **tools_of(dialect))
        # What came in one read with the call has waited with it.
        assert told.status == 503
        assert told.error["understudy"]["code"] == "no_target_available"


@dialects
class TestStructuredOutput:
    """Half a document is of no use: the caller gets one that is whole."""

    @pairs
    def test_it_is_made_again_from_the_start(self, lab, dialect, first, second):
        asked = {**json_of(dialect), "stream": True}
        scene = lab.serve(first(cut(4)), second())
        told = scene.ask(dialect, "Name a ship.", **asked)
        assert told.is_whole()
        assert json.loads(told.answer.text) == json.loads(
            lab.right(dialect, "Name a ship.", **asked).text
        )
        assert [attempt["from_char"] for attempt in told.attempts] == [0, 0]
        assert told.headers["x-understudy-target"] == told.attempts[1]["target"]

    def test_where_nobody_can_make_it_the_answer_is_an_error(self, lab, dialect):
        scene = lab.serve(OWN[dialect](cut(4)), OTHER[dialect](cut(4)), attempts=2)
        told = scene.ask(dialect, "Name a ship.", stream=True, **json_of(dialect))
        assert told.status == 503
        assert told.error["understudy"]["code"] == "no_target_available"


@dialects
class TestSeveralBreaks:
    def test_three_targets_write_one_answer(self, lab, dialect):
        scene = lab.serve(OWN[dialect](cut(30)), OTHER[dialect](cut(30)), compatible())
        told = scene.ask(dialect, stream=True)
        assert told.is_whole()
        assert told.answer.text == lab.right(dialect, stream=True).text
        assert told.places == [0, 1, 2]
        assert len(told.answer.marks) == 2

    def test_a_target_that_does_not_even_begin_is_passed_over(self, lab, dialect):
        down = {"fault": "overloaded"}
        scene = lab.serve(OWN[dialect](cut(30)), OTHER[dialect](down), compatible())
        told = scene.ask(dialect, stream=True)
        assert told.is_whole()
        assert told.answer.text == lab.right(dialect, stream=True).text
        assert told.results == ["truncated", "overload", "content"]
        assert len(told.answer.marks) == 1

    def test_attempts_bound_it(self, lab, dialect):
        broken = cut(10)
        scene = lab.serve(
            OWN[dialect](broken), OTHER[dialect](broken), compatible(broken), attempts=2
        )
        told = scene.ask(dialect, stream=True)
        assert told.is_broken_off()
        assert told.places == [0, 1]
        assert lab.right(dialect, stream=True).text.startswith(told.answer.text)


#: How models go on, each with the prompt and the place where it shows.
HABITS = {
    **{f"overlap-{n}": ({"fault": "habit_overlap", "n": n}, None, 60) for n in (12, 30, 100)},
    **{f"preamble-{n}": ({"fault": "habit_preamble", "n": n}, None, 60) for n in range(7)},
    "restart": ({"fault": "habit_restart"}, None, 60),
    "restart-code": ({"fault": "habit_restart"}, CODE, 80),
    "fence": ({"fault": "habit_fence"}, CODE, 80),
    "lost-space": ({"fault": "habit_lost_space"}, None, 60),
}


@dialects
class TestHabits:
    """Models seldom go on exactly where another stopped. The reader does not see it."""

    @pytest.mark.parametrize(("habit", "prompt", "place"), HABITS.values(), ids=HABITS)
    @pytest.mark.parametrize("second", [gpt, compatible])
    def test_it_leaves_no_trace(self, lab, dialect, habit, prompt, place, second):
        asked = {"stream": True} | ({"prompt": prompt} if prompt else {})
        scene = lab.serve(claude(cut(place)), second(habit))
        told = scene.ask(dialect, **asked)
        assert told.is_whole()
        assert told.answer.text == lab.right(dialect, **asked).text
        assert told.results == ["truncated", "content"]

    @pytest.mark.parametrize("habit", ["habit_restart", "habit_overlap"])
    def test_a_prefilled_model_that_repeats_itself(self, lab, dialect, habit):
        scene = lab.serve(gpt(cut(60)), claude({"fault": habit, "n": 100}))
        told = scene.ask(dialect, stream=True)
        assert told.is_whole()
        assert told.answer.text == lab.right(dialect, stream=True).text

    def test_another_answer_is_not_joined_on(self, lab, dialect):
        paraphrase = {"fault": "habit_paraphrase"}
        scene = lab.serve(OWN[dialect](cut(60)), compatible(paraphrase), OTHER[dialect]())
        told = scene.ask(dialect, stream=True)
        assert told.is_whole()
        assert told.answer.text == lab.right(dialect, stream=True).text
        assert told.places == [0, 1, 2]
        assert told.attempts[1]["fault"]["code"] == "no_seam"

    def test_with_nobody_else_it_ends_in_an_error(self, lab, dialect):
        scene = lab.serve(OWN[dialect](cut(60)), compatible({"fault": "habit_paraphrase"}))
        told = scene.ask(dialect, stream=True)
        assert told.is_broken_off()
        assert lab.right(dialect, stream=True).text.startswith(told.answer.text)

    def test_a_model_that_has_nothing_to_add_does_not_make_half_an_answer_whole(self, lab, dialect):
        scene = lab.serve(OWN[dialect](cut(43)), compatible({"fault": "habit_none"}))
        told = scene.ask(dialect, stream=True)
        assert told.is_broken_off()


@dialects
class TestWhereNothingGoesOn:
    def test_continue_streams_false(self, lab, dialect):
        scene = lab.serve(OWN[dialect](cut(40)), OTHER[dialect](), continue_streams=False)
        told = scene.ask(dialect, stream=True)
        assert told.is_broken_off()
        assert told.error["understudy"]["code"] == "stream_broken"
        assert told.results == ["truncated"]
        assert scene.asked(1) == []

    def test_nobody_else_is_there(self, lab, dialect):
        scene = lab.serve(OWN[dialect](cut(40)), attempts=1)
        told = scene.ask(dialect, stream=True)
        assert told.is_broken_off()
        assert lab.right(dialect, stream=True).text.startswith(told.answer.text)
        assert told.journal["outcome"] == "failed"

    def test_a_refusal_in_the_middle_is_not_gone_on_with(self, lab, dialect):
        refused = {"fault": "content_filter", "where": "mid_text", "n": 40}
        scene = lab.serve(OWN[dialect](refused), OTHER[dialect]())
        told = scene.ask(dialect, stream=True)
        assert told.is_broken_off()
        assert told.results == ["refused"]
        assert scene.asked(1) == []

    def test_who_leaves_in_the_gap_is_felt_at_the_provider(self, lab, dialect):
        hang = {"fault": "hang", "where": "before_headers"}
        scene = lab.serve(OWN[dialect](cut(40)), OTHER[dialect](hang))
        body = {"model": scene.name, **body_of(dialect, stream=True)}
        with lab.client.stream("POST", PATHS[dialect], json=body) as got:
            pieces = got.iter_bytes()
            next(pieces)
            scene.until(1, lambda attempt: attempt.hung)
        scene.until(1, lambda attempt: attempt.client_closed)
        lab.relay.log.until(lambda line: got.headers["x-request-id"] in line)
        journal = scene.journal(got)
        assert journal["outcome"] == "cancelled"
        assert [attempt["result"] for attempt in journal["attempts"]] == ["fault", "cancelled"]


class TestTheOfficialSdks:
    """They take an answer of two targets for one."""

    @pytest.fixture
    def scene(self, lab):
        return lambda dialect: lab.serve(OWN[dialect](cut(40)), OTHER[dialect]())

    def test_anthropics(self, lab, scene):
        asked = {"model": scene("messages").name, **body_of("messages")}
        with (
            anthropic.Anthropic(base_url=lab.relay.url, api_key="any", max_retries=0) as sdk,
            sdk.messages.stream(**asked) as stream,
        ):
            texts = list(stream.text_stream)
            message = stream.get_final_message()
        right = lab.right("messages", stream=True)
        assert "".join(texts) == message.content[0].text == right.text
        assert [block.type for block in message.content] == ["text"]
        assert message.stop_reason == "end_turn"

    def test_openais_in_chat_completions(self, lab, scene):
        asked = {"model": scene("chat_completions").name, **body_of("chat_completions")}
        with (
            openai.OpenAI(base_url=f"{lab.relay.url}/v1", api_key="any", max_retries=0) as sdk,
            sdk.chat.completions.stream(**asked) as stream,
        ):
            for _ in stream:
                pass
            completion = stream.get_final_completion()
        right = lab.right("chat_completions", stream=True)
        assert completion.choices[0].message.content == right.text
        assert completion.choices[0].finish_reason == "stop"

    def test_openais_in_responses(self, lab, scene):
        asked = {"model": scene("responses").name, **body_of("responses")}
        with (
            openai.OpenAI(base_url=f"{lab.relay.url}/v1", api_key="any", max_retries=0) as sdk,
            sdk.responses.stream(**asked) as stream,
        ):
            for _ in stream:
                pass
            response = stream.get_final_response()
        assert response.output_text == lab.right("responses", stream=True).text
        assert response.status == "completed"


def test_several_answers_at_once_are_not_gone_on_with(lab):
    scene = lab.serve(gpt(cut(40)), claude())
    told = scene.ask("chat_completions", stream=True, n=2)
    assert not told.answer.is_success
    assert told.answer.error is not None
    assert told.places == [0]
