"""Jobs as tables for terminals: what `understudy jobs` prints.

Ages come before numbers: a long line that moves is well, an old one is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from understudy.web.text import columns, cut, plain, span
from understudy.web.wire_jobs import JobDetail, JobRow, JobsPage, LaneRow

__all__ = ["Pace", "detail_lines", "drain_line", "page_lines"]

_LANES = ("OLDEST", "WAIT", "RUN", "FEATURE", "PRIORITY", "TENANT", "HELD UP BY")
_JOBS = ("AGE", "STATUS", "ID", "FEATURE", "TENANT", "CALLER", "TRIES", "EXPIRES IN")
_ALIVE = frozenset({"queued", "running"})
#: Seconds of the past by which a pace is judged, and without which nothing is said of it.
PACE_SECONDS = 60.0
PACE_LEAST = 5.0


def page_lines(page: JobsPage, url: str, *, width: int | None = None) -> list[str]:
    """The lines of a list. `width`: columns that fit; None: as many as it takes."""
    lines = [f"{url}  {page.at}  {_sum(page.lanes)}"]
    if page.lanes:
        lines += ["", *columns([_LANES, *map(_lane, page.lanes)])]
    if page.jobs:
        lines += ["", *columns([_JOBS, *(_job(job, page.at) for job in page.jobs)])]
    if page.after is not None:
        lines += ["", "There are more: --limit, or a narrower choice."]
    return [cut(line, width) for line in lines]


def detail_lines(detail: JobDetail) -> list[str]:
    """All of one job: what it is, and what has happened to it."""
    job = detail.job
    rows = [
        ("id", job.id),
        ("status", job.status),
        ("age" if job.status in _ALIVE else "took", span(job.age)),
        ("feature", f"{job.feature} ({job.priority})"),
        ("tenant", job.tenant or "-"),
        ("caller", job.caller or "-"),
        ("operation", job.operation),
        ("tries", str(job.attempts)),
        ("accepted", job.created_at),
    ]
    if job.status == "queued":
        rows += [("position", str(detail.position or "-")), ("not before", job.ready_at)]
    if job.status in _ALIVE:
        rows += [("estimate", detail.estimate or "nobody can say"), ("expires", job.expires_at)]
    if job.worker is not None:
        rows.append(("worker", f"{job.worker}, until {job.lease_until}"))
    if job.finished_at is not None:
        rows.append(("ended", job.finished_at))
    if job.webhook is not None:
        rows.append(("webhook", job.webhook))
    events = [(event.at, event.kind, _told(event.told)) for event in detail.events]
    return [plain(line) for line in [*columns(rows), "", *(columns(events) if events else [])]]


class Pace:
    """How fast a backlog goes down, by what was seen of it lately."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, int]] = []

    def saw(self, at: float, left: int) -> None:
        """So many were left at that moment (seconds on any clock)."""
        self._seen.append((at, left))
        while at - self._seen[0][0] > PACE_SECONDS:
            del self._seen[0]

    @property
    def rate(self) -> float | None:
        """Jobs a second that it gets shorter by; None: too little is known."""
        if not self._seen:
            return None
        (first, before), (last, left) = self._seen[0], self._seen[-1]
        return (before - left) / (last - first) if last - first >= PACE_LEAST else None


def drain_line(lanes: Sequence[LaneRow], pace: Pace) -> str:
    """How a backlog stands, in a line: how old, how many, how fast, how long yet, what is wrong."""
    parts = [_sum(lanes)]
    rate = pace.rate
    left = sum(lane.queued + lane.running for lane in lanes)
    if rate is not None and rate > 0.0:
        parts.append(f"{rate:.1f}/s less; empty in about {span(left / rate)}")
    elif rate is not None and rate < 0.0:
        parts.append(f"{-rate:.1f}/s more")
    elif rate is not None:
        parts.append("it does not get less")
    held = {lane.held_up_by: None for lane in lanes if lane.held_up_by is not None}
    if held:
        parts.append(f"held up by {' | '.join(held)}")
    return plain("; ".join(parts))


def _sum(lanes: Iterable[LaneRow]) -> str:
    rows = list(lanes)
    queued, running = sum(row.queued for row in rows), sum(row.running for row in rows)
    oldest = max((row.age for row in rows if row.age is not None), default=None)
    if oldest is None:
        return f"none waits, {running:,} run"
    return f"the oldest waits {span(oldest)}; {queued:,} wait, {running:,} run"


def _lane(lane: LaneRow) -> tuple[str, ...]:
    return (
        "-" if lane.age is None else span(lane.age),
        str(lane.queued),
        str(lane.running),
        plain(lane.feature),
        lane.priority,
        plain(lane.tenant or "-"),
        plain(lane.held_up_by or ""),
    )


def _job(job: JobRow, now: str) -> tuple[str, ...]:
    left = (datetime.fromisoformat(job.expires_at) - datetime.fromisoformat(now)).total_seconds()
    return (
        span(job.age),
        job.status,
        plain(job.id),
        plain(job.feature),
        plain(job.tenant or "-"),
        plain(job.caller or "-"),
        str(job.attempts),
        span(left) if job.status == "queued" else "",
    )


def _told(told: dict[str, msgspec.Raw]) -> str:
    return ", ".join(f"{name}: {msgspec.json.decode(value)}" for name, value in told.items())
