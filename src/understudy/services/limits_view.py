"""What a target can take, as operators see it: a part of `understudy.services.health_view`."""

from __future__ import annotations

from math import isinf

import msgspec

from understudy.core.quota import Level
from understudy.policy.gates import Gate

__all__ = ["AllowanceView", "LimitsView", "limits_view"]


class AllowanceView(msgspec.Struct, kw_only=True):
    """One of our rate limits at a target: a minute's worth of `unit`, and what is left of it."""

    unit: str
    limit: float
    left: float
    #: Seconds since the provider told of it; None: it was learned from what was refused.
    age: float | None


class LimitsView(msgspec.Struct, kw_only=True):
    """What a target can take."""

    allowances: list[AllowanceView]
    #: Attempts under way, and how many it bears at once; None: no sign of an end.
    under_way: int
    bears: int | None
    #: Requests that wait for their turn there.
    waiting: int
    waiting_background: int


def limits_view(gate: Gate, now: float) -> LimitsView:
    """What is known of a target's gate at `now`."""
    concurrency = gate.concurrency
    return LimitsView(
        allowances=[_allowance(level) for level in gate.allowance.levels(now)],
        under_way=concurrency.in_flight,
        bears=None if isinf(concurrency.limit) else int(concurrency.limit),
        waiting=gate.waiting_interactive,
        waiting_background=gate.waiting_background,
    )


def _allowance(level: Level) -> AllowanceView:
    return AllowanceView(
        unit=str(level.unit),
        limit=round(level.limit, 1),
        left=round(level.left, 1),
        age=None if level.age is None else round(level.age, 1),
    )
