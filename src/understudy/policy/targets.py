"""Which targets may serve a request, in which order, and why.

Two steps. `eligible` weighs what does not change while the settings stand (tenant, tiers, what the
caller named, what a target can be asked in) and is computed once for each kind of request. `choose`
weighs what changes (health, what this request has tried) and is computed at each attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

import msgspec

from understudy.core.faults import Fault
from understudy.policy.plans import Ask, Choice, Full, Plan, Recourse, Target

__all__ = [
    "Ask",
    "Choice",
    "Door",
    "Full",
    "Health",
    "Plan",
    "Target",
    "beside",
    "choose",
    "eligible",
    "is_no_guess",
    "standing",
]


class Health(Protocol):
    """What `choose` asks of health: see `understudy.policy.breaker.Board`."""

    def obstacle(
        self, target: Target, now: float, luck: Callable[[], float] | None = None
    ) -> str | None:
        """Why a target should not be used now. `luck` in [0, 1): one for all of a request's looks,
        where that is a matter of shares.
        """
        ...

    def recourse(self, target: Target, now: float) -> Recourse:
        """How good it is all the same, nothing else being left."""
        ...

    def fault(self, target: Target) -> Fault | None:
        """Why it rests; None if it does not."""
        ...

    def is_short(self, target: Target, now: float) -> bool:
        """Whether it was short of capacity, or of our share of it, just now."""
        ...

    def opens_again_in(self, target: Target, now: float) -> float:
        """Seconds until it may be tried again; 0 if now."""
        ...


class Door(Protocol):
    """What `choose` asks of limits: see `understudy.policy.gates.Ticket`."""

    def shut(self, target: Target, now: float) -> str | None:
        """Why a target cannot take the request now; None if it can."""
        ...

    def luck(self) -> float:
        """The request's luck: see `Health.obstacle`."""
        ...


def eligible(ask: Ask, targets: tuple[Target, ...]) -> Plan:
    """The targets of a feature that may serve such a request."""
    kept: list[Target] = []
    excluded: list[tuple[str, str]] = []
    codes: set[str] = set()
    for target in targets:
        verdict = _bar(ask, target)
        if verdict is None:
            kept.append(_with_model(target, ask.model))
        else:
            code, reason = verdict
            codes.add(code)
            excluded.append((target.key, reason))
    return Plan(targets=tuple(kept), excluded=tuple(excluded), codes=frozenset(codes))


def _bar(ask: Ask, target: Target) -> tuple[str, str] | None:
    tenant = ask.tenant
    if tenant is not None:
        if tenant.providers is not None and target.provider not in tenant.providers:
            return "tenant", f"tenant {tenant.name} may not use {target.provider}"
        if not tenant.substitutes and target.tier != "same":
            return "tenant", f"tenant {tenant.name} takes no substitutes"
    if ask.tiers is not None and target.tier not in ask.tiers:
        return "tier", f"the caller does not accept tier {target.tier}"
    if ask.operation not in target.operations:
        return "operation", f"{target.provider} has no {ask.operation}"
    if target.model == "*" and ask.model is None:
        return "model", "the caller named no model for it"
    return None


def _with_model(target: Target, model: str | None) -> Target:
    if target.model != "*" or model is None:
        return target
    return msgspec.structs.replace(
        target,
        model=model,
        key=f"{target.account_key}/{model}",
        name=f"{target.provider}/{model}",
    )


def choose(
    targets: tuple[Target, ...],
    health: Health,
    now: float,
    door: Door,
    barred: Collection[str] = (),
    because: str = "",
) -> Choice | Full | None:
    """The first target in order that is healthy, not in `barred` (keys), and can take the request;
    None if there is none.

    Where none is wholly well, one that works less well than it should is next. Where those that
    would do cannot take more just now, they are worth a wait (`Full`). When every one that is left
    is sick, one of them is tried all the same, if it has not been tried just now: a guess beats a
    certain failure. `because` says what led here.
    """
    if targets and not because and not barred:
        # How nearly all requests begin, told without taking notes.
        first = targets[0]
        if health.obstacle(first, now, door.luck) is None and door.shut(first, now) is None:
            return Choice(first, "first in order")
    passed = _Passed(because)
    for target in targets:
        if target.key in barred:
            continue
        obstacle = health.obstacle(target, now, door.luck)
        if obstacle is not None:
            passed.unwell.append(target)
        else:
            obstacle = door.shut(target, now)
            if obstacle is None:
                return Choice(target, passed.why())
            passed.full.append(target)
        passed.reasons.append(obstacle)
    return _second_best(passed, health, now, door)


def beside(
    targets: tuple[Target, ...],
    slow: Target,
    health: Health,
    now: float,
    door: Door,
    barred: Collection[str],
) -> Target | None:
    """The first target that may have a second attempt beside one at `slow`: one that is well
    without reserve, not in `barred` (keys), and has room. None while any is short of capacity.
    """
    if any(health.is_short(target, now) for target in targets):
        return None
    for target in targets:
        if target.key in barred or target.key == slow.key:
            continue
        if health.obstacle(target, now, door.luck) is not None or health.fault(target):
            continue
        if door.shut(target, now) is None:
            return target
    return None


def is_no_guess(target: Target, health: Health, now: float, door: Door) -> bool:
    """Whether `target` serves, as far as is known; else it could only be tried all the same."""
    if health.obstacle(target, now, door.luck) is None:
        return True
    return health.recourse(target, now) is Recourse.LESSER


def standing(targets: tuple[Target, ...], health: Health, now: float) -> tuple[list[Fault], float]:
    """Why `targets` rest, those of them that do, and the seconds until the first is tried again."""
    faults = [fault for fault in map(health.fault, targets) if fault is not None]
    return faults, min([health.opens_again_in(target, now) for target in targets], default=0.0)


class _Passed:
    """What was passed over, and why."""

    __slots__ = ("because", "full", "reasons", "unwell")

    def __init__(self, because: str) -> None:
        self.because = because
        self.reasons: list[str] = []
        self.unwell: list[Target] = []
        self.full: list[Target] = []

    def why(self) -> str:
        parts = [self.because] if self.because else []
        parts += [f"passed over {reason}" for reason in self.reasons]
        return "; ".join(parts) if parts else "next in order"


def _second_best(passed: _Passed, health: Health, now: float, door: Door) -> Choice | Full | None:
    """What is left where no target is well and has room."""
    ranked = [(health.recourse(target, now), target) for target in passed.unwell]
    for rank, target in ranked:
        if rank is Recourse.LESSER:
            shut = door.shut(target, now)
            if shut is None:
                return _all_the_same(target, passed)
            passed.reasons.append(shut)
            passed.full.append(target)
    soon = [target for rank, target in ranked if rank is Recourse.SOON]
    if passed.full or soon:
        willing = tuple(passed.full)
        return Full((*willing, *soon), passed.why(), willing)
    best = min(ranked, key=_rank, default=None)
    if best is None or best[0] is Recourse.OUT:
        return None
    return _all_the_same(best[1], passed)


def _rank(ranked: tuple[Recourse, Target]) -> Recourse:
    return ranked[0]


def _all_the_same(target: Target, passed: _Passed) -> Choice:
    return Choice(target, f"{passed.why()}; nothing else is left, so it is tried all the same")
