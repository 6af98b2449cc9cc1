"""Tells webhooks that jobs have ended: at least once each, until they have heard it.

What is to be said stands in the store since the moment of the job's end, so that no death of a
process loses it. Whoever claims it says it; the claim is a lease, so that processes do not say it
together, and one that dies leaves it to the next. Only the settings name webhooks; callers choose
one by its name. No redirect is followed, and of an answer nothing is read but its head.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from understudy import __version__
from understudy.core.faults import Fault
from understudy.core.settings import Webhook
from understudy.policy.callbacks import TOLD_SECONDS_MAX, Again, Delivered, follows
from understudy.ports import Callback
from understudy.providers.retry_after import from_headers
from understudy.relay.http import Origin
from understudy.relay.jobs.bell import rung
from understudy.relay.jobs.tasks import ends_well, wind_up
from understudy.relay.jobs.views import callback_body, callback_id
from understudy.services.webhook_metrics import Told, WebhookMetrics
from understudy.services.webhook_signing import signatures

if TYPE_CHECKING:
    from understudy.relay.jobs.jobs import Jobs

__all__ = ["Webhooks"]

#: For one attempt, connecting included; the standard recommends 15 to 30.
ANSWER_SECONDS: Final = 15.0
#: A claim holds for longer than an attempt takes.
LEASE_SECONDS: Final = ANSWER_SECONDS + 5.0
#: Attempts at one webhook at once.
AT_ONCE: Final = 8
#: Seconds between two looks for what is due, or was left by another process.
LOOK_SECONDS: Final = 1.0
TROUBLE_SECONDS: Final = 5.0
#: Seconds between two counts of what waits, and two looks for what is too old to be told.
COUNT_SECONDS: Final = 5.0
DROP_SECONDS: Final = 60.0
DROP_AT_ONCE: Final = 500
#: Seconds for which attempts under way may go on when the process ends.
LEAVE_SECONDS: Final = 2.0


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What came back, in words; `status` None: no answer. `retry_after` in seconds."""

    why: str
    status: int | None = None
    retry_after: float | None = None


