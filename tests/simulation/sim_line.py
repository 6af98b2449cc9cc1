"""What lies between two hosts: delay, bandwidth, how bytes are cut, how much is on the way at once,
and the times at which nothing gets through.
"""

from __future__ import annotations

import math
import random
from typing import Literal

import msgspec

__all__ = ["Hole", "Line", "NetFault", "Trouble"]

#: Pieces of one direction that are cut small; what follows is cut as Ethernet would.
SMALL_PIECES = 150
#: Seconds of a narrow line's bytes that arrive together at most.
TOGETHER = 0.05
#: The payload of an Ethernet frame, less IP's and TCP's headers.
FRAME = 1448

Cut = Literal["whole", "frames", "random", "bytes"]
Trouble = Literal[
    "refuse",
    "unreachable",
    "connect_hangs",
    "tls_broken",
    "dns_fails",
    "dns_silent",
    "dns_hangs",
    "hole",
    "reset_all",
    "close_all",
]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The way to a host. Seconds, bytes, bytes a second (0: no limit).

    `window` is what the kernels and the wire hold of one direction before the sender's own buffer
    fills; `cut` is how the receiver meets the bytes: as they were written, in frames, in pieces of
    any size, or byte by byte. `rude`: a reset overtakes the data sent before it.
    """

    latency: float = 0.0005
    jitter: float = 0.0
    bandwidth: float = 0.0
    window: int = 256 * 1024
    cut: Cut = "whole"
    rude: bool = False

    def size_of_next(self, held: int, cut_so_far: int, rng: random.Random) -> int:
        """How many of `held` bytes arrive together."""
        if self.bandwidth:
            held = min(held, max(FRAME, int(self.bandwidth * TOGETHER)))
        if self.cut == "whole":
            return held
        if self.cut == "frames" or cut_so_far > SMALL_PIECES:
            return min(held, FRAME)
        if self.cut == "bytes":
            return 1
        most = rng.choice((3, 17, 90, 700, FRAME))
        return min(held, rng.randint(1, most))


class NetFault(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong with the network to `host`, from `start` to `end`.

    `reset_all` and `close_all` strike once, at `start`, every connection that is open then.
    """

    host: str
    trouble: Trouble
    start: float = 0.0
    end: float = math.inf

    def holds_at(self, now: float) -> bool:
        """Whether it is on."""
        return self.start <= now < self.end


class Hole(msgspec.Struct, frozen=True):
    """A time in which packets are lost; what was sent is sent again when it is over."""

    start: float
    end: float

    def delays(self, arrival: float) -> float:
        """When something that would arrive at `arrival` does."""
        return self.end if self.start <= arrival < self.end else arrival
