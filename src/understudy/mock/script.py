"""What a connection is told to do, step by step.

Every answer and every fault is a script: an iterator of bytes to write, times to wait and things
to do to the socket. Scripts are pure, so a fault is tested as data and played by one small
interpreter (`understudy.mock.http`). They may be endless: the interpreter takes a step at a time
and stops when the client has gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

import msgspec

__all__ = ["Act", "Script", "Step", "Wait"]


class Wait(msgspec.Struct, frozen=True):
    """Write out what stands before, then let `seconds` pass. 0 gives way to other connections."""

    seconds: float


class Act(Enum):
    """What can be done to a connection, after what stands before has been written out."""

    #: Keep the connection open and silent until the client leaves.
    HANG = "hang"
    #: Close with RST: the client's next read fails.
    RESET = "reset"
    #: Close our direction only (FIN), then wait for the client to leave.
    HALF_CLOSE = "half_close"
    #: Close in order (FIN), whether or not the answer was whole.
    CLOSE = "close"


Step = bytes | Wait | Act
Script = Iterator[Step]
