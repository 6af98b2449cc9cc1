"""Deferred jobs of the real process: kept on the disk, and done whatever happens to it."""

import json
import signal
import subprocess
import sys

import anthropic
import httpx
import pytest

from contract.postgres_cluster import postgres
from support_jobs import ASYNC, BODY, NUMBERS, PROMPT, config, defer, events, running
from support_relay import PATIENCE, anthropic_provider, config_for

ANN, BOB, ACME = "caller-key-of-ann-0001", "caller-key-of-bob-0001", "caller-key-of-acme-001"


@pytest.fixture(scope="module")
def shared_client(shared_stand_in, tmp_path_factory):
    """Of one relay, for tests that do it no harm: with callers, of whom `ann` is asking."""
    directory = tmp_path_factory.mktemp("jobs")
    callers = [
        {"name": "ann", "key": ANN},
        {"name": "bob", "key": BOB},
        {"name": "acme", "key": ACME, "tenant": "acme"},
    ]
    with running(config(shared_stand_in, directory, callers=callers), directory) as client:
        client.headers["x-api-key"] = ANN
        yield client


@pytest.fixture
def client(shared_client, stand_in):
    return shared_client


@pytest.fixture
def own_client(stand_in, tmp_path):
    """Of a relay that the test may do anything to."""
    with running(config(stand_in, tmp_path), tmp_path) as client:
        yield client


def is_asked(attempts):
    """For an answer, not for its list of models."""
    return any(attempt.method == "POST" for attempt in attempts)


def test_what_is_asked_while_nobody_can_answer_is_done_when_somebody_can(stand_in, client):
    stand_in.play({"fault": "overloaded"})
    got = client.post("/v1/messages", json=BODY, headers=ASYNC)
    assert list(got.json()) == [
        "id",
        "status",
        "feature",
        "created_at",
        "expires_at",
        "estimate",
    ]
    location = got.headers["location"]
    with client.stream("GET", f"{location}/events") as stream:
        lines = stream.iter_lines()
        while "event: attempted" not in next(lines):
            pass
        waiting = client.get(f"{location}/result")
        assert waiting.status_code == 202
        assert waiting.json()["status"] in {"queued", "running"}
        stand_in.forget()
        assert "event: succeeded" in list(lines)
    job = client.get(location).json()
    assert (job["status"], job["result"]) == ("succeeded", f"{location}/result")
    result = client.get(job["result"])
    assert result.status_code == 200
    assert result.headers["x-understudy-target"] == "claude/claude-haiku-4-5"
    assert "Xylophonia" in result.json()["content"][0]["text"]


@pytest.mark.parametrize(
    ("path", "stream", "said"),
    [
        ("/v1/messages", False, '"type":"message"'),
        ("/v1/messages", True, "event: message_stop"),
        ("/v1/chat/completions", False, '"object":"chat.completion"'),
        ("/v1/chat/completions", True, "data: [DONE]"),
    ],
)
def test_a_result_is_the_answer_that_the_request_would_have_had(client, path, stream, said):
    direct = client.post(path, json={**BODY, "stream": stream})
    location = defer(client, path, stream=stream)
    assert events(client, location)[-1] == "succeeded"
    result = client.get(f"{location}/result")
    assert result.status_code == direct.status_code == 200
    assert result.headers["content-type"] == direct.headers["content-type"]
    assert said in result.text.replace('": "', '":"')
    # The run stands in the journal like any request.
    run = client.get(f"/v1/requests/{result.headers['x-request-id']}").json()
    assert (run["outcome"], len(run["attempts"])) == ("succeeded", 1)


def test_an_sdk_that_waits_gets_its_message(client):
    with anthropic.Anthropic(base_url=str(client.base_url), api_key=ANN, max_retries=0) as sdk:
        message = sdk.messages.create(
            **BODY, extra_headers={"prefer": "respond-async, wait=30"}, timeout=PATIENCE
        )
    assert "Xylophonia" in message.content[0].text


def test_what_does_not_defer_passes_the_preference_over(stand_in, tmp_path):
    told = config_for(stand_in.url)
    with running(told, tmp_path) as client:
        assert client.post("/v1/messages", json=BODY, headers=ASYNC).status_code == 200
        assert client.get("/v1/jobs/job_1").status_code == 404


def test_counting_tokens_is_no_job(client):
    body = {"model": "f", "messages": BODY["messages"]}
    got = client.post("/v1/messages/count_tokens", json=body, headers=ASYNC)
    assert (got.status_code, "input_tokens" in got.json()) == (200, True)


def test_what_is_wrong_with_a_request_is_said_at_once(client):
    for fields, status in (({"model": "nobody"}, 404), ({"model": 7}, 400)):
        got = client.post("/v1/messages", json={**BODY, **fields}, headers=ASYNC)
        assert got.status_code == status


