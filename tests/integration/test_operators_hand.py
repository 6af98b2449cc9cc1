"""An operator's hand on a running relay: what is pulled is left alone until it is restored."""

import json
import os
import pathlib
import pty
import re
import signal
import subprocess
import sys

import httpx
import pytest

from support_relay import (
    PATIENCE,
    Relay,
    StandIn,
    anthropic_provider,
    ask,
    closed_port,
    openai_provider,
)
from understudy.cli import run

CLAUDE, GPT = "claude-haiku-4-5", "gpt-4.1"
KEY = "console-key-of-the-operators"


@pytest.fixture(scope="module")
def stand_in():
    with StandIn() as server:
        yield server


def config_of(stand_in):
    claude = anthropic_provider(stand_in.url, "sk-claude-main")
    claude["accounts"]["spare"] = {"api_key": "sk-claude-spare"}
    return {
        "web": {"listen": "127.0.0.1:0", "console_key": KEY},
        "providers": {"claude": claude, "gpt": openai_provider(stand_in.url, "sk-openai")},
        "features": {"f": {"targets": [f"claude/{CLAUDE}", f"gpt/{GPT}"]}},
    }


@pytest.fixture(scope="module")
def running(stand_in, tmp_path_factory):
    with Relay(config_of(stand_in), tmp_path_factory.mktemp("hand")) as relay:
        yield relay


@pytest.fixture
def relay(running, stand_in):
    """The relay of this module, with nothing pulled, before and after."""
    stand_in.forget()
    yield running
    for held in admin(running, "GET", "targets").json()["pulls"]:
        restore(running, held["node"])


def admin(relay, method, path, key=KEY, **body):
    headers = {"authorization": f"Bearer {key}"}
    url = f"{relay.web}/admin/api/{path}"
    return httpx.request(method, url, headers=headers, json=body or None, timeout=PATIENCE)


def pull(relay, node, reason="it invents dates"):
    got = admin(relay, "POST", f"targets/{node}/pull", reason=reason)
    assert got.status_code == 200, got.text
    return got.json()


def restore(relay, node, **body):
    got = admin(relay, "POST", f"targets/{node}/restore", **body)
    assert got.status_code == 200, got.text


def served(relay):
    """Ask once: which account answered, and the journal's reason for the last choice."""
    got = httpx.post(f"{relay.url}/v1/messages", json=ask(), timeout=PATIENCE)
    assert got.status_code == 200, got.text
    told = httpx.get(f"{relay.url}/v1/requests/{got.headers['x-request-id']}", timeout=PATIENCE)
    attempt = told.json()["attempts"][-1]
    return f"{attempt['target'].partition('/')[0]}@{attempt['account']}", attempt["why"]


FORMS = [
    (f"claude@main/{CLAUDE}", "claude@spare"),
    ("claude@main", "claude@spare"),
    (f"claude/{CLAUDE}", "gpt@main"),
    ("claude", "gpt@main"),
]


def test_requests_go_elsewhere_from_the_next_choice_on_and_the_journal_says_why(relay):
    before = len(relay.events("pulled"))
    for node, elsewhere in FORMS:
        assert served(relay)[0] == "claude@main"
        assert pull(relay, node)["kept"] is True
        by, why = served(relay)
        assert by == elsewhere
        assert f"{node}: pulled by an operator: it invents dates" in why
        restore(relay, node)
    assert served(relay) == ("claude@main", "first in order")
    told = [line["node"] for line in relay.events("pulled")[before:]]
    assert told == [node for node, _ in FORMS]
    assert [line["node"] for line in relay.events("restored")][-len(FORMS) :] == told


def test_with_everything_pulled_nothing_is_tried_and_nobody_is_asked(relay, stand_in):
    for node in ("claude", "gpt"):
        pull(relay, node)
    got = httpx.post(f"{relay.url}/v1/messages", json=ask(), timeout=PATIENCE)
    assert got.status_code == 503
    assert got.json()["error"]["understudy"]["code"] == "no_target_available"
    assert stand_in.attempts() == []
    ready = httpx.get(f"{relay.url}/health/readiness", timeout=PATIENCE).json()
    assert ready["features"] == {"f": False}


def test_a_pull_outlives_the_process_and_the_restart_says_so(stand_in, tmp_path):
    config = config_of(stand_in)
    with Relay(config, tmp_path) as relay:
        pull(relay, "claude@main", "no credit")
        # As power loss would.
        relay.signal(signal.SIGKILL)
        relay.process.wait(PATIENCE)
    assert (tmp_path / "understudy.state.json").exists()
    with Relay(config, tmp_path) as relay:
        by, why = served(relay)
        assert by == "claude@spare"
        assert "no credit" in why
        (notice,) = relay.events("notice")
        assert notice["text"] == "claude@main is still pulled: no credit"
        restore(relay, "claude@main")
        assert served(relay)[0] == "claude@main"
    with Relay(config, tmp_path) as relay:
        assert served(relay)[0] == "claude@main"


