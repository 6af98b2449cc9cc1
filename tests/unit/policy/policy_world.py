"""A world without sockets for the tests of this folder: real health, a real budget, a clock.

`Life` is one request in it. It does with `Delivery`'s decisions what whoever serves a request must
do (tell health and the budget), and holds every step against the table of transitions.
"""

from collections.abc import Callable, Iterator
from itertools import repeat

import msgspec

from understudy.core.faults import Fault, Kind, Scope
from understudy.core.outcomes import Result
from understudy.policy.breaker import Board
from understudy.policy.budget import RetryBudget
from understudy.policy.delivery import (
    TRANSITIONS,
    Abandon,
    Break,
    Decision,
    Delivery,
    Finish,
    Happening,
    Limits,
    Refuse,
    Start,
    State,
    Wait,
)
from understudy.policy.targets import Plan, Target

#: No round number, so that sums of moments are not exact by luck.
NOW = 86_400.3
WALL = 1_800_000_000.0
#: The calendar's moments have a resolution of their own.
CALENDAR = 1e-6

ENDED = {State.SUCCEEDED, State.FAILED, State.CANCELLED}


def target(key: str, tier: str = "same", operations: tuple[str, ...] = ("messages",)) -> Target:
    """The target `provider@account/model`."""
    account_key, _, model = key.partition("/")
    provider, _, account = account_key.partition("@")
    return Target(
        provider=provider,
        account=account,
        model=model,
        tier=tier,
        operations=frozenset(operations),
        key=key,
        account_key=account_key,
        name=f"{provider}/{model}",
    )


#: A typical fault of every kind: its usual scope and status.
TYPICAL = {
    fault.kind: fault
    for fault in (
        Fault(kind=Kind.CALLER, scope=Scope.REQUEST, status=400, code="invalid_request_error"),
        Fault(kind=Kind.ADAPTABLE, scope=Scope.REQUEST, status=400, code="prompt_too_long"),
        Fault(kind=Kind.ACCOUNT, scope=Scope.ACCOUNT, status=401, code="authentication_error"),
        Fault(kind=Kind.CONFIG, scope=Scope.MODEL, status=404, code="not_found_error"),
        Fault(kind=Kind.THROTTLED, scope=Scope.ACCOUNT, status=429, code="rate_limit_error"),
        Fault(kind=Kind.OVERLOAD, scope=Scope.MODEL, status=529, code="overloaded_error"),
        Fault(kind=Kind.OUTAGE, scope=Scope.MODEL, status=500, code="api_error"),
        Fault(kind=Kind.SLOW, scope=Scope.EDGE, status=504),
        Fault(kind=Kind.TRUNCATED, scope=Scope.MODEL, status=200),
        Fault(kind=Kind.EMPTY, scope=Scope.MODEL, status=200),
        Fault(kind=Kind.MALFORMED, scope=Scope.PROVIDER, status=200),
        Fault(kind=Kind.REFUSED, scope=Scope.REQUEST, status=200, code="refusal"),
        Fault(kind=Kind.DEGRADED, scope=Scope.MODEL, status=200),
        Fault(kind=Kind.INTERNAL, scope=Scope.OURSELVES),
    )
}


def fault(kind: Kind, **changes: object) -> Fault:
    """A typical fault of a kind, with changes."""
    return msgspec.structs.replace(TYPICAL[kind], **changes)


def named(end: Fault | Result) -> str:
    """How an attempt ended, as a test's id."""
    if isinstance(end, Fault):
        return f"{end.kind} ({end.scope}, {end.status})"
    return end.value


class World:
    """What requests share: the clock, health, the budget, and chance (0.5 by default)."""

    def __init__(self, draws: Iterator[float] | None = None, now: float = NOW) -> None:
        self.now = now
        draws = draws or repeat(0.5)
        self.draw: Callable[[], float] = lambda: next(draws)
        self.board = Board(self.draw)
        self.budget = RetryBudget()

    def pass_by(self, seconds: float) -> None:
        self.now += seconds

    def attempt(
        self, where: Target, end: Fault | Result = Result.CONTENT, seconds: float = 0.0
    ) -> None:
        """An attempt of somebody's begins now, and ends after `seconds`."""
        began = self.now
        self.board.started(where, began)
        self.pass_by(seconds)
        self.end(where, end, began)

    def end(self, where: Target, end: Fault | Result, began: float) -> None:
        """An attempt that began then ends now."""
        is_fault = isinstance(end, Fault)
        result, what = (Result.FAULT, end) if is_fault else (end, None)
        self.board.ended(where, result, what, self.now, began)

    def break_down(self, where: Target, kind: Kind = Kind.OUTAGE) -> None:
        """The target fails until its breaker is open."""
        for _ in range(5):
            if self.board.obstacle(where, self.now) is None:
                self.attempt(where, fault(kind))
        assert self.board.obstacle(where, self.now) is not None


