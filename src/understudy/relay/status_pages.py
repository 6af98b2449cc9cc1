"""Reads, beside the path, the status pages that the configuration names, and nothing else.

No redirect is followed: a page that has moved is for the operator to name anew, and what stands at
the end of a redirect may be anything. The pool is the one that providers are called through, so a
page is reached, or not, by the same network and the same certificates.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

from understudy import __version__
from understudy.core.faults import Fault
from understudy.core.settings import Provider
from understudy.providers.scrub import scrub
from understudy.providers.status_pages import UnreadablePageError, feeds
from understudy.relay.fetch import Fetched, fetch
from understudy.relay.http import Origin
from understudy.relay.runtime import Runtime
from understudy.relay.upstream import Pool
from understudy.services.witnesses import Witnesses

__all__ = ["PageReader"]

#: A large page has some 100 KB (Google Cloud's, with its history).
LARGEST_PAGE = 2 * 1024 * 1024
#: A longer tag is not worth sending back.
LONGEST_TAG = 256


class PageReader:
    """Keeps `witnesses` told.

    Args:
        witnesses: who is told, and which pages are due.
        runtime: gives the settings in force.
        pool: connections.
        is_suspected: by a provider's name, whether something seems to be wrong with it.
        now: the loop's clock.
        wall: Unix seconds.
    """

    def __init__(
        self,
        witnesses: Witnesses,
        runtime: Callable[[], Runtime],
        pool: Pool,
        *,
        is_suspected: Callable[[str], bool],
        now: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._witnesses = witnesses
        self._runtime = runtime
        self._pool = pool
        self._is_suspected = is_suspected
        self._now = now
        self._wall = wall

    async def keep_reading(self) -> None:
        """Read every page whenever it is due, for good."""
        async with asyncio.TaskGroup() as readings:
            while True:
                for provider in self._due():
                    readings.create_task(self._read(provider))
                await asyncio.sleep(self._witnesses.pace.look)

    async def read_due(self) -> None:
        """Read what is due now, each page once, and return when all have been read."""
        async with asyncio.TaskGroup() as readings:
            for provider in self._due():
                readings.create_task(self._read(provider))

    def _due(self) -> list[Provider]:
        now = self._now()
        self._witnesses.follow(self._runtime().settings.providers.values(), now)
        return self._witnesses.due(now, self._is_suspected)

    async def _read(self, provider: Provider) -> None:
        try:
            await self._read_page(provider)
        except Exception as error:  # noqa: BLE001 - a reader's bug must not end the others' reading
            self._witnesses.blundered(provider, error, now=self._now())

    async def _read_page(self, provider: Provider) -> None:
        """Read one page, from the first of its feeds that can be read."""
        source, reason = "", ""
        for source in feeds(provider.status_page or ""):
            tag = self._witnesses.tag(provider, source)
            got = await fetch(
                self._pool,
                _origin(source),
                _request(source, tag),
                seconds=self._witnesses.pace.patience,
                largest=LARGEST_PAGE,
            )
            now = self._now()
            if isinstance(got, Fault):
                reason = got.message
            elif got.status == 304 and tag is not None:
                self._witnesses.unchanged(provider, now=now)
                return
            elif got.status != 200:
                reason = _refused(source, got)
            elif got.headers.get("content-encoding", "identity").lower() != "identity":
                reason = "is compressed, which was not asked for"
            else:
                try:
                    self._witnesses.heard(
                        provider, source, got.body, _tag_of(got), now=now, wall=self._wall()
                    )
                except UnreadablePageError as error:
                    reason = error.reason
                else:
                    return
        self._witnesses.failed(provider, source, reason, now=self._now())


def _origin(url: str) -> Origin:
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    return Origin(host=parts.hostname or "", port=parts.port or (443 if tls else 80), tls=tls)


def _request(url: str, tag: str | None) -> bytes:
    parts = urlsplit(url)
    lines = [
        f"GET {parts.path} HTTP/1.1",
        f"host: {parts.netloc}",
        f"user-agent: understudy/{__version__}",
        "accept: application/json",
        "accept-encoding: identity",
        # The next reading is further off than a connection is kept.
        "connection: close",
    ]
    if tag is not None:
        lines.append(f"if-none-match: {tag}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _tag_of(got: Fetched) -> str | None:
    tag = got.headers.get("etag", "")
    return tag if 0 < len(tag) <= LONGEST_TAG and tag.isascii() and tag.isprintable() else None


def _refused(source: str, got: Fetched) -> str:
    if 300 <= got.status < 400 and "location" in got.headers:
        try:
            place = urlsplit(urljoin(source, got.headers["location"]))
            where = scrub(f"{place.scheme}://{place.hostname}")
        except ValueError:
            where = "another place"
        return f"redirects to {where}: name the page by its own address"
    return f"answers {got.status}"
