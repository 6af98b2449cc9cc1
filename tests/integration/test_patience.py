"""How long a provider is waited for, and how soon it is spared: silence, breakers, accounts."""

import json

import httpx
import pytest

from support_relay import (
    PATIENCE,
    Relay,
    StandIn,
    anthropic_provider,
    openai_provider,
)
from understudy.mock import Where

CLAUDE, GPT = "claude-haiku-4-5", "gpt-4.1"
PROMPT = "Why do ships keep a logbook?"


@pytest.fixture(scope="module")
def silent(tmp_path_factory):
    with StandIn() as stand_in:
        stand_in.play({"fault": "hang", "where": Where.BEFORE_HEADERS, "key": "-mute"})
        providers = {
            "mute": anthropic_provider(stand_in.url, "sk-mute"),
            "gpt": openai_provider(stand_in.url, "sk-well"),
        }
        targets = [f"mute/{CLAUDE}", f"gpt/{GPT}"]
        features = {
            "patient": {"targets": targets, "first_token": "300ms", "deadline": "120s"},
            "alone": {"targets": targets[:1], "first_token": "300ms", "deadline": "600ms"},
        }
        config = {"providers": providers, "features": features}
        with (
            Relay(config, tmp_path_factory.mktemp("silent")) as relay,
            httpx.Client(base_url=relay.url, timeout=PATIENCE) as client,
        ):
            yield client


class TestSilence:
    """A provider that takes the request and says nothing."""

    def ask(self, client, feature="patient", headers=None, **fields):
        body = {"model": feature, "messages": [{"role": "user", "content": PROMPT}], **fields}
        got = client.post("/v1/messages", json={"max_tokens": 16, **body}, headers=headers)
        return got, client.get(f"/v1/requests/{got.headers['x-request-id']}").json()

    def test_a_stream_moves_on_after_first_token(self, silent):
        got, journal = self.ask(silent, stream=True)
        assert (got.status_code, len(journal["attempts"])) == (200, 2)
        assert journal["attempts"][0]["fault"]["code"] == "first_token_timeout"

    def test_a_whole_answer_moves_on_when_so_few_tokens_should_have_come(self, silent):
        # 300 ms and 16 tokens: far less than half of the deadline, which nobody would wait for.
        got, journal = self.ask(silent, max_tokens=16)
        assert (got.status_code, len(journal["attempts"])) == (200, 2)
        assert journal["attempts"][0]["fault"]["code"] == "answer_timeout"

    def test_a_callers_short_deadline_leaves_time_for_the_second_target(self, silent):
        got, journal = self.ask(silent, max_tokens=4000, headers={"x-understudy-deadline": "2s"})
        assert (got.status_code, len(journal["attempts"])) == (200, 2)

    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_with_nobody_else_the_deadline_is_told(self, silent, stream):
        got, journal = self.ask(silent, "alone", stream=stream)
        error = got.json()["error"]
        assert got.status_code in {503, 504}
        assert error["understudy"]["code"] in {"deadline_exceeded", "no_target_available"}
        assert journal["outcome"] == "failed"
        assert int(got.headers["retry-after"]) >= 1


def test_a_breaker_spares_a_provider_that_keeps_failing(tmp_path):
    with StandIn() as stand_in:
        stand_in.play({"fault": "internal_error", "key": "-ill"})
        providers = {
            "ill": anthropic_provider(stand_in.url, "sk-ill"),
            "gpt": openai_provider(stand_in.url, "sk-well"),
        }
        config = {
            "providers": providers,
            "features": {"f": {"targets": [f"ill/{CLAUDE}", f"gpt/{GPT}"]}},
        }
        body = {"model": "f", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
        with (
            Relay(config, tmp_path) as relay,
            httpx.Client(base_url=relay.url, timeout=PATIENCE) as client,
        ):
            answers = [client.post("/v1/messages", json=body) for _ in range(8)]
            ready = client.get("/health/readiness").json()
            metrics = client.get("/metrics").text
        assert {answer.status_code for answer in answers} == {200}
        assert [a.headers["x-understudy-attempts"] for a in answers] == [*"2222", *"1111"]
        assert len(stand_in.attempts("-ill")) == 4
        assert ready["features"] == {"f": True}
        assert f'understudy_breaker_open{{target="ill@main/{CLAUDE}"}} 1.0' in metrics


def test_every_account_has_its_turn_before_the_next_provider(tmp_path):
    with StandIn() as stand_in:
        stand_in.play({"fault": "rate_limited", "key": "-one"})
        claude = anthropic_provider(stand_in.url, "sk-one")
        claude["accounts"]["second"] = {"api_key": "sk-two"}
        config = {
            "providers": {"claude": claude, "gpt": openai_provider(stand_in.url, "sk-gpt")},
            "features": {"f": {"targets": [f"claude/{CLAUDE}", f"gpt/{GPT}"]}},
        }
        body = {"model": "f", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
        with (
            Relay(config, tmp_path) as relay,
            httpx.Client(base_url=relay.url, timeout=PATIENCE) as client,
        ):
            got = client.post("/v1/messages", json=body)
            told = client.get(f"/v1/requests/{got.headers['x-request-id']}").json()
        assert got.json()["model"] == CLAUDE
        assert [attempt["account"] for attempt in told["attempts"]] == ["main", "second"]
        assert json.dumps(told).count("sk-") == 0
