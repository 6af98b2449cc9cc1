"""Minutes with a provider that falls ill in one way after the other: what do callers notice?

Four contestants before the same two stand-ins (`understudy mock`), in the same minutes: OpenAI's
SDK straight at the primary, LiteLLM, Portkey and Understudy, each with the fallback as its second
target. Callers are OpenAI's SDK too, a few requests a second each, half of them streamed. The
stand-ins answer every prompt always alike, so that an answer that is short of its end is seen, even
where nobody raised an error.

    python bench/outage.py [--minutes 10] [--rate 2] [--only understudy,litellm]
"""

import argparse
import asyncio
import json
import math
import os
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from contestants import CONTESTANTS, Contestant, Place
from gateways import CALLER_KEY, GATEWAYS, started, understudy_command
from process import (
    LOAD_CORE,
    StartError,
    ends_on_signals,
    free_ports,
    fresh_run_folder,
    running,
    until_listening,
)

if TYPE_CHECKING:
    from callers import Answer, Caller

__all__ = ["MINUTES", "PHASES", "WELL", "Outage", "Phase", "Tally", "measure"]

MINUTES = 10.0
#: Requests a second of every contestant.
RATE = 2.0
#: How the stand-ins answer: as a quick model does, an answer taking one to two seconds.
_PACE = {"first_token": 0.2, "tokens_per_second": 150}


@dataclass(frozen=True)
class Phase:
    """Some time of the primary's. Without a fault it is well."""

    name: str
    #: A rule of the stand-in's board (docs/mock.md); played for every contestant by itself.
    rule: dict[str, object] | None = None
    #: The process is gone, so that connections are refused.
    gone: bool = False

    @property
    def sick(self) -> bool:
        """Whether anything is wrong."""
        return self.gone or self.rule is not None


_MIDWAY = {"where": "mid_text"}
#: The sick phases in turn; before each, and at the end, the primary is well for half as long.
PHASES = (
    Phase("connections refused", gone=True),
    Phase("503, overloaded", {"fault": "overloaded"}),
    Phase("429, retry-after 2 s", {"fault": "rate_limited"}),
    Phase("no response at all", {"fault": "hang", "where": "before_headers"}),
    Phase("silence after some tokens", {"fault": "hang", **_MIDWAY}),
    Phase("reset in the middle", {"fault": "reset", **_MIDWAY}),
    Phase("every third reset", {"fault": "reset", "every": 3, **_MIDWAY}),
    Phase("an end without a finish", {"fault": "no_terminal", **_MIDWAY}),
    Phase("an error event in the middle", {"fault": "overloaded_mid_stream", **_MIDWAY}),
)
WELL = Phase("well")


# --- the stand-ins -------------------------------------------------------------------------------


class StandIn:
    """An `understudy mock` on a port of its own, which can go and come back."""

    def __init__(self, name: str) -> None:
        self._name = name
        (self._port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self._port}"
        self._running = ExitStack()

    def start(self) -> None:
        """Starts it, at its usual pace and well.

        Raises:
            StartError: It did not come up.
        """
        command = [understudy_command(), "mock", "--listen", f"127.0.0.1:{self._port}"]
        process = self._running.enter_context(running(self._name, command, LOAD_CORE))
        until_listening(process, self._name, self._port)
        self._call("PUT", "pace", _PACE)

    def stop(self) -> None:
        """Ends it: connections are refused from now on."""
        self._running.close()

    def play(self, rules: list[dict[str, object]]) -> None:
        """Plays these rules from now on, and forgets what was asked."""
        self._call("PUT", "faults", rules)
        self._call("DELETE", "attempts")

    def attempts(self) -> Counter[str]:
        """Requests since it last began to play, by the end of their key."""
        return Counter(attempt["key"] for attempt in json.loads(self._call("GET", "attempts")))

    def _call(self, method: str, noun: str, body: object = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.url}/mock/{noun}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bytes(answer.read())


def _enter(phase: Phase, primary: StandIn, tails: list[str]) -> None:
    if phase.gone:
        primary.stop()
    elif phase.rule is not None:
        primary.play([phase.rule | {"key": tail} for tail in tails])


def _leave(phase: Phase, primary: StandIn) -> Counter[str]:
    """The attempts that were made meanwhile; those at a process that is gone nobody counts."""
    if phase.gone:
        primary.start()
        return Counter()
    attempts = primary.attempts() if phase.sick else Counter[str]()
    primary.play([])
    return attempts


