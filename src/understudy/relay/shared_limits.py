"""What processes that serve together tell each other of their callers' limits.

Each tells what it took since it last told, for many callers in one word, at most `TELL_SECONDS`
after it took it. So a process knows of the others' use but for that time and the word's way: by as
much may more be let in than the limit, and as much less is let in afterwards. A word that is lost
is never made up for; one that is heard twice counts twice. Both are over within the minute that the
limit is for.

Where words do not get through, each process goes on with its part of every limit, by the number of
processes that there last were.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from understudy.core.allotment import Holder, Taken
from understudy.policy.allotments import Allotments
from understudy.relay.fleet import Fleet
from understudy.relay.fleet.words import pack

__all__ = ["TELL_SECONDS", "TOPIC", "SharedLimits"]

#: Between what is taken and its being told.
TELL_SECONDS: Final = 0.2
TOPIC: Final = "limits"

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(list[Taken])


class SharedLimits:
    """Tells the others what is taken here, and hears what they take.

    Args:
        allotments: what is told of.
        fleet: the others.
        now: the loop's clock.
        call_later: as the loop's.
        holder: a key → whose limits these are by the settings in force; None: nobody's any more.
    """

    def __init__(
        self,
        allotments: Allotments,
        fleet: Fleet,
        *,
        now: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], None],
        holder: Callable[[str], Holder | None],
    ) -> None:
        self._allotments = allotments
        self._fleet = fleet
        self._now = now
        self._call_later = call_later
        self._holder = holder
        self._is_shared = fleet.is_shared
        self._is_telling = False
        fleet.on(TOPIC, self._hear)
        fleet.watch(self._changed)

    def soon(self) -> None:
        """There is something to tell."""
        if self._is_shared and not self._is_telling:
            self._is_telling = True
            self._call_later(TELL_SECONDS, self._tell)

    def look(self, now: float) -> None:
        """About once a second: whether the others are heard decides how much is ours."""
        fleet = self._fleet
        self._allotments.divide(1 if fleet.is_up else fleet.processes, now)
        if not self._is_shared:
            # Nobody will ever hear of it.
            self._allotments.tell(now)
        elif self._allotments.has_news:
            self.soon()

    def _changed(self) -> None:
        """Somebody is new, or can be heard again, and should know of all that is used."""
        now = self._now()
        self._allotments.retell(now)
        self.look(now)

    def _tell(self) -> None:
        self._is_telling = False
        told = self._allotments.tell(self._now())
        if self._fleet.is_up:
            for word in pack(map(_ENCODER.encode, told)):
                self._fleet.tell(TOPIC, word)

    def _hear(self, sender: str, body: bytes) -> None:
        try:
            rows = _DECODER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # A newer program's, perhaps.
            return
        now = self._now()
        for taken in rows:
            holder = self._holder(taken.key)
            if holder is not None:
                self._allotments.hear(sender, holder, taken, now)
