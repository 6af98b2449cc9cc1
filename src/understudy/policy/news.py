"""What processes tell each other of breakers, and whose word counts.

Each process has breakers of its own and decides by these. What one of them finds out by its own
evidence it tells, and the others follow: the last word on a node holds (`Ledger.hear`). Moments are
compared on the calendar, and what is found out later by somebody who has heard of the earlier is
later whatever the clocks say, as Lamport's clocks have it (Communications of the ACM 21, 1978);
spans of time travel as seconds from now, so that clocks which disagree shift none.

A process whose own network is ill finds everything broken. So what one says is looked into by
another (`second` in `hear`): its rest is over at once there, and a trial decides. Fails it too, the
word is *confirmed*. Works it, the word is *refuted*: who said it is not believed about that node
until he has seen it work himself, or for five minutes after his last word, and tries it by himself.

Scores stay where the evidence is: evidence that is told twice must not count twice.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

import msgspec

from understudy.core.faults import OUTAGE_LIKE, Fault, Kind
from understudy.policy.breaker import Breaker, BreakerState, Change

__all__ = ["DISTRUST_SECONDS", "REFUTED_SECONDS", "Doubt", "Heard", "Ledger", "News", "Works"]

#: Seconds after an opening within which a success elsewhere refutes it.
REFUTED_SECONDS: Final = 60.0
#: Seconds for which somebody who was refuted is not believed about that node.
DISTRUST_SECONDS: Final = 300.0
#: Seconds for which a closed breaker's news is told again.
TOLD_SECONDS: Final = 60.0
#: What comes after something that is heard of is later than it, by this many seconds at least.
TICK: Final = 1e-3
#: Letters of a fault's message that are told, and the kinds of which it is: one that speaks of a
#: request may quote it.
MAX_MESSAGE: Final = 200
_WITH_WORDS: Final = OUTAGE_LIKE | {Kind.THROTTLED, Kind.ACCOUNT, Kind.CONFIG}

_CLOSED: Final = BreakerState.CLOSED
_NEVER: Final = float("-inf")


class News(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="news"):
    """How a node stands, by the last word on it."""

    #: A target's key, an account's, or a provider's.
    node: str
    state: BreakerState
    #: When it came to stand so (Unix seconds, see above), and by whose evidence.
    at: float
    by: str
    #: Who found it broken to begin with, and whether another has, too.
    opener: str = ""
    confirmed: bool = False
    #: Whose word is refuted by its working.
    refutes: str = ""
    #: Seconds until it may be tried, and seconds since its traffic began to come back.
    rest: float = 0.0
    ramped: float | None = None
    openings: int = 0
    fault: Fault | None = None


class Doubt(msgspec.Struct, frozen=True, omit_defaults=True, tag="doubt"):
    """A target has given a process reason to look closer, since then by that process' own clock."""

    node: str
    since: float
    slow: bool = False


class Works(msgspec.Struct, frozen=True, tag="works"):
    """A target was seen to work so many seconds ago; `sound`: and nothing speaks against it."""

    node: str
    ago: float
    sound: bool = False


class Heard(Enum):
    """What came of news."""

    #: It was known, or is older than what is known.
    OLD = "old"
    #: Whoever says it is not believed.
    DISTRUSTED = "distrusted"
    #: The breaker stands as they say.
    FOLLOWED = "followed"
    #: And there is evidence here for the same, which is now to be told.
    SHARED = "shared"


class _Entry:
    """The last word on a node."""

    __slots__ = ("at", "by", "confirmed", "is_no_outage", "opened_at", "opener", "refutes")

    def __init__(self) -> None:
        self.at = _NEVER
        self.by = ""
        #: Empty while it is closed.
        self.opener = ""
        #: When this process came to know that it is not closed, by its own calendar.
        self.opened_at = _NEVER
        self.confirmed = False
        #: It has only asked for patience, so that its working refutes nobody.
        self.is_no_outage = False
        self.refutes = ""