# --- what is found -------------------------------------------------------------------------------


@dataclass
class Tally:
    """One contestant."""

    name: str
    version: str = ""
    #: Why it did not take part; empty where it did.
    absent: str = ""
    answers: "list[Answer]" = field(default_factory=list)
    #: Requests that the primary had from it while it was sick (and there to count them).
    attempts_sick: int = 0

    def count(self, *outcomes: str, phase: str | None = None) -> int:
        """Answers of these outcomes (none given: all), of one phase or of all."""
        return sum(
            (not outcomes or answer.outcome in outcomes) and phase in {None, answer.phase}
            for answer in self.answers
        )

    def first(self, share: float) -> float | None:
        """A percentile of the time to a stream's first content, seconds."""
        times = sorted(answer.first for answer in self.answers if answer.first is not None)
        if not times:
            return None
        return times[min(math.floor(share * len(times)), len(times) - 1)]

    def reasons(self, most: int = 3) -> list[tuple[str, int]]:
        """The commonest reasons for what was not whole."""
        return Counter(answer.why for answer in self.answers if answer.why).most_common(most)


@dataclass(frozen=True)
class Outage:
    """The whole of it."""

    minutes: float
    rate: float
    #: Seconds of a sick phase; it is well for half as long in between.
    sick_seconds: float
    sdk: str
    tallies: list[Tally]


# --- the run -------------------------------------------------------------------------------------


def _schedule(minutes: float) -> list[tuple[Phase, float]]:
    """Every phase with its seconds; those that are alike last equally long."""
    unit = minutes * 60 / (1.5 * len(PHASES) + 0.5)
    phases = [(part, unit * (1 if part.sick else 0.5)) for sick in PHASES for part in (WELL, sick)]
    return [*phases, (WELL, unit * 0.5)]


class _Now:
    """Which phase it is."""

    def __init__(self) -> None:
        self.phase = WELL.name


async def _traffic(
    tally: Tally, caller: "Caller", expected: dict[str, str], rate: float, now: _Now
) -> None:
    """Asks at a steady rate, whatever becomes of the requests, until it is cancelled."""
    prompts = list(expected)
    since = time.monotonic()
    async with asyncio.TaskGroup() as group:
        number = 0
        try:
            while True:
                await asyncio.sleep(max(0.0, since + number / rate - time.monotonic()))
                prompt, stream = prompts[number // 2 % len(prompts)], number % 2 == 0
                group.create_task(_once(tally, caller, (prompt, expected[prompt]), now, stream))
                number += 1
        except asyncio.CancelledError:
            print(f"    {tally.name}: {number} requests begun")


async def _once(
    tally: Tally, caller: "Caller", about: tuple[str, str], now: _Now, stream: bool
) -> None:
    tally.answers.append(await caller.ask(*about, now.phase, stream=stream))


async def _phases(
    schedule: list[tuple[Phase, float]], primary: StandIn, tallies: list[Tally], now: _Now
) -> None:
    tails = {CONTESTANTS[tally.name].tail: tally for tally in tallies}
    until = time.monotonic()
    for phase, seconds in schedule:
        until += seconds
        await asyncio.to_thread(_enter, phase, primary, list(tails))
        now.phase = phase.name
        await asyncio.sleep(until - time.monotonic())
        attempts = await asyncio.to_thread(_leave, phase, primary)
        for tail, tally in tails.items():
            tally.attempts_sick += attempts[tail]
        if phase.sick:
            print(f"    {phase.name}: {_summary(tallies, phase.name)}")


def _summary(tallies: list[Tally], phase: str | None = None) -> str:
    return "; ".join(
        f"{tally.name} {tally.count('failed', phase=phase)} failed,"
        f" {tally.count('truncated', 'other', phase=phase)} wrong of {tally.count(phase=phase)}"
        for tally in tallies
    )


@asynccontextmanager
async def _callers(
    places: dict[str, tuple[str, Place]],
) -> "AsyncIterator[dict[str, Caller]]":
    """A caller for each contestant that runs: name → (its URL, how it is set up)."""
    # Where it is needed: the SDK takes a second to import.
    from callers import DEFAULT_MAX_RETRIES, Caller  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        made = {}
        for name, (url, place) in places.items():
            contestant = CONTESTANTS[name]
            key = CALLER_KEY if name == "understudy" else place.key
            caller = Caller(
                f"{url}/v1",
                key,
                contestant.model,
                headers=contestant.headers(place),
                # A gateway retries by itself; straight at the provider it is the SDK that does.
                retries=DEFAULT_MAX_RETRIES if contestant.launch is None else 0,
            )
            stack.push_async_callback(caller.close)
            made[name] = caller
        yield made


async def _run(
    places: dict[str, tuple[str, Place]],
    primary: StandIn,
    tallies: list[Tally],
    minutes: float,
    rate: float,
) -> str:
    from callers import PROMPTS, Caller, sdk_version  # noqa: PLC0415

    well = Caller(f"{next(iter(places.values()))[1].fallback}/v1", "sk-bench-well", "gpt-4.1")
    expected = {prompt: await well.text(prompt) for prompt in PROMPTS}
    await well.close()
    now = _Now()
    async with _callers(places) as callers:
        asking = [
            asyncio.create_task(_traffic(tally, callers[tally.name], expected, rate, now))
            for tally in tallies
        ]
        await _phases(_schedule(minutes), primary, tallies, now)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking)
    return str(sdk_version)


