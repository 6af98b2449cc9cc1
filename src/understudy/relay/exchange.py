"""One request on its way: the caller's side, the providers' side, and `Delivery` between them.

Read from top to bottom, this is the path of a request: it is understood (`begin`), an attempt is
made (`_start`), the provider's head, data and end come back (`on_head`, `on_data`, `on_end`), the
answer goes to the caller or the fault to the machine, which decides what follows (`_carry_out`).
Everything happens in callbacks; there is no task a request, and no decision is taken here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from understudy.core.conversation import BadRequestError, InexpressibleError, Request
from understudy.core.faults import Fault, Kind, Scope
from understudy.core.outcomes import Record, Result
from understudy.dialects.base import (
    StreamGlance,
    empty_fault,
    truncated_fault,
)
from understudy.policy.delivery import (
    Abandon,
    Break,
    Decision,
    Delivery,
    Finish,
    Refuse,
    Start,
    Wait,
)
from understudy.policy.verdict import Verdict
from understudy.providers.base import Reply
from understudy.relay.carry import (
    PassedWhole,
    TranslatedStream,
    TranslatedWhole,
    emptiness,
)
from understudy.relay.http import Responder
from understudy.relay.order import Order
from understudy.relay.reply import MAX_HELD_BYTES, CallerReply
from understudy.relay.runtime import DIALECTS, Destination
from understudy.relay.upstream import Call

if TYPE_CHECKING:
    from understudy.relay.relay import Relay

__all__ = ["Exchange"]

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
#: An error's body at most.
MAX_ERROR_BYTES = 1024 * 1024


class Exchange:
    """Drives one request's life with sockets."""

    __slots__ = (
        "_broken_field",
        "_call",
        "_carrier",
        "_destination",
        "_error",
        "_headers",
        "_last_activity",
        "_life",
        "_order",
        "_parsed",
        "_record",
        "_relay",
        "_reply",
        "_retrying",
        "_running",
        "_send",
        "_status",
        "_waits",
        "_wire",
    )

    def __init__(self, relay: Relay, order: Order, responder: Responder) -> None:
        self._relay = relay
        self._order = order
        place = order.place
        self._life = Delivery(
            place.plan, order.limits, relay.board, relay.budget, relay.draw, relay.wall
        )
        attempts = self._life.attempts
        self._reply = CallerReply(order, responder, attempts)
        caller = order.request.caller
        self._record = Record(
            order.id,
            place.route.feature.name,
            place.tenant,
            None if caller is None else caller.name,
            order.request.arrived + relay.wall,
            attempts=attempts,
        )
        #: The attempt under way, or the last one.
        self._running: Start
        self._retrying: str | None = None
        self._call: Call | None = None
        self._destination: Destination
        self._wire = ""
        self._parsed: Request | None = None
        self._broken_field: str | None = None
        self._last_activity = 0.0
        #: The provider waits for a caller that does not keep up.
        self._waits = False
        #: Sends a piece of the answer to the caller; None before the commit point.
        self._send: Callable[[bytes], None] | None = None
        self._await_answer()

    def _await_answer(self) -> None:
        """Nothing has come back yet from the attempt that begins."""
        self._carrier: StreamGlance | None = None
        self._status = 0
        self._headers: Mapping[str, str] = _NO_HEADERS
        #: The body of a reply that is no answer.
        self._error = b""

    # -- 1. the request begins ----------------------------------------------------------------

    def begin(self) -> None:
        """Find the first target and ask it."""
        self._relay.journal.open(self._record)
        self._carry_out(self._life.begin(self._relay.now()))

    @property
    def due(self) -> float:
        """When `on_due` must be called."""
        return self._life.due

    # -- 2. an attempt ------------------------------------------------------------------------

    def _start(self, start: Start) -> None:
        """Ask the target, in its own dialect."""
        relay, order = self._relay, self._order
        self._running = start
        if len(self._life.attempts) > 1:
            self._await_answer()
            self._reply.forget()
        target = start.target
        relay.board.started(target, start.began)
        if not start.retry:
            relay.budget.first(target.key, start.began)
        destination = self._destination = order.runtime.destinations[target.account_key]
        wire = self._wire = destination.wires[order.operation]
        try:
            body, adapted = self._render(destination, wire, target.model)
        except BadRequestError as error:
            self._broken_field = error.field
            self._fault(_misfit(Kind.CALLER, error.code or "invalid_request", str(error)))
            return
        except InexpressibleError as error:
            self._broken_field = error.field
            self._fault(_misfit(Kind.ADAPTABLE, "inexpressible", error.message))
            return
        except Exception as error:  # noqa: BLE001 - a translator's bug must not take the caller down
            self._own_fault("translating the request", error)
            return
        if adapted:
            start.attempt.why += f"; adapted for it: {', '.join(adapted)}"
        payload = destination.request(wire, order.request.query, order.request.headers, body)
        self._call = relay.pool.call(destination.origin, payload, self)

    def _render(self, destination: Destination, wire: str, model: str) -> tuple[bytes, list[str]]:
        """The body for the target: readdressed in the same dialect, else translated."""
        order = self._order
        if wire == order.operation:
            # A model that the caller named gets the caller's parameters as they are.
            traits = None if model == order.place.model else destination.traits(model)
            return DIALECTS[wire].readdress(order.envelope, model, traits)
        if self._parsed is None:
            self._parsed = DIALECTS[order.operation].parse_request(order.request.body)
        return DIALECTS[wire].render_request(self._parsed, model, destination.traits(model))

    # -- 3. what comes back -------------------------------------------------------------------

    def on_head(self, status: int, headers: Mapping[str, str]) -> None:
        self._last_activity = self._relay.now()
        self._status = status
        self._headers = headers
        if 200 <= status < 300 and self._is_answer(headers):
            self._carrier = self._make_carrier()

    def _is_answer(self, headers: Mapping[str, str]) -> bool:
        """Whether a 2xx's headers can be those of an answer to what was asked.

        Anything else is read whole and classified: an error under 200, an edge's page.
        """
        coding = headers.get("content-encoding")
        if coding and coding.lower() != "identity":
            return False
        kind = headers.get("content-type", "")
        wanted = "text/event-stream" if self._order.envelope.stream else "application/json"
        if kind.startswith(wanted):
            return True
        kind = kind.partition(";")[0].strip().lower()
        return kind == wanted or (not kind and not self._order.envelope.stream)

    def _make_carrier(self) -> StreamGlance:
        destination = self._destination
        order, provider = self._order, DIALECTS[self._wire]
        stream = order.envelope.stream
        if self._wire == order.operation:
            if stream:
                return provider.stream_glance(destination.manners.read_error)
            return PassedWhole(provider, self._classify)
        caller = DIALECTS[order.operation]
        now = int(self._last_activity + self._relay.wall)
        if stream:
            parsed = cast("Request", self._parsed)
            read_error = destination.manners.read_error
            return TranslatedStream(caller, provider, parsed, read_error, now)
        return TranslatedWhole(caller, provider, self._classify, now)

    def on_data(self, data: bytes) -> None:
        self._last_activity = self._relay.now()
        carrier = self._carrier
        if carrier is None:
            self._keep_error(data)
            return
        try:
            out = carrier.feed(data)
        except Exception as error:  # noqa: BLE001 - as in `_start`
            self._drop_call()
            self._own_fault("reading the answer", error)
            return
        if out:
            if self._send is not None:
                self._send(out)
            else:
                self._hold(out, carrier)
        if carrier.fault is not None:
            self._drop_call()
            self._fault(carrier.fault)
        elif carrier.ended:
            # The answer is whole; whatever the provider still sends changes nothing.
            self._release_call()
            self._whole(carrier)

    def _keep_error(self, data: bytes) -> None:
        """A reply that is no answer is read whole, within bounds, to be classified."""
        self._error += data
        if len(self._error) > MAX_ERROR_BYTES:
            self._drop_call()
            self._fault(self._classify(self._error))

    def _hold(self, out: bytes, carrier: StreamGlance) -> None:
        """Held back until there is content: the commit point."""
        reply = self._reply
        reply.hold(out)
        if carrier.has_content:
            self._life.content(self._last_activity)
            self._send = reply.commit(self._relay.date, _provider_id(self._headers))
            if reply.paused:
                self.pause()
        elif reply.held_bytes > MAX_HELD_BYTES:
            carrier.fault = Fault(
                kind=Kind.MALFORMED,
                scope=Scope.MODEL,
                status=200,
                code="no_content",
                message=f"{MAX_HELD_BYTES} bytes without any content",
            )

    def on_end(self) -> None:
        self._call = None
        carrier = self._carrier
        if carrier is None:
            self._fault(self._classify(self._error))
            return
        try:
            fault = carrier.finish()
        except Exception as error:  # noqa: BLE001 - as in `_start`
            self._own_fault("reading the answer", error)
            return
        if fault is not None:
            self._fault(fault)
            return
        self._whole(carrier)

    def on_lost(self, fault: Fault) -> None:
        self._call = None
        if self._carrier is not None and self._carrier.has_content and fault.kind is Kind.OUTAGE:
            fault = truncated_fault(fault.message)
        self._fault(fault)

    def _classify(self, body: bytes) -> Fault:
        """What a reply that is no answer means, by its provider's table."""
        relay = self._relay
        reply = Reply(
            status=self._status,
            headers=self._headers,
            body=body,
            now=self._last_activity + relay.wall,
        )
        return self._destination.manners.read_fault(reply)

    # -- 4. how an attempt ends ---------------------------------------------------------------

    def _whole(self, carrier: StreamGlance) -> None:
        """The terminal signal came: a success, unless it is one of nothing."""
        if emptiness(carrier, has_stop=self._order.envelope.has_stop):
            self._fault(empty_fault())
            return
        start = self._running
        start.attempt.usage = carrier.usage
        decisions = self._life.whole(self._relay.now())
        self._observe(start)
        self._carry_out(decisions)

    def _fault(self, fault: Fault) -> None:
        start = self._running
        decisions = self._life.fault(fault, self._relay.now())
        self._observe(start)
        self._carry_out(decisions)

    def _own_fault(self, where: str, error: Exception) -> None:
        """A bug of ours: never the target's fault, never a 4xx to the caller."""
        self._relay.log.own_fault(self._order.id, where, error)
        self._fault(
            Fault(
                kind=Kind.INTERNAL, scope=Scope.OURSELVES, code=type(error).__name__, message=where
            )
        )

    def _observe(self, start: Start) -> None:
        """An attempt has ended: tell those who read outcomes."""
        relay, attempt = self._relay, start.attempt
        if start.retry:
            relay.budget.retried(start.target.key)
        result = attempt.result
        if result is None:
            raise RuntimeError("an attempt under way was taken for one that has ended")
        relay.board.ended(start.target, result, attempt.fault, relay.now(), start.began)
        relay.metrics.attempt(attempt)
        if result is not Result.CONTENT:
            relay.log.attempt(self._record, attempt)

    def on_due(self, now: float) -> None:
        """The moment `due` has come: no content, no bytes, no time, or a wait is over."""
        start = self._running
        was_under_way = start.attempt.result is None
        if self._waits:
            self._last_activity = now  # This silence is not the provider's.
        decisions = self._life.timer(now, self._last_activity)
        if was_under_way and start.attempt.result is not None:
            self._observe(start)
        self._carry_out(decisions)

    def gone(self) -> None:
        """The caller has left: its provider stops at once."""
        start = self._running
        was_under_way = start.attempt.result is None
        decisions = self._life.gone(self._relay.now())
        if was_under_way:
            self._observe(start)
        self._carry_out(decisions)
        self._close()

    # -- 5. what is decided -------------------------------------------------------------------

    def _carry_out(self, decisions: tuple[Decision, ...]) -> None:
        for decision in decisions:
            if isinstance(decision, Finish):
                self._finish()
            elif isinstance(decision, Start):
                self._retrying = None
                self._start(decision)
            elif isinstance(decision, Abandon):
                self._drop_call()
            elif isinstance(decision, Refuse):
                self._refuse(decision.verdict)
            elif isinstance(decision, Break):
                self._break(decision.verdict)
            elif isinstance(decision, Wait):
                self._retrying = decision.target.key
                self._relay.budget.retry(decision.target.key, self._relay.now())

    def _finish(self) -> None:
        """The caller has, or gets, all of the answer."""
        tail = self._carrier.tail if self._carrier is not None else b""
        self._close()
        self._reply.finish(self._relay.date, _provider_id(self._headers), tail)

    def _refuse(self, verdict: Verdict) -> None:
        """Nothing has been sent: an error in the caller's dialect."""
        same_dialect = self._wire == self._order.operation
        body = self._error if same_dialect else None
        self._close()
        self._reply.refuse(self._relay.date, verdict, provider_body=body, field=self._broken_field)

    def _break(self, verdict: Verdict) -> None:
        """Content has been sent: an error inside the stream."""
        self._close()
        self._reply.break_off(verdict)

    # -- 6. the end ---------------------------------------------------------------------------

    def _close(self) -> None:
        """The request has ended, one way or the other; told once to those who read outcomes."""
        relay, record = self._relay, self._record
        if record.ended_at is not None:
            return
        self._drop_call()
        # It may hold a method of ours; a cycle would keep all of this until the collector's next
        # round, and those rounds were a seventh of the path's CPU time.
        self._carrier = None
        if self._retrying is not None:
            relay.budget.retried(self._retrying)
            self._retrying = None
        now = relay.now()
        record.ended_at = now + relay.wall
        record.outcome = self._life.outcome
        relay.ended(self, record, now - self._order.request.arrived)
        if len(record.attempts) != 1 or record.attempts[0].result is not Result.CONTENT:
            relay.log.request(record, user=self._order.user, trace=self._order.trace)

    def _drop_call(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.abandon()

    def _release_call(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.release()

    def pause(self) -> None:
        """The caller does not keep up: let the provider wait."""
        if self._call is not None and self._send is not None:
            self._waits = True
            self._call.pause()

    def resume(self) -> None:
        """The caller keeps up again."""
        if self._waits:
            self._waits = False
            self._last_activity = self._relay.now()
        if self._call is not None:
            self._call.resume()


def _provider_id(headers: Mapping[str, str]) -> str | None:
    """The provider's own id of the request: Anthropic's header, or OpenAI's."""
    return headers.get("request-id") or headers.get("x-request-id")


def _misfit(kind: Kind, code: str, message: str) -> Fault:
    """A request that was not sent, because it cannot be."""
    return Fault(kind=kind, scope=Scope.REQUEST, status=400, code=code, message=message)
