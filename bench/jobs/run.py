"""`make bench-jobs`: how many jobs a second are accepted and done, beside PgQueuer, in one run.

Every round measures everything in turn, each on an empty store, so that a slow spell of the
machine falls on all, and of the moments in which least of the machine was taken away from it
(`meter.py`). Both stores flush (`synchronous=FULL`, `fsync` and `synchronous_commit` on);
PostgreSQL and whoever asks it share the machine. Exits 1 where a goal is missed; the figures are
written anyway.

    python bench/jobs/run.py --rounds 3 --seconds 2 --write
"""

import argparse
import contextlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from meter import Clock, Slice, Slices
from process import RUN, ends_on_signals

from contract.postgres_cluster import Cluster, postgres
from support_pages import machine, put, say, table

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs/durability.md"
BENCH_PYTHON = ROOT / ".venv-bench/bin/python"
CALLERS = (1, 16, 64, 256)
#: Jobs accepted a second that each store must bear, over HTTP too.
GOALS = {"SQLite": 500.0, "PostgreSQL": 1000.0}
#: As each is run on two cores: `--workers`, besides one process.
WORKERS = {"SQLite": (1,), "PostgreSQL": (1, 2)}
#: A request of 2 KB.
BODY = {
    "model": "assistant",
    "max_tokens": 200,
    "messages": [{"role": "user", "content": "x" * 1940}],
}
HEADERS = ("Content-Type: application/json", "Prefer: respond-async")

Row = tuple[str, str]


