"""The life of one request, as a state machine without I/O.

Whoever serves a request (the relay with sockets, a test with a list of events) tells the machine
what happens and does what it decides; the machine knows which target is next, what a fault means
for the request, when it is due to be looked at again, and what the caller must be told. Its states
and the ways between them are a table: `understudy.policy.transitions`, drawn in docs/delivery.md.

Rules.
* The *commit point* is the first content sent to the caller. Before it attempts are invisible (gRPC
  A6 commits likewise, at the headers). After it another target goes on where the caller's text
  stands, where that can be done honestly; else only the dialect's in-stream error is left.
* One deadline spans all attempts. `attempts` bounds them, whatever the number of targets.
* The caller's own fault and a refusal go back at once, to no second target. What does not fit this
  target (`adaptable`) may fit a model of another name; what its fault says how to mend (`remedy`)
  is asked once more of the same target, mended.
* Every target has its turn before any is tried again. A retry at the same target is for faults that
  pass, waits (full jitter, or as long as the provider asks), and is charged to the retry budget.
  When its wait is over it asks health like everyone: a target that was given up meanwhile is not
  tried out of turn.
* A request that finds every target that would do full waits for its turn (`gates`): background for
  half of its time, so that what is let in can still end; an interactive one as long as it would for
  a first token. Then that one goes in where only a guess keeps it out. Where the provider has said
  that there is no more, it is told so, and so is background work.
* A hedge is a second attempt beside a slow first one: only for streams, only before content, only
  at another target that is well, within a budget of its own, and never while a target of the plan
  is short of capacity (Dean & Barroso, "The Tail at Scale"; hedges sustain an overload).
"""

from __future__ import annotations

from typing import Final

from understudy.core.faults import Fault, Kind
from understudy.core.outcomes import Attempt, RequestOutcome, Result
from understudy.policy.decisions import (
    Break,
    Decision,
    Ended,
    Finish,
    Limits,
    Queue,
    Refuse,
    Start,
    Stream,
    Surroundings,
    Wait,
)
from understudy.policy.gates import Ticket
from understudy.policy.run import Run, held_to, slow_at
from understudy.policy.targets import Choice, Full, Plan, Target, choose
from understudy.policy.transitions import TRANSITIONS, Happening, State
from understudy.policy.turns import BACKOFF_SECONDS, BACKOFF_SECONDS_MAX, Turns
from understudy.policy.verdict import (
    Verdict,
    breaking_fault,
    broken_off,
    cannot_serve,
    crowded_out,
    give_back,
    last_faults,
    out_of_time,
)

__all__ = ["Delivery"]

#: Seconds between two looks of one that waits for its turn, at whether something better has turned
#: up. Whoever keeps time asks it at once when its turn has come (`Ticket.granted`).
LOOK_SECONDS = 1.0

# Those of a request that goes well, looked up once: in Python 3.11 a member of an enumeration costs
# as much as a call.
_CHOOSING: Final = State.CHOOSING
_ATTEMPTING: Final = State.ATTEMPTING
_COMMITTED: Final = State.COMMITTED
_SUCCEEDED: Final = State.SUCCEEDED
_BEGUN: Final = Happening.BEGUN
_SHOWN: Final = Happening.CONTENT
_SENT: Final = Happening.SENT
_WHOLE: Final = Happening.WHOLE
_CONTENT: Final = Result.CONTENT
_ANSWERED: Final = RequestOutcome.SUCCEEDED
_FINISH: Final = Finish()
_NEVER = float("inf")


