"""Any history of calls, on every store, beside a model that is a dictionary and some rules.

The model does not say which tenant is next (that is test_store_claims.py's and test_turns.py's); it
says what a claim may take, and everything else exactly.
"""

import asyncio
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from contract.store_jobs import NUMBERS, new_job
from understudy.ports import (
    PRIORITIES,
    Accepted,
    Answer,
    Conflict,
    JobStatus,
    Known,
    Lane,
    Stale,
    Written,
)
from understudy.store import open_store

TENANTS, FEATURES, CALLERS, KEYS = ("", "acme", "globex"), ("chat", "search"), ("web", "app"), "kl"
ALL_LANES = frozenset(
    Lane(priority, tenant, feature)
    for priority in PRIORITIES
    for tenant in TENANTS
    for feature in FEATURES
)
QUEUED, RUNNING = JobStatus.QUEUED, JobStatus.RUNNING


def _rest(attempts):
    """Seconds that a job waits which was left behind."""
    return 50.0 * (attempts - 1)


@dataclass(frozen=True)
class Modelled:
    """What a job should be."""

    new: object
    status: JobStatus = QUEUED
    ready_at: float = 0.0
    attempts: int = 0
    token: int = 0
    worker: str | None = None
    until: float | None = None
    finished_at: float | None = None
    answer: Answer | None = None
    events: tuple[str, ...] = field(default=("queued",))

    @property
    def lane(self):
        return self.new.lane

    @property
    def order(self):
        return (self.new.expires_at, self.new.created_at, self.new.id)

    def told(self, kind, **changes):
        return replace(self, events=(*self.events, str(kind)), **changes)

    def ended(self, status, now, answer=None):
        changes = {"worker": None, "until": None, "answer": answer}
        return self.told(status, status=status, finished_at=now, **changes)

    def queued(self, now, ready_at, attempts):
        changes = {"worker": None, "until": None, "attempts": attempts}
        return self.told(QUEUED, status=QUEUED, ready_at=ready_at, **changes)


