"""The board: which request meets which fault, what is written down, and the same over HTTP."""

import asyncio
import json
import re

import pytest

from understudy.mock import CATALOGUE, FaultRule, Pace, Where, parse_rule
from unit.mock.mock_wire import (
    KEY,
    PATHS,
    PROMPT,
    Sleeper,
    ask,
    ask_until_hung,
    body_for,
    connected,
    exchange,
    request_bytes,
    rule,
    stand_in,
)


async def statuses(server, count, dialect="messages", **more):
    return [(await ask(server, dialect, **more)).status for _ in range(count)]


# -- rules


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, [529] * 6),
        ({"times": 2}, [529, 529, 200, 200, 200, 200]),
        ({"every": 3}, [529, 200, 200, 529, 200, 200]),
        ({"every": 2, "times": 2}, [529, 200, 529, 200, 200, 200]),
        ({"share": 0.0}, [200] * 6),
        ({"share": 1.0}, [529] * 6),
    ],
)
async def test_a_rule_says_which_of_the_requests_fail(more, expected):
    async with stand_in() as server:
        server.board.put_faults([rule("overloaded", **more)])
        assert await statuses(server, 6) == expected


async def test_a_share_is_drawn_the_same_in_every_run():
    runs = []
    for _ in range(2):
        async with stand_in() as server:
            server.board.put_faults([rule("overloaded", share=0.5)])
            runs.append(await statuses(server, 40))
    assert runs[0] == runs[1]
    assert 10 <= runs[0].count(529) <= 30


async def test_flapping_fails_and_works_in_turn():
    async with stand_in() as server:
        server.board.put_faults([rule("flapping")])
        assert await statuses(server, 4) == [529, 200, 529, 200]


@pytest.mark.parametrize(
    ("more", "hit"),
    [
        ({"model": "claude-*"}, True),
        ({"model": "claude-opus-*"}, False),
        ({"key": "abcd"}, True),
        ({"key": "efgh"}, False),
        ({"path": "/v1/mess*"}, True),
        ({"path": "/v1/chat/*"}, False),
        ({"model": "*sonnet*", "key": "-abcd", "path": "*"}, True),
    ],
)
async def test_a_rule_means_the_requests_that_it_matches(more, hit):
    async with stand_in() as server:
        server.board.put_faults([rule("overloaded", **more)])
        assert await statuses(server, 1) == [529 if hit else 200]


async def test_the_first_rule_that_matches_and_can_be_shown_is_played():
    async with stand_in() as server:
        rules = [
            rule("slow_down", model="claude-opus-*"),
            rule("truncated_sse"),
            rule("finish_missing"),
            rule("overloaded", times=1),
            rule("spend_cap"),
        ]
        server.board.put_faults(rules)
        assert await statuses(server, 2) == [529, 429]
        assert [attempt.fault for attempt in server.board.attempts] == ["overloaded", "spend_cap"]


async def test_every_other_endpoint_fails_too_but_health_and_the_board():
    async with stand_in() as server:
        server.board.put_faults([rule("overloaded"), rule("empty_answer")])
        counting = body_for("messages")
        del counting["stream"], counting["max_tokens"]
        count = request_bytes("/v1/messages/count_tokens", counting)
        assert (await exchange(server, count)).status == 529
        models = request_bytes("/v1/models", method="GET")
        assert (await exchange(server, models)).status == 503
        health = request_bytes("/health", method="GET", key="")
        assert (await exchange(server, health)).status == 200
        faults = request_bytes("/mock/faults", method="GET", key="")
        assert (await exchange(server, faults)).status == 200
        server.board.put_faults([rule("overloaded", path="/health")])
        assert (await exchange(server, health)).status == 503


async def test_taking_the_rules_away_heals():
    async with stand_in() as server:
        server.board.put_faults([rule("overloaded")])
        assert server.board.faults == (rule("overloaded"),)
        server.board.delete_faults()
        assert await statuses(server, 1) == [200]