@contextmanager
def _on_load_core() -> Iterator[None]:
    """This process beside the stand-ins, apart from the gateways."""
    before = os.sched_getaffinity(0)
    if len(before) > 1:
        os.sched_setaffinity(0, {int(LOAD_CORE)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def _present(contestant: Contestant, place: Place, tally: Tally) -> Iterator[str]:
    """The URL at which a contestant is to be called, while it runs."""
    if contestant.launch is None:
        yield place.primary
        return
    tally.version = GATEWAYS[contestant.name].version()
    with started(f"outage-{contestant.name}", partial(contestant.launch, place)) as server:
        yield server.url


def measure(
    names: tuple[str, ...] = tuple(CONTESTANTS), minutes: float = MINUTES, rate: float = RATE
) -> Outage:
    """All contestants at once. One that does not start is noted as absent.

    Raises:
        StartError: A stand-in did not come up.
    """
    primary, fallback = StandIn("mock-primary"), StandIn("mock-fallback")
    tallies = []
    places: dict[str, tuple[str, Place]] = {}
    with ExitStack() as stack:
        for stand_in in (primary, fallback):
            stack.callback(stand_in.stop)
            stand_in.start()
        for name in names:
            contestant = CONTESTANTS[name]
            place = Place(primary.url, fallback.url, contestant.key)
            tally = Tally(name)
            tallies.append(tally)
            try:
                places[name] = stack.enter_context(_present(contestant, place, tally)), place
            except (StartError, OSError, ImportError, ValueError) as error:
                tally.absent = str(error)
                print(f"  {name}: not run: {error}")
        present = [tally for tally in tallies if not tally.absent]
        sdk = ""
        if present:
            with _on_load_core():
                sdk = asyncio.run(_run(places, primary, present, minutes, rate))
    print(f"  {_summary(present)}")
    sick = next(seconds for phase, seconds in _schedule(minutes) if phase.sick)
    return Outage(minutes, rate, sick, sdk, tallies)


def main() -> int:
    """Prints what each contestant's callers met; 1 where Understudy's noticed anything."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    options.add_argument("--minutes", type=float, default=MINUTES)
    options.add_argument("--rate", type=float, default=RATE, help="requests a second, of each")
    options.add_argument("--only", default=",".join(CONTESTANTS), help="by comma")
    chosen = options.parse_args()
    names = tuple(name for name in CONTESTANTS if name in chosen.only.split(","))
    ends_on_signals()
    fresh_run_folder()
    outage = measure(names, chosen.minutes, chosen.rate)
    for tally in outage.tallies:
        first, slow = tally.first(0.5), tally.first(0.99)
        print(
            f"{tally.name} {tally.version}: {tally.count()} requests,"
            f" {tally.count('failed')} failed, {tally.count('truncated')} truncated,"
            f" {tally.count('other')} other;"
            f" first content p50 {first or 0:.2f} s, p99 {slow or 0:.2f} s;"
            f" {tally.attempts_sick} attempts at the sick primary; {tally.reasons()}"
        )
    ours = [tally for tally in outage.tallies if tally.name == "understudy"]
    return 1 if any(tally.absent or tally.count() != tally.count("whole") for tally in ours) else 0


if __name__ == "__main__":
    sys.exit(main())