class TestIdempotency:
    def test_the_same_key_and_body_is_the_same_job_and_the_same_result(self, stand_in, client):
        headers = {"idempotency-key": f"order-{next(NUMBERS)}"}
        said = f"Number {next(NUMBERS)} of the harbour"
        body = {**BODY, "messages": [{"role": "user", "content": said}]}
        first = defer(client, headers=headers, **body)
        assert defer(client, headers=headers, **body) == first
        events(client, first)
        assert defer(client, headers=headers, **body) == first
        waits = {**headers, "prefer": "respond-async, wait=5"}
        again = client.post("/v1/messages", json=body, headers=waits)
        assert again.content == client.get(f"{first}/result").content
        asked = [a for a in stand_in.attempts() if said.encode() in (a.body or b"")]
        assert len(asked) == 1

    def test_another_body_is_refused_in_the_callers_dialect(self, client):
        headers = {**ASYNC, "idempotency-key": f"order-{next(NUMBERS)}"}
        defer(client, headers=headers)
        for path, kind in (
            ("/v1/messages", "invalid_request_error"),
            ("/v1/chat/completions", "invalid_request_error"),
        ):
            other = {**BODY, "max_tokens": 201}
            got = client.post(path, json=other, headers=headers)
            assert got.status_code == 409
            assert got.json()["error"]["type"] == kind
            assert got.json()["error"]["understudy"]["code"] == "idempotency_conflict"

    def test_without_a_key_each_is_a_job_of_its_own(self, client):
        assert defer(client) != defer(client)

    def test_a_key_that_is_none_is_refused(self, client):
        headers = {**ASYNC, "idempotency-key": "x" * 300}
        got = client.post("/v1/messages", json=BODY, headers=headers)
        assert got.status_code == 400
        assert "Idempotency-Key" in got.json()["error"]["message"]


class TestWhoseJobItIs:
    def test_nobody_else_learns_that_there_is_such_a_job(self, client):
        location = defer(client, headers={"x-api-key": ANN})
        for headers in (
            {"x-api-key": BOB},
            {"x-api-key": ACME},
            {"x-api-key": ANN, "x-understudy-tenant": "acme"},
        ):
            for method, part in (
                ("GET", ""),
                ("DELETE", ""),
                ("GET", "/result"),
                ("GET", "/events"),
            ):
                got = client.request(method, location + part, headers=headers)
                assert (got.status_code, got.json()["error"]["code"]) == (404, "job_not_found")
        assert httpx.get(f"{client.base_url}{location}").status_code == 401
        assert client.get(location).status_code == 200

    def test_the_same_idempotency_key_of_two_callers_is_two_jobs(self, client):
        key = {"idempotency-key": f"order-{next(NUMBERS)}"}
        first = defer(client, headers={**key, "x-api-key": ANN})
        second = defer(client, headers={**key, "x-api-key": BOB}, max_tokens=7)
        third = defer(client, headers={**key, "x-api-key": ANN, "x-understudy-tenant": "t"})
        assert len({first, second, third}) == 3

    def test_the_journal_says_that_the_request_was_deferred(self, client):
        got = client.post("/v1/messages", json=BODY, headers=ASYNC)
        record = client.get(f"/v1/requests/{got.headers['x-request-id']}").json()
        assert (record["outcome"], record["attempts"]) == ("deferred", [])
        assert record["ended_at"] is not None


def test_no_key_of_the_callers_is_written_anywhere(stand_in, tmp_path):
    stand_in.play({"fault": "overloaded"})
    told = config(stand_in, tmp_path, callers=[{"name": "ann", "key": ANN}])
    canaries = (ANN, "canary-of-a-key-881", "canary-of-a-user-882")
    with running(told, tmp_path) as client:
        headers = dict(
            zip(("x-api-key", "idempotency-key", "x-understudy-user"), canaries, strict=True)
        )
        defer(client, headers=headers)
        client.relay.kill()
        written = b"".join(path.read_bytes() for path in tmp_path.glob("jobs.db*"))
        assert PROMPT.encode() in written
        for canary in canaries:
            assert canary.encode() not in written
            assert canary not in client.relay.log.text
        assert "Xylophonia" not in client.relay.log.text


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/", "/v1/jobs/x/", "/v1/jobs/x/else"])
def test_there_is_nothing_at_other_paths(client, path):
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    ("method", "part", "allowed"),
    [
        ("POST", "", "GET, HEAD, DELETE"),
        ("DELETE", "/result", "GET, HEAD"),
        ("HEAD", "/events", "GET"),
    ],
)
def test_other_methods_are_refused(client, method, part, allowed):
    got = client.request(method, f"/v1/jobs/x{part}")
    assert (got.status_code, got.headers["allow"]) == (405, allowed)


