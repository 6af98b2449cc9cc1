"""OpenAI's official SDK and its Responses, by its base URL alone, whichever vendor answers."""

import base64
import json

import openai
import pytest
from pydantic import BaseModel

#: Features: served by OpenAI itself, by Anthropic in translation, by a server that speaks chat
#: completions, by Anthropic after a failure.
SERVED = ("by-gpt", "by-claude", "by-llama", "gpt-fails")
HELLO = "Why do ships keep a logbook? The logbook tells the captain what the crew saw at night."
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
PIXEL = base64.b64encode(
    base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )
).decode()

served = pytest.mark.parametrize("feature", SERVED)
modes = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def create(sdk, *, stream=False, **asked):
    """The response, whole or gathered from its stream."""
    if not stream:
        return sdk.responses.create(**asked)
    with sdk.responses.stream(**asked) as events:
        for _ in events:
            pass
        return events.get_final_response()


class TestAnswers:
    @served
    @modes
    def test_an_answer(self, openai_sdk, feature, stream, right_answer):
        response = create(openai_sdk, model=feature, input=HELLO, stream=stream)
        assert response.output_text == right_answer(HELLO)
        assert (response.object, response.status) == ("response", "completed")
        assert response.id.startswith("resp_")
        assert response.created_at > 1_700_000_000
        assert response.error is None
        assert response.usage.input_tokens > 10
        assert response.usage.output_tokens > 50
        assert response.usage.total_tokens == (
            response.usage.input_tokens + response.usage.output_tokens
        )

    @served
    def test_events_come_in_the_order_of_the_dialect(self, openai_sdk, feature, right_answer):
        with openai_sdk.responses.create(model=feature, input=HELLO, stream=True) as stream:
            events = list(stream)
        kinds = [event.type.removeprefix("response.") for event in events]
        assert kinds[:4] == ["created", "in_progress", "output_item.added", "content_part.added"]
        assert kinds[-4:] == [
            "output_text.done", "content_part.done", "output_item.done", "completed",
        ]  # fmt: skip
        assert set(kinds[4:-4]) == {"output_text.delta"}
        assert [event.sequence_number for event in events] == list(range(len(events)))
        assert "".join([e.delta for e in events[4:-4]]) == right_answer(HELLO)
        assert {events[0].response.id, events[-1].response.id} == {events[0].response.id}

    @served
    async def test_asynchronously(self, openai_sdk_async, feature, right_answer):
        whole = await openai_sdk_async.responses.create(model=feature, input=HELLO)
        stream = await openai_sdk_async.responses.create(model=feature, input=HELLO, stream=True)
        async with stream:
            deltas = [e.delta async for e in stream if e.type == "response.output_text.delta"]
        assert whole.output_text == "".join(deltas) == right_answer(HELLO)

    @served
    def test_the_model_in_the_body_is_the_one_that_answered(self, openai_sdk, feature):
        response = openai_sdk.responses.create(model=feature, input=HELLO)
        models = {"by-gpt": "gpt-4.1", "by-llama": "llama-3.3-70b"}
        assert response.model == models.get(feature, "claude-haiku-4-5")


class TestRequests:
    @served
    @pytest.mark.parametrize("role", ["instructions", "system", "developer"])
    def test_a_system_prompt_reaches_the_model(self, openai_sdk, house_stand_in, feature, role):
        said = f"You speak for the lighthouse of {feature}."
        if role == "instructions":
            openai_sdk.responses.create(model=feature, instructions=said, input=HELLO)
        else:
            turns = [{"role": role, "content": said}, {"role": "user", "content": HELLO}]
            openai_sdk.responses.create(model=feature, input=turns)
        assert said in house_stand_in.attempts()[-1].body.decode()

    @served
    def test_a_conversation_is_sent_back_as_it_came(self, openai_sdk, feature, right_answer):
        first = openai_sdk.responses.create(model=feature, input=HELLO)
        turns = [{"role": "user", "content": HELLO}]
        turns += [item.model_dump(exclude_none=True) for item in first.output]
        turns.append({"role": "user", "content": "Why?"})
        second = openai_sdk.responses.create(model=feature, input=turns, store=False)
        assert second.output_text
        assert second.output_text != right_answer(HELLO)

    @served
    @modes
    def test_a_token_limit_cuts_the_answer_and_says_so(self, openai_sdk, feature, stream):
        asked = {"model": feature, "input": HELLO, "max_output_tokens": 17}
        if stream:  # The SDK's helper waits for `response.completed` alone.
            with openai_sdk.responses.create(stream=True, **asked) as events:
                *_, last = events
            assert last.type == "response.incomplete"
            response = last.response
        else:
            response = openai_sdk.responses.create(**asked)
        assert response.status == "incomplete"
        assert response.incomplete_details.reason == "max_output_tokens"
        assert response.usage.output_tokens == 17
        assert response.output_text

    @served
    @pytest.mark.parametrize(
        "url",
        [f"data:image/png;base64,{PIXEL}", "https://example.com/cat.png"],
        ids=["base64", "url"],
    )
    def test_an_image_reaches_the_model(self, openai_sdk, house_stand_in, feature, url):
        content = [
            {"type": "input_image", "image_url": url, "detail": "auto"},
            {"type": "input_text", "text": "What is it?"},
        ]
        response = openai_sdk.responses.create(
            model=feature, input=[{"role": "user", "content": content}]
        )
        assert response.output_text
        assert url.rpartition(",")[2].encode() in house_stand_in.attempts()[-1].body

    @served
    @modes
    def test_structured_output_fits_its_schema(self, openai_sdk, feature, stream):
        class Ship(BaseModel):
            name: str
            masts: int

        asked = {"model": feature, "input": "Name a ship.", "text_format": Ship}
        if stream:
            with openai_sdk.responses.stream(**asked) as events:
                response = events.get_final_response()
        else:
            response = openai_sdk.responses.parse(**asked)
        assert isinstance(response.output_parsed, Ship)


