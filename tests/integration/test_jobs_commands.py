"""`understudy jobs`, and the operator's API of jobs: everybody's jobs, and the content of none."""

import contextlib
import functools
import json
import os
import re
import signal
import subprocess
import sys

import httpx
import pytest

from support_jobs import CANARIES, config, defer, events, running
from support_relay import PATIENCE, StandIn
from understudy.cli import run
from understudy.config import load

KEY = "console-key-of-the-operators"
ANN = "caller-key-of-ann-0001"


@contextlib.contextmanager
def house(stand_in, directory):
    """A relay with an operator, and two features that take jobs; what `ann` asks of it."""
    stand_in.play({"fault": "overloaded"})
    told = config(stand_in, directory, callers=[{"name": "ann", "key": ANN}])
    told["features"]["g"] = {**told["features"]["f"], "priority": "background"}
    told["web"] = {"listen": "127.0.0.1:0", "console_key": KEY}
    with running(told, directory) as client:
        client.headers["x-api-key"] = ANN
        client.stand_in = stand_in
        yield client


@pytest.fixture(scope="module")
def shared_client(tmp_path_factory):
    """Of a relay that can serve nobody, ever."""
    with StandIn() as stand_in, house(stand_in, tmp_path_factory.mktemp("jobs")) as client:
        yield client


@pytest.fixture
def client(shared_client):
    """The same, where no job waits."""
    for feature in "fg":
        assert api(shared_client, "POST", "/cancel", json={"feature": feature}).status_code == 200
    return shared_client


@pytest.fixture
def own_client(tmp_path):
    """Of a relay that can serve nobody until its stand-in forgets why."""
    with StandIn() as stand_in, house(stand_in, tmp_path) as client:
        yield client


@pytest.fixture
def command(monkeypatch, capsys):
    """A command about the relay of a client: exit code, standard output, standard error."""
    monkeypatch.setenv("UNDERSTUDY_CONSOLE_KEY", KEY)

    def command(client, *words):
        capsys.readouterr()
        code = run(["jobs", *words, "--url", client.relay.web])
        return code, *capsys.readouterr()

    return command


@pytest.fixture
def call(client, command):
    """The same, about the shared one."""
    return functools.partial(command, client)


def ask(client, feature="f", tenant=None, **fields):
    """The id of a job that waits."""
    headers = {} if tenant is None else {"x-understudy-tenant": tenant}
    return defer(client, headers=headers, model=feature, **fields).rpartition("/")[2]


def api(client, method, path, key=KEY, **options):
    headers = {"authorization": f"Bearer {key}"}
    url = f"{client.relay.web}/admin/api/jobs{path}"
    return httpx.request(method, url, headers=headers, timeout=PATIENCE, **options)


def listed(call, made, *words):
    """Which of the jobs that the test has made are listed, in order."""
    code, out, _ = call("list", "--json", *words)
    assert code == 0
    ids = [job["id"] for job in json.loads(out)["jobs"]]
    return [job for job in ids if job in made]


