"""The vendors' own SDKs take the stand-in for the vendor."""

import base64
import json
import ssl

import anthropic
import httpx
import openai
import pytest
import trustme
from pydantic import BaseModel

from understudy.mock import FaultRule, serve

KEY = "sk-integration-key-wxyz"
PROMPT = "Summarise this:\n\nTides follow the moon. The sun helps. Harbours print tables of them."
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL = {"name": "get_weather", "description": "The weather", "input_schema": CITY}
OUR_FUNCTION = {"type": "function", "name": "get_weather", "parameters": CITY, "strict": True}
FUNCTION = {"type": "function", "function": {"name": "get_weather", "parameters": CITY}}
PNG = base64.b64encode(bytes(1500)).decode()


class Note(BaseModel):
    title: str
    tags: list[str]
    stars: int


@pytest.fixture
async def server():
    async with await serve() as started:
        yield started


@pytest.fixture
async def claude(server):
    async with anthropic.AsyncAnthropic(base_url=server.url, api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture
async def gpt(server):
    async with openai.AsyncOpenAI(
        base_url=f"{server.url}/v1", api_key=KEY, max_retries=0
    ) as client:
        yield client


def ask_claude(prompt=PROMPT, **more):
    return {
        "model": "claude-sonnet-5",
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": prompt}],
    } | more


def ask_gpt(prompt=PROMPT, **more):
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": prompt}]} | more


def ask_responses(prompt=PROMPT, **more):
    return {"model": "gpt-4o", "input": prompt} | more


# -- answers


async def test_anthropic_answers_whole_and_streamed_alike(claude):
    whole = await claude.messages.create(**ask_claude())
    async with claude.messages.stream(**ask_claude()) as stream:
        streamed = await stream.get_final_message()
    assert streamed.content[0].text == whole.content[0].text
    assert (streamed.stop_reason, streamed.usage) == (whole.stop_reason, whole.usage)
    assert (whole.model, whole.stop_reason, whole.role) == (
        "claude-sonnet-5",
        "end_turn",
        "assistant",
    )
    assert 0.5 < len(whole.content[0].text) / 4 / whole.usage.output_tokens < 1.5
    assert whole._request_id.startswith("req_")


async def test_openai_answers_whole_and_streamed_alike(gpt):
    whole = await gpt.chat.completions.create(**ask_gpt())
    chunks = await gpt.chat.completions.create(
        **ask_gpt(stream=True, stream_options={"include_usage": True})
    )
    told = [chunk async for chunk in chunks]
    text = "".join(c.choices[0].delta.content or "" for c in told if c.choices)
    assert text == whole.choices[0].message.content
    assert told[-1].usage == whole.usage
    assert whole.choices[0].finish_reason == told[-2].choices[0].finish_reason == "stop"
    assert whole.model == "gpt-4o"


async def test_responses_answers_whole_and_streamed_alike(gpt):
    whole = await gpt.responses.create(**ask_responses())
    async with gpt.responses.stream(**ask_responses()) as stream:
        told = "".join([e.delta async for e in stream if e.type == "response.output_text.delta"])
        final = await stream.get_final_response()
    assert told == whole.output_text == final.output_text
    assert (whole.status, whole.usage) == (final.status, final.usage)
    assert (whole.model, whole.status, whole.error) == ("gpt-4o", "completed", None)
    assert whole._request_id.startswith("req_")
    events = [e async for e in await gpt.responses.create(**ask_responses(), stream=True)]
    assert [e.sequence_number for e in events] == list(range(len(events)))
    assert events[-1].type == "response.completed"


async def test_every_dialect_and_all_models_give_the_same_text(claude, gpt):
    first = await claude.messages.create(**ask_claude())
    names = ("gpt-4o", "gpt-5.2")
    chats = [await gpt.chat.completions.create(**ask_gpt(model=name)) for name in names]
    others = [await gpt.responses.create(**ask_responses(model=name)) for name in names]
    told = {c.choices[0].message.content for c in chats} | {r.output_text for r in others}
    assert told == {first.content[0].text}


async def test_several_choices(gpt):
    whole = await gpt.chat.completions.create(**ask_gpt(n=3))
    assert [choice.index for choice in whole.choices] == [0, 1, 2]
    chunks = await gpt.chat.completions.create(**ask_gpt(n=3, stream=True))
    texts = ["", "", ""]
    async for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == [choice.message.content for choice in whole.choices]


# -- tools


async def test_anthropic_calls_a_tool_and_uses_its_result(claude):
    prompt = "How is the weather in Lisbon?"
    async with claude.messages.stream(**ask_claude(prompt, tools=[TOOL])) as stream:
        asked = await stream.get_final_message()
    call = asked.content[-1]
    assert (asked.stop_reason, call.name, call.input) == (
        "tool_use",
        "get_weather",
        {"city": "Lisbon"},
    )
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "Fog, 14 degrees"}
    turns = [
        {"role": "user", "content": prompt},
        {"role": "assistant", "content": asked.content},
        {"role": "user", "content": [result]},
    ]
    told = await claude.messages.create(**ask_claude(messages=turns, tools=[TOOL]))
    assert "Fog, 14 degrees" in told.content[0].text
    assert told.stop_reason == "end_turn"


