"""What was said to callers, and whether what is said later agrees with it.

Every answer is told to the ledger. What contradicts an earlier one is a fault, with its name: those
names are the rows of the table in docs/durability.md.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, field

from durability.kill_requests import Ask, said_in

__all__ = ["Ledger", "Told"]

TERMINAL = frozenset({"succeeded", "failed", "expired", "cancelled"})
STATUSES = TERMINAL | {"queued", "running"}


@dataclass
class Told:
    """One request, and all that its caller was told of it."""

    ask: Ask
    #: Of its job, once a 202 has named it.
    id: str | None = None
    #: A POST was cut off without an answer: there may be a job or not.
    is_unsure: bool = False
    ending: str | None = None
    #: Of the result's status, `x-request-id` and body.
    digest: str | None = None
    #: How often the result has been read.
    reads: int = 0
    #: It ended because it was begun ten times, and its process died each time.
    is_given_up: bool = False
    #: It was made old enough to be forgotten, and may be gone from now on.
    is_old: bool = False


@dataclass
class Ledger:
    """All requests of one lane."""

    told: list[Told] = field(default_factory=list)
    #: Requests of which a job is known.
    jobs: list[Told] = field(default_factory=list)
    by_id: dict[str, Told] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    #: By token: what may still have to be done.
    waiting: dict[str, Told] = field(default_factory=dict)

    def asked(self, ask: Ask) -> Told:
        """A request goes out."""
        told = Told(ask)
        self.told.append(told)
        return told

    def unsure(self, told: Told) -> None:
        """It is on its way, and may arrive without a word coming back."""
        told.is_unsure = True
        # Without a key nobody can find out.
        if told.ask.key and told.ending is None:
            self.waiting[told.ask.token] = told

    def unsent(self, told: Told) -> None:
        """It cannot have arrived."""
        if told.id is None:
            self.waiting.pop(told.ask.token, None)

    def old(self, told: Told) -> None:
        """It may be forgotten from now on."""
        told.is_old = True
        self.waiting.pop(told.ask.token, None)

    def fault(self, name: str, told: Told, words: str = "") -> None:
        """Something contradicts what was said before."""
        self.counts[f"fault: {name}"] += 1
        self.faults.append(f"{name}: {told.id} {told.ask.token} {told.ask.feature} {words}")

    def accepted(self, told: Told, job_id: str, status: str, known: str | None) -> None:
        """A 202. `known`: as `seen` has it."""
        self.counts["202"] += 1
        if told.is_old and told.id != job_id:
            # Its key has been forgotten with it.
            told, known = self.asked(told.ask), None
        if told.id is None:
            if job_id in self.by_id:
                self.fault("one job for two requests", told, job_id)
            told.id = job_id
            self.by_id[job_id] = told
            self.jobs.append(told)
            if told.ending is None:
                self.waiting[told.ask.token] = told
        elif told.id != job_id:
            self.fault("two jobs for one key", told, job_id)
        else:
            self.counts["the same key again: the same job"] += 1
        self.seen(told, status, known)

    def seen(self, told: Told, status: str, known: str | None = None) -> None:
        """A job's status. `known`: the end that was known when this was asked; two questions that
        are under way at once may be answered in either order.
        """
        if status not in STATUSES:
            self.fault("a status that is none", told, status)
        elif status not in TERMINAL:
            if known is not None:
                self.fault("ended, and began again", told, f"{known} → {status}")
        elif told.ending is not None and status != told.ending:
            self.fault("an end that changed", told, f"{told.ending} → {status}")
        else:
            told.ending = status
            self.waiting.pop(told.ask.token, None)

    def missing(self, told: Told) -> None:
        """404 for a job that was accepted."""
        if not told.is_old:
            self.fault("accepted and not found", told)

    def result(self, told: Told, status: int, request_id: str, body: bytes) -> None:
        """The result itself."""
        self.counts["results read"] += 1
        told.reads += 1
        digest = hashlib.sha256(b"%d %b " % (status, request_id.encode()) + body).hexdigest()
        if told.digest is not None and told.digest != digest:
            self.fault("two results", told)
        told.digest = digest
        self.seen(told, "succeeded" if status == 200 else "failed")
        if status == 200:
            said = said_in(body, stream=told.ask.stream)
            if said is None:
                self.fault("a success that is not whole", told)
            elif told.ask.token not in said:
                self.fault("another request's result", told, said[:200])
        elif status == 503 and b'"code":"given_up"' in body:
            told.is_given_up = True
        elif told.ask.feature != "refused":
            self.fault("failed without a reason of its own", told, f"{status} {body[:300]!r}")

    def conflict(self, told: Told, code: str) -> None:
        """409 where the result should be: it has none."""
        if code not in {"job_cancelled", "job_expired"}:
            self.fault("a conflict where there is none", told, code)
        else:
            self.seen(told, code.removeprefix("job_"))

    @property
    def open(self) -> list[Told]:
        """Jobs of which no end is known."""
        return [told for told in self.waiting.values() if told.id is not None]
