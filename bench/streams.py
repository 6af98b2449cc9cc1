"""A thousand streams at once, twenty chunks a second each: what does a gateway add to a chunk?

The load is a program of its own (`paced/`, C): provider and callers in one process and on one
clock, so that every chunk's way is timed from its sending to its receipt. First without a gateway:
what the machine and the program need by themselves. Then through nginx, the unit; then through
Understudy; then through Understudy while every tenth stream's connection is reset at a word drawn
at random, so that it has to be continued at the second provider. The callers check every word.

    python bench/streams.py [--streams 1000] [--seconds 60] [--only direct,understudy]
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from cpu import Memory
from gateways import (
    CALLER_KEY,
    GATEWAYS,
    PROVIDER_KEY,
    Launch,
    Server,
    started,
    understudy_command,
    understudy_config,
)
from process import (
    LOAD_CORE,
    RUN,
    StartError,
    ends_on_signals,
    free_ports,
    fresh_run_folder,
    more_files,
    pinned,
)

__all__ = ["BROKEN", "CUT", "RUNS", "Load", "Percentiles", "Run", "measure"]

#: Streams at once; seconds that are measured.
STREAMS, SECONDS = 1000, 60
#: Chunks of a stream, and milliseconds between them.
WORDS, PACE_MS = 600, 50
#: Of so many streams one is broken, in the run that breaks them.
CUT = 10
#: The run with broken streams.
BROKEN = "understudy-broken"
#: A run with fewer chunks than this part of what was due is void; between two streams of a caller
#: there is a pause of one to two chunks.
_LEAST_RATE = 0.95
_SOURCES = Path(__file__).parent / "paced"
#: A few streams before the first reading of the memory: what is loaded at the first request is
#: not a stream's.
_WARM_UP = {"streams": 20, "words": 20, "seconds": 2, "settle": 0, "linger": 0}


@dataclass(frozen=True)
class Percentiles:
    """Times, µs."""

    count: int
    p50: int
    p90: int
    p99: int
    p999: int
    max: int


@dataclass(frozen=True)
class Load:
    """What the load program counted: streams, words, and times."""

    #: Streams begun; read whole; with anything wrong; silent at the end; under way at the end.
    started: int
    whole: int
    faulty: int
    stuck: int
    active: int
    #: Words read; never come; come again; and bytes of text that are no word.
    words: int
    missing: int
    doubled: int
    foreign: int
    #: Streams that the provider reset; requests to continue one; seams that the gateway marked.
    cuts: int
    continued: int
    marks: int
    #: Streams that the provider gave up, because the gateway did not read on.
    choked: int
    #: Requests at either provider.
    first: int
    second: int
    #: From a chunk's sending to its receipt.
    latency: Percentiles
    #: From the moment at which a chunk was due to its sending: the load program's own lag.
    lateness: Percentiles
    #: From the last chunk before a break to the first after it.
    seams: Percentiles
    #: CPU time of the load program by time measured.
    cpu: float
    first_fault: str

    @property
    def fault(self) -> str:
        """What went wrong, in words; empty where nothing did."""
        counts = {
            f"of {self.started} streams not whole": self.faulty,
            "stuck": self.stuck,
            "words missing": self.missing,
            "words doubled": self.doubled,
            "bytes of other text": self.foreign,
            "not read by the gateway": self.choked,
        }
        found = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        return f"{found} (first: {self.first_fault})" if found and self.first_fault else found


@dataclass(frozen=True)
class Run:
    """One way through, and what came of it."""

    name: str
    #: None where the gateway did not start; `fault` says why.
    load: Load | None
    fault: str
    #: The gateway's CPU time by time measured: 1 is a whole core. 0 without a gateway.
    cpu: float = 0.0
    #: The gateway before the streams, and with all of them under way.
    idle: Memory | None = None
    busy: Memory | None = None
    streams: int = STREAMS
    seconds: int = SECONDS

    @property
    def rate(self) -> float:
        """Chunks a second."""
        return self.load.latency.count / self.seconds if self.load else 0.0

    @property
    def bytes_a_stream(self) -> float:
        """By how much the gateway's own memory (PSS) has grown for each stream."""
        if self.idle is None or self.busy is None:
            return 0.0
        return (self.busy.pss - self.idle.pss) / self.streams


@dataclass(frozen=True)
class _Ports:
    first: int
    second: int


def _nginx(ports: _Ports) -> Callable[[int], Launch]:
    return lambda port: GATEWAYS["nginx"].launch(f"http://127.0.0.1:{ports.first}", port)


def _understudy(ports: _Ports) -> Callable[[int], Launch]:
    def launch(port: int) -> Launch:
        config = RUN / "streams.yaml"
        account = f"accounts: {{main: {{api_key: {PROVIDER_KEY}}}}}"
        providers = f"""\
  one: {{kind: openai, base_url: "http://127.0.0.1:{ports.first}/v1", {account}}}
  two: {{kind: openai, base_url: "http://127.0.0.1:{ports.second}/v1", {account}}}"""
        features = """\
  chat: {title: Chat, targets: [one/gpt-4.1, two/gpt-4.1], continue_streams: true}"""
        config.write_text(understudy_config(port, providers, features))
        return Launch([understudy_command(), "serve", "-c", str(config)])

    return launch


