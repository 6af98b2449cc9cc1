"""Probes of a real process: after one caller's failure nobody else need meet the sick provider."""

import httpx
import pytest

from support_relay import PATIENCE, Relay, StandIn, anthropic_provider, openai_provider

CLAUDE, GPT = "claude-haiku-4-5", "gpt-4.1"
BODY = {"model": "f", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def stand_in():
    with StandIn() as found:
        yield found


@pytest.fixture
def client(stand_in, tmp_path):
    providers = {
        "ill": {**anthropic_provider(stand_in.url, "sk-ill"), "probes": True},
        "gpt": {**openai_provider(stand_in.url, "sk-well"), "probes": True},
    }
    targets = [f"ill/{CLAUDE}", f"gpt/{GPT}"]
    config = {"providers": providers, "features": {"f": {"targets": targets}}}
    with (
        Relay(config, tmp_path) as relay,
        httpx.Client(base_url=relay.url, timeout=PATIENCE) as client,
    ):
        yield client


def _asked(attempts, key="-ill"):
    return sum(attempt.key.endswith(key) for attempt in attempts)


def test_one_callers_failure_is_enough(stand_in, client):
    stand_in.play({"fault": "internal_error", "key": "-ill"})
    first = client.post("/v1/messages", json=BODY)
    assert (first.status_code, first.headers["x-understudy-attempts"]) == (200, "2")
    # The caller's own, and three probes, a second apart: nobody else has called meanwhile.
    stand_in.until(lambda attempts: _asked(attempts) == 4)
    metrics = ""
    while f'understudy_breaker_open{{target="ill@main/{CLAUDE}"}} 1.0' not in metrics:
        metrics = client.get("/metrics").text
    second = client.post("/v1/messages", json=BODY)
    assert (second.status_code, second.headers["x-understudy-attempts"]) == (200, "1")
    assert _asked(stand_in.attempts()) == 4


def test_a_probe_is_no_callers_request(stand_in, client):
    stand_in.play({"fault": "internal_error", "key": "-ill", "times": 1})
    client.post("/v1/messages", json=BODY)
    stand_in.until(lambda attempts: _asked(attempts) == 2)
    metrics = client.get("/metrics").text
    assert 'understudy_requests_total{feature="f",outcome="succeeded"} 1.0' in metrics
    assert 'feature="probe"' not in metrics


def test_without_probes_only_callers_requests_are_evidence(stand_in, tmp_path):
    stand_in.play({"fault": "internal_error", "key": "-ill"})
    providers = {
        "ill": {**anthropic_provider(stand_in.url, "sk-ill"), "probes": False},
        "gpt": openai_provider(stand_in.url, "sk-well"),
    }
    targets = [f"ill/{CLAUDE}", f"gpt/{GPT}"]
    config = {"providers": providers, "features": {"f": {"targets": targets}}}
    with (
        Relay(config, tmp_path) as relay,
        httpx.Client(base_url=relay.url, timeout=PATIENCE) as client,
    ):
        for asked in (1, 2, 3, 4, 4):
            assert client.post("/v1/messages", json=BODY).status_code == 200
            assert _asked(stand_in.attempts()) == asked