class StoreMachine(RuleBasedStateMachine):
    """One history. The store is the engine's own and emptied at the end."""

    jobs = Bundle("jobs")
    leases = Bundle("leases")

    def __init__(self, runner, store):
        super().__init__()
        self.runner = runner
        self.store = store
        self.model = {}
        #: Ends of which nobody has been told yet, by tenant and id; they outlive their jobs.
        self.untold = {}
        self.now = 1000.0

    def call(self, coroutine):
        return self.runner.run(coroutine)

    def teardown(self):
        for tenant, job_id in self.model:
            self.call(self.store.cancel(tenant, job_id, now=self.now))
        self.call(self.store.purge(finished_before=self.now + 1, limit=1000))
        self.call(self.store.drop_callbacks(ended_before=self.now + 1, limit=1000))
        assert self.call(self.store.backlog()) == []
        assert self.call(self.store.undelivered()) == []

    @initialize(target=jobs)
    def begin(self):
        return self._accept(new_job(f"m{next(NUMBERS)}", created_at=self.now, expires_at=1500.0))

    @rule(seconds=st.sampled_from([1, 10, 60, 400]))
    def time_passes(self, seconds):
        self.now += seconds

    @rule(
        target=jobs,
        tenant=st.sampled_from(TENANTS),
        caller=st.sampled_from(CALLERS),
        feature=st.sampled_from(FEATURES),
        priority=st.sampled_from(PRIORITIES),
        key=st.none() | st.sampled_from(KEYS),
        body=st.sampled_from(["one", "other"]),
        lasts=st.sampled_from([5, 50, 500]),
        cost=st.integers(1, 5),
        webhook=st.sampled_from([None, "product"]),
    )
    def accept(self, lasts, key, body, **terms):
        return self._accept(
            new_job(
                f"m{next(NUMBERS)}",
                key_digest=key,
                body_digest=body,
                created_at=self.now,
                expires_at=self.now + lasts,
                **terms,
            )
        )

    @rule(new=jobs)
    def accept_again(self, new):
        self._accept(new)

    def _accept(self, new):
        same = self.model.get((new.tenant, new.id)) or next(
            (
                one
                for one in self.model.values()
                if new.key_digest is not None
                and (one.new.tenant, one.new.caller, one.new.key_digest)
                == (new.tenant, new.caller, new.key_digest)
            ),
            None,
        )
        answer = self.call(self.store.accept(new))
        if same is None:
            assert isinstance(answer, Accepted)
            self.model[new.tenant, new.id] = Modelled(new, ready_at=new.created_at)
        elif same.new.body_digest == new.body_digest:
            assert isinstance(answer, Known)
            self._compare(answer.job, same)
        else:
            assert answer == Conflict()
        return new

    @rule(
        target=leases,
        lanes=st.just(ALL_LANES) | st.frozensets(st.sampled_from(sorted(ALL_LANES))),
        limit=st.sampled_from([1, 2, 5, 100]),
        lease=st.sampled_from([5, 30]),
    )
    def claim(self, lanes, limit, lease):
        may = [
            one
            for one in self.model.values()
            if one.status is QUEUED
            and one.lane in lanes
            and one.ready_at <= self.now < one.new.expires_at
        ]
        claimed = self.call(
            self.store.claim(worker="w", lanes=lanes, limit=limit, lease=lease, now=self.now)
        )
        taken = {(one.job.tenant, one.job.id) for one in claimed}
        assert len(claimed) == len(taken) == min(limit, len(may))
        left = [one for one in may if (one.new.tenant, one.new.id) not in taken]
        for one in claimed:
            before = self.model[one.job.tenant, one.job.id]
            assert before in may
            assert one.request == before.new.request
            self._first_of_its_line(before, left)
            after = before.told(
                RUNNING,
                status=RUNNING,
                attempts=before.attempts + 1,
                token=before.token + 1,
                worker="w",
                until=self.now + lease,
            )
            self.model[one.job.tenant, one.job.id] = after
            self._compare(one.job, after)
        return multiple(*(one.lease for one in claimed))

    @staticmethod
    def _first_of_its_line(taken, left):
        for other in left:
            if other.lane.priority != taken.lane.priority:
                assert taken.lane.priority == "interactive"
            elif other.lane.tenant == taken.lane.tenant:
                assert taken.order < other.order

    def _holder(self, lease):
        """The job that a lease holds; None and the answer to give if it holds none."""
        one = self.model.get((lease.tenant, lease.job_id))
        if one is None:
            return None, Stale(None)
        if one.status is not RUNNING or one.token != lease.token:
            return None, Stale(one.status)
        return one, Written()

    def _ended(self, one):
        if one.new.webhook is not None:
            self.untold[one.new.tenant, one.new.id] = one
        return one

    @rule(limit=st.sampled_from([1, 2, 100]), heard=st.booleans())
    def tell(self, limit, heard):
        """What is due is claimed for no time at all, and either told or due again."""
        due = self.call(self.store.claim_callbacks("product", limit=limit, lease=0, now=self.now))
        assert len(due) == min(limit, len(self.untold))
        for callback in due:
            one = self.untold[callback.tenant, callback.job_id]
            told = callback.status, callback.created_at, callback.finished_at, callback.feature
            assert told == (one.status, one.new.created_at, one.finished_at, one.new.feature)
            again_at = None if heard else self.now
            self.call(self.store.settle_callback(callback, again_at=again_at))
            if heard:
                del self.untold[callback.tenant, callback.job_id]

    def _write(self, lease, after):
        self.model[lease.tenant, lease.job_id] = after

    @rule(lease=leases, seconds=st.sampled_from([1, 100]))
    def extend(self, lease, seconds):
        one, answer = self._holder(lease)
        until = self.now + seconds
        assert self.call(self.store.extend(lease, until=until)) == answer
        if one is not None:
            self._write(lease, replace(one, until=until))

    @rule(lease=leases, wait=st.sampled_from([0, 20]), counted=st.booleans())
    def give_back(self, lease, wait, counted):
        one, answer = self._holder(lease)
        ready_at = self.now + wait
        assert answer == self.call(
            self.store.give_back(lease, ready_at=ready_at, counted=counted, now=self.now)
        )
        if one is not None:
            self._write(lease, one.queued(self.now, ready_at, one.attempts - (not counted)))

    @rule(
        lease=leases,
        ending=st.sampled_from([JobStatus.SUCCEEDED, JobStatus.FAILED]),
        body=st.binary(max_size=3),
    )
    def finish(self, lease, ending, body):
        one, answer = self._holder(lease)
        before = self.model.get((lease.tenant, lease.job_id))
        if before and (before.status, before.token) == (ending, lease.token):
            answer = Written()
        result = Answer(200, (("a", "b"),), body)
        assert answer == self.call(self.store.finish(lease, ending, result, now=self.now))
        if one is not None:
            self._write(lease, self._ended(one.ended(ending, self.now, result)))

    @rule(lease=leases)
    def append(self, lease):
        one, answer = self._holder(lease)
        said = self.call(self.store.append(lease, kind="progress", data=b"x", now=self.now))
        assert said == answer
        if one is not None:
            self._write(lease, one.told("progress"))

    @rule(new=jobs)
    def cancel(self, new):
        one = self.model.get((new.tenant, new.id))
        job = self.call(self.store.cancel(new.tenant, new.id, now=self.now))
        if one is not None and one.status in {QUEUED, RUNNING}:
            one = self._ended(one.ended(JobStatus.CANCELLED, self.now))
            self.model[new.tenant, new.id] = one
        self._compare(job, one)

    @rule(limit=st.sampled_from([1, 100]))
    def expire(self, limit):
        due = [
            one
            for one in self.model.values()
            if one.status is QUEUED and one.new.expires_at <= self.now
        ]
        ended = self.call(self.store.expire(limit=limit, now=self.now))
        assert len(ended) == min(limit, len(due))
        for job in ended:
            assert self.model[job.tenant, job.id] in due
            after = self._ended(self.model[job.tenant, job.id].ended(JobStatus.EXPIRED, self.now))
            self.model[job.tenant, job.id] = after
            self._compare(job, after)

    @rule(limit=st.sampled_from([1, 100]))
    def reap(self, limit):
        left = [one for one in self.model.values() if one.until and one.until <= self.now]
        reaped = self.call(self.store.reap(limit=limit, now=self.now, rest=_rest))
        assert len(reaped) == min(limit, len(left))
        for job in reaped:
            before = self.model[job.tenant, job.id]
            assert before in left
            ready_at = self.now + _rest(before.attempts)
            after = before.queued(ready_at, self.now, before.attempts)
            self.model[job.tenant, job.id] = after
            self._compare(job, after)

    @rule(age=st.sampled_from([0, 60]))
    def purge(self, age):
        before = self.now - age
        old = [
            place
            for place, one in self.model.items()
            if one.finished_at is not None and one.finished_at < before
        ]
        assert self.call(self.store.purge(finished_before=before, limit=1000)) == len(old)
        for place in old:
            del self.model[place]

    @rule(new=consumes(jobs))
    def look(self, new):
        """Everything that is told of one job."""
        place = (new.tenant, new.id)
        one = self.model.get(place)
        self._compare(self.call(self.store.get(*place)), one)
        told = self.call(self.store.events(*place, after=0, limit=1000))
        assert tuple(event.kind for event in told) == (one.events if one else ())
        assert self.call(self.store.result(*place)) == (one.answer if one else None)
        expected = None
        if one is not None and one.status is QUEUED:
            expected = sum(
                other.status is QUEUED
                and (other.lane.priority, other.lane.tenant) == (one.lane.priority, one.lane.tenant)
                and other.order < one.order
                for other in self.model.values()
            )
        assert self.call(self.store.place(*place)) == expected

    @invariant()
    def what_is_to_be_told_is_what_has_ended(self):
        told = self.call(self.store.undelivered())
        assert sum(row.count for row in told) == len(self.untold)
        if told:
            assert told[0].oldest == min(one.finished_at for one in self.untold.values())

    @invariant()
    def the_backlog_is_what_waits_and_runs(self):
        expected = {}
        for one in self.model.values():
            if one.status in {QUEUED, RUNNING}:
                row = expected.setdefault(one.lane, ([], []))
                row[one.status is RUNNING].append(one)
        told = {row.lane: row for row in self.call(self.store.backlog())}
        assert told.keys() == expected.keys()
        for lane, (queued, running) in expected.items():
            assert (told[lane].queued, told[lane].running) == (len(queued), len(running))
            oldest = min((one.new.created_at for one in queued), default=None)
            assert told[lane].oldest == oldest

    @staticmethod
    def _compare(job, one):
        if one is None:
            assert job is None
            return
        assert (job.id, job.lane) == (one.new.id, one.lane)
        assert (job.status, job.ready_at) == (one.status, one.ready_at)
        assert (job.attempts, job.token) == (one.attempts, one.token)
        assert (job.lease_owner, job.lease_until) == (one.worker, one.until)
        assert (job.finished_at, job.events) == (one.finished_at, len(one.events))


@pytest.mark.parametrize(
    ("engine", "histories"), [("memory", 60), ("sqlite", 25), ("postgresql", 15)]
)
def test_every_history_is_the_models(place, histories):
    with asyncio.Runner() as runner:
        store = runner.run(open_store(place))
        try:
            run_state_machine_as_test(
                lambda: StoreMachine(runner, store),
                settings=settings(
                    max_examples=histories,
                    stateful_step_count=30,
                    deadline=None,
                    derandomize=True,
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
                ),
            )
        finally:
            runner.run(store.close())
