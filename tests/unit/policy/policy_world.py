"""A world without sockets for the tests of this folder: real health, real budgets, a clock.

`Life` is one request in it. It does with `Delivery`'s decisions what whoever serves a request must
do (tell health, the budgets and the latencies), and holds every step to the table of transitions
and to what each decision promises.
"""

from collections.abc import Callable, Iterator
from itertools import repeat

import msgspec

from understudy.core.faults import Fault, Kind, Scope
from understudy.core.outcomes import Result
from understudy.policy.board import Board
from understudy.policy.budget import HedgeBudget, RetryBudget
from understudy.policy.decisions import (
    Break,
    Decision,
    Ended,
    Finish,
    Hold,
    Limits,
    Queue,
    Refuse,
    Start,
    Surroundings,
    Wait,
)
from understudy.policy.delivery import Delivery
from understudy.policy.gates import Gates, Ticket
from understudy.policy.latency import Latencies
from understudy.policy.plans import NOBODYS
from understudy.policy.targets import Plan, Target
from understudy.policy.transitions import TRANSITIONS, Happening, State

#: No round number, so that sums of moments are not exact by luck.
NOW = 86_400.3
WALL = 1_800_000_000.0
#: The calendar's moments have a resolution of their own.
CALENDAR = 1e-6

ENDED = {State.SUCCEEDED, State.FAILED, State.CANCELLED}
#: Nothing runs: a retry is promised.
RESTING = {State.WAITING, State.PAUSED}
#: Codes of faults by which an attempt was given up that might have answered later.
GIVEN_UP = {"first_token_timeout", "answer_timeout"}


def target(
    key: str,
    tier: str = "same",
    operations: tuple[str, ...] = ("messages",),
    *,
    probed: bool = False,
) -> Target:
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
        probed=probed,
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
    """What requests share: the clock, health, budgets, latencies, and chance (0.5 by default)."""

    def __init__(self, draws: Iterator[float] | None = None, now: float = NOW) -> None:
        self.now = now
        draws = draws or repeat(0.5)
        self.draw: Callable[[], float] = lambda: next(draws)
        self.board = Board(self.draw)
        self.budget = RetryBudget()
        self.hedges = HedgeBudget()
        self.pace = Latencies()
        self.gates = Gates()

    @property
    def surroundings(self) -> Surroundings:
        return Surroundings(
            health=self.board,
            budget=self.budget,
            hedges=self.hedges,
            pace=self.pace,
            gates=self.gates,
            draw=self.draw,
        )

    def pass_by(self, seconds: float) -> None:
        self.now += seconds

    def attempt(
        self,
        where: Target,
        end: Fault | Result = Result.CONTENT,
        seconds: float = 0.0,
        **kind: bool,
    ) -> None:
        """An attempt of somebody's begins now, and ends after `seconds`.

        `kind`: whether it is a `retry`, whether it `is_probe`.
        """
        began = self.now
        self.board.started(where, began)
        self.pass_by(seconds)
        self.end(where, end, began, **kind)

    def end(self, where: Target, end: Fault | Result, began: float, **kind: bool) -> None:
        """An attempt that began then ends now."""
        is_fault = isinstance(end, Fault)
        result, what = (Result.FAULT, end) if is_fault else (end, None)
        self.board.ended(where, result, what, self.now, began, **kind)

    def break_down(self, where: Target, kind: Kind = Kind.OUTAGE) -> None:
        """The target fails until its breaker is open."""
        for _ in range(5):
            if self.board.rests(where, self.now) is None:
                self.attempt(where, fault(kind))
        assert self.board.rests(where, self.now) is not None

    def fill(self, where: Target) -> None:
        """Others ask the target for as many answers at once as it bears."""
        concurrency = self.gates.of(where).concurrency
        concurrency.limit = min(concurrency.limit, 3.0)
        ticket = Ticket(self.gates, NOBODYS, self.draw)
        while ticket.shut(where, self.now) is None:
            self.gates.started(where, ticket, self.now)

    def empty(self, where: Target) -> None:
        """Others' attempts there end."""
        for _ in range(self.gates.of(where).concurrency.in_flight):
            self.gates.ended(where, self.now).allowance.used(NOBODYS.need, None, self.now)

    def grow_busy(self, where: Target, requests: int = 100) -> None:
        """Others ask the target as often: what a share of first attempts is a share of."""
        for _ in range(requests):
            self.budget.first(where.key, self.now)
            self.hedges.first(where.key, self.now)

    def learn(
        self, where: Target, seconds: float, attempts: int = 1000, *, stream: bool = True
    ) -> None:
        """The target answers as many others, each after `seconds`."""
        for _ in range(attempts):
            self.pace.observe(where.key, seconds, self.now, stream=stream)


