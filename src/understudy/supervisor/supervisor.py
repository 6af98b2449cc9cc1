"""Starts workers and looks after them, until it is told to end.

It has no event loop and serves nothing itself: it sleeps until a signal comes, a worker is ready, a
process ends or something is due. Since it holds every listening socket for as long as it lives, no
caller is turned away while a worker is replaced: who waits in its queue is served by the next one.
"""

from __future__ import annotations

import os
import secrets
import selectors
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

from understudy import __version__
from understudy.core.settings import Settings
from understudy.services.logs import Log
from understudy.supervisor.listeners import Listeners, door_of
from understudy.supervisor.reload import read_again
from understudy.supervisor.seat import Seat
from understudy.supervisor.slot import KILL_SECONDS, Fall, Slot
from understudy.supervisor.worker import Worker, launch

__all__ = ["Plan", "supervise"]

_HEARD: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2, signal.SIGCHLD)
_NEVER: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. `grace` in seconds; `state`: where what is pulled is kept, if not as usual."""

    config: Path
    workers: int
    grace: float
    state: Path | None = None

    @property
    def arguments(self) -> list[str]:
        """Of each worker's command."""
        told = ["serve", "--config", str(self.config), "--grace", f"{round(self.grace * 1000)}ms"]
        return told if self.state is None else [*told, "--state", str(self.state)]


def supervise(plan: Plan, settings: Settings) -> int:
    """Run workers until SIGTERM or SIGINT. SIGHUP reloads the file, SIGUSR2 replaces the workers.

    `settings`: of the file that the plan names.

    Returns:
        The exit code: that of a worker, if the start fails.

    Raises:
        OSError: an address is in use or not ours, or no process can be started.
    """
    with ExitStack() as stack:
        relay = Listeners(settings.relay, plan.workers)
        stack.callback(relay.close)
        web = Listeners(settings.web, plan.workers)
        stack.callback(web.close)
        supervisor = _Supervisor(plan, relay, web)
        stack.callback(supervisor.close)
        return supervisor.run()


