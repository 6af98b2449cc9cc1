"""What a store was told and what it answered, in order with what it wrote; and whether a state of
its files agrees with that.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from understudy.ports import TERMINAL, Answer, Job, JobStatus, NewJob

__all__ = ["Facts", "Found", "Standing", "Story", "digest"]

ANSWERED = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED})


@dataclass(frozen=True)
class Standing:
    """A job after a word about it. None in its place: it is not there."""

    status: str
    token: int
    events: int
    #: Of the result, where there is one.
    result: str | None = None


@dataclass(frozen=True)
class Found:
    """A job as it stands in a state of the files."""

    standing: Standing
    #: Of what is asked, as long as that is kept.
    request: str | None
    numbers: tuple[int, ...]
    kinds: tuple[str, ...]


#: By id. A text instead: why it could not be read.
Facts = dict[str, Found] | str


@dataclass
class _Word:
    asked: int
    answered: int
    standing: Standing | None


@dataclass
class Story:
    """By job: the words about it, in order. Moments are places in the log."""

    words: dict[str, list[_Word]] = field(default_factory=dict)
    requests: dict[str, str] = field(default_factory=dict)
    #: What each job looks like after the last word about it.
    now: dict[str, Standing] = field(default_factory=dict)

    @classmethod
    def going_on(cls, facts: dict[str, Found], requests: dict[str, str]) -> "Story":
        """One that begins where a state of the files has ended."""
        story = cls(requests=dict(requests))
        for job_id, found in facts.items():
            story.now[job_id] = found.standing
            story.words[job_id] = [_Word(-1, -1, found.standing)]
        return story

    def accepted(self, new: NewJob, asked: int, answered: int) -> None:
        """A job was kept."""
        self.requests[new.id] = digest(new.request.data)
        self._add(new.id, Standing("queued", 0, 1), asked, answered)

    def came(self, jobs: Iterable[Job], asked: int, answered: int) -> None:
        """Jobs stand like this now."""
        for job in jobs:
            standing = Standing(job.status.value, job.token, job.events)
            self._add(job.id, standing, asked, answered)

    def moved(
        self,
        job_id: str,
        status: JobStatus | None,
        answer: Answer | None,
        asked: int,
        answered: int,
    ) -> None:
        """A job has one event more. `status`: and is that now."""
        before = self.now[job_id]
        told = before.status if status is None else status.value
        result = None if answer is None else digest(answer.body)
        standing = Standing(told, before.token, before.events + 1, result)
        self._add(job_id, standing, asked, answered)

    def gone(self, ids: Iterable[str], asked: int, answered: int) -> None:
        """Jobs are no longer kept."""
        for job_id in ids:
            self.words[job_id].append(_Word(asked, answered, None))
            del self.now[job_id]

    def _add(self, job_id: str, standing: Standing, asked: int, answered: int) -> None:
        self.now[job_id] = standing
        self.words.setdefault(job_id, []).append(_Word(asked, answered, standing))

    # -- judging ------------------------------------------------------------------------------

    def answered(self, point: int) -> int:
        """Words that were answered before a point of the log."""
        return sum(word.answered < point for words in self.words.values() for word in words)

    def faults(self, facts: Facts, point: int) -> list[str]:
        """What does not agree, of a state that a power loss at this point of the log has left."""
        if isinstance(facts, str):
            return [facts]
        found = [f"nobody asked for {job_id}" for job_id in facts.keys() - self.words.keys()]
        for job_id, words in self.words.items():
            found += self._judge(job_id, words, facts.get(job_id), point)
        return found

    def _judge(self, job_id: str, words: list[_Word], found: Found | None, point: int) -> list[str]:
        last = bisect_right(words, point - 1, key=lambda word: word.answered) - 1
        allowed = [word.standing for word in words[max(last, 0) :] if word.asked < point]
        if last < 0:
            allowed.append(None)
        standing = None if found is None else found.standing
        if standing not in allowed:
            return [f"{job_id} is {standing}, and was answered to be {allowed[0]}"]
        return (
            [] if found is None else [f"{job_id} {fault}" for fault in self._parts(job_id, found)]
        )

    def _parts(self, job_id: str, found: Found) -> Iterable[str]:
        status = found.standing.status
        ends = [kind for kind in found.kinds if kind in TERMINAL]
        if ends != ([status] if status in TERMINAL else []):
            yield f"is {status}, and has ended as {ends}"
        if found.numbers != tuple(range(1, found.standing.events + 1)):
            yield "has events with a gap"
        if (found.standing.result is not None) != (status in ANSWERED):
            yield f"is {status}, and its result is {found.standing.result}"
        wanted = None if status in TERMINAL else self.requests[job_id]
        if found.request != wanted:
            yield f"is {status}, and its request is not what was asked"


def digest(data: bytes) -> str:
    """Stands for what was asked, or answered."""
    return hashlib.blake2b(data, digest_size=8).hexdigest()
