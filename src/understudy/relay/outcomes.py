"""Tells those who read outcomes what becomes of a request and its attempts: health, the budgets,
what is learned of times, metrics, the journal, the log. The path itself reads none of it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from understudy.core.conversation import Stop
from understudy.core.faults import Kind
from understudy.core.outcomes import Record, Result
from understudy.core.quota import Need
from understudy.policy.decisions import Queue, Start
from understudy.policy.gates import READ_SECONDS, Ticket
from understudy.policy.quality import Sign
from understudy.policy.quality.quality import PROBE
from understudy.policy.run import GIVEN_UP
from understudy.relay.order import Order
from understudy.relay.samples import requester
from understudy.relay.tape import Tape

if TYPE_CHECKING:
    from understudy.relay.attempt import LiveAttempt
    from understudy.relay.exchange import Exchange
    from understudy.relay.relay import Relay

__all__ = [
    "answer_is_whole",
    "attempt_began",
    "attempt_ended",
    "attempt_was_too_slow",
    "attempt_was_whole",
    "content_came",
    "head_came",
    "request_began",
    "request_ended",
    "request_waits",
]


_CONTENT: Final = Result.CONTENT
_REFUSED: Final = Stop.REFUSED
_SIGNS: Final = {Kind.REFUSED: Sign.REFUSED, Kind.EMPTY: Sign.EMPTY}


def request_began(relay: Relay, order: Order, record: Record) -> None:
    """A request is understood."""
    if not order.is_probe:
        relay.journal.open(record)


def request_waits(relay: Relay, queue: Queue) -> None:
    """A request waits for its turn."""
    relay.gates.enter(queue.ticket, queue.targets, relay.now())


def attempt_began(
    relay: Relay, order: Order, start: Start, ticket: Ticket, slow: Start | None
) -> int:
    """An attempt begins; beside a `slow` one, if it is a hedge. Gives its mark at its gate."""
    key = start.target.key
    mark = relay.gates.started(start.target, ticket, start.began)
    if relay.quality.doubted and not order.is_probe:
        relay.quality.began(start.target.name, start.began)
    relay.board.started(start.target, start.began)
    if start.hedge:
        if slow is not None:
            relay.hedges.hedged(slow.target.key, start.began)
    elif not start.retry:
        relay.budget.first(key, start.began)
        if order.limits.hedge is not None:
            relay.hedges.first(key, start.began)
    return mark


def head_came(relay: Relay, live: LiveAttempt) -> None:
    """The head of an attempt's answer is there: what it says of the provider's limits is read,
    unless that was done just now.
    """
    gate = relay.gates.of(live.start.target)
    now = live.heard_at
    if now - gate.read_at < READ_SECONDS and live.status != 429:
        return
    gate.read_at = now
    quotas = live.destination.manners.read_quotas(live.headers, now + relay.wall)
    if quotas:
        gate.told(quotas, live.mark, now)


def content_came(relay: Relay, order: Order, start: Start, now: float) -> None:
    """An attempt of a stream shows its first content."""
    target, seconds, is_probe = start.target, now - start.began, order.is_probe
    late = relay.evidence.looks_late(target, seconds, probe=is_probe)
    start.attempt.late = late
    relay.board.came(target, now, start.began, late=late, is_probe=is_probe)
    if late:
        relay.suspect(now)
    if not is_probe:
        relay.gates.of(target).concurrency.answered(seconds, now)
        if relay.jobs is not None and not order.is_job:
            relay.jobs.ways.came(target, seconds, now)
    if _learns(order):
        relay.latencies.observe(target.key, seconds, now, stream=True)


def attempt_was_whole(relay: Relay, order: Order, start: Start, now: float) -> None:
    """An attempt gave a whole answer."""
    if order.envelope.stream:
        return
    relay.gates.of(start.target).concurrency.answered(None, now)
    if _learns(order):
        relay.latencies.observe(start.target.key, now - start.began, now, stream=False)


def answer_is_whole(
    relay: Relay, order: Order, start: Start, tape: Tape | None, tail: bytes
) -> None:
    """All of an answer is the caller's; `tail` is what it gets last, or all of a whole answer."""
    target, now = start.target, relay.now()
    samples = relay.samples
    if now < samples.due.get(target.name, 0.0) or not samples.wants(
        order, target, start.attempt, now
    ):
        return
    if not order.envelope.stream:
        samples.whole(order, target, tail, now)
    elif tape is not None:
        tape.add(tail)
        samples.streamed(order, target, tape.read().transcript, now)


