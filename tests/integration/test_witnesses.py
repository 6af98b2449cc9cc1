"""The reader of status pages, against a page's host of the test's own."""

import asyncio
import contextlib
import io
import ssl

import pytest

from support_relay import closed_port
from understudy.config import load
from understudy.providers.status_pages import State
from understudy.relay import status_pages
from understudy.relay.runtime import Runtime
from understudy.relay.status_pages import LARGEST_PAGE, PageReader
from understudy.relay.upstream import Pool
from understudy.services import witnesses
from understudy.services.logs import Log
from understudy.services.witnesses import Pace, Witnesses
from unit.providers.status_pages.page_fixtures import HTML, NOW, PAGES

USUAL = "/api/v2/summary.json"
#: Waits so long for an answer that never comes.
PATIENCE = 0.05


def answer(body=b"", status=200, **headers):
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


HEALTHY = answer(PAGES["statuspage_operational"], etag='"one"')
RED = answer(PAGES["statuspage_api_outage"])


class PageHost:
    """Answers each path with the bytes that stand for it in `answers`; None: never."""

    def __init__(self):
        self.answers = {}
        self.asked = []
        self.on_asked = lambda: None
        self.serving = []

    async def serve(self, reader, writer):
        self.serving.append(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            path = first.split()[1]
            self.asked.append((path, dict(line.split(": ", 1) for line in lines)))
            self.on_asked()
            reply = self.answers.get(path, answer(status=404))
            if reply is None:
                await reader.read()
            else:
                writer.write(reply)
                await writer.drain()
        writer.close()

    def paths(self):
        return [path for path, _ in self.asked]


@contextlib.asynccontextmanager
async def hosting():
    host = PageHost()
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0)
    host.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield host
    await asyncio.gather(*host.serving)


class Scene:
    """A reader whose clock is the test's, for one provider of Anthropic's kind."""

    def __init__(self, page, **pace):
        config = f"""
providers:
  claude: {{kind: anthropic, accounts: {{main: {{api_key: sk-secret}}}}, status_page: "{page}"}}
features: {{f: {{targets: [claude/m]}}}}
"""
        self.now = 0.0
        self.suspected = set()
        self.pool = Pool(asyncio.get_running_loop(), ssl.create_default_context())
        runtime = Runtime(load(config, {}))
        pace = {"patience": PATIENCE, "jitter": 0.0, **pace}
        self.log = io.StringIO()
        self.witnesses = Witnesses(Log(self.log), lambda: 0.5, Pace(**pace))
        self.reader = PageReader(
            self.witnesses,
            lambda: runtime,
            self.pool,
            is_suspected=self.suspected.__contains__,
            now=lambda: self.now,
            wall=lambda: NOW + self.now,
        )

    async def read(self, now=0.0):
        """What the page says after it has been read at `now`, if it was due."""
        self.now = now
        await self.reader.read_due()
        (said,) = self.witnesses.testimonies(now)
        return said


@contextlib.asynccontextmanager
async def scene_at(page, **pace):
    scene = Scene(page, **pace)
    try:
        yield scene
    finally:
        await scene.pool.close()


def compressed():
    return answer(PAGES["statuspage_operational"], content_encoding="gzip")


