"""Callers and tenants are held to their limits, and told in the words that their SDKs know."""

import contextlib
import datetime as dt
import json
import re
import signal
import time

import anthropic
import httpx
import openai
import pytest

from contract.postgres_cluster import postgres
from support_relay import PATIENCE, Relay, StandIn, config_for

HELLO = [{"role": "user", "content": "Why do ships keep a logbook?"}]
#: Some 2,000 tokens.
LONG = [{"role": "user", "content": "logbook " * 1_000}]
MINUTE = {"requests_per_minute": 3}
CONSOLE = "console-key-of-the-house-01"
#: Name → limits; each test has a caller of its own, so that none uses up another's.
CALLERS = {
    "free": {},
    "told": {"requests_per_minute": 1_000, "tokens_per_minute": 100_000},
    "told-openai": {"requests_per_minute": 1_000, "tokens_per_minute": 100_000},
    "three-openai-whole": MINUTE,
    "three-openai-stream": MINUTE,
    "three-anthropic": MINUTE,
    "three-responses": MINUTE,
    "three-counted": MINUTE,
    "three-patient": MINUTE,
    "three-patient-openai": MINUTE,
    "three-reloaded": MINUTE,
    "three-jobs": {**MINUTE, "concurrency": 1},
    "three-journal": MINUTE,
    "three-seen": MINUTE,
    "tokens": {"tokens_per_minute": 6_000},
    "tokens-openai": {"tokens_per_minute": 6_000},
    "tokens-failing": {"tokens_per_minute": 6_000},
    "tokens-jobs": {"tokens_per_minute": 6_000},
    "one": {"concurrency": 1},
    "one-leaves": {"concurrency": 1},
    "one-whole": {"concurrency": 1},
    "of-acme": {"requests_per_minute": 100},
    "of-acme-too": {},
}
OF_ACME = {"of-acme", "of-acme-too"}


def key_of(name):
    return f"caller-key-of-{name}-0001"


def callers():
    return [
        {
            "name": name,
            "key": key_of(name),
            "limits": limits,
            **({"tenant": "acme"} if name in OF_ACME else {}),
        }
        for name, limits in CALLERS.items()
    ]


@pytest.fixture(scope="module")
def stand_in():
    with StandIn() as server:
        yield server


@pytest.fixture(autouse=True)
def well(stand_in):
    """Nothing goes wrong, nothing is slow, nothing was asked."""
    stand_in.forget()
    stand_in.pace()


@pytest.fixture(scope="module")
def relay(stand_in, tmp_path_factory):
    directory = tmp_path_factory.mktemp("limits")
    told = config_for(stand_in.url, models=["gpt-4.1"], defer=True)
    tenants = {
        "acme": {"limits": {"requests_per_minute": 4}},
        "*": {"limits": {"requests_per_minute": 2}},
    }
    config = {
        **told,
        "web": {"listen": "127.0.0.1:0", "console_key": CONSOLE},
        "store": f"sqlite:///{directory / 'jobs.db'}",
        "callers": callers(),
        "tenants": tenants,
    }
    with Relay(config, directory) as relay:
        yield relay


@pytest.fixture(scope="module")
def client(relay):
    with httpx.Client(base_url=relay.url, timeout=PATIENCE) as client:
        yield client


@pytest.fixture
def ask(client):
    """A plain request."""

    def post(name, path="/v1/messages", headers=None, **fields):
        body = {"model": "f", "max_tokens": 50, "messages": HELLO, **fields}
        own = {"x-api-key": key_of(name), **(headers or {})}
        return client.post(path, json=body, headers=own)

    return post


@pytest.fixture
def openai_sdk(relay):
    def make(name, retries=0):
        return openai.OpenAI(
            base_url=f"{relay.url}/v1", api_key=key_of(name), max_retries=retries, timeout=PATIENCE
        )

    return make


@pytest.fixture
def claude_sdk(relay):
    def make(name, retries=0):
        return anthropic.Anthropic(
            base_url=relay.url, api_key=key_of(name), max_retries=retries, timeout=PATIENCE
        )

    return make


def limits_in(headers):
    return {name: value for name, value in headers.items() if "ratelimit" in name}


def code_of(got):
    return got.json()["error"]["understudy"]["code"]


