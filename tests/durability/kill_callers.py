"""Callers of the product in the kill runs: they ask, look, wait, watch and cancel, all at once.

A connection that breaks, or a 503, is expected and says nothing; everything else goes to the
ledger.
"""

import asyncio
import contextlib
import json
import random
from collections import Counter
from collections.abc import Iterator

import httpx

from durability.kill_ledger import Ledger, Told
from durability.kill_process import Process
from durability.kill_requests import FEATURES, Ask, draw

__all__ = ["Callers", "Moments"]

ASYNC = "respond-async"
#: Jobs of a lane that are not known to have ended: the callers wait beyond.
MOST_OPEN = 120
#: Seconds between two things that one caller does, at most.
PAUSE = 0.04
#: Seconds that one answer may take.
ANSWER = 60.0


class Moments:
    """What is going on now, for those who wait for a moment to strike."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Future[Told]]] = {}
        self.under_way: Counter[str] = Counter()

    def tell(self, name: str, told: Told) -> None:
        """It happens now, to this request."""
        for future in self._waiting.pop(name, ()):
            if not future.done():
                future.set_result(told)

    async def next(self, name: str) -> Told:
        """The next time that it happens."""
        future: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(name, []).append(future)
        return await future

    @contextlib.contextmanager
    def doing(self, name: str) -> Iterator[None]:
        """Something is under way that a kill cuts off."""
        self.under_way[name] += 1
        try:
            yield
        finally:
            self.under_way[name] -= 1


class Callers:
    """Some callers of a lane's processes.

    Args:
        ledger: is told everything.
        processes: whom they may ask; those without an address are not up.
        seed: of all that they draw.
    """

    def __init__(self, ledger: Ledger, processes: list[Process], seed: int) -> None:
        self.ledger = ledger
        self.moments = Moments()
        self.processes = processes
        self._chance = random.Random(seed)
        self._client = httpx.AsyncClient(timeout=ANSWER, limits=httpx.Limits(max_connections=64))
        self._tasks: list[asyncio.Task[None]] = []
        self._is_stopping = False

    def begin(self, count: int) -> None:
        """Let so many of them live."""
        self._tasks = [asyncio.create_task(self._live()) for _ in range(count)]

    async def stop(self) -> None:
        """Let them finish what they are at."""
        self._is_stopping = True
        await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        """Let go of the connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def _live(self) -> None:
        acts = {
            self._ask_something: 34,
            self._look_at_one: 22,
            self._read_one: 20,
            self._watch_one: 12,
            self._cancel_one: 5,
            self._ask_again: 5,
            self._ask_otherwise: 2,
        }
        while not self._is_stopping:
            (act,) = self._chance.choices(list(acts), list(acts.values()))
            # The process was killed, or its database: what was asked may have happened or not.
            with contextlib.suppress(httpx.TransportError):
                await act()
            await asyncio.sleep(PAUSE * self._chance.random())

    # -- what they do -------------------------------------------------------------------------

    async def _ask_something(self) -> None:
        if len(self.ledger.waiting) < MOST_OPEN:
            self._url()
            told = self.ledger.asked(draw(self._chance, len(self.ledger.told)))
            wait = self._chance.choice((0, 0, 0, 1, 3))
            await self.post(told, f"{ASYNC}, wait={wait}" if wait else ASYNC)

    async def _ask_again(self) -> None:
        """With a key that is known, or of which nothing was heard."""
        known = [told for told in self.ledger.told[-400:] if told.ask.key and not told.is_old]
        unsure = [told for told in known if told.is_unsure and told.ending is None]
        if known:
            await self.post(self._chance.choice(unsure or known))

    async def _ask_otherwise(self) -> None:
        """Another request with a key that is taken."""
        taken = [told for told in self.ledger.jobs[-400:] if told.ask.key and not told.is_old]
        if not taken:
            return
        told = self._chance.choice(taken)
        other = Ask(
            f"other-{told.ask.token}",
            told.ask.caller,
            told.ask.feature,
            told.ask.path,
            told.ask.stream,
            told.ask.key,
            told.ask.padding,
        )
        got = await self._send("POST", other, other.path, json=other.body, prefer=ASYNC)
        if got.status_code == 409:
            self.ledger.counts["the same key, another request: refused"] += 1
        elif got.status_code < 500 and not told.is_old:
            self.ledger.fault("two requests under one key", told, str(got.status_code))

    async def _look_at_one(self) -> None:
        told = self._some()
        if told is not None:
            await self.look(told)

    async def _read_one(self) -> None:
        told = self._some()
        if told is not None:
            await self.read(told)

    async def _cancel_one(self) -> None:
        told = self._one_open()
        if told is None:
            return
        known = told.ending
        self.moments.tell("cancelling", told)
        with self.moments.doing("cancel"):
            got = await self._send("DELETE", told.ask, f"/v1/jobs/{told.id}")
        if got.status_code == 200:
            self.ledger.counts["cancels answered"] += 1
            self.ledger.seen(told, got.json()["status"], known)
        elif got.status_code == 404:
            self.ledger.missing(told)

    async def _watch_one(self) -> None:
        """Its events, for a while."""
        told = self._one_open()
        if told is None:
            return
        url, headers = self._url(), told.ask.headers
        with self.moments.doing("watch"), contextlib.suppress(TimeoutError):
            async with asyncio.timeout(4.0):
                async with self._client.stream(
                    "GET", f"{url}/v1/jobs/{told.id}/events", headers=headers
                ) as stream:
                    if stream.status_code == 404:
                        self.ledger.missing(told)
                    async for line in stream.aiter_lines():
                        if line.startswith("event: "):
                            self._happened(told, line.removeprefix("event: "))

    def _happened(self, told: Told, name: str) -> None:
        if name == "running":
            self.moments.tell("running", told)
        if name != "attempted":
            self.ledger.counts["events seen"] += 1
        if name in {"succeeded", "failed", "cancelled", "expired"}:
            self.ledger.seen(told, name)

    # -- words to the product -----------------------------------------------------------------

    async def post(self, told: Told, prefer: str = ASYNC) -> None:
        """Ask, and take down what is said."""
        before, known = told.is_unsure, told.ending
        self.ledger.unsure(told)
        self.moments.tell("asking", told)
        try:
            with self.moments.doing("accept"):
                got = await self._send(
                    "POST", told.ask, told.ask.path, json=told.ask.body, prefer=prefer
                )
        except httpx.ConnectError:
            told.is_unsure = before
            if not before:
                self.ledger.unsent(told)
            raise
        if got.status_code == 202:
            told.is_unsure = False
            self.ledger.accepted(told, got.json()["id"], got.json()["status"], known)
            self.moments.tell("accepted", told)
        elif "wait=" in prefer and got.status_code != 503:
            self._waited(told, got)
        elif got.status_code != 503:
            self.ledger.fault("not accepted", told, f"{got.status_code} {got.text[:200]}")

    def _waited(self, told: Told, got: httpx.Response) -> None:
        """The result came at once, without the id of its job: with a key, that can be asked for."""
        told.is_unsure = told.ask.key is not None
        if got.status_code == 200 or told.ask.feature == "refused":
            self._result(told, got)
        else:
            self.ledger.fault("not accepted", told, f"{got.status_code} {got.text[:200]}")

    async def look(self, told: Told) -> None:
        """How it stands."""
        known = told.ending
        got = await self._send("GET", told.ask, f"/v1/jobs/{told.id}")
        if got.status_code == 200:
            self.ledger.seen(told, got.json()["status"], known)
        elif got.status_code == 404:
            self.ledger.missing(told)

    async def read(self, told: Told) -> None:
        """What came of it."""
        known = told.ending
        with self.moments.doing("read"):
            got = await self._send("GET", told.ask, f"/v1/jobs/{told.id}/result")
        if got.status_code == 202:
            self.ledger.seen(told, got.json()["status"], known)
        elif got.status_code == 404 and "job_not_found" in got.text:
            self.ledger.missing(told)
        elif got.status_code == 409:
            self.ledger.conflict(told, _code(got))
        elif got.status_code != 503 or _code(got) != "store_unavailable":
            self._result(told, got)

    def _result(self, told: Told, got: httpx.Response) -> None:
        request_id = got.headers.get("x-request-id", "")
        self.ledger.result(told, got.status_code, request_id, got.content)

    # -- small things -------------------------------------------------------------------------

    def _some(self) -> Told | None:
        """A recent job, sometimes an old one."""
        jobs = self.ledger.jobs
        if not jobs:
            return None
        return self._chance.choice(jobs[-200:] if self._chance.random() < 0.9 else jobs)

    def _one_open(self) -> Told | None:
        jobs = self.ledger.open
        # Quick ones have ended before anybody can look.
        slow = [told for told in jobs if FEATURES[told.ask.feature].seconds]
        return self._chance.choice(slow or jobs) if jobs else None

    def _url(self) -> str:
        up = [process.url for process in self.processes if process.url]
        if not up:
            raise httpx.ConnectError("nobody is there")
        return self._chance.choice(up)

    async def _send(
        self, method: str, ask: Ask, path: str, *, json: object = None, prefer: str | None = None
    ) -> httpx.Response:
        headers = ask.headers if prefer is None else ask.headers | {"prefer": prefer}
        return await self._client.request(method, self._url() + path, json=json, headers=headers)


def _code(got: httpx.Response) -> str:
    """Our own code in an error of any dialect."""
    error = json.loads(got.content).get("error", {})
    return str(error.get("understudy", error).get("code", ""))
