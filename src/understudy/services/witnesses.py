"""What providers' status pages last said, and how long ago.

Nothing is fetched here: whoever reads the pages (`understudy.relay.status_pages`) asks which are
due and hands in what came. A page is dated by our reading of it, never by its own clock, which on
some engines stands still for months while all is well.

A page that could not be read, or that has not been read for ten minutes, says nothing: neither
what it said before nor that all is well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from understudy.core.settings import Provider
from understudy.policy.causes import Testimony
from understudy.providers.status_pages import (
    State,
    Verdict,
    drift,
    judge,
    read_page,
)
from understudy.services.logs import Log

__all__ = ["Pace", "PageView", "Witnesses"]


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How often pages are read. Seconds, but for `jitter`, the share by which intervals vary."""

    #: Between two readings while all is well, and while the provider is under suspicion.
    calm: float = 60.0
    suspicious: float = 20.0
    jitter: float = 0.2
    #: Between two looks at what is due.
    look: float = 1.0
    #: What is older is no testimony.
    stale: float = 600.0
    #: For one page at most.
    patience: float = 10.0


class PageView(msgspec.Struct, frozen=True, kw_only=True):
    """One page as an operator sees it. Times in seconds."""

    provider: str
    status_page: str
    #: The feed that was read last, or was tried.
    source: str
    state: State
    words: str
    #: Since it was last read; where it never was, since it is followed.
    age: float
    #: Why it could not be read; None where it could.
    fault: str | None
    #: In what its feed is not as it was known to be.
    drift: tuple[str, ...]


class _Page:
    """One provider's page."""

    __slots__ = (
        "drift",
        "fault",
        "interval",
        "provider",
        "read_at",
        "shown",
        "source",
        "tag",
        "told",
        "tried_at",
        "under_way",
        "verdict",
    )

    def __init__(self, provider: Provider, now: float) -> None:
        self.provider = provider
        self.source = provider.status_page or ""
        #: What it said when it could last be read, and when that was.
        self.verdict: Verdict | None = None
        self.read_at = now
        self.fault: str | None = None
        self.drift: tuple[str, ...] = ()
        #: The feed that was last read, and the tag that it bore.
        self.tag: tuple[str, str] | None = None
        self.tried_at = -float("inf")
        #: Multiplies the time to the next reading.
        self.interval = 1.0
        self.under_way = False
        #: What the log has been told: differences for good, the state until it changes.
        self.told: set[str] = set()
        self.shown: tuple[State, str | None] | None = None

    def say(self, now: float, stale: float) -> Verdict:
        """What it says at `now`."""
        said, age = self.verdict, now - self.read_at
        if self.fault is not None:
            before = f"; {_ago(age)} it said: {said.words}" if said else ""
            return Verdict(State.UNKNOWN, f"could not be read: {self.fault}{before}")
        if said is None:
            return Verdict(State.UNKNOWN, "not read yet")
        if age > stale:
            return Verdict(State.UNKNOWN, f"not read since; {_ago(age)} it said: {said.words}")
        return said


