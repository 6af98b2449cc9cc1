"""A network in memory: names, listeners, connections, and what goes wrong with them.

`Network.attach` gives a loop the two doors through which asyncio code reaches out:
`create_connection` and `getaddrinfo`. TLS is a delay and nothing more: what travels is plain.
"""

from __future__ import annotations

import asyncio
import errno
import random
import socket
import ssl
from collections.abc import Callable
from typing import Any

import msgspec

from simulation.sim_line import Hole, Line, NetFault
from simulation.sim_loop import VirtualLoop
from simulation.sim_transport import Transport, connect

__all__ = ["Host", "Network"]

Factory = Callable[[], asyncio.Protocol]
Note = Callable[[str, str], None]


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """Someone who listens: the way there, and who answers."""

    name: str
    line: Line
    factory: Factory
    #: The first of them refuses connections, as an address family that is down does.
    addresses: tuple[str, ...]
    dead_first: bool = False


class Network:
    """Every host that there is.

    Args:
        rng: draws jitter and cuts.
        note: is told (who, what) of everything that goes wrong.
    """

    def __init__(self, loop: VirtualLoop, rng: random.Random, note: Note) -> None:
        self._loop = loop
        self._rng = rng
        self._note = note
        self._hosts: dict[str, Host] = {}
        self._by_address: dict[str, Host] = {}
        self._faults: list[NetFault] = []
        self._strikes: list[asyncio.TimerHandle] = []
        self._open: dict[str, list[tuple[Transport, Transport]]] = {}

    def attach(self) -> None:
        """Become the loop's network."""
        self._loop.create_connection = self._create_connection  # type: ignore[method-assign]
        self._loop.getaddrinfo = self._getaddrinfo  # type: ignore[method-assign]

    def serve(self, name: str, line: Line, factory: Factory, *, dead_first: bool = False) -> None:
        """Let `name` accept connections."""
        number = len(self._hosts) + 1
        addresses = tuple(f"10.0.{number}.{part}" for part in (1, 2))
        host = Host(
            name=name, line=line, factory=factory, addresses=addresses, dead_first=dead_first
        )
        self._hosts[name] = host
        for address in addresses:
            self._by_address[address] = host

    def play(self, fault: NetFault) -> None:
        """Let this go wrong at its time."""
        self._faults.append(fault)
        if fault.trouble in {"reset_all", "close_all"}:
            self._strikes.append(self._loop.call_at(fault.start, self._strike, fault))

    def heal(self) -> None:
        """Nothing goes wrong any more for connections to come."""
        self._faults.clear()
        for strike in self._strikes:
            strike.cancel()

    def open(self, client: asyncio.Protocol, to: str, line: Line | None = None) -> Transport:
        """A connection made at once, by someone whose dialling is not looked at."""
        return self._connect(client, self._hosts[to], line)

    # -- the loop's doors ---------------------------------------------------------------------

    async def _getaddrinfo(self, host: str, port: int, **options: Any) -> list[tuple[Any, ...]]:
        if self._is(host, "dns_hangs"):
            await self._for_ever(host, "the resolver hangs")
        await asyncio.sleep(self._rng.random() * 0.005)
        if self._is(host, "dns_fails"):
            self._note(host, "its name cannot be resolved")
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if self._is(host, "dns_silent"):
            self._note(host, "the resolver does not answer")
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        kind = (socket.AF_INET, options.get("type", 0), 6, "")
        return [(*kind, (address, port)) for address in self._hosts[host].addresses]

    async def _create_connection(
        self, factory: Factory, host: str, port: int, **options: Any
    ) -> tuple[Transport, asyncio.Protocol]:
        found = self._by_address.get(host) or self._hosts[host]
        name, line = found.name, found.line
        if self._is(name, "hole") or self._is(name, "connect_hangs"):
            await self._for_ever(name, "the connection hangs")
        if self._is(name, "unreachable"):
            self._note(name, f"{host} is unreachable")
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        await asyncio.sleep(2 * line.latency)
        refuses = found.dead_first and host == found.addresses[0]
        if refuses or self._is(name, "refuse"):
            self._note(name, f"{host} refuses the connection")
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        if options.get("ssl") is not None:
            await asyncio.sleep(2 * line.latency)
            if self._is(name, "tls_broken"):
                self._note(name, "its certificate is bad")
                raise ssl.SSLCertVerificationError(1, "certificate verify failed: expired")
        protocol = factory()
        return self._connect(protocol, found, None), protocol

    # -- inside -------------------------------------------------------------------------------

    def _connect(self, client: asyncio.Protocol, host: Host, line: Line | None) -> Transport:
        holes = tuple(
            Hole(fault.start, fault.end)
            for fault in self._faults
            if fault.trouble == "hole" and fault.host == host.name
        )
        pair = connect(
            self._loop,
            self._rng,
            (client, host.factory()),
            ("10.0.0.1", host.addresses[0]),
            (line or host.line, holes),
        )
        if any(fault.host == host.name for fault in self._faults):
            self._open.setdefault(host.name, []).append(pair)
        return pair[0]

    def _strike(self, fault: NetFault) -> None:
        self._note(fault.host, f"{fault.trouble} strikes")
        for pair in self._open.pop(fault.host, ()):
            for end in pair:
                end.strike(reset=fault.trouble == "reset_all")

    def _is(self, host: str, trouble: str) -> bool:
        """Whether there is such trouble with the host now."""
        now = self._loop.time()
        return any(
            fault.host == host and fault.trouble == trouble and fault.holds_at(now)
            for fault in self._faults
        )

    async def _for_ever(self, host: str, what: str) -> None:
        self._note(host, what)
        await self._loop.create_future()
