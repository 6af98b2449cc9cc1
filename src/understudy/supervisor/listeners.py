"""Listening sockets: one for a process alone, or several of one address for as many workers.

With `SO_REUSEPORT` the kernel gives each new connection to one of the sockets that listen on an
address (socket(7), https://lwn.net/Articles/542629/). What waits in the queue of one stays there
for as long as somebody has it open, so a worker's successor on the same socket finds it.
"""

from __future__ import annotations

import socket

from understudy.core.settings import Listen

__all__ = ["BACKLOG", "Listeners", "bound", "door_of", "port_of", "url_of"]

#: Connections that wait to be accepted.
BACKLOG = 1024


def bound(listen: Listen) -> socket.socket:
    """A socket that listens.

    Raises:
        OSError: the address is in use or not ours.
    """
    return socket.create_server(
        (listen.host, listen.port), family=_family(listen.host), backlog=BACKLOG
    )


def door_of(name: str) -> socket.socket:
    """A socket of this machine alone, at an abstract address (unix(7)): no file is left behind.

    Raises:
        OSError: somebody has that name.
    """
    door = socket.socket(socket.AF_UNIX)
    try:
        door.bind(f"\0{name}")
    except OSError:
        door.close()
        raise
    return door


def port_of(bound_socket: socket.socket) -> int:
    """The port of a socket."""
    return int(bound_socket.getsockname()[1])


def url_of(listen: Listen, port: int) -> str:
    """As a client writes it."""
    host = f"[{listen.host}]" if ":" in listen.host else listen.host
    return f"http://{host}:{port}"


class Listeners:
    """One address, bound once for each slot. The first worker of a slot begins to listen.

    Args:
        listen: the address; port 0 takes a free one, the same for all.
        slots: how many.

    Raises:
        OSError: the address is in use or not ours.
    """

    def __init__(self, listen: Listen, slots: int) -> None:
        self.listen = listen
        first = socket.socket(_family(listen.host))
        self._sockets = [first]
        try:
            first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if first.family == socket.AF_INET6:
                first.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            first.bind((listen.host, listen.port))
            # Not before: another process of ours that shares its address is "in use" all the same.
            first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self._sockets += [self._another() for _ in range(slots - 1)]
        except OSError as error:
            self.close()
            error.filename = f"{listen.host}:{listen.port}"
            raise

    @property
    def url(self) -> str:
        """As a client writes it."""
        return url_of(self.listen, port_of(self._sockets[0]))

    def of(self, slot: int) -> socket.socket:
        """A slot's socket."""
        return self._sockets[slot]

    def renew(self, slot: int) -> None:
        """Turn away who waits in a slot's queue, and let nobody in before somebody listens again.

        A socket that has listened can't rejoin the others, hence a new one.
        """
        old = self._sockets[slot]
        self._sockets[slot] = self._another()
        old.close()

    def close(self) -> None:
        """Let go of all of them."""
        for one in self._sockets:
            one.close()

    def _another(self) -> socket.socket:
        first = self._sockets[0]
        more = socket.socket(first.family)
        try:
            if first.family == socket.AF_INET6:
                more.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            more.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            more.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            more.bind(first.getsockname())
        except OSError:
            more.close()
            raise
        return more


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