async def test_openai_calls_a_tool_and_uses_its_result(gpt):
    prompt = "How is the weather in Lisbon?"
    asked = await gpt.chat.completions.create(**ask_gpt(prompt, tools=[FUNCTION]))
    message = asked.choices[0].message
    (call,) = message.tool_calls
    assert asked.choices[0].finish_reason == "tool_calls"
    assert json.loads(call.function.arguments) == {"city": "Lisbon"}
    turns = [
        {"role": "user", "content": prompt},
        message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "Fog, 14 degrees"},
    ]
    told = await gpt.chat.completions.create(**ask_gpt(messages=turns, tools=[FUNCTION]))
    assert "Fog, 14 degrees" in told.choices[0].message.content


async def test_responses_calls_a_tool_and_uses_its_result(gpt):
    prompt = "How is the weather in Lisbon?"
    asking = ask_responses(prompt, tools=[OUR_FUNCTION], model="gpt-5-mini")
    async with gpt.responses.stream(**asking) as stream:
        asked = await stream.get_final_response()
    call = asked.output[-1]
    assert [item.type for item in asked.output] == ["reasoning", "message", "function_call"]
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Lisbon"})
    turns = [{"role": "user", "content": prompt}]
    turns += [
        item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in asked.output
    ]
    turns.append(
        {"type": "function_call_output", "call_id": call.call_id, "output": "Fog, 14 degrees"}
    )
    told = await gpt.responses.create(**asking | {"input": turns})
    assert "Fog, 14 degrees" in told.output_text


async def test_openai_streams_a_tool_call(gpt):
    request = ask_gpt("Say hi", tools=[FUNCTION], tool_choice="required")
    async with gpt.chat.completions.stream(**request) as stream:
        final = await stream.get_final_completion()
    whole = await gpt.chat.completions.create(**request)
    first, second = (c.choices[0].message.tool_calls[0].function for c in (final, whole))
    assert (first.name, first.arguments) == (second.name, second.arguments)


# -- images, thought, structured output, caching


async def test_images_are_seen(claude, gpt):
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    parts = [{"type": "image", "source": source}, {"type": "text", "text": "What is it?"}]
    told = await claude.messages.create(**ask_claude(messages=[{"role": "user", "content": parts}]))
    assert "image/png, 1,500 bytes" in told.content[0].text
    url = {"url": f"data:image/png;base64,{PNG}"}
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": url}]
    other = await gpt.chat.completions.create(
        **ask_gpt(messages=[{"role": "user", "content": parts}])
    )
    assert other.choices[0].message.content == told.content[0].text
    parts = [
        {"type": "input_text", "text": "What is it?"},
        {"type": "input_image", "image_url": url["url"], "detail": "auto"},
    ]
    third = await gpt.responses.create(**ask_responses([{"role": "user", "content": parts}]))
    assert third.output_text == told.content[0].text


async def test_thought_comes_with_a_signature_that_is_taken_back(claude):
    request = ask_claude(thinking={"type": "adaptive"})
    async with claude.messages.stream(**request) as stream:
        told = await stream.get_final_message()
    assert [block.type for block in told.content] == ["thinking", "text"]
    assert told.usage.output_tokens_details.thinking_tokens > 0
    turns = [*request["messages"], {"role": "assistant", "content": told.content}]
    turns.append({"role": "user", "content": "Thank you."})
    assert (await claude.messages.create(**request | {"messages": turns})).stop_reason == "end_turn"
    hidden = {"type": "adaptive", "display": "omitted"}
    block = (await claude.messages.create(**ask_claude(thinking=hidden))).content[0]
    assert (block.thinking, bool(block.signature)) == ("", True)


async def test_reasoning_tokens_are_counted_and_can_use_up_the_limit(gpt):
    whole = await gpt.chat.completions.create(**ask_gpt(model="o4-mini"))
    assert whole.usage.completion_tokens_details.reasoning_tokens == 128
    short = await gpt.chat.completions.create(**ask_gpt(model="o4-mini", max_completion_tokens=16))
    assert (short.choices[0].message.content, short.choices[0].finish_reason) == ("", "length")


async def test_structured_output_is_parsed_by_the_sdks(claude, gpt):
    ours = await claude.messages.parse(**ask_claude(output_format=Note))
    theirs = await gpt.chat.completions.parse(**ask_gpt(response_format=Note))
    assert isinstance(ours.parsed_output, Note)
    assert theirs.choices[0].message.parsed == ours.parsed_output
    other = await gpt.responses.parse(**ask_responses(text_format=Note))
    assert other.output_parsed == ours.parsed_output


async def test_a_cached_prompt_is_written_once_and_read_after_that(claude):
    system = [{"type": "text", "text": "Be kind. " * 300, "cache_control": {"type": "ephemeral"}}]
    first = (await claude.messages.create(**ask_claude(system=system))).usage
    second = (await claude.messages.create(**ask_claude(system=system))).usage
    assert first.cache_creation_input_tokens == second.cache_read_input_tokens > 500
    assert first.cache_read_input_tokens == second.cache_creation_input_tokens == 0
    assert first.input_tokens == second.input_tokens > 0


