"""The composition root: settings become a running product. Builds everything, closes everything.

One process, one event loop (uvloop), two listeners: the relay's own, and the web's. A process that
has a `Seat` is a worker: it listens on sockets that it was given, and `understudy.supervisor`
speaks for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import secrets
import signal
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import certifi
import uvicorn
import uvloop

from understudy import __version__, mock
from understudy.config import load
from understudy.core.settings import Settings
from understudy.policy.pulls import Pulls
from understudy.ports import Store
from understudy.relay.fleet import Fleet
from understudy.relay.relay import Relay
from understudy.relay.siblings import Siblings
from understudy.services.logs import Log
from understudy.services.pulls_file import can_write, read_pulls, state_path
from understudy.store import open_bulletin, open_store
from understudy.supervisor import Seat
from understudy.supervisor.listeners import BACKLOG, bound, port_of, url_of
from understudy.supervisor.reload import read_again, read_settings
from understudy.web.page import page_app

__all__ = ["Product", "demo", "serve"]

#: The demo's addresses; a free port is taken where one is in use.
DEMO_RELAY, DEMO_WEB, DEMO_ONE, DEMO_TWO = 8080, 8081, 8091, 8092


class Product:
    """A running product.

    Args:
        settings: what to run.
        log: where it tells what it does.
        state: where what operators have pulled is kept; None: in memory only.
        seat: of a worker; None: this process is the whole product.

    Raises:
        DamagedStateError: what is kept there can't be read.
    """

    def __init__(
        self, settings: Settings, log: Log, state: Path | None = None, seat: Seat | None = None
    ) -> None:
        pulls = Pulls(read_pulls(state) if state is not None else ())
        self.settings = settings
        self.log = log
        self._fleet = Fleet(open_bulletin(settings.store))
        self.relay = Relay(
            settings, asyncio.get_running_loop(), _tls(), log, pulls=pulls, fleet=self._fleet
        )
        self.relay.hand.keep_in(state)
        self._state = state
        self._seat = seat
        self.relay_url = ""
        self.web_url = ""
        self._store: Store | None = None
        self._listener: asyncio.Server | None = None
        self._web = _WebServer(
            uvicorn.Config(
                page_app(self.relay),
                host=settings.web.host,
                port=settings.web.port,
                loop="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                # A page's connection is no reason to wait: streams live at the relay.
                timeout_graceful_shutdown=1,
            )
        )
        self._web_task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the store, then accept connections on both listeners. A store that is only away is
        used when it is there; meanwhile everything is served but what it is asked for.

        Raises:
            StoreError: the store can't be opened, and will not be without somebody's help.
            OSError: an address is in use or not ours.
        """
        self._store = await open_store(self.settings.store, early=True)
        if self._fleet.is_shared:
            await self.relay.hand.share(self._store)
        loop = asyncio.get_running_loop()
        self._listener = await self._listen(loop)
        self.relay_url = url_of(self.settings.relay, port_of(self._listener.sockets[0]))
        self.relay.read_model_lists()
        self.relay.read_status_pages()
        self.relay.probe()
        self.relay.keep_jobs(self._store)
        seat = self._seat
        web = bound(self.settings.web) if seat is None else seat.take(seat.web)
        self._web_task = loop.create_task(self._web.serve([web]))
        await self._web.listening(self._web_task)
        self.web_url = url_of(self.settings.web, self._web.port())
        # What holds for all workers is said once.
        if seat is None or seat.slot == 0:
            for notice in (*self.settings.notices, *self._notices()):
                self.log.note("notice", text=notice)
        self.log.note(
            "started", version=__version__, relay=self.relay_url, web=self.web_url, pid=os.getpid()
        )

    async def _listen(self, loop: asyncio.AbstractEventLoop) -> asyncio.Server:
        """The relay's listener, and a worker's door."""
        seat, listen = self._seat, self.settings.relay
        if seat is None:
            return await loop.create_server(
                self.relay.protocol, listen.host, listen.port, backlog=BACKLOG
            )
        self.relay.siblings = Siblings(self.relay, seat.slot, seat.doors)
        await self.relay.siblings.open(seat.take(seat.door))
        return await loop.create_server(
            self.relay.protocol, sock=seat.take(seat.relay), backlog=BACKLOG
        )

    def _notices(self) -> Iterator[str]:
        """What an operator has left behind, or could not."""
        for pull in self.relay.pulls:
            yield f"{pull.node} is still pulled: {pull.reason}"
        if self.settings.console and self._state is not None and not can_write(self._state):
            yield f"a restart will forget what is pulled: {self._state} can't be written (--state)"

    def reload(self, settings: Settings) -> None:
        """Serve by new settings from the next request on; requests under way are untouched."""
        if settings.relay != self.settings.relay or settings.web != self.settings.web:
            self.log.note("reload", text="listen addresses change only with a restart")
        if str(settings.store) != str(self.settings.store):
            self.log.note("reload", text="the store changes only with a restart")
        self.settings = settings
        self.relay.reload(settings)
        self.log.note("reloaded")

    async def drain(self, grace: float, *, gently: bool = False) -> None:
        """Take no more requests; let those under way end. `gently`: another worker has this one's
        place, and callers are not to notice.
        """
        if self._listener is not None:
            self._listener.close()
        if gently:
            self._web.close_listeners()
        if self.relay.siblings is not None:
            self.relay.siblings.close()
        self.log.note("draining", grace=grace)
        cut = await self.relay.drain(grace, gently=gently)
        self.log.note("drained", cut=cut)

    async def close(self) -> None:
        """Close everything."""
        if self._listener is not None:
            self._listener.close()
        await self.relay.close()
        await self._fleet.close()
        self._web.should_exit = True
        if self._web_task is not None:
            await self._web_task
        # Last, for whatever ends may still have something to write.
        if self._store is not None:
            await self._store.close()