class Life:
    """One request in a world."""

    def __init__(
        self, world: World, targets: tuple[Target, ...], *, seconds: float = 120.0, **limits: object
    ) -> None:
        defaults = {"first_token": 10.0, "idle": 30.0, "attempts": 3, "stream": True}
        self.world = world
        self.limits = Limits(deadline=world.now + seconds, **(defaults | limits))
        self.delivery = Delivery(
            Plan(targets=targets), self.limits, world.board, world.budget, world.draw, WALL
        )
        self.decisions: list[Decision] = []
        self.starts: list[Start] = []
        self.transitions: list[tuple[State, Happening, State]] = []
        self.last_activity = 0.0
        self._running: Start | None = None
        self._promised: str | None = None

    # -- what happens: each gives the decisions that follow -----------------------------------

    def begin(self) -> tuple[Decision, ...]:
        return self._step(Happening.BEGUN, lambda: self.delivery.begin(self.world.now))

    def content(self) -> tuple[Decision, ...]:
        self.last_activity = self.world.now
        return self._step(Happening.CONTENT, lambda: self.delivery.content(self.world.now) or ())

    def whole(self) -> tuple[Decision, ...]:
        return self._step(Happening.WHOLE, lambda: self.delivery.whole(self.world.now))

    def fault(self, what: Kind | Fault) -> tuple[Decision, ...]:
        seen = fault(what) if isinstance(what, Kind) else what
        return self._step(Happening.FAULT, lambda: self.delivery.fault(seen, self.world.now))

    def due(self) -> tuple[Decision, ...]:
        """Time passes until the machine wants to be asked, and it is asked at that very moment."""
        self.world.now = max(self.world.now, self.delivery.due)
        return self.tick()

    def tick(self) -> tuple[Decision, ...]:
        now, heard = self.world.now, self.last_activity
        return self._step(Happening.DUE, lambda: self.delivery.timer(now, heard))

    def gone(self) -> tuple[Decision, ...]:
        return self._step(Happening.GONE, lambda: self.delivery.gone(self.world.now))

    # -- what is known of it ------------------------------------------------------------------

    @property
    def state(self) -> State:
        return self.delivery.state

    @property
    def tried(self) -> list[str]:
        return [start.target.key for start in self.starts]

    @property
    def last(self) -> Decision:
        return self.decisions[-1]

    # -- the work of whoever serves it --------------------------------------------------------

    def _step(
        self, happening: Happening, event: Callable[[], tuple[Decision, ...]]
    ) -> tuple[Decision, ...]:
        before = self.state
        decisions = event()
        after = self.state
        self.transitions.append((before, happening, after))
        assert after in TRANSITIONS[before][happening], f"{before} -{happening}-> {after}"
        self._observe()
        for decision in decisions:
            self._carry_out(decision)
        if after in ENDED:
            # Also where nothing had to be done: a caller that left during a wait.
            self._forget_promise()
        self.decisions += decisions
        return decisions

    def _observe(self) -> None:
        """An attempt that has ended is told to those who read outcomes."""
        start = self._running
        if start is None or start.attempt.result is None:
            return
        self._running = None
        world, attempt = self.world, start.attempt
        if start.retry:
            world.budget.retried(start.target.key)
        world.board.ended(start.target, attempt.result, attempt.fault, world.now, start.began)

    def _carry_out(self, decision: Decision) -> None:
        world = self.world
        match decision:
            case Start(where, _, retry):
                self._promised = None
                self._running = decision
                self.starts.append(decision)
                world.board.started(where, world.now)
                if not retry:
                    world.budget.first(where.key, world.now)
            case Wait(where):
                self._promised = where.key
                world.budget.retry(where.key, world.now)
            case Refuse() | Break() | Finish():
                self._forget_promise()
            case Abandon():
                pass

    def _forget_promise(self) -> None:
        if self._promised is not None:
            self.world.budget.retried(self._promised)
            self._promised = None
