"""Jobs at rest: with a key, nothing that was asked or answered can be read from the store."""

import re
import signal
import subprocess

import pytest

from contract.postgres_cluster import postgres
from support_jobs import CANARIES, NUMBERS, PROMPT, config, defer, events, running

KEY, LATER = "a" * 43, "bbbb" * 10 + "bbA="


def sealed(stand_in, directory, key=KEY, earlier=(), **more):
    jobs = {"encryption_key": key, "earlier_keys": list(earlier)}
    return config(stand_in, directory, jobs=jobs, **more)


def one_done_and_one_waiting(client, stand_in):
    """A result in the store, and a request; with a header that nobody is to read either."""
    key = {"idempotency-key": f"canary-of-a-key-{next(NUMBERS)}"}
    done = defer(client, headers=key)
    assert events(client, done)[-1] == "succeeded"
    stand_in.play({"fault": "overloaded"})
    waiting = defer(client, max_tokens=190)
    assert "Xylophonia" in client.get(f"{done}/result").text
    return done, waiting


def dumped(cluster, url):
    """All that a backup of the database holds, bytes as they are."""
    command = [cluster.bin / "pg_dump", "-h", "127.0.0.1", "-p", str(cluster.port)]
    command += ["-U", "understudy", "--inserts", url.rpartition("/")[2]]
    text = subprocess.run(command, capture_output=True, check=True).stdout
    return text + b"".join(bytes.fromhex(one) for one in re.findall(r"\\x([0-9a-f]+)", str(text)))


@pytest.mark.parametrize("key", [KEY, ""], ids=["sealed", "unsealed"])
def test_the_file_and_its_log_hold_none_of_it(stand_in, tmp_path, key):
    with running(sealed(stand_in, tmp_path, key), tmp_path) as client:
        one_done_and_one_waiting(client, stand_in)
        notices = [line["text"] for line in client.relay.events("notice")]
        client.relay.signal(signal.SIGKILL)
        client.relay.ended()
        log = client.relay.log.text
    written = {path.name: path.read_bytes() for path in tmp_path.glob("jobs.db*")}
    assert "jobs.db-wal" in written
    kept = b"".join(written.values())
    # Where nothing is sealed this test finds what it looks for, and the start has said so.
    assert all((canary in kept) == (not key) for canary in CANARIES)
    assert any("jobs.encryption_key" in notice for notice in notices) == (not key)
    assert b"canary-of-a-key" not in kept
    assert KEY not in log
    assert b"x-understudy-target" not in kept or not key


def test_a_backup_of_postgresql_holds_none_of_it(stand_in, tmp_path):
    with postgres() as cluster:
        for number, key in enumerate(("", KEY)):
            url = cluster.database()
            (tmp_path / str(number)).mkdir()
            told = sealed(stand_in, tmp_path, key, store=url)
            with running(told, tmp_path / str(number)) as client:
                one_done_and_one_waiting(client, stand_in)
            stand_in.forget()
            kept = dumped(cluster, url)
            assert all((canary in kept) == (not key) for canary in CANARIES)
            assert b"canary-of-a-key" not in kept


def test_what_is_sealed_is_done_after_a_restart_and_a_result_is_what_it_was(stand_in, tmp_path):
    with running(sealed(stand_in, tmp_path), tmp_path) as client:
        done, waiting = one_done_and_one_waiting(client, stand_in)
        before = client.get(f"{done}/result")
        client.relay.signal(signal.SIGKILL)
        client.relay.ended()
    stand_in.forget()
    with running(sealed(stand_in, tmp_path), tmp_path) as client:
        after = client.get(f"{done}/result")
        assert (after.status_code, after.content) == (before.status_code, before.content)
        for name in ("content-type", "x-understudy-target", "x-request-id"):
            assert after.headers[name] == before.headers[name]
        assert events(client, waiting)[-1] == "succeeded"
        assert "Xylophonia" in client.get(f"{waiting}/result").text


def test_a_large_request_is_sealed_and_done(stand_in, tmp_path):
    with running(sealed(stand_in, tmp_path), tmp_path) as client:
        large = [{"role": "user", "content": f"{PROMPT} {'x' * 600_000}"}]
        location = defer(client, messages=large)
        assert events(client, location)[-1] == "succeeded"
        assert "Xylophonia" in client.get(f"{location}/result").text


def test_without_its_key_a_job_waits_and_costs_nothing_until_the_key_is_back(stand_in, tmp_path):
    with running(sealed(stand_in, tmp_path), tmp_path) as client:
        done, waiting = one_done_and_one_waiting(client, stand_in)
        # In order, so that nothing is left half done.
        client.relay.signal(signal.SIGTERM)
        client.relay.ended()
    stand_in.forget()
    with running(sealed(stand_in, tmp_path, LATER), tmp_path) as client:
        client.relay.log.until(lambda line: '"event": "jobs locked"' in line)
        got = client.get(f"{done}/result")
        error = got.json()["error"]
        assert (got.status_code, error["understudy"]["code"]) == (503, "result_sealed")
        assert got.headers["retry-after"] == "60"
        job = client.get(waiting).json()
        assert (job["status"], job["attempts"]) == ("queued", 0)
        # What is taken now is sealed with the key that there is, and is not kept waiting.
        new = defer(client, max_tokens=180)
        assert events(client, new)[-1] == "succeeded"
        assert 'understudy_jobs_locked_total{feature="f"}' in client.get("/metrics").text
        (line,) = client.relay.events("jobs locked")
        assert "jobs.earlier_keys" in line["text"]
        for key in (KEY, LATER):
            assert key not in client.relay.log.text
    with running(sealed(stand_in, tmp_path, LATER, [KEY]), tmp_path) as client:
        assert client.get(f"{done}/result").status_code == 200
        assert events(client, waiting)[-1] == "succeeded"
        assert client.get(waiting).json()["attempts"] == 1
        assert client.get(f"{new}/result").status_code == 200


def test_a_key_that_comes_with_a_reload_opens_what_was_locked(stand_in, tmp_path):
    with running(sealed(stand_in, tmp_path), tmp_path) as client:
        done, _ = one_done_and_one_waiting(client, stand_in)
    told = sealed(stand_in, tmp_path, LATER)
    with running(told, tmp_path) as client:
        assert client.get(f"{done}/result").status_code == 503
        told["jobs"]["earlier_keys"] = [KEY]
        client.relay.write({**client.relay.config, **told})
        client.relay.signal(signal.SIGHUP)
        client.relay.log.until(lambda line: '"event": "reloaded"' in line)
        assert client.get(f"{done}/result").status_code == 200


def test_a_result_is_kept_as_long_as_the_settings_say(stand_in, tmp_path):
    told = config(stand_in, tmp_path, jobs={"kept": "1s"})
    with running(told, tmp_path) as client:
        location = defer(client)
        assert events(client, location)[-1] == "succeeded"
    with running(told, tmp_path) as client:
        while client.get(location).status_code != 404:
            pass
        assert client.get(location).json()["error"]["code"] == "job_not_found"
