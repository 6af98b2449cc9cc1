"""Tells those who read outcomes what becomes of a request and its attempts: health, the budgets,
what is learned of times, metrics, the journal, the log. The path itself reads none of it back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from understudy.core.outcomes import Record, Result
from understudy.policy.decisions import Start
from understudy.policy.run import GIVEN_UP
from understudy.relay.order import Order

if TYPE_CHECKING:
    from understudy.relay.exchange import Exchange
    from understudy.relay.relay import Relay

__all__ = [
    "attempt_began",
    "attempt_ended",
    "attempt_was_too_slow",
    "attempt_was_whole",
    "content_came",
    "request_began",
    "request_ended",
]


_CONTENT: Final = Result.CONTENT


def request_began(relay: Relay, order: Order, record: Record) -> None:
    """A request is understood."""
    if not order.is_probe:
        relay.journal.open(record)


def attempt_began(relay: Relay, order: Order, start: Start, slow: Start | None) -> None:
    """An attempt begins; beside a `slow` one, if it is a hedge."""
    key = start.target.key
    relay.board.started(start.target, start.began)
    if start.hedge:
        if slow is not None:
            relay.hedges.hedged(slow.target.key, start.began)
    elif not start.retry:
        relay.budget.first(key, start.began)
        if order.limits.hedge is not None:
            relay.hedges.first(key, start.began)


def content_came(relay: Relay, order: Order, start: Start, now: float) -> None:
    """An attempt of a stream shows its first content."""
    if _learns(order):
        relay.latencies.observe(start.target.key, now - start.began, now, stream=True)


def attempt_was_whole(relay: Relay, order: Order, start: Start, now: float) -> None:
    """An attempt gave a whole answer."""
    if _learns(order) and not order.envelope.stream:
        relay.latencies.observe(start.target.key, now - start.began, now, stream=False)


def attempt_was_too_slow(relay: Relay, order: Order, start: Start, now: float) -> None:
    """An attempt was given up: it would have taken longer than this."""
    if _learns(order):
        stream = order.envelope.stream
        seconds = now - start.began
        relay.latencies.observe_at_least(start.target.key, seconds, now, stream=stream)


def attempt_ended(relay: Relay, order: Order, record: Record, start: Start, wire: str) -> None:
    """An attempt has ended, one way or the other. `wire`: the dialect it was made in."""
    attempt, now = start.attempt, relay.now()
    result, fault = attempt.result, attempt.fault
    if result is None:
        raise RuntimeError("an attempt under way was taken for one that has ended")
    if start.retry:
        relay.budget.retried(start.target.key)
    is_probe = order.is_probe
    relay.board.ended(
        start.target, result, fault, now, start.began, retry=start.retry, is_probe=is_probe
    )
    translated = wire != order.operation
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


def request_ended(relay: Relay, order: Order, record: Record, exchange: Exchange) -> None:
    """A request has ended: `record` is as it will stay."""
    relay.ended(exchange)
    if order.is_probe:
        return
    relay.metrics.request(record, relay.now() - order.request.arrived)
    if len(record.attempts) != 1 or record.attempts[0].result is not _CONTENT:
        relay.log.request(record, user=order.user, trace=order.trace)


def _learns(order: Order) -> bool:
    """The feature goes by what is learned of its targets' times."""
    limits = order.limits
    return limits.learned or limits.hedge == 0.0