class _Supervisor:
    def __init__(self, plan: Plan, relay: Listeners, web: Listeners) -> None:
        self._plan = plan
        self._relay, self._web = relay, web
        self._log = Log()
        crew = f"understudy-{secrets.token_hex(8)}"
        self._doors = tuple(f"{crew}-{number}" for number in range(plan.workers))
        self._open_doors = [door_of(name) for name in self._doors]
        self._slots = [Slot(number, self._start) for number in range(plan.workers)]
        #: Slots whose workers are still to be replaced, and the one that it is being done at.
        self._to_roll: list[Slot] = []
        self._rolling: Slot | None = None
        self._is_announced = False
        self._is_ending = False
        self._code = 0
        self._selector = selectors.DefaultSelector()
        self._ears, self._mouth = socket.socketpair()
        for end in (self._ears, self._mouth):
            end.setblocking(False)
        self._selector.register(self._ears, selectors.EVENT_READ)

    def run(self) -> int:
        """Until everyone has ended."""
        for number in _HEARD:
            signal.signal(number, _interrupt)
        signal.set_wakeup_fd(self._mouth.fileno(), warn_on_full_buffer=False)
        # The first one alone: what is wrong with the start is said once, and tables are made once.
        for slot in self._slots[1:]:
            slot.due = _NEVER
        self._advance(monotonic())
        while not self._is_ending or any(True for _ in self._workers()):
            self._sleep()
            now = monotonic()
            self._bury(now)
            self._give_up(now)
            if not self._is_ending:
                self._advance(now)
        return self._code

    def close(self) -> None:
        """End what still runs, and let go of everything."""
        for _, worker in self._workers():
            worker.tell(signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        self._selector.close()
        for end in (self._ears, self._mouth, *self._open_doors):
            end.close()

    def _workers(self) -> Iterator[tuple[Slot, Worker]]:
        for slot in self._slots:
            for worker in slot:
                yield slot, worker

    # -- what happens -------------------------------------------------------------------------

    def _sleep(self) -> None:
        """Until something happens or is due."""
        due = [worker.kill_at for _, worker in self._workers()]
        if not self._is_ending:
            due += [slot.due for slot in self._slots if slot.is_empty]
        soonest = min(due, default=_NEVER)
        pause = None if soonest == _NEVER else max(0.0, soonest - monotonic())
        for key, _ in self._selector.select(pause):
            if key.fileobj is self._ears:
                for number in self._ears.recv(4096):
                    self._hear(signal.Signals(number))
            else:
                slot, worker = key.data
                # It says one thing. That it has ended is heard from the kernel.
                self._selector.unregister(worker.channel)
                if worker.is_ready() and not self._is_ending:
                    self._take_over(slot, monotonic())

    def _hear(self, number: signal.Signals) -> None:
        """A signal, which may have come several times by now."""
        if number in {signal.SIGTERM, signal.SIGINT}:
            if self._is_ending:
                for _, worker in self._workers():
                    worker.tell(signal.SIGKILL)
            else:
                self._end()
        elif number == signal.SIGHUP and not self._is_ending:
            self._reload()
        elif number == signal.SIGUSR2 and self._is_announced and not self._is_ending:
            self._log.note("restarting")
            self._to_roll = list(self._slots)

    def _bury(self, now: float) -> None:
        """Take note of those who have ended."""
        for slot, worker in list(self._workers()):
            code = worker.ended()
            if code is None:
                continue
            with suppress(KeyError):
                self._selector.unregister(worker.channel)
            worker.channel.close()
            fall = slot.ended(worker, now)
            if self._is_ending or fall is Fall.LEFT:
                continue
            self._fell(slot, worker, fall, code)

    def _fell(self, slot: Slot, worker: Worker, fall: Fall, code: int) -> None:
        """Somebody has ended who was not told to."""
        if not self._is_announced:
            # It has said why.
            self._code = max(code, 1)
            self._end()
            return
        again_in = max(0.0, slot.due - monotonic()) if slot.is_empty else None
        self._log.warn(
            "worker ended",
            worker=slot.number,
            pid=worker.pid,
            text=_ending(code),
            again_in=None if again_in is None else round(again_in, 1),
        )
        if slot is self._rolling and fall is not Fall.FELL:
            self._stop_rolling("the new worker did not start; the others stay as they are")
        if again_in:
            self._turn_away(slot.number)

    def _turn_away(self, number: int) -> None:
        """Nobody serves at a slot for a while: nobody is to wait for it."""
        self._relay.renew(number)
        self._web.renew(number)
        self._open_doors[number].close()
        self._open_doors[number] = door_of(self._doors[number])

    def _give_up(self, now: float) -> None:
        """Kill who takes too long."""
        for slot, worker in self._workers():
            if now >= worker.kill_at:
                worker.kill_at = _NEVER
                self._log.warn("worker killed", worker=slot.number, pid=worker.pid)
                worker.tell(signal.SIGKILL)

    # -- what is done -------------------------------------------------------------------------

    def _advance(self, now: float) -> None:
        """Start who is due."""
        for slot in self._slots:
            if slot.is_empty and now >= slot.due:
                self._begin(slot, now)
        if self._rolling is None or self._rolling.is_settled:
            self._roll_on(now)

    def _roll_on(self, now: float) -> None:
        """One slot after the other: so that there is one process more than usual at a time."""
        if self._rolling is None and not self._to_roll:
            return
        while self._to_roll:
            self._rolling = self._to_roll.pop(0)
            # Where nobody serves, the next one comes with what is new anyway.
            if self._rolling.serving is not None:
                self._begin(self._rolling, now)
                return
        self._rolling = None
        self._log.note("restarted")

    def _stop_rolling(self, why: str) -> None:
        self._to_roll = []
        self._rolling = None
        self._log.warn("restart stopped", text=why)

    def _begin(self, slot: Slot, now: float) -> None:
        """Start a worker."""
        try:
            slot.begin(now)
        except OSError as error:
            if not self._is_announced:
                raise
            self._log.warn("worker not started", worker=slot.number, text=error.strerror)
            if slot is self._rolling:
                self._stop_rolling("no process could be started")
            else:
                slot.fell(now)

    def _start(self, number: int) -> Worker:
        ours, theirs = socket.socketpair()
        seat = Seat(
            slot=number,
            doors=self._doors,
            relay=self._relay.of(number).fileno(),
            web=self._web.of(number).fileno(),
            door=self._open_doors[number].fileno(),
            channel=theirs.fileno(),
        )
        with theirs:
            try:
                worker = launch(self._plan.arguments, seat, ours)
            except OSError:
                ours.close()
                raise
        self._selector.register(ours, selectors.EVENT_READ, (self._slots[number], worker))
        return worker

    def _take_over(self, slot: Slot, now: float) -> None:
        """Who came serves, and who served may leave."""
        old = slot.take_over(now)
        new = slot.serving
        if new is not None:
            self._log.note("worker ready", worker=slot.number, pid=new.pid)
            if new.is_stale:
                new.tell(signal.SIGHUP)
        if old is not None:
            old.kill_at = now + self._plan.grace + KILL_SECONDS
            old.tell(signal.SIGUSR2)
        if not self._is_announced:
            if all(slot.serving is not None for slot in self._slots):
                self._announce()
            elif slot.number == 0:
                for other in self._slots[1:]:
                    other.due = now

    def _announce(self) -> None:
        self._is_announced = True
        self._log.note(
            "started",
            version=__version__,
            relay=self._relay.url,
            web=self._web.url,
            workers=len(self._slots),
            pid=os.getpid(),
        )
        print(f"relay: {self._relay.url}")
        print(f"web: {self._web.url}")
        print("ready", flush=True)

    def _reload(self) -> None:
        """A file with a fault in it never reaches a worker."""
        if read_again(self._plan.config, self._log) is None:
            return
        for slot in self._slots:
            if slot.serving is not None:
                slot.serving.tell(signal.SIGHUP)
            if slot.coming is not None:
                # It may have no ear for signals yet.
                slot.coming.is_stale = True

    def _end(self) -> None:
        """Have everyone drain. Nobody new gets in: only we and they have the sockets open."""
        self._is_ending = True
        self._log.note("ending", grace=self._plan.grace)
        self._relay.close()
        self._web.close()
        for _, worker in self._workers():
            worker.kill_at = monotonic() + self._plan.grace + KILL_SECONDS
            worker.tell(signal.SIGTERM)


def _interrupt(*_: object) -> None:
    """What is to be done about a signal is done by who sleeps."""


def _ending(code: int) -> str:
    """Why a process has ended."""
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return f"killed by {signal.Signals(-code).name}"
    return f"killed by signal {-code}"
