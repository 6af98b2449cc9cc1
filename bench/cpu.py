"""What a server's process tree has used: CPU time to the nanosecond, memory to the page."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Memory", "cpu_ns", "memory", "tree"]

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Memory:
    """Memory of a process tree, bytes."""

    rss: int
    #: Pages shared with others divided among them.
    pss: int


def tree(pid: int) -> list[int]:
    """The process and all its living descendants."""
    found = [pid]
    for parent in found:  # grows while it is walked: breadth first
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += [int(child) for child in children.read_text().split()]
            except OSError:  # the thread ended meanwhile
                continue
    return found


def cpu_ns(pid: int) -> int:
    """CPU time (user and system) that the tree has used since it began, ns.

    Read from the process CPU clock (clock_getcpuclockid(3)), which is exact and, unlike
    /proc/<pid>/task/*, keeps the time of threads that have ended. Descendants that have ended and
    were waited for stand in their parent's cutime and cstime (proc(5)).
    """
    return sum(_clock(process) + _reaped(process) for process in tree(pid))


def _clock(pid: int) -> int:
    # The kernel's MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED).
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError:  # it ended meanwhile
        return 0


def _reaped(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[13]) + int(fields[14])) * _TICK_NS  # proc(5) fields 16 and 17


def memory(pid: int) -> Memory:
    """Resident memory of the tree now."""
    rss = pss = 0
    for process in tree(pid):
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        sizes = {line.split(":")[0]: line.split() for line in lines[1:]}
        rss += int(sizes["Rss"][1]) * 1024
        pss += int(sizes["Pss"][1]) * 1024
    return Memory(rss, pss)