#: Name → how to start the gateway (None: there is none), and whether streams are broken.
RUNS: dict[str, tuple[Callable[[_Ports], Callable[[int], Launch]] | None, int]] = {
    "direct": (None, 0),
    "nginx": (_nginx, 0),
    "understudy": (_understudy, 0),
    BROKEN: (_understudy, CUT),
}


def _built() -> Path:
    """The load program, compiled."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise StartError("no C compiler: apt-get install gcc libc6-dev")
    program = RUN / "paced"
    sources = [str(path) for path in sorted(_SOURCES.glob("*.c"))]
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra"]
    done = subprocess.run(
        [compiler, *flags, "-o", str(program), *sources],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StartError(f"paced/ does not compile:\n{done.stderr[-1500:]}")
    return program


@contextmanager
def _running(program: Path, options: dict[str, object]) -> Iterator[IO[str]]:
    """The load program under way; its output."""
    command = [str(program), *(f"{name}={value}" for name, value in options.items())]
    process = subprocess.Popen(
        pinned(command, LOAD_CORE), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        if process.stdout is None:
            raise StartError("the load program has no output")
        yield process.stdout
    finally:
        process.kill()
        process.wait()


def _until(output: IO[str], word: str) -> str:
    """The rest of the next line that begins so."""
    for line in output:
        if line.startswith(word):
            return line.removeprefix(word).strip()
    raise StartError(f"the load program ended before it said {word!r}")


def _load(found: dict[str, Any]) -> Load:
    for name in ("latency", "lateness", "seams"):
        found[name] = Percentiles(**found[name])
    return Load(**found)


def _run(name: str, program: Path, streams: int, seconds: int) -> Run:
    launch, cut = RUNS[name]
    ports = _Ports(*free_ports(2))
    options: dict[str, object] = {"first": ports.first, "second": ports.second, "key": CALLER_KEY}
    with ExitStack() as stack:
        server: Server | None = None
        target = ports.first
        if launch is not None:
            server = stack.enter_context(started(f"streams-{name}", launch(ports)))
            target = int(server.url.rpartition(":")[2])
        options["target"] = target
        with _running(program, options | _WARM_UP) as output:
            _until(output, "RESULT")
        idle = server.memory() if server else None
        options |= {"streams": streams, "seconds": seconds, "words": WORDS, "pace": PACE_MS}
        with _running(program, options | {"cut": cut}) as output:
            _until(output, "begin")
            spent, since = (server.cpu_ns() if server else 0), time.monotonic_ns()
            _until(output, "end")
            spent = (server.cpu_ns() if server else 0) - spent
            lasted = time.monotonic_ns() - since
            busy = server.memory() if server else None
            load = _load(json.loads(_until(output, "RESULT")))
    run = Run(name, load, load.fault, spent / lasted, idle, busy, streams, seconds)
    if run.rate < _LEAST_RATE * streams * 1000 / PACE_MS:
        run = replace(run, fault=f"only {run.rate:,.0f} chunks a second; {run.fault}")
    return run


def measure(
    names: tuple[str, ...] = tuple(RUNS), streams: int = STREAMS, seconds: int = SECONDS
) -> list[Run]:
    """One run for each name. A gateway that does not start has a run with a fault.

    Raises:
        StartError: The load program cannot be built or run.
    """
    program = _built()
    more_files()
    runs = []
    for name in names:
        try:
            run = _run(name, program, streams, seconds)
        except StartError as error:
            run = Run(name, None, str(error))
        runs.append(run)
        print(f"  {name:20}{_line(run)}")
    return runs


def _line(run: Run) -> str:
    if run.load is None:
        return f"not run: {run.fault}"
    times, late = run.load.latency, run.load.lateness
    return (
        f"p50 {times.p50 / 1000:.2f}, p99 {times.p99 / 1000:.2f}, max {times.max / 1000:.1f} ms;"
        f" {run.cpu:.0%} of a core; {run.bytes_a_stream / 1000:.1f} KB a stream;"
        f" {run.load.words} words; load {run.load.cpu:.0%}, late p99 {late.p99 / 1000:.2f} ms;"
        f" seams {run.load.continued} of {run.load.cuts}; {run.fault or 'all whole'}"
    )


def main() -> int:
    """Prints a line for each run; 1 where a stream was not whole."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    options.add_argument("--streams", type=int, default=STREAMS)
    options.add_argument("--seconds", type=int, default=SECONDS)
    options.add_argument("--only", default=",".join(RUNS), help="by comma")
    chosen = options.parse_args()
    names = tuple(name for name in RUNS if name in chosen.only.split(","))
    ends_on_signals()
    fresh_run_folder()
    runs = measure(names, chosen.streams, chosen.seconds)
    return 1 if any(run.fault for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
