"""Requests that came before, read and answered: a benchmark asks the same thing again and again."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from understudy.mock import wire
from understudy.mock.answers import compose, continues
from understudy.mock.ask import Ask, Composition
from understudy.mock.dialect import Dialect
from understudy.mock.ids import Blank, BlankIds, Ids

__all__ = ["Order", "Orders", "Template"]

#: Requests remembered, and the longest body that is.
_ORDERS = 512
_LONGEST = 64 * 1024


class Template(msgspec.Struct, frozen=True):
    """The bytes of a body with blanks where ids go."""

    body: bytes
    blanks: tuple[tuple[bytes, Blank], ...]

    def filled(self, ids: Ids) -> bytes:
        """The body of one answer."""
        body = self.body
        for shown, blank in self.blanks:
            body = body.replace(shown, blank.filled(ids))
        return body


class Order:
    """One request, read: what it asks, which fault its model's name asks for, its answers."""

    def __init__(self, ask: Ask, model: str, fault: str) -> None:
        self.ask = ask
        self.model = model
        self.fault = fault
        self.continues = continues(ask)
        self._made: tuple[Composition, ...] | None = None
        self._template: tuple[tuple[object, ...], Template] | None = None

    @property
    def made(self) -> tuple[Composition, ...]:
        """Its answers, one for each choice."""
        if self._made is None:
            choices = range(self.ask.choices)
            self._made = tuple(compose(self.ask, choice=choice) for choice in choices)
        return self._made

    @property
    def output_tokens(self) -> int:
        """What its answers cost."""
        return sum(answer.output_tokens for answer in self.made)

    def template(self, dialect: Dialect, *, created: int, cache_hit: bool, size: int) -> Template:
        """Its answer as it is written: chunks of a stream, `size` tokens to an event, or JSON."""
        key = (dialect.name, created, cache_hit, size)
        if self._template is not None and self._template[0] == key:
            return self._template[1]
        ids = BlankIds()
        ask, made = self.ask, self.made
        if ask.stream:
            frames = dialect.frames(ask, made, ids, created=created, cache_hit=cache_hit, size=size)
            body = b"".join(wire.chunk(frame.data) for frame in frames) + wire.LAST_CHUNK
        else:
            body = dialect.whole(ask, made, ids, created=created, cache_hit=cache_hit)
        made_of = Template(body, tuple(ids.blanks.items()))
        self._template = (key, made_of)
        return made_of


class Orders:
    """Requests by their bytes, the latest only."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, bytes], Order] = OrderedDict()

    def get(self, dialect: Dialect, body: bytes) -> Order | None:
        """The order that these bytes were."""
        return self._held.get((dialect.name, body))

    def put(self, dialect: Dialect, body: bytes, order: Order) -> None:
        """Remember it."""
        if len(body) > _LONGEST:
            return
        self._held[dialect.name, body] = order
        if len(self._held) > _ORDERS:
            self._held.popitem(last=False)
