"""Who may call, what each caller may have, and what nobody is ever shown."""

import json

import httpx
import pytest

from support_relay import (
    PATIENCE,
    Relay,
    Scripted,
    StandIn,
    anthropic_provider,
    openai_provider,
    response,
)

CLAUDE, GPT = "claude-haiku-4-5", "gpt-4.1"
PLAIN, OTHER = "caller-key-plain-0001", "caller-key-other-0001"
ACME, STRICT = "caller-key-acme-00001", "caller-key-strict-0001"
PROVIDER_KEYS = ("sk-canary-claude-7f3a", "sk-canary-gpt-91bc", "sk-canary-ill-44de")
PROMPT = "The canary Xylophonia sings of zanzibar-7731 at dawn."
WORDS = ("Xylophonia", "zanzibar-7731")
PATHS = ("/v1/messages", "/v1/chat/completions")

both = pytest.mark.parametrize("path", PATHS)


@pytest.fixture(scope="module")
def stand_in():
    with StandIn() as server:
        server.play({"fault": "overloaded", "key": PROVIDER_KEYS[2][-4:]})
        yield server


@pytest.fixture(scope="module")
def relay(stand_in, tmp_path_factory):
    claude, gpt, ill = PROVIDER_KEYS
    url = stand_in.url
    config = {
        "providers": {
            "claude": anthropic_provider(url, claude),
            "gpt": openai_provider(url, gpt),
            "ill": anthropic_provider(url, ill),
        },
        "features": {
            "chat": {"targets": [f"claude/{CLAUDE}", f"gpt/{GPT}"], "models": ["claude-*"]},
            "gpt-chat": {"targets": [f"gpt/{GPT}"], "models": ["gpt-*"]},
            "falls": {"targets": [f"ill/{CLAUDE}", f"gpt/{GPT}"]},
            "falls-same": {
                "targets": [f"ill/{CLAUDE}", {"use": f"claude/{CLAUDE}", "tier": "same"}]
            },
        },
        "callers": [
            {"name": "caller-plain", "key": PLAIN},
            {"name": "caller-other", "key": OTHER},
            {"name": "caller-acme", "key": ACME, "tenant": "acme"},
            {"name": "caller-strict", "key": STRICT, "tenant": "strict"},
        ],
        "tenants": {
            "acme": {"providers": ["claude", "ill"]},
            "strict": {"substitutes": False},
        },
    }
    with Relay(config, tmp_path_factory.mktemp("auth")) as relay:
        yield relay


@pytest.fixture(scope="module")
def client(relay):
    with httpx.Client(base_url=relay.url, timeout=PATIENCE) as client:
        yield client


@pytest.fixture(scope="module")
def ask(client):
    """Ask for an answer with a key, as x-api-key unless `headers` say otherwise."""

    def post(path="/v1/messages", model="chat", key=PLAIN, headers=None, prompt=PROMPT, **fields):
        body = {"model": model, "max_tokens": 50, **fields}
        body["messages"] = [{"role": "user", "content": prompt}]
        own = {} if key is None else {"x-api-key": key}
        return client.post(path, json=body, headers={**own, **(headers or {})})

    return post


def code_of(got):
    return got.json()["error"]["understudy"]["code"]


class TestKeys:
    @both
    @pytest.mark.parametrize(
        "headers",
        [
            {"x-api-key": PLAIN},
            {"authorization": f"Bearer {PLAIN}"},
            {"authorization": f"bearer  {PLAIN}"},
            {"AUTHORIZATION": f"BEARER {PLAIN}"},
        ],
        ids=["x-api-key", "bearer", "two-spaces", "capitals"],
    )
    def test_a_right_key_is_taken_in_either_header(self, ask, path, headers):
        assert ask(path, key=None, headers=headers).status_code == 200

    @both
    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"x-api-key": ""},
            {"x-api-key": "caller-key-plain-0002"},
            {"x-api-key": f"{PLAIN} x"},
            {"authorization": "Bearer"},
            {"authorization": f"Basic {PLAIN}"},
            {"authorization": "Bearer caller-key-plain-0002"},
            {"authorization": PLAIN[:-1]},
            {"x-api-key": PROVIDER_KEYS[0]},
            # What is kept of a key is no key.
            {"x-api-key": "sha256:3b0a7d"},
        ],
        ids=str,
    )
    def test_anything_else_is_401_in_the_dialects_shape(self, ask, path, headers):
        got = ask(path, key=None, headers=headers)
        assert got.status_code == 401
        assert got.headers["www-authenticate"].startswith("Bearer")
        error = got.json()["error"]
        if path == "/v1/messages":
            assert (got.json()["type"], error["type"]) == ("error", "authentication_error")
        else:
            assert error["code"] == "invalid_api_key"

    @pytest.mark.parametrize(
        "path", ["/v1/models", "/v1/requests/req_1", "/v1/jobs/1", "/v1/responses", "/nothing", "/"]
    )
    def test_without_a_key_nothing_tells_what_is_there(self, client, path):
        assert client.get(path).status_code == 401

    @pytest.mark.parametrize(
        "path", ["/health/liveness", "/health/liveliness", "/health/readiness", "/metrics"]
    )
    def test_probes_need_no_key(self, client, path):
        assert client.get(path).status_code == 200

    def test_the_callers_key_stays_here(self, stand_in, ask):
        ask(headers={"authorization": f"Bearer {OTHER}"})
        last = stand_in.attempts()[-1]
        assert PROVIDER_KEYS[0].endswith(last.key)


