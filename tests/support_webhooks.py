"""Somebody who is told of jobs' ends: an HTTP server of the test's own, in a thread."""

import http.server
import json
import threading
from typing import NamedTuple

from standardwebhooks import Webhook

from support_relay import LOOPBACK, PATIENCE


class Told(NamedTuple):
    """One request, as it came."""

    path: str
    headers: dict
    body: bytes

    @property
    def id(self):
        return self.headers["webhook-id"]

    @property
    def said(self):
        return json.loads(self.body)

    def verified(self, secret):
        """What it says, if the signature is right by the standard's own library."""
        return Webhook(secret).verify(self.body, self.headers)


class Receiver:
    """Answers each request with the next of `answers`, (status, headers), the last again and again.
    None: not at all, until it is closed.
    """

    def __init__(self, *answers):
        self.told = []
        self._answers = list(answers or [(204, {})])
        self._changed = threading.Condition()
        self._closed = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                receiver._hear(self)

            def log_message(self, *_):
                """Nobody reads it."""

        self._server = http.server.ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://{LOOPBACK}:{self.port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def _hear(self, handler):
        body = handler.rfile.read(int(handler.headers["content-length"]))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self._changed:
            answer = self._answers[min(len(self.told), len(self._answers) - 1)]
            self.told.append(Told(handler.path, headers, body))
            self._changed.notify_all()
        if answer is None:
            self._closed.wait(PATIENCE * 3)
            handler.close_connection = True
            return
        status, more = answer
        handler.send_response(status)
        for name, value in {"content-length": "0", **more}.items():
            handler.send_header(name, value)
        handler.end_headers()

    def answer(self, *answers):
        """From the next request on."""
        with self._changed:
            self._answers = [*self._answers[:1] * len(self.told), *answers]

    def until(self, wanted, patience=PATIENCE):
        """Wait until what was told is as wanted."""
        with self._changed:
            assert self._changed.wait_for(lambda: wanted(self.told), patience), self.told

    def close(self):
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