class Delivery:
    """One request's life.

    `due` is the next moment at which `timer` must be called. `attempts` is the journal of what was
    tried; those under way have no `result`.

    Args:
        plan: the targets that may serve it.
        limits: what bounds it.
        surroundings: what requests share: health, budgets, pace, chance.
        wall: Unix seconds minus `now`, to put attempts on the calendar.
    """

    __slots__ = (
        "_around",
        "_happening",
        "_hedge_at",
        "_limits",
        "_next",
        "_plan",
        "_runs",
        "_sent",
        "_turns",
        "_wall",
        "attempts",
        "due",
        "outcome",
        "state",
        "ticket",
    )

    def __init__(self, plan: Plan, limits: Limits, surroundings: Surroundings, wall: float) -> None:
        self.state = _CHOOSING
        self.attempts: list[Attempt] = []
        self.outcome: RequestOutcome | None = None
        self.due = limits.deadline
        self._plan = plan
        self._limits = limits
        self._around = surroundings
        self._wall = wall
        self._happening = _BEGUN
        #: The attempts under way: one, or two while a hedge runs.
        self._runs: list[Run] = []
        #: Something has been sent to the caller.
        self._sent = False
        self._hedge_at = _NEVER
        self._turns = Turns(plan)
        #: Its place, should it have to wait for its turn.
        self.ticket = Ticket(surroundings.gates, limits.claim, surroundings.draw)
        #: The target that a wait is for, and since when.
        self._next: tuple[Target, float] | None = None

    # -- what happens -------------------------------------------------------------------------

    def begin(self, now: float) -> tuple[Decision, ...]:
        """The request is understood; find its first target."""
        self._expect(_BEGUN)
        return self._advance(now, "", None)

    def content(self, start: Start, now: float) -> tuple[Decision, ...]:
        """An attempt of a stream shows its first content. One that ran beside it has lost."""
        self._expect(_SHOWN)
        run = self._run(start)
        self._move(self.state)
        start.attempt.first_content_ms = (now - start.began) * 1000.0
        run.content(now, self._limits)
        lost = self._abandon_others(run, now) if len(self._runs) > 1 else ()
        self._set_due()
        return lost

    def sent(self) -> None:
        """The first bytes of the answer, or of its continuation, go out: the commit point."""
        self._expect(_SENT)
        self._sent = True
        self._move(_COMMITTED)

    def whole(self, start: Start, now: float) -> tuple[Decision, ...]:
        """An attempt gave its terminal signal: the answer is whole."""
        self._expect(_WHOLE)
        run = self._run(start)
        self._move(_SUCCEEDED)
        lost = self._abandon_others(run, now) if len(self._runs) > 1 else ()
        attempt = start.attempt
        if attempt.first_content_ms is None:
            attempt.first_content_ms = (now - start.began) * 1000.0
        self._end(run, _CONTENT, None, now)
        self.outcome = _ANSWERED
        return (Ended(start), *lost, _FINISH)

    def fault(self, start: Start, fault: Fault, now: float, stream: Stream) -> tuple[Decision, ...]:
        """An attempt failed."""
        self._expect(Happening.FAULT)
        run = self._run(start)
        self._end(run, Result.FAULT, fault, now)
        ended = Ended(start)
        if not self._sent and fault.kind in {Kind.CALLER, Kind.REFUSED}:
            lost = self._abandon_others(None, now)
            return (ended, *lost, *self._fail(Refuse(give_back(fault))))
        if self._sent and fault.kind is Kind.REFUSED:
            return (ended, *self._fail(Break(broken_off(fault))))
        return (ended, *self._go_on(start.target, fault, now, stream))

    def timer(self, now: float, stream: Stream | None) -> tuple[Decision, ...]:
        """The moment `due` has come. `stream`: the answer under way, as far as it shows; None
        before the first attempt.
        """
        self._expect(Happening.DUE)
        if self.ticket.waits:
            return self._look_in_line(now, stream)
        if stream is None:
            raise RuntimeError("an attempt under way that shows nothing")
        if self._next is not None:
            return self._look_again(*self._next, now, stream)
        if now >= self._limits.deadline:
            return self._out_of_time(now)
        decisions: tuple[Decision, ...] = ()
        for run in tuple(self._runs):
            fault = run.look(now, self._limits, stream)
            if fault is not None:
                decisions += self._give_up(run, fault, now, stream)
        if now >= self._hedge_at and len(self._runs) == 1:
            decisions += self._hedge(now)
        if not decisions:
            self._move(self.state)
        if self._runs:
            self._set_due()
        return decisions

    def excuse(self, now: float, stream: Stream) -> None:
        """Until now the caller did not keep up, and its provider had to wait."""
        for run in self._runs:
            run.excuse(now, stream)

    def gone(self, now: float) -> tuple[Decision, ...]:
        """The caller has left."""
        self._expect(Happening.GONE)
        self.ticket.waits = False
        ended = tuple([self._end(run, Result.CANCELLED, None, now) for run in tuple(self._runs)])
        self._move(State.CANCELLED)
        self.outcome = RequestOutcome.CANCELLED
        return ended

    # -- what follows -------------------------------------------------------------------------

    def _give_up(self, run: Run, fault: Fault, now: float, stream: Stream) -> tuple[Decision, ...]:
        """An attempt without content, without a sign of life, or without progress for too long."""
        # Having had less time than it is entitled to speaks against nobody.
        entitled = now >= run.entitled or run.has_content
        target = run.start.target
        result, shown = (Result.FAULT, fault) if entitled else (Result.ABANDONED, None)
        ended = self._end(run, result, shown, now)
        return (ended, *self._go_on(target, fault, now, stream))

    def _go_on(
        self, target: Target, fault: Fault, now: float, stream: Stream
    ) -> tuple[Decision, ...]:
        """What follows an attempt that came to nothing."""
        because = self._turns.had(target, fault)
        if self._runs:
            # The one beside it goes on alone.
            self._move(self.state)
            self._set_due()
            return ()
        again = self._mend(target, fault, now, stream)
        if again is not None:
            return (again,)
        return self._advance(now, because, stream)

    def _out_of_time(self, now: float) -> tuple[Decision, ...]:
        """The deadline of the whole request."""
        ended: tuple[Decision, ...] = ()
        for run in tuple(self._runs):
            if run.has_content or now < run.entitled:
                ended += (self._end(run, Result.ABANDONED, None, now),)
            else:
                late = run.late(now, self._limits)
                ended += (self._end(run, Result.FAULT, late, now),)
        if self._sent:
            return (*ended, *self._fail(Break(broken_off(None))))
        return (*ended, *self._fail(Refuse(out_of_time(last_faults(self.attempts)))))

    def _look_again(
        self, target: Target, since: float, now: float, stream: Stream
    ) -> tuple[Decision, ...]:
        """A wait is over: the promised retry, if health lets it through."""
        limits, health = self._limits, self._around.health
        if now >= limits.deadline:
            return self._out_of_time(now)
        ticket = self.ticket
        if health.obstacle(target, now, ticket.luck) is None and ticket.shut(target, now) is None:
            self._next = None
            kind = self._turns.kind_at(target)
            why = f"again after {kind}, waited {now - since:.1f} s; no other is left"
            return (self._start(Choice(target, why), now, stream, retry=True),)
        other = self._choose(now, f"{target.key} rests")
        if isinstance(other, Choice):
            self._next = None
            return (self._start(other, now, stream),)
        # It rests, or another request is trying it: soon over, or not worth the caller's while.
        rest = health.opens_again_in(target, now) or BACKOFF_SECONDS
        if rest > BACKOFF_SECONDS_MAX or now + rest >= limits.deadline:
            return self._end_with(self._no_target(now))
        self._move(self._waiting)
        self.due = now + rest
        return ()

    def _advance(self, now: float, because: str, stream: Stream | None) -> tuple[Decision, ...]:
        """To the next target, to a wait for one, or to the end."""
        if now >= self._limits.deadline:
            return self._out_of_time(now)
        if self._sent and not self._may_continue(stream):
            return self._fail(Break(broken_off(breaking_fault(self.attempts))))
        if len(self.attempts) < self._limits.attempts:
            choice = self._choose(now, because)
            if isinstance(choice, Choice):
                return (self._start(choice, now, stream),)
            if choice is not None:
                return (self._stand_in_line(choice, now),)
            waiting = self._retry(now)
            if waiting is not None:
                return (waiting,)
        return self._end_with(self._no_target(now))

    def _choose(self, now: float, because: str) -> Choice | Full | None:
        """The next target, as things stand."""
        health, out = self._around.health, self._turns.out()
        return choose(self._plan.targets, health, now, self.ticket, out, because)

    def _stand_in_line(self, full: Full, now: float) -> Queue:
        """Wait for one of several targets, none of which can take it now."""
        self._move(self._waiting)
        self.due = self._next_look(self.ticket.since if self.ticket.waits else now, now)
        return Queue(self.ticket, full.targets)

    def _look_in_line(self, now: float, stream: Stream | None) -> tuple[Decision, ...]:
        """Whether its turn has come, or it has waited long enough."""
        ticket = self.ticket
        if now >= self._limits.deadline:
            return self._out_of_time(now)
        patience = self._limits.patience(ticket.since)
        because = f"waited {now - ticket.since:.1f} s for its turn"
        choice = self._choose(now, because)
        if choice is None:
            # What it waited for is of no use any more.
            ticket.waits = False
            return self._advance(now, because, stream)
        if isinstance(choice, Full):
            if now < ticket.since + patience:
                return self._wait_on(choice, now)
            wait, target = ticket.soonest(choice.willing or choice.targets, now)
            if wait > 0.0 or not choice.willing or self._limits.claim.background:
                return self._end_with(crowded_out(max(wait, patience)))
            choice = Choice(target, f"{because}, in vain")
        return (self._start(choice, now, stream),)

    def _wait_on(self, full: Full, now: float) -> tuple[Decision, ...]:
        if self.ticket.granted:
            # It may not go any more where it was let in.
            return (self._stand_in_line(full, now),)
        self._move(self._waiting)
        self.due = self._next_look(self.ticket.since, now)
        return ()

    def _next_look(self, since: float, now: float) -> float:
        return max(now, min(now + LOOK_SECONDS, since + self._limits.patience(since)))

    def _may_continue(self, stream: Stream | None) -> bool:
        return self._limits.continues and stream is not None and stream.standing() is not None

    def _end_with(self, verdict: Verdict) -> tuple[Decision, ...]:
        """Nobody can serve it, or go on with it."""
        if self._sent:
            return self._fail(Break(broken_off(breaking_fault(self.attempts))))
        return self._fail(Refuse(verdict))

    def _mend(self, target: Target, fault: Fault, now: float, stream: Stream) -> Start | None:
        """The same target once more, if the fault says how the request would fit it."""
        if fault.remedy is None or now >= self._limits.deadline:
            return None
        if len(self.attempts) >= self._limits.attempts:
            return None
        if self._sent and not self._may_continue(stream):
            return None
        if not self._turns.mend(target, fault):
            return None
        return self._start(Choice(target, f"again, {fault.remedy}"), now, stream)

    def _hedge(self, now: float) -> tuple[Decision, ...]:
        """A second attempt beside a slow first one, if everything speaks for it."""
        self._hedge_at = _NEVER
        around, slow = self._around, self._runs[0].start
        if self._sent or self._runs[0].has_content:
            return ()
        if len(self.attempts) >= self._limits.attempts:
            return ()
        health, out = around.health, self._turns.out()
        if any(health.is_short(target, now) for target in self._plan.targets):
            return ()
        if not around.hedges.allows(slow.target.key, now):
            return ()
        for target in self._plan.targets:
            if target.key in out or target.key == slow.target.key:
                continue
            if health.obstacle(target, now, self.ticket.luck) is not None or health.fault(target):
                continue
            if self.ticket.shut(target, now) is None:
                waited = now - slow.began
                why = f"beside {slow.target.key}, which was slow after {waited:.1f} s"
                return (self._start(Choice(target, why), now, None, hedge=True),)
        return ()

    def _retry(self, now: float) -> Wait | None:
        """The soonest promise of a second try at a target that was tried, if any may have one."""
        around, tried = self._around, len(self.attempts)
        best = self._turns.soonest(around.budget.allows, around.draw, now, tried)
        if best is None or best[0] >= self._limits.deadline:
            return None
        self.due, target = best
        self._next = target, now
        self._move(self._waiting)
        return Wait(target)

    # -- attempts -----------------------------------------------------------------------------

    def _start(
        self,
        choice: Choice,
        now: float,
        stream: Stream | None,
        *,
        retry: bool = False,
        hedge: bool = False,
    ) -> Start:
        self._move(State.CONTINUING if self._sent else _ATTEMPTING)
        self.ticket.waits = False
        target = choice.target
        attempt = Attempt(
            target=target.name,
            account=target.account,
            tier=target.tier,
            why=choice.why,
            started_at=now + self._wall,
        )
        if self._sent and stream is not None:
            attempt.from_char = stream.standing() or 0
        self.attempts.append(attempt)
        start = Start(target, attempt, retry, now, hedge)
        limits, pace = self._limits, self._around.pace
        is_last = len(self.attempts) >= limits.attempts or not self._turns.left(target)
        self._runs.append(held_to(start, now, limits, pace, is_last=is_last))
        if not hedge:
            self._hedge_at = _NEVER if self._sent else slow_at(target, now, limits, pace)
        self._set_due()
        return start

    def _run(self, start: Start) -> Run:
        for run in self._runs:
            if run.start is start:
                return run
        raise RuntimeError("this attempt is not under way")

    def _end(self, run: Run, result: Result, fault: Fault | None, now: float) -> Ended:
        self._runs.remove(run)
        attempt = run.start.attempt
        attempt.ended_ms = (now - run.start.began) * 1000.0
        attempt.result = result
        attempt.fault = fault
        return Ended(run.start)

    def _abandon_others(self, winner: Run | None, now: float) -> tuple[Decision, ...]:
        losers = [run for run in self._runs if run is not winner]
        return tuple([self._end(run, Result.ABANDONED, None, now) for run in losers])

    def _set_due(self) -> None:
        due = min(self._limits.deadline, self._hedge_at)
        for run in self._runs:
            due = min(due, run.due)
        self.due = due

    # -- what is known at the end -------------------------------------------------------------

    def _no_target(self, now: float) -> Verdict:
        misfit = self._turns.misfit(used_up=len(self.attempts) >= self._limits.attempts)
        if misfit is not None:
            # It fits nowhere: the caller must hear what it would have to change.
            return give_back(misfit)
        targets, health = self._plan.targets, self._around.health
        waits = [health.opens_again_in(target, now) for target in targets]
        # Where nothing could be tried, what is known of the targets is the reason.
        known = last_faults(self.attempts) or [
            f for f in map(health.fault, targets) if f is not None
        ]
        return cannot_serve(known, min(waits, default=0.0))

    def _fail(self, decision: Refuse | Break) -> tuple[Decision, ...]:
        self._move(State.FAILED)
        self.ticket.waits = False
        self.outcome = RequestOutcome.FAILED
        return (decision,)

    # -- the table ----------------------------------------------------------------------------

    @property
    def _waiting(self) -> State:
        return State.PAUSED if self._sent else State.WAITING

    def _expect(self, happening: Happening) -> None:
        """Refuse what cannot happen now, before anything is changed."""
        if happening not in TRANSITIONS[self.state]:
            raise RuntimeError(f"{happening} cannot happen to a request that is {self.state}")
        self._happening = happening

    def _move(self, to: State) -> None:
        if to not in TRANSITIONS[self.state][self._happening]:
            raise RuntimeError(f"{self._happening} cannot lead from {self.state} to {to}")
        self.state = to
