"""What is measured of a story, in numbers that can be compared and summed up."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from detection.detectors import Understudy
from detection.sim_detection import Story, first_change
from detection.watched import NEVER

__all__ = [
    "Detection",
    "Flapping",
    "Frailty",
    "Healthy",
    "Recovery",
    "detection",
    "flapping",
    "frailty",
    "healthy",
    "quantile",
    "recovery",
]


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all is no larger than."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


class Healthy(NamedTuple):
    """A healthy day: how often the detector opened, and how many probes it took."""

    openings: int
    probes: int


def healthy(story: Story) -> Healthy:
    """A day of nothing but base errors."""
    return Healthy(sum(change.is_open for change in story.changes), story.probes)


class Detection(NamedTuple):
    """Seconds until the detector opened: from the first failing call, and from the onset.

    NEVER where the outage ended unnoticed; from 0 on where a probe was the first to see it.
    """

    from_failing: float
    from_onset: float
    #: Callers' calls that failed at the target by then, and in the whole outage.
    failed: int
    failed_in_all: int


def detection(story: Story) -> Detection:
    """An outage."""
    scene = story.trace.scene
    opened = first_change(story.changes, scene.onset, is_open=True)
    if opened >= scene.heal:
        opened = NEVER
    since = opened - min(story.trace.first_failing(), opened) if opened < NEVER else NEVER
    failed = _failed(story, scene.onset, min(opened, scene.heal))
    return Detection(since, opened - scene.onset, failed, _failed(story, scene.onset, scene.heal))


def _failed(story: Story, since: float, until: float) -> int:
    """Callers' calls that failed at the target."""
    return sum(not (one.good or one.is_probe) and since <= one.at < until for one in story.tries)


class Recovery(NamedTuple):
    """What an outage of everything cost while it was known, and how it ended."""

    #: Seconds that the target was given up before it healed, and what went there meanwhile.
    open_seconds: float
    calls: int
    probes: int
    #: How often it was left alone in that time, and for how long at its healing (ours only).
    rests: int
    rest: float
    #: Seconds from healing to closing, and from closing to all of the traffic (ours only).
    closed: float
    ramp: float


def recovery(story: Story) -> Recovery | None:
    """An outage and its end; None where it was not noticed, or not known of at its end."""
    scene, changes = story.trace.scene, story.changes
    opened = first_change(changes, scene.onset, is_open=True)
    healed = bisect_left(changes, (scene.heal,))
    if opened >= scene.heal or not changes[healed - 1].is_open:
        return None
    met = [one for one in story.tries if one.while_open and opened <= one.at < scene.heal]
    probes = sum(one.is_probe for one in met)
    ours = story.detector if isinstance(story.detector, Understudy) else None
    rests = [] if ours is None else [rest for rest in ours.rests if opened <= rest.at < scene.heal]
    ramp = 0.0
    if ours is not None and not ours.is_open:
        ramp = ours.full_share_after(changes[-1].at)
    return Recovery(
        open_seconds=_open_seconds(story, opened, scene.heal),
        calls=len(met) - probes,
        probes=probes,
        rests=len(rests),
        rest=rests[-1].until - rests[-1].at if rests else NEVER,
        closed=first_change(changes, scene.heal, is_open=False) - scene.heal,
        ramp=ramp,
    )


def _open_seconds(story: Story, since: float, until: float) -> float:
    seconds, opened = 0.0, NEVER
    for change in story.changes[bisect_left(story.changes, (since,)) :]:
        if change.at >= until:
            break
        if change.is_open:
            opened = change.at
        else:
            seconds += change.at - opened
            opened = NEVER
    return seconds if opened == NEVER else seconds + until - opened


class Flapping(NamedTuple):
    """An hour of comings and goings: how often the detector opened, and what callers met."""

    openings: int
    failed: int
    #: The share of the hour in which the target was given up.
    given_up: float


def flapping(story: Story) -> Flapping:
    """A target that comes and goes, or fails in part, from the onset to the healing."""
    scene, changes = story.trace.scene, story.changes
    openings = sum(change.is_open and scene.onset <= change.at < scene.heal for change in changes)
    given_up = _open_seconds(story, scene.onset, scene.heal) / (scene.heal - scene.onset)
    return Flapping(openings, _failed(story, scene.onset, scene.heal), given_up)


class Frailty(NamedTuple):
    """What came at a target that had healed, but was not yet strong."""

    #: Attempts that it refused as too many, and how often the detector opened again.
    refused: int
    openings: int


def frailty(story: Story) -> Frailty:
    """An outage, and the weakness after it."""
    heal = story.trace.scene.heal
    openings = sum(change.is_open and change.at >= heal for change in story.changes)
    return Frailty(story.refused, openings)