def test_a_reload_keeps_what_is_pulled(stand_in, tmp_path):
    config = config_of(stand_in)
    with Relay(config, tmp_path) as relay:
        pull(relay, "claude")
        config["web"]["console_key"] = "console-key-after-the-reload"
        relay.write({"relay": {"listen": "127.0.0.1:0"}, **config})
        relay.signal(signal.SIGHUP)
        relay.log.until(lambda line: '"reloaded"' in line)
        assert served(relay)[0] == "gpt@main"
        assert admin(relay, "GET", "health").status_code == 401
        key = config["web"]["console_key"]
        assert admin(relay, "POST", "targets/claude/restore", key=key).status_code == 200


def test_a_slow_restore_brings_traffic_back_in_part_after_a_restart_too(stand_in, tmp_path):
    config = config_of(stand_in)
    with Relay(config, tmp_path) as relay:
        pull(relay, "claude")
    with Relay(config, tmp_path) as relay:
        restore(relay, "claude", slowly=True)
        claude, gpt = admin(relay, "GET", "health").json()["providers"]
    for account in claude["accounts"]:
        (target,) = account["targets"]
        assert target["health"]["state"] == "slow_start"
        assert 0.1 <= target["health"]["share"] < 1
    assert gpt["accounts"][0]["targets"][0]["health"]["share"] == 1


def serve(config, *words):
    return subprocess.run(
        [sys.executable, "-m", "understudy", "serve", "-c", config, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("damage", ["", '{"version": 1, "pulls": [{"node": "claude"}]}'])
def test_it_does_not_start_on_a_damaged_state_file(damage, stand_in, tmp_path):
    file = tmp_path / "understudy.yaml"
    file.write_text(json.dumps({"relay": {"listen": "127.0.0.1:0"}, **config_of(stand_in)}))
    state = tmp_path / "other.json"
    state.write_text(damage)
    done = serve(file, "--state", state)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"understudy: {state} ")
    assert "delete it" in line
    assert state.read_text() == damage


def test_a_state_file_that_can_not_be_written_is_told_at_the_start(stand_in, tmp_path):
    config = config_of(stand_in)
    folder = tmp_path / "linked"
    folder.mkdir()
    (folder / "understudy.state.json").symlink_to(tmp_path / "gone" / "state.json")
    with Relay(config, folder) as relay:
        (notice,) = relay.events("notice")
        assert "a restart will forget what is pulled" in notice["text"]
        told = pull(relay, "claude")
        assert told["kept"] is False
        assert served(relay)[0] == "gpt@main"


class TestCommands:
    """`understudy status` and `understudy targets`, over the wire."""

    @pytest.fixture
    def call(self, relay, monkeypatch, capsys):
        monkeypatch.setenv("UNDERSTUDY_CONSOLE_KEY", KEY)
        monkeypatch.setenv("LOGNAME", "ann")

        def call(*words, url=relay.web):
            capsys.readouterr()
            code = run([*words, *(["--url", url] if url else [])])
            return code, *capsys.readouterr()

        return call

    def test_a_target_is_pulled_seen_and_restored(self, call, relay):
        code, out, err = call("targets", "pull", "claude", "--reason", "it invents")
        assert (code, err) == (0, "")
        assert out.startswith("claude is pulled")
        assert served(relay)[0] == "gpt@main"
        line = relay.events("pulled")[-1]
        assert (line["by"], line["reason"]) == ("ann", "it invents")
        code, out, _ = call("status")
        assert code == 0
        assert "not the first choice (substitute)" in out
        assert "pulled by ann: it invents" in out
        code, out, err = call("targets", "restore", "claude")
        assert (code, out, err) == (0, "claude is restored\n", "")
        assert served(relay)[0] == "claude@main"

    def test_the_exit_code_says_whether_every_feature_can_be_served(self, call, relay):
        assert call("status", "--once")[0] == 0
        for node in ("claude", "gpt"):
            pull(relay, node)
        code, out, _ = call("status", "--once")
        assert code == 1
        assert "nobody: no target can serve it" in out
        assert call("status", "--json")[0] == 1

    def test_the_json_is_what_the_api_says(self, call, relay):
        pull(relay, "gpt")
        _, out, _ = call("status", "--json")
        told, shown = admin(relay, "GET", "health").json(), json.loads(out)
        assert shown["pulls"] == told["pulls"]
        assert shown.keys() == told.keys()

    def test_a_slip_of_the_pen_gets_the_nearest_name(self, call):
        for command in (("pull", "cluade", "--reason", "x"), ("restore", "cluade")):
            code, out, err = call("targets", *command)
            assert (code, out) == (2, "")
            assert err == "understudy: there is no `cluade`; did you mean `claude`?\n"

    def test_what_is_nothing_like_a_name_gets_all_of_them(self, call):
        code, _, err = call("targets", "pull", "zzz", "--reason", "x")
        assert code == 2
        for node in ("claude@main", "claude@spare", f"gpt/{GPT}", f"claude@main/{CLAUDE}"):
            assert node in err

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            (("targets", "restore", "gpt"), "`gpt` is not pulled"),
            (("targets", "pull", "gpt", "--reason", ""), "1 to 200 characters"),
            (("targets", "pull", "gpt", "--reason", "a\nb"), "on one line"),
            (("targets", "pull", "gpt"), "reason"),
        ],
        ids=str,
    )
    def test_what_is_wrong_is_told_in_a_line(self, words, told, call):
        code, out, err = call(*words)
        assert (code, out) == (2, "")
        assert len(err.splitlines()) == 1
        assert told.lower() in err.lower()

    def test_a_wrong_key_is_told_and_not_shown(self, call, monkeypatch):
        monkeypatch.setenv("UNDERSTUDY_CONSOLE_KEY", "wrong-key-of-nobody")
        code, out, err = call("status")
        assert (code, out) == (2, "")
        assert "not the console key" in err
        assert "wrong-key" not in err

    def test_the_key_may_stand_in_the_configuration(self, call, relay, monkeypatch):
        monkeypatch.delenv("UNDERSTUDY_CONSOLE_KEY")
        code, out, _ = call("status", "-c", str(relay.file))
        assert code == 0
        assert f"claude@main/{CLAUDE}" in out

    def test_a_port_that_was_free_must_be_named(self, call, relay):
        code, _, err = call("status", "-c", str(relay.file), url=None)
        assert code == 2
        assert "--url" in err

    def test_nobody_is_there(self, call):
        with closed_port() as port:
            code, out, err = call("status", url=f"http://127.0.0.1:{port}")
        assert (code, out) == (1, "")
        assert f"nothing listens at http://127.0.0.1:{port}" in err

    def test_somebody_else_is_there(self, call, stand_in):
        for words in (("status",), ("targets", "pull", "gpt", "--reason", "x")):
            code, out, err = call(*words, url=stand_in.url)
            assert (code, out) == (1, "")
            assert "not the web listener of this Understudy" in err

    def test_the_key_goes_over_no_open_wire(self, call):
        code, _, err = call("status", url="http://example.com:8081")
        assert code == 2
        assert "plain http to another machine" in err


