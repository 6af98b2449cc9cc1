"""The life of one request, as a state machine without I/O.

Whoever serves a request (the relay with sockets, a test with a list of events) tells the machine
what happens and does what it decides; the machine knows which target is next, what a fault means
for the request, when it is due to be looked at again, and what the caller must be told.

    choosing ──▶ attempting ──(first content)──▶ committed ──(terminal signal)──▶ succeeded
                  │  ▲   └──(terminal signal, nothing streamed)──▶ succeeded
           (fault)│  │(its turn)
                  ▼  │
                 waiting          any of these ──(no target left, the deadline)──▶ failed
                                  any of these ──(the caller left)──▶ cancelled

Rules.
* The *commit point* is the first content sent to the caller. Before it attempts are invisible;
  after it only the dialect's in-stream error is honest (gRPC A6 commits likewise, at the headers).
* One deadline spans all attempts. `attempts` bounds them, whatever the number of targets.
* The caller's own fault and a refusal go back at once, to no second target. What does not fit this
  target (`adaptable`) may fit a model of another name.
* Every target has its turn before any is tried again. A retry at the same target is for faults that
  pass, waits (full jitter, or as long as the provider asks), and is charged to the retry budget.
  When its wait is over it asks health like everyone: a target that was given up meanwhile is not
  tried out of turn.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from understudy.core.faults import OUTAGE_LIKE, Fault, Kind, Scope
from understudy.core.outcomes import Attempt, RequestOutcome, Result
from understudy.policy.decisions import (
    Abandon,
    Break,
    Decision,
    Finish,
    Limits,
    Refuse,
    Start,
    Wait,
)
from understudy.policy.targets import Choice, Health, Plan, Target, choose
from understudy.policy.verdict import (
    Verdict,
    broken_off,
    cannot_serve,
    give_back,
    out_of_time,
)

__all__ = [
    "TRANSITIONS",
    "Abandon",
    "Break",
    "Budget",
    "Decision",
    "Delivery",
    "Finish",
    "Happening",
    "Limits",
    "Refuse",
    "Start",
    "State",
    "Wait",
]


class State(StrEnum):
    """Where a request is in its life."""

    CHOOSING = "choosing"
    ATTEMPTING = "attempting"
    WAITING = "waiting"
    COMMITTED = "committed"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Happening(StrEnum):
    """What can happen to a request."""

    BEGUN = "begun"
    CONTENT = "content"
    WHOLE = "whole"
    FAULT = "fault"
    DUE = "due"
    GONE = "gone"


_S = State
#: State → happening → the states that it may lead to. What is not here cannot happen.
TRANSITIONS: dict[State, dict[Happening, frozenset[State]]] = {
    _S.CHOOSING: {
        Happening.BEGUN: frozenset({_S.ATTEMPTING, _S.FAILED}),
    },
    _S.ATTEMPTING: {
        Happening.CONTENT: frozenset({_S.COMMITTED}),
        Happening.WHOLE: frozenset({_S.SUCCEEDED}),
        Happening.FAULT: frozenset({_S.ATTEMPTING, _S.WAITING, _S.FAILED}),
        Happening.DUE: frozenset({_S.ATTEMPTING, _S.WAITING, _S.FAILED}),
        Happening.GONE: frozenset({_S.CANCELLED}),
    },
    _S.WAITING: {
        Happening.DUE: frozenset({_S.ATTEMPTING, _S.WAITING, _S.FAILED}),
        Happening.GONE: frozenset({_S.CANCELLED}),
    },
    _S.COMMITTED: {
        Happening.WHOLE: frozenset({_S.SUCCEEDED}),
        Happening.FAULT: frozenset({_S.FAILED}),
        Happening.DUE: frozenset({_S.COMMITTED, _S.FAILED}),
        Happening.GONE: frozenset({_S.CANCELLED}),
    },
    _S.SUCCEEDED: {},
    _S.FAILED: {},
    _S.CANCELLED: {},
}

#: Faults that pass by themselves, so that the same target may be asked again.
RETRYABLE = OUTAGE_LIKE | {Kind.THROTTLED}
#: Seconds of the first wait and the longest (the official SDKs: min(0.5·2ⁿ, 8)).
BACKOFF_SECONDS = 0.5
BACKOFF_SECONDS_MAX = 8.0
#: How long a whole answer of n tokens may take: Anthropic's SDK reckons with an hour for 128,000
#: tokens when it guards non-streaming requests (`_calculate_nonstreaming_timeout`).
SECONDS_PER_TOKEN = 3600.0 / 128_000.0


class Budget(Protocol):
    """The retry budget: see `understudy.policy.budget.RetryBudget`."""

    def allows(self, key: str, now: float) -> bool:
        """Whether one more same-target retry is within it."""
        ...


_ABANDON = Abandon()
_FINISH = Finish()


class Delivery:
    """One request's life.

    `due` is the next moment at which `timer` must be called. `attempts` is the journal of what was
    tried; the attempt under way, if any, is the last and has no `result`.

    Args:
        plan: the targets that may serve it.
        health: what is known of targets, read at each choice.
        budget: the retry budget, read before a retry.
        draw: gives a number in [0, 1), for jitter.
        wall: Unix seconds minus `now`, to put attempts on the calendar.
    """

    __slots__ = (
        "_barred",
        "_budget",
        "_draw",
        "_entitled",
        "_happening",
        "_health",
        "_limits",
        "_next",
        "_plan",
        "_running",
        "_started",
        "_wall",
        "attempts",
        "due",
        "outcome",
        "state",
    )

    def __init__(
        self,
        plan: Plan,
        limits: Limits,
        health: Health,
        budget: Budget,
        draw: Callable[[], float],
        wall: float,
    ) -> None:
        self.state = State.CHOOSING
        self.attempts: list[Attempt] = []
        self.outcome: RequestOutcome | None = None
        self.due = limits.deadline
        self._plan = plan
        self._limits = limits
        self._health = health
        self._budget = budget
        self._draw = draw
        self._wall = wall
        self._happening = Happening.BEGUN
        #: The running attempt's target, when it began, and until when it is entitled to run.
        self._running: Target | None = None
        self._started = 0.0
        self._entitled = 0.0
        #: Keys of targets that had their turn → the fault that ended it.
        self._barred: dict[str, tuple[Target, Fault]] = {}
        #: The target that a wait is for, and since when.
        self._next: tuple[Target, float] | None = None

    # -- what happens -------------------------------------------------------------------------

    def begin(self, now: float) -> tuple[Decision, ...]:
        """The request is understood; find its first target."""
        self._expect(Happening.BEGUN)
        return self._advance(now, "")

    def content(self, now: float) -> None:
        """The running attempt shows its first content, which is sent on: the commit point."""
        self._expect(Happening.CONTENT)
        self._move(State.COMMITTED)
        self.attempts[-1].first_content_ms = (now - self._started) * 1000.0
        self.due = min(now + self._limits.idle, self._limits.deadline)

    def whole(self, now: float) -> tuple[Decision, ...]:
        """The running attempt gave its terminal signal: the answer is whole."""
        self._expect(Happening.WHOLE)
        self._move(State.SUCCEEDED)
        attempt = self.attempts[-1]
        elapsed = (now - self._started) * 1000.0
        if attempt.first_content_ms is None:
            attempt.first_content_ms = elapsed
        attempt.ended_ms = elapsed
        attempt.result = Result.CONTENT
        self.outcome = RequestOutcome.SUCCEEDED
        return (_FINISH,)

    def fault(self, fault: Fault, now: float) -> tuple[Decision, ...]:
        """The running attempt failed."""
        self._expect(Happening.FAULT)
        committed = self.state is State.COMMITTED
        self._end_attempt(Result.FAULT, fault, now)
        if committed:
            return self._fail(Break(broken_off(fault)))
        if fault.kind in {Kind.CALLER, Kind.REFUSED}:
            return self._fail(Refuse(give_back(fault)))
        return self._advance(now, self._bar(fault))

    def timer(self, now: float, last_activity: float) -> tuple[Decision, ...]:
        """The moment `due` has come. `last_activity`: when the provider's last bytes arrived."""
        self._expect(Happening.DUE)
        if self._next is not None:
            return self._look_again(*self._next, now)
        if self.state is State.COMMITTED:
            return self._look_at_stream(now, last_activity)
        return self._look_at_attempt(now)

    def gone(self, now: float) -> tuple[Decision, ...]:
        """The caller has left."""
        self._expect(Happening.GONE)
        running = self.state in {State.ATTEMPTING, State.COMMITTED}
        if running:
            self._end_attempt(Result.CANCELLED, None, now)
        self._move(State.CANCELLED)
        self.outcome = RequestOutcome.CANCELLED
        return (_ABANDON,) if running else ()

    # -- what follows -------------------------------------------------------------------------

    def _look_at_attempt(self, now: float) -> tuple[Decision, ...]:
        """No content in time: the attempt gives way."""
        limits = self._limits
        waited = now - self._started
        fault = Fault(
            kind=Kind.SLOW,
            scope=Scope.MODEL,
            code="first_token_timeout" if limits.stream else "answer_timeout",
            message=f"no content within {waited:.1f} s",
        )
        if now < self._entitled:
            # It had less time than it is entitled to: that speaks against nobody.
            self._end_attempt(Result.ABANDONED, None, now)
        else:
            self._end_attempt(Result.FAULT, fault, now)
        because = self._bar(fault)
        if now >= limits.deadline:
            return (_ABANDON, *self._fail(Refuse(out_of_time(self._faults()))))
        return (_ABANDON, *self._advance(now, because))

    def _look_at_stream(self, now: float, last_activity: float) -> tuple[Decision, ...]:
        """A stream under way: silent for too long, past its deadline, or simply still going."""
        limits = self._limits
        if now >= limits.deadline:
            self._end_attempt(Result.ABANDONED, None, now)
            return (_ABANDON, *self._fail(Break(broken_off(None))))
        silent_until = last_activity + limits.idle
        if now >= silent_until:
            fault = Fault(
                kind=Kind.SLOW,
                scope=Scope.MODEL,
                status=200,
                code="idle_timeout",
                message=f"the stream fell silent for {now - last_activity:.1f} s",
            )
            self._end_attempt(Result.FAULT, fault, now)
            return (_ABANDON, *self._fail(Break(broken_off(fault))))
        self.due = min(silent_until, limits.deadline)
        return ()

    def _look_again(self, target: Target, since: float, now: float) -> tuple[Decision, ...]:
        """A wait is over: the promised retry, if health lets it through."""
        limits, health = self._limits, self._health
        if now >= limits.deadline:
            return self._fail(Refuse(out_of_time(self._faults())))
        if health.obstacle(target, now) is None:
            self._next = None
            kind = self._barred[target.key][1].kind
            why = f"again after {kind}, waited {now - since:.1f} s; no other is left"
            return (self._start(Choice(target, why), now, retry=True),)
        # It rests, or another request is trying it: soon over, or not worth the caller's while.
        rest = health.opens_again_in(target, now) or BACKOFF_SECONDS
        if rest > BACKOFF_SECONDS_MAX or now + rest >= limits.deadline:
            return self._fail(Refuse(self._no_target(now)))
        self._move(State.WAITING)
        self.due = now + rest
        return ()

    def _advance(self, now: float, because: str) -> tuple[Decision, ...]:
        """To the next target, to a wait for one, or to the end."""
        if now >= self._limits.deadline:
            return self._fail(Refuse(out_of_time(self._faults())))
        if len(self.attempts) < self._limits.attempts:
            barred = self._barred.keys() | self._ruled_out() if self._barred else ()
            choice = choose(self._plan.targets, self._health, now, barred, because)
            if choice is not None:
                return (self._start(choice, now, retry=False),)
            waiting = self._retry(now)
            if waiting is not None:
                return (waiting,)
        return self._fail(Refuse(self._no_target(now)))

    def _bar(self, fault: Fault) -> str:
        """The running attempt's target has had its turn. Gives the reason for what follows."""
        target = self._running
        if target is None:
            raise RuntimeError("a fault without an attempt")
        self._barred[target.key] = (target, fault)
        return f"after {fault.kind} at {target.key}"

    def _ruled_out(self) -> set[str]:
        """Keys of targets that what was learnt at another, or at themselves, rules out for good."""
        out: set[str] = set()
        for tried, fault in self._barred.values():
            if fault.kind is Kind.ACCOUNT:
                out |= {t.key for t in self._plan.targets if t.account_key == tried.account_key}
            elif fault.kind in {Kind.ADAPTABLE, Kind.CONFIG} and fault.scope is not Scope.ACCOUNT:
                # What this model cannot take, it cannot take at another account either.
                out |= {t.key for t in self._plan.targets if t.name == tried.name}
        return out

    def _retry(self, now: float) -> Wait | None:
        """The soonest promise of a second try at a target that was tried, if any may have one."""
        best: tuple[float, Target] | None = None
        ruled_out = self._ruled_out()
        for target, fault in self._barred.values():
            if fault.kind not in RETRYABLE or target.key in ruled_out:
                continue
            if not self._budget.allows(target.key, now):
                continue
            cap = min(BACKOFF_SECONDS_MAX, BACKOFF_SECONDS * 2.0 ** (len(self.attempts) - 1))
            # Never sooner than the provider asks, however long that is.
            at = now + max(self._draw() * cap, fault.retry_after or 0.0)
            if at < self._limits.deadline and (best is None or at < best[0]):
                best = at, target
        if best is None:
            return None
        self.due, target = best
        self._next = target, now
        self._move(State.WAITING)
        return Wait(target)

    def _start(self, choice: Choice, now: float, *, retry: bool) -> Start:
        self._move(State.ATTEMPTING)
        target = choice.target
        attempt = Attempt(
            target=target.name,
            account=target.account,
            tier=target.tier,
            why=choice.why,
            started_at=now + self._wall,
        )
        self.attempts.append(attempt)
        self._started = now
        self._running = target
        self.due = self._allot(now)
        return Start(target, attempt, retry, now)

    def _allot(self, now: float) -> float:
        """Until when the attempt may take to its first content; sets what it is entitled to.

        Only a stream shows its first token. A whole answer shows nothing until it is complete, so
        it gets the time that its length may need, and never so much that no other target could
        have a turn before the deadline. Having less than it is entitled to is the caller's hurry,
        or earlier attempts' doing, and no fault of the target's.
        """
        limits = self._limits
        fair = limits.first_token
        if limits.stream:
            self._entitled = now + fair
            return min(self._entitled, limits.deadline)
        if limits.max_tokens is not None:
            fair += limits.max_tokens * SECONDS_PER_TOKEN
        elif limits.hurried:
            fair = float("inf")
        self._entitled = now + fair
        if len(self.attempts) >= limits.attempts or not self._others():
            return limits.deadline
        half = now + (limits.deadline - now) / 2.0
        return half if limits.max_tokens is None else min(half, self._entitled)

    def _others(self) -> bool:
        """Whether a target that has had no turn yet may still have one."""
        if not self._barred:
            return len(self._plan.targets) > 1
        out = self._barred.keys() | self._ruled_out()
        return any(t.key not in out and t is not self._running for t in self._plan.targets)

    def _end_attempt(self, result: Result, fault: Fault | None, now: float) -> None:
        attempt = self.attempts[-1]
        attempt.ended_ms = (now - self._started) * 1000.0
        attempt.result = result
        attempt.fault = fault

    def _faults(self) -> list[Fault]:
        """The last fault of each target, the latest last."""
        last: dict[tuple[str, str], Fault] = {}
        for attempt in self.attempts:
            if attempt.fault is not None:
                name = (attempt.target, attempt.account)
                last.pop(name, None)
                last[name] = attempt.fault
        return list(last.values())

    def _no_target(self, now: float) -> Verdict:
        faults = [fault for _, fault in self._barred.values()]
        over = len(self.attempts) >= self._limits.attempts or not self._others()
        if faults and over and all(fault.kind is Kind.ADAPTABLE for fault in faults):
            # It fits nowhere: the caller must hear what it would have to change.
            return give_back(faults[0])
        targets, health = self._plan.targets, self._health
        waits = [health.opens_again_in(target, now) for target in targets]
        # Where nothing could be tried, what is known of the targets is the reason.
        known = self._faults() or [f for f in map(health.fault, targets) if f is not None]
        return cannot_serve(known, min(waits, default=0.0))

    def _fail(self, decision: Refuse | Break) -> tuple[Decision, ...]:
        self._move(State.FAILED)
        self.outcome = RequestOutcome.FAILED
        return (decision,)

    def _expect(self, happening: Happening) -> None:
        """Refuse what cannot happen now, before anything is changed."""
        if happening not in TRANSITIONS[self.state]:
            raise RuntimeError(f"{happening} cannot happen to a request that is {self.state}")
        self._happening = happening

    def _move(self, to: State) -> None:
        if to not in TRANSITIONS[self.state][self._happening]:
            raise RuntimeError(f"{self._happening} cannot lead from {self.state} to {to}")
        self.state = to
