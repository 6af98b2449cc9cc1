"""What a caller has been sent of a stream: kept as it went out, read back only when it matters.

Another target can go on with a broken answer only from what the caller really has. Reading every
event for that on its way would cost each stream what few need; so the bytes are kept, and read when
the stream breaks, or when they have become many: what remains then is the text.
"""

from __future__ import annotations

from understudy.dialects.base import Dialect, Sent

__all__ = ["Tape"]

#: Bytes kept unread. A stream of 1,000 is to cost 64 KB at most, its connections included.
UNREAD_BYTES = 16 * 1024


class Tape:
    """The bytes sent in one stream.

    Args:
        dialect: the caller's.
    """

    __slots__ = ("_dialect", "_pieces", "_sent", "_size")

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._pieces: list[bytes] = []
        self._size = 0
        self._sent: Sent | None = None

    def add(self, data: bytes) -> None:
        """These bytes have been sent."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size > UNREAD_BYTES:
            self.read()

    def read(self) -> Sent:
        """What stands there by now."""
        sent = self._sent
        if sent is None:
            sent = self._sent = self._dialect.sent()
        if self._pieces:
            sent.feed(b"".join(self._pieces))
            self._pieces.clear()
            self._size = 0
        return sent
