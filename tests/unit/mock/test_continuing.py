"""A request for the rest of an answer gets the rest of the same answer, wherever that was cut."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.mock import CATALOGUE, tokens
from understudy.mock.answers import compose, continues
from understudy.mock.ask import Ask, Tool, Turn
from understudy.mock.faults.habits import PREAMBLES
from unit.mock.mock_wire import (
    CONTINUING_MODEL,
    PATHS,
    PROMPT,
    SCHEMA,
    ask,
    ask_until_hung,
    continuing,
    rule,
    stand_in,
)

WEATHER = Tool("get_weather", "The weather", SCHEMA)


def asked(prompt=PROMPT, **more):
    return Ask(model="claude-sonnet-5", turns=(Turn(role="user", text=prompt),), **more)


CONTINUABLE = {
    "prose": asked(),
    "list": asked("List ideas for a birthday in detail"),
    "numbered": asked("Give me an outline for a talk on bridges"),
    "code": asked("Write a Python function that counts lighthouses"),
    "scripts": asked("Was heißt „Straße“? 東京は日本の首都です。 Ça va, l'été à Orléans?"),
    "json": asked(schema=SCHEMA),
}


def extended(request, *turns):
    made = tuple(Turn(role=role, text=text) for role, text in turns)
    return msgspec.structs.replace(request, turns=(*request.turns, *made))


def prefilled(request, part):
    return extended(request, ("assistant", part))


def noted_after_part(request, part):
    note = (
        "Your previous response was interrupted. Continue exactly where it stopped, with the very "
        f"next character after: {part[-60:]!r}. Do not repeat anything."
    )
    return extended(request, ("assistant", part), ("user", note))


def noted_plainly(request, part):
    note = "You were cut off. Please continue exactly where you left off."
    return extended(request, ("assistant", part), ("user", note))


def noted(request, part):
    note = (
        f"Your previous response was interrupted and ended with [{part[-200:]}]. Continue from "
        "where you left off."
    )
    return extended(request, ("user", note))


def noted_in_one_turn(request, part):
    last = noted(request, part).turns[-1].text
    turn = Turn(role="user", text=f"{request.turns[0].text}\n\n{last}")
    return msgspec.structs.replace(request, turns=(turn,))


WAYS = [prefilled, noted_after_part, noted_plainly, noted, noted_in_one_turn]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CONTINUABLE)
def test_the_same_answer_goes_on_wherever_it_was_cut(name, way):
    request = CONTINUABLE[name]
    whole = compose(request).text
    for cut in range(1, len(whole) + 1):
        part = whole[:cut].rstrip()
        made = compose(way(request, part))
        assert part + made.text == whole
        assert made.before == part


@pytest.mark.parametrize("way", [prefilled, noted_after_part, noted_plainly])
@pytest.mark.parametrize("name", CONTINUABLE)
def test_a_part_with_white_space_at_its_end_is_continued_to_the_letter(name, way):
    request = CONTINUABLE[name]
    whole = compose(request).text
    for cut in range(1, len(whole) + 1):
        assert whole[:cut] + compose(way(request, whole[:cut])).text == whole


@settings(deadline=None)
@given(st.lists(st.integers(min_value=1, max_value=700), min_size=2, max_size=4), st.booleans())
def test_an_answer_that_breaks_off_several_times_goes_on_each_time(cuts, noted_each_time):
    """The part grows; or each part stands as a turn of its own, with a note after it."""
    request = CONTINUABLE["code"]
    whole = compose(request).text
    asking, told = request, ""
    for cut in sorted(set(cuts)):
        part = whole[len(told) : cut]
        told += part
        asking = noted_plainly(asking, part) if noted_each_time else prefilled(request, told)
        assert told + compose(asking).text == whole
    assert continues(asking)


def test_white_space_that_was_changed_on_the_way_does_no_harm():
    request = CONTINUABLE["code"]
    whole = compose(request).text
    cut = whole.index("ython(items")
    part = whole[:cut]
    for changed in (part.replace("\n\n", "\n"), " ".join(part.split()), f"\n{part}"):
        assert compose(prefilled(request, changed)).text == whole[cut:]


def test_a_part_that_is_not_of_this_answer_gets_the_answer_from_its_beginning():
    made = compose(noted_plainly(asked(), "Something that nobody here has ever written."))
    assert made.text == compose(asked()).text
    assert made.before == ""


def test_a_talk_about_interruptions_is_no_continuation():
    request = asked("My holiday was interrupted by rain. Shall I continue it?")
    assert not continues(request)
    assert len(compose(request).text.split()) >= 60


def test_the_words_before_a_tool_call_go_on_with_the_call():
    request = asked("How is the weather in Paris?", tools=(WEATHER,))
    whole = compose(request)
    made = compose(prefilled(request, whole.text[:13]))
    assert whole.text[:13] + made.text == whole.text
    assert made.calls == whole.calls


def test_a_model_thinks_again_before_it_goes_on_unless_its_own_turn_is_open():
    request = asked(thinking=True)
    part = compose(request).text[:40]
    assert compose(noted_plainly(request, part)).thinking
    assert not compose(prefilled(request, part)).thinking


def test_the_limit_is_for_what_is_still_to_be_said():
    request = asked(max_tokens=5)
    part = compose(asked()).text[:80]
    made = compose(prefilled(request, part))
    assert (made.output_tokens, made.ending) == (5, "length")


# -- over the wire


NOTE = "Your previous response was interrupted. Please continue from: {}"


@pytest.mark.parametrize("note", [None, NOTE])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("dialect", PATHS)
async def test_every_dialect_goes_on_and_the_log_says_that_it_was_asked_to(dialect, stream, note):
    async with stand_in() as server:
        whole = (await ask(server, dialect)).text
        part = whole[:101].rstrip()
        more = continuing(dialect, part, note=note and note.format(part[-40:]))
        seen = await ask(server, dialect, stream=stream, **more)
        assert part + seen.text == whole
        first, second = server.board.attempts
        assert (first.continues, second.continues) == (False, True)


@pytest.mark.parametrize("dialect", PATHS)
async def test_an_answer_goes_on_in_another_dialect_than_it_began_in(dialect):
    async with stand_in() as server:
        server.board.put_faults([rule("reset", n=60, times=1)])
        others = [other for other in PATHS if other != dialect]
        part = (await ask(server, dialect, stream=True)).text
        for other in others:
            seen = await ask(server, other, **continuing(other, part.rstrip()))
            assert part.rstrip() + seen.text == (await ask(server, other)).text


async def test_claude_from_4_6_on_takes_no_prefill_and_goes_on_after_a_user_s_turn():
    async with stand_in() as server:
        for model, status in [("claude-sonnet-4-5", 200), ("claude-opus-4-6", 400)]:
            more = continuing("messages", "The", model=model)
            assert (await ask(server, "messages", **more)).status == status
        more = continuing("messages", "The", note=NOTE.format("The"), model="claude-opus-5")
        assert (await ask(server, "messages", **more)).status == 200


@pytest.mark.parametrize("dialect", PATHS)
async def test_any_model_can_be_made_to_refuse_a_prefill_and_nothing_else(dialect):
    async with stand_in() as server:
        server.board.put_faults([rule("no_prefill", times=1)])
        note = NOTE.format("The")
        assert (await ask(server, dialect)).status == 200
        noted = continuing(dialect, "The", note=note)
        assert (await ask(server, dialect, **noted)).status == 200
        assert (await ask(server, dialect, **continuing(dialect, "The"))).status == 400
        assert (await ask(server, dialect, **continuing(dialect, "The"))).status == 200


# -- habits


async def test_a_habit_strikes_only_what_continues_and_is_counted_by_that():
    async with stand_in() as server:
        server.board.put_faults([rule("habit_restart", times=1)])
        whole = (await ask(server, "messages")).text
        more = continuing("messages", whole[:70].rstrip())
        assert (await ask(server, "messages", **more)).text == whole
        assert (await ask(server, "messages", **more)).text == whole[len(whole[:70].rstrip()) :]
        assert [a.fault for a in server.board.attempts] == [None, "habit_restart", None]


@pytest.mark.parametrize("name", ["mock-fault-habit-overlap", "mock-fault-habit_overlap:30"])
async def test_a_model_can_have_a_habit_by_name(name):
    async with stand_in() as server:
        whole = (await ask(server, "chat_completions", model=name)).text
        more = continuing("chat_completions", whole[:90], model=name)
        assert (await ask(server, "chat_completions", **more)).text == whole[60:]


async def test_the_settings_of_habits():
    async with stand_in() as server:
        whole = (await ask(server, "responses")).text
        more = continuing("responses", whole[:90])
        for n in (1, 45, 1000):
            server.board.put_faults([rule("habit_overlap", n=n)])
            assert (await ask(server, "responses", **more)).text == whole[max(90 - n, 0) :]
        for n, words in enumerate(PREAMBLES):
            server.board.put_faults([rule("habit_preamble", n=n)])
            assert (await ask(server, "responses", **more)).text == words + whole[90:]


async def test_a_fence_is_opened_again_only_where_one_is_open():
    async with stand_in() as server:
        server.board.put_faults([rule("habit_fence")])
        prompt = CONTINUABLE["code"].turns[0].text
        whole = (await ask(server, "responses", prompt=prompt)).text
        for cut in (20, whole.index("What to know")):
            seen = await ask(
                server, "responses", **continuing("responses", whole[:cut], prompt=prompt)
            )
            assert seen.text == whole[cut:]


def test_every_habit_is_only_for_the_rest_of_an_answer():
    habits = {name for name in CATALOGUE if name.startswith("habit_")}
    assert habits == {name for name, entry in CATALOGUE.items() if entry.only == "continuing"}


# -- what was produced


@pytest.mark.parametrize("dialect", PATHS)
async def test_the_log_tells_what_an_answer_cost_as_the_answer_does(dialect):
    async with stand_in() as server:
        for stream in (True, False):
            seen = await ask(server, dialect, stream=stream, thinking=True)
            attempt = server.board.attempts[-1]
            usage = _usage(seen)
            assert attempt.output_tokens == usage["output"]
            assert attempt.input_tokens == usage["input"]


def _usage(seen):
    """The last that was told."""
    told = {}
    for data in seen.objects or [seen.json]:
        for place in (data, data.get("message"), data.get("response")):
            told |= (place or {}).get("usage") or {}
    names = {"input": ("input_tokens", "prompt_tokens")}
    names["output"] = ("output_tokens", "completion_tokens")
    return {key: next(told[n] for n in given if n in told) for key, given in names.items()}


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize("fault", ["reset", "close", "no_terminal", "overloaded", "hang"])
async def test_of_a_broken_stream_the_log_tells_what_was_produced_of_it(fault, dialect):
    async with stand_in() as server:
        server.board.put_faults([rule(fault, where="mid_text", n=40)])
        asking = ask_until_hung if fault == "hang" else ask
        seen = await asking(server, dialect, stream=True)
        attempt = server.board.attempts[-1]
        assert attempt.output_tokens == tokens.count(seen.text) == 40
        assert attempt.input_tokens > 0


@pytest.mark.parametrize("dialect", PATHS)
async def test_of_a_refused_request_nothing_was_produced(dialect):
    async with stand_in() as server:
        server.board.put_faults([rule("overloaded")])
        await ask(server, dialect, stream=True)
        attempt = server.board.attempts[-1]
        assert (attempt.input_tokens, attempt.output_tokens) == (0, 0)


async def test_reasoning_that_is_not_shown_was_produced_before_the_first_word():
    async with stand_in() as server:
        server.board.put_faults([rule("reset", where="mid_text", n=8)])
        seen = await ask(server, "responses", stream=True, model="o4-mini")
        assert tokens.count(seen.text) == 8
        assert server.board.attempts[-1].output_tokens == 128 + 8


async def test_a_whole_answer_that_is_cut_was_produced_whole():
    async with stand_in() as server:
        whole = await ask(server, "responses")
        server.board.put_faults([rule("reset", where="mid_text")])
        await ask(server, "responses")
        used = whole.json["usage"]["output_tokens"]
        assert [attempt.output_tokens for attempt in server.board.attempts] == [used, used]


def test_the_models_that_go_on_are_named_for_every_dialect():
    assert CONTINUING_MODEL.keys() == PATHS.keys()