class Answer:
    """What shows of the answer under way (`understudy.policy.decisions.Stream`)."""

    def __init__(self) -> None:
        self.heard_at = self.progressed_at = 0.0
        self.progress = 0
        #: What the caller has; None: it holds what no other target can go on from.
        self.characters: int | None = 0

    def standing(self) -> int | None:
        return self.characters

    def begins(self, now: float) -> None:
        """Another attempt's."""
        self.heard_at = self.progressed_at = now
        self.progress = 0

    def comes(self, now: float, size: int) -> None:
        """Content, in events of `size` bytes."""
        self.heard_at = self.progressed_at = now
        self.progress += size


class Life:
    """One request in a world.

    Of several attempts under way `content`, `whole` and `fault` mean the first, unless told.
    """

    def __init__(
        self, world: World, targets: tuple[Target, ...], *, seconds: float = 120.0, **limits: object
    ) -> None:
        defaults = {"first_token": 10.0, "idle": 30.0, "attempts": 3, "stream": True}
        self.world = world
        self.limits = Limits(deadline=world.now + seconds, **(defaults | limits))
        self.delivery = Delivery(Plan(targets=targets), self.limits, world.surroundings, WALL)
        self.answer = Answer()
        self.decisions: list[Decision] = []
        self.starts: list[Start] = []
        #: The attempts under way.
        self.running: list[Start] = []
        #: The caller has something.
        self.has_sent = False
        self.transitions: list[tuple[State, Happening, State]] = []
        self._promised: str | None = None

    # -- what happens: each gives the decisions that follow -----------------------------------

    def begin(self) -> tuple[Decision, ...]:
        return self._step(Happening.BEGUN, lambda: self.delivery.begin(self.world.now))

    def content(self, start: Start | None = None, size: int = 200) -> tuple[Decision, ...]:
        """The attempt has content; nothing of it is sent yet."""
        start, now, world = start or self._first, self.world.now, self.world

        def event() -> tuple[Decision, ...]:
            lost = self.delivery.content(start, now)
            self.answer.begins(now)
            self.answer.comes(now, size)
            world.pace.observe(start.target.key, now - start.began, now, stream=True)
            for decision in lost:
                loser = decision.start
                seconds = now - loser.began
                world.pace.observe_at_least(loser.target.key, seconds, now, stream=True)
            return lost

        return self._step(Happening.CONTENT, event)

    def sent(self) -> None:
        """The content goes out: the commit point."""

        def event() -> tuple[Decision, ...]:
            self.delivery.sent()
            self.has_sent = True
            return ()

        self._step(Happening.SENT, event)

    def stream(self, start: Start | None = None, characters: int = 10) -> tuple[Decision, ...]:
        """The attempt has content, and its first characters go to the caller."""
        decisions = self.content(start)
        self.sent()
        self._reaches_caller(characters)
        return decisions

    def more(self, characters: int = 10, size: int = 200) -> None:
        """The answer under way goes on. Nobody asks the machine about it."""
        self.answer.comes(self.world.now, size)
        self._reaches_caller(characters)

    def ping(self) -> None:
        """The provider gives a sign of life."""
        self.answer.heard_at = self.world.now

    def whole(self, start: Start | None = None) -> tuple[Decision, ...]:
        start, now = start or self._first, self.world.now
        return self._step(Happening.WHOLE, lambda: self.delivery.whole(start, now))

    def fault(self, what: Kind | Fault, start: Start | None = None) -> tuple[Decision, ...]:
        seen = fault(what) if isinstance(what, Kind) else what
        start, now, answer = start or self._first, self.world.now, self.answer
        return self._step(Happening.FAULT, lambda: self.delivery.fault(start, seen, now, answer))

    def due(self) -> tuple[Decision, ...]:
        """Time passes until the machine wants to be asked, and it is asked at that very moment."""
        self.world.now = max(self.world.now, self.delivery.due)
        return self.tick()

    def tick(self) -> tuple[Decision, ...]:
        now, answer = self.world.now, self.answer
        self.world.gates.grant(now)
        was_due = now >= self.delivery.due
        decisions = self._step(Happening.DUE, lambda: self.delivery.timer(now, answer))
        if was_due and not decisions:
            assert self.delivery.due > now, "it would be asked again for ever"
        return decisions

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

    @property
    def _first(self) -> Start:
        return self.running[0] if self.running else self.starts[-1]

    def _reaches_caller(self, characters: int) -> None:
        if self.answer.characters is not None:
            self.answer.characters += characters

    # -- the work of whoever serves it --------------------------------------------------------

    def _step(
        self, happening: Happening, event: Callable[[], tuple[Decision, ...]]
    ) -> tuple[Decision, ...]:
        before = self.state
        decisions = event()
        after = self.state
        self.transitions.append((before, happening, after))
        assert after in TRANSITIONS[before][happening], f"{before} -{happening}-> {after}"
        for decision in decisions:
            self._carry_out(decision)
            self.decisions.append(decision)
        if after in ENDED:
            # Also where nothing had to be done: a caller that left during a wait.
            self._forget_promise()
        self._check_what_runs()
        return decisions

    def _check_what_runs(self) -> None:
        """Every attempt is told to be over, once; two at a time at most; none beyond the end."""
        under_way = [start.attempt for start in self.running]
        assert under_way == [a for a in self.delivery.attempts if a.result is None]
        assert len(under_way) <= 2
        assert (not under_way) is (self.state in ENDED | RESTING | {State.CHOOSING})

    def _carry_out(self, decision: Decision) -> None:
        world = self.world
        match decision:
            case Start(target=where, retry=retry):
                if retry:
                    assert self._promised == where.key, "a retry that nobody promised"
                    self._promised = None
                else:
                    self._forget_promise()
                self._begin_attempt(decision)
            case Ended(start):
                self._end_attempt(start)
            case Wait(where):
                assert world.budget.allows(where.key, world.now), "a retry beyond the budget"
                self._promised = where.key
                world.budget.retry(where.key, world.now)
            case Queue(ticket, targets):
                world.gates.enter(ticket, targets, world.now)
            case Hold():
                assert self.limits.hold, "kept, and nobody asked for it"
                self._forget_promise()
            case Refuse():
                assert not self.has_sent, "a refusal after the first content"
            case Break():
                assert self.has_sent, "a break before the first content"
            case Finish():
                pass

    def _begin_attempt(self, start: Start) -> None:
        world, key = self.world, start.target.key
        world.gates.started(start.target, self.delivery.ticket, world.now)
        world.board.started(start.target, world.now)
        if start.hedge:
            (slow,) = self.running
            world.hedges.hedged(slow.target.key, world.now)
        else:
            assert not self.running
            self.answer.begins(world.now)
            if not start.retry:
                world.budget.first(key, world.now)
                world.hedges.first(key, world.now)
        self.starts.append(start)
        self.running.append(start)

    def _end_attempt(self, start: Start) -> None:
        """Tell those who read outcomes."""
        world, attempt = self.world, start.attempt
        assert any(start is running for running in self.running), "it has ended before"
        self.running = [running for running in self.running if running is not start]
        assert attempt.result is not None
        if start.retry:
            world.budget.retried(start.target.key)
        now, retry = world.now, start.retry
        gate, what = world.gates.ended(start.target, now), attempt.fault
        gate.allowance.used(self.limits.claim.need, None, now)
        if what is not None and what.kind in {Kind.THROTTLED, Kind.OVERLOAD}:
            is_limit = what.kind is Kind.THROTTLED
            is_out = bool(world.board.resting(start.target))
            gate.pushed_back(now, what.retry_after, is_limit=is_limit, is_out=is_out)
        world.board.ended(
            start.target, attempt.result, attempt.fault, now, start.began, retry=retry
        )
        if attempt.fault is not None and attempt.fault.code in GIVEN_UP:
            key, seconds = start.target.key, world.now - start.began
            world.pace.observe_at_least(key, seconds, world.now, stream=self.limits.stream)

    def _forget_promise(self) -> None:
        if self._promised is not None:
            self.world.budget.retried(self._promised)
            self._promised = None
