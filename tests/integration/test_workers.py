"""Several workers behind one address: nobody notices when one is replaced, reloaded or killed."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from contract.postgres_cluster import postgres
from support_load import Load
from support_relay import LOOPBACK, PATIENCE, Relay, ask, closed_port, config_for

CLAUDE, GPT = "claude/claude-haiku-4-5", "gpt/gpt-4.1"
ASYNC = {"prefer": "respond-async"}
#: Two interpreters start, one after the other, on a machine that may have other things to do.
LONG = 10 * PATIENCE


@pytest.fixture
def stand_in(stand_in):
    """One whose answers take a while."""
    stand_in.pace(tokens_per_second=150)
    return stand_in


def config(stand_in, store):
    return {"store": store, **config_for(stand_in.url, defer=True)}


@pytest.fixture(scope="module")
def shared_crew(shared_stand_in, cluster, tmp_path_factory):
    """Two workers, for tests that leave them serving, whoever they are then."""
    directory = tmp_path_factory.mktemp("crew")
    with Crew(config(shared_stand_in, cluster.database()), directory) as crew:
        yield crew


@pytest.fixture
def crew(shared_crew, stand_in):
    return shared_crew


@pytest.fixture
def own_crew(stand_in, cluster, tmp_path):
    """Two workers that the test may do anything to."""
    with Crew(config(stand_in, cluster.database()), tmp_path) as crew:
        yield crew


class Crew(Relay):
    """Two workers and their supervisor."""

    def __init__(self, told, directory, grace="30s"):
        super().__init__(told, directory, grace=grace, workers=2)

    def events(self, name):
        """As a relay's; a worker that can't start says why in a plain line."""
        lines = [line for line in self.log.text.splitlines() if line.startswith("{")]
        return [event for event in map(json.loads, lines) if event["event"] == name]

    def pids(self):
        """Of the workers that serve, by slot."""
        return {line["worker"]: line["pid"] for line in self.events("worker ready")}

    def until(self, event, after):
        """The first line of an event behind so many lines."""
        wanted = f'"event": "{event}"'
        return json.loads(self.log.until(lambda line: wanted in line, after, LONG))

    def reload(self, told):
        """Have every worker read another file, and wait until each has."""
        seen = len(self.log)
        self.write(told)
        self.signal(signal.SIGHUP)
        for worker in (0, 1):
            wanted = f'"worker": {worker}, "event": "reloaded"'
            self.log.until(lambda line, wanted=wanted: wanted in line, seen, LONG)

    def restart(self):
        """Replace every worker, and wait until that is done."""
        seen = len(self.log)
        self.signal(signal.SIGUSR2)
        self.until("restarted", seen)


def target_of(url):
    return httpx.post(f"{url}/v1/messages", json=ask(), timeout=PATIENCE).headers[
        "x-understudy-target"
    ]


@contextlib.contextmanager
def begun_stream(url):
    """What follows the first content of a stream, line by line."""
    with (
        httpx.Client(timeout=PATIENCE) as client,
        client.stream("POST", f"{url}/v1/messages", json=ask(stream=True)) as got,
    ):
        lines = got.iter_lines()
        while "text_delta" not in next(lines):
            pass
        yield lines


def samples(url):
    """The metrics: (name, labels) → value."""
    text = httpx.get(f"{url}/metrics", timeout=PATIENCE).text
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_rolling_restart_replaces_everyone_and_fails_no_request(crew):
    before = crew.pids()
    with Load(crew.url) as load:
        crew.restart()
        load.more()
    assert load.failures == []
    after = crew.pids()
    assert after.keys() == before.keys() == {0, 1}
    assert not set(after.values()) & set(before.values())
    assert [line["cut"] for line in crew.events("drained")][-2:] == [0, 0]


def test_a_stream_that_one_worker_has_begun_goes_on_while_it_is_replaced(crew, stand_in):
    stand_in.pace(tokens_per_second=60)
    with begun_stream(crew.url) as lines:
        seen = len(crew.log)
        crew.signal(signal.SIGUSR2)
        crew.until("draining", seen)
        assert "event: message_stop" in list(lines)
    crew.until("restarted", seen)


def test_a_reload_reaches_everyone_and_fails_no_request(crew):
    told = json.loads(json.dumps(crew.config))
    told["features"]["f"]["targets"].reverse()
    with Load(crew.url) as load:
        crew.reload(told)
        assert {target_of(crew.url) for _ in range(10)} == {GPT}
        load.more()
    assert load.failures == []
    crew.reload(crew.config)


def test_a_faulty_file_is_refused_once_and_changes_nothing(crew):
    seen = len(crew.log)
    crew.file.write_text("features: {")
    crew.signal(signal.SIGHUP)
    assert "worker" not in crew.until("reload refused", seen)
    crew.reload(crew.config)
    assert crew.log.text.count('"event": "reload refused"') == 1
    assert target_of(crew.url) == CLAUDE


def test_a_restart_with_a_faulty_file_leaves_those_who_serve(crew):
    before, seen = crew.pids(), len(crew.log)
    crew.file.write_text("features: {")
    crew.signal(signal.SIGUSR2)
    assert crew.until("restart stopped", seen)["level"] == "warning"
    assert crew.pids() == before
    crew.write(crew.config)
    with Load(crew.url) as load:
        load.more()
    assert load.failures == []


def test_a_worker_that_is_killed_is_replaced(crew):
    before, seen = crew.pids(), len(crew.log)
    os.kill(before[0], signal.SIGKILL)
    ended = crew.until("worker ended", seen)
    assert (ended["worker"], ended["pid"], ended["text"]) == (0, before[0], "killed by SIGKILL")
    ready = crew.until("worker ready", seen)
    assert ready["worker"] == 0
    with Load(crew.url) as load:
        load.more()
    assert load.failures == []


def test_the_metrics_of_all_are_told_by_each(crew):
    def requests(found):
        name = "understudy_requests_total"
        return {
            labels["worker"]: value
            for (sample, *rest), value in found.items()
            for labels in [dict(rest)]
            if sample == name and labels["outcome"] == "succeeded"
        }

    before = requests(samples(crew.url))
    for _ in range(30):
        httpx.post(f"{crew.url}/v1/messages", json=ask(), timeout=PATIENCE)
    found = samples(crew.url)
    after = requests(found)
    assert after.keys() == {"0", "1"}
    assert sum(after.values()) - sum(before.values()) == 30
    for worker in ("0", "1"):
        assert found["understudy_worker_up", ("worker", worker)] == 1.0
        assert found["understudy_open_requests", ("worker", worker)] == 0.0


def test_who_does_not_answer_is_left_out_of_the_metrics(crew):
    frozen = crew.pids()[1]
    os.kill(frozen, signal.SIGSTOP)
    try:
        with contextlib.ExitStack() as stack:
            # Until a connection comes to the one who is awake: the kernel deals them out.
            while True:
                client = stack.enter_context(httpx.Client(timeout=PATIENCE))
                with contextlib.suppress(httpx.ReadTimeout):
                    client.get(f"{crew.url}/health/liveness", timeout=1.0)
                    break
            text = client.get(f"{crew.url}/metrics").text
    finally:
        os.kill(frozen, signal.SIGCONT)
    assert 'understudy_worker_up{worker="1"} 0.0' in text
    assert 'understudy_open_requests{worker="0"}' in text
    assert 'understudy_open_requests{worker="1"}' not in text


class TestTheEnd:
    def test_by_sigterm_everyone_drains(self, own_crew, stand_in):
        stand_in.pace(tokens_per_second=60)
        with begun_stream(own_crew.url) as lines:
            own_crew.signal(signal.SIGTERM)
            for worker in (0, 1):
                wanted = f'"worker": {worker}, "grace": 30.0, "event": "draining"'
                own_crew.log.until(lambda line, wanted=wanted: wanted in line)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((LOOPBACK, own_crew.port), PATIENCE)
            assert "event: message_stop" in list(lines)
        assert own_crew.ended() == 0
        assert [line["cut"] for line in own_crew.events("drained")] == [0, 0]
        assert own_crew.events("worker ended") == []

    def test_by_a_second_signal_it_is_at_once(self, stand_in, cluster, tmp_path):
        stand_in.pace(tokens_per_second=1)
        told = config(stand_in, cluster.database())
        with (
            Crew(told, tmp_path, grace="10m") as crew,
            httpx.Client(timeout=PATIENCE) as client,
            client.stream("POST", f"{crew.url}/v1/messages", json=ask(stream=True)) as got,
        ):
            next(got.iter_lines())
            crew.signal(signal.SIGINT)
            crew.until("ending", 0)
            crew.signal(signal.SIGINT)
            assert crew.ended() == 0

    def test_of_the_supervisor_ends_the_workers_when_they_have_answered(self, own_crew, stand_in):
        stand_in.pace(tokens_per_second=60)
        handles = [os.pidfd_open(pid) for pid in own_crew.pids().values()]
        with begun_stream(own_crew.url) as lines:
            own_crew.process.kill()
            own_crew.until("draining", 0)
            assert "event: message_stop" in list(lines)
        for handle in handles:
            assert select.select([handle], [], [], LONG)[0]
            os.close(handle)


class TestWhatIsRefused:
    def serve(self, told, directory, *options):
        file = directory / "understudy.yaml"
        listen = {"listen": f"{LOOPBACK}:0"}
        file.write_text(json.dumps({"relay": listen, "web": listen, **told}), encoding="utf-8")
        return subprocess.run(
            [sys.executable, "-m", "understudy", "serve", "-c", file, *options],
            capture_output=True,
            text=True,
            timeout=LONG,
            check=False,
        )

    @pytest.mark.parametrize("store", ["memory", "sqlite:///jobs.db"])
    def test_a_store_that_several_processes_cannot_share(self, stand_in, tmp_path, store):
        told = {**config_for(stand_in.url), "store": store}
        done = self.serve(told, tmp_path, "--workers", "2")
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert store in line
        assert "postgresql://" in line

    @pytest.mark.parametrize("number", ["0", "-1", "1000"])
    def test_a_number_that_is_none_of_processes(self, stand_in, tmp_path, number):
        done = self.serve(config_for(stand_in.url), tmp_path, "--workers", number)
        assert done.returncode == 2
        assert "--workers" in done.stderr

    def test_an_address_that_is_in_use_even_by_others_of_our_kind(self, crew, tmp_path):
        told = {**crew.config, "relay": {"listen": f"{LOOPBACK}:{crew.port}"}}
        done = self.serve(told, tmp_path, "--workers", "2")
        assert (done.returncode, done.stdout) == (1, "")
        (line,) = done.stderr.splitlines()
        assert f"{crew.port}: Address already in use" in line

    def test_what_keeps_a_worker_from_starting_is_said_once(self, stand_in, cluster, tmp_path):
        url = f"postgresql://nobody:hunter2@{LOOPBACK}:{cluster.port}/nowhere"
        done = self.serve(config(stand_in, url), tmp_path, "--workers", "2")
        assert (done.returncode, done.stdout) == (1, "")
        said = [line for line in done.stderr.splitlines() if not line.startswith("{")]
        assert len(said) == 1
        assert "the store turns us away" in said[0]
        assert 'role "nobody" does not exist' in said[0]
        assert "hunter2" not in done.stderr


class TestTheStoreIsAway:
    """Requests need no store, and neither do starts, restarts and reloads."""

    @pytest.fixture
    def away(self):
        """A PostgreSQL that is stopped, and what starts it."""
        with postgres() as cluster:
            cluster.url = cluster.database()
            cluster.stop()
            yield cluster

    @pytest.mark.parametrize("workers", [1, 2])
    def test_at_the_start_and_jobs_are_taken_when_it_is_there(
        self, away, stand_in, tmp_path, workers
    ):
        with (
            Relay(config(stand_in, away.url), tmp_path, workers=workers) as relay,
            httpx.Client(base_url=relay.url, timeout=PATIENCE) as client,
        ):
            assert client.post("/v1/messages", json=ask()).status_code == 200
            got = client.post("/v1/messages", json=ask(), headers=ASYNC)
            assert got.status_code == 503
            assert got.json()["error"]["understudy"]["code"] == "store_unavailable"
            assert "retry-after" in got.headers
            told = relay.events("store")[0]
            assert "Connection refused" in told["text"]

            relay.signal(signal.SIGHUP)
            relay.log.until(lambda line: '"reloaded"' in line)
            away.start()
            for worker in range(workers):
                who = f'"worker": {worker}, ' if workers > 1 else ""
                wanted = f'{who}"text": "it answers again", "event": "store"'
                relay.log.until(lambda line, wanted=wanted: wanted in line)
            got = client.post("/v1/messages", json=ask(), headers=ASYNC)
            assert got.status_code == 202
            with client.stream("GET", f"{got.headers['location']}/events") as stream:
                assert "event: succeeded" in list(stream.iter_lines())

    def test_at_a_restart_under_load(self, crew, cluster):
        seen = len(crew.log)
        with Load(crew.url) as load:
            with cluster.frozen():
                crew.signal(signal.SIGUSR2)
                crew.until("drained", seen)
                load.more()
            crew.until("restarted", seen)
        assert load.failures == []


def test_a_server_that_is_nobodys_is_waited_for(stand_in, tmp_path):
    with closed_port() as port:
        url = f"postgresql://me:hunter2@{LOOPBACK}:{port}/jobs"
        with Relay(config(stand_in, url), tmp_path) as relay:
            got = httpx.post(f"{relay.url}/v1/messages", json=ask(), timeout=PATIENCE)
            assert got.status_code == 200
            relay.log.until(lambda line: "the store can't be reached" in line)
            assert "hunter2" not in relay.log.text