async def test_a_fault_of_the_caller_is_told_before_any_is_played():
    async with stand_in() as server:
        server.board.put_faults([rule("overloaded")])
        seen = await ask(server, "messages", max_tokens="many")
        assert seen.status == 400
        assert server.board.attempts[-1].fault is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"fault": "gremlins"}, "no fault named 'gremlins'"),
        ({"fault": "html_200", "where": Where.MID_TEXT}, "html_200 strikes before_headers"),
        ({"fault": "reset", "every": 0}, "every is 1 or more"),
        ({"fault": "reset", "times": -1}, "times and seconds are not negative"),
        ({"fault": "reset", "share": 1.5}, "share is between 0 and 1"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(fields, words):
    with pytest.raises(ValueError, match=words):
        FaultRule(**fields)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("reset", rule("reset")),
        ("stall-with-pings:40", rule("stall_with_pings", n=40)),
        ("reset@mid_text:20", rule("reset", where=Where.MID_TEXT, n=20)),
        ("slow_drip:0.5", rule("slow_drip", seconds=0.5)),
        ("rate_limited:30", rule("rate_limited", retry_after="30")),
        ("oversized_event:4096", rule("oversized_event", size=4096)),
        (
            "overloaded@mid_text;times=2;every=3;share=0.5",
            rule("overloaded", where=Where.MID_TEXT, times=2, every=3, share=0.5),
        ),
        ("stall_after;n=7; seconds=3", rule("stall_after", n=7, seconds=3.0)),
    ],
)
def test_a_rule_has_a_short_form(text, expected):
    assert parse_rule(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no fault named ''"),
        ("nothing", "no fault named 'nothing'"),
        ("reset@moon", "Invalid enum value 'moon'"),
        ("reset:soon", "Expected `int | null`"),
        ("reset;color=red", "unknown field `color`"),
        ("reset;times=x", "Expected `int | null`"),
    ],
)
def test_a_short_form_that_does_not_read_is_refused(text, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        parse_rule(text)


# -- faults that a request names itself


@pytest.mark.parametrize("dialect", PATHS)
async def test_a_model_s_name_can_ask_for_a_fault(dialect):
    async with stand_in() as server:
        seen = await ask(server, dialect, model="mock-fault-credit-too-low")
        assert seen.status == (400 if dialect == "messages" else 429)
        own = "claude-sonnet-5" if dialect == "messages" else "gpt-4o"
        seen = await ask(server, dialect, model=f"{own}+fault=reset@mid_text:8", stream=True)
        assert seen.end == "reset"
        first = seen.objects[0]
        assert first.get("message", first.get("response", first))["model"] == own
        assert server.board.attempts[-1].model == own
        assert server.board.attempts[-1].where is Where.MID_TEXT


async def test_a_fault_in_a_model_s_name_can_come_a_few_times_only():
    async with stand_in() as server:
        model = "claude-sonnet-5+fault=overloaded;times=2"
        assert await statuses(server, 3, model=model) == [529, 529, 200]
        assert await statuses(server, 2, model="mock-fault-flapping") == [529, 200]


async def test_a_header_can_ask_for_a_fault_and_goes_before_the_rules():
    async with stand_in() as server:
        server.board.put_faults([rule("spend_cap")])
        header = [("x-mock-fault", "edge_522")]
        data = request_bytes(PATHS["messages"], body_for("messages"), headers=header)
        assert (await exchange(server, data)).status == 522


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("gremlins", "no fault named 'gremlins'"),
        ("done_missing", "done_missing is not for a whole answer in messages"),
        ("truncated_sse", "truncated_sse is not for a whole answer in messages"),
    ],
)
async def test_a_fault_that_cannot_be_shown_is_refused_where_a_request_names_it(fault, words):
    async with stand_in() as server:
        seen = await ask(server, "messages", model=f"mock-fault-{fault}")
        assert seen.status == 400
        assert words in seen.json["error"]["message"]


# -- the log


async def test_attempts_are_written_down_without_keys_or_prompts():
    async with stand_in() as server:
        await ask(server, "messages", stream=True)
        server.board.put_faults([rule("overloaded")])
        await ask(server, "chat_completions")
        first, second = server.board.attempts
        assert (first.n, first.dialect, first.model) == (1, "messages", "claude-sonnet-5")
        assert (first.path, first.stream, first.status) == ("/v1/messages", True, 200)
        assert (first.key, first.fault, first.body) == ("abcd", None, None)
        assert first.body_size == len(json.dumps(body_for("messages", stream=True)))
        assert (second.n, second.status, second.fault) == (2, 503, "overloaded")
        assert second.where is Where.BEFORE_HEADERS
        assert not first.client_closed
        assert first.started <= first.ended
        told = repr(server.board.attempts)
        assert KEY not in told
        assert PROMPT[:40] not in told
        server.board.delete_attempts()
        await ask(server, "messages")
        assert [attempt.n for attempt in server.board.attempts] == [3]


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize("where", [Where.BEFORE_HEADERS, Where.MID_TEXT])
async def test_a_hang_ends_when_the_client_leaves_and_the_log_says_when(dialect, where):
    async with stand_in() as server:
        server.board.put_faults([rule("hang", where=where)])
        await ask_until_hung(server, dialect, stream=True)
        attempt = server.board.attempts[0]
        await server.board.until(lambda: attempt.client_closed)
        assert attempt.hung
        assert attempt.started <= attempt.client_closed_at == attempt.ended


async def test_a_wait_ends_when_the_client_leaves():
    async with stand_in(sleep=asleep) as server:
        server.board.put_faults([rule("headers_late")])
        async with connected(server) as (_, writer):
            writer.write(request_bytes(PATHS["messages"], body_for("messages")))
            await server.board.until(lambda: bool(server.board.attempts))
        await server.board.until(lambda: server.board.attempts[0].client_closed)