class TestWhatNobodyIsShown:
    @pytest.fixture(scope="class")
    @classmethod
    def traces(cls, relay, client, ask, stand_in):
        """All that the product says anywhere after requests of every kind of end."""
        asked = [
            ("chat", PLAIN),
            ("falls", PLAIN),
            ("falls-same", STRICT),
            ("falls", ACME),
            ("unknown", PLAIN),
            ("chat", "no-such-key"),
        ]
        answers = [
            ask(path, model, key, stream=stream)
            for path in PATHS
            for stream in (False, True)
            for model, key in asked
        ]
        for path in PATHS:
            body = {"model": "chat", "max_tokens": 5, "messages": [{"role": "user"}]}
            answers.append(client.post(path, json=body, headers={"x-api-key": PLAIN}))
            quoted = {"fault": "invalid_request", "key": PROVIDER_KEYS[0][-4:]}
            stand_in.play(quoted)
            answers.append(ask(path, "chat", PLAIN, prompt=f"{PROMPT} {PLAIN}"))
            stand_in.play({"fault": "overloaded", "key": PROVIDER_KEYS[2][-4:]})
        told = {answer.status_code for answer in answers}
        assert {200, 400, 401, 404} <= told
        own = {"x-api-key": PLAIN}
        journal = [
            client.get(f"/v1/requests/{answer.headers['x-request-id']}", headers=own).text
            for answer in answers
        ]
        return {
            "log": relay.log.text,
            "output": relay.out.text,
            "metrics": client.get("/metrics").text,
            "journal": "\n".join(journal),
            "page": httpx.get(relay.web, timeout=PATIENCE).text,
            "models": client.get("/v1/models", headers=own).text,
        }

    @pytest.mark.parametrize("place", ["log", "output", "metrics", "journal", "page", "models"])
    def test_no_key_and_no_prompt_anywhere(self, traces, place):
        told = traces[place]
        assert told
        for secret in (PLAIN, OTHER, ACME, STRICT, "no-such-key", *PROVIDER_KEYS, *WORDS):
            assert secret not in told
            assert secret[6:] not in told

    def test_the_log_tells_of_failures_all_the_same(self, traces):
        events = [json.loads(line) for line in traces["log"].splitlines()]
        faults = [event["fault"]["kind"] for event in events if event["event"] == "attempt"]
        assert "overload" in faults

    def test_callers_are_not_named_where_no_key_is_asked_for(self, traces):
        for place in ("metrics", "page"):
            assert "caller-" not in traces[place]


def test_a_providers_error_that_quotes_the_prompt_goes_to_its_caller_alone(tmp_path):
    quoting = {"error": {"message": f"Invalid value: '{PROMPT}'", "type": "invalid_request_error"}}
    with Scripted(response(json.dumps(quoting).encode(), 400)) as provider:
        config = {
            "providers": {"gpt": openai_provider(provider.url, "sk-canary-scripted")},
            "features": {"chat": {"targets": [f"gpt/{GPT}"]}},
        }
        with Relay(config, tmp_path) as relay:
            body = {"model": "chat", "messages": [{"role": "user", "content": PROMPT}]}
            with httpx.Client(base_url=relay.url, timeout=PATIENCE) as client:
                got = client.post("/v1/chat/completions", json=body)
                request_id = got.headers["x-request-id"]
                journal = client.get(f"/v1/requests/{request_id}").text
                metrics = client.get("/metrics").text
            relay.log.until(lambda line: request_id in line and '"event": "request"' in line)
            told = relay.log.text + journal + metrics
        assert PROMPT in got.json()["error"]["message"]
        for word in (*WORDS, "sk-canary-scripted"):
            assert word not in told


class TestJournals:
    def test_a_caller_reads_its_own_and_no_others(self, ask, client):
        request_id = ask(key=PLAIN).headers["x-request-id"]
        own = client.get(f"/v1/requests/{request_id}", headers={"x-api-key": PLAIN})
        others = client.get(f"/v1/requests/{request_id}", headers={"x-api-key": OTHER})
        nothing = client.get("/v1/requests/req_nothing", headers={"x-api-key": OTHER})
        assert (own.status_code, own.json()["caller"]) == (200, "caller-plain")
        assert (others.status_code, nothing.status_code) == (404, 404)
        # Not even that there is such a request.
        told = [got.json()["error"]["message"] for got in (others, nothing)]
        assert told[0] == told[1]

    def test_the_journal_has_the_fields_of_the_contract_and_no_more(self, ask, client):
        request_id = ask(model="falls", key=PLAIN).headers["x-request-id"]
        told = client.get(f"/v1/requests/{request_id}", headers={"x-api-key": PLAIN}).json()
        assert list(told) == [
            "id", "feature", "tenant", "caller", "started_at", "ended_at", "outcome", "attempts",
        ]  # fmt: skip
        for attempt in told["attempts"]:
            assert set(attempt) == {
                "target", "account", "tier", "why", "started_at", "first_content_ms", "ended_ms",
                "result", "fault", "from_char",
            }  # fmt: skip
        assert told["started_at"].endswith("Z")


