"""OpenAI's official SDK works by its base URL alone, whichever vendor answers."""

import base64
import json

import openai
import pytest
from pydantic import BaseModel

#: Features: served by OpenAI itself, by Anthropic in translation, by Anthropic after a failure.
SERVED = ("by-gpt", "by-claude", "gpt-fails")
HELLO = "Why do ships keep a logbook? The logbook tells the captain what the crew saw at night."
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
PIXEL = base64.b64encode(
    base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )
).decode()

served = pytest.mark.parametrize("feature", SERVED)


def user(text):
    return [{"role": "user", "content": text}]


def text_of(completion):
    return completion.choices[0].message.content


class TestAnswers:
    @served
    def test_a_whole_answer(self, openai_sdk, feature, right_answer):
        completion = openai_sdk.chat.completions.create(model=feature, messages=user(HELLO))
        assert text_of(completion) == right_answer(HELLO)
        assert completion.choices[0].finish_reason == "stop"
        assert completion.object == "chat.completion"
        assert completion.created > 1_700_000_000
        assert completion.usage.prompt_tokens > 10
        assert completion.usage.completion_tokens > 50
        assert completion.usage.total_tokens == (
            completion.usage.prompt_tokens + completion.usage.completion_tokens
        )

    @served
    def test_a_stream(self, openai_sdk, feature, right_answer):
        with openai_sdk.chat.completions.create(
            model=feature, messages=user(HELLO), stream=True
        ) as stream:
            chunks = list(stream)
        texts = [chunk.choices[0].delta.content or "" for chunk in chunks]
        assert len(texts) > 5
        assert "".join(texts) == right_answer(HELLO)
        assert [c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason] == [
            "stop"
        ]
        assert chunks[0].choices[0].delta.role == "assistant"
        assert len({chunk.id for chunk in chunks}) == 1
        assert all(chunk.created > 1_700_000_000 for chunk in chunks)
        assert all(chunk.usage is None for chunk in chunks)

    @served
    def test_usage_in_a_stream_comes_last_where_it_is_asked_for(self, openai_sdk, feature):
        with openai_sdk.chat.completions.create(
            model=feature, messages=user(HELLO), stream=True, stream_options={"include_usage": True}
        ) as stream:
            *others, last = stream
        assert last.choices == []
        assert last.usage.completion_tokens > 50
        assert all(chunk.usage is None for chunk in others)

    @served
    async def test_asynchronously(self, openai_sdk_async, feature, right_answer):
        asked = {"model": feature, "messages": user(HELLO)}
        whole = await openai_sdk_async.chat.completions.create(**asked)
        stream = await openai_sdk_async.chat.completions.create(**asked, stream=True)
        async with stream:
            streamed = "".join([c.choices[0].delta.content or "" async for c in stream])
        assert text_of(whole) == streamed == right_answer(HELLO)

    @served
    def test_the_stream_helper_gathers_the_answer(self, openai_sdk, feature, right_answer):
        with openai_sdk.chat.completions.stream(model=feature, messages=user(HELLO)) as stream:
            for _ in stream:
                pass
            completion = stream.get_final_completion()
        assert text_of(completion) == right_answer(HELLO)

    @served
    def test_the_model_in_the_body_is_the_one_that_answered(self, openai_sdk, feature):
        completion = openai_sdk.chat.completions.create(model=feature, messages=user(HELLO))
        assert completion.model == ("gpt-4.1" if feature == "by-gpt" else "claude-haiku-4-5")


