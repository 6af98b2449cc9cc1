"""Do 10⁵ requests, a tenth of whose first attempts fail, leave anything behind?

Provider one fails every tenth request, in another way each time: refused, overloaded, silent, cut
in the middle, ended without an end, an edge's page under 200; provider two is well. Streams go on
at the second; every caller looks into its answer, and some hang up in its middle. Afterwards the
providers are gone, the callers too: sockets, tasks, open requests must be those from before the
first request, and memory must not have grown from the first half to the second.

    python bench/leaks.py [--requests 100000]
"""

import argparse
import sys
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from cpu import tree
from gateways import (
    PROVIDER_KEY,
    Launch,
    Server,
    started,
    understudy_command,
    understudy_config,
)
from load import Target, body_file, wrk
from memory import GROWTH_LIMIT
from process import RUN, Stub, ends_on_signals, fresh_run_folder, stub

__all__ = ["REQUESTS", "Leaks", "measure"]

REQUESTS = 100_000
#: Seconds of wrk at a time: at each end, thirty-two callers hang up.
_SLICE = 10
#: Seconds within which everything must have been put away.
_PATIENCE = 10


@dataclass(frozen=True)
class Held:
    """What the process has at a moment."""

    sockets: int
    tasks: int
    requests: int

    def beyond(self, before: "Held") -> str:
        """What there is more than before, in words; empty where there is no more."""
        names = ("sockets", "tasks", "requests")
        more = {name: getattr(self, name) - getattr(before, name) for name in names}
        return ", ".join(f"{count} {name}" for name, count in more.items() if count > 0)


@dataclass(frozen=True)
class Leaks:
    """What was there before, and what was left."""

    requests: int
    #: Attempts that failed, and streams that went on at the second provider.
    faults: int
    continued: int
    before: Held
    after: Held
    #: Resident memory after half of the requests, and after all, bytes.
    half: int
    rss: int
    #: Answers that were not whole, in words.
    fault: str

    @property
    def grown(self) -> int:
        """By how much memory grew in the second half, bytes."""
        return self.rss - self.half


class _Admin:
    """What the process says of itself."""

    def __init__(self, server: Server) -> None:
        self._url = f"{server.url}/metrics"
        self._server = server

    def held(self) -> Held:
        rows = self._rows()
        return Held(
            sockets=_sockets(self._server.pid),
            tasks=int(_sum(rows, "understudy_tasks")),
            requests=int(_sum(rows, "understudy_open_requests")),
        )

    def count(self, name: str) -> int:
        return int(_sum(self._rows(), name))

    def _rows(self) -> list[str]:
        request = urllib.request.Request(self._url, headers={"connection": "close"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(answer.read(), "utf-8").splitlines()


def _sum(rows: list[str], name: str) -> float:
    return sum(float(row.rpartition(" ")[2]) for row in rows if row.startswith(name))


def _sockets(pid: int) -> int:
    """Sockets open in the process tree, but for those in the act of being read here."""
    count = 0
    for process in tree(pid):
        for entry in Path(f"/proc/{process}/fd").iterdir():
            try:
                count += str(entry.readlink()).startswith("socket:")
            except OSError:
                continue
    return count


def _launch(one: Stub, two: Stub, port: int) -> Launch:
    config = RUN / "leaks.yaml"
    account = f"accounts: {{main: {{api_key: {PROVIDER_KEY}}}}}"
    providers = f"""\
  one: {{kind: openai, base_url: "{one.url}/v1", {account}}}
  two: {{kind: openai, base_url: "{two.url}/v1", {account}}}"""
    features = """\
  chat:
    {title: Chat, targets: [one/gpt-4.1, two/gpt-4.1], first_token: 1s, continue_streams: true}"""
    config.write_text(understudy_config(port, providers, features))
    return Launch([understudy_command(), "serve", "-c", str(config)])


def measure(requests: int = REQUESTS) -> Leaks:
    """Sends the requests, lets everybody go, and looks at what is left.

    Raises:
        StartError: Understudy did not come up.
    """
    bodies = [body_file("chat", stream=stream) for stream in (False, True)]
    with ExitStack() as outer, ExitStack() as providers:
        one, two = (providers.enter_context(stub(name)) for name in ("stub-one", "stub-two"))
        server = outer.enter_context(started("understudy", lambda port: _launch(one, two, port)))
        admin = _Admin(server)
        before = admin.held()
        one.mode("mixed")
        answered, fault, half = 0, "", 0
        while answered < requests and not fault:
            target = Target(server.url, {})
            result = wrk(target, bodies, seconds=_SLICE, connections=32, check=True)
            answered += result.requests
            fault = result.fault or ("" if result.requests else "nothing answered")
            if not half and answered >= requests // 2:
                half = server.memory().rss
            print(f"  {answered} requests: {admin.held()} {fault}", flush=True)
        rss = server.memory().rss
        faults = admin.count("understudy_faults_total")
        continued = admin.count("understudy_continued_streams_total")
        providers.close()
        until = time.monotonic() + _PATIENCE
        after = admin.held()
        while after.beyond(before) and time.monotonic() < until:
            time.sleep(0.2)
            after = admin.held()
    return Leaks(answered, faults, continued, before, after, half, rss, fault)


def main() -> int:
    """Prints what was left; 1 where anything was."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    options.add_argument("--requests", type=int, default=REQUESTS)
    requests = options.parse_args().requests
    ends_on_signals()
    fresh_run_folder()
    found = measure(requests)
    print(
        f"{found.requests} requests, {found.faults} faults, {found.continued} streams continued;"
        f" before {found.before}, after {found.after};"
        f" RSS {found.half / 1e6:.1f} → {found.rss / 1e6:.1f} MB; {found.fault or 'all whole'}"
    )
    is_clean = not found.after.beyond(found.before) and found.grown <= GROWTH_LIMIT
    return 0 if is_clean and not found.fault else 1


if __name__ == "__main__":
    sys.exit(main())
