"""What is to happen in a world: plain data, so that a story can be told of it and replayed."""

from __future__ import annotations

import math

import msgspec

from simulation.sim_line import Line, NetFault
from understudy.mock import FaultRule, Pace

__all__ = ["Client", "Feature", "Leave", "Provider", "Reading", "Request", "Script", "Spell"]


class Spell(msgspec.Struct, frozen=True, kw_only=True):
    """A provider plays `rule` from `start` to `end`."""

    rule: FaultRule
    start: float = 0.0
    end: float = math.inf


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One stand-in, which is a target of the feature for each of its accounts."""

    name: str
    #: As in the configuration: anthropic, openai, openai-compatible.
    kind: str
    model: str
    accounts: tuple[str, ...] = ("main",)
    #: Fixes the wire dialect, in the configuration's words.
    dialect: str | None = None
    pace: Pace = Pace()
    line: Line = Line()
    spells: tuple[Spell, ...] = ()
    #: Its first address refuses connections.
    dead_first: bool = False


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """The feature's limits, in seconds."""

    deadline: float = 120.0
    first_token: float = 10.0
    idle: float = 30.0
    attempts: int = 3
    #: Whether broken streams go on at the next target.
    continues: bool = True
    #: When a second attempt begins beside a slow first one; None: never.
    hedge: float | None = None
    #: How long a caller is kept while nothing can serve it.
    hold: float = 0.0


class Leave(msgspec.Struct, frozen=True, kw_only=True):
    """A caller goes before it has its answer: `after` seconds, or once it has `read` bytes of the
    body. `rude`: by RST, else by FIN.
    """

    after: float | None = None
    read: int | None = None
    rude: bool = False


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A caller that reads slowly: it pauses for `seconds` whenever it has read `size` bytes."""

    size: int
    seconds: float


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `case` is its number in the world, which stands in its prompt.

    `flavour` says what is asked for: see `sim_requests`. `wait` is the time between the answer
    before it on the connection and this.
    """

    case: int
    dialect: str
    stream: bool
    flavour: str = "text"
    wait: float = 0.0
    #: x-understudy-deadline.
    deadline: float | None = None
    leave: Leave | None = None


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A caller of its own name and key: one connection, one request after another. A connection
    that ends before the last request is made anew.
    """

    name: str
    requests: tuple[Request, ...]
    at: float = 0.0
    line: Line = Line()
    reading: Reading | None = None


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """A world before it begins."""

    seed: int
    providers: tuple[Provider, ...]
    clients: tuple[Client, ...]
    feature: Feature = Feature()
    network: tuple[NetFault, ...] = ()
    #: In the end all that is wrong is put right, and one last request must get its answer.
    heals: bool = False
    #: The relay asks questions of its own.
    probes: bool = False

    @property
    def requests(self) -> list[Request]:
        """Every request of every client."""
        return [request for client in self.clients for request in client.requests]
