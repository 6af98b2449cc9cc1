"""One request on its way: the caller's side, the providers' side, and `Delivery` between them.

Read from top to bottom, this is the path of a request: it is understood (`begin`), an attempt is
made (`_start`), what comes back is carried to the caller (`came`, `whole`) or told to the machine
as a fault (`failed`), which decides what follows (`_carry_out`). Everything happens in callbacks;
there is no task a request, and no decision is taken here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from understudy.core.conversation import BadRequestError, InexpressibleError, Usage
from understudy.core.faults import Fault, Kind, Scope
from understudy.core.outcomes import Record, Result
from understudy.core.transcript import Transcript
from understudy.dialects.base import HOLD_TEXT, HOLD_TOOLS, empty_fault
from understudy.dialects.stream_glance import StreamGlance
from understudy.policy.continuation import (
    Continuation,
    can_continue,
    looks_finished,
)
from understudy.policy.decisions import Break, Decision, Ended, Finish, Hold, Queue, Refuse, Start
from understudy.policy.delivery import Delivery
from understudy.policy.transitions import State
from understudy.policy.verdict import Verdict
from understudy.relay import outcomes
from understudy.relay.attempt import LiveAttempt, misfit
from understudy.relay.carry import (
    ContinuedStream,
    PassedWhole,
    TranslatedStream,
    TranslatedWhole,
    emptiness,
)
from understudy.relay.http import Responder
from understudy.relay.order import Order
from understudy.relay.reply import CallerReply
from understudy.relay.runtime import DIALECTS
from understudy.relay.silence import Silence
from understudy.relay.tape import Tape
from understudy.relay.wording import Worded, Wording

if TYPE_CHECKING:
    from understudy.relay.relay import Relay

__all__ = ["Exchange"]

_NOTHING_USED = Usage()
_COMMITTED: Final = State.COMMITTED
_CONTENT: Final = Result.CONTENT


class Exchange:
    """Drives one request's life with sockets."""

    __slots__ = (
        "_beside",
        "_broken_field",
        "_failed",
        "_hold",
        "_life",
        "_live",
        "_order",
        "_record",
        "_relay",
        "_reply",
        "_retrying",
        "_silence",
        "_tape",
        "_used",
        "_waits",
        "_wording",
        "verdict",
    )

    def __init__(self, relay: Relay, order: Order, responder: Responder) -> None:
        self._relay = relay
        self._order = order
        place, envelope = order.place, order.envelope
        around = relay.probe_surroundings if order.is_probe else relay.surroundings
        self._life = Delivery(place.plan, order.limits, around, relay.wall)
        attempts = self._life.attempts
        self._reply = CallerReply(order, responder, attempts)
        self._wording = Wording(order)
        caller = order.request.caller
        self._record = Record(
            order.id,
            place.route.feature.name,
            place.tenant,
            None if caller is None else caller.name,
            order.request.arrived + relay.wall,
            attempts=attempts,
        )
        #: The attempt under way, or the last one; and one beside it that has shown nothing yet.
        self._live: LiveAttempt | None = None
        self._beside: LiveAttempt | None = None
        #: The last one that failed.
        self._failed: LiveAttempt | None = None
        #: The key of the target that a retry is promised at.
        self._retrying: str | None = None
        self._broken_field: str | None = None
        #: The provider waits for a caller that does not keep up.
        self._waits = False
        #: What the caller has of a stream, and what is held back so that it could go on elsewhere.
        self._tape: Tape | None = None
        self._hold = 0
        if order.limits.continues:
            self._hold = HOLD_TOOLS | HOLD_TEXT if envelope.structured else HOLD_TOOLS
        if envelope.stream:
            self._tape = Tape(DIALECTS[order.operation])
        #: What earlier attempts used for the part of the answer that the caller has.
        self._used = _NOTHING_USED
        #: What the caller was told in place of an answer, or of its rest.
        self.verdict: Verdict | None = None
        self._silence = Silence()

    # -- 1. the request begins ----------------------------------------------------------------

    def begin(self) -> None:
        """Find the first target and ask it."""
        outcomes.request_began(self._relay, self._order, self._record)
        self._carry_out(self._life.begin(self._relay.now()))

    @property
    def due(self) -> float:
        """When `on_due` must be called."""
        return min(self._life.due, self._silence.ends)

    @property
    def record(self) -> Record:
        """The journal of it, as it grows."""
        return self._record

    @property
    def may_go(self) -> bool:
        """Its turn has come: `on_due` must be called at once."""
        return self._life.ticket.granted != ""

    # -- 2. an attempt ------------------------------------------------------------------------

    def _start(self, start: Start) -> None:
        """Ask the target, in its own dialect."""
        relay, order = self._relay, self._order
        target = start.target
        slow = self._live.start if self._live is not None else None
        mark = outcomes.attempt_began(relay, order, start, self._life.ticket, slow)
        destination = order.runtime.destinations[target.account_key]
        wire = destination.wires[order.operation]
        live = LiveAttempt(
            self, start, destination, wire, order.envelope.stream, relay.now, relay.wall
        )
        live.mark = mark
        if start.hedge:
            self._beside = live
        else:
            self._live = live
            self._waits = False
        try:
            worded = self._words_for(live)
        except BadRequestError as error:
            self._broken_field = error.field
            self.failed(live, misfit(Kind.CALLER, error.code or "invalid_request", str(error)))
            return
        except InexpressibleError as error:
            self._broken_field = error.field
            self.failed(live, misfit(Kind.ADAPTABLE, "inexpressible", error.message))
            return
        except Exception as error:  # noqa: BLE001 - a translator's bug must not take the caller down
            self.blundered(live, "translating the request", error)
            return
        live.prefilled = worded.prefilled
        live.asked_bytes = len(worded.body)
        if worded.adapted:
            start.attempt.why += f"; adapted for it: {', '.join(worded.adapted)}"
        request = order.request
        payload = destination.request(wire, request.query, request.headers, worded.body)
        live.call = relay.pool.call(destination.origin, payload, live)

    def _words_for(self, live: LiveAttempt) -> Worded:
        model = live.start.target.model
        if self._continues:
            return self._wording.further(live.destination, live.wire, model, self._stands)
        return self._wording.fresh(live.destination, live.wire, model)

    @property
    def _continues(self) -> bool:
        """The caller has a beginning of the answer."""
        return self._reply.is_open and self._stands.started is not None

    @property
    def _stands(self) -> Transcript:
        """What the caller has of the answer."""
        return self._tape.read().transcript if self._tape is not None else Transcript()

    def make_carrier(self, live: LiveAttempt) -> StreamGlance:
        """What is to carry an attempt's answer: as it is, translated, or as a continuation."""
        destination, order = live.destination, self._order
        provider, caller = DIALECTS[live.wire], DIALECTS[order.operation]
        now = int(live.heard_at + self._relay.wall)
        if not order.envelope.stream:
            if provider is caller:
                return PassedWhole(provider, live.classify)
            return TranslatedWhole(caller, provider, live.classify, now)
        read_error = destination.manners.read_error
        if self._continues:
            return self._make_continuation(live, now)
        if provider is caller:
            return provider.stream_glance(read_error, self._hold)
        writer = caller.stream_writer(self._wording.request())
        return TranslatedStream(provider.stream_parser(read_error), writer, self._hold, now)

    def _make_continuation(self, live: LiveAttempt, now: int) -> ContinuedStream:
        sent = self._tape.read()  # type: ignore[union-attr]
        return ContinuedStream(
            DIALECTS[live.wire].stream_parser(live.destination.manners.read_error),
            sent.writer(self._wording.request()),
            self._hold,
            now,
            Continuation(
                sent.transcript,
                prefilled=live.prefilled,
                before=self._used,
                asked=self._order.envelope.body,
            ),
            live.start.attempt,
        )

    # -- 3. what comes back -------------------------------------------------------------------

    def heard(self, live: LiveAttempt) -> None:
        """The head of an attempt's answer is there."""
        outcomes.head_came(self._relay, live)

    def came(self, live: LiveAttempt, out: bytes) -> None:
        """An attempt has content, and perhaps something for the caller."""
        if live.is_sending:
            if out:
                self._say(out, live.heard_at)
            return
        start = live.start
        if start.attempt.first_content_ms is None:
            relay, order, now = self._relay, self._order, live.heard_at
            lost = self._life.content(start, now)
            outcomes.content_came(relay, order, start, now)
            for decision in lost:
                if isinstance(decision, Ended):
                    outcomes.attempt_was_too_slow(relay, order, decision.start, now)
            self._carry_out(lost)
            self._live = live
        if live.holds_back:
            live.keep(out)
        elif out:
            self._commit(live, live.take_held() + out)
            return
        # All of it is held back: the caller must not wait in silence for that.
        self._silence.begins(live.heard_at)

    def _commit(self, live: LiveAttempt, out: bytes) -> None:
        """The first bytes of an attempt go to the caller."""
        live.is_sending = True
        if self._life.state is not _COMMITTED:
            self._life.sent()
        self._open(live)
        self._say(out, live.heard_at)
        if self._reply.paused:
            self.pause()

    def _open(self, live: LiveAttempt) -> None:
        if not self._reply.names:
            self._reply.open(self._relay.date, live.start.attempt, live.provider_id)
            self._silence.begins(live.heard_at)

    def _say(self, out: bytes, now: float) -> None:
        """Send a piece of the stream."""
        self._reply.send(out)
        self._silence.said_at = now
        if self._tape is not None:
            self._tape.add(out)

    def standing(self) -> int | None:
        """How many characters the caller has; None where no other target can go on from there."""
        if not self._order.limits.continues:
            return None
        stands = self._stands
        if stands.started is None:
            return 0
        return len(stands.text) if can_continue(stands) else None

    # -- 4. how an attempt ends ---------------------------------------------------------------

    def whole(self, live: LiveAttempt) -> None:
        """The terminal signal came: a success, unless it is one of nothing."""
        carrier = live.carrier
        if carrier is None:
            raise RuntimeError("an answer that nothing carried")
        is_empty = emptiness(carrier, has_stop=self._order.envelope.has_stop)
        if is_empty and not (self._continues and looks_finished(self._stands.text)):
            self.failed(live, empty_fault())
            return
        start, now = live.start, self._relay.now()
        start.attempt.usage = carrier.usage or live.estimated("")
        outcomes.attempt_was_whole(self._relay, self._order, start, now)
        decisions = self._life.whole(start, now)
        self._carry_out(decisions[:-1])
        self._live = live
        self._carry_out(decisions[-1:])

    def failed(self, live: LiveAttempt, fault: Fault) -> None:
        """An attempt failed."""
        self._note_usage(live)
        self._failed = live
        remedy, target = fault.remedy, live.start.target
        if remedy is not None and not self._wording.mend(
            remedy, target, live.destination, prefilled=live.prefilled
        ):
            fault = replace(fault, remedy=None)
        self._carry_out(self._life.fault(live.start, fault, self._relay.now(), live))

    def blundered(self, live: LiveAttempt, where: str, error: Exception) -> None:
        """A bug of ours: never the target's fault, never a 4xx to the caller."""
        self._relay.log.own_fault(self._order.id, where, error)
        kind, scope = Kind.INTERNAL, Scope.OURSELVES
        self.failed(live, Fault(kind=kind, scope=scope, code=type(error).__name__, message=where))

    def _note_usage(self, live: LiveAttempt) -> None:
        """What an attempt used that did not come to its end."""
        attempt = live.start.attempt
        if not live.progress or attempt.usage is not None:
            return
        attempt.usage = live.used(self._stands if live.is_sending else None)
        if live.is_sending:
            self._used = self._used.plus(attempt.usage)

    def _observe(self, start: Start) -> None:
        """An attempt has ended: tell those who read outcomes."""
        live = self._live_of(start)
        if live is not None and start.attempt.result is not _CONTENT:
            self._note_usage(live)
            live.drop()
        if live is self._beside:
            self._beside = None
        if not (self._reply.is_open or self._life.was_kept):
            self._silence.over()
        order = self._order
        wire = live.wire if live is not None else order.operation
        carrier = live.carrier if live is not None else None
        stop = carrier.stop if carrier is not None else None
        outcomes.attempt_ended(self._relay, order, self._record, start, wire, stop)

    def _live_of(self, start: Start) -> LiveAttempt | None:
        for live in (self._live, self._beside):
            if live is not None and live.start is start:
                return live
        return None

    def on_due(self, now: float) -> None:
        """The moment `due` has come: no content, no bytes, no time, a wait is over; or the caller
        is to get a sign of life.
        """
        if self._waits:
            self._excuse(now)
        if now >= self._silence.ends:
            self._give_sign_of_life(now)
        if now >= self._life.due or self.may_go:
            self._carry_out(self._life.timer(now, self._live))

    def _give_sign_of_life(self, now: float) -> None:
        silence = self._silence
        if silence.is_long(now) and not self._waits:
            live = self._live
            if not self._reply.is_open:
                if live is not None and live.shows_content:
                    self._life.sent()
                    self._open(live)
                else:
                    self._reply.open_unanswered(self._relay.date)
            self._reply.send(DIALECTS[self._order.operation].ping)
            silence.said_at = now
        # A caller that does not keep up gets nothing: looked at again soon.
        silence.looked(now, paused=self._waits)

    def gone(self) -> None:
        """The caller has left: its provider stops at once."""
        self._carry_out(self._life.gone(self._relay.now()))
        self._close()

    # -- 5. what is decided -------------------------------------------------------------------

    def _carry_out(self, decisions: tuple[Decision, ...]) -> None:
        for decision in decisions:
            if isinstance(decision, Ended):
                self._observe(decision.start)
            elif isinstance(decision, Finish):
                self._finish()
            elif isinstance(decision, Start):
                if not decision.retry:
                    self._keep_promise()
                self._retrying = None
                self._start(decision)
            elif isinstance(decision, Refuse):
                self._refuse(decision.verdict)
            elif isinstance(decision, Break):
                self._break(decision.verdict)
            elif isinstance(decision, Queue):
                outcomes.request_waits(self._relay, decision)
            elif isinstance(decision, Hold):
                self._keep()
            else:
                self._retrying = decision.target.key
                self._relay.budget.retry(decision.target.key, self._relay.now())

    def _keep(self) -> None:
        """Nothing can serve it now: its caller is kept, and is to hear from us meanwhile."""
        self._keep_promise()
        if self._order.envelope.stream:
            self._silence.begins(self._relay.now())

    def _finish(self) -> None:
        """The caller has, or gets, all of the answer."""
        live = self._live
        if live is None or live.carrier is None:
            raise RuntimeError("an answer that nothing carried")
        tail = live.take_held() + live.carrier.tail
        self._close()
        self._reply.finish(self._relay.date, live.start.attempt, live.provider_id, tail)
        try:
            outcomes.answer_is_whole(self._relay, self._order, live.start, self._tape, tail)
        except Exception as error:  # noqa: BLE001 - the caller has its answer, whatever we make of it
            self._relay.log.own_fault(self._order.id, "judging the answer", error)

    def _refuse(self, verdict: Verdict) -> None:
        """Nothing has been sent: an error in the caller's dialect."""
        self.verdict = verdict
        failed, words = self._failed, None
        if verdict.is_callers and failed is not None and failed.wire == self._order.operation:
            # The provider's own, where they are what the verdict is about.
            is_its = failed.start.attempt.fault is verdict.fault
            words = failed.error if is_its else None
        self._close()
        if self._reply.is_open:
            self._reply.break_off(verdict, 0)
            return
        self._reply.refuse(self._relay.date, verdict, words, field=self._broken_field)

    def _break(self, verdict: Verdict) -> None:
        """Content has been sent: an error inside the stream."""
        self.verdict = verdict
        self._close()
        number = self._tape.read().next_number if self._tape is not None else 0
        self._reply.break_off(verdict, number)

    # -- 6. the end ---------------------------------------------------------------------------

    def _close(self) -> None:
        """The request has ended, one way or the other; told once to those who read outcomes."""
        relay, record = self._relay, self._record
        if record.ended_at is not None:
            return
        for live in (self._live, self._beside):
            if live is not None:
                live.drop()
        self._live = self._beside = self._failed = None  # Each holds this: a cycle.
        self._silence.over()
        self._keep_promise()
        now = relay.now()
        record.ended_at = now + relay.wall
        record.outcome = self._life.outcome
        outcomes.request_ended(relay, self._order, record, self)

    def _keep_promise(self) -> None:
        """The wait for a retry is over, whatever has come of it."""
        if self._retrying is not None:
            self._relay.budget.retried(self._retrying)
            self._retrying = None

    def pause(self) -> None:
        """The caller does not keep up: let the provider wait."""
        live = self._live
        if live is not None and live.is_sending and live.call is not None:
            self._waits = True
            live.call.pause()

    def _excuse(self, now: float) -> None:
        """The silence until now was the caller's doing, not the provider's."""
        if self._live is not None:
            self._live.heard_at = self._live.progressed_at = now
            self._life.excuse(now, self._live)

    def resume(self) -> None:
        """The caller keeps up again."""
        live = self._live
        if self._waits:
            self._waits = False
            self._excuse(self._relay.now())
        if live is not None and live.call is not None:
            live.call.resume()