def read_until(screen, words):
    """What a terminal shows until it shows `words`."""
    shown = b""
    for _ in range(40):
        shown += screen.read(65536)
        if words in shown:
            return shown
    raise AssertionError(shown)


def test_on_a_terminal_the_table_is_shown_again_and_again_until_ctrl_c(relay):
    ours, theirs = pty.openpty()
    env = {**os.environ, "UNDERSTUDY_CONSOLE_KEY": KEY, "COLUMNS": "200", "LINES": "50"}
    command = [sys.executable, "-m", "understudy", "status", "--url", relay.web]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        with os.fdopen(ours, "rb", buffering=0) as screen:
            shown = read_until(screen, b"FEATURE")
            assert b"pulled by" not in shown
            pull(relay, "gpt")
            shown += read_until(screen, b"pulled by operator: it invents dates")
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 0
    assert b"Traceback" not in shown


@pytest.mark.parametrize("words", [("--help",), ("targets", "--help")], ids=str)
def test_help_names_the_commands(words, capsys):
    assert run(words) == 0
    told = capsys.readouterr().out
    for command in ("status", "targets") if words == ("--help",) else ("pull", "restore"):
        assert re.search(rf"^\s*{command}\b", told, re.MULTILINE)


class TestConfigured:
    """Who to ask, and with which key, by the file alone."""

    @pytest.fixture
    def told(self, tmp_path, monkeypatch, capsys):
        monkeypatch.delenv("UNDERSTUDY_CONSOLE_KEY", raising=False)
        monkeypatch.chdir(tmp_path)

        def told(web, *words):
            text = "providers: {a: {kind: openai-compatible, base_url: 'http://127.0.0.1:9'}}\n"
            text += f"features: {{f: {{targets: [a/m]}}}}\nweb: {web}\n"
            pathlib.Path("understudy.yaml").write_text(text, encoding="utf-8")
            capsys.readouterr()
            return run(["status", *words]), capsys.readouterr().err

        return told

    def test_the_address_and_the_key_come_from_the_file(self, told):
        with closed_port() as port:
            for host, asked in (("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1")):
                web = f"{{listen: '{host}:{port}', console_key: {KEY}}}"
                code, err = told(web)
                assert code == 1
                assert f"nothing listens at http://{asked}:{port}" in err

    @pytest.mark.parametrize(
        ("web", "words"),
        [
            ("{listen: '127.0.0.1:9'}", "has no `web.console_key`"),
            (
                f"{{listen: '127.0.0.1:9', console_key_digest: 'sha256:{'ab' * 32}'}}",
                "set UNDERSTUDY_CONSOLE_KEY",
            ),
        ],
    )
    def test_a_key_that_is_not_there_is_asked_for(self, web, words, told):
        code, err = told(web)
        assert code == 2
        assert words in err

    def test_without_file_and_key_it_says_what_is_missing(self, tmp_path, monkeypatch, capsys):
        monkeypatch.delenv("UNDERSTUDY_CONSOLE_KEY", raising=False)
        monkeypatch.chdir(tmp_path)
        assert run(["status", "--url", "http://127.0.0.1:9"]) == 2
        assert "UNDERSTUDY_CONSOLE_KEY" in capsys.readouterr().err
