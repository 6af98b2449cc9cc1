"""What waits, by lane: as the store last counted it, and what has come and gone here since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from understudy.ports import PRIORITIES, Backlog, Lane

__all__ = ["Lines"]


class Lines:
    """The lines of jobs, as far as this process knows.

    Counting takes a moment, in which jobs come: `begin` when it begins, `counted` when it is done.
    """

    def __init__(self) -> None:
        self._counted: dict[Lane, Backlog] = {}
        #: What has come less what has gone, since the last count began; and since this one did.
        self._since: defaultdict[Lane, int] = defaultdict(int)
        self._meanwhile: defaultdict[Lane, int] = defaultdict(int)
        #: (priority, tenant) → how many wait, of all features.
        self._tenants: defaultdict[tuple[str, str], int] = defaultdict(int)

    def begin(self) -> None:
        """A count begins."""
        self._meanwhile = defaultdict(int)

    def counted(self, rows: Collection[Backlog]) -> None:
        """This is what it found."""
        self._counted = {row.lane: row for row in rows}
        self._since, self._meanwhile = self._meanwhile, defaultdict(int)
        self._tenants = defaultdict(int)
        for lane in self._counted.keys() | self._since.keys():
            self._tenants[lane.priority, lane.tenant] += self.waiting(lane)

    def came(self, lane: Lane) -> None:
        """One more waits."""
        self._add(lane, 1)

    def went(self, lane: Lane) -> None:
        """One has been begun, or is over."""
        self._add(lane, -1)

    def _add(self, lane: Lane, count: int) -> None:
        self._since[lane] += count
        self._meanwhile[lane] += count
        self._tenants[lane.priority, lane.tenant] += count

    def waiting(self, lane: Lane) -> int:
        """How many wait in a lane."""
        row = self._counted.get(lane)
        return max(0, (row.queued if row is not None else 0) + self._since.get(lane, 0))

    def lanes(self) -> list[Lane]:
        """Those in which somebody waits, the ones that are served first before the others."""
        known = [*self._counted, *(lane for lane in self._since if lane not in self._counted)]
        lanes = [lane for lane in known if self.waiting(lane)]
        return [lane for level in PRIORITIES for lane in lanes if lane.priority == level]

    def rows(self) -> Collection[Backlog]:
        """What the store counted."""
        return self._counted.values()

    def of_tenant(self, lane: Lane) -> int:
        """How many of the same tenant and priority wait."""
        return max(0, self._tenants.get((lane.priority, lane.tenant), 0))

    def beside(self, lane: Lane) -> tuple[list[int], int]:
        """How many each other tenant has waiting in the same priority, and how many wait in a
        higher one.
        """
        others: list[int] = []
        higher = 0
        is_highest = lane.priority == PRIORITIES[0]
        for (priority, tenant), count in self._tenants.items():
            if priority == lane.priority:
                if tenant != lane.tenant and count > 0:
                    others.append(count)
            elif not is_highest and count > 0:
                higher += count
        return others, higher
