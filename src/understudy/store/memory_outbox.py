"""Words about jobs' ends in memory: what `understudy.store.outbox` does in SQL."""

from __future__ import annotations

from collections import defaultdict

from msgspec.structs import replace

from understudy.ports import Callback, Job, Undelivered

__all__ = ["MemoryOutbox"]


class _Waiting:
    """One word, and when it is due."""

    __slots__ = ("callback", "due_at")

    def __init__(self, callback: Callback, due_at: float) -> None:
        self.callback = callback
        self.due_at = due_at


class MemoryOutbox:
    """What is still to be said."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], _Waiting] = {}

    def keep_word(self, job: Job, now: float) -> None:
        """Of a job's end, for who is to be told."""
        if job.webhook is None:
            return
        callback = Callback(
            webhook=job.webhook,
            tenant=job.tenant,
            job_id=job.id,
            feature=job.feature,
            status=job.status,
            created_at=job.created_at,
            finished_at=now,
            attempts=0,
        )
        self._waiting[job.tenant, job.id] = _Waiting(callback, now)

    def claim(self, webhook: str, limit: int, until: float, now: float) -> list[Callback]:
        """As the port says."""
        due = [
            waiting
            for waiting in self._waiting.values()
            if waiting.callback.webhook == webhook and waiting.due_at <= now
        ]
        due.sort(key=lambda waiting: waiting.due_at)
        for waiting in due[:limit]:
            waiting.due_at = until
            before = waiting.callback
            waiting.callback = replace(before, attempts=before.attempts + 1)
        return [waiting.callback for waiting in due[:limit]]

    def settle(self, callback: Callback, again_at: float | None) -> None:
        """As the port says."""
        place = callback.tenant, callback.job_id
        waiting = self._waiting.get(place)
        if waiting is None or waiting.callback.attempts != callback.attempts:
            return
        if again_at is None:
            del self._waiting[place]
        else:
            waiting.due_at = again_at

    def undelivered(self) -> list[Undelivered]:
        """As the port says."""
        since: defaultdict[str, list[float]] = defaultdict(list)
        for waiting in self._waiting.values():
            since[waiting.callback.webhook].append(waiting.callback.finished_at)
        return [Undelivered(name, min(since[name]), len(since[name])) for name in sorted(since)]

    def drop(self, ended_before: float, limit: int) -> list[Callback]:
        """As the port says."""
        old = [
            waiting.callback
            for waiting in self._waiting.values()
            if waiting.callback.finished_at < ended_before
        ][:limit]
        for callback in old:
            del self._waiting[callback.tenant, callback.job_id]
        return old