class TestTools:
    @served
    @modes
    def test_a_call_its_result_and_the_answer(self, openai_sdk, feature, stream):
        asked = {"model": feature, "tools": [WEATHER], "stream": stream}
        turns = [{"role": "user", "content": "What is the weather in Oslo?"}]
        called = create(openai_sdk, input=turns, **asked)
        assert called.status == "completed"
        (call,) = [item for item in called.output if item.type == "function_call"]
        assert call.name == "get_weather"
        assert set(json.loads(call.arguments)) == {"city"}

        for item in called.output:
            said = item.model_dump(exclude_none=True)
            said.pop("parsed_arguments", None)
            turns.append(said)
        output = "Rain, 4 degrees."
        turns.append({"type": "function_call_output", "call_id": call.call_id, "output": output})
        answered = create(openai_sdk, input=turns, **asked)
        assert "Rain" in answered.output_text

    @served
    def test_a_forced_tool_is_called(self, openai_sdk, feature):
        response = openai_sdk.responses.create(
            model=feature, input=HELLO, tools=[WEATHER],
            tool_choice={"type": "function", "name": "get_weather"},
        )  # fmt: skip
        assert [item.name for item in response.output if item.type == "function_call"] == [
            "get_weather"
        ]


class TestErrors:
    @served
    def test_background_is_refused_by_name(self, openai_sdk, feature):
        with pytest.raises(openai.BadRequestError, match="background") as caught:
            openai_sdk.responses.create(model=feature, input=HELLO, background=True)
        assert caught.value.param == "background"

    def test_what_one_vendor_keeps_is_refused_by_name_elsewhere(self, openai_sdk):
        with pytest.raises(openai.BadRequestError, match="previous_response_id"):
            openai_sdk.responses.create(
                model="by-claude", input=HELLO, previous_response_id="resp_1"
            )

    @pytest.mark.parametrize("feature", ["by-gpt", "by-claude"])
    def test_a_wrong_field_deep_in_the_body_is_named(self, openai_sdk, feature):
        with pytest.raises(openai.BadRequestError) as caught:
            openai_sdk.responses.create(model=feature, input=[{"role": "user", "content": 7}])
        assert caught.value.param.startswith("input[0]")

    def test_an_unknown_model_is_told_the_names_there_are(self, openai_sdk):
        with pytest.raises(openai.NotFoundError, match="by-claude, by-gpt") as caught:
            openai_sdk.responses.create(model="nobody-7b", input=HELLO)
        assert (caught.value.code, caught.value.param) == ("model_not_found", "model")

    @modes
    def test_nobody_can_serve(self, openai_sdk, stream):
        with pytest.raises(openai.InternalServerError) as caught:
            openai_sdk.responses.create(model="nobody", input=HELLO, stream=stream)
        response = caught.value.response
        assert response.status_code == 503
        assert int(response.headers["retry-after"]) >= 1
        assert response.headers["x-should-retry"] == "false"
        told = caught.value.body["understudy"]
        assert (told["code"], told["feature"]) == ("no_target_available", "nobody")


class TestWhatIsTold:
    @served
    @modes
    def test_headers_tell_who_answered(self, openai_sdk, journal, feature, stream):
        raw = openai_sdk.responses.with_raw_response.create(
            model=feature, input=HELLO, stream=stream
        )
        if stream:
            for _ in raw.parse():
                pass
        headers = raw.headers
        assert headers["x-request-id"] == headers["request-id"] == raw.request_id
        assert headers["x-understudy-feature"] == feature
        assert headers["x-understudy-tier"] == ("substitute" if feature == "gpt-fails" else "same")
        told = journal(raw.request_id)
        assert headers["x-understudy-target"] == told["attempts"][-1]["target"]
        assert headers["x-understudy-attempts"] == str(len(told["attempts"]))
        assert told["outcome"] == "succeeded"
