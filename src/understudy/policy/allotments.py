"""Who may use how much: every caller's and every tenant's allotment, and what is used of it.

A request is let in only where each of its holders has room for it: one request of the minute's, its
tokens, and one more under way. Requests and tokens are buckets that refill all the time
(`understudy.policy.bucket`). Tokens are taken by an estimate when the request begins and settled by
what was really used when it has ended, so that a bucket may come to owe; nobody is let in before
that is paid back.

Where several processes serve, each counts by itself and tells the others what it took, soon and in
one word for many requests (`tell`, `hear`): what others have taken may make a bucket owe as well,
so that over time nobody gets more than the limit, however many processes there are. Where words do
not get through, each goes on with its part (`divide`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

from understudy.core.allotment import Holder, Limited, Shortage, Taken
from understudy.core.quota import Quota, Unit
from understudy.policy.bucket import WINDOW_SECONDS, Bucket
from understudy.policy.meter import Meter

__all__ = ["Allotments", "Grant", "quotas", "shortage"]

#: Holders kept: callers may name tenants. Who has used nothing for a minute is forgotten anyway.
METERS_KEPT: Final = 10_000
#: How many of the oldest are looked at for one that nothing is under way for.
_LOOKED_AT: Final = 16


class Grant:
    """What one request has taken. Every one that is let in is `released` once it is over."""

    __slots__ = ("_allotments", "_kept", "_meters", "_runs")

    def __init__(
        self, allotments: Allotments, meters: Sequence[Meter], kept: Sequence[int], *, runs: bool
    ) -> None:
        self._allotments = allotments
        self._meters = meters
        self._kept = kept
        self._runs = runs

    def release(self) -> None:
        """It is no longer under way. Once is enough, twice does no harm."""
        if self._runs:
            self._runs = False
            for meter in self._meters:
                meter.running -= 1
                self._allotments.note(meter)

    def settle(self, tokens: int, now: float) -> None:
        """It has really used so many tokens. Said once at most; unsaid, the estimate stands."""
        for meter, kept in zip(self._meters, self._kept, strict=True):
            if meter.tokens is not None and tokens != kept:
                meter.spend(tokens - kept, now)
                self._allotments.note(meter)


class Allotments:
    """Every allotment in use. Times are in seconds of one clock."""

    def __init__(self) -> None:
        #: The one that was used last comes last.
        self._meters: OrderedDict[str, Meter] = OrderedDict()
        #: Those that there is something to be told of.
        self._news: dict[str, Meter] = {}
        self._parts = 1

    # -- requests -----------------------------------------------------------------------------

    def of(self, holders: Iterable[Holder], now: float) -> list[Meter]:
        """What they have used so far. A new allotment of the settings holds from here on."""
        found: list[Meter] = []
        for holder in holders:
            meter = self._meters.get(holder.key)
            if meter is None:
                meter = self._add(holder, now)
            else:
                self._meters.move_to_end(holder.key)
                if meter.allotment is not holder.allotment:
                    meter.change(holder.allotment, now)
            found.append(meter)
        return found

    def take(self, meters: Sequence[Meter], tokens: int, *, runs: bool, now: float) -> Grant:
        """A request begins for which there is room: `shortage` has said so."""
        kept: list[int] = []
        for meter in meters:
            kept.append(meter.take(tokens, runs=runs, now=now))
            self._news[meter.key] = meter
        return Grant(self, meters, kept, runs=runs)

    # -- other processes ----------------------------------------------------------------------

    @property
    def has_news(self) -> bool:
        """There is something to tell."""
        return bool(self._news)

    def note(self, meter: Meter) -> None:
        """There is something to be told of this one."""
        self._news[meter.key] = meter

    def tell(self, now: float) -> list[Taken]:
        """What there is to tell; it counts as told."""
        told = [meter.tell(now) for meter in self._news.values()]
        self._news.clear()
        return told

    def hear(self, sender: str, holder: Holder, taken: Taken, now: float) -> None:
        """What another process has taken of a holder's."""
        self.of((holder,), now)[0].hear(sender, taken, now)

    def retell(self, now: float) -> None:
        """Somebody is new, and should know of all that is used."""
        for key, meter in self._meters.items():
            if not meter.is_idle(now):
                self._news[key] = meter

    def divide(self, parts: int, now: float) -> None:
        """So many processes share everything without hearing of each other; 1: they do hear."""
        if parts == self._parts:
            return
        self._parts = parts
        for meter in self._meters.values():
            meter.divide(parts, now)

    # -- time ---------------------------------------------------------------------------------

    def sweep(self, now: float) -> None:
        """About once a second: what is under way is told again, who is silent is forgotten, and
        so is what has not been used for a while.
        """
        for key, meter in self._meters.items():
            meter.forget_silent(now)
            if meter.running and meter.allotment.concurrency is not None:
                self._news[key] = meter
        while self._meters:
            oldest = next(iter(self._meters.values()))
            if not oldest.is_idle(now) or oldest.was_limited(WINDOW_SECONDS, now):
                return
            self._drop(oldest)

    def limited(self, now: float) -> list[Limited]:
        """Who was refused within the last minute."""
        return [
            meter.standing(now)
            for meter in self._meters.values()
            if meter.was_limited(WINDOW_SECONDS, now)
        ]

    def __len__(self) -> int:
        return len(self._meters)

    def _add(self, holder: Holder, now: float) -> Meter:
        if len(self._meters) >= METERS_KEPT:
            self._make_room()
        meter = self._meters[holder.key] = Meter(holder, self._parts, now)
        return meter

    def _make_room(self) -> None:
        """Forget one that was not used for long; what is under way must not be forgotten."""
        for _ in range(_LOOKED_AT):
            oldest = next(iter(self._meters.values()))
            if not oldest.running:
                self._drop(oldest)
                return
            self._meters.move_to_end(oldest.key)

    def _drop(self, meter: Meter) -> None:
        del self._meters[meter.key]
        self._news.pop(meter.key, None)