def asleep(seconds):
    """A sleep that nothing but a cancellation ends."""
    return asyncio.get_running_loop().create_future()


async def test_a_client_that_waits_for_the_end_has_not_left():
    async with stand_in() as server:
        await ask(server, "messages", stream=True)
        assert not server.board.attempts[0].client_closed


# -- pace


async def test_a_pace_is_kept():
    sleeper = Sleeper()
    pace = Pace(tokens_per_second=50, first_token=0.3, tokens_per_event=5)
    async with stand_in(sleep=sleeper, pace=pace) as server:
        seen = await ask(server, "messages", stream=True)
        assert sleeper.waits[0] == 0.3
        assert set(sleeper.waits[1:-1]) == {0.1}
        deltas = [d for d in seen.objects if d["type"] == "content_block_delta"]
        assert len(sleeper.waits) == len(deltas)
        sleeper.waits.clear()
        seen = await ask(server, "messages")
        (wait,) = sleeper.waits
        assert wait == pytest.approx(0.3 + seen.json["usage"]["output_tokens"] / 50)


async def test_without_a_pace_nothing_waits():
    sleeper = Sleeper()
    async with stand_in(sleep=sleeper) as server:
        await ask(server, "messages", stream=True)
        assert sleeper.waits == []


def test_a_pace_that_cannot_be_is_refused():
    for fields in ({"tokens_per_second": -1}, {"first_token": -0.1}, {"tokens_per_event": 0}):
        with pytest.raises(ValueError, match="pace"):
            Pace(**fields)


# -- over HTTP


async def call(server, method, noun, body=None):
    data = request_bytes(f"/mock/{noun}", body, method=method, key="")
    seen = await exchange(server, data)
    return seen.status, seen.json if seen.body else None


async def test_rules_over_http():
    async with stand_in() as server:
        rules = [{"fault": "overloaded", "model": "claude-*", "times": 1}]
        status, told = await call(server, "PUT", "faults", rules)
        assert (status, told[0]["fault"], told[0]["times"]) == (200, "overloaded", 1)
        assert await call(server, "GET", "faults") == (200, told)
        assert await statuses(server, 2) == [529, 200]
        assert await call(server, "PUT", "faults", told) == (200, told)
        assert await call(server, "DELETE", "faults") == (204, None)
        assert server.board.faults == ()


@pytest.mark.parametrize(
    ("noun", "body", "words"),
    [
        ("faults", [{"fault": "gremlins"}], "no fault named 'gremlins'"),
        ("faults", [{"fault": "reset", "wher": "mid_text"}], "unknown field `wher`"),
        ("faults", {"fault": "reset"}, "Expected `array`"),
        ("faults", b"nonsense", "JSON is malformed"),
        ("pace", {"tokens_per_second": -1}, "a pace is not negative"),
        ("keys", {"revoke": []}, "revoke"),
    ],
)
async def test_what_cannot_be_is_refused_over_http_and_changes_nothing(noun, body, words):
    async with stand_in() as server:
        await call(server, "PUT", "faults", [{"fault": "reset"}])
        status, told = await call(server, "PUT", noun, body)
        assert status == 400
        assert words in told["error"]
        assert server.board.faults == (rule("reset"),)


async def test_the_log_over_http():
    async with stand_in() as server:
        await ask(server, "messages")
        status, told = await call(server, "GET", "attempts")
        assert (status, len(told)) == (200, 1)
        assert told[0]["model"] == "claude-sonnet-5"
        assert "body" not in (await call(server, "GET", "attempts?bodies=1"))[1][0]
        assert await call(server, "DELETE", "attempts") == (204, None)
        assert await call(server, "GET", "attempts") == (200, [])


async def test_bodies_are_told_only_where_they_are_kept_and_asked_for():
    async with stand_in(keep_bodies=True) as server:
        await ask(server, "messages")
        assert "body" not in (await call(server, "GET", "attempts"))[1][0]
        _, told = await call(server, "GET", "attempts?bodies=1")
        assert json.loads(told[0]["body"]) == body_for("messages")


async def test_pace_keys_and_catalogue_over_http():
    async with stand_in() as server:
        status, told = await call(server, "PUT", "pace", {"tokens_per_event": 9})
        assert (status, told["tokens_per_event"], server.board.pace.tokens_per_event) == (200, 9, 9)
        assert (await call(server, "PUT", "keys", {"revoked": ["abcd"]}))[0] == 200
        assert await statuses(server, 1) == [401]
        status, listed = await call(server, "GET", "catalogue")
        assert status == 200
        assert [entry["name"] for entry in listed] == list(CATALOGUE)
        assert listed[0]["where"] == "before_headers"


@pytest.mark.parametrize(
    ("method", "noun", "status"),
    [("GET", "nothing", 404), ("POST", "faults", 405), ("DELETE", "catalogue", 405)],
)
async def test_other_admin_calls_are_refused(method, noun, status):
    async with stand_in() as server:
        assert (await call(server, method, noun))[0] == status