async def test_limits_and_stop_sequences(claude, gpt):
    whole = (await claude.messages.create(**ask_claude())).content[0].text
    cut = await claude.messages.create(**ask_claude(max_tokens=7))
    assert (cut.stop_reason, cut.usage.output_tokens) == ("max_tokens", 7)
    stop = whole[40:50]
    told = await claude.messages.create(**ask_claude(stop_sequences=[stop]))
    assert (told.stop_reason, told.stop_sequence) == ("stop_sequence", stop)
    assert told.content[0].text == whole[:40]
    told = await gpt.chat.completions.create(**ask_gpt(max_tokens=7))
    assert told.choices[0].finish_reason == "length"
    told = await gpt.responses.create(**ask_responses(max_output_tokens=16))
    assert (told.status, told.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert whole.startswith(told.output_text)


async def test_counting_and_listing(claude, gpt):
    request = ask_claude()
    del request["max_tokens"]
    counted = await claude.messages.count_tokens(**request)
    told = await claude.messages.create(**ask_claude())
    assert counted.input_tokens == told.usage.input_tokens
    assert "claude-sonnet-5" in [model.id async for model in claude.models.list()]
    assert "gpt-5.2" in [model.id async for model in gpt.models.list()]


# -- faults, as the SDKs see them


@pytest.mark.parametrize(
    ("fault", "ours", "theirs"),
    [
        ("overloaded", anthropic.InternalServerError, openai.InternalServerError),
        ("rate_limited", anthropic.RateLimitError, openai.RateLimitError),
        ("credit_too_low", anthropic.BadRequestError, openai.RateLimitError),
        ("key_revoked", anthropic.AuthenticationError, openai.AuthenticationError),
        ("permission_denied", anthropic.PermissionDeniedError, openai.PermissionDeniedError),
        ("model_not_found", anthropic.NotFoundError, openai.NotFoundError),
        ("reset", anthropic.APIConnectionError, openai.APIConnectionError),
        ("edge_520", anthropic.InternalServerError, openai.InternalServerError),
    ],
)
async def test_faults_are_the_sdks_errors(server, claude, gpt, fault, ours, theirs):
    server.board.put_faults([FaultRule(fault=fault, where="before_headers")])
    with pytest.raises(ours):
        await claude.messages.create(**ask_claude())
    with pytest.raises(theirs):
        await gpt.chat.completions.create(**ask_gpt())
    if fault != "model_not_found":  # Which is a bad request there.
        with pytest.raises(theirs):
            await gpt.responses.create(**ask_responses())


async def test_an_error_inside_a_stream_is_raised_under_status_200(server, claude, gpt):
    server.board.put_faults([FaultRule(fault="overloaded_mid_stream")])
    with pytest.raises(anthropic.APIStatusError, match="Overloaded") as caught:
        async with claude.messages.stream(**ask_claude()) as stream:
            await stream.get_final_message()
    assert caught.value.status_code == 200
    chunks = await gpt.chat.completions.create(**ask_gpt(stream=True))
    with pytest.raises(openai.APIError, match="overloaded"):
        [chunk async for chunk in chunks]


@pytest.mark.parametrize(
    ("fault", "last"),
    [
        ("overloaded_mid_stream", "error"),
        ("response_failed", "response.failed"),
        ("no_terminal", "response.output_item.done"),
    ],
)
async def test_a_responses_stream_that_breaks_has_no_final_response(server, gpt, fault, last):
    server.board.put_faults([FaultRule(fault=fault)])
    async with gpt.responses.stream(**ask_responses()) as stream:
        events = [event async for event in stream]
        assert events[-1].type == last
        with pytest.raises(RuntimeError, match=r"response\.completed"):
            await stream.get_final_response()


async def test_an_error_in_an_object_is_raised_out_of_a_responses_stream(server, gpt):
    server.board.put_faults([FaultRule(fault="error_nested")])
    with pytest.raises(openai.APIError, match="An error occurred while processing"):
        [event async for event in await gpt.responses.create(**ask_responses(), stream=True)]


async def test_the_sdks_retry_what_flaps(server):
    server.board.put_faults([FaultRule(fault="rate_limited", retry_after="0.001", times=1)])
    async with anthropic.AsyncAnthropic(base_url=server.url, api_key=KEY, max_retries=1) as client:
        told = await client.messages.create(**ask_claude())
    assert told.stop_reason == "end_turn"
    assert [attempt.status for attempt in server.board.attempts] == [429, 200]


# -- TLS


async def test_it_speaks_tls_and_breaks_there_too():
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with await serve(tls=context) as server, httpx.AsyncClient(verify=trusting) as client:
        headers = {"authorization": f"Bearer {KEY}"}
        url = f"{server.url}/v1/chat/completions"
        assert url.startswith("https://")
        assert (await client.post(url, json=ask_gpt(), headers=headers)).status_code == 200
        server.board.put_faults([FaultRule(fault="reset")])
        with pytest.raises(httpx.TransportError):
            await client.post(url, json=ask_gpt(stream=True), headers=headers)
