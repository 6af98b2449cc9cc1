"""This process among those that share its store."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from understudy.ports import Bulletin

__all__ = ["Fleet", "OnWord"]

#: Seconds between two signs of life: with a look a second, one every second or two.
BEAT_SECONDS: Final = 1.2
#: Seconds after its last word for which a process is taken to be there.
THERE_SECONDS: Final = 5.0
#: A sign of life.
TOPIC: Final = "fleet"
_HERE, _LEADS, _GONE = b"here", b"leads", b"gone"

#: Hears a word on one topic: who said it, and what.
OnWord = Callable[[str, bytes], None]


class Fleet:
    """Who is there, who leads, and words to the others. Alone, one leads and nobody hears.

    Args:
        bulletin: carries the words; None: there are no others.
        clock: seconds.
    """

    def __init__(
        self, bulletin: Bulletin | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._bulletin = bulletin
        self._clock = clock
        self._hearers: dict[str, OnWord] = {}
        self._watchers: list[Callable[[], None]] = []
        #: The others, and when each was last heard of.
        self._heard: dict[str, float] = {}
        self._leader: str | None = None
        self._beats_at = self._may_lead_at = float("-inf")
        self._was_up = False
        if bulletin is not None:
            bulletin.listen(self._hear, self._changed)

    # -- who is there -------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """This process, as the others know it; empty if there can't be any."""
        return "" if self._bulletin is None else self._bulletin.name

    @property
    def is_shared(self) -> bool:
        """There may be others."""
        return self._bulletin is not None

    @property
    def is_up(self) -> bool:
        """Words reach the others, as far as is known; never where there can't be any."""
        return self._bulletin is not None and self._bulletin.is_up

    @property
    def processes(self) -> int:
        """How many processes serve, this one included, as far as is known: cut off from the others,
        as many as there were.
        """
        return 1 + len(self._heard)

    @property
    def leads(self) -> bool:
        """This process does what one does for all. Cut off from the others, none does."""
        return self._bulletin is None or self._bulletin.leads

    @property
    def leader(self) -> str | None:
        """Who leads, as far as is known."""
        if self.leads:
            return self.name
        return self._leader if self.is_up else None

    @property
    def share(self) -> float:
        """How much of what one does for all is this process' to do: all of it, nothing, or, where
        nobody is known to lead, as much as of as many others: a lot decides each time.
        """
        if self.leads:
            return 1.0
        return 1.0 / self.processes if self.leader is None else 0.0

    def is_second(self, sender: str) -> bool:
        """This process is the one to look into what `sender` says: whoever leads, or where that is
        who said it, the first by name of the others.
        """
        if not self._heard:
            return False
        leader = self.leader
        if leader is not None and leader != sender:
            return leader == self.name
        return self.name == min({self.name, *self._heard} - {sender})

    def stand_back(self, seconds: float) -> None:
        """Let another lead for so long: what is seen from here is not what others see."""
        if self._bulletin is not None:
            self._may_lead_at = max(self._may_lead_at, self._clock() + seconds)
            self._bulletin.stand(willing=False)

    # -- words --------------------------------------------------------------------------------

    def on(self, topic: str, hear: OnWord) -> None:
        """Hear what the others say about a topic; it has one hearer."""
        self._hearers[topic] = hear

    def watch(self, changed: Callable[[], None]) -> None:
        """Be called when somebody has come, the lead has changed, or the others were lost or found:
        a time to tell them everything.
        """
        self._watchers.append(changed)

    def tell(self, topic: str, body: bytes) -> None:
        """Say a word to the others, if there are any. It may be lost.

        Raises:
            ValueError: it is longer than `understudy.ports.MAX_WORD_BYTES`.
        """
        if self._bulletin is not None:
            self._bulletin.tell(topic, body)

    # -- time ---------------------------------------------------------------------------------

    def look(self) -> None:
        """Once a second: give a sign of life, and see who gives none any more."""
        bulletin = self._bulletin
        if bulletin is None:
            return
        now = self._clock()
        if now >= self._may_lead_at > float("-inf"):
            self._may_lead_at = float("-inf")
            bulletin.stand(willing=True)
        if not bulletin.is_up:
            return
        silent = [name for name, at in self._heard.items() if now - at > THERE_SECONDS]
        for name in silent:
            self._lose(name)
        if now >= self._beats_at:
            self._beat(now)

    async def close(self) -> None:
        """Say goodbye."""
        if self._bulletin is not None:
            self._bulletin.tell(TOPIC, _GONE)
            await self._bulletin.close()

    def _beat(self, now: float) -> None:
        self._beats_at = now + BEAT_SECONDS
        self.tell(TOPIC, _LEADS if self.leads else _HERE)

    def _changed(self) -> None:
        up, now = self.is_up, self._clock()
        if up and not self._was_up:
            # They could not be heard: they have the time to show that they are still there.
            self._heard = dict.fromkeys(self._heard, now)
            self._leader = None
        self._was_up = up
        self._beat(now)
        self._tell_watchers()

    def _hear(self, sender: str, topic: str, body: bytes) -> None:
        now, is_new = self._clock(), sender not in self._heard
        self._heard[sender] = now
        if topic == TOPIC:
            if body == _GONE:
                self._lose(sender)
                return
            if body == _LEADS:
                self._leader = sender
            elif self._leader == sender:
                self._leader = None
        if is_new:
            # Whoever has just come need not wait to know who is there.
            self._beat(now)
            self._tell_watchers()
        hear = self._hearers.get(topic)
        if hear is not None:
            hear(sender, body)

    def _lose(self, name: str) -> None:
        self._heard.pop(name, None)
        if self._leader == name:
            self._leader = None

    def _tell_watchers(self) -> None:
        for changed in self._watchers:
            changed()
