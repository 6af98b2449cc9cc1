"""Which targets may serve a request, in which order, and why.

Two steps. `eligible` weighs what does not change while the settings stand (tenant, tiers, what the
caller named, what a target can be asked in) and is computed once for each kind of request. `choose`
weighs what changes (health, what this request has tried) and is computed at each attempt.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

import msgspec

from understudy.core.faults import Fault
from understudy.policy.plans import Ask, Choice, Plan, Target

__all__ = ["Ask", "Choice", "Health", "Plan", "Target", "choose", "eligible"]


class Health(Protocol):
    """What `choose` asks of health: see `understudy.policy.breaker.Board`."""

    def obstacle(self, target: Target, now: float) -> str | None:
        """Why a target should not be used now."""
        ...

    def may_panic(self, target: Target, now: float) -> bool:
        """Whether it may be tried all the same, nothing else being left."""
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
    barred: Collection[str] = (),
    because: str = "",
) -> Choice | None:
    """The first target in order that is healthy and not in `barred` (keys); None if there is none.

    When every one that is left is unhealthy, one of them is tried all the same, if it has not been
    tried just now: a guess beats a certain failure. `because` says what led here.
    """
    passed: list[str] = []
    for target in targets:
        if target.key in barred:
            continue
        obstacle = health.obstacle(target, now)
        if obstacle is None:
            if target is targets[0] and not because:
                return Choice(target, "first in order")
            return Choice(target, _why(passed, because))
        passed.append(obstacle)
    for target in targets:
        if target.key not in barred and health.may_panic(target, now):
            reason = _why(passed, because)
            return Choice(target, f"{reason}; nothing else is left, so it is tried all the same")
    return None


def _why(passed: list[str], because: str) -> str:
    parts = [because] if because else []
    parts += [f"passed over {reason}" for reason in passed]
    return "; ".join(parts) if parts else "next in order"
