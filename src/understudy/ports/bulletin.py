"""What processes that share a store tell each other, and which of them does what one does for all.

Words are hints, not records: each may be lost, late or heard twice, and nothing is promised by one.
Whoever tells of a state tells all of it again from time to time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["MAX_TOPIC", "MAX_WORD_BYTES", "Bulletin", "Changed", "Hear", "check_word"]

#: Of one word. PostgreSQL's NOTIFY takes less than 8,000 bytes of text
#: (https://www.postgresql.org/docs/current/sql-notify.html): this many in base64, and who says it.
MAX_WORD_BYTES: Final = 5_700
#: Letters of a topic: printable ASCII without a space.
MAX_TOPIC: Final = 32

#: Hears a word: who said it, about what, and what.
Hear = Callable[[str, str, bytes], None]
#: Is called when `is_up` or `leads` has changed.
Changed = Callable[[], None]


class Bulletin(Protocol):
    """Carries words between processes. No method blocks the event loop."""

    @property
    def name(self) -> str:
        """This process, as the others know it; unique, also over restarts."""

    @property
    def is_up(self) -> bool:
        """Words go out and come in, as far as is known."""

    @property
    def leads(self) -> bool:
        """This process is the one that does what one does for all. False whenever it isn't sure."""

    def stand(self, *, willing: bool) -> None:
        """Whether this process may lead; at first it may. One that may not gives up the lead."""

    def tell(self, topic: str, body: bytes) -> None:
        """Say a word to all others (not to oneself). Dropped where it can't be said soon.

        Raises:
            ValueError: it is longer than `MAX_WORD_BYTES`, or the topic is none.
        """

    def listen(self, hear: Hear, changed: Changed) -> None:
        """From now on these are called on the loop's thread: with each word of the others, in the
        order in which one of them said them, and when it comes up, goes down, or the lead changes.
        """

    async def close(self) -> None:
        """Say what still waits to be said, give up the lead, and stop."""


def check_word(topic: str, body: bytes) -> None:
    """Hold the bounds of a word.

    Raises:
        ValueError: the body is too long, or the topic is none.
    """
    if len(body) > MAX_WORD_BYTES:
        raise ValueError(f"a word is longer than {MAX_WORD_BYTES} bytes")
    if not (0 < len(topic) <= MAX_TOPIC and topic.isascii() and topic.isprintable()):
        raise ValueError("a topic is no short name")
    if " " in topic:
        raise ValueError("a topic has a space in it")