class TestList:
    def test_by_feature_tenant_and_status_newest_or_oldest_first(self, client, call):
        a, b, c = ask(client), ask(client, "g", "acme"), ask(client, tenant="globex")
        gone = ask(client)
        client.delete(f"/v1/jobs/{gone}")
        made = {a, b, c, gone}
        assert listed(call, made) == [gone, c, b, a]
        assert listed(call, made, "--oldest", "--limit", "1000") == [a, b, c, gone]
        assert listed(call, made, "--limit", "2") == [gone, c]
        assert listed(call, made, "--feature", "g") == [b]
        assert listed(call, made, "--tenant", "globex") == [c]
        assert listed(call, made, "--tenant", "") == [gone, a]
        assert listed(call, made, "--status", "cancelled") == [gone]
        alive = listed(call, made, "--status", "queued", "--status", "running")
        assert alive == [c, b, a]

    def test_the_table_tells_ages_before_numbers_and_what_holds_them_up(self, client, call):
        job = ask(client, tenant="acme")
        out = ""
        while "overload" not in out or "1 wait" not in out:
            _, out, _ = call("list")
        head, lanes, rows = out.split("\n\n")[:3]
        assert head.index("the oldest waits") < head.index("1 wait")
        assert lanes.split()[:3] == ["OLDEST", "WAIT", "RUN"]
        assert "HELD UP BY" in lanes
        assert "acme" in lanes
        assert rows.split()[0] == "AGE"
        assert job in rows
        assert "ann" in rows

    def test_pages_follow_one_another(self, client, call):
        made = [ask(client, tenant="pages") for _ in range(5)]
        found, after = [], None
        while True:
            more = {} if after is None else {"after": after}
            asked = {"limit": 2, "order": "oldest", "tenant": "pages", **more}
            page = api(client, "GET", "", params=asked).json()
            found += [job["id"] for job in page["jobs"]]
            after = page["after"]
            if after is None:
                break
        assert found == made
        assert "There are more" in call("list", "--limit", "2")[1]

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("status=lost", "status"),
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("limit=-1", "limit"),
            ("order=random", "order"),
            ("after=xyz", "after"),
            ("after=%C3%A4", "after"),
            ("prompt=x", "prompt"),
        ],
    )
    def test_what_can_not_be_asked_is_named(self, client, query, field):
        got = api(client, "GET", f"?{query}")
        assert (got.status_code, got.json()["error"]["field"]) == (400, field)

    def test_a_slip_of_the_pen_is_told_in_a_line(self, call):
        code, out, err = call("list", "--status", "lost")
        assert (code, out) == (2, "")
        assert err.startswith("understudy: status is none that a job can have; known: queued,")


class TestShow:
    def test_a_job_with_all_that_happened_to_it_and_nothing_of_its_content(
        self, own_client, command
    ):
        job = ask(own_client, tenant="acme")
        with own_client.stream(
            "GET", f"/v1/jobs/{job}/events", headers={"x-understudy-tenant": "acme"}
        ) as stream:
            lines = stream.iter_lines()
            while "event: attempted" not in next(lines):
                pass
            code, out, _ = command(own_client, "show", job)
            assert code == 0
            for words in (job, "acme", "ann", "queued", "attempted", "no_target_available"):
                assert words in out
            own_client.stand_in.forget()
            assert "event: succeeded" in list(lines)
        out = command(own_client, "show", job, "--json")[1]
        detail = json.loads(out)
        assert detail["job"]["status"] == "succeeded"
        assert detail["position"] is detail["estimate"] is None
        numbers = [event["number"] for event in detail["events"]]
        assert numbers == list(range(1, len(numbers) + 1))
        for canary in CANARIES:
            assert canary.decode() not in out

    def test_a_job_that_is_not_kept(self, call):
        code, out, err = call("show", "job_0")
        assert (code, out) == (2, "")
        assert "there is no job `job_0`" in err

    def test_a_tenant_narrows_it(self, client, call):
        job = ask(client, tenant="acme")
        assert call("show", job, "--tenant", "acme")[0] == 0
        assert call("show", job, "--tenant", "globex")[0] == 2


