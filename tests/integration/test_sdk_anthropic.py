"""Anthropic's official SDK works by its base URL alone, whichever vendor answers."""

import base64

import anthropic
import pytest
from pydantic import BaseModel

#: Features: served by Anthropic itself, by OpenAI in translation, by OpenAI after a failure.
SERVED = ("by-claude", "by-gpt", "claude-fails")
HELLO = "Why do ships keep a logbook? The logbook tells the captain what the crew saw at night."
WEATHER = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
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


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


class TestAnswers:
    @served
    def test_a_whole_answer(self, claude_sdk, feature, right_answer):
        message = claude_sdk.messages.create(model=feature, max_tokens=1000, messages=user(HELLO))
        assert text_of(message) == right_answer(HELLO)
        assert (message.role, message.stop_reason) == ("assistant", "end_turn")
        assert message.id.startswith("msg_" if feature == "by-claude" else "")
        assert message.usage.input_tokens > 10
        assert message.usage.output_tokens > 50

    @served
    def test_a_stream(self, claude_sdk, feature, right_answer):
        with claude_sdk.messages.stream(
            model=feature, max_tokens=1000, messages=user(HELLO)
        ) as stream:
            texts = list(stream.text_stream)
            message = stream.get_final_message()
        assert len(texts) > 5
        assert "".join(texts) == text_of(message) == right_answer(HELLO)
        assert message.stop_reason == "end_turn"
        assert message.usage.output_tokens > 50

    @served
    async def test_asynchronously(self, claude_sdk_async, feature, right_answer):
        asked = {"model": feature, "max_tokens": 1000, "messages": user(HELLO)}
        message = await claude_sdk_async.messages.create(**asked)
        async with claude_sdk_async.messages.stream(**asked) as stream:
            streamed = "".join([text async for text in stream.text_stream])
        assert text_of(message) == streamed == right_answer(HELLO)

    @served
    def test_raw_events_come_in_the_order_of_the_dialect(self, claude_sdk, feature):
        with claude_sdk.messages.create(
            model=feature, max_tokens=1000, messages=user(HELLO), stream=True
        ) as stream:
            kinds = [event.type for event in stream if event.type != "ping"]
        assert kinds[:3] == ["message_start", "content_block_start", "content_block_delta"]
        assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]

    @served
    def test_the_model_in_the_body_is_the_one_that_answered(self, claude_sdk, feature):
        message = claude_sdk.messages.create(model=feature, max_tokens=50, messages=user(HELLO))
        assert message.model == ("claude-haiku-4-5" if feature == "by-claude" else "gpt-4.1")


