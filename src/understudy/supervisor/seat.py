"""What a supervisor gives a worker: a number, and file descriptors to inherit."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Self

import msgspec

__all__ = ["Seat"]

_READY = b"ready\n"


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's place. What is not said otherwise is a file descriptor."""

    #: From 0; a worker's successor has the same.
    slot: int
    #: Where each worker of the supervisor answers the others, by slot: abstract addresses (unix(7))
    #: without the NUL before them.
    doors: tuple[str, ...]
    relay: int
    web: int
    door: int
    #: To the supervisor: says that it is there, hears that the supervisor is not.
    channel: int

    @property
    def descriptors(self) -> tuple[int, int, int, int]:
        """All that is inherited."""
        return self.relay, self.web, self.door, self.channel

    def written(self) -> str:
        """For a command line."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def read(cls, text: str) -> Self:
        """What `written` wrote.

        Raises:
            msgspec.DecodeError: it did not.
        """
        return msgspec.json.decode(text, type=cls)

    def take(self, descriptor: int) -> socket.socket:
        """A socket of it, which no process of ours inherits any more.

        Raises:
            OSError: it is not open.
        """
        os.set_inheritable(descriptor, False)
        return socket.socket(fileno=descriptor)

    @staticmethod
    def say_ready(channel: socket.socket) -> None:
        """Tell the supervisor that this worker serves. Should it be gone, that is heard."""
        with suppress(OSError):
            channel.send(_READY)
