"""One job, run once: made into a request again, delivered like any other, its answer recorded.

There is no second way of serving. A job goes through `Relay.deliver`, the same exchange and the
same machine as a caller's request; only that its answer goes to the store. Its lease is kept up
while it runs. Who has lost it stops at once: the job is cancelled, or somebody else's.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from understudy.core.outcomes import Attempt, Result
from understudy.core.settings import Caller
from understudy.policy.job_ends import MOST_ATTEMPTS, WAIT_SECONDS_MAX, Back, barred, follows
from understudy.policy.plans import Target
from understudy.ports import (
    Answer,
    Claimed,
    JobStatus,
    Request,
    Stale,
    StoreError,
    StoreLimitError,
)
from understudy.relay.http import Refusal
from understudy.relay.jobs.bell import rung
from understudy.relay.jobs.catcher import Catcher
from understudy.relay.jobs.parcel import UnreadableError, unpack
from understudy.relay.jobs.tasks import ends_well
from understudy.relay.order import Order
from understudy.services.sealing import BrokenSealError, NoKeyError

if TYPE_CHECKING:
    from understudy.relay.exchange import Exchange
    from understudy.relay.jobs.jobs import Jobs

__all__ = ["LEASE_SECONDS", "Run"]

#: How long a job is ours after the last sign of life; a third of it passes between two signs.
LEASE_SECONDS: Final = 15.0
#: Seconds for which an answer that is there, and paid for, is offered to a store that fails.
OFFER_SECONDS: Final = 120.0
OFFER_EVERY: Final = 1.0
_ENCODER: Final = msgspec.json.Encoder()


class Run:
    """Carries out one claim.

    Args:
        jobs: whose it is.
        claimed: the job.
        target: the target that was thought to serve it.
    """

    def __init__(self, jobs: Jobs, claimed: Claimed, target: Target) -> None:
        self._jobs = jobs
        self._relay = jobs.relay
        self._job = claimed.job
        #: What is asked, as it was kept, until it is a request again.
        self._asked = claimed.request
        #: Bytes that it holds in memory, about.
        self.size = len(self._asked.data)
        self._lease = claimed.lease
        self._target = target
        self._catcher = Catcher()
        self._exchange: Exchange | None = None
        self._is_leaving = False
        #: Whether the target has answered it; None: nothing says so or otherwise.
        self.went_well: bool | None = None
        #: It has asked nobody, and was as good as not begun.
        self.is_spared = False

    def drop(self) -> None:
        """It is wanted no more: stop, without a word to the store."""
        self._catcher.done.set()

    def leave(self) -> None:
        """The process ends: the job is the next one's."""
        self._is_leaving = True
        self._catcher.done.set()

    async def carry_out(self) -> None:
        """From the claim to the word about what became of it."""
        try:
            # Where that fails its lease runs out, and then it is somebody's again.
            await ends_well(self._jobs, self._carry_out(), f"running {self._job.id}")
        finally:
            self._stop()

    async def _carry_out(self) -> None:
        order = await self._prepared()
        if order is None:
            return
        catcher = self._catcher
        if not catcher.done.is_set():
            self._exchange = self._relay.deliver(order, catcher)
            await self._keep_lease()
        if catcher.is_whole and self._exchange is not None:
            await self._settle(order, self._exchange)
        elif catcher.is_too_long:
            text = "The answer is longer than what is kept of one."
            await self._refuse(Refusal(503, "result_too_large", text))
        elif self._is_leaving:
            # Its provider stops first: nothing may be asked for twice at once.
            self._stop()
            await self._give_back(Back(0.0, counted=False))

    async def _settle(self, order: Order, exchange: Exchange) -> None:
        """It has run to its end: what follows."""
        attempts, verdict = exchange.record.attempts, exchange.verdict
        if attempts and not (verdict is not None and verdict.is_callers):
            self.went_well = self._has_answered(attempts[-1])
        if verdict is None:
            seconds = self._relay.now() - order.request.arrived
            self._jobs.outlook.ran(self._job.feature, seconds)
        next_ = follows(
            verdict,
            attempts=self._job.attempts,
            claims=self._job.token,
            others_served=self._others_were_served(order, attempts),
            chance=self._relay.draw(),
        )
        if isinstance(next_, Back):
            if verdict is not None:
                await self._tell(verdict.code, verdict.words, request=order.id)
            await self._give_back(next_)
            return
        ending = JobStatus.SUCCEEDED if next_.succeeded else JobStatus.FAILED
        await self._finish(ending, self._catcher.answer())

    # -- before -------------------------------------------------------------------------------

    async def _prepared(self) -> Order | None:
        """The order; None where there is nothing to carry out, and the store has been told."""
        if self._job.attempts > MOST_ATTEMPTS:
            text = f"This was begun {MOST_ATTEMPTS} times, and never came to an end."
            await self._refuse(Refusal(503, "given_up", text))
            return None
        try:
            order = await self._understand()
        except NoKeyError:
            await self._wait_for_settings()
            return None
        except (BrokenSealError, UnreadableError) as error:
            # A newer program's, perhaps: whoever can read it may have it.
            self._relay.log.note("job", job=self._job.id, text=str(error))
            await self._give_back(Back(WAIT_SECONDS_MAX * self._relay.draw(), counted=True))
            return None
        except Refusal as refusal:
            # When it was taken nothing was wrong with it: the settings have changed since.
            await self._tell(refusal.code, refusal.message)
            await self._wait_for_settings()
            return None
        now = self._relay.now()
        if all(self._relay.board.rests(target, now) for target in order.place.plan.targets):
            # Its lane is served, and not by what this one asks for: that is no attempt.
            await self._give_back(Back(WAIT_SECONDS_MAX * self._relay.draw(), counted=False))
            return None
        return order

    async def _understand(self) -> Order:
        """As the intake understands it, by the settings in force."""
        job, relay = self._job, self._relay
        data = await self._jobs.vault.open_request(job, self._asked)
        self._asked = Request(b"")
        # Who called is a name now: the key is not kept, and not asked for again.
        caller = Caller(name=job.caller, key_digest="") if job.caller else None
        request, user = unpack(data, caller, relay.now())
        order = relay.intake.understand(relay.runtime, request, job.operation, relay.new_id())
        order.user = user
        order.is_job = True
        # It can wait in the store as well, and takes up no room there.
        order.limits = replace(order.limits, hold=0.0)
        return order

    # -- meanwhile ----------------------------------------------------------------------------

    async def _keep_lease(self) -> None:
        """Wait until nothing more will come, or the job is not ours any more."""
        done = self._catcher.done
        while not await rung(done, LEASE_SECONDS / 3.0):
            try:
                said = await self._jobs.store.extend(
                    self._lease, until=self._jobs.calendar() + LEASE_SECONDS
                )
            except StoreError as error:
                # A lease that has run out holds until somebody takes the job.
                self._jobs.upkeep.complain(error)
                continue
            if isinstance(said, Stale):
                return

    def _stop(self) -> None:
        """What is still under way ends now; its provider too."""
        exchange = self._exchange
        if exchange is not None and exchange in self._relay.live:
            exchange.gone()

    # -- after --------------------------------------------------------------------------------

    def _has_answered(self, attempt: Attempt) -> bool:
        target = self._target
        same = (attempt.target, attempt.account) == (target.name, target.account)
        return same and attempt.result is Result.CONTENT

    def _others_were_served(self, order: Order, attempts: list[Attempt]) -> bool:
        """Whether a target that it was tried at has worked since."""
        targets = {(t.name, t.account): t for t in order.place.plan.targets}
        relay = self._relay
        for attempt in attempts:
            target = targets.get((attempt.target, attempt.account))
            if target is None:
                continue
            if relay.board.of_target(target).last_good + relay.wall >= attempt.started_at:
                return True
        return False

    async def _tell(self, code: str, message: str, **ids: str) -> None:
        """An event for those who watch: it was tried, and why it waits again. `ids`: of what was
        asked for it.
        """
        told = {**ids, "code": code, "message": message}
        try:
            await self._jobs.store.append(
                self._lease,
                kind="attempted",
                data=_ENCODER.encode(told),
                now=self._jobs.calendar(),
            )
        except StoreLimitError:
            # Tried thousands of times: who wants to know has been told often enough.
            return

    async def _wait_for_settings(self) -> None:
        """By those in force it can't be begun."""
        self.is_spared = True
        await self._give_back(barred(claims=self._job.token, chance=self._relay.draw()))

    async def _give_back(self, back: Back) -> None:
        jobs = self._jobs
        now = jobs.calendar()
        said = await jobs.store.give_back(
            self._lease, ready_at=now + back.seconds, counted=back.counted, now=now
        )
        if not isinstance(said, Stale):
            jobs.returned(self._job)

    async def _refuse(self, refusal: Refusal) -> None:
        """It ends here, with words of ours."""
        answer = self._jobs.own_answer(self._job, refusal)
        await self._finish(JobStatus.FAILED, answer)

    async def _finish(self, ending: JobStatus, answer: Answer) -> None:
        jobs = self._jobs
        answer = await jobs.vault.answer(self._job, answer)
        until = self._relay.now() + OFFER_SECONDS
        while True:
            try:
                said = await jobs.store.finish(
                    self._lease,
                    JobStatus.SUCCEEDED if ending is JobStatus.SUCCEEDED else JobStatus.FAILED,
                    answer,
                    now=jobs.calendar(),
                )
            except StoreError as error:
                if self._relay.now() >= until:
                    raise
                jobs.upkeep.complain(error)
                await asyncio.sleep(OFFER_EVERY)
            else:
                break
        if not isinstance(said, Stale):
            jobs.ended(self._job, ending)