class TestRequests:
    @served
    def test_a_system_prompt_reaches_the_model(self, claude_sdk, house_stand_in, feature):
        said = f"You speak for the lighthouse of {feature}."
        claude_sdk.messages.create(
            model=feature, max_tokens=50, system=[{"type": "text", "text": said}],
            messages=user(HELLO),
        )  # fmt: skip
        assert said in house_stand_in.attempts()[-1].body.decode()

    @served
    def test_a_conversation_of_several_turns(self, claude_sdk, feature):
        turns = [*user(HELLO), {"role": "assistant", "content": "For the record."}, *user("Why?")]
        asked = {"max_tokens": 1000, "messages": turns}
        whole = claude_sdk.messages.create(model=feature, **asked)
        direct = claude_sdk.messages.create(model="by-claude", **asked)
        alone = claude_sdk.messages.create(model=feature, max_tokens=1000, messages=user(HELLO))
        assert text_of(whole) == text_of(direct) != text_of(alone)

    @served
    def test_a_stop_sequence_ends_the_answer(self, claude_sdk, feature, right_answer):
        word = right_answer(HELLO).split()[6]
        message = claude_sdk.messages.create(
            model=feature, max_tokens=1000, messages=user(HELLO), stop_sequences=[word]
        )
        assert text_of(message) == right_answer(HELLO).partition(word)[0]
        if feature == "by-claude":
            assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", word)
        else:  # OpenAI does not tell a stop sequence from a plain end.
            assert message.stop_reason in {"end_turn", "stop_sequence"}

    @served
    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_max_tokens_cuts_the_answer_and_says_so(self, claude_sdk, feature, stream):
        asked = {"model": feature, "max_tokens": 7, "messages": user(HELLO)}
        if stream:
            with claude_sdk.messages.stream(**asked) as events:
                message = events.get_final_message()
        else:
            message = claude_sdk.messages.create(**asked)
        assert message.stop_reason == "max_tokens"
        assert message.usage.output_tokens == 7
        assert text_of(message)

    @served
    @pytest.mark.parametrize(
        "source",
        [
            {"type": "base64", "media_type": "image/png", "data": PIXEL},
            {"type": "url", "url": "https://example.com/cat.png"},
        ],
        ids=["base64", "url"],
    )
    def test_an_image_reaches_the_model(self, claude_sdk, house_stand_in, feature, source):
        content = [{"type": "image", "source": source}, {"type": "text", "text": "What is it?"}]
        message = claude_sdk.messages.create(
            model=feature, max_tokens=200, messages=[{"role": "user", "content": content}]
        )
        assert text_of(message)
        assert source.get("data", source.get("url")).encode() in house_stand_in.attempts()[-1].body

    @served
    def test_structured_output_fits_its_schema(self, claude_sdk, feature):
        class Ship(BaseModel):
            name: str
            masts: int

        message = claude_sdk.messages.parse(
            model=feature, max_tokens=500, messages=user("Name a ship."), output_format=Ship
        )
        assert isinstance(message.parsed_output, Ship)

    def test_tokens_are_counted_by_a_vendor_that_can(self, claude_sdk):
        counted = claude_sdk.messages.count_tokens(model="by-claude", messages=user(HELLO))
        assert counted.input_tokens > 10

    def test_counting_where_no_target_can_is_refused_by_name(self, claude_sdk):
        with pytest.raises(anthropic.BadRequestError, match="gpt has no count_tokens"):
            claude_sdk.messages.count_tokens(model="by-gpt", messages=user(HELLO))


class TestTools:
    @served
    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_a_call_its_result_and_the_answer(self, claude_sdk, feature, stream):
        turns = user("What is the weather in Oslo?")
        called = self._ask(claude_sdk, feature, turns, stream)
        assert called.stop_reason == "tool_use"
        (call,) = [block for block in called.content if block.type == "tool_use"]
        assert call.name == "get_weather"
        assert set(call.input) == {"city"}

        blocks = [block.model_dump(exclude_none=True) for block in called.content]
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "Rain, 4 degrees."}
        turns += [{"role": "assistant", "content": blocks}, {"role": "user", "content": [result]}]
        answered = self._ask(claude_sdk, feature, turns, stream)
        assert answered.stop_reason == "end_turn"
        assert "Rain" in text_of(answered)

    def _ask(self, sdk, feature, turns, stream):
        asked = {"model": feature, "max_tokens": 1000, "messages": turns, "tools": [WEATHER]}
        if not stream:
            return sdk.messages.create(**asked)
        with sdk.messages.stream(**asked) as events:
            return events.get_final_message()

    @served
    def test_a_forced_tool_is_called(self, claude_sdk, feature):
        message = claude_sdk.messages.create(
            model=feature, max_tokens=500, messages=user(HELLO), tools=[WEATHER],
            tool_choice={"type": "tool", "name": "get_weather"},
        )  # fmt: skip
        assert [block.name for block in message.content if block.type == "tool_use"] == [
            "get_weather"
        ]


class TestWhatIsTold:
    @served
    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_headers_tell_who_answered(self, claude_sdk, journal, feature, stream):
        raw = claude_sdk.messages.with_raw_response.create(
            model=feature, max_tokens=50, messages=user(HELLO), stream=stream
        )
        if stream:
            for _ in raw.parse():
                pass
        headers = raw.headers
        own = feature == "by-claude"
        assert headers["x-request-id"] == headers["request-id"] == raw.request_id
        assert headers["x-understudy-feature"] == feature
        assert headers["x-understudy-target"] == (
            "claude/claude-haiku-4-5" if own else "gpt/gpt-4.1"
        )
        assert headers["x-understudy-tier"] == (
            "substitute" if feature == "claude-fails" else "same"
        )
        assert headers["x-understudy-provider-request-id"].startswith("req_")
        assert headers["x-understudy-provider-request-id"] != headers["x-request-id"]
        told = journal(raw.request_id)
        assert headers["x-understudy-attempts"] == str(len(told["attempts"]))
        assert told["outcome"] == "succeeded"

    def test_models_are_features_and_their_names(self, claude_sdk):
        models = {model.id: model for model in claude_sdk.models.list()}
        assert models["by-claude"].display_name == "By Claude"
        assert "claude-haiku-4-5" in models
        assert not any("*" in name for name in models)

    def test_one_model(self, claude_sdk):
        assert claude_sdk.models.retrieve("claude-haiku-4-5").type == "model"
        assert claude_sdk.models.retrieve("claude-sonnet-5").id == "claude-sonnet-5"
        with pytest.raises(anthropic.NotFoundError):
            claude_sdk.models.retrieve("nothing-of-ours")

    def test_a_model_that_a_pattern_allows_is_passed_on_as_it_is(self, claude_sdk):
        message = claude_sdk.messages.create(
            model="claude-sonnet-4-6", max_tokens=50, messages=user(HELLO)
        )
        assert message.model == "claude-sonnet-4-6"


