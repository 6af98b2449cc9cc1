"""Whose turn it is: deficit round robin over tenants.

Shreedhar and Varghese, "Efficient Fair Queueing Using Deficit Round Robin" (SIGCOMM 1995), in its
surplus form: a tenant whose turn it is is served first and pays afterwards, so that a job's cost
need not be known before it is taken. Each round pays one unit of every debt, and rounds in which
nobody could be served are counted, not walked. With all costs equal this is plain round robin;
else every backlogged tenant gets the same cost, to within one job.

A debt is paid by what others get at the tenant's side: by tenants that wait for the same targets,
not by those that are served elsewhere meanwhile.

The state is each claiming process's own, in memory. A sum of fair shares is fair, so processes
need not agree, and a restart forgets at most one job's cost a tenant.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from heapq import heapify, heappop, heapreplace
from typing import Final

__all__ = ["Turns"]

#: Claims after which a tenant that was in none of them has nothing to do, and does not just wait
#: for other targets.
ABSENT: Final = 100


class Turns:
    """The order in which tenants are served, over as many claims as there are."""

    def __init__(self) -> None:
        #: Cost that a tenant has had and not paid yet (only what is more than none), and in which
        #: claim it last wanted something.
        self._debts: dict[str, tuple[int, int]] = {}
        self._claims = 0
        self._last = ""

    def copy(self) -> Turns:
        """The same state, to try a claim on that may not become true."""
        other = Turns()
        other._debts = dict(self._debts)
        other._claims = self._claims
        other._last = self._last
        return other

    def serve(self, tenants: Collection[str], limit: int, take: Callable[[str], int | None]) -> int:
        """Take up to `limit` jobs; how many were taken.

        `take` takes a tenant's next job and returns its cost (1 or more), or None if it has none.
        """
        self._claims += 1
        # When each has paid, in rounds from now. Who is free goes around the ring of their names,
        # from the one served last, and who is served goes behind those who wait as long.
        line = [
            (self._debts.get(tenant, (0, 0))[0], int(tenant <= self._last), tenant)
            for tenant in set(tenants)
        ]
        heapify(line)
        due = {tenant: free for free, _, tenant in line}
        rounds = taken = 0
        while taken < limit and line:
            free, _, tenant = line[0]
            cost = take(tenant)
            if cost is None:
                heappop(line)
                continue
            rounds = max(rounds, free)
            taken += 1
            due[tenant] = rounds + cost
            heapreplace(line, (due[tenant], 1 + taken, tenant))
            self._last = tenant
        self._pay(rounds, due)
        return taken

    def _pay(self, rounds: int, due: dict[str, int]) -> None:
        """So many rounds have passed for those who are `due` at some time."""
        left = {}
        for tenant, (debt, claim) in self._debts.items():
            if tenant not in due:
                # Debts of tenants with nothing to do run out too, and so are not kept for ever.
                is_absent = self._claims - claim > ABSENT
                left[tenant] = (debt - rounds if is_absent else debt), claim
        left.update((tenant, (free - rounds, self._claims)) for tenant, free in due.items())
        self._debts = {tenant: owed for tenant, owed in left.items() if owed[0] > 0}
