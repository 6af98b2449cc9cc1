"""The command line, as a user meets it: processes, exit codes, what is printed where."""

import hashlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
from typing import NamedTuple

import pytest

import understudy
from understudy.cli import run
from understudy.config import json_schema, load

GOOD = """\
providers:
  openai:
    kind: openai
    accounts: {main: {api_key: "${OPENAI_API_KEY}"}, spare: {api_key: "${SPARE:-}"}}
features:
  chat:
    targets: [openai/gpt-5.2]
"""
KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY_2", "OPENAI_API_KEY", "OPENAI_API_KEY_2")
OURS = (*KEYS, "OLLAMA_HOST")


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def process(*words: str, env: dict[str, str] | None = None, cwd: pathlib.Path | None = None):
    """Run `understudy` as a process, with no provider's key in its environment but those given."""
    clean = {name: value for name, value in os.environ.items() if name not in OURS}
    done = subprocess.run(
        [sys.executable, "-m", "understudy", *words],
        env={**clean, **(env or {})},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def inside(monkeypatch, capsys):
    """Run `understudy` inside this process, which is quicker: as `process`."""

    def call(*words: str, env: dict[str, str] | None = None, cwd: pathlib.Path | None = None):
        for name in OURS:
            monkeypatch.delenv(name, raising=False)
        for name, value in (env or {}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(cwd or pathlib.Path.cwd())
        capsys.readouterr()
        code = run(words)
        return Done(code, *capsys.readouterr())

    return call


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "understudy.yaml"
    path.write_text(GOOD)
    return path


def test_the_version_is_the_packages():
    done = process("--version")
    assert (done.returncode, done.stdout.strip()) == (0, understudy.__version__)


def test_help_names_every_command(inside):
    done = inside("--help")
    assert done.returncode == 0
    for command in ("serve", "demo", "check", "init", "mock", "keys"):
        assert re.search(rf"^\s*{command}\b", done.stdout, re.MULTILINE)


class TestCheck:
    def test_a_good_file_gets_one_line_and_its_notices(self, config, inside):
        done = inside("check", "-c", str(config), env={"OPENAI_API_KEY": "sk-1"})
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines() == [
            f"{config}: fine: 1 provider with 1 account, 1 feature, 0 callers",
            "notice: providers.openai.accounts.spare: left out, because its `api_key` is empty",
        ]

    def test_the_file_is_understudy_yaml_unless_told(self, config, inside):
        done = inside("check", env={"OPENAI_API_KEY": "sk-1"}, cwd=config.parent)
        assert done.returncode == 0

    def test_a_bad_file_gets_a_line_for_each_fault_and_2(self, config):
        config.write_text(GOOD.replace("kind: openai", "kind: opnai") + "feature: {}\n")
        done = process("check", "-c", str(config))
        assert (done.returncode, done.stdout) == (2, "")
        kind, key, unknown = done.stderr.splitlines()
        assert kind.startswith(f"{config}:3: providers.openai.kind: can't be `opnai`")
        assert "; write one of anthropic, openai" in kind
        assert key.startswith(f"{config}:4: providers.openai.accounts.main.api_key: ")
        assert "OPENAI_API_KEY" in key
        assert unknown == f"{config}:8: feature: unknown key; did you mean `features`?"

    @pytest.mark.parametrize("command", ["check", "serve"])
    def test_a_file_that_is_not_there_gets_one_line_and_2(self, command, tmp_path, inside):
        done = inside(command, "-c", str(tmp_path / "nope.yaml"))
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert "nope.yaml is not there" in line
        assert "understudy init" in line

    @pytest.mark.parametrize("command", ["check", "serve"])
    def test_a_file_that_is_no_text_gets_one_line_and_2(self, command, config, inside):
        config.write_bytes(b"\xff\xfe\x00")
        done = inside(command, "-c", str(config))
        assert done.returncode == 2
        assert done.stderr == f"understudy: {config} is not UTF-8 text\n"

    def test_a_directory_gets_one_line_and_2(self, tmp_path, inside):
        done = inside("check", "-c", str(tmp_path))
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1

    def test_the_schema_is_printed_as_json(self, inside):
        done = inside("check", "--schema")
        assert done.returncode == 0
        assert json.loads(done.stdout) == json_schema()


class TestInit:
    @pytest.mark.parametrize(
        ("env", "providers"),
        [
            ({}, ["anthropic", "openai"]),
            ({"ANTHROPIC_API_KEY": "sk-SENTINEL"}, ["anthropic"]),
            ({"OPENAI_API_KEY": "sk-SENTINEL", "OPENAI_API_KEY_2": "sk-SENTINEL-2"}, ["openai"]),
            ({**dict.fromkeys(KEYS, "sk-SENTINEL"), "OLLAMA_HOST": "0.0.0.0"}, None),
        ],
        ids=["none", "one", "two of one vendor", "all"],
    )
    def test_what_it_writes_passes_check_and_holds_no_key(self, env, providers, tmp_path, inside):
        made = process("init", env=env, cwd=tmp_path)
        assert (made.returncode, made.stderr) == (0, "")
        text = (tmp_path / "understudy.yaml").read_text()
        assert "SENTINEL" not in text + made.stdout
        assert list(load(text, env).providers) == (providers or ["anthropic", "openai", "local"])
        checked = inside("check", env=env, cwd=tmp_path)
        assert checked.returncode == 0, checked.stderr
        assert "notice" not in checked.stdout

    def test_it_says_what_comes_next(self, tmp_path, inside):
        made = inside("init", "x.yaml", cwd=tmp_path)
        assert "understudy serve -c x.yaml" in made.stdout
        assert "understudy mock --listen 127.0.0.1:" in made.stdout
        with_key = inside("init", "y.yaml", cwd=tmp_path, env={"OPENAI_API_KEY": "sk-1"})
        assert "OPENAI_API_KEY" in with_key.stdout
        assert "mock" not in with_key.stdout

    def test_it_overwrites_a_file_only_when_forced(self, config, inside):
        refused = inside("init", str(config))
        assert refused.returncode == 2
        assert "--force" in refused.stderr
        assert config.read_text() == GOOD
        assert inside("init", str(config), "--force").returncode == 0
        assert config.read_text() != GOOD

    def test_a_place_that_can_not_be_written_gets_one_line_and_1(self, tmp_path, inside):
        done = inside("init", str(tmp_path / "no" / "x.yaml"))
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1


class TestKeys:
    def test_a_new_key_is_printed_once_with_a_line_that_lets_it_in(self):
        done = process("keys", "new", "web-app", "--tenant", "acme")
        assert done.returncode == 0
        (key,) = re.findall(r"usk_[A-Za-z0-9_-]{43,}", done.stdout)
        (line,) = [line for line in done.stdout.splitlines() if "key_digest" in line]
        settings = load(f"{GOOD}callers:\n{line}\n", {"OPENAI_API_KEY": "sk-1"})
        (caller,) = settings.callers
        assert (caller.name, caller.tenant) == ("web-app", "acme")
        assert caller.key_digest == hashlib.sha256(key.encode()).hexdigest()

    def test_no_two_keys_are_alike(self, capsys):
        assert run(("keys", "new", "a")) == run(("keys", "new", "a")) == 0
        assert len(set(re.findall(r"^usk_.*$", capsys.readouterr().out, re.MULTILINE))) == 2


class TestMock:
    @pytest.fixture
    def playing(self):
        """A stand-in's process and its URL, when it is ready."""
        process = subprocess.Popen(
            [sys.executable, "-m", "understudy", "mock", "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            url = process.stdout.readline().rpartition(" ")[2].strip()
            assert process.stdout.readline() == "ready\n"
            yield process, url
            process.kill()

    def test_it_listens_when_it_says_ready_and_ends_in_order_when_told(self, playing):
        process, url = playing
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))):
            pass
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0

    def test_an_address_that_is_taken_gets_one_line_and_1(self, playing):
        _, url = playing
        done = process("mock", "--listen", url.removeprefix("http://"))
        assert (done.returncode, done.stdout) == (1, "")
        (line,) = done.stderr.splitlines()
        assert "address already in use" in line


@pytest.mark.parametrize(
    "words",
    [
        ("frobnicate",),
        ("check", "--frobnicate"),
        ("keys", "new"),
        ("keys", "new", "a b"),
        ("keys", "new", ""),
        ("keys", "new", "a", "--tenant", "x: y"),
        ("mock",),
        ("mock", "--listen", "8080"),
        ("mock", "--listen", "127.0.0.1:0", "--pace", "fast"),
        ("mock", "--listen", "127.0.0.1:0", "--pace", "-1"),
        ("serve", "--grace", "30"),
        ("serve", "--grace"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_gets_one_line_and_2(words, config, inside):
    done = inside(*words, cwd=config.parent, env={"OPENAI_API_KEY": "sk-1"})
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("understudy: ")


def test_check_imports_neither_the_loop_nor_the_servers():
    script = (
        "import sys; from understudy.cli import run; run(['check', '--schema']);"
        "print([name for name in ('uvloop', 'uvicorn', 'starlette', 'asyncio', 'jinja2')"
        " if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr.strip() == "[]"
