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
* With `hold` a request that nothing can serve is kept instead of refused (`hold`), before its first
  content or after it, unless only a human can mend what is the matter. Each time that it sets out
  again it has as many attempts as at first where something serves, and one where that is a guess.
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
    Hold,
    Limits,
    Queue,
    Refuse,
    Start,
    Stream,
    Surroundings,
    Wait,
)
from understudy.policy.gates import Ticket
from understudy.policy.hold import Held
from understudy.policy.run import Run
from understudy.policy.runs import Runs
from understudy.policy.targets import (
    Choice,
    Full,
    Plan,
    Target,
    beside,
    choose,
    is_no_guess,
    standing,
)
from understudy.policy.transitions import Happening, State
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
from understudy.policy.walk import Walk

__all__ = ["Delivery"]

# Those of a request that goes well, looked up once: in Python 3.11 a member of an enumeration costs
# as much as a call.
_ATTEMPTING: Final = State.ATTEMPTING
_COMMITTED: Final = State.COMMITTED
_SUCCEEDED: Final = State.SUCCEEDED
_BEGUN: Final = Happening.BEGUN
_SHOWN: Final = Happening.CONTENT
_SENT: Final = Happening.SENT
_WHOLE: Final = Happening.WHOLE
_ABANDONED: Final = Result.ABANDONED
_CONTENT: Final = Result.CONTENT
_ANSWERED: Final = RequestOutcome.SUCCEEDED
_FINISH: Final = Finish()
_NEVER = float("inf")


