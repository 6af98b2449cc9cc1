"""What detection must keep to at 5 calls a minute, 1 % of which fail anyway; does it?"""

from __future__ import annotations

from dataclasses import dataclass

from detection.campaign import Findings, Row
from detection.measures import quantile

__all__ = ["NEEDED", "Goal", "judge"]

#: Calls a minute at which the goals hold.
RATE = 5.0
#: … and at which traffic can be too much for a target that has just healed.
BUSY = 60.0
FALSE_ALARMS = 0.05
#: Of the slow start, in seconds: full share no later.
FULL_SHARE = 120.0
#: Openings in an hour in which the target changes 120 times.
OPENINGS = 12


WHOLE, HALF, FIFTH = "every call fails", "half of the calls fail", "a fifth of the calls fails"
FLAPS, WEAK = "30 s down, 30 s up", "5 min"
OUTAGES = ("1 min", "5 min", "60 min")

#: What must have been measured to judge: (measure, calls a minute, what).
NEEDED = frozenset(
    {
        ("healthy", RATE, "1 %"),
        *(("detection", RATE, what) for what in (WHOLE, HALF, FIFTH)),
        *(("recovery", RATE, what) for what in OUTAGES),
        ("frailty", BUSY, WEAK),
        ("flapping", RATE, FLAPS),
    }
)


@dataclass(frozen=True)
class Goal:
    """A goal and whether it was met."""

    text: str
    found: str
    met: bool


def judge(found: Findings) -> list[Goal]:
    """Every goal."""
    return [
        _false_alarms(found),
        *_detections(found),
        *_recoveries(found),
        _frailty(found),
        _flapping(found),
    ]


def _false_alarms(found: Findings) -> Goal:
    days = found.healthy[Row(RATE, "1 %")]
    rate = sum(day.openings for day in days) / len(days)
    text = f"Healthy: at most {FALSE_ALARMS} false alarms a day and node"
    return Goal(text, f"{rate:.3f} in {len(days):,} days", rate <= FALSE_ALARMS)


def _detections(found: Findings) -> list[Goal]:
    whole, half, fifth = (
        [one.from_failing for one in found.detection[Row(RATE, what)]]
        for what in (WHOLE, HALF, FIFTH)
    )
    return [
        _within(
            "Every call fails: noticed within 10 s of the first failing call (median)",
            whole,
            0.5,
            10.0,
        ),
        _within("… and within 20 s in 95 of 100 outages", whole, 0.95, 20.0),
        _within("Half of the calls fail: noticed within 30 s (median)", half, 0.5, 30.0),
        _within("A fifth of the calls fails: noticed within 150 s (median)", fifth, 0.5, 150.0),
    ]


def _within(text: str, values: list[float], share: float, limit: float) -> Goal:
    value = quantile(values, share)
    return Goal(text, f"{value:.1f} s", value <= limit)


def _recoveries(found: Findings) -> list[Goal]:
    goals = []
    for what in OUTAGES:
        ends = found.recovery[Row(RATE, what)]
        calls = sum(end.calls for end in ends)
        probes, rests = sum(end.probes for end in ends), sum(end.rests for end in ends)
        intervals = quantile([end.closed / end.rest for end in ends], 0.95)
        ramp = max(end.ramp for end in ends)
        goals += [
            Goal(
                f"Given up, {what} of outage: no call of a caller's and at most one probe a rest"
                " go there",
                f"{calls} calls; {probes:,} probes, {rests:,} rests",
                calls == 0 and probes <= rests,
            ),
            Goal(
                "… well again: back within two rests of the last one's length (95 of 100)",
                f"{intervals:.2f}",
                intervals <= 2.0,
            ),
            Goal(
                f"… and with all of its traffic within {FULL_SHARE:.0f} s more (all)",
                f"{ramp:.0f} s",
                ramp <= FULL_SHARE,
            ),
        ]
    return goals


def _frailty(found: Findings) -> Goal:
    ends = found.frailty[Row(BUSY, WEAK)]
    refused = sum(end.refused for end in ends)
    text = f"Back, weak for {WEAK}, {BUSY:g} calls a minute: no attempt refused as too many"
    return Goal(text, f"{refused} refused after {len(ends):,} outages", refused == 0)


def _flapping(found: Findings) -> Goal:
    hours = found.flapping[Row(RATE, FLAPS)]
    most = max(hour.openings for hour in hours)
    text = f"30 s down, 30 s up for an hour: given up at most {OPENINGS} times (all)"
    return Goal(text, f"{most} times", most <= OPENINGS)
