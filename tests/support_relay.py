"""The relay as a real process, its providers as stand-ins, and a raw connection to it."""

import asyncio
import contextlib
import http.client
import io
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

import httpx

from understudy import mock

#: How long anything may take before a test gives up on it, in seconds. Never what is asserted.
PATIENCE = 20.0

LOOPBACK = "127.0.0.1"

#: To the reader of models' lists, from providers that have none.
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"


class StandIn:
    """A provider's stand-in in a thread and an event loop of its own."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, pace: mock.Pace | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._call(mock.serve(LOOPBACK, 0, tls=tls, pace=pace, keep_bodies=True))
        self.url = self._server.url
        self.port = self._server.port

    def _call(self, coroutine: Any, timeout: float = PATIENCE) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout)

    def _do(self, act: Callable[[mock.Board], Any]) -> Any:
        async def there() -> Any:
            return act(self._server.board)

        return self._call(there())

    def play(self, *rules: dict[str, Any]) -> None:
        """Play these faults from now on."""
        made = [mock.FaultRule(**rule) for rule in rules]
        self._do(lambda board: board.put_faults(made))

    def pace(self, **pace: float) -> None:
        """Answer at this pace from now on."""
        self._do(lambda board: board.put_pace(mock.Pace(**pace)))

    def attempts(self, key: str = "") -> list[mock.Attempt]:
        """What was asked of it, with keys that end so; the lists of models apart."""
        asked = self._do(lambda board: board.attempts)
        return [a for a in asked if a.method == "POST" and a.key.endswith(key[-4:])]

    def forget(self) -> None:
        """Nothing goes wrong any more, and nothing has been asked."""
        self._do(lambda board: board.delete_faults())
        self._do(lambda board: board.delete_attempts())

    def until(self, condition: Callable[[tuple[mock.Attempt, ...]], bool]) -> None:
        """Wait until its log of attempts is as wanted."""

        async def there() -> None:
            async with asyncio.timeout(PATIENCE):
                board = self._server.board
                await board.until(lambda: condition(board.attempts))

        self._call(there(), PATIENCE + 5)

    def close(self) -> None:
        """End it and its thread."""
        self._call(self._server.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Scripted:
    """A provider that answers with bytes of the test's choice: one of `answers` for each request,
    the last of them again and again. `connections` has the requests' numbers by connection. It has
    no list of models; being asked for one is no request, and no connection.
    """

    def __init__(self, *answers: bytes, tls: ssl.SSLContext | None = None) -> None:
        self._answers = list(answers)
        self._tls = tls
        self._asked = 0
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self.connections: list[list[int]] = []
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://{LOOPBACK}:{self.port}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        asked: list[int] = []
        with contextlib.suppress(OSError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            with connection, connection.makefile("rb") as reader:
                while (method := self._read_request(reader)) is not None:
                    if method == b"GET":
                        connection.sendall(NOT_FOUND)
                        continue
                    with self._lock:
                        number, self._asked = self._asked, self._asked + 1
                    if not asked:
                        self.connections.append(asked)
                    asked.append(number)
                    connection.sendall(self._answers[min(number, len(self._answers) - 1)])

    def _read_request(self, reader: io.BufferedReader) -> bytes | None:
        """The method of the next request, which is read to its end; None: there is no more."""
        method, length = reader.readline().partition(b" ")[0], 0
        line = reader.readline()
        while line.strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            line = reader.readline()
        return method if line and len(reader.read(length)) == length else None

    def close(self) -> None:
        """Stop, and drop every connection."""
        for held in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)
            held.close()
        for thread in self._threads:
            thread.join(PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def response(body: bytes, status: int = 200, content_type: str = "application/json") -> bytes:
    """A whole response."""
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


class Lines:
    """A stream of a process, line by line, read by a thread so that the process never waits."""

    def __init__(self, stream: Iterable[bytes]) -> None:
        self._lines: list[str] = []
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: Iterable[bytes]) -> None:
        for line in stream:
            with self._changed:
                self._lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def text(self) -> str:
        """All of it so far."""
        with self._changed:
            return "\n".join(self._lines)

    def until(
        self, wanted: Callable[[str], bool], after: int = 0, patience: float = PATIENCE
    ) -> str:
        """The first line like that (from line `after` on), which may be still to come."""

        def found() -> str | None:
            return next((line for line in self._lines[after:] if wanted(line)), None)

        with self._changed:
            self._changed.wait_for(lambda: found() is not None or self._ended, patience)
            line = found()
            if line is None:
                raise AssertionError(f"no such line among:\n{chr(10).join(self._lines)}")
            return line

    def until_ended(self) -> None:
        """Wait for its end."""
        self._thread.join(PATIENCE)

    def __len__(self) -> int:
        with self._changed:
            return len(self._lines)


class Relay:
    """`understudy serve` as a process. `config` is the file's content, as JSON has it."""

    def __init__(
        self,
        config: dict[str, Any],
        directory: pathlib.Path,
        *,
        grace: str = "5s",
        env: dict[str, str] | None = None,
        workers: int = 1,
    ) -> None:
        listen = {"listen": f"{LOOPBACK}:0"}
        self.file = directory / "understudy.yaml"
        self.config = {"relay": listen, "web": listen, **config}
        self.write(self.config)
        arguments = ["serve", "-c", self.file, "--grace", grace, "--workers", str(workers)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "understudy", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})},
        )
        self.out = Lines(self.process.stdout)
        self.log = Lines(self.process.stderr)
        try:
            self.out.until(lambda line: line == "ready", patience=PATIENCE * (2 * workers + 1))
        except AssertionError:
            self.kill()
            raise AssertionError(f"it did not start:\n{self.log.text}") from None
        told = dict(line.split(": ", 1) for line in self.out.text.splitlines() if ": " in line)
        self.url, self.web = told["relay"], told["web"]
        self.port = int(self.url.rpartition(":")[2])

    def write(self, config: dict[str, Any]) -> None:
        """Put another configuration into its file: JSON is YAML."""
        providers = {
            # What a stand-in is asked is counted: no questions of ours, but in tests about them.
            name: {"probes": False, **provider} if isinstance(provider, dict) else provider
            for name, provider in config.get("providers", {}).items()
        }
        told = {**config, "providers": providers} if providers else config
        self.file.write_text(json.dumps(told, indent=1), encoding="utf-8")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def ended(self) -> int:
        """Its exit code, once it has ended."""
        code = self.process.wait(PATIENCE)
        self.log.until_ended()
        return code

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log's lines of one event."""
        lines = [json.loads(line) for line in self.log.text.splitlines()]
        return [line for line in lines if line["event"] == name]

    def memory(self) -> int:
        """What it holds of the machine's memory, in bytes."""
        statm = pathlib.Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii")
        return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def connect(self, **options: Any) -> "Raw":
        """A connection for bytes of the test's own choice."""
        return Raw(self.port, **options)

    def kill(self) -> None:
        """End it, whatever it does."""
        self.process.kill()
        self.process.wait(PATIENCE)
        self.out.until_ended()
        self.log.until_ended()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class Got:
    """One response as it came over a raw connection."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = httpx.Headers(response.getheaders())
        self.chunked = bool(response.chunked)
        self.body = response.read()

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class Raw:
    """A connection on which the test writes every byte itself, and reads responses in order."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect((LOOPBACK, port))
        self.reader = self.socket.makefile("rb")

    def send(self, data: bytes | str) -> Self:
        """Write all of it."""
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)
        return self

    def head(self, method: str = "GET") -> http.client.HTTPResponse:
        """The next response's head; its body is still to be read."""
        response = http.client.HTTPResponse(_Shared(self.reader), method=method)
        response.begin()
        return response

    def read(self, method: str = "GET") -> Got:
        """The next response, whole."""
        return Got(self.head(method))

    def is_closed(self) -> bool:
        """Whether the other side has closed, with nothing more to read; waits for either."""
        try:
            return self.reader.read(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        """Leave."""
        self.reader.close()
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Shared:
    """Gives `HTTPResponse` a reader that outlives it, so that pipelined responses stay whole."""

    def __init__(self, reader: io.BufferedReader) -> None:
        self._reader = reader

    def makefile(self, mode: str) -> Any:
        return _Unclosed(self._reader)


class _Unclosed:
    def __init__(self, reader: io.BufferedReader) -> None:
        self._reader = reader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def close(self) -> None:
        """The connection stays."""

    def flush(self) -> None:
        """Nothing is written."""


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port where nobody listens, and nobody else will while this lasts."""
    with socket.socket() as held:
        held.bind((LOOPBACK, 0))
        yield held.getsockname()[1]


def anthropic_provider(url: str, key: str) -> dict[str, Any]:
    """A provider for the configuration."""
    return {"kind": "anthropic", "base_url": url, "accounts": {"main": {"api_key": key}}}


def openai_provider(url: str, key: str) -> dict[str, Any]:
    """A provider for the configuration."""
    return {"kind": "openai", "base_url": f"{url}/v1", "accounts": {"main": {"api_key": key}}}


def config_for(url: str, **feature: Any) -> dict[str, Any]:
    """One feature, `f`: Anthropic first, OpenAI second, both played at one address."""
    targets = ["claude/claude-haiku-4-5", "gpt/gpt-4.1"]
    return {
        "providers": {
            "claude": anthropic_provider(url, "sk-claude"),
            "gpt": openai_provider(url, "sk-openai"),
        },
        "features": {"f": {"targets": targets, **feature}},
    }


def ask(model: str = "f", **fields: Any) -> dict[str, Any]:
    """A request's body, which both dialects understand."""
    prompt = "Why do ships keep a logbook? The captain reads what the crew saw at night."
    messages = [{"role": "user", "content": prompt}]
    return {"model": model, "max_tokens": 1000, **fields, "messages": messages}


def events_of(stream: str) -> list[tuple[str, Any]]:
    """(event, data) of a stream's text; data is decoded where it is JSON."""
    found: list[tuple[str, Any]] = []
    for block in stream.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line[1:])
        if "data" in fields:
            data = fields["data"]
            found.append((fields.get("event", ""), json.loads(data) if data[0] == "{" else data))
    return found