def test_metrics_tell_the_age_of_the_oldest_before_their_number(stand_in, own_client):
    stand_in.play({"fault": "overloaded"})
    defer(own_client)
    wanted = 'understudy_jobs_queued{feature="f",priority="interactive"} 1.0'
    text = ""
    while wanted not in text:
        text = own_client.get("/metrics").text
    assert text.index("understudy_jobs_oldest_seconds{") < text.index("understudy_jobs_queued{")
    assert 'understudy_jobs_accepted_total{feature="f"} 1.0' in text


class TestTheProcessDies:
    def test_by_sigkill_and_all_that_it_took_is_done_by_the_next(self, stand_in, tmp_path):
        told = config(stand_in, tmp_path)
        stand_in.pace(tokens_per_second=1.0)
        with running(told, tmp_path) as client:
            under_way = defer(client)
            stand_in.until(is_asked)
            stand_in.play({"fault": "overloaded"})
            waiting = [defer(client, max_tokens=n) for n in range(101, 105)]
            client.relay.process.send_signal(signal.SIGKILL)
            client.relay.ended()
        stand_in.pace()
        stand_in.forget()
        with running(told, tmp_path) as client:
            for location in waiting:
                assert events(client, location)[-1] == "succeeded"
                assert client.get(f"{location}/result").status_code == 200
            # What was under way is so until its lease has run out.
            names = events(client, under_way)
            assert names == ["queued", "running", "queued", "running", "succeeded"]

    def test_by_sigterm_and_what_it_gave_back_is_begun_at_once(self, stand_in, tmp_path):
        told = config(stand_in, tmp_path)
        stand_in.pace(tokens_per_second=1.0)
        with running(told, tmp_path, grace="0s") as client:
            location = defer(client)
            stand_in.until(is_asked)
            client.relay.signal(signal.SIGTERM)
            assert client.relay.ended() == 0
        stand_in.pace()
        with running(told, tmp_path) as client:
            assert events(client, location)[-1] == "succeeded"
            assert client.get(location).json()["attempts"] == 1

    def test_and_another_process_beside_it_does_the_rest(self, stand_in, tmp_path):
        with postgres() as cluster:
            told = config(stand_in, tmp_path, store=cluster.database())
            (tmp_path / "two").mkdir()
            with running(told, tmp_path) as one, running(told, tmp_path / "two") as two:
                one.relay.signal(signal.SIGSTOP)
                location = defer(two)
                assert events(two, location)[-1] == "succeeded"
                one.relay.signal(signal.SIGCONT)
                assert one.get(f"{location}/result").status_code == 200
                stand_in.play({"fault": "overloaded"})
                location = defer(one)
                one.relay.kill()
                stand_in.forget()
                assert events(two, location)[-1] == "succeeded"


class TestTheStoreCannotBeOpened:
    def serve(self, told, directory):
        file = directory / "understudy.yaml"
        listen = {"listen": "127.0.0.1:0"}
        file.write_text(json.dumps({"relay": listen, "web": listen, **told}), encoding="utf-8")
        return subprocess.run(
            [sys.executable, "-m", "understudy", "serve", "-c", file],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def test_because_another_process_has_the_file(self, own_client, stand_in, tmp_path):
        (tmp_path / "other").mkdir()
        done = self.serve(config(stand_in, tmp_path), tmp_path / "other")
        assert (done.returncode, done.stdout) == (1, "")
        assert f"in use by process {own_client.relay.process.pid}" in done.stderr
        assert len(done.stderr.splitlines()) == 1

    def test_because_the_configuration_names_none(self, stand_in, tmp_path):
        url = "postgresql://me:hunter2@db"
        done = self.serve(config(stand_in, tmp_path, store=url), tmp_path)
        assert done.returncode == 2
        assert "store" in done.stderr
        assert "hunter2" not in done.stderr


def test_a_reload_says_that_another_store_takes_a_restart(own_client, stand_in, tmp_path):
    told = {**own_client.relay.config, "store": "sqlite:///else.db"}
    own_client.relay.write(told)
    own_client.relay.signal(signal.SIGHUP)
    own_client.relay.log.until(lambda line: '"event": "reloaded"' in line)
    assert "the store changes only with a restart" in own_client.relay.log.text
    assert events(own_client, defer(own_client))[-1] == "succeeded"


def test_a_job_survives_a_reload_that_takes_its_feature_away(own_client, stand_in):
    stand_in.play({"fault": "overloaded"})
    location = defer(own_client)
    config, log = own_client.relay.config, own_client.relay.log
    provider = {"claude": anthropic_provider(stand_in.url, "sk-claude")}
    other = {"providers": provider, "features": {"g": {"targets": ["claude/claude-haiku-4-5"]}}}
    for told in ({**config, **other}, config):
        seen = len(log)
        own_client.relay.write(told)
        own_client.relay.signal(signal.SIGHUP)
        log.until(lambda line: '"event": "reloaded"' in line, after=seen)
    stand_in.forget()
    assert events(own_client, location)[-1] == "succeeded"
