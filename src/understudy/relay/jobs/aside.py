"""A request that is answered by a task: what waits for the store has no place on the path."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from understudy.ports import StoreError
from understudy.relay.http import Incoming, Refusal, Responder

if TYPE_CHECKING:
    from understudy.relay.jobs.jobs import Jobs

__all__ = ["RETRY_AFTER_SECONDS", "Aside", "Outlet"]

#: A store that failed is asked again: a database that restarts is back after some seconds.
RETRY_AFTER_SECONDS: Final = 5.0


class Outlet:
    """The caller's side of a response, which tells whether its head is out, and waits for callers
    that do not keep up.
    """

    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        self._keeps_up = asyncio.Event()
        if not responder.paused:
            self._keeps_up.set()
        self.is_open = False

    def respond(self, status: int, headers: bytes, body: bytes) -> None:
        """A whole response."""
        self.is_open = True
        self._responder.respond(status, headers, body)

    def begin(self, status: int, headers: bytes) -> None:
        """The head of a stream."""
        self.is_open = True
        self._responder.begin(status, headers)

    async def send(self, data: bytes) -> None:
        """A piece of it, once there is room for it."""
        await self._keeps_up.wait()
        self._responder.send(data)

    def end(self) -> None:
        """The stream is whole."""
        self._responder.end()

    def cut(self) -> None:
        """The stream is not whole, and is seen not to be."""
        self._responder.cut()

    def pause(self) -> None:
        """The caller does not keep up."""
        self._keeps_up.clear()

    def resume(self) -> None:
        """It keeps up again."""
        self._keeps_up.set()


class Aside:
    """One such request under way: see `understudy.relay.server.Running`.

    Args:
        jobs: what it is about.
        request: what was asked.
        responder: the caller's connection.
        answer: answers through the outlet that it is given.
    """

    def __init__(
        self,
        jobs: Jobs,
        request: Incoming,
        responder: Responder,
        answer: Callable[[Outlet], Awaitable[None]],
    ) -> None:
        self._jobs = jobs
        self._relay = jobs.relay
        self._request = request
        self._responder = responder
        self._outlet = Outlet(responder)
        self._task = asyncio.create_task(self._run(answer))

    async def _run(self, answer: Callable[[Outlet], Awaitable[None]]) -> None:
        try:
            await answer(self._outlet)
        except Refusal as refusal:
            self._refuse(refusal)
        except StoreError as error:
            self._jobs.upkeep.complain(error)
            self._refuse(
                Refusal(
                    503,
                    "store_unavailable",
                    "What keeps jobs is not available right now. Please try again soon.",
                    retry_after=RETRY_AFTER_SECONDS,
                )
            )
        except Exception as error:  # noqa: BLE001 - a task's edge
            self._relay.log.own_fault("", self._request.path, error)
            self._refuse(
                Refusal(
                    503,
                    "internal",
                    "Something went wrong on our side.",
                    retry_after=RETRY_AFTER_SECONDS,
                )
            )
        finally:
            self._jobs.answered(self)

    def _refuse(self, refusal: Refusal) -> None:
        if self._outlet.is_open:
            self._outlet.cut()
        else:
            self._relay.turn_away(self._request, refusal, self._responder)

    def gone(self) -> None:
        """The caller has left."""
        self._task.cancel()

    def pause(self) -> None:
        """The caller does not keep up."""
        self._outlet.pause()

    def resume(self) -> None:
        """It keeps up again."""
        self._outlet.resume()
