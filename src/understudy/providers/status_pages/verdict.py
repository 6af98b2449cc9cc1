"""What a page says of the API that we call, as against everything else that it reports on.

A vendor's page also covers its chat, its console and its editor plug-ins, and these break on their
own. So a verdict goes by the components that a provider of its kind is called through: by their
ids, which hold while names change, or else by their names. Only where the page has no such
component does its overall state count, and the words say so.

It never says more than the page: a component that is not listed, or whose state cannot be read, is
neither well nor broken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from understudy.providers.scrub import scrub
from understudy.providers.status_pages.report import Component, Report, Shape, State, worst

__all__ = ["Verdict", "judge"]

#: What is told of incidents: the rest is on the page.
_INCIDENTS_TOLD = 3
_LONGEST_NAME = 100


class Verdict(msgspec.Struct, frozen=True):
    """A page's word on the API, and for people what it rests on."""

    state: State
    words: str


class _Part(msgspec.Struct, frozen=True):
    """One thing that must work. `names` is matched with the whole name, in small letters."""

    ids: frozenset[str]
    names: re.Pattern[str]


def _part(names: str, *ids: str) -> _Part:
    return _Part(frozenset(ids), re.compile(names))


#: Ids as on status.claude.com and status.openai.com, where they have stayed since the pages were
#: made (recordings of both: tests/fixtures/status_pages/README.md).
_PARTS: Mapping[str, tuple[_Part, ...]] = MappingProxyType(
    {
        "anthropic": (_part(r"claude api\b.*|.*\bapi\.anthropic\.com\b.*|api", "k8w3r06qmzrp"),),
        "openai": (
            _part(
                r"(openai )?apis?|chat completions?( api)?",
                "01JMXBRMFE6N2NNT7DG6XZQ6PW",
            ),
            _part(r"(openai )?apis?|responses( api)?", "01JP8CD9JR3HR6Y7G4Q75N4DVW"),
        ),
    }
)
#: Of vendors whose pages are not known here: whatever is called an API, but for side doors.
_ANY_API = (
    _part(
        r"(?!.*\b(ads?|admin|billing|compliance|console|dashboard|docs?|management|webhooks?)\b)"
        r".*\b(apis?|inference|completions?)\b.*"
    ),
)
#: Google says that a product's id is stable and its title is not: `Vertex Gemini API` has become
#: `Gemini on Agent Platform`.
_GEMINI = (
    _part(
        r"(vertex )?gemini api|gemini on agent platform|.*\bgenerative ai on vertex ai\b.*",
        "Z0FZJAMvEB4j3NbCJs6B",
    ),
)


def judge(report: Report, kind: str) -> Verdict:
    """What `report` says of the API of a provider of this kind (`understudy.providers`)."""
    parts = _GEMINI if report.shape is Shape.GOOGLE else _PARTS.get(kind, _ANY_API)
    found = [_find(part, report.components) for part in parts]
    relevant = list(dict.fromkeys(component for one in found for component in one))
    state, note = _state(report, relevant, complete=all(found))
    said = _told(relevant) if relevant else ""
    told = [text for text in (said, note, *_incidents(report, relevant)) if text]
    return Verdict(state, scrub("; ".join(told)))


def _state(report: Report, relevant: list[Component], *, complete: bool) -> tuple[State, str]:
    """The state, and what else must be said of it."""
    nameless = [one for one in report.components if not one.name and one not in relevant]
    in_doubt = any(one.state is not State.OPERATIONAL for one in nameless)
    if relevant:
        state = worst(one.state for one in relevant)
        calm = state in {State.OPERATIONAL, State.MAINTENANCE}
        if calm and not complete and (in_doubt or report.overall is not State.OPERATIONAL):
            return State.UNKNOWN, "the page reports trouble, and does not list all of the API"
        return state, ""
    if in_doubt:
        return State.UNKNOWN, "the page does not say what is in trouble"
    if report.shape is Shape.GOOGLE:
        return State.OPERATIONAL, "no open incident names Gemini"
    return report.overall, f"no component is known to be the API; overall {_plain(report.overall)}"


def _find(part: _Part, components: Iterable[Component]) -> list[Component]:
    """By id if there is such a one, or else by name."""
    by_id = [one for one in components if one.id in part.ids]
    return by_id or [one for one in components if part.names.fullmatch(one.name.lower())]


def _told(components: Iterable[Component]) -> str:
    """`Chat Completions, Responses: degraded`, or the page's own word where it is new to us."""
    by_word: dict[str, list[str]] = {}
    for one in components:
        new = one.state is State.UNKNOWN and one.raw
        word = f"`{_short(one.raw)}`" if new else _plain(one.state)
        by_word.setdefault(word, []).append(_short(one.name) or one.id)
    return "; ".join(
        f"{', '.join(dict.fromkeys(names))}: {word}" for word, names in by_word.items()
    )


def _incidents(report: Report, relevant: list[Component]) -> Iterable[str]:
    """The open incidents that name what is relevant, or do not say what they affect."""
    ids = {one.id for one in relevant} - {""}
    names = {one.name for one in relevant} - {""}
    concerning = [
        one
        for one in report.incidents or ()
        if not one.affected or any(a.id in ids or a.name in names for a in one.affected)
    ]
    for incident in concerning[:_INCIDENTS_TOLD]:
        stage = "" if incident.stage == "unknown" else f" ({incident.stage})"
        yield f"incident “{_short(incident.name)}”{stage}"
    if len(concerning) > _INCIDENTS_TOLD:
        yield f"{len(concerning) - _INCIDENTS_TOLD} more"


def _plain(state: State) -> str:
    return state.replace("_", " ")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"