class Witnesses:
    """Every provider's status page, where the configuration names one.

    Args:
        log: is told once of each change of state, and of each difference in a feed.
        draw: a random number in [0, 1), for jitter.
        pace: how often pages are read.
    """

    def __init__(self, log: Log, draw: Callable[[], float], pace: Pace | None = None) -> None:
        self.pace = pace or Pace()
        self._log = log
        self._draw = draw
        self._pages: dict[str, _Page] = {}

    def follow(self, providers: Iterable[Provider], now: float) -> None:
        """From now on, the pages of these providers; what is known of one stays while it does."""
        pages: dict[str, _Page] = {}
        for provider in providers:
            if provider.status_page is None:
                continue
            known = self._pages.get(provider.name)
            if known is not None and _same(known.provider, provider):
                pages[provider.name] = known
            else:
                pages[provider.name] = _Page(provider, now)
        self._pages = pages

    # -- reading ------------------------------------------------------------------------------

    def due(self, now: float, is_suspected: Callable[[str], bool]) -> list[Provider]:
        """The providers whose pages should be read now; each is then taken to be under way.

        `is_suspected` tells by a provider's name whether something seems to be wrong with it.
        """
        found: list[Provider] = []
        for name, page in self._pages.items():
            seconds = self.pace.suspicious if is_suspected(name) else self.pace.calm
            if page.under_way or now < page.tried_at + seconds * page.interval:
                continue
            page.under_way, page.tried_at = True, now
            page.interval = 1.0 + self.pace.jitter * (2.0 * self._draw() - 1.0)
            found.append(page.provider)
        return found

    def tag(self, provider: Provider, source: str) -> str | None:
        """The entity tag (RFC 9110 §8.8.3) of what is known of a feed; None: let it come anew."""
        page = self._current(provider)
        if page is None or page.tag is None or page.fault is not None or page.tag[0] != source:
            return None
        return page.tag[1]

    def heard(
        self,
        provider: Provider,
        source: str,
        body: bytes,
        tag: str | None,
        *,
        now: float,
        wall: float,
    ) -> None:
        """A feed has answered, with `body`. `now` is the loop's clock, `wall` Unix seconds.

        Raises:
            UnreadablePageError: it is no status page; the page stands as it was.
        """
        verdict = judge(read_page(None, body, wall), provider.kind)
        page = self._current(provider)
        if page is None:
            return
        page.source, page.verdict, page.fault, page.read_at = source, verdict, None, now
        page.tag = (source, tag) if tag else None
        page.drift = drift(body)
        self._end(page, now)

    def unchanged(self, provider: Provider, *, now: float) -> None:
        """The feed that was read last says what it said then."""
        page = self._current(provider)
        if page is not None:
            page.read_at = now
            self._end(page, now)

    def failed(self, provider: Provider, source: str, reason: str, *, now: float) -> None:
        """No feed of the page could be read."""
        page = self._current(provider)
        if page is not None:
            page.source, page.fault = source, reason
            self._end(page, now)

    def blundered(self, provider: Provider, error: Exception, *, now: float) -> None:
        """Our own code failed at the page."""
        self._log.own_fault("", f"reading the status page of {provider.name}", error)
        self.failed(provider, provider.status_page or "", "our own fault", now=now)

    # -- telling ------------------------------------------------------------------------------

    def testimonies(self, now: float) -> list[Testimony]:
        """What each page says at `now`."""
        return [
            Testimony(
                provider=view.provider,
                state=view.state,
                words=view.words,
                age=view.age,
                source=view.source,
            )
            for view in self.views(now)
        ]

    def views(self, now: float) -> list[PageView]:
        """Each page as an operator sees it at `now`."""
        return [self._view(page, now) for page in self._pages.values()]

    def _view(self, page: _Page, now: float) -> PageView:
        said = page.say(now, self.pace.stale)
        return PageView(
            provider=page.provider.name,
            status_page=page.provider.status_page or "",
            source=page.source,
            state=said.state,
            words=said.words,
            age=now - page.read_at,
            fault=page.fault,
            drift=page.drift,
        )

    def _current(self, provider: Provider) -> _Page | None:
        """The page, unless a reload has replaced it while it was read."""
        page = self._pages.get(provider.name)
        return page if page is not None and _same(page.provider, provider) else None

    def _end(self, page: _Page, now: float) -> None:
        """A reading is over: tell the log what is new in it."""
        page.under_way = False
        said = page.say(now, self.pace.stale)
        name = page.provider.name
        if page.shown != (said.state, page.fault):
            page.shown = said.state, page.fault
            self._log.note(
                "status_page",
                provider=name,
                source=page.source,
                state=said.state,
                text=said.words,
            )
        new = [one for one in page.drift if one not in page.told]
        if new:
            page.told.update(new)
            self._log.note(
                "status_page_drift", provider=name, source=page.source, text="; ".join(new)
            )


def _same(one: Provider, other: Provider) -> bool:
    return (one.kind, one.status_page) == (other.kind, other.status_page)


def _ago(seconds: float) -> str:
    return f"{seconds:.0f} s ago" if seconds < 120.0 else f"{seconds / 60.0:.0f} min ago"