class TestCancel:
    def test_one_job_of_whatever_caller(self, client, call):
        job = ask(client, tenant="acme")
        assert call("cancel", job) == (0, f"{job} is cancelled\n", "")
        told = client.get(f"/v1/jobs/{job}", headers={"x-understudy-tenant": "acme"}).json()
        assert told["status"] == "cancelled"
        line = client.relay.events("job cancelled")[-1]
        assert line["job"] == job

    def test_one_that_has_ended_stays_as_it_is(self, client, call):
        job = ask(client)
        headers = {"x-understudy-deadline": "1s"}
        expired = defer(client, headers=headers)
        assert events(client, expired)[-1] == "expired"
        code, out, err = call("cancel", expired.rpartition("/")[2])
        assert (code, out) == (1, "")
        assert "it is expired" in err
        assert client.get(f"/v1/jobs/{job}").json()["status"] in {"queued", "running"}

    def test_many_only_when_it_is_meant_and_only_those(self, client, call):
        meant = [ask(client, "g") for _ in range(3)]
        other, theirs = ask(client), ask(client, "g", "acme")
        made = {*meant, other, theirs}
        code, out, err = call("cancel", "--feature", "g", "--tenant", "")
        assert (code, out) == (2, "")
        assert "that ends 3 jobs; add --yes" in err
        assert listed(call, made, "--status", "cancelled") == []
        code, out, _ = call("cancel", "--feature", "g", "--tenant", "", "--yes")
        assert (code, out) == (0, "3 jobs cancelled\n")
        assert set(listed(call, made, "--status", "cancelled")) == set(meant)
        assert call("cancel", "--tenant", "acme", "--yes")[1] == "1 job cancelled\n"
        assert set(listed(call, made, "--status", "cancelled")) == {*meant, theirs}
        assert listed(call, made, "--feature", "f", "--status", "cancelled") == []
        assert call("cancel", "--feature", "nothing", "--yes")[1] == "0 jobs cancelled\n"

    @pytest.mark.parametrize("words", [(), ("job_1", "--feature", "f", "--yes")])
    def test_whose_jobs_are_meant_must_be_said(self, call, words):
        assert call("cancel", *words)[0] == 2

    def test_the_api_ends_nothing_for_who_says_nothing(self, client):
        ask(client)
        for body in ({}, {"feature": 7}, {"prompt": "x"}):
            assert api(client, "POST", "/cancel", json=body).status_code == 400
        assert api(client, "GET", "/lanes").json()["lanes"] != []


def draining(client):
    """`understudy jobs drain` as a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "understudy", "jobs", "drain", "--url", client.relay.web],
        env={**os.environ, "UNDERSTUDY_CONSOLE_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class TestDrain:
    def test_it_shows_the_backlog_until_it_is_gone(self, own_client):
        for number in range(3):
            ask(own_client, max_tokens=100 + number)
        with draining(own_client) as process:
            first = process.stdout.readline()
            assert re.search(r"[1-3] (wait|run)", first)
            own_client.stand_in.forget()
            rest = process.stdout.read()
            assert process.wait(PATIENCE) == 0
        assert rest.endswith("no job waits or runs\n")

    def test_an_empty_one_is_done_at_once(self, call):
        assert call("drain") == (0, "no job waits or runs\n", "")

    def test_when_the_time_is_over_it_says_how_many_are_left(self, client, call):
        ask(client)
        ask(client, "g")
        code, _, err = call("drain", "--feature", "g", "--timeout", "1ms")
        assert (code, err) == (1, "understudy: 1 job left after 1ms\n")

    def test_ctrl_c_ends_it_quietly(self, client):
        ask(client)
        with draining(client) as process:
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, err) == (1, "")

    def test_a_time_that_is_none_is_told(self, call):
        assert "--timeout is a number without a unit" in call("drain", "--timeout", "10")[2]


class TestTheDoor:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", ""),
            ("GET", "/lanes"),
            ("GET", "/job_1"),
            ("POST", "/job_1/cancel"),
            ("POST", "/cancel"),
        ],
    )
    def test_nothing_is_said_without_the_key(self, client, method, path):
        assert api(client, method, path, key="another-key-altogether").status_code == 401
        # Not even to a caller, whose jobs these are.
        assert api(client, method, path, key=ANN).status_code == 401


def test_the_keys_that_are_made_are_those_that_the_configuration_takes(capsys):
    made = []
    for kind in ("encryption", "encryption", "webhook", "webhook"):
        assert run(["keys", kind]) == 0
        made.append(capsys.readouterr().out.strip())
    assert len(set(made)) == 4
    hook = f"{{url: 'https://a.b/c', secret: {made[2]}}}"
    rules = load(
        f"""
jobs: {{encryption_key: {made[0]}, earlier_keys: [{made[1]}], webhooks: {{h: {hook}}}}}
providers: {{l: {{kind: openai-compatible, base_url: "http://localhost:8000/v1"}}}}
features: {{f: {{targets: [l/n]}}}}
""",
        {},
    ).jobs
    assert rules.encryption_key.reveal() == made[0]