class TestErrors:
    def test_a_body_without_max_tokens_is_a_bad_request_that_names_it(self, claude_sdk):
        with pytest.raises(anthropic.BadRequestError, match="max_tokens") as caught:
            claude_sdk.messages.create(model="by-claude", max_tokens=None, messages=user(HELLO))
        assert caught.value.body["error"]["type"] == "invalid_request_error"
        assert caught.value.body["type"] == "error"

    @pytest.mark.parametrize("feature", ["by-claude", "by-gpt"])
    def test_a_wrong_field_deep_in_the_body_is_named(self, claude_sdk, feature):
        with pytest.raises(anthropic.BadRequestError, match=r"messages.*0.*content"):
            claude_sdk.messages.create(
                model=feature, max_tokens=50, messages=[{"role": "user", "content": 7}]
            )

    def test_a_wrong_key(self, claude_sdk):
        sdk = claude_sdk.with_options(api_key="not-a-key-of-this-house")
        with pytest.raises(anthropic.AuthenticationError) as caught:
            sdk.messages.create(model="by-claude", max_tokens=50, messages=user(HELLO))
        assert caught.value.body["error"]["type"] == "authentication_error"

    def test_an_unknown_model_is_told_the_names_there_are(self, claude_sdk):
        with pytest.raises(anthropic.NotFoundError, match="by-claude, by-gpt") as caught:
            claude_sdk.messages.create(model="nobody-7b", max_tokens=50, messages=user(HELLO))
        assert caught.value.body["error"]["type"] == "not_found_error"
        assert "'nobody-7b'" in str(caught.value)

    def test_a_provider_that_the_tenant_may_not_use(self, claude_sdk):
        sdk = claude_sdk.with_options(api_key="caller-key-of-acme-000001")
        with pytest.raises(anthropic.PermissionDeniedError, match="acme may not use gpt"):
            sdk.messages.create(model="by-gpt", max_tokens=50, messages=user(HELLO))

    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_nobody_can_serve(self, claude_sdk, stream):
        with pytest.raises(anthropic.InternalServerError) as caught:
            claude_sdk.messages.create(
                model="nobody", max_tokens=50, messages=user(HELLO), stream=stream
            )
        response = caught.value.response
        assert response.status_code == 503
        assert int(response.headers["retry-after"]) >= 1
        assert response.headers["x-should-retry"] == "false"
        assert response.headers["x-understudy-feature"] == "nobody"
        error = caught.value.body["error"]
        assert error["type"] == "overloaded_error"
        told = error["understudy"]
        assert (told["code"], told["feature"]) == ("no_target_available", "nobody")
        assert told["retry_after"] > 0
        assert told["message"].startswith("The AI provider is not reachable")
        assert told["request_id"] == caught.value.request_id

    def test_the_sdks_own_retries_heed_the_relay(self, house, claude_sdk):
        tenant = {"x-understudy-tenant": "of-retries"}
        with pytest.raises(anthropic.InternalServerError) as caught:
            claude_sdk.with_options(max_retries=3).messages.create(
                model="nobody", max_tokens=50, messages=user(HELLO), extra_headers=tenant
            )
        last = caught.value.request_id
        house.log.until(lambda line: last in line and '"event": "request"' in line)
        asked = [event for event in house.events("request") if event["tenant"] == "of-retries"]
        assert [event["request"] for event in asked] == [last]
