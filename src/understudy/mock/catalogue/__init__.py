"""The fault catalogue: every way in which the stand-in can fail, by name.

Tests, drills, the demo's fault board and the benchmarks all draw on this one table. Three single
faults are not in it, because a server that accepts connections cannot show them: a refused
connection (listen nowhere), a black hole (an address that drops packets), and DNS or TLS that
fails before a request exists.

`python -m understudy.mock.catalogue` prints it as a table of Markdown.
"""

from __future__ import annotations

from types import MappingProxyType

from understudy.mock.faults import (
    breaks,
    content,
    habits,
    protocol,
    refusals,
    requests,
    responses,
    servers,
    sick,
    streams,
)
from understudy.mock.faults.entry import ALL, CatalogueEntry
from understudy.mock.faults.scene import Args

__all__ = ["CATALOGUE", "CatalogueEntry", "as_markdown"]

_ALL = (
    *refusals.ENTRIES,
    *requests.ENTRIES,
    *servers.ENTRIES,
    *protocol.ENTRIES,
    *breaks.ENTRIES,
    *sick.ENTRIES,
    *streams.ENTRIES,
    *responses.ENTRIES,
    *content.ENTRIES,
    *habits.ENTRIES,
)

CATALOGUE = MappingProxyType({entry.name: entry for entry in _ALL})

_BOTH = 2
_ONLY = {"any": "", "continuing": " *(continuing)*", "prefilled": " *(prefilled)*"}


def as_markdown() -> str:
    """The catalogue as a table of Markdown."""
    lines = [
        "| fault | shows | where | dialects | answers | settings |",
        "|---|---|---|---|---|---|",
    ]
    for entry in CATALOGUE.values():
        dialects = "all" if entry.dialects == ALL else ", ".join(entry.dialects)
        modes = "both" if len(entry.modes) == _BOTH else entry.modes[0]
        place = f"{entry.where.value}, …" if len(entry.wheres) > 1 else entry.where.value
        mark = " *(harmless)*" if entry.harmless else _ONLY[entry.only]
        told = f"| `{entry.name}` | {entry.summary}{mark} | {place} | {dialects} | {modes} "
        lines.append(f"{told}| {_settings(entry)} |")
    return "\n".join(lines) + "\n"


def _settings(entry: CatalogueEntry) -> str:
    held = entry.defaults
    told = [
        f"{name}={value}"
        for name in Args.__struct_fields__
        if (value := getattr(held, name)) is not None
    ]
    if entry.every > 1:
        told.append(f"every={entry.every}")
    return " ".join(f"`{setting}`" for setting in told)
