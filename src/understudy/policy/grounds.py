"""What speaks for a cause and what against it, in words with numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from understudy.policy.causes import Cause, CauseKind, Testimony
from understudy.policy.seen import STEP, Snapshot
from understudy.policy.slices import Slice
from understudy.policy.suspects import Family, Suspect
from understudy.policy.symptoms import Symptom
from understudy.policy.witness import speaks_for

__all__ = ["Scene", "against", "between", "in_favour"]

#: Of so many kinds of failure the provider's own words are told.
_WAYS_TOLD: Final = 3
_WORKING: Final = frozenset({Symptom.GOOD, Symptom.LATE})

#: What the calls beside are called.
_BESIDE: Final[Mapping[Family, str]] = MappingProxyType(
    {
        Family.TARGET: "its provider's other models and accounts",
        Family.MODEL: "its provider's other models",
        Family.ACCOUNT: "its provider's other accounts",
        Family.PROVIDER: "other providers",
        Family.TENANT: "other tenants",
        Family.USE: "other tenants, and its other features,",
        Family.FEATURE: "other features",
        Family.TRANSLATED: "requests that are not translated",
    }
)


class Scene(msgspec.Struct, frozen=True):
    """All that there is to judge by."""

    seen: Snapshot
    slices: tuple[Slice, ...]
    witnesses: tuple[Testimony, ...]


def in_favour(suspect: Suspect, place: Slice, since: int, scene: Scene) -> tuple[str, ...]:
    """What speaks for a cause at a place; `since`: the step from which on it is looked at."""
    calls = place.calls(since)
    hit = sum(place.counts[s][since] for s in suspect.shows if s in place.counts)
    ways = "; ".join(_ways(suspect, place, since, scene))
    told = [f"{hit} of {calls} calls {_where(place)} in the last {_span(since)}: {ways}"]
    worked, asked = _beside(place, since, scene)
    if place.family in _BESIDE and worked and 2 * worked > asked:
        told.append(f"{_BESIDE[place.family]} work: {worked} of {asked} calls")
    if len(place.parts) > 1 and place.family in {Family.PROVIDER, Family.ACCOUNT, Family.MODEL}:
        failing = _failing_parts(suspect, place, scene)
        if len(failing) > 1:
            told.append(f"seen at {', '.join(failing)}")
    told += _pages(suspect, place, scene, red=True)
    return tuple(told)


def against(suspect: Suspect, place: Slice, since: int, scene: Scene) -> tuple[str, ...]:
    """What speaks against it."""
    told = []
    well = _WORKING - suspect.shows.keys()
    answered = sum(place.counts[s][since] for s in well if s in place.counts)
    if answered:
        told.append(f"{answered} of {place.calls(since)} calls {_where(place)} were answered")
    worked, asked = _beside(place, since, scene)
    if place.family in _BESIDE:
        if not asked:
            told.append(f"nothing was asked of {_BESIDE[place.family]} meanwhile")
        elif 2 * worked <= asked:
            told.append(f"{_BESIDE[place.family]} fail too: {asked - worked} of {asked} calls")
    told += _pages(suspect, place, scene, red=False)
    return tuple(told)


def between(causes: Iterable[Cause]) -> tuple[str, ...]:
    """What a trouble may be, where nothing leads."""
    return tuple(
        f"may be {_named(cause)}, with {cause.share:.0%} of the belief" for cause in causes
    )


def _named(cause: Cause) -> str:
    at = cause.node or (f"tenant {cause.about}" if cause.about else "")
    kind = cause.kind.replace("_", " ")
    return f"{kind} at {at}" if at else kind


def _where(place: Slice) -> str:
    match place.family:
        case Family.TENANT | Family.USE:
            return f"of tenant {place.about}" if place.about else "of callers without a tenant"
        case Family.FEATURE:
            return f"of feature {place.about}"
        case Family.TRANSLATED:
            return f"translated for {place.node}"
        case Family.EVERYTHING:
            return "to all providers"
        case _:
            return f"to {place.node}"


def _span(since: int) -> str:
    seconds = (since + 1) * STEP
    return f"{seconds:.0f} s" if seconds < 120.0 else f"{seconds / 60.0:.0f} min"


def _ways(suspect: Suspect, place: Slice, since: int, scene: Scene) -> list[str]:
    """How the calls failed, most often first."""
    times: dict[tuple[Symptom, str], int] = {}
    for index in place.inside:
        for count in scene.seen.seen[index].counts:
            number = sum(count.steps[: since + 1])
            if number and count.symptom in suspect.shows:
                way = (count.symptom, count.words)
                times[way] = times.get(way, 0) + number
    most_first = sorted(times.items(), key=lambda item: -item[1])
    return [
        f"{number} × {symptom}" + (f" ({words})" if words else "")
        for (symptom, words), number in most_first[:_WAYS_TOLD]
    ]


def _beside(place: Slice, since: int, scene: Scene) -> tuple[int, int]:
    """Of the calls beside that place: how many worked, and how many there were.

    Beside a provider stand all others, beside what is in one only the rest of that one. A caller's
    own fault shows that the target works.
    """
    ours = Symptom.BAD_REQUEST, Symptom.MISFIT
    of_callers = place.family in {Family.TENANT, Family.USE, Family.FEATURE, Family.TRANSLATED}
    worked = asked = 0
    for index, seen in enumerate(scene.seen.seen):
        if index in place.inside or (place.around and seen.provider != place.around):
            continue
        if of_callers and not seen.feature:
            continue
        for count in seen.counts:
            if count.symptom in ours and not of_callers:
                continue
            number = sum(count.steps[: since + 1])
            asked += number
            worked += number if count.symptom in _WORKING else 0
    return worked, asked


def _failing_parts(suspect: Suspect, place: Slice, scene: Scene) -> list[str]:
    parts = {
        scene.seen.seen[index].target
        for index, symptoms in place.inside.items()
        if not symptoms.isdisjoint(suspect.shows)
    }
    return sorted(parts)


def _pages(suspect: Suspect, place: Slice, scene: Scene, *, red: bool) -> list[str]:
    """What status pages say for a cause, or against it."""
    if not suspect.is_theirs or suspect.kind is CauseKind.UNKNOWN:
        return []
    return [
        f"its status page says {_said(testimony)}, read {testimony.age:.0f} s ago"
        for testimony in scene.witnesses
        if speaks_for(testimony, place) and (testimony.state != "operational") is red
    ]


def _said(testimony: Testimony) -> str:
    said = testimony.state.replace("_", " ")
    return f"{said} ({testimony.words})" if testimony.words else said
