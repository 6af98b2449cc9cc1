"""One worker: a process, and the channel to it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

from understudy.supervisor.seat import Seat

__all__ = ["Worker", "launch"]


class Worker:
    """A process that serves, or is about to.

    Args:
        process: it.
        channel: readable when it has something to say, or is gone.
    """

    def __init__(self, process: subprocess.Popen[bytes], channel: socket.socket) -> None:
        self._process = process
        self.channel = channel
        #: It may have read its configuration before that was changed.
        self.is_stale = False
        #: When it is given up, on the clock of `Slot`.
        self.kill_at = float("inf")

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    def is_ready(self) -> bool:
        """Whether that is what it says (to be asked when its channel is readable)."""
        with suppress(OSError):
            return bool(self.channel.recv(64))
        return False

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens if it has ended."""
        self._process.send_signal(number)

    def ended(self) -> int | None:
        """Its exit code, or a signal's number negated; None: it runs."""
        return self._process.poll()


def launch(arguments: Sequence[str], seat: Seat, channel: socket.socket) -> Worker:
    """Start a worker in an interpreter of its own, which shares no module with what runs already.

    `arguments` of the command; `channel`: our end of the one that the seat names.

    Raises:
        OSError: no process can be started.
    """
    process = subprocess.Popen(  # noqa: S603 - our own command
        # -P: the working directory is no place to import from.
        [sys.executable, "-P", "-m", "understudy", *arguments, "--seat", seat.written()],
        stdin=subprocess.DEVNULL,
        pass_fds=seat.descriptors,
        # Of its own: Ctrl-C in a terminal is for the supervisor, which passes it on in order.
        process_group=0,
    )
    channel.setblocking(False)
    return Worker(process, channel)
