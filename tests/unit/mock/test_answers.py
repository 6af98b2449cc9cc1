"""Answers suit the request, are the same every time, and keep to their limits."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.mock import tokens
from understudy.mock.answers import compose
from understudy.mock.ask import Ask, Image, Result, Tool, Turn
from unit.mock.mock_wire import PROMPT, SCHEMA

ARTICLE = (
    "Lighthouses mark dangerous coasts. A keeper used to live in each lighthouse. The keeper lit "
    "the lamp at dusk and wound the clockwork that turned the lens. Electric lamps made keepers "
    "unnecessary, and automation did the rest. Many lighthouses are museums today. Ships rely on "
    "satellites now, yet pilots still like to see a light."
)
WEATHER = Tool("get_weather", "The weather", SCHEMA)
NOTES = Tool("search_notes", "Finds notes", {"properties": {"query": {"type": "string"}}})


def asked(prompt=PROMPT, *, turns=None, **more):
    turns = turns or (Turn(role="user", text=prompt),)
    return Ask(model="claude-sonnet-5", turns=turns, **more)


def text_of(prompt, **more):
    return compose(asked(prompt, **more)).text


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (f"Summarise this:\n\n{ARTICLE}", "The keeper lit the lamp at dusk"),
        (f"tl;dr\n\n{ARTICLE}", "lighthouse"),
        ("Give me an outline for a talk on bridges", "1. Where it stands: talk and bridges."),
        (f"Rewrite this:\n\n{ARTICLE.lower()}", "Lighthouses mark dangerous coasts. A keeper"),
        (f"List the main facts:\n\n{ARTICLE}", "- "),
        (f"Translate into French:\n\n{ARTICLE}", "« Lighthouses mark dangerous coasts."),
        ("Why are lighthouses still lit?", "“Why are lighthouses still lit”"),
        (f"Suggest a title for this:\n\n{ARTICLE}", "and"),
        ("Good morning", "Good morning"),
    ],
)
def test_the_answer_suits_the_request(prompt, expected):
    assert expected in text_of(prompt)


def test_a_summary_is_made_of_the_text_s_own_sentences():
    summary = text_of(f"Summarise this:\n\n{ARTICLE}")
    sentences = [s.strip() for s in ARTICLE.split(". ")]
    kept = [s for s in sentences if s.rstrip(".") in summary]
    assert 2 <= len(kept) <= 4 < len(sentences)


def test_the_system_prompt_says_what_to_do_when_the_user_s_turn_does_not():
    made = compose(asked(ARTICLE, system="You summarise what the user sends."))
    assert made.text == compose(asked(ARTICLE, system="Summarise.")).text
    assert made.text != compose(asked(ARTICLE)).text


@given(st.text(max_size=400))
def test_any_prompt_gets_the_same_answer_twice_and_an_answer_at_all(prompt):
    made = compose(asked(prompt))
    assert made == compose(asked(prompt))
    assert made.text.strip() or not prompt.strip()
    assert made.output_tokens == tokens.count(made.text)


@pytest.mark.parametrize("prompt", [PROMPT, ARTICLE, "Hello", "Why?", "Plan a party", "list it"])
def test_an_answer_has_sixty_to_two_hundred_words(prompt):
    assert 60 <= len(text_of(prompt).split()) <= 200


def test_prompts_get_answers_of_their_own():
    assert text_of("Why is the sea salt?") != text_of("Why is the sky blue?")


@pytest.mark.parametrize(
    ("prompt", "held"),
    [
        ("Write a Python function that counts lighthouses", "```python\nfrom dataclasses"),
        (f"List the facts in detail:\n\n{ARTICLE}", "- Lighthouses mark"),
        ("Give me a detailed outline for a talk on bridges", "\n3. How it is done"),
        ("Explain at length why the sea is salt", "salt"),
    ],
)
def test_some_answers_are_long(prompt, held):
    text = text_of(prompt)
    assert len(text) >= 600
    assert held in text
    assert text.count("```") in {0, 2}


def test_several_choices_differ():
    request = asked("Write something kind")
    assert len({compose(request, choice=number).text for number in range(4)}) > 1


# -- limits


@given(st.integers(min_value=0, max_value=120))
def test_max_tokens_cuts_the_answer_and_says_so(limit):
    whole, made = compose(asked()), compose(asked(max_tokens=limit))
    assert whole.text.startswith(made.text)
    if limit < whole.output_tokens:
        assert (made.output_tokens, made.ending) == (limit, "length")
    else:
        assert (made.text, made.ending) == (whole.text, "end")


def test_a_limit_may_be_spent_on_thought_alone():
    made = compose(asked(thinking=True, max_tokens=10))
    assert made.thinking
    assert (made.text, made.ending, made.output_tokens) == ("", "length", 10)


def test_reasoning_that_is_not_shown_counts_against_the_limit():
    made = compose(asked(reasoning_tokens=128, max_tokens=50))
    assert (made.text, made.ending, made.output_tokens) == ("", "length", 50)
    whole = compose(asked(reasoning_tokens=128))
    assert whole.output_tokens == 128 + tokens.count(whole.text)


def test_a_limit_can_strike_within_a_tool_call():
    request = asked("What is the weather in Paris?", tools=(WEATHER,), max_tokens=12)
    made = compose(request)
    assert made.ending == "length"
    with pytest.raises(json.JSONDecodeError):
        json.loads(made.calls[0].arguments)


def test_the_first_stop_sequence_ends_the_text():
    whole = compose(asked()).text
    early, late = whole[30:45], whole[60:75]
    made = compose(asked(stop=(late, early, "nowhere in it")))
    assert (made.ending, made.stop_sequence) == ("stop_sequence", early)
    assert made.text == whole[:30]


# -- tools


def call_of(request):
    made = compose(request)
    assert made.ending == "tool_use"
    return [(call.name, json.loads(call.arguments)) for call in made.calls]


def test_a_tool_that_the_prompt_speaks_of_is_called_with_fitting_arguments():
    calls = call_of(asked("How is the weather in Paris?", tools=(NOTES, WEATHER)))
    assert [name for name, _ in calls] == ["get_weather"]
    assert calls[0][1]["city"] == "Paris"
    assert calls[0][1]["days"] >= 1


def test_no_tool_is_called_that_the_prompt_does_not_speak_of():
    made = compose(asked("Say hello", tools=(NOTES, WEATHER)))
    assert (made.calls, made.ending) == ((), "end")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"tool_choice": "any"}, ["search_notes"]),
        ({"tool_choice": "tool", "tool_name": "get_weather"}, ["get_weather"]),
    ],
)
def test_a_tool_can_be_forced(choice, expected):
    calls = call_of(asked("Say hello", tools=(NOTES, WEATHER), **choice))
    assert [name for name, _ in calls] == expected


def test_a_tool_can_be_forbidden():
    request = asked("How is the weather?", tools=(WEATHER,), tool_choice="none")
    assert compose(request).calls == ()


@pytest.mark.parametrize(("parallel", "count"), [(True, 2), (False, 1)])
def test_several_tools_are_called_at_once_where_that_is_allowed(parallel, count):
    prompt = "Find my notes on the weather"
    assert len(call_of(asked(prompt, tools=(NOTES, WEATHER), parallel=parallel))) == count


def test_a_tool_s_result_is_used_in_the_answer():
    turns = (
        Turn(role="user", text="How is the weather in Paris?"),
        Turn(role="assistant", called=("get_weather",)),
        Turn(role="user", results=(Result("1", "19 degrees and fog"), Result("2", "no", True))),
    )
    made = compose(asked(turns=turns, tools=(WEATHER,)))
    assert made.calls == ()
    assert "The tool says: 19 degrees and fog." in made.text
    assert "It failed: no." in made.text


# -- images, thought, JSON


def test_an_image_is_told_of_by_type_and_size():
    turn = Turn(role="user", text="What is it?", images=(Image("image/png", 1234),))
    assert "image/png, 1,234 bytes" in compose(asked(turns=(turn,))).text


def test_thought_comes_only_where_it_was_asked_for():
    assert compose(asked()).thinking == ""
    made = compose(asked(thinking=True))
    assert made.thinking_tokens == tokens.count(made.thinking) > 0
    assert made.text == compose(asked()).text


def test_structured_output_satisfies_its_schema():
    made = json.loads(compose(asked(schema=SCHEMA)).text)
    assert made.keys() == {"city", "days"}
    assert isinstance(made["city"], str)
    assert made["days"] >= 1
    assert isinstance(json.loads(compose(asked(schema={})).text), dict)


# -- tokens


@given(st.text())
def test_tokens_join_up_to_their_text(text):
    assert "".join(tokens.split(text)) == text
    assert "".join(piece for piece, _ in tokens.group(text, 3)) == text
    assert sum(count for _, count in tokens.group(text, 3)) == tokens.count(text)


@given(st.text(), st.integers(min_value=0, max_value=50))
def test_a_cut_is_a_prefix_of_so_many_tokens(text, limit):
    kept, count = tokens.cut(text, limit)
    assert text.startswith(kept)
    assert count == min(limit, tokens.count(text))