class TestTenants:
    @both
    def test_a_provider_that_is_not_the_tenants_is_never_asked(self, ask, stand_in, path):
        before = len(stand_in.attempts(PROVIDER_KEYS[1]))
        assert ask(path, "gpt-chat", ACME).status_code == 403
        assert ask(path, "falls", ACME).status_code == 503
        assert ask(path, "chat", ACME).status_code == 200
        assert len(stand_in.attempts(PROVIDER_KEYS[1])) == before

    @both
    def test_a_tenant_without_substitutes_gets_the_same_tier_or_nothing(self, ask, path):
        same = ask(path, "falls-same", STRICT)
        assert (same.status_code, same.headers["x-understudy-tier"]) == (200, "same")
        assert ask(path, "falls", STRICT).status_code == 503

    @both
    def test_a_keys_tenant_cannot_be_changed(self, ask, path):
        got = ask(path, key=ACME, headers={"x-understudy-tenant": "strict"})
        assert (got.status_code, code_of(got)) == (403, "tenant_not_allowed")
        assert ask(path, key=ACME, headers={"x-understudy-tenant": "acme"}).status_code == 200

    def test_a_caller_without_a_tenant_names_the_one_it_calls_for(self, ask, client):
        headers = {"x-understudy-tenant": "acme"}
        assert ask(model="gpt-chat", headers=headers).status_code == 403
        request_id = ask(headers=headers).headers["x-request-id"]
        told = client.get(f"/v1/requests/{request_id}", headers={"x-api-key": PLAIN}).json()
        assert told["tenant"] == "acme"


class TestRequestHeaders:
    def test_the_feature_of_the_header_wins_over_the_model(self, ask):
        got = ask(model="gpt-4.1", headers={"x-understudy-feature": "chat"})
        assert got.headers["x-understudy-feature"] == "chat"
        assert got.json()["model"] == CLAUDE

    def test_an_unknown_feature_is_told_those_there_are(self, ask):
        got = ask(headers={"x-understudy-feature": "nope"})
        assert (got.status_code, code_of(got)) == (404, "unknown_feature")
        assert "chat, gpt-chat, falls" in got.json()["error"]["message"]

    @both
    def test_a_caller_that_takes_the_same_tier_only_gets_no_substitute(self, ask, path):
        headers = {"x-understudy-tiers": "same"}
        assert ask(path, "falls", headers=headers).status_code == 503
        both_tiers = {"x-understudy-tiers": "same, substitute"}
        got = ask(path, "falls", headers=both_tiers)
        assert (got.status_code, got.headers["x-understudy-tier"]) == (200, "substitute")

    @pytest.mark.parametrize(
        ("header", "value"),
        [
            ("x-understudy-tiers", "better"),
            ("x-understudy-tiers", ""),
            ("x-understudy-deadline", "soon"),
            ("x-understudy-deadline", "0s"),
            ("x-understudy-deadline", "-1s"),
            ("x-understudy-deadline", "20"),
            ("x-understudy-deadline", "99999999999999999999h"),
        ],
    )
    def test_a_header_that_makes_no_sense_is_refused_by_name(self, ask, header, value):
        got = ask(headers={header: value})
        if value.startswith("999"):  # Longer than the feature's own deadline, which stands.
            assert got.status_code in {200, 400}
            return
        assert got.status_code == 400
        assert header in got.json()["error"]["message"]

    def test_a_deadline_ends_the_wait(self, stand_in, ask):
        stand_in.play({"fault": "hang", "where": "before_headers", "model": GPT})
        try:
            got = ask(
                "/v1/chat/completions", "gpt-chat", headers={"x-understudy-deadline": "300ms"}
            )
        finally:
            stand_in.play({"fault": "overloaded", "key": PROVIDER_KEYS[2][-4:]})
        assert (got.status_code, code_of(got)) == (504, "deadline_exceeded")
        assert got.headers["x-should-retry"] == "false"

    def fail(self, ask, headers):
        """A request that something happens to, so that the log tells of it."""
        return ask(model="falls", headers={"x-understudy-tiers": "same", **headers})

    def test_a_user_is_logged_as_a_digest(self, relay, ask):
        got = self.fail(ask, {"x-understudy-user": "mrs-canary@example.com"})
        request_id = got.headers["x-request-id"]
        line = relay.log.until(lambda line: request_id in line and '"event": "request"' in line)
        user = json.loads(line)["user"]
        assert user
        assert "canary" not in user
        assert "mrs-canary" not in relay.log.text

    def test_a_trace_id_is_logged_so_that_both_sides_find_it(self, relay, ask):
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        got = self.fail(ask, {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
        request_id = got.headers["x-request-id"]
        line = relay.log.until(lambda line: request_id in line and '"event": "request"' in line)
        assert json.loads(line)["trace"] == trace
