"""Callers who ask one request after the other, and what became of each."""

import contextlib
import threading
from typing import Any, Self

import httpx

from support_relay import PATIENCE, ask


class Load:
    """Threads that go on asking until they are told to stop: whole answers and streams, over kept
    connections and new ones. What did not end well stands in `failures`, in words.
    """

    def __init__(self, url: str) -> None:
        self._url = f"{url}/v1/messages"
        self._stopped = threading.Event()
        self._changed = threading.Condition()
        self._ended = 0
        self.failures: list[str] = []
        ways = [(stream, kept) for stream in (False, True) for kept in (False, True)]
        self._threads = [
            threading.Thread(target=self._go_on, args=way, daemon=True) for way in ways
        ]

    def _go_on(self, stream: bool, kept: bool) -> None:
        with contextlib.ExitStack() as stack:
            client = stack.enter_context(httpx.Client(timeout=PATIENCE)) if kept else None
            while not self._stopped.is_set():
                fault = self._once(client, stream)
                with self._changed:
                    self._ended += 1
                    if fault is not None:
                        self.failures.append(fault)
                    self._changed.notify_all()

    def _once(self, client: httpx.Client | None, stream: bool) -> str | None:
        body: dict[str, Any] = ask(stream=stream)
        try:
            if client is not None:
                got = client.post(self._url, json=body)
            else:
                got = httpx.post(self._url, json=body, timeout=PATIENCE)
        except httpx.HTTPError as error:
            return f"{type(error).__name__}: {error}"
        whole = "event: message_stop" in got.text if stream else got.text.endswith("}")
        return None if got.status_code == 200 and whole else f"{got.status_code}: {got.text[-200:]}"

    def more(self, count: int = 12) -> None:
        """Wait until so many more have ended."""
        with self._changed:
            wanted = self._ended + count
            assert self._changed.wait_for(lambda: self._ended >= wanted, PATIENCE)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self.more()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(PATIENCE)