def attempt_was_too_slow(relay: Relay, order: Order, start: Start, now: float) -> None:
    """An attempt was given up: it would have taken longer than this."""
    if _learns(order):
        stream = order.envelope.stream
        seconds = now - start.began
        relay.latencies.observe_at_least(start.target.key, seconds, now, stream=stream)


def attempt_ended(
    relay: Relay, order: Order, record: Record, start: Start, wire: str, stop: Stop | None
) -> None:
    """An attempt has ended, one way or the other. `wire`: the dialect it was made in; `stop`: why
    its answer ended.
    """
    attempt, now = start.attempt, relay.now()
    result, fault = attempt.result, attempt.fault
    if result is None:
        raise RuntimeError("an attempt under way was taken for one that has ended")
    if start.retry:
        relay.budget.retried(start.target.key)
    is_probe = order.is_probe
    relay.board.ended(
        start.target,
        result,
        fault,
        now,
        start.began,
        retry=start.retry,
        is_probe=is_probe,
        late=attempt.late,
    )
    _settle(relay, order, start, now)
    translated = wire != order.operation
    _judge(relay, order, start, stop, now)
    if result is _CONTENT:
        came = attempt.first_content_ms
        relay.evidence.worked(
            start.target,
            start.began,
            feature=record.feature,
            tenant=record.tenant,
            translated=translated,
            first_content=came / 1000.0 if came is not None and order.limits.stream else None,
            probe=is_probe,
        )
    elif fault is not None:
        relay.evidence.failed(
            start.target,
            fault,
            now,
            feature=record.feature,
            tenant=record.tenant,
            translated=translated,
            retry=start.retry,
            probe=is_probe,
        )
        if fault.code in GIVEN_UP:
            attempt_was_too_slow(relay, order, start, now)
        relay.suspect(now)
    relay.metrics.attempt(attempt)
    if result is not _CONTENT:
        relay.log.attempt(record, attempt)


def _judge(relay: Relay, order: Order, start: Start, stop: Stop | None, now: float) -> None:
    """What an attempt's end says of the quality of its model's answers."""
    attempt, model = start.attempt, start.target.name
    feature = PROBE if order.is_probe else order.place.route.feature.name
    sign = None
    if attempt.fault is not None:
        sign = _SIGNS.get(attempt.fault.kind)
    elif attempt.result is _CONTENT:
        if stop is not _REFUSED:
            relay.quality.answered(model, feature)
            return
        sign = Sign.REFUSED
    if sign is not None:
        relay.quality.showed(model, feature, sign, now, requester(order))


def _settle(relay: Relay, order: Order, start: Start, now: float) -> None:
    """What an attempt took of its target's limits, now that it is known."""
    attempt, need = start.attempt, order.limits.claim.need
    usage, fault = attempt.usage, attempt.fault
    gate = relay.gates.ended(start.target, now)
    actual = None
    if usage is not None and attempt.result is _CONTENT and gate.allowance.is_told:
        # What comes from a cache counts towards OpenAI's limits, and not towards Anthropic's.
        free = 0 if start.target.reserves_output else usage.cache_read
        actual = Need(float(usage.input - free), float(usage.output))
    gate.allowance.used(need, actual, now)
    if fault is not None and (fault.kind is Kind.THROTTLED or fault.kind is Kind.OVERLOAD):
        is_limit, is_out = fault.kind is Kind.THROTTLED, bool(relay.board.resting(start.target))
        gate.pushed_back(now, fault.retry_after, is_limit=is_limit, is_out=is_out)


def request_ended(relay: Relay, order: Order, record: Record, exchange: Exchange) -> None:
    """A request has ended: `record` is as it will stay."""
    relay.ended(exchange)
    if order.grant is not None:
        relay.limiter.ended(order.grant, record)
    if order.is_probe:
        return
    relay.metrics.request(record, relay.now() - order.request.arrived)
    if len(record.attempts) != 1 or record.attempts[0].result is not _CONTENT:
        relay.log.request(record, user=order.user, trace=order.trace)


def _learns(order: Order) -> bool:
    """The feature goes by what is learned of its targets' times."""
    limits = order.limits
    return limits.learned or limits.hedge == 0.0
