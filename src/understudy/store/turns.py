"""Whose turn it is: deficit round robin over tenants.

Shreedhar and Varghese, "Efficient Fair Queueing Using Deficit Round Robin" (SIGCOMM 1995), in its
surplus form: a tenant whose turn it is is served first and pays afterwards, so that a job's cost
need not be known before it is taken. Each round pays one unit of every debt, and rounds in which
nobody could be served are counted, not walked. With all costs equal this is plain round robin;
else every backlogged tenant gets the same cost, to within one job.

The state is each claiming process's own, in memory. A sum of fair shares is fair, so processes
need not agree, and a restart forgets at most one job's cost a tenant.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

__all__ = ["Turns"]


class Turns:
    """The order in which tenants are served, over as many claims as there are."""

    def __init__(self) -> None:
        #: Cost that a tenant has had and not paid yet; only what is more than none.
        self._debts: dict[str, int] = {}
        self._last = ""

    def copy(self) -> Turns:
        """The same state, to try a claim on that may not become true."""
        other = Turns()
        other._debts = dict(self._debts)
        other._last = self._last
        return other

    def serve(self, tenants: Collection[str], limit: int, take: Callable[[str], int | None]) -> int:
        """Take up to `limit` jobs; how many were taken.

        `take` takes a tenant's next job and returns its cost (1 or more), or None if it has none.
        """
        waiting = set(tenants)
        taken = 0
        while taken < limit and waiting:
            self._pay(min(self._debts.get(tenant, 0) for tenant in waiting))
            tenant = self._next(waiting)
            cost = take(tenant)
            if cost is None:
                waiting.remove(tenant)
                continue
            taken += 1
            self._debts[tenant] = cost
            self._last = tenant
        return taken

    def _pay(self, rounds: int) -> None:
        if rounds:
            # Debts of tenants with nothing to do run out too, and so are not kept for ever.
            self._debts = {
                tenant: debt - rounds for tenant, debt in self._debts.items() if debt > rounds
            }

    def _next(self, waiting: set[str]) -> str:
        """The first without debts after the one served last, around the ring of their names."""
        free = [tenant for tenant in waiting if tenant not in self._debts]
        return min(free, key=lambda tenant: (tenant <= self._last, tenant))
