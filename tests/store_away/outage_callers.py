"""Callers: of answers, who must never notice; of jobs, who are told to come back."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

import httpx

from support_tasks import meanwhile

__all__ = ["Callers", "Jobs", "ask_once"]

#: Of each kind: whole or streamed, over a kept connection or a new one.
OF_A_KIND = 4
#: Seconds that a caller waits: longer than any request may take.
PATIENCE = 150.0
#: Seconds between two requests to be deferred, and between two looks at those that were.
DEFER_EVERY, LOOK_EVERY = 1.0, 1.0


def ask_once(feature: str, **fields: Any) -> dict[str, Any]:
    """A request's body."""
    prompt = "Why do ships keep a logbook? The captain reads what the crew saw at night."
    messages = [{"role": "user", "content": prompt}]
    return {"model": feature, "max_tokens": 60, "messages": messages, **fields}


def _fault(got: httpx.Response, *, stream: bool) -> str | None:
    """What is wrong with an answer."""
    if got.status_code != 200:
        return f"{got.status_code}: {got.text[:200]}"
    whole = "event: message_stop" in got.text if stream else got.text.endswith("}")
    return None if whole else f"not whole: {got.text[-100:]}"


class Callers:
    """Ask one request after the other. `phase`: what the next ones are counted under."""

    def __init__(self, relay: str) -> None:
        self._url = f"{relay}/v1/messages"
        self.phase = "before"
        self.asked: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.slowest: dict[str, float] = {}
        self.words: list[str] = []

    async def _go_on(self, *, stream: bool, kept: bool) -> None:
        body = ask_once("live", stream=stream)
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            while True:
                # A request belongs to the phase in which it begins.
                phase, began = self.phase, time.monotonic()
                try:
                    headers = {} if kept else {"connection": "close"}
                    got = await client.post(self._url, json=body, headers=headers)
                    fault = _fault(got, stream=stream)
                except httpx.HTTPError as error:
                    fault = f"{type(error).__name__}: {error}"
                seconds = time.monotonic() - began
                self.asked[phase] += 1
                self.slowest[phase] = max(self.slowest.get(phase, 0.0), seconds)
                if fault is not None:
                    self.failed[phase] += 1
                    self.words.append(f"{phase}: {fault}")

    def going_on(self) -> AbstractAsyncContextManager[None]:
        """All of them, meanwhile."""
        ways = [(stream, kept) for stream in (False, True) for kept in (False, True)] * OF_A_KIND
        return meanwhile(*(self._go_on(stream=stream, kept=kept) for stream, kept in ways))


@dataclass
class Jobs:
    """Asks for jobs, and follows those that were accepted to their end."""

    relay: str
    #: Path → when it was accepted.
    waiting: dict[str, float] = field(default_factory=dict)
    #: (accepted at, ended at, status).
    ended: list[tuple[float, float, str]] = field(default_factory=list)
    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    #: Neither 202 nor 503 store_unavailable.
    strange: list[str] = field(default_factory=list)
    #: At the end: jobs that were followed, and those of them that have not ended.
    followed: int = 0
    left: list[str] = field(default_factory=list)

    def going_on(self) -> AbstractAsyncContextManager[None]:
        """Meanwhile."""
        return meanwhile(self._ask(), self._look())

    async def _ask(self) -> None:
        pending: set[asyncio.Task[None]] = set()
        async with httpx.AsyncClient(base_url=self.relay, timeout=PATIENCE) as client:
            while True:
                # Not one after the other: while the store is frozen each waits for seconds.
                task = asyncio.create_task(self._ask_once(client))
                pending.add(task)
                task.add_done_callback(pending.discard)
                await asyncio.sleep(DEFER_EVERY)

    async def _ask_once(self, client: httpx.AsyncClient) -> None:
        headers = {"prefer": "respond-async"}
        try:
            got = await client.post("/v1/messages", json=ask_once("later"), headers=headers)
        except httpx.HTTPError as error:
            self.strange.append(f"{type(error).__name__}: {error}")
            return
        now = time.monotonic()
        if got.status_code == 202:
            self.accepted.append(now)
            self.waiting[got.headers["location"]] = now
        elif got.status_code == 503 and "store_unavailable" in got.text:
            self.refused.append(now)
        else:
            self.strange.append(f"{got.status_code}: {got.text[:200]}")

    async def _look(self) -> None:
        async with httpx.AsyncClient(base_url=self.relay, timeout=PATIENCE) as client:
            while True:
                for path in list(self.waiting):
                    await self._look_at(client, path)
                await asyncio.sleep(LOOK_EVERY)

    async def _look_at(self, client: httpx.AsyncClient, path: str) -> None:
        try:
            got = await client.get(path)
        except httpx.HTTPError as error:
            self.strange.append(f"{type(error).__name__}: {error}")
            return
        if got.status_code == 503:
            await asyncio.sleep(LOOK_EVERY)
            return
        if got.status_code != 200:
            self.strange.append(f"{path}: {got.status_code}: {got.text[:200]}")
        status = got.json().get("status", str(got.status_code))
        if status not in {"queued", "running"}:
            self.ended.append((self.waiting.pop(path), time.monotonic(), status))

    async def finish(self, patience: float) -> None:
        """Follow what has been accepted by now to its end, for so many seconds at most."""
        moment = time.monotonic()
        self.followed = len(self.accepted)
        for _ in range(int(patience / LOOK_EVERY)):
            if not any(self.open_since(moment)):
                break
            await asyncio.sleep(LOOK_EVERY)
        self.left = list(self.open_since(moment))

    def open_since(self, moment: float) -> Iterator[str]:
        """Jobs that were accepted before a moment and have not ended."""
        return (path for path, at in self.waiting.items() if at < moment)