def until(condition):
    """Ask again and again, however long it takes."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline


# -- what is told


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_openais_headers_stand_on_every_answer(openai_sdk, stream):
    with openai_sdk("told-openai") as sdk:
        raw = sdk.chat.completions.with_raw_response.create(
            model="gpt-4.1", messages=HELLO, max_completion_tokens=100, stream=stream
        )
        if stream:
            for _ in raw.parse():
                pass
    told = limits_in(raw.headers)
    assert set(told) == {
        f"x-ratelimit-{what}-{unit}"
        for what in ("limit", "remaining", "reset")
        for unit in ("requests", "tokens")
    }
    assert told["x-ratelimit-limit-requests"] == "1000"
    assert 990 < int(told["x-ratelimit-remaining-requests"]) < 1_000
    assert told["x-ratelimit-limit-tokens"] == "100000"
    assert 99_000 < int(told["x-ratelimit-remaining-tokens"]) < 99_900
    assert re.fullmatch(r"[\d.]+m?s", told["x-ratelimit-reset-requests"])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_anthropics_headers_stand_on_every_answer(claude_sdk, stream):
    with claude_sdk("told") as sdk:
        raw = sdk.messages.with_raw_response.create(
            model="f", max_tokens=100, messages=HELLO, stream=stream
        )
        if stream:
            for _ in raw.parse():
                pass
    told = limits_in(raw.headers)
    assert set(told) == {
        f"anthropic-ratelimit-{unit}-{what}"
        for what in ("limit", "remaining", "reset")
        for unit in ("requests", "tokens")
    }
    assert told["anthropic-ratelimit-requests-limit"] == "1000"
    assert 99_000 < int(told["anthropic-ratelimit-tokens-remaining"]) < 99_900
    reset = dt.datetime.fromisoformat(told["anthropic-ratelimit-tokens-reset"])
    assert 0 <= reset.timestamp() - time.time() <= 61


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_who_has_no_limits_is_told_of_none_not_even_of_the_providers(ask, path):
    got = ask("free", path)
    assert got.status_code == 200
    assert limits_in(got.headers) == {}


def test_an_error_of_the_provider_tells_them_too(ask, stand_in):
    stand_in.play({"fault": "overloaded"})
    got = ask("told")
    assert got.status_code == 503
    assert "anthropic-ratelimit-requests-remaining" in got.headers


# -- requests


def use_up(ask, name, path="/v1/messages", **fields):
    for _ in range(3):
        assert ask(name, path, **fields).status_code == 200


def test_anthropics_sdk_raises_its_rate_limit_error(ask, claude_sdk, stand_in, client):
    use_up(ask, "three-anthropic")
    asked = len(stand_in.attempts())
    with claude_sdk("three-anthropic") as sdk, pytest.raises(anthropic.RateLimitError) as caught:
        sdk.messages.create(model="f", max_tokens=50, messages=HELLO)
    error, headers = caught.value.body["error"], caught.value.response.headers
    assert error["type"] == "rate_limit_error"
    assert error["message"].startswith("This key may make 3 requests a minute, and has made them")
    assert error["understudy"]["code"] == "caller_request_limit"
    assert error["understudy"]["retry_after"] == int(headers["retry-after"])
    assert 15 <= int(headers["retry-after"]) <= 20
    assert headers["x-should-retry"] == "true"
    assert headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert headers["request-id"] == caught.value.request_id
    # Nobody was asked for it, and nothing was held against anybody.
    assert len(stand_in.attempts()) == asked
    assert 'understudy_rejected_requests_total{code="caller_request_limit"}' in (
        client.get("/metrics").text
    )


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_openais_sdk_raises_its_rate_limit_error(ask, openai_sdk, stream):
    name = f"three-openai-{'stream' if stream else 'whole'}"
    use_up(ask, name, "/v1/chat/completions")
    with openai_sdk(name) as sdk, pytest.raises(openai.RateLimitError) as caught:
        sdk.chat.completions.create(model="f", messages=HELLO, stream=stream)
    error = caught.value
    assert (error.code, error.type) == ("rate_limit_exceeded", "requests")
    assert error.body["understudy"]["code"] == "caller_request_limit"
    assert error.response.headers["x-ratelimit-remaining-requests"] == "0"
    assert error.response.headers["x-ratelimit-reset-requests"].endswith("s")


def test_the_responses_dialect_as_well(openai_sdk):
    with openai_sdk("three-responses") as sdk:
        for _ in range(3):
            sdk.responses.create(model="f", input="Hello")
        with pytest.raises(openai.RateLimitError) as caught:
            sdk.responses.create(model="f", input="Hello")
    assert (caught.value.code, caught.value.type) == ("rate_limit_exceeded", "requests")


@pytest.mark.parametrize("vendor", ["anthropic", "openai"])
def test_the_sdks_ask_again_when_they_were_told_to(
    ask, claude_sdk, openai_sdk, stand_in, vendor, monkeypatch
):
    name = "three-patient" if vendor == "anthropic" else "three-patient-openai"
    use_up(ask, name)
    asked, waited = len(stand_in.attempts()), []
    monkeypatch.setattr(time, "sleep", waited.append)
    if vendor == "anthropic":
        with claude_sdk(name, retries=2) as sdk, pytest.raises(anthropic.RateLimitError):
            sdk.messages.create(model="f", max_tokens=50, messages=HELLO)
    else:
        with openai_sdk(name, retries=2) as sdk, pytest.raises(openai.RateLimitError):
            sdk.chat.completions.create(model="f", messages=HELLO)
    assert len(waited) == 2
    assert all(15 <= seconds <= 20 for seconds in waited)
    assert len(stand_in.attempts()) == asked


def test_counting_tokens_is_a_request_and_no_more(ask):
    for _ in range(3):
        got = ask("three-counted", "/v1/messages/count_tokens", max_tokens=None)
        assert got.status_code == 200
    assert got.headers["anthropic-ratelimit-requests-remaining"] == "0"
    got = ask("three-counted")
    assert (got.status_code, code_of(got)) == (429, "caller_request_limit")


def test_what_is_asked_about_requests_is_none(ask, client):
    use_up(ask, "three-journal")
    headers = {"x-api-key": key_of("three-journal")}
    assert client.get("/v1/models", headers=headers).status_code == 200
    assert client.get("/v1/requests/req_0", headers=headers).status_code == 404


def test_operators_see_who_is_refused(ask, relay):
    use_up(ask, "three-seen")
    assert ask("three-seen").status_code == 429
    headers = {"authorization": f"Bearer {CONSOLE}"}
    health = httpx.get(f"{relay.web}/admin/api/health", headers=headers).json()
    (seen,) = [one for one in health["limited"] if one["key"] == "caller:three-seen"]
    assert (seen["limit"], seen["requests_left"], seen["under_way"]) == ("requests", 0, 0)


# -- tokens


def test_tokens_are_kept_for_a_request_and_what_was_not_used_is_given_back(ask):
    for _ in range(4):
        got = ask("tokens", max_tokens=5_000)
        assert got.status_code == 200
        assert int(got.headers["anthropic-ratelimit-tokens-remaining"]) < 1_000
    assert int(ask("tokens").headers["anthropic-ratelimit-tokens-remaining"]) > 3_000


def test_what_failed_costs_no_tokens(ask, stand_in):
    stand_in.play({"fault": "overloaded"})
    for _ in range(3):
        assert ask("tokens-failing", max_tokens=5_800).status_code == 503


# -- concurrency

#: Slow enough to be under way while another is asked for.
SLOW = {"tokens_per_second": 20.0}


@contextlib.contextmanager
def under_way(client, name, **fields):
    body = {"model": "f", "max_tokens": 400, "stream": True, "messages": HELLO, **fields}
    headers = {"x-api-key": key_of(name)}
    with client.stream("POST", "/v1/messages", json=body, headers=headers) as stream:
        assert stream.status_code == 200
        lines = stream.iter_lines()
        next(lines)
        yield lines


def test_a_stream_counts_until_its_end(ask, client, stand_in):
    stand_in.pace(tokens_per_second=200.0)
    with under_way(client, "one") as lines:
        got = ask("one")
        assert (got.status_code, code_of(got)) == (429, "caller_concurrency_limit")
        assert got.headers["retry-after"] == "1"
        assert ask("one", "/v1/messages/count_tokens", max_tokens=None).status_code == 200
        assert any("message_stop" in line for line in lines)
    assert ask("one").status_code == 200


def test_a_caller_who_leaves_has_room_again_at_once(ask, relay, stand_in):
    stand_in.pace(**SLOW)
    body = json.dumps({"model": "f", "max_tokens": 400, "stream": True, "messages": HELLO})
    with relay.connect() as raw:
        raw.send(
            f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {key_of('one-leaves')}\r\n"
            f"content-length: {len(body)}\r\n\r\n{body}"
        )
        assert raw.head().status == 200
        assert ask("one-leaves").status_code == 429
    stand_in.pace()
    until(lambda: ask("one-leaves").status_code == 200)


def test_a_request_that_failed_has_room_again(ask, stand_in):
    stand_in.play({"fault": "overloaded"})
    for stream in (False, True, False):
        assert ask("one-whole", stream=stream).status_code == 503


def test_tokens_are_kept_while_a_request_is_under_way(client, openai_sdk, stand_in):
    stand_in.pace(**SLOW)
    with (
        under_way(client, "tokens-openai", max_tokens=5_900),
        openai_sdk("tokens-openai") as sdk,
        pytest.raises(openai.RateLimitError) as caught,
    ):
        sdk.chat.completions.create(model="f", messages=HELLO, max_completion_tokens=2_000)
    assert (caught.value.code, caught.value.type) == ("rate_limit_exceeded", "tokens")
    assert caught.value.body["understudy"]["code"] == "caller_token_limit"
    assert "may use 6,000 tokens a minute" in caught.value.body["message"]


# -- tenants


def test_callers_of_one_tenant_share_what_is_its(ask):
    assert [ask(name).status_code for name in ("of-acme", "of-acme-too") * 2] == [200] * 4
    got = ask("of-acme-too")
    assert (got.status_code, code_of(got)) == (429, "tenant_request_limit")
    assert "The tenant 'acme' may make 4 requests a minute" in got.json()["error"]["message"]
    got = ask("of-acme")
    assert got.headers["anthropic-ratelimit-requests-limit"] == "4"


def test_each_tenant_without_an_entry_has_what_everyone_else_has(ask):
    for tenant in ("one of many", "another"):
        headers = {"x-understudy-tenant": tenant}
        got = [ask("free", headers=headers) for _ in range(3)]
        assert [one.status_code for one in got] == [200, 200, 429]
        assert got[0].headers["anthropic-ratelimit-requests-limit"] == "2"
    assert ask("free").status_code == 200


# -- settings


def test_a_reload_keeps_what_is_used(ask, relay):
    use_up(ask, "three-reloaded")
    told = json.loads(relay.file.read_text())
    for caller in told["callers"]:
        if caller["name"] == "three-reloaded":
            caller["limits"] = {"requests_per_minute": 4}
    seen = len(relay.log)
    relay.file.write_text(json.dumps(told))
    relay.signal(signal.SIGHUP)
    relay.log.until(lambda line: '"event": "reloaded"' in line, after=seen)
    assert [ask("three-reloaded").status_code for _ in range(2)] == [200, 429]


# -- jobs

ASYNC = {"prefer": "respond-async"}


def test_a_job_is_a_request_when_it_is_accepted_and_its_run_is_none(ask, client, stand_in):
    stand_in.pace(tokens_per_second=100.0)
    got = [ask("three-jobs", headers=ASYNC, max_tokens=200) for _ in range(4)]
    assert [one.status_code for one in got] == [202, 202, 202, 429]
    assert got[0].headers["anthropic-ratelimit-requests-remaining"] == "2"
    assert code_of(got[3]) == "caller_request_limit"
    headers = {"x-api-key": key_of("three-jobs")}
    for one in got[:3]:
        location = one.headers["location"]
        with client.stream("GET", f"{location}/events", headers=headers) as stream:
            assert "event: succeeded" in list(stream.iter_lines())
        result = client.get(f"{location}/result", headers=headers)
        assert result.status_code == 200
        # What was left when it ran is of no use to who reads it later.
        assert limits_in(result.headers) == {}


def test_the_same_job_asked_for_again_costs_no_tokens(ask):
    for _ in range(4):
        got = ask("tokens-jobs", headers={**ASYNC, "idempotency-key": "order-1"}, max_tokens=2_500)
        assert got.status_code == 202


# -- two processes


@contextlib.contextmanager
def two_processes(stand_in, directory):
    """Two relays over one PostgreSQL, and a client of each."""
    with postgres() as cluster, contextlib.ExitStack() as stack:
        config = {
            **config_for(stand_in.url),
            "store": cluster.database(),
            "callers": callers(),
        }
        clients = []
        for name in ("one", "two"):
            (directory / name).mkdir()
            relay = stack.enter_context(Relay(config, directory / name))
            client = httpx.Client(base_url=relay.url, timeout=PATIENCE)
            clients.append(stack.enter_context(client))
        yield clients


def test_two_processes_hold_a_caller_to_one_limit(stand_in, tmp_path):
    def ask(client, name, **fields):
        body = {"model": "f", "max_tokens": 5, "messages": HELLO, **fields}
        return client.post("/v1/messages", json=body, headers={"x-api-key": key_of(name)})

    with two_processes(stand_in, tmp_path) as (one, two):
        stand_in.pace(**SLOW)
        with under_way(one, "one"):
            until(lambda: ask(two, "one").status_code == 429)
        until(lambda: ask(two, "one").status_code == 200)
        with under_way(one, "tokens", max_tokens=5_900):
            until(lambda: ask(two, "tokens", messages=LONG).status_code == 429)
        until(lambda: ask(two, "tokens", messages=LONG).status_code == 200)
