"""Words between processes through PostgreSQL."""

from __future__ import annotations

import asyncio
import binascii
import contextlib
import os
import re
import secrets
import socket
from itertools import count

from understudy.core.store_place import PostgresPlace
from understudy.ports import Changed, Hear, check_word
from understudy.store.speaker import Speaker

__all__ = ["PostgresBulletin"]


class PostgresBulletin:
    """A `Bulletin` through a database of a PostgreSQL server; the running loop hears it.

    It begins at once, whether or not the server can be reached. Those meet who use the same schema
    of the same database. Between them and the server must be no pooler that gives transactions of
    one session to several connections: LISTEN and the lock of who leads are a session's.
    """

    def __init__(self, place: PostgresPlace) -> None:
        self.name = _new_name()
        self._loop = asyncio.get_running_loop()
        self._hear: Hear | None = None
        self._changed: Changed | None = None
        self._numbers = count()
        self._speaker = Speaker(
            place,
            hear=self._post,
            changed=lambda: self._post(None),
        )

    @property
    def is_up(self) -> bool:
        """As the port says."""
        return self._speaker.is_up

    @property
    def leads(self) -> bool:
        """As the port says."""
        return self._speaker.leads

    def stand(self, *, willing: bool) -> None:
        """As the port says."""
        self._speaker.stand(willing=willing)

    def tell(self, topic: str, body: bytes) -> None:
        """As the port says."""
        check_word(topic, body)
        # The number keeps two words that are the same from being taken for one by the server.
        coded = binascii.b2a_base64(body, newline=False).decode("ascii")
        self._speaker.say(f"{self.name} {topic} {next(self._numbers)} {coded}")

    def listen(self, hear: Hear, changed: Changed) -> None:
        """As the port says."""
        self._hear, self._changed = hear, changed

    async def close(self) -> None:
        """As the port says."""
        self._speaker.stop()
        await asyncio.to_thread(self._speaker.join)
        self._hear = self._changed = None

    def _post(self, payloads: list[str] | None) -> None:
        """On the speaker's thread: words have come, or something has changed."""
        # The loop may have ended without closing us; then nobody listens any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._take, payloads)

    def _take(self, payloads: list[str] | None) -> None:
        if payloads is None:
            if self._changed is not None:
                self._changed()
            return
        for payload in payloads:
            word = _read(payload)
            if word is not None and word[0] != self.name and self._hear is not None:
                self._hear(*word)


def _new_name() -> str:
    """Where the process runs, for people, and chance, for it to be unique."""
    host = re.sub(r"[^a-zA-Z0-9.-]", "-", socket.gethostname())[:40] or "host"
    return f"{host}-{os.getpid()}-{secrets.token_hex(3)}"


def _read(payload: str) -> tuple[str, str, bytes] | None:
    """Sender, topic and body; None: no word of ours."""
    try:
        sender, topic, _, coded = payload.split(" ")
        return sender, topic, binascii.a2b_base64(coded, strict_mode=True)
    except ValueError:
        return None