class TestRequests:
    @served
    @pytest.mark.parametrize("role", ["system", "developer"])
    def test_a_system_prompt_reaches_the_model(self, openai_sdk, house_stand_in, feature, role):
        said = f"You speak for the lighthouse of {feature}."
        openai_sdk.chat.completions.create(
            model=feature, messages=[{"role": role, "content": said}, *user(HELLO)]
        )
        assert said in house_stand_in.attempts()[-1].body.decode()

    @served
    def test_a_conversation_of_several_turns(self, openai_sdk, feature):
        turns = [*user(HELLO), {"role": "assistant", "content": "For the record."}, *user("Why?")]
        whole = openai_sdk.chat.completions.create(model=feature, messages=turns)
        direct = openai_sdk.chat.completions.create(model="by-gpt", messages=turns)
        alone = openai_sdk.chat.completions.create(model=feature, messages=user(HELLO))
        assert text_of(whole) == text_of(direct) != text_of(alone)

    @served
    @pytest.mark.parametrize("as_list", [False, True], ids=["text", "list"])
    def test_a_stop_sequence_ends_the_answer(self, openai_sdk, feature, right_answer, as_list):
        word = right_answer(HELLO).split()[6]
        completion = openai_sdk.chat.completions.create(
            model=feature, messages=user(HELLO), stop=[word] if as_list else word
        )
        assert text_of(completion) == right_answer(HELLO).partition(word)[0]
        assert completion.choices[0].finish_reason == "stop"

    @served
    @pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_a_token_limit_cuts_the_answer_and_says_so(self, openai_sdk, feature, limit, stream):
        asked = {"model": feature, "messages": user(HELLO), limit: 7}
        if stream:
            with openai_sdk.chat.completions.create(**asked, stream=True) as events:
                reasons = [c.choices[0].finish_reason for c in events]
            assert reasons[-1] == "length"
        else:
            completion = openai_sdk.chat.completions.create(**asked)
            assert completion.choices[0].finish_reason == "length"
            assert completion.usage.completion_tokens == 7

    @served
    @pytest.mark.parametrize(
        "url",
        [f"data:image/png;base64,{PIXEL}", "https://example.com/cat.png"],
        ids=["base64", "url"],
    )
    def test_an_image_reaches_the_model(self, openai_sdk, house_stand_in, feature, url):
        content = [
            {"type": "image_url", "image_url": {"url": url}},
            {"type": "text", "text": "What is it?"},
        ]
        completion = openai_sdk.chat.completions.create(
            model=feature, messages=[{"role": "user", "content": content}]
        )
        assert text_of(completion)
        assert url.rpartition(",")[2].encode() in house_stand_in.attempts()[-1].body

    @served
    def test_structured_output_fits_its_schema(self, openai_sdk, feature):
        class Ship(BaseModel):
            name: str
            masts: int

        completion = openai_sdk.chat.completions.parse(
            model=feature, messages=user("Name a ship."), response_format=Ship
        )
        assert isinstance(completion.choices[0].message.parsed, Ship)


class TestTools:
    @served
    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_a_call_its_result_and_the_answer(self, openai_sdk, feature, stream):
        turns = user("What is the weather in Oslo?")
        called = self._ask(openai_sdk, feature, turns, stream)
        assert called.choices[0].finish_reason == "tool_calls"
        (call,) = called.choices[0].message.tool_calls
        assert call.function.name == "get_weather"
        assert set(json.loads(call.function.arguments)) == {"city"}

        said = called.choices[0].message.model_dump(
            include={"role", "content", "tool_calls"}, exclude_none=True
        )
        for one in said["tool_calls"]:
            one.pop("index", None)
            one["function"].pop("parsed_arguments", None)
        turns += [said, {"role": "tool", "tool_call_id": call.id, "content": "Rain, 4 degrees."}]
        answered = self._ask(openai_sdk, feature, turns, stream)
        assert answered.choices[0].finish_reason == "stop"
        assert "Rain" in text_of(answered)

    def _ask(self, sdk, feature, turns, stream):
        asked = {"model": feature, "messages": turns, "tools": [WEATHER]}
        if not stream:
            return sdk.chat.completions.create(**asked)
        with sdk.chat.completions.stream(**asked) as events:
            for _ in events:
                pass
            return events.get_final_completion()

    @served
    def test_a_forced_tool_is_called(self, openai_sdk, feature):
        completion = openai_sdk.chat.completions.create(
            model=feature, messages=user(HELLO), tools=[WEATHER],
            tool_choice={"type": "function", "function": {"name": "get_weather"}},
        )  # fmt: skip
        (call,) = completion.choices[0].message.tool_calls
        assert call.function.name == "get_weather"