class Endpoint:
    """One webhook, as it is told things.

    Args:
        webhook: its settings.
    """

    def __init__(self, webhook: Webhook) -> None:
        parts = urlsplit(webhook.url)
        tls = parts.scheme == "https"
        self.name = webhook.name
        self.origin = Origin(
            host=parts.hostname or "", port=parts.port or (443 if tls else 80), tls=tls
        )
        self.under_way = 0
        #: On the loop's clock.
        self.rests_until = 0.0
        #: It wants to be told nothing any more.
        self.is_gone = False
        self._secrets = webhook.secrets
        self._head = (
            f"POST {parts.path or '/'} HTTP/1.1\r\nhost: {parts.netloc}\r\n"
            f"user-agent: understudy/{__version__}\r\ncontent-type: application/json\r\n"
            "accept-encoding: identity\r\n"
        )

    def request(self, callback: Callback, now: int) -> bytes:
        """The whole request that tells of a job's end. `now`: Unix seconds."""
        body = callback_body(callback)
        message_id = callback_id(callback)
        signed = signatures(self._secrets, message_id, now, body)
        head = (
            f"{self._head}webhook-id: {message_id}\r\nwebhook-timestamp: {now}\r\n"
            f"webhook-signature: {signed}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode("latin-1") + body


class Webhooks:
    """Tells them.

    Args:
        jobs: of whose ends.
    """

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._meter = WebhookMetrics()
        jobs.relay.metrics.registry.register(self._meter)
        self._endpoints: dict[str, Endpoint] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._counts_at = self._drops_at = float("-inf")
        self.renew()
        self._telling = asyncio.create_task(self._keep_telling(), name="telling webhooks")

    def renew(self) -> None:
        """The settings are others now: whoever wanted to be told nothing more is tried again."""
        webhooks = self._jobs.relay.runtime.settings.jobs.webhooks
        self._endpoints = {name: Endpoint(webhook) for name, webhook in webhooks.items()}

    def wake(self) -> None:
        """Something is to be told."""
        self._wake.set()

    async def close(self) -> None:
        """Stop. What is not told by then is told by others, or later."""
        self._telling.cancel()
        await asyncio.gather(self._telling, return_exceptions=True)
        await wind_up(self._tasks, LEAVE_SECONDS)

    async def _keep_telling(self) -> None:
        while True:
            if not await ends_well(self._jobs, self._look(), "telling webhooks"):
                await asyncio.sleep(TROUBLE_SECONDS)
            await rung(self._wake, LOOK_SECONDS)
            self._wake.clear()

    async def _look(self) -> None:
        """Begin what is due, and tidy up now and then."""
        now = self._jobs.relay.now()
        for endpoint in list(self._endpoints.values()):
            room = AT_ONCE - endpoint.under_way
            if room > 0 and not endpoint.is_gone and now >= endpoint.rests_until:
                await self._claim(endpoint, room)
        if now >= self._counts_at:
            self._counts_at = now + COUNT_SECONDS
            waiting = await self._jobs.store.undelivered()
            self._meter.counted(waiting, self._jobs.calendar())
        if now >= self._drops_at:
            self._drops_at = now + DROP_SECONDS
            await self._drop()

    async def _claim(self, endpoint: Endpoint, room: int) -> None:
        claimed = await self._jobs.store.claim_callbacks(
            endpoint.name, limit=room, lease=LEASE_SECONDS, now=self._jobs.calendar()
        )
        for callback in claimed:
            endpoint.under_way += 1
            task = asyncio.create_task(self._tell(endpoint, callback))
            self._tasks.add(task)

            def ended(task: asyncio.Task[None]) -> None:
                self._tasks.discard(task)
                endpoint.under_way -= 1
                # More may wait than there was room for.
                self._wake.set()

            task.add_done_callback(ended)

    async def _drop(self) -> None:
        """Give up what nobody took for a day: its webhook is gone, or is none any more."""
        before = self._jobs.calendar() - TOLD_SECONDS_MAX
        dropped = await self._jobs.store.drop_callbacks(ended_before=before, limit=DROP_AT_ONCE)
        for callback in dropped:
            self._note(callback, "given_up", "it was not taken for a day")
        if len(dropped) == DROP_AT_ONCE:
            self._drops_at = self._jobs.relay.now()

    # -- one message --------------------------------------------------------------------------

    async def _tell(self, endpoint: Endpoint, callback: Callback) -> None:
        # Where that fails its lease runs out, and it is told again: at least once.
        await ends_well(self._jobs, self._try(endpoint, callback), f"telling of {callback.job_id}")

    async def _try(self, endpoint: Endpoint, callback: Callback) -> None:
        jobs = self._jobs
        heard = await self._post(endpoint, callback)
        next_ = follows(
            heard.status,
            attempts=callback.attempts,
            retry_after=heard.retry_after,
            chance=jobs.relay.draw(),
        )
        again_at = None
        if isinstance(next_, Again):
            again_at = jobs.calendar() + next_.seconds
            self._put_off(endpoint, callback, next_, heard.why)
        elif isinstance(next_, Delivered):
            self._meter.told(callback.webhook, "delivered")
        else:
            self._note(callback, "given_up", heard.why)
        await jobs.store.settle_callback(callback, again_at=again_at)

    def _put_off(self, endpoint: Endpoint, callback: Callback, again: Again, why: str) -> None:
        endpoint.rests_until = max(
            endpoint.rests_until, self._jobs.relay.now() + again.rest if again.rest else 0.0
        )
        self._note(callback, "failed", why, again.seconds)
        if again.is_gone and not endpoint.is_gone:
            endpoint.is_gone = True
            self._jobs.relay.log.note(
                "webhook",
                webhook=endpoint.name,
                text="it wants to be told nothing any more (410); it is left alone until the "
                "settings are read again",
            )

    def _note(
        self, callback: Callback, told: Told, why: str, again_in: float | None = None
    ) -> None:
        self._meter.told(callback.webhook, told)
        self._jobs.relay.log.note(
            "webhook",
            webhook=callback.webhook,
            job=callback.job_id,
            status=callback.status,
            result=told,
            attempts=callback.attempts,
            again_in=None if again_in is None else round(again_in, 1),
            text=why,
        )

    async def _post(self, endpoint: Endpoint, callback: Callback) -> Heard:
        now = self._jobs.calendar()
        ear = _Ear(now)
        request = endpoint.request(callback, int(now))
        call = self._jobs.relay.pool.call(endpoint.origin, request, ear)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                heard = await ear.heard
        except TimeoutError:
            heard = Heard(why=f"no answer within {ANSWER_SECONDS:g} s")
        finally:
            if ear.heard.done() and not ear.heard.cancelled():
                # The rest of it is waited for shortly, so that the connection may be kept.
                call.release()
            else:
                call.abandon()
        return heard


class _Ear:
    """Hears the head of an answer: see `understudy.relay.upstream.Sink`. `now`: Unix seconds."""

    def __init__(self, now: float) -> None:
        self.heard: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()
        self._now = now

    def on_head(self, status: int, headers: Mapping[str, str]) -> None:
        """See `Sink`."""
        self._settle(
            Heard(
                why=f"it answers {status}",
                status=status,
                retry_after=from_headers(headers, self._now),
            )
        )

    def on_data(self, data: bytes) -> None:
        """See `Sink`: nobody wants to know."""

    def on_end(self) -> None:
        """See `Sink`."""

    def on_lost(self, fault: Fault) -> None:
        """See `Sink`."""
        self._settle(Heard(why=fault.message))

    def _settle(self, heard: Heard) -> None:
        if not self.heard.done():
            self.heard.set_result(heard)
