"""Limits: what is allowed a minute, what is told of it, and what is refused."""

import asyncio
import datetime as dt

import pytest

from understudy.mock import FaultRule, Limit, Pace
from unit.mock.mock_wire import (
    KEY,
    NOW,
    PATHS,
    ask,
    body_for,
    exchange,
    request_bytes,
    stand_in,
)

OPENAI = ("chat_completions", "responses")
#: How a request's most output tokens are named in each dialect.
MOST = {
    "messages": "max_tokens",
    "chat_completions": "max_tokens",
    "responses": "max_output_tokens",
}


class Clock:
    """Unix seconds, as the test has them."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


def limited(*limits, **options):
    """A stand-in with these limits, its clock, and how to ask it."""
    clock = Clock()
    return clock, stand_in(clock=clock, **options), [Limit(**limit) for limit in limits]


async def statuses(server, count, dialect, **more):
    return [(await ask(server, dialect, **more)).status for _ in range(count)]


def left(seen, dialect, unit="requests"):
    if dialect == "messages":
        return int(seen.headers[f"anthropic-ratelimit-{unit.replace('_', '-')}-remaining"])
    return int(seen.headers[f"x-ratelimit-remaining-{unit}"])


def used(seen):
    """(input, output) tokens of a whole answer."""
    usage = seen.json["usage"]
    if "prompt_tokens" in usage:
        return usage["prompt_tokens"], usage["completion_tokens"]
    return usage["input_tokens"], usage["output_tokens"]


# -- requests a minute


@pytest.mark.parametrize("dialect", PATHS)
async def test_requests_over_the_limit_are_refused_until_there_is_one_again(dialect):
    clock, serving, limits = limited({"requests": 6})
    async with serving as server:
        server.board.put_limits(limits)
        assert await statuses(server, 6, dialect) == [200] * 6
        refused = await ask(server, dialect)
        assert refused.status == 429
        assert refused.headers["retry-after"] == "10"
        assert left(refused, dialect) == 0
        clock.now += 9.9
        assert (await ask(server, dialect)).status == 429
        clock.now += 10.1
        assert (await ask(server, dialect)).status == 200


@pytest.mark.parametrize("dialect", PATHS)
async def test_headers_tell_what_is_left(dialect):
    clock, serving, limits = limited({"requests": 60})
    async with serving as server:
        server.board.put_limits(limits)
        seen = [await ask(server, dialect) for _ in range(3)]
        assert [left(one, dialect) for one in seen] == [59, 58, 57]
        clock.now += 1.0
        assert left(await ask(server, dialect), dialect) == 57


@pytest.mark.parametrize("dialect", OPENAI)
async def test_requests_that_openai_refuses_count_too(dialect):
    clock, serving, limits = limited({"requests": 6})
    async with serving as server:
        server.board.put_limits(limits)
        await statuses(server, 6, dialect)
        for _ in range(3):
            clock.now += 6.0  # Ten are needed for one, and each refusal takes what came.
            assert (await ask(server, dialect)).status == 429
        clock.now += 10.0
        assert await statuses(server, 2, dialect) == [200, 429]


async def test_a_bad_request_counts_at_openai_and_a_bad_key_nowhere():
    _, serving, limits = limited({"requests": 6})
    async with serving as server:
        server.board.put_limits(limits)
        await ask(server, "messages", max_tokens="many")
        assert left(await ask(server, "messages"), "messages") == 5
        await ask(server, "chat_completions", max_tokens="many")
        assert left(await ask(server, "chat_completions"), "chat_completions") == 3
        server.board.put_revoked([KEY[-4:]])
        assert (await ask(server, "chat_completions")).status == 401
        server.board.put_revoked([])
        assert left(await ask(server, "chat_completions"), "chat_completions") == 2


async def test_anthropic_s_refusals_cost_nothing():
    clock, serving, limits = limited({"requests": 6})
    async with serving as server:
        server.board.put_limits(limits)
        await statuses(server, 6, "messages")
        clock.now += 6.0
        assert await statuses(server, 5, "messages") == [429] * 5
        clock.now += 4.0
        assert await statuses(server, 2, "messages") == [200, 429]


# -- tokens a minute


def output_left(board, now=NOW):
    return board.spent.ration(KEY, "claude-sonnet-5", now).told(now).output_tokens.left


async def test_anthropic_counts_the_prompt_and_what_is_produced():
    _, serving, limits = limited({"input_tokens": 60_000, "output_tokens": 60_000})
    long = "Summarise this: " + "The harbour closed at noon. " * 400
    async with serving as server:
        server.board.put_limits(limits)
        first = await ask(server, "messages", prompt=long, max_tokens=50_000)
        prompt, answer = used(first)
        assert prompt > 2_500
        assert left(first, "messages", "input_tokens") == round(60_000 - prompt, -3)
        assert left(first, "messages", "output_tokens") == 60_000
        assert output_left(server.board) == 60_000 - answer
        both = round(120_000 - 2 * prompt - answer, -3)
        assert left(await ask(server, "messages", prompt=long), "messages", "tokens") == both


async def test_a_stream_counts_as_it_is_produced():
    told = []

    async def noting(_):
        told.append(output_left(server.board))
        await asyncio.sleep(0)

    async with stand_in(clock=Clock(), sleep=noting) as server:
        server.board.put_limits([Limit(output_tokens=1_000)])
        server.board.put_pace(Pace(tokens_per_second=10.0, tokens_per_event=20))
        await ask(server, "messages", stream=True)
        assert told[:3] == [980, 960, 940]
        produced = server.board.attempts[-1].output_tokens
        assert produced > 40
        assert output_left(server.board) == 1_000 - produced


async def test_a_stream_that_breaks_counts_what_it_had_produced():
    async with stand_in() as server:
        server.board.put_limits([Limit(output_tokens=1_000)])
        server.board.put_faults([FaultRule(fault="cut_after", n=20)])
        await ask(server, "messages", stream=True)
        assert output_left(server.board) == 1_000 - server.board.attempts[-1].output_tokens
        assert 20 <= server.board.attempts[-1].output_tokens < 40


async def test_more_output_than_was_left_is_a_debt():
    clock, serving, limits = limited({"output_tokens": 30})
    async with serving as server:
        server.board.put_limits(limits)
        _, answer = used(await ask(server, "messages"))
        assert answer > 40
        refused = await ask(server, "messages")
        assert refused.status == 429
        assert "30 output tokens per minute" in refused.json["error"]["message"]
        assert int(refused.headers["retry-after"]) == -(-(answer - 29) * 2 // 1)
        clock.now += int(refused.headers["retry-after"])
        assert (await ask(server, "messages")).status == 200


async def test_what_anthropic_reads_from_a_cache_is_free():
    _, serving, limits = limited({"input_tokens": 400_000})
    cached = [
        {"type": "text", "text": "Be brief. " * 8_000, "cache_control": {"type": "ephemeral"}}
    ]
    async with serving as server:
        server.board.put_limits(limits)
        seen = [await ask(server, "messages", system=cached) for _ in range(2)]
        read = [one.json["usage"]["cache_read_input_tokens"] for one in seen]
        assert read[0] == 0
        assert read[1] > 10_000
        assert left(seen[0], "messages", "input_tokens") < 400_000 - 10_000
        told = [left(one, "messages", "input_tokens") for one in seen]
        assert told[0] - told[1] <= 1_000


@pytest.mark.parametrize("dialect", OPENAI)
async def test_openai_reserves_what_may_be_produced(dialect):
    _, serving, limits = limited({"tokens": 10_000})
    async with serving as server:
        server.board.put_limits(limits)
        seen = await ask(server, dialect, **{MOST[dialect]: 3_000})
        prompt, answer = used(seen)
        assert answer < 3_000
        assert left(seen, dialect, "tokens") == 10_000 - 3_000 - prompt
        bare = await ask(server, dialect)
        assert left(bare, dialect, "tokens") == 10_000 - 3_000 - 2 * prompt


async def test_openai_reserves_for_each_choice():
    _, serving, limits = limited({"tokens": 10_000})
    async with serving as server:
        server.board.put_limits(limits)
        seen = await ask(server, "chat_completions", max_tokens=1_000, n=3)
        assert left(seen, "chat_completions", "tokens") == 7_000 - used(seen)[0]


# -- what a request over a limit is told


async def test_anthropic_s_words():
    _, serving, limits = limited({"input_tokens": 1_000})
    long = "Summarise this: " + "The harbour closed at noon. " * 90
    async with serving as server:
        server.board.put_limits(limits)
        prompt, _ = used(await ask(server, "messages", prompt=long))
        refused = await ask(server, "messages", prompt=long)
        error = refused.json["error"]
        assert (refused.status, error["type"]) == (429, "rate_limit_error")
        assert "limit of 1,000 input tokens per minute" in error["message"]
        assert "claude-sonnet-5" in error["message"]
        short = 2 * prompt - 1_000
        assert 0 < short * 0.06 <= int(refused.headers["retry-after"]) < short * 0.06 + 1
        reset = refused.headers["anthropic-ratelimit-input-tokens-reset"]
        whole = dt.datetime.fromisoformat(reset).timestamp() - NOW
        assert prompt * 0.06 <= whole < prompt * 0.06 + 1


@pytest.mark.parametrize("dialect", OPENAI)
async def test_openai_s_words(dialect):
    _, serving, limits = limited({"tokens": 10_000})
    async with serving as server:
        server.board.put_limits(limits)
        first = await ask(server, dialect, **{MOST[dialect]: 6_000})
        spent = 6_000 + used(first)[0]
        refused = await ask(server, dialect, **{MOST[dialect]: 6_000})
        error = refused.json["error"]
        assert refused.status == 429
        assert (error["type"], error["code"]) == ("tokens", "rate_limit_exceeded")
        wait = (2 * spent - 10_000) * 6
        assert f"Limit 10000, Used {spent}, Requested {spent}." in error["message"]
        told = f"{wait / 1000:g}s"
        assert f"Please try again in {told}." in error["message"]
        assert refused.headers["retry-after-ms"] == str(wait)
        assert refused.headers["retry-after"] == str(-(-wait // 1000))
        assert refused.headers["x-ratelimit-reset-tokens"] == f"{spent * 6 / 1000:g}s"


async def test_openai_tells_requests_from_tokens():
    _, serving, limits = limited({"requests": 600})
    async with serving as server:
        server.board.put_limits(limits)
        statuses_seen = await statuses(server, 600, "chat_completions")
        assert set(statuses_seen) == {200}
        error = (await ask(server, "chat_completions")).json["error"]
        assert error["type"] == "requests"
        assert (
            "(RPM): Limit 600, Used 600, Requested 1. Please try again in 100ms" in error["message"]
        )


@pytest.mark.parametrize(
    ("dialect", "limit", "words"),
    [
        ("messages", {"input_tokens": 10}, "rate limit of 10 input tokens per minute"),
        ("chat_completions", {"tokens": 10}, "Request too large for gpt-4o"),
        ("responses", {"tokens": 10}, "Request too large for gpt-4o"),
    ],
)
async def test_what_can_never_fit_is_told_no_time(dialect, limit, words):
    _, serving, limits = limited(limit)
    async with serving as server:
        server.board.put_limits(limits)
        refused = await ask(server, dialect)
        assert refused.status == 429
        assert words in refused.json["error"]["message"]
        assert not any(name.startswith("retry-after") for name in refused.headers)


async def test_of_two_limits_the_one_that_lasts_longer_is_told():
    _, serving, limits = limited({"requests": 60, "tokens": 10_000})
    async with serving as server:
        server.board.put_limits(limits)
        await ask(server, "chat_completions", max_tokens=9_000)
        error = (await ask(server, "chat_completions", max_tokens=9_000)).json["error"]
        assert error["type"] == "tokens"


# -- whose limit


@pytest.mark.parametrize(
    ("limit", "asked", "is_limited"),
    [
        ({}, {}, True),
        ({"model": "claude-sonnet-*"}, {}, True),
        ({"model": "claude-sonnet-*"}, {"model": "claude-sonnet-4-5"}, True),
        ({"model": "claude-sonnet-*"}, {"model": "claude-opus-5"}, False),
        ({"key": KEY[-4:]}, {}, True),
        ({"key": "zzzz"}, {}, False),
    ],
)
async def test_a_limit_is_for_the_keys_and_models_that_it_means(limit, asked, is_limited):
    _, serving, limits = limited({"requests": 1, **limit})
    async with serving as server:
        server.board.put_limits(limits)
        seen = await statuses(server, 2, "messages", **asked)
        assert seen == [200, 429 if is_limited else 200]


async def test_models_of_one_pattern_share_a_limit_and_keys_do_not():
    _, serving, limits = limited({"requests": 1, "model": "claude-*"})
    async with serving as server:
        server.board.put_limits(limits)
        one = body_for("messages", model="claude-opus-5")
        other = body_for("messages", model="claude-haiku-4-5")
        path = PATHS["messages"]
        assert (await exchange(server, request_bytes(path, one))).status == 200
        assert (await exchange(server, request_bytes(path, other))).status == 429
        assert (await exchange(server, request_bytes(path, other, key="sk-2"))).status == 200


async def test_the_first_limit_that_means_a_request_holds():
    _, serving, limits = limited({"model": "claude-opus-*", "requests": 1}, {"requests": 2})
    async with serving as server:
        server.board.put_limits(limits)
        assert await statuses(server, 2, "messages", model="claude-opus-5") == [200, 429]
        assert await statuses(server, 3, "messages") == [200, 200, 429]


async def test_a_request_over_a_limit_meets_no_fault_and_is_not_counted_by_its_rule():
    _, serving, limits = limited({"requests": 2})
    async with serving as server:
        server.board.put_limits(limits)
        server.board.put_faults([FaultRule(fault="overloaded", every=2)])
        assert await statuses(server, 4, "messages") == [529, 200, 429, 429]
        assert [one.fault for one in server.board.attempts] == ["overloaded", None, None, None]


async def test_without_a_limit_nothing_is_refused_and_much_is_told():
    async with stand_in() as server:
        for dialect in PATHS:
            assert set(await statuses(server, 50, dialect)) == {200}
            assert left(await ask(server, dialect), dialect) > 1_000_000


async def test_putting_limits_fills_them():
    async with stand_in() as server:
        for _ in range(2):
            server.board.put_limits([Limit(requests=1)])
            assert await statuses(server, 2, "messages") == [200, 429]
