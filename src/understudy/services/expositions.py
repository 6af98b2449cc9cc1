"""Expositions of several processes as one: each sample says whose it is.

Only what Prometheus' text format says of lines is relied upon (https://prometheus.io/docs/
instrumenting/exposition_formats/): a family's comments stand before its samples, and all of a
family's lines stand together. A metric's name holds neither a space nor a brace.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["labelled", "merged"]


def labelled(exposition: bytes, worker: int) -> bytes:
    """The same, with the label `worker` on every sample."""
    own = b'worker="%d"' % worker
    lines: list[bytes] = []
    for line in exposition.splitlines():
        if line.startswith(b"#") or not line:
            lines.append(line)
            continue
        name, space, rest = line.partition(b" ")
        brace = name.find(b"{")
        if brace < 0:
            lines.append(b"%b{%b}%b%b" % (name, own, space, rest))
        else:
            lines.append(b"%b{%b,%b" % (line[:brace], own, line[brace + 1 :]))
    return b"\n".join([*lines, b""])


def merged(expositions: Sequence[bytes]) -> bytes:
    """One exposition of several, whose samples differ in their labels."""
    families: dict[bytes, list[bytes]] = {}
    for exposition in expositions:
        for name, comments, samples in _families(exposition):
            # What a family means is said once, by the first that has it.
            families.setdefault(name, comments).extend(samples)
    return b"\n".join([*(line for lines in families.values() for line in lines), b""])


def _families(exposition: bytes) -> list[tuple[bytes, list[bytes], list[bytes]]]:
    """(name, comments, samples) of each family, in order."""
    found: list[tuple[bytes, list[bytes], list[bytes]]] = []
    for line in exposition.splitlines():
        if line.startswith((b"# HELP ", b"# TYPE ")):
            name = line.split(b" ", 3)[2]
            if not found or found[-1][0] != name:
                found.append((name, [], []))
            found[-1][1].append(line)
        elif line and not line.startswith(b"#"):
            if not found:
                found.append((b"", [], []))
            found[-1][2].append(line)
    return found