def shortage(meters: Iterable[Meter], tokens: int, *, runs: bool, now: float) -> Shortage | None:
    """What keeps a request out, the longest wait of all; None if every meter has room for it.

    `tokens`: what it may need at most, as far as that is known. `runs`: it counts as one under way.
    """
    longest: Shortage | None = None
    for meter in meters:
        found = meter.shortage(tokens, runs=runs, now=now)
        if found is not None:
            meter.limited(found.limit, now)
            if longest is None or found.wait > longest.wait:
                longest = found
    return longest


def quotas(meters: Iterable[Meter], now: float) -> list[Quota]:
    """What is left, as callers are told: of each unit the narrowest, the one with the least."""
    requests: Meter | None = None
    tokens: Meter | None = None
    for meter in meters:
        if _is_narrower(meter.requests, None if requests is None else requests.requests, now):
            requests = meter
        if _is_narrower(meter.tokens, None if tokens is None else tokens.tokens, now):
            tokens = meter
    found: list[Quota] = []
    if requests is not None:
        found.append(_quota(Unit.REQUESTS, requests.requests, requests.allotment.requests, now))
    if tokens is not None:
        found.append(_quota(Unit.TOKENS, tokens.tokens, tokens.allotment.tokens, now))
    return found


def _is_narrower(one: Bucket | None, other: Bucket | None, now: float) -> bool:
    return one is not None and (other is None or one.left(now) < other.left(now))


def _quota(unit: Unit, bucket: Bucket | None, limit: int | None, now: float) -> Quota:
    """`bucket` and `limit` are there: its meter has been chosen for them."""
    if bucket is None or limit is None:
        raise ValueError("no such limit")
    full_in = bucket.full_in(now)
    return Quota(unit=unit, limit=limit, remaining=max(bucket.level, 0.0), full_in=full_in)