class Delivery(Walk):
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
        "_allowed",
        "_around",
        "_held",
        "_limits",
        "_next",
        "_plan",
        "_runs",
        "_turns",
        "_wall",
        "attempts",
        "due",
        "outcome",
        "ticket",
    )

    def __init__(self, plan: Plan, limits: Limits, surroundings: Surroundings, wall: float) -> None:
        super().__init__()
        self.attempts: list[Attempt] = []
        self.outcome: RequestOutcome | None = None
        self.due = limits.deadline
        self._plan = plan
        self._limits = limits
        self._around = surroundings
        self._wall = wall
        self._runs = Runs(limits, surroundings.pace)
        #: Attempts that it may have in all, until it is kept.
        self._allowed = limits.attempts
        self._held: Held | None = None
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
        run = self._runs.of(start)
        self._move(self.state)
        start.attempt.first_content_ms = (now - start.began) * 1000.0
        run.content(now, self._limits)
        lost = self._runs.end_all(_ABANDONED, now, but=run) if self._runs.count > 1 else ()
        self.due = self._runs.due
        return lost

    def sent(self) -> None:
        """The first bytes of the answer, or of its continuation, go out: the commit point."""
        self._expect(_SENT)
        self._sent = True
        self._move(_COMMITTED)

    def whole(self, start: Start, now: float) -> tuple[Decision, ...]:
        """An attempt gave its terminal signal: the answer is whole."""
        self._expect(_WHOLE)
        run = self._runs.of(start)
        self._move(_SUCCEEDED)
        lost = self._runs.end_all(_ABANDONED, now, but=run) if self._runs.count > 1 else ()
        attempt = start.attempt
        if attempt.first_content_ms is None:
            attempt.first_content_ms = (now - start.began) * 1000.0
        self._runs.end(run, _CONTENT, None, now)
        self.outcome = _ANSWERED
        return (Ended(start), *lost, _FINISH)

    def fault(self, start: Start, fault: Fault, now: float, stream: Stream) -> tuple[Decision, ...]:
        """An attempt failed."""
        self._expect(Happening.FAULT)
        ended = self._runs.end(self._runs.of(start), Result.FAULT, fault, now)
        if not self._sent and fault.kind in {Kind.CALLER, Kind.REFUSED}:
            lost = self._runs.end_all(_ABANDONED, now)
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
        if self._held is not None and self._held.is_on:
            return self._look_held(self._held, now, stream)
        if stream is None:
            raise RuntimeError("an attempt under way that shows nothing")
        if self._next is not None:
            return self._look_again(*self._next, now, stream)
        if now >= self._limits.deadline:
            return self._out_of_time(now)
        decisions: tuple[Decision, ...] = ()
        for run, fault in self._runs.given_up(now, stream):
            decisions += self._give_up(run, fault, now, stream)
        if now >= self._runs.hedge_at and self._runs.count == 1:
            decisions += self._hedge(now)
        if not decisions:
            self._move(self.state)
        if self._runs.count:
            self.due = self._runs.due
        return decisions

    @property
    def was_kept(self) -> bool:
        """Its caller has been kept while nothing could serve it."""
        return self._held is not None

    def excuse(self, now: float, stream: Stream) -> None:
        """Until now the caller did not keep up, and its provider had to wait."""
        self._runs.excuse(now, stream)

    def gone(self, now: float) -> tuple[Decision, ...]:
        """The caller has left."""
        self._expect(Happening.GONE)
        self.ticket.waits = False
        ended = self._runs.end_all(Result.CANCELLED, now)
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
        ended = self._runs.end(run, result, shown, now)
        return (ended, *self._go_on(target, fault, now, stream))

    def _go_on(
        self, target: Target, fault: Fault, now: float, stream: Stream
    ) -> tuple[Decision, ...]:
        """What follows an attempt that came to nothing."""
        because = self._turns.had(target, fault)
        if self._runs.count:
            # The one beside it goes on alone.
            self._move(self.state)
            self.due = self._runs.due
            return ()
        again = self._mend(target, fault, now, stream)
        if again is not None:
            return (again,)
        return self._advance(now, because, stream)

    def _out_of_time(self, now: float) -> tuple[Decision, ...]:
        """The deadline of the whole request."""
        ended = self._runs.run_out(now)
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
            return self._end_with(self._no_target(now), now)
        self._move(self._waiting)
        self.due = now + rest
        return ()

    def _advance(self, now: float, because: str, stream: Stream | None) -> tuple[Decision, ...]:
        """To the next target, to a wait for one, or to the end."""
        if now >= self._limits.deadline:
            return self._out_of_time(now)
        if self._sent and not self._may_continue(stream):
            return self._fail(Break(broken_off(breaking_fault(self.attempts))))
        if len(self.attempts) < self._allowed:
            choice = self._choose(now, because)
            if isinstance(choice, Choice):
                return (self._start(choice, now, stream),)
            if choice is not None:
                return (self._stand_in_line(choice, now),)
            waiting = self._retry(now)
            if waiting is not None:
                return (waiting,)
        return self._end_with(self._no_target(now), now)

    def _choose(self, now: float, because: str) -> Choice | Full | None:
        """The next target, as things stand."""
        health, out = self._around.health, self._turns.out()
        return choose(self._plan.targets, health, now, self.ticket, out, because)

    def _stand_in_line(self, full: Full, now: float) -> Queue:
        """Wait for one of several targets, none of which can take it now."""
        self._move(self._waiting)
        self.due = self._limits.next_look(self.ticket.since if self.ticket.waits else now, now)
        return Queue(self.ticket, full.targets)

    def _look_in_line(self, now: float, stream: Stream | None) -> tuple[Decision, ...]:
        """Whether its turn has come, or it has waited long enough."""
        ticket = self.ticket
        if now >= self._limits.deadline:
            return self._out_of_time(now)
        patience = self._limits.patience(ticket.since)
        because = f"waited {now - ticket.since:.1f} s for its turn"
        if self._held is not None and self._held.in_line:
            because = f"{self._held.lasted(now)}, {because}"
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
                return self._end_with(crowded_out(max(wait, patience)), now)
            choice = Choice(target, f"{because}, in vain")
        return (self._start(choice, now, stream),)

    def _wait_on(self, full: Full, now: float) -> tuple[Decision, ...]:
        if self.ticket.granted:
            # It may not go any more where it was let in.
            return (self._stand_in_line(full, now),)
        self._move(self._waiting)
        self.due = self._limits.next_look(self.ticket.since, now)
        return ()

    def _may_continue(self, stream: Stream | None) -> bool:
        return self._limits.continues and stream is not None and stream.standing() is not None

    def _look_held(self, held: Held, now: float, stream: Stream | None) -> tuple[Decision, ...]:
        """Whether something serves by now, or it has been kept long enough."""
        if now >= self._limits.deadline:
            return self._out_of_time(now)
        if now >= held.until:
            return self._end_with(self._no_target(now), now)
        self._turns.forgive()
        self.ticket.draw_again()
        choice = self._choose(now, held.lasted(now))
        if isinstance(choice, Full):
            held.is_on, held.in_line = False, True
            self._allowed = len(self.attempts) + self._limits.attempts
            return (self._stand_in_line(choice, now),)
        health, ticket = self._around.health, self.ticket
        serves = choice is not None and is_no_guess(choice.target, health, now, ticket)
        if choice is None or not (serves or held.may_try(now)):
            self._move(self._waiting)
            held.look_again(now)
            self.due = held.due
            return ()
        held.is_on = False
        self._allowed = len(self.attempts) + (self._limits.attempts if serves else 1)
        return (self._start(choice, now, stream),)

    def _keep(self, verdict: Verdict, now: float) -> Hold | None:
        """Keep its caller instead of ending with `verdict`, where that may help."""
        if not self._limits.hold or not verdict.passes:
            return None
        if self._held is None:
            until = min(self._limits.deadline, now + self._limits.hold)
            self._held = Held(now, until, self._around.draw)
        if not self._held.again(now):
            return None
        self._next = None
        self.ticket.waits = False
        self._move(self._waiting)
        self.due = self._held.due
        return Hold()

    def _end_with(self, verdict: Verdict, now: float) -> tuple[Decision, ...]:
        """Nobody can serve it, or go on with it."""
        kept = self._keep(verdict, now)
        if kept is not None:
            return (kept,)
        if self._sent:
            return self._fail(Break(broken_off(breaking_fault(self.attempts))))
        return self._fail(Refuse(verdict))

    def _mend(self, target: Target, fault: Fault, now: float, stream: Stream) -> Start | None:
        """The same target once more, if the fault says how the request would fit it."""
        if fault.remedy is None or now >= self._limits.deadline:
            return None
        if len(self.attempts) >= self._allowed:
            return None
        if self._sent and not self._may_continue(stream):
            return None
        if not self._turns.mend(target, fault):
            return None
        return self._start(Choice(target, f"again, {fault.remedy}"), now, stream)

    def _hedge(self, now: float) -> tuple[Decision, ...]:
        """A second attempt beside a slow first one, if everything speaks for it."""
        self._runs.hedge_at = _NEVER
        around, slow = self._around, self._runs.first.start
        if self._sent or self._runs.first.has_content:
            return ()
        if len(self.attempts) >= self._allowed:
            return ()
        if not around.hedges.allows(slow.target.key, now):
            return ()
        targets, out = self._plan.targets, self._turns.out()
        target = beside(targets, slow.target, around.health, now, self.ticket, out)
        if target is None:
            return ()
        why = f"beside {slow.target.key}, which was slow after {now - slow.began:.1f} s"
        return (self._start(Choice(target, why), now, None, hedge=True),)

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
        if self._held is not None:
            self._held.in_line = False
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
        is_last = len(self.attempts) >= self._allowed or not self._turns.left(target)
        self._runs.begin(start, now, is_last=is_last, sent=self._sent)
        self.due = self._runs.due
        return start

    # -- what is known at the end -------------------------------------------------------------

    def _no_target(self, now: float) -> Verdict:
        misfit = self._turns.misfit(used_up=len(self.attempts) >= self._allowed)
        if misfit is not None:
            # It fits nowhere: the caller must hear what it would have to change.
            return give_back(misfit)
        known, opens_in = standing(self._plan.targets, self._around.health, now)
        # Where nothing could be tried, what is known of the targets is the reason.
        return cannot_serve(last_faults(self.attempts) or known, opens_in)

    def _fail(self, decision: Refuse | Break) -> tuple[Decision, ...]:
        self._move(State.FAILED)
        self.ticket.waits = False
        self.outcome = RequestOutcome.FAILED
        return (decision,)
