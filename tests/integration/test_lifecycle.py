"""The process from its start to its end, and the connections that it holds meanwhile."""

import json
import select
import signal
import socket
import subprocess
import sys
import threading

import httpx
import pytest

from support_relay import (
    LOOPBACK,
    NOT_FOUND,
    PATIENCE,
    Relay,
    StandIn,
    anthropic_provider,
    ask,
    config_for,
    events_of,
)
from understudy.mock import Where

CLAUDE, GPT = "claude-haiku-4-5", "gpt-4.1"
MB = 1 << 20


@pytest.fixture
def stand_in():
    with StandIn() as server:
        yield server


@pytest.fixture
def relay(stand_in, tmp_path):
    with Relay(config_for(stand_in.url), tmp_path) as relay:
        yield relay


class Streaming:
    """A stream that has begun and is read when the test reads on."""

    def __init__(self, client, relay, **fields):
        url = f"{relay.url}/v1/messages"
        self._held = client.stream("POST", url, json=ask(stream=True, **fields))
        self.response = self._held.__enter__()
        self._lines = self.response.iter_lines()
        self.text = ""
        self.read_to("text_delta")

    def read_to(self, wanted):
        """Read on until a line holds it."""
        for line in self._lines:
            self.text += f"{line}\n"
            if wanted in line:
                return
        raise AssertionError(f"no {wanted} in {self.text}")

    def rest(self):
        """Read to the end; all that came."""
        for line in self._lines:
            self.text += f"{line}\n"
        return self.text

    def leave(self):
        """Close the connection in the middle."""
        self._held.__exit__(None, None, None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.leave()


class TestDrain:
    def test_an_open_stream_ends_in_order_and_nobody_new_is_taken(self, relay, stand_in, client):
        stand_in.pace(tokens_per_second=60)
        with Streaming(client, relay) as stream:
            relay.signal(signal.SIGTERM)
            relay.log.until(lambda line: '"draining"' in line)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((LOOPBACK, relay.port), PATIENCE)
            assert events_of(stream.rest())[-1][0] == "message_stop"
        assert relay.ended() == 0
        assert relay.events("drained")[0]["cut"] == 0

    def test_idle_connections_are_closed_and_the_end_is_at_once(self, relay):
        with relay.connect() as idle:
            idle.send("GET /health/liveness HTTP/1.1\r\nHost: x\r\n\r\n")
            assert idle.read().status == 200
            relay.signal(signal.SIGTERM)
            assert idle.is_closed()
        assert relay.ended() == 0

    def test_sigint_is_heard_too(self, relay):
        relay.signal(signal.SIGINT)
        assert relay.ended() == 0

    def test_a_stuck_stream_is_cut_after_the_grace_and_never_called_whole(
        self, stand_in, tmp_path, client
    ):
        stand_in.play({"fault": "hang", "where": Where.MID_TEXT})
        config = config_for(stand_in.url, idle="100s")
        with Relay(config, tmp_path, grace="1s") as relay, Streaming(client, relay) as stream:
            relay.signal(signal.SIGTERM)
            with pytest.raises(httpx.RemoteProtocolError):
                stream.rest()
            assert "message_stop" not in stream.text
            assert relay.ended() == 0
            assert relay.events("drained")[0]["cut"] == 1
            assert relay.events("request")[0]["outcome"] == "cancelled"
        stand_in.until(lambda attempts: attempts[0].client_closed)


class TestReload:
    def test_targets_are_swapped_under_a_running_stream(self, relay, stand_in, client):
        stand_in.pace(tokens_per_second=60)
        config = json.loads(json.dumps(relay.config))
        config["features"]["f"]["targets"].reverse()
        config["features"]["g"] = {"targets": [f"claude/{CLAUDE}"]}
        with Streaming(client, relay) as stream:
            relay.write(config)
            relay.signal(signal.SIGHUP)
            relay.log.until(lambda line: '"reloaded"' in line)
            stand_in.pace(tokens_per_second=0)
            url = f"{relay.url}/v1/messages"
            after = client.post(url, json=ask())
            assert after.headers["x-understudy-target"] == f"gpt/{GPT}"
            assert client.post(url, json=ask("g")).status_code == 200
            assert stream.response.headers["x-understudy-target"] == f"claude/{CLAUDE}"
            assert events_of(stream.rest())[-1][0] == "message_stop"

    def test_a_broken_file_changes_nothing_and_is_told(self, relay, client):
        for broken in ("features: {", "features: {f: {targets: [nobody/x]}}", "", "\x00"):
            seen = len(relay.log)
            relay.file.write_text(broken)
            relay.signal(signal.SIGHUP)
            relay.log.until(lambda line: '"reload refused"' in line, after=seen)
            got = client.post(f"{relay.url}/v1/messages", json=ask())
            assert got.headers["x-understudy-target"] == f"claude/{CLAUDE}"
        assert relay.events("reloaded") == []
        # And a good one is taken afterwards.
        relay.write(relay.config)
        relay.signal(signal.SIGHUP)
        relay.log.until(lambda line: '"reloaded"' in line)

    def test_a_file_that_is_gone_changes_nothing(self, relay, client):
        relay.file.unlink()
        relay.signal(signal.SIGHUP)
        relay.log.until(lambda line: '"reload refused"' in line)
        assert client.post(f"{relay.url}/v1/messages", json=ask()).status_code == 200

    def test_a_key_that_was_taken_away_is_refused_on_a_kept_connection_too(
        self, stand_in, tmp_path, client
    ):
        config = config_for(stand_in.url)
        config["callers"] = [
            {"name": "a", "key": "caller-key-number-0001"},
            {"name": "b", "key": "caller-key-number-0002"},
        ]
        own = {"x-api-key": "caller-key-number-0001"}
        with Relay(config, tmp_path) as relay:
            url = f"{relay.url}/v1/messages"
            for _ in range(3):
                assert client.post(url, json=ask(), headers=own).status_code == 200
            changed = {**relay.config, "callers": config["callers"][1:]}
            relay.write(changed)
            relay.signal(signal.SIGHUP)
            relay.log.until(lambda line: '"reloaded"' in line)
            assert client.post(url, json=ask(), headers=own).status_code == 401


class TestStart:
    @pytest.mark.parametrize("taken", ["relay", "web"])
    def test_an_address_in_use_is_told_in_a_line_and_1(self, stand_in, tmp_path, taken):
        with socket.create_server((LOOPBACK, 0)) as held:
            port = held.getsockname()[1]
            free = {"listen": f"{LOOPBACK}:0"}
            config = {"relay": free, "web": free, **config_for(stand_in.url)}
            config[taken] = {"listen": f"{LOOPBACK}:{port}"}
            file = tmp_path / "understudy.yaml"
            file.write_text(json.dumps(config))
            done = subprocess.run(
                [sys.executable, "-m", "understudy", "serve", "-c", file],
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        assert done.returncode == 1
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        assert str(port) in line
        assert "in use" in line

    def test_it_is_alive_and_ready(self, steady, client):
        relay, _ = steady
        for path in ("liveness", "liveliness"):
            assert client.get(f"{relay.url}/health/{path}").json() == {"status": "alive"}
        ready = client.get(f"{relay.url}/health/readiness")
        assert ready.json() == {"status": "ready", "features": {"f": True}}


class TestCallersWhoLeave:
    def test_in_the_middle_of_a_stream(self, steady, client):
        relay, stand_in = steady
        stand_in.play({"fault": "hang", "where": Where.MID_TEXT})
        with Streaming(client, relay) as stream:
            request_id = stream.response.headers["x-request-id"]
        stand_in.until(lambda attempts: attempts[0].client_closed)
        journal = client.get(f"{relay.url}/v1/requests/{request_id}").json()
        assert journal["outcome"] == "cancelled"
        assert [attempt["result"] for attempt in journal["attempts"]] == ["cancelled"]

    def test_before_a_whole_answer_is_there(self, steady):
        relay, stand_in = steady
        stand_in.play({"fault": "hang", "where": Where.BEFORE_HEADERS})
        body = json.dumps(ask())
        with relay.connect() as connection:
            head = f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.send(head + body)
            stand_in.until(lambda attempts: bool(attempts) and attempts[0].hung)
        stand_in.until(lambda attempts: attempts[0].client_closed)
        relay.log.until(lambda line: '"cancelled"' in line and '"event": "request"' in line)

    def test_it_speaks_against_nobody(self, steady, client):
        relay, stand_in = steady
        stand_in.play({"fault": "hang", "where": Where.MID_TEXT, "times": 6})
        for _ in range(6):
            with Streaming(client, relay):
                pass
        stand_in.until(lambda attempts: sum(a.client_closed for a in attempts) == 6)
        got = client.post(f"{relay.url}/v1/messages", json=ask())
        assert got.headers["x-understudy-target"] == f"claude/{CLAUDE}"


class Endless:
    """A provider whose one stream is of `size` bytes. Notes how much it could send, and when
    nothing more was taken from it for a while.
    """

    def __init__(self, size):
        self._size = size
        self.sent = 0
        self.stalled = threading.Event()
        self.ended = threading.Event()
        self._listener = socket.create_server((LOOPBACK, 0))
        self.url = f"http://{LOOPBACK}:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            connection, _ = self._listener.accept()
            if not connection.recv(65536).startswith(b"GET"):
                break
            with connection:  # It has no list of models.
                connection.sendall(NOT_FOUND)
        with connection:
            connection.sendall(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
            )
            try:
                self._stream(connection)
            except OSError:
                self.stalled.set()
            self.ended.set()

    def _stream(self, connection):
        start = {"type": "message", "id": "msg_1", "role": "assistant", "model": CLAUDE,
                 "content": [], "usage": {"input_tokens": 1, "output_tokens": 1}}  # fmt: skip
        self._send(connection, "message_start", message=start)
        block = {"type": "text", "text": ""}
        self._send(connection, "content_block_start", index=0, content_block=block)
        delta = {"type": "text_delta", "text": "x" * 8000}
        while self.sent < self._size:
            if not self.stalled.is_set() and not select.select([], [connection], [], 1.0)[1]:
                self.stalled.set()
            self._send(connection, "content_block_delta", index=0, delta=delta)
        self._send(connection, "content_block_stop", index=0)
        end = {"stop_reason": "end_turn"}
        self._send(connection, "message_delta", delta=end, usage={"output_tokens": 9})
        self._send(connection, "message_stop")

    def _send(self, connection, kind, **fields):
        data = json.dumps({"type": kind, **fields})
        event = f"event: {kind}\ndata: {data}\n\n".encode()
        connection.sendall(event)
        self.sent += len(event)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()
        self._thread.join(PATIENCE)


class TestSlowReaders:
    def test_the_provider_waits_memory_is_bounded_and_others_are_served(
        self, stand_in, tmp_path, client
    ):
        with Endless(64 * MB) as endless:
            config = config_for(stand_in.url)
            config["providers"]["endless"] = anthropic_provider(endless.url, "sk-endless")
            config["features"]["long"] = {"targets": [f"endless/{CLAUDE}"], "idle": "500ms"}
            body = json.dumps(ask("long", stream=True))
            raw = f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            with Relay(config, tmp_path) as relay:
                before = relay.memory()
                with relay.connect(receive_buffer=4096) as slow:
                    slow.send(raw + body)
                    assert endless.stalled.wait(PATIENCE)
                    # Twice: longer than any silence that is allowed of a provider.
                    assert endless.sent < 32 * MB
                    assert relay.memory() - before < 24 * MB
                    assert client.post(f"{relay.url}/v1/messages", json=ask()).status_code == 200
                    assert not endless.ended.is_set()

                    got = slow.read()
                assert endless.ended.wait(PATIENCE)
                assert got.body.count(b"text_delta") > 7000
                assert b"message_stop" in got.body[-200:]
                # Its caller was slow, not the provider.
                told = client.get(f"{relay.url}/v1/requests/{got.headers['x-request-id']}").json()
                assert told["outcome"] == "succeeded"
