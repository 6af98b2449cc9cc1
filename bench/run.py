"""`make bench`: Understudy beside nginx, Envoy, LiteLLM and Portkey, in one run.

Every round asks every gateway in turn (A B C … A B C …), so that a slow spell of the machine falls
on all of them. The figure is the CPU time of the gateway's whole process tree, divided by the
requests that wrk saw answered: unlike requests a second it does not depend on what the load
generator or the provider can do. Exits 1 where a goal is missed; the figures are written anyway.

    python bench/run.py                                              # everything, writes the page
    python bench/run.py --only understudy,nginx --workload json,sse --rounds 3 --seconds 3
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import failover
import leaks
import memory
import outage
import page
import report
import streams
from gateways import GATEWAYS, Gateway, Server, started
from load import WORKLOADS, Target, VerifyError, Workload, body_file, verify, wrk
from process import StartError, Stub, ends_on_signals, fresh_run_folder, stub
from report import Cell, Findings, Sample

#: Beside the workloads: what has a program of its own.
EXTRAS = ("memory", "leaks", "failover", "streams", "outage")


@dataclass(frozen=True)
class Entrant:
    """A gateway that runs and takes part."""

    gateway: Gateway
    server: Server
    upstream: Stub

    def target(self, workload: Workload) -> Target:
        """Where and how this workload goes in."""
        headers = self.gateway.headers(self.upstream.url, workload.translated)
        return Target(self.server.url, headers)


@contextmanager
def entrants(names: list[str], findings: Findings) -> Iterator[list[Entrant]]:
    """Starts the gateways before one stub; those that cannot are noted as absent."""
    with ExitStack() as stack:
        upstream = stack.enter_context(stub("stub"))
        present = []
        for name in names:
            gateway = GATEWAYS[name]
            try:
                findings.versions[name] = gateway.version()
                server = stack.enter_context(started(name, partial(gateway.launch, upstream.url)))
            except (StartError, OSError, ImportError, ValueError) as error:
                findings.absent[name] = str(error)
                print(f"  {name}: not run: {error}")
                continue
            print(f"  {name} {findings.versions[name]}")
            present.append(Entrant(gateway, server, upstream))
        yield present


def cells(present: list[Entrant], workloads: list[Workload], findings: Findings) -> None:
    """An empty cell for each gateway and workload that go together, checked with one request."""
    for workload in workloads:
        for entrant in present:
            gateway = entrant.gateway
            # nginx passes it through: the unit, a few seconds from the others.
            if workload.translated and not gateway.translates and gateway.name != "nginx":
                continue
            cell = Cell()
            findings.cells[workload.name, entrant.gateway.name] = cell
            try:
                cell.length = verify(entrant.target(workload), workload)
            except (VerifyError, OSError) as error:
                cell.fault = f"wrong answer: {error}"
                print(f"  {entrant.gateway.name}, {workload.name}: {cell.fault}")


def measure(
    entrant: Entrant, workload: Workload, cell: Cell, options: argparse.Namespace
) -> Sample:
    """One run of wrk against one gateway."""
    entrant.upstream.pace(workload.pace_ms)
    before = entrant.server.cpu_ns()
    result = wrk(
        entrant.target(workload),
        [body_file(workload.model, stream=workload.stream)],
        seconds=options.seconds,
        connections=entrant.gateway.connections or options.connections,
    )
    spent = entrant.server.cpu_ns() - before
    fault = result.fault
    if not result.requests:
        fault = fault or "nothing answered"
    elif result.bytes < 0.98 * cell.length * result.requests:
        fault = fault or "answers cut short"
    cpu = spent / 1000 / max(result.requests, 1)
    return Sample(cpu, result.requests / result.seconds, fault)


def rounds(present: list[Entrant], options: argparse.Namespace, findings: Findings) -> None:
    """A warm-up that is thrown away, then the rounds."""
    for number in range(options.rounds + 1):
        print(f"  round {number} of {options.rounds}" if number else "  warm-up")
        for name in options.workloads:
            for entrant in present:
                cell = findings.cells.get((name, entrant.gateway.name))
                if cell is None or cell.fault:
                    continue
                sample = measure(entrant, WORKLOADS[name], cell, options)
                if sample.fault:
                    cell.fault = sample.fault
                if number:
                    cell.samples.append(sample)
                print(
                    f"    {name:14}{entrant.gateway.name:12}{sample.cpu_us:10.1f} µs"
                    f"{sample.rate:10.0f}/s  {sample.fault}"
                )
    for entrant in present:
        findings.resident[entrant.gateway.name] = entrant.server.memory()


def arguments() -> argparse.Namespace:
    """The command line."""

    def names(known: list[str]) -> Callable[[str], list[str]]:
        def parse(text: str) -> list[str]:
            chosen = text.split(",")
            if unknown := set(chosen) - set(known):
                message = f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}"
                raise argparse.ArgumentTypeError(message)
            return [name for name in known if name in chosen]

        return parse

    everything = [*WORKLOADS, *EXTRAS]
    options = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    add = options.add_argument
    add("--only", type=names(list(GATEWAYS)), default=list(GATEWAYS), help="gateways, by comma")
    add("--workload", type=names(everything), default=everything, help="what to run, by comma")
    add("--rounds", type=int, default=5)
    add("--seconds", type=int, default=5, help="of wrk, for each gateway in each round")
    add("--connections", type=int, default=32)
    add(
        "--write",
        action="store_true",
        help="write the page although not everything was run: the rest of it stays",
    )
    parsed = options.parse_args()
    parsed.whole = parsed.only == list(GATEWAYS) and parsed.workload == everything
    parsed.workloads = [name for name in parsed.workload if name in WORKLOADS]
    return parsed


def main() -> int:
    """Runs, reports, and says with the exit code whether the goals were met."""
    options = arguments()
    ends_on_signals()
    fresh_run_folder()
    findings = Findings()
    try:
        if options.workloads:
            print("gateways")
            with entrants(options.only, findings) as present:
                cells(present, [WORKLOADS[name] for name in options.workloads], findings)
                rounds(present, options, findings)
        if "memory" in options.workload:
            print("memory")
            findings.growth = memory.measure()
        if "leaks" in options.workload:
            print("leaks")
            findings.leaks = leaks.measure()
        if "failover" in options.workload:
            print("failover")
            findings.failover = failover.measure()
        if "streams" in options.workload:
            print("streams")
            findings.streams = streams.measure()
        if "outage" in options.workload:
            print("outage")
            findings.outage = outage.measure()
    except KeyboardInterrupt:
        print("\ninterrupted: nothing written, every server ended", file=sys.stderr)
        return 130
    conditions = report.conditions(options.rounds, options.seconds, options.connections, findings)
    goals = report.goals(findings)
    part = report.render(findings, conditions, goals)
    print(f"\n{part}")
    if options.whole or options.write:
        page.write(part)
    return 0 if all(goal.met for goal in goals) else 1


if __name__ == "__main__":
    sys.exit(main())