@dataclass
class Findings:
    """(what, who) → callers → a figure for each round."""

    rates: dict[Row, dict[int, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    waits: dict[Row, dict[int, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    #: The share of its time that each measurement lost to other machines.
    stolen: list[float] = field(default_factory=list)

    def add(self, row: Row, callers: int, found: dict[str, float]) -> None:
        """One measurement."""
        self.rates[row][callers].append(found["rate"])
        self.waits[row][callers].append(found["p99_ms"])
        self.stolen.append(found["stolen"])
        words = f"{found['rate']:10,.0f}/s, {found['stolen']:4.0%} stolen"
        say(f"  {row[0]:8} {row[1]:34} {callers:4} callers {words}")


class Stores:
    """Empty stores, as many as are asked for."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._cluster = cluster
        self._folder = folder

    @contextlib.contextmanager
    def empty(self, engine: str) -> Iterator[str]:
        """The URL of one."""
        if engine == "PostgreSQL":
            url = self._cluster.database()
            yield url
            with self._cluster.connect() as connection:
                connection.execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")
        else:
            place = Path(tempfile.mkdtemp(dir=self._folder))
            yield f"sqlite:///{place / 'jobs.db'}"
            shutil.rmtree(place)


def told_by(python: Path | str, script: str, *arguments: object) -> dict[str, float]:
    """What one of the scripts beside this one found."""
    done = subprocess.run(
        [python, HERE / script, *map(str, arguments)], stdout=subprocess.PIPE, check=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


# -- over HTTP ------------------------------------------------------------------------------------


@contextlib.contextmanager
def serving(store: str, folder: Path, workers: int) -> Iterator[str]:
    """The product's URL. Its only provider is down, as when jobs come in: nothing is begun."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        listen = {"listen": "127.0.0.1:0"}
        provider = {
            "kind": "anthropic",
            "base_url": f"http://127.0.0.1:{nobody.getsockname()[1]}",
            "accounts": {"main": {"api_key": "none"}},
            "probes": False,
        }
        feature = {"targets": ["gone/claude-haiku-4-5"], "defer": True}
        told = {
            "relay": listen,
            "web": listen,
            "store": store,
            "providers": {"gone": provider},
            "features": {"assistant": feature},
        }
        file = folder / "understudy.yaml"
        file.write_text(json.dumps(told), encoding="utf-8")
        command = [sys.executable, "-m", "understudy", "serve", "-c", str(file), "--grace", "1s"]
        command += ["--workers", str(workers)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            try:
                url = process.stdout.readline().partition(": ")[2].strip()
                while process.stdout.readline() not in {"ready\n", ""}:
                    pass
                yield url
            finally:
                # Not killed: a supervisor takes its workers with it.
                process.terminate()


def over_http(url: str, callers: int, seconds: float, folder: Path) -> dict[str, float]:
    """By wrk, on kept connections, a second at a time."""
    body = folder / "body.json"
    body.write_text(json.dumps(BODY), encoding="utf-8")
    _wrk(url, callers, body)
    slices = Slices(seconds)
    while not slices.is_enough:
        clock, found = Clock(), _wrk(url, callers, body)
        p99 = found["p99_us"] / 1e6
        slices.add(Slice(clock.stolen(), found["seconds"], found["requests"], [p99]))
    kept = slices.quietest()
    return {
        "rate": sum(one.done for one in kept) / sum(one.seconds for one in kept),
        "p99_ms": 1000 * mean(one.took[0] for one in kept),
        "stolen": mean(one.stolen for one in kept),
    }


def _wrk(url: str, callers: int, body: Path) -> dict[str, float]:
    command = ["wrk", "-t1", f"-c{callers}", "-d1s", "--timeout=30s"]
    command += ["-s", str(ROOT / "bench/load.lua"), f"{url}/v1/messages", "--"]
    command += [f"header={header}" for header in HEADERS]
    done = subprocess.run([*command, f"body={body}"], stdout=subprocess.PIPE, check=True, text=True)
    (line,) = (text for text in done.stdout.splitlines() if text.startswith("RESULT "))
    found = json.loads(line.removeprefix("RESULT "))
    wrong = {name: found[name] for name in ("connect", "read", "write", "status", "timeout")}
    if any(wrong.values()):
        raise RuntimeError(f"not every request was answered with 202: {wrong}")
    return found


# -- rounds ---------------------------------------------------------------------------------------


def measure(stores: Stores, findings: Findings, seconds: float, folder: Path) -> None:
    """One round."""
    for engine in GOALS:
        for callers in CALLERS:
            with stores.empty(engine) as url:
                found = told_by(sys.executable, "store_rate.py", url, callers, seconds, "accept")
                findings.add(("accept", f"{engine}, the store"), callers, found)
            for workers in WORKERS[engine]:
                with stores.empty(engine) as url, serving(url, folder, workers) as relay:
                    found = over_http(relay, callers, seconds, folder)
                    findings.add(("accept", http_row(engine, workers)), callers, found)
        with stores.empty(engine) as url:
            found = told_by(sys.executable, "store_rate.py", url, 1, seconds, "drain")
            findings.add(("done", engine), 1, found)
    for callers in CALLERS:
        for what in ("enqueue", "batch") if callers <= 16 else ("enqueue",):
            with stores.empty("PostgreSQL") as url:
                found = told_by(BENCH_PYTHON, "pgqueuer_rate.py", url, callers, seconds, what)
                name = "PgQueuer" if what == "enqueue" else "PgQueuer, 256 in a call"
                findings.add(("accept", name), callers, found)
    with stores.empty("PostgreSQL") as url:
        found = told_by(BENCH_PYTHON, "pgqueuer_rate.py", url, 16, seconds, "drain")
        findings.add(("done", "PgQueuer"), 1, found)


# -- the page -------------------------------------------------------------------------------------


def spread(values: list[float]) -> str:
    """The median, and how far the rounds lie apart."""
    if not values:
        return ""
    if len(values) == 1:
        return f"{values[0]:,.0f}"
    return f"{median(values):,.0f} ({min(values):,.0f}–{max(values):,.0f})"


def render(findings: Findings, goals: list[tuple[str, str, bool]], words: str) -> str:
    """The tables."""
    accepted = [name for what, name in findings.rates if what == "accept"]
    done = [name for what, name in findings.rates if what == "done"]
    head = [f"{callers} caller{'s' * (callers > 1)}" for callers in CALLERS]

    def rows(figures: dict[Row, dict[int, list[float]]], *, exact: bool) -> list[list[object]]:
        return [
            [name, *(cell(figures["accept", name].get(callers, []), exact) for callers in CALLERS)]
            for name in accepted
            if figures["accept", name]
        ]

    def cell(values: list[float], exact: bool) -> str:
        return spread(values) if not exact or not values else f"{median(values):,.1f}"

    return "\n\n".join(
        [
            table(
                ["goal", "found", ""], [[t, f, "PASS" if m else "**FAIL**"] for t, f, m in goals]
            ),
            "Accepted a second, requests of 2 KB: median (lowest–highest) of the rounds.",
            table(["", *head], rows(findings.rates, exact=False)),
            "Milliseconds that 99 % of the callers waited at most, the median of the rounds:",
            table(["", *head], rows(findings.waits, exact=True)),
            "Done a second, from the claim to the durable end:",
            table(
                ["", "jobs/s"], [[name, spread(findings.rates["done", name][1])] for name in done]
            ),
            words,
        ]
    )


def http_row(engine: str, workers: int) -> str:
    """Who is measured."""
    return f"{engine}, over HTTP{', two workers' if workers == 2 else ''}"


def goals_of(findings: Findings) -> list[tuple[str, str, bool]]:
    """What was promised: the best number of callers counts, as for any rate."""
    goals = []
    for engine, wanted in GOALS.items():
        for name in (f"{engine}, the store", http_row(engine, WORKERS[engine][-1])):
            rates = findings.rates["accept", name]
            best = max((median(values) for values in rates.values()), default=0.0)
            text = f"{name}: at least {wanted:,.0f} accepted a second"
            goals.append((text, f"{best:,.0f}", best >= wanted))
    return goals


def versions(cluster: Cluster) -> str:
    """Of those who took part."""
    with cluster.connect() as connection:
        (server,) = connection.execute("SHOW server_version").fetchone()
    names = ("pgqueuer", "asyncpg")
    script = f"from importlib.metadata import version; print(*map(version, {names}))"
    done = subprocess.run(
        [BENCH_PYTHON, "-c", script], stdout=subprocess.PIPE, check=True, text=True
    )
    queue, driver = done.stdout.split()
    return f"PostgreSQL {server.split()[0]}, PgQueuer {queue} on asyncpg {driver}"


def main() -> int:
    """The command."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    options.add_argument("--write", action="store_true", help="into docs/durability.md")
    told = options.parse_args()
    findings = Findings()
    ends_on_signals()
    # Not in memory, where nothing is flushed: beside the sources.
    RUN.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RUN) as place, postgres() as cluster:
        folder = Path(place)
        stores = Stores(cluster, folder)
        for number in range(1, told.rounds + 1):
            say(f"round {number} of {told.rounds}")
            measure(stores, findings, told.seconds, folder)
        figures = f"{told.rounds} rounds of {told.seconds:g} s for each figure"
        stolen = f"{median(findings.stolen):.0%} of the time stolen by other machines (median)"
        words = f"{figures}, {stolen}; {versions(cluster)}; {machine()}."
    goals = goals_of(findings)
    text = render(findings, goals, words)
    say(text)
    if told.write:
        put(PAGE, "rates", text)
    return 0 if all(met for _, _, met in goals) else 1


if __name__ == "__main__":
    sys.exit(main())