class _WebServer(uvicorn.Server):
    """uvicorn inside our loop: signals are ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def listening(self, task: asyncio.Task[None]) -> None:
        """Wait until it accepts connections."""
        while not self.started:
            if task.done():
                task.result()
                raise OSError("the web listener's address cannot be used")
            await asyncio.sleep(0.005)

    def port(self) -> int:
        """The port that it listens on."""
        return port_of(self.servers[0].sockets[0])

    def close_listeners(self) -> None:
        """Accept no more; who is connected is served."""
        for server in self.servers:
            server.close()


class _Word:
    """That this process is to end. `gently`: another has taken its place already."""

    def __init__(self) -> None:
        self.gently = False
        self._said = asyncio.Event()

    def say(self, *, gently: bool = False) -> None:
        """What is said first holds."""
        if not self._said.is_set():
            self.gently = gently
            self._said.set()

    async def wait(self) -> None:
        """Until it is said."""
        await self._said.wait()


def serve(path: Path, *, grace: float, state: Path | None = None, seat: Seat | None = None) -> int:
    """Run the product until SIGTERM or SIGINT. SIGHUP reloads the file.

    `state`: where what operators have pulled is kept; by default beside the file. `seat`: of a
    worker, which also ends when its supervisor is gone, or has another one in its place (SIGUSR2).

    Returns:
        The exit code.

    Raises:
        ConfigError: the file is wrong.
        DamagedStateError: the state is there and can't be read.
        StoreError: the store can't be opened.
        OSError: an address cannot be used.
    """
    settings = read_settings(path)
    return uvloop.run(_serve(settings, path, grace, state or state_path(path), seat))


async def _serve(
    settings: Settings, path: Path, grace: float, state: Path, seat: Seat | None
) -> int:
    log = Log(worker=None if seat is None else seat.slot)
    _raise_file_limit()
    async with _running(settings, log, state, seat) as product:
        word = _when_told(lambda: _reload(product, path))
        if seat is None:
            _announce(product)
        else:
            _sit_down(seat, word)
        await word.wait()
        await product.drain(grace, gently=word.gently)
    return 0


def _sit_down(seat: Seat, word: _Word) -> None:
    """Tell the supervisor that this worker serves, and hear when there is none any more."""
    loop = asyncio.get_running_loop()
    channel = seat.take(seat.channel)
    channel.setblocking(False)
    loop.add_signal_handler(signal.SIGUSR2, lambda: word.say(gently=True))

    def hear() -> None:
        # It never says anything: the channel is readable when its other end is closed.
        loop.remove_reader(channel)
        channel.close()
        word.say()

    loop.add_reader(channel, hear)
    Seat.say_ready(channel)


def demo() -> int:
    """Run everything in one process, with two stand-in providers, until SIGTERM or SIGINT."""
    return uvloop.run(_demo())


async def _demo() -> int:
    _raise_file_limit()
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="understudy-demo-"))
        one = await mock.serve("127.0.0.1", _free(DEMO_ONE))
        stack.push_async_callback(one.close)
        two = await mock.serve("127.0.0.1", _free(DEMO_TWO))
        stack.push_async_callback(two.close)
        # Nobody but who sees this terminal is its operator.
        key = f"usk_{secrets.token_urlsafe(32)}"
        config = _demo_config(one.url, two.url, key, f"sqlite:///{folder}/jobs.db")
        product = await stack.enter_async_context(
            _running(load(config, os.environ, source="demo"), Log())
        )
        print(f"provider anthropic (stand-in): {one.url}")
        print(f"provider openai (stand-in): {two.url}")
        print(f"console key: {key}")
        word = _when_told(None)
        _announce(product)
        await word.wait()
        await product.drain(1.0)
    return 0


def _demo_config(anthropic: str, openai: str, console_key: str, store: str) -> str:
    return f"""