# What the host answers → what is said then, a part of the words
ANSWERS = {
    "healthy": (HEALTHY, State.OPERATIONAL, "Claude API (api.anthropic.com): operational"),
    "red": (RED, State.PARTIAL_OUTAGE, "Elevated errors on Claude Opus 4.8"),
    "html": (answer(HTML, content_type="text/html"), State.UNKNOWN, "HTML"),
    "an error with a page in it": (answer(HTML, 500), State.UNKNOWN, "answers 500"),
    "an error with good JSON in it": (
        answer(PAGES["statuspage_operational"], 503), State.UNKNOWN, "answers 503",
    ),
    "a challenge": (answer(b"", 405), State.UNKNOWN, "answers 405"),
    "no page": (answer(status=404), State.UNKNOWN, "answers 404"),
    "unchanged, though nobody asked": (answer(status=304), State.UNKNOWN, "answers 304"),
    "hanging": (None, State.UNKNOWN, "no whole answer within 0.05 s"),
    "half": (HEALTHY[:-50], State.UNKNOWN, "could not be read"),
    "huge": (
        answer(PAGES["statuspage_operational"] + b" " * LARGEST_PAGE), State.UNKNOWN, "larger",
    ),
    "compressed": (compressed(), State.UNKNOWN, "compressed"),
    "not http": (b"SSH-2.0-OpenSSH_9.6\r\n", State.UNKNOWN, "not HTTP"),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
async def test_what_a_page_is_taken_to_say(name):
    reply, state, words = ANSWERS[name]
    async with hosting() as host, scene_at(host.url) as scene:
        host.answers[USUAL] = reply
        said = await scene.read()
        assert (said.provider, said.state) == ("claude", state)
        assert words in said.words
        assert said.source == f"{host.url}{USUAL}"


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_red_page_is_forgotten_only_for_one_that_can_be_read(name):
    reply, state, _ = ANSWERS[name]
    async with hosting() as host, scene_at(host.url) as scene:
        host.answers[USUAL] = RED
        await scene.read()
        host.answers[USUAL] = reply
        said = await scene.read(60.0)
        assert said.state is state
        assert said.age == (0.0 if name in {"healthy", "red"} else 60.0)


async def test_nobody_at_home_is_unknown():
    with closed_port() as port:
        async with scene_at(f"http://127.0.0.1:{port}") as scene:
            said = await scene.read()
            assert said.state is State.UNKNOWN
            assert "refused" in said.words


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed_and_the_words_say_where_it_leads(status):
    async with hosting() as elsewhere, hosting() as host, scene_at(host.url) as scene:
        elsewhere.answers[USUAL] = HEALTHY
        host.answers[USUAL] = answer(b"", status, location=f"{elsewhere.url}{USUAL}")
        said = await scene.read()
        assert said.state is State.UNKNOWN
        assert "redirects to http://127.0.0.1" in said.words
        assert elsewhere.asked == []
        host.answers |= {USUAL: answer(b"", status, location="/moved"), "/moved": HEALTHY}
        assert (await scene.read(60.0)).state is State.UNKNOWN
        assert set(host.paths()) == {USUAL}


async def test_the_request_says_who_asks_and_carries_no_key():
    async with hosting() as host, scene_at(host.url) as scene:
        host.answers[USUAL] = HEALTHY
        await scene.read()
        ((_, headers),) = host.asked
        assert headers.pop("user-agent").startswith("understudy/")
        assert headers == {
            "host": host.url.removeprefix("http://"),
            "accept": "application/json",
            "accept-encoding": "identity",
            "connection": "close",
        }


async def test_a_page_that_has_not_changed_need_not_come_again():
    async with hosting() as host, scene_at(host.url) as scene:
        host.answers[USUAL] = HEALTHY
        await scene.read()
        host.answers[USUAL] = answer(status=304)
        said = await scene.read(60.0)
        assert host.asked[1][1]["if-none-match"] == '"one"'
        assert (said.state, said.age) == (State.OPERATIONAL, 0.0)


async def test_it_is_read_every_minute_and_more_often_under_suspicion():
    async with hosting() as host, scene_at(host.url) as scene:
        host.answers[USUAL] = HEALTHY
        for now in (0.0, 20.0, 59.0, 60.0):
            await scene.read(now)
        assert len(host.asked) == 2
        scene.suspected.add("claude")
        for now in (79.0, 80.0, 99.0, 100.0):
            await scene.read(now)
        assert len(host.asked) == 4


async def test_an_address_with_a_path_is_read_as_it_is():
    async with hosting() as host, scene_at(f"{host.url}/api/v1/summary") as scene:
        host.answers["/api/v1/summary"] = answer(PAGES["widget_operational"])
        assert (await scene.read()).state is State.OPERATIONAL
        assert host.paths() == ["/api/v1/summary"]


async def test_where_a_host_has_two_feeds_the_second_serves_when_the_first_cannot(monkeypatch):
    async with hosting() as host, scene_at(host.url) as scene:
        monkeypatch.setattr(
            status_pages, "feeds", lambda page: (f"{page}/better", f"{page}{USUAL}")
        )
        host.answers |= {"/better": answer(HTML), USUAL: HEALTHY}
        said = await scene.read()
        assert (said.state, said.source) == (State.OPERATIONAL, f"{host.url}{USUAL}")
        host.answers["/better"] = RED
        said = await scene.read(60.0)
        assert (said.state, said.source) == (State.PARTIAL_OUTAGE, f"{host.url}/better")
        assert host.paths() == ["/better", USUAL, "/better"]


async def test_a_bug_in_a_reader_is_told_and_ends_no_reading(monkeypatch):
    def broken(report, kind):
        raise ZeroDivisionError

    async with hosting() as host, scene_at(host.url) as scene:
        host.answers[USUAL] = HEALTHY
        with monkeypatch.context() as patched:
            patched.setattr(witnesses, "judge", broken)
            said = await scene.read()
        assert said.state is State.UNKNOWN
        assert said.words == "could not be read: our own fault"
        assert "ZeroDivisionError" in scene.log.getvalue()
        assert (await scene.read(60.0)).state is State.OPERATIONAL


async def test_it_goes_on_reading_whatever_comes_until_it_is_told_to_stop():
    async with hosting() as host, scene_at(host.url, calm=0.0, look=0.0) as scene:
        replies = iter([HEALTHY, answer(HTML), None, RED])
        reached = asyncio.Event()

        def asked():
            host.answers[USUAL] = next(replies, RED)
            if len(host.asked) > 5:
                reached.set()

        host.on_asked = asked
        reading = asyncio.create_task(scene.reader.keep_reading())
        async with asyncio.timeout(30):
            await reached.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        (said,) = scene.witnesses.testimonies(0.0)
        assert said.state is State.PARTIAL_OUTAGE