class Ledger:
    """What was said last of each node, and who is not believed.

    Args:
        own: this process' name.
    """

    def __init__(self, own: str) -> None:
        self._own = own
        self._entries: dict[str, _Entry] = {}
        #: (process, node) → since when it is not believed.
        self._distrust: dict[tuple[str, str], float] = {}

    # -- what is found out here ---------------------------------------------------------------

    def note(self, node: str, change: Change, breaker: Breaker, moment: float) -> bool:
        """This process has found something out at `moment` (Unix seconds); whether to tell it."""
        entry = self._entries.setdefault(node, _Entry())
        if change is Change.CONFIRMED:
            if entry.confirmed or entry.opener in {"", self._own}:
                return False
            entry.confirmed = True
        elif change is Change.RESTS:
            self._opened(entry, breaker, moment)
            breaker.is_ours = self.stands_apart(node, moment)
        elif change is Change.CLOSED:
            self._closed(node, entry, moment)
            self.redeem(self._own, node, moment)
        self._stamp(entry, moment)
        return True

    def _opened(self, entry: _Entry, breaker: Breaker, moment: float) -> None:
        entry.refutes = ""
        entry.is_no_outage = breaker.was_told_to_wait
        if not entry.opener:
            entry.opener, entry.opened_at, entry.confirmed = self._own, moment, False
        elif entry.opener != self._own:
            entry.confirmed = True

    def _closed(self, node: str, entry: _Entry, moment: float) -> None:
        is_hearsay = entry.opener not in {"", self._own} and not entry.confirmed
        is_early = moment - entry.opened_at < REFUTED_SECONDS
        entry.refutes = ""
        if is_hearsay and is_early and not entry.is_no_outage:
            entry.refutes = entry.opener
            self._disbelieve(entry.opener, node, moment)
        entry.opener, entry.confirmed = "", False

    def _stamp(self, entry: _Entry, moment: float) -> None:
        entry.at = max(moment, entry.at + TICK)
        entry.by = self._own

    # -- what the others say ------------------------------------------------------------------

    def hear(
        self, news: News, breaker: Breaker, now: float, moment: float, *, second: bool = False
    ) -> Heard:
        """Follow another's news, or not. `now` is the clock of the breaker, `moment` the calendar's
        time; `second`: this process is the one to look into it.
        """
        entry = self._entries.get(news.node)
        if news.by == self._own or (
            entry is not None and (news.at, news.by) <= (entry.at, entry.by)
        ):
            return Heard.OLD
        if news.state is _CLOSED:
            return self._hear_closed(news, breaker, now, moment)
        is_hearsay = news.opener != self._own and not news.confirmed
        if is_hearsay and not self.believes(news.opener, news.node, moment):
            self._disbelieve(news.opener, news.node, moment)
            return Heard.DISTRUSTED
        return self._hear_open(news, breaker, now, moment, second=second)

    def _hear_closed(self, news: News, breaker: Breaker, now: float, moment: float) -> Heard:
        found_here = breaker.state is not _CLOSED and self.opener(news.node) == self._own
        apart = self.stands_apart(news.node, moment)
        if news.refutes:
            self._disbelieve(news.refutes, news.node, moment)
        # What somebody who stood apart has got over is nothing that happened to the others.
        is_over_there = breaker.state is _CLOSED and not self.believes(news.by, news.node, moment)
        self.redeem(news.by, news.node, moment)
        if (found_here and apart) or is_over_there:
            return Heard.DISTRUSTED
        breaker.close_as_told(now, _NEVER if news.ramped is None else now - news.ramped)
        self._take(news, breaker, moment)
        return Heard.FOLLOWED

    def _hear_open(
        self, news: News, breaker: Breaker, now: float, moment: float, *, second: bool
    ) -> Heard:
        was_closed = breaker.state is _CLOSED
        found_here = not was_closed and self.opener(news.node) == self._own
        agrees = news.opener != self._own and (found_here or breaker.is_suspicious)
        tried = news.state is BreakerState.HALF_OPEN
        breaker.rest_as_told(news.fault, now, now + news.rest, news.openings, tried=tried)
        entry = self._take(news, breaker, moment)
        if news.confirmed or entry.is_no_outage:
            return Heard.FOLLOWED
        if agrees:
            entry.confirmed = True
            self._stamp(entry, moment)
            return Heard.SHARED
        if second and was_closed and not tried and not breaker.is_merely_slow:
            # A trial decides, here and now; should it fail, this was the first rest.
            breaker.rest_as_told(news.fault, now, now, news.openings - 1, tried=False)
            breaker.is_ours = True
        return Heard.FOLLOWED

    def _take(self, news: News, breaker: Breaker, moment: float) -> _Entry:
        entry = self._entries.setdefault(news.node, _Entry())
        if not entry.opener:
            entry.opened_at = moment
        entry.at, entry.by = news.at, news.by
        entry.opener = "" if news.state is _CLOSED else news.opener
        entry.confirmed = news.confirmed
        entry.refutes = news.refutes
        entry.is_no_outage = breaker.was_told_to_wait
        return entry

    # -- what is known ------------------------------------------------------------------------

    def news(self, node: str, breaker: Breaker, now: float) -> News | None:
        """How a node stands, to be told; None: nobody has ever said anything of it."""
        entry = self._entries.get(node)
        if entry is None:
            return None
        is_open = breaker.state is not _CLOSED
        return News(
            node=node,
            state=breaker.state,
            at=entry.at,
            by=entry.by,
            opener=entry.opener,
            confirmed=entry.confirmed,
            refutes=entry.refutes,
            rest=round(max(0.0, breaker.opened_until - now), 3) if is_open else 0.0,
            ramped=round(now - breaker.ramp_from, 3) if breaker.ramp_from > _NEVER else None,
            openings=breaker.openings,
            fault=_told(breaker.fault),
        )

    def lasting(self, moment: float) -> list[str]:
        """The nodes of which to tell again and again: those that rest, or did a moment ago."""
        return [
            node
            for node, entry in self._entries.items()
            if entry.opener or moment - entry.at < TOLD_SECONDS
        ]

    def forget(self, moment: float) -> None:
        """Let go of what has been well for long."""
        self._entries = {
            node: entry
            for node, entry in self._entries.items()
            if entry.opener or moment - entry.at < DISTRUST_SECONDS
        }

    def opener(self, node: str) -> str:
        """Who has found the node broken; empty if it is not."""
        entry = self._entries.get(node)
        return "" if entry is None else entry.opener

    def stands_apart(self, node: str, moment: float) -> bool:
        """Others have refuted what this process said of the node: it goes by its own evidence."""
        return not self.believes(self._own, node, moment)

    def believes(self, process: str, node: str, moment: float) -> bool:
        """Whether what a process says of a node counts."""
        return moment - self._distrust.get((process, node), _NEVER) >= DISTRUST_SECONDS

    def redeem(self, process: str, node: str, seen_at: float) -> None:
        """A process has seen a node work itself, at that moment: it is believed again."""
        since = self._distrust.get((process, node))
        if since is not None and seen_at >= since:
            del self._distrust[process, node]

    def _disbelieve(self, process: str, node: str, moment: float) -> None:
        self._distrust = {
            key: since for key, since in self._distrust.items() if moment - since < DISTRUST_SECONDS
        }
        self._distrust[process, node] = moment


def _told(fault: Fault | None) -> Fault | None:
    """A fault as others may read it."""
    if fault is None:
        return None
    words = fault.message if fault.kind in _WITH_WORDS else ""
    if len(words) > MAX_MESSAGE:
        words = f"{words[:MAX_MESSAGE]}…"
    return msgspec.structs.replace(fault, message=words, remedy=None)
