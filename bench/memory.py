"""Does Understudy's memory stay put? Resident memory after 10⁵ mixed requests and after 10⁵ more.

Alone: `python bench/memory.py [--requests 100000]`.
"""

import argparse
import sys
from dataclasses import dataclass
from functools import partial

from cpu import Memory
from gateways import GATEWAYS, Server, started
from load import WORKLOADS, Target, body_file, wrk
from process import ends_on_signals, fresh_run_folder, stub

__all__ = ["GROWTH_LIMIT", "REQUESTS", "Growth", "measure"]

#: Requests before the first reading, and between the first and the second.
REQUESTS = 100_000
#: By how much memory may grow from the first reading to the second, bytes.
GROWTH_LIMIT = 2_000_000
#: Seconds of wrk at a time.
_SLICE = 2
#: The requests take turns in this order.
_MIX = ("json", "sse", "json", "translate", "json", "translate-sse")


@dataclass(frozen=True)
class Growth:
    """Three readings."""

    requests: int
    started: Memory
    first: Memory
    second: Memory
    #: Errors that wrk counted on the way, in words.
    fault: str

    @property
    def grown(self) -> int:
        """By how much the resident memory grew between the two readings, bytes."""
        return self.second.rss - self.first.rss


def measure(requests: int = REQUESTS) -> Growth:
    """Starts Understudy and the stub, sends the requests, reads the memory.

    Raises:
        StartError: Understudy did not come up.
    """
    with stub("stub") as upstream:
        launch = partial(GATEWAYS["understudy"].launch, upstream.url)
        with started("understudy", launch) as server:
            at_start = server.memory()
            first, fault = _load(server, requests)
            second, later_fault = _load(server, requests)
    return Growth(requests, at_start, first, second, fault or later_fault)


def _load(server: Server, requests: int) -> tuple[Memory, str]:
    """The memory after so many requests, and what went wrong with one, if anything did.

    In slices, because wrk knows durations only.
    """
    bodies = [body_file(WORKLOADS[name].model, stream=WORKLOADS[name].stream) for name in _MIX]
    target = Target(server.url, {})
    answered = 0
    fault = ""
    while answered < requests and not fault:
        result = wrk(target, bodies, seconds=_SLICE, connections=32, check=True)
        answered += result.requests
        fault = result.fault or ("" if result.requests else "nothing answered")
    found = server.memory()
    rss, pss = found.rss / 1e6, found.pss / 1e6
    print(f"  after {answered} requests: RSS {rss:.1f} MB, PSS {pss:.1f} MB {fault}")
    return found, fault


def main() -> int:
    """Prints both readings and the growth."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    options.add_argument("--requests", type=int, default=REQUESTS)
    requests = options.parse_args().requests
    ends_on_signals()
    fresh_run_folder()
    growth = measure(requests)
    print(f"growth {growth.grown / 1e6:+.1f} MB")
    return 1 if growth.fault else 0


if __name__ == "__main__":
    sys.exit(main())