class TestWhatIsTold:
    @served
    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_headers_tell_who_answered(self, openai_sdk, journal, feature, stream):
        raw = openai_sdk.chat.completions.with_raw_response.create(
            model=feature, messages=user(HELLO), stream=stream
        )
        if stream:
            for _ in raw.parse():
                pass
        headers = raw.headers
        own = feature == "by-gpt"
        assert headers["x-request-id"] == headers["request-id"] == raw.request_id
        assert headers["x-understudy-feature"] == feature
        assert headers["x-understudy-target"] == (
            "gpt/gpt-4.1" if own else "claude/claude-haiku-4-5"
        )
        assert headers["x-understudy-tier"] == ("substitute" if feature == "gpt-fails" else "same")
        assert headers["x-understudy-provider-request-id"].startswith("req_")
        told = journal(raw.request_id)
        assert headers["x-understudy-attempts"] == str(len(told["attempts"]))
        assert told["outcome"] == "succeeded"

    def test_models_are_features_and_their_names(self, openai_sdk):
        models = [model.id for model in openai_sdk.models.list()]
        assert {"by-gpt", "by-claude", "gpt-4.1"} <= set(models)
        assert len(models) == len(set(models))
        assert not any("*" in name for name in models)

    def test_one_model(self, openai_sdk):
        assert openai_sdk.models.retrieve("gpt-4.1").object == "model"
        assert openai_sdk.models.retrieve("gpt-4o-mini").id == "gpt-4o-mini"
        with pytest.raises(openai.NotFoundError):
            openai_sdk.models.retrieve("nothing-of-ours")


class TestErrors:
    def test_a_body_without_messages_is_a_bad_request_that_names_it(self, openai_sdk):
        with pytest.raises(openai.BadRequestError, match="messages") as caught:
            openai_sdk.chat.completions.create(model="by-gpt", messages=[])
        assert caught.value.type == "invalid_request_error"
        assert caught.value.param == "messages"

    @pytest.mark.parametrize("feature", ["by-gpt", "by-claude"])
    def test_a_wrong_field_deep_in_the_body_is_named(self, openai_sdk, feature):
        with pytest.raises(openai.BadRequestError) as caught:
            openai_sdk.chat.completions.create(
                model=feature, messages=[{"role": "user", "content": 7}]
            )
        assert caught.value.param.startswith("messages[0].content")

    def test_a_wrong_key(self, openai_sdk):
        with pytest.raises(openai.AuthenticationError) as caught:
            openai_sdk.with_options(api_key="not-a-key-of-this-house").chat.completions.create(
                model="by-gpt", messages=user(HELLO)
            )
        assert caught.value.code == "invalid_api_key"

    def test_an_unknown_model_is_told_the_names_there_are(self, openai_sdk):
        with pytest.raises(openai.NotFoundError, match="by-claude, by-gpt") as caught:
            openai_sdk.chat.completions.create(model="nobody-7b", messages=user(HELLO))
        assert (caught.value.code, caught.value.param) == ("model_not_found", "model")

    def test_a_provider_that_the_tenant_may_not_use(self, openai_sdk):
        sdk = openai_sdk.with_options(api_key="caller-key-of-acme-000001")
        with pytest.raises(openai.PermissionDeniedError, match="acme may not use gpt"):
            sdk.chat.completions.create(model="by-gpt", messages=user(HELLO))

    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_nobody_can_serve(self, openai_sdk, stream):
        with pytest.raises(openai.InternalServerError) as caught:
            openai_sdk.chat.completions.create(model="nobody", messages=user(HELLO), stream=stream)
        response = caught.value.response
        assert response.status_code == 503
        assert int(response.headers["retry-after"]) >= 1
        assert response.headers["x-should-retry"] == "false"
        told = caught.value.body["understudy"]
        assert (told["code"], told["feature"]) == ("no_target_available", "nobody")
        assert told["retry_after"] > 0
        assert told["message"].startswith("The AI provider is not reachable")
        assert told["request_id"] == caught.value.request_id
