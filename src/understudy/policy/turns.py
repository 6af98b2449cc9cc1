"""Which targets have had their turn in one request, and what was learnt from that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from understudy.core.faults import OUTAGE_LIKE, Fault, Kind, Scope
from understudy.policy.targets import Plan, Target

__all__ = ["BACKOFF_SECONDS", "BACKOFF_SECONDS_MAX", "Turns"]

#: Seconds of the first wait and the longest (the official SDKs: min(0.5·2ⁿ, 8)).
BACKOFF_SECONDS: Final = 0.5
BACKOFF_SECONDS_MAX: Final = 8.0

#: Faults that pass by themselves, so that the same target may be asked again.
RETRYABLE = OUTAGE_LIKE | {Kind.THROTTLED}

_NONE: frozenset[str] = frozenset()


class Turns:
    """The turns of one request.

    Args:
        plan: the targets that may serve it.
    """

    __slots__ = ("_had", "_mended", "_plan")

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        #: Keys of targets that had their turn → the fault that ended it.
        self._had: dict[str, tuple[Target, Fault]] = {}
        #: (target's key, remedy) of what was asked again, mended.
        self._mended: set[tuple[str, str]] = set()

    def had(self, target: Target, fault: Fault) -> str:
        """A target has had its turn. Gives the reason for what follows."""
        self._had[target.key] = (target, fault)
        return f"after {fault.kind} at {target.key}"

    def kind_at(self, target: Target) -> Kind:
        """What ended a target's turn. Raises KeyError where it had none."""
        return self._had[target.key][1].kind

    def mend(self, target: Target, fault: Fault) -> bool:
        """Whether the request, mended as the fault says, may be asked of the target once more; its
        turn is then as if it had not been.
        """
        remedy = fault.remedy
        if remedy is None or (target.key, remedy) in self._mended:
            return False
        self._mended.add((target.key, remedy))
        self._had.pop(target.key, None)
        return True

    def forgive(self) -> None:
        """Time has passed: what failed by something that passes may have its turn anew."""
        had = self._had.items()
        self._had = {key: (t, fault) for key, (t, fault) in had if fault.kind not in RETRYABLE}

    def out(self) -> frozenset[str]:
        """Keys of targets that are not to be chosen: they had their turn, or are ruled out."""
        return frozenset(self._had.keys() | self._ruled_out()) if self._had else _NONE

    def left(self, running: Target | None = None) -> bool:
        """Whether a target that has had no turn yet may still have one."""
        if not self._had:
            return len(self._plan.targets) > (0 if running is None else 1)
        out = self.out()
        return any(t.key not in out and t is not running for t in self._plan.targets)

    def retryable(self) -> Iterator[tuple[Target, Fault]]:
        """Targets that a second try might find well, in the order of their turns."""
        ruled_out = self._ruled_out()
        for target, fault in self._had.values():
            if fault.kind in RETRYABLE and target.key not in ruled_out:
                yield target, fault

    def soonest(
        self,
        allows: Callable[[str, float], bool],
        draw: Callable[[], float],
        now: float,
        attempts: int,
    ) -> tuple[float, Target] | None:
        """Which of them may be tried again first, and when: after a wait that grows with the
        `attempts` so far (full jitter), and never sooner than the provider asks, however long.
        """
        best: tuple[float, Target] | None = None
        for target, fault in self.retryable():
            if not allows(target.key, now):
                continue
            cap = min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS * 2.0 ** (attempts - 1))
            at = now + max(draw() * cap, fault.retry_after or 0.0)
            if best is None or at < best[0]:
                best = at, target
        return best

    def misfit(self, *, used_up: bool) -> Fault | None:
        """The first fault of a request that fits no target; None where one may yet take it.
        `used_up`: no more may be tried.
        """
        faults = [fault for _, fault in self._had.values()]
        fits_none = bool(faults) and all(fault.kind is Kind.ADAPTABLE for fault in faults)
        return faults[0] if fits_none and (used_up or not self.left()) else None

    def _ruled_out(self) -> set[str]:
        """Keys of targets that what was learnt at another, or at themselves, rules out for good."""
        out: set[str] = set()
        for tried, fault in self._had.values():
            if fault.kind is Kind.ACCOUNT:
                out |= {t.key for t in self._plan.targets if t.account_key == tried.account_key}
            elif fault.kind in {Kind.ADAPTABLE, Kind.CONFIG} and fault.scope is not Scope.ACCOUNT:
                # What this model cannot take, it cannot take at another account either.
                out |= {t.key for t in self._plan.targets if t.name == tried.name}
        return out
