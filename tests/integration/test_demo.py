"""What the README shows in `understudy demo`."""

import contextlib
import os
import signal
import subprocess
import sys

import httpx
import pytest

from support_relay import PATIENCE, Lines

ASK = {
    "model": "assistant",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hello"}],
}
ANTHROPIC, OPENAI = "provider anthropic (stand-in)", "provider openai (stand-in)"


@contextlib.contextmanager
def demo(place):
    """What it says of itself (name → URL, or key), while it runs; `place`: for temporary files."""
    with subprocess.Popen(
        [sys.executable, "-m", "understudy", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(place)},
    ) as process:
        out = Lines(process.stdout)
        try:
            out.until(lambda line: line == "ready", patience=3 * PATIENCE)
            yield dict(line.split(": ", 1) for line in out.text.splitlines() if ": " in line)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
            out.until_ended()


@pytest.fixture
def told(tmp_path):
    with demo(tmp_path) as told:
        yield told


@pytest.fixture
def asked(told):
    """An answer of the relay, for the request's headers."""
    with httpx.Client(base_url=told["relay"], timeout=PATIENCE) as client:
        yield lambda **headers: client.post("/v1/messages", json=ASK, headers=headers)


def overload(*stand_ins):
    for url in stand_ins:
        httpx.put(f"{url}/mock/faults", json=[{"fault": "overloaded"}]).raise_for_status()


def test_another_vendor_answers_for_one_that_is_overloaded(told, asked):
    first = asked()
    assert first.headers["x-understudy-target"] == "anthropic/claude-sonnet-5"
    overload(told[ANTHROPIC])
    second = asked()
    assert second.json().keys() == first.json().keys()
    assert second.headers["x-understudy-target"] == "openai/gpt-5.2"
    assert second.headers["x-understudy-tier"] == "substitute"


def test_with_both_overloaded_a_request_is_kept_as_a_job(told, asked):
    overload(told[ANTHROPIC], told[OPENAI])
    assert asked().status_code == 503
    kept = asked(prefer="respond-async")
    assert kept.status_code == 202
    job = httpx.get(told["relay"] + kept.headers["location"], timeout=PATIENCE).json()
    assert (job["feature"], job["finished_at"]) == ("assistant", None)
    headers = {"authorization": f"Bearer {told['console key']}"}
    page = httpx.get(f"{told['web']}/admin/api/jobs", headers=headers, timeout=PATIENCE).json()
    assert [row["id"] for row in page["jobs"]] == [job["id"]]


def test_it_leaves_no_file_behind(tmp_path):
    with demo(tmp_path):
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())