relay: {{listen: "127.0.0.1:{_free(DEMO_RELAY)}"}}
web: {{listen: "127.0.0.1:{_free(DEMO_WEB)}", console_key: "{console_key}"}}
store: "{store}"
providers:
  anthropic:
    kind: anthropic
    base_url: {anthropic}
    accounts: {{main: {{api_key: demo-anthropic-key}}}}
  openai:
    kind: openai
    base_url: {openai}/v1
    accounts: {{main: {{api_key: demo-openai-key}}}}
features:
  assistant:
    title: AI assistant
    models: ["claude-*", "gpt-*"]
    targets:
      - anthropic/claude-sonnet-5
      - openai/gpt-5.2
    defer: true
"""


@contextlib.asynccontextmanager
async def _running(
    settings: Settings, log: Log, state: Path | None = None, seat: Seat | None = None
) -> AsyncIterator[Product]:
    product = Product(settings, log, state, seat)
    try:
        await product.start()
        # What stands now stands for good: the collector need not look at it again. Requests make
        # no cycles, so it need not look often either: at Python's own threshold of 700 it took an
        # eighth of the data path's time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        yield product
    finally:
        await product.close()


def _announce(product: Product) -> None:
    print(f"relay: {product.relay_url}")
    print(f"web: {product.web_url}")
    print("ready", flush=True)


def _when_told(on_hangup: Callable[[], None] | None) -> _Word:
    """Is said when the process is told to end. Made before `ready` is, so that whoever waits for
    that word may signal at once.
    """
    loop = asyncio.get_running_loop()
    word = _Word()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, word.say)
    if on_hangup is not None:
        loop.add_signal_handler(signal.SIGHUP, on_hangup)
    return word


def _reload(product: Product, path: Path) -> None:
    """Read the file again; a fault in it leaves everything as it is."""
    settings = read_again(path, product.log)
    if settings is not None:
        product.reload(settings)


def _tls() -> ssl.SSLContext:
    """Certificates are always verified: the machine's own authorities and Mozilla's."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context


def _raise_file_limit() -> None:
    """Every stream is two sockets: take all the file descriptors that we may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _free(port: int) -> int:
    """`port` where it is free, else 0: any free one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port
