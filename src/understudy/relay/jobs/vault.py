"""Seals what is kept of jobs and opens it again, beside the loop where it is large.

Whether there is a key, and which, is the settings' to say. What was sealed with a key that is not
here is not lost: it waits for the key, and somebody is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from understudy.ports import Answer, Job, Request
from understudy.relay.http import Refusal
from understudy.relay.jobs.views import job_path
from understudy.services.sealing import PIECE_BYTES, NoKeyError, SealError, Seals, bound

if TYPE_CHECKING:
    from understudy.relay.jobs.jobs import Jobs

__all__ = ["Vault", "beside"]

#: A result that can't be opened is asked for again in so many seconds: somebody must act first.
RETRY_AFTER_SECONDS: Final = 60.0
T = TypeVar("T")


class _Content(msgspec.Struct, frozen=True, array_like=True):
    """What of an answer is sealed as one."""

    headers: tuple[tuple[str, str], ...]
    body: bytes


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(_Content)


async def beside(size: int, work: Callable[[], T]) -> T:
    """Do what takes its time by the bytes that it is about; in a thread, where they are many."""
    return work() if size <= PIECE_BYTES else await asyncio.to_thread(work)


class Vault:
    """Keeps the contents of jobs to those who have the key.

    Args:
        jobs: whose contents.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._seals = Seals()
        #: Keys that are missing, and have been asked for in the log.
        self._missed: set[str] = set()
        self.renew()

    def renew(self) -> None:
        """The settings are others now."""
        rules = self._jobs.relay.runtime.settings.jobs
        self._seals = Seals(rules.encryption_key, rules.earlier_keys)
        self._missed.clear()

    def request(self, data: bytes, tenant: str, job_id: str) -> Request:
        """What is asked, as it is kept. May be called in a thread."""
        seals = self._seals
        if not seals.seals:
            return Request(data)
        return Request(seals.seal(data, bound(tenant, job_id, "request")), encrypted=True)

    async def open_request(self, job: Job, request: Request) -> bytes:
        """What was asked.

        Raises:
            NoKeyError: its key is not here; that has been told.
            BrokenSealError: it is not what was kept.
        """
        if not request.encrypted:
            return request.data
        place = bound(job.tenant, job.id, "request")
        work = partial(self._seals.open, request.data, place)
        try:
            return await beside(len(request.data), work)
        except NoKeyError as error:
            self._miss(job, error)
            raise

    async def answer(self, job: Job, answer: Answer) -> Answer:
        """An answer, as it is kept: its headers are sealed with its body."""
        seals, place = self._seals, bound(job.tenant, job.id, "result")
        if not seals.seals:
            return answer

        def work() -> bytes:
            return seals.seal(_ENCODER.encode(_Content(answer.headers, answer.body)), place)

        sealed = await beside(len(answer.body), work)
        return Answer(answer.status, (), sealed, encrypted=True)

    async def open_answer(self, job: Job, answer: Answer) -> Answer:
        """The answer that was kept.

        Raises:
            Refusal: it can't be opened.
        """
        if not answer.encrypted:
            return answer
        seals, place = self._seals, bound(job.tenant, job.id, "result")

        def work() -> _Content:
            return _DECODER.decode(seals.open(answer.body, place))

        try:
            content = await beside(len(answer.body), work)
        except NoKeyError as error:
            self._miss(job, error)
            text = "The result is kept, but the key that opens it is missing here right now."
            raise _closed(job, "result_sealed", text) from None
        except SealError as error:
            self._jobs.relay.log.note("job", job=job.id, text=f"its result: {error}")
            text = "The result is not as it was kept, and can't be opened."
            raise _closed(job, "result_damaged", text) from None
        return Answer(answer.status, content.headers, content.body)

    def _miss(self, job: Job, error: NoKeyError) -> None:
        """Tell of a missing key: each time in a number, once in words."""
        self._jobs.meter.locked(job.feature)
        if error.key_id not in self._missed:
            self._missed.add(error.key_id)
            text = (
                f"jobs are sealed with the key {error.key_id}, which is neither "
                "`jobs.encryption_key` nor one of `jobs.earlier_keys`: they wait for it"
            )
            self._jobs.relay.log.note("jobs locked", text=text)


def _closed(job: Job, code: str, text: str) -> Refusal:
    return Refusal(503, code, text, retry_after=RETRY_AFTER_SECONDS, job=job_path(job.id))
