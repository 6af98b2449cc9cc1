"""Holds callers and tenants to what they may use, before any provider is asked.

What a request takes is known here alone: neither the machine of its life nor a provider's health
hears of a refusal.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final

from understudy.core.allotment import Limit, Limited, Shortage, is_caller
from understudy.core.outcomes import Record
from understudy.policy.allotments import Allotments, Grant, quotas, shortage
from understudy.relay.http import OverLimit
from understudy.relay.order import Order
from understudy.relay.runtime import DIALECTS
from understudy.relay.shared_limits import SharedLimits

if TYPE_CHECKING:
    from understudy.relay.relay import Relay

__all__ = ["Limiter"]

#: Limit → what comes last in the code of its refusal, and the kind of error that dialects know.
_CODES: Final = {
    Limit.REQUESTS: ("request_limit", "request_limit"),
    Limit.TOKENS: ("token_limit", "token_limit"),
    Limit.CONCURRENCY: ("concurrency_limit", "request_limit"),
}


class Limiter:
    """The limits of one relay's callers.

    Args:
        relay: whose requests these are.
    """

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._allotments = Allotments()
        self._shared = SharedLimits(
            self._allotments,
            relay.fleet,
            now=relay.now,
            call_later=relay.call_later,
            # The runtime of the moment: a reload brings another.
            holder=lambda key: relay.runtime.holder(key),  # noqa: PLW0108 - as said
        )

    def admit(self, order: Order) -> None:
        """Let a request in whose place has holders; it must be `ended` then, or released.

        Counting tokens asks nothing of a model: it is a request, and no more.

        Raises:
            OverLimit: one of its holders has no room for it now.
        """
        relay, need = self._relay, order.limits.claim.need
        now = relay.now()
        runs = order.operation != "count_tokens"
        tokens = ceil(need.input + need.output) if runs else 0
        meters = self._allotments.of(order.place.holders, now)
        found = shortage(meters, tokens, runs=runs, now=now)
        if found is None:
            order.grant = self._allotments.take(meters, tokens, runs=runs, now=now)
            self._shared.soon()
        tell = DIALECTS[order.operation].quota_lines
        order.quota_lines = tell(quotas(meters, now), now + relay.wall)
        if found is not None:
            raise _refusal(found, order)

    def ended(self, grant: Grant, record: Record) -> None:
        """A request is over: what it has really used counts, of every attempt that was made."""
        grant.release()
        used = 0
        for attempt in record.attempts:
            if attempt.usage is not None:
                used += attempt.usage.input + attempt.usage.output
        grant.settle(used, self._relay.now())
        self._shared.soon()

    def sweep(self, now: float) -> None:
        """About once a second."""
        self._allotments.sweep(now)
        self._shared.look(now)

    def limited(self, now: float) -> list[Limited]:
        """Who was refused within the last minute, as this process knows."""
        return self._allotments.limited(now)


def _refusal(found: Shortage, order: Order) -> OverLimit:
    wait = max(ceil(found.wait), 1)
    suffix, kind = _CODES[found.limit]
    is_callers = is_caller(found.key)
    who = "This key" if is_callers else f"The tenant {_shown(order.place.tenant or '')!r}"
    words = {
        Limit.REQUESTS: f"may make {_count(found.most, 'request')} a minute, and has made them. "
        f"The next one is taken in {wait} s.",
        Limit.TOKENS: f"may use {_count(found.most, 'token')} a minute, and too few of them are "
        f"left for this request. It is taken in {wait} s.",
        Limit.CONCURRENCY: f"may have {_count(found.most, 'request')} under way at once, and has. "
        "The next one is taken when one of them has ended.",
    }
    return OverLimit(
        f"{'caller' if is_callers else 'tenant'}_{suffix}",
        f"{who} {words[found.limit]}",
        kind=kind,
        wait=wait,
        lines=order.quota_lines,
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _shown(name: str) -> str:
    return name if len(name) <= 64 else f"{name[:64]}…"
