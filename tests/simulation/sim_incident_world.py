"""A product with its providers, in virtual time: traffic, failover, suspicion, probes, evidence.

Health is the real thing (`Board`, `Probing`, `choose`), and so is what is told to `Evidence`. What
a call meets is drawn: noise at any time, and from a moment on an incident.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import NamedTuple, Protocol

from simulation.sim_incident_faults import DIALECT_OF, OURS, lost, said
from understudy.core.faults import OUTAGE_LIKE, Fault, Kind
from understudy.core.outcomes import Result
from understudy.policy.board import Board
from understudy.policy.evidence import Evidence
from understudy.policy.gates import Gates, Ticket
from understudy.policy.plans import NOBODYS, Target
from understudy.policy.probing import Probing
from understudy.policy.targets import Choice, choose

__all__ = ["Call", "Feature", "Incident", "World", "play"]

#: Seconds of ordinary traffic before an incident, and for how long it must wait for a call to hit.
CALM, PATIENCE = 400.0, 1800.0
FIRST_TOKEN = 10.0
ATTEMPTS = 3
#: Seconds: median and spread of a failure's time, and of what follows the first content.
FAILURE, REST = (0.15, 0.5), (3.0, 0.7)

_VENDORS = (
    ("anthropic", "anthropic", ("claude-sonnet-5", "claude-haiku-4-5", "claude-opus-5")),
    ("openai", "openai", ("gpt-5.2", "gpt-5-mini", "gpt-4.1")),
    ("vllm", "openai-compatible", ("llama-3.3-70b", "qwen3-32b", "mistral-small")),
)
#: The noise of the best of times, by weight. A rate limit is none: whoever gets one has met it.
_NOISE = (
    (3.0, lambda kind: said("overloaded", kind)),
    (3.0, lambda kind: said("internal_error", kind)),
    (1.0, lambda kind: said("timeout_error", kind)),
    (1.0, lambda kind: said("no_terminal", kind)),
    (0.5, lambda kind: said("edge_502", kind)),
    (0.3, lambda kind: said("empty_answer", kind)),
    (1.0, lambda _: lost("reset")),
    (0.7, lambda _: lost("connect_timeout")),
    (1.0, lambda _: OURS["too_slow"]),
    (2.0, lambda kind: said("invalid_request", kind)),
    (1.0, lambda kind: said("context_too_long", kind)),
)
_NOISES = tuple(zip(*((make, weight) for weight, make in _NOISE), strict=True))


@dataclass
class Feature:
    """A feature of the product, its targets in order of preference."""

    name: str
    #: Calls a minute.
    rate: float
    #: In which it is called.
    dialect: str
    targets: tuple[Target, ...]
    #: Who calls it, and how often, each.
    tenants: tuple[tuple[str, float], ...]


class Call(NamedTuple):
    """One attempt, as an incident sees it."""

    target: Target
    feature: str
    tenant: str | None
    translated: bool
    is_probe: bool


class Incident(Protocol):
    """What goes wrong."""

    #: Nothing does.
    is_none: bool

    def strikes(self, call: Call, draw: Random) -> Fault | float | None:
        """What becomes of a call: a fault, an answer whose first content takes so many seconds, or
        nothing.
        """
        ...

    def extra(self) -> tuple[Feature, str, float] | None:
        """More calls than there were: of a feature, by a tenant, so many a minute."""
        ...


@dataclass
class World:
    """One product. Everything in it follows from its seed."""

    draw: Random
    noise: float
    kinds: dict[str, str] = field(default_factory=dict)
    targets: list[Target] = field(default_factory=list)
    features: list[Feature] = field(default_factory=list)
    #: Target → the median of its time to first content.
    pace: dict[str, float] = field(default_factory=dict)

    def build(self) -> World:
        """Draw the product."""
        draw = self.draw
        for name, kind, models in draw.sample(_VENDORS, draw.choice((2, 2, 3))):
            self.kinds[name] = kind
            accounts = draw.choice((1, 2))
            kept = draw.sample(models, draw.choice((2, 2, 3)))
            for account in ("main", "backup")[:accounts]:
                self.targets += [_target(name, account, model, kind) for model in kept]
        for target in self.targets:
            self.pace.setdefault(target.name, draw.uniform(0.4, 1.5))
        tenants = [f"tenant-{n}" for n in range(draw.randint(1, 20))]
        weights = tuple((name, draw.uniform(0.2, 3.0)) for name in tenants)
        for number in range(draw.choice((2, 3, 4))):
            self.features.append(self._feature(f"feature-{number}", weights))
        return self

    def _feature(self, name: str, tenants: tuple[tuple[str, float], ...]) -> Feature:
        draw = self.draw
        order: list[Target] = []
        providers = list(self.kinds)
        draw.shuffle(providers)
        for provider in providers:
            model = draw.choice([t.model for t in self.targets if t.provider == provider])
            order += [t for t in self.targets if t.provider == provider and t.model == model]
        return Feature(
            name=name,
            rate=math.exp(draw.uniform(math.log(0.5), math.log(60.0))),
            dialect=draw.choice(("messages", "chat_completions")),
            targets=tuple(order),
            tenants=tenants,
        )

    def is_translated(self, feature: Feature, target: Target) -> bool:
        """Whether the feature's callers speak another dialect than the target."""
        return feature.dialect != DIALECT_OF[self.kinds[target.provider]]


def _target(provider: str, account: str, model: str, kind: str) -> Target:
    return Target(
        provider=provider,
        account=account,
        model=model,
        tier="same",
        operations=frozenset({DIALECT_OF[kind]}),
        key=f"{provider}@{account}/{model}",
        account_key=f"{provider}@{account}",
        name=f"{provider}/{model}",
        probed=True,
    )


class _Fate(NamedTuple):
    """What becomes of one attempt."""

    #: None: an answer.
    fault: Fault | None
    #: Seconds until its first content, or until it fails.
    seconds: float
    #: The incident's doing.
    struck: bool = False


class _Play:
    """A world on its way."""

    def __init__(
        self, world: World, incident: Incident, see: Callable[[Evidence, float], None]
    ) -> None:
        self.world = world
        self.incident = incident
        self.see = see
        self.draw = world.draw
        self.board = Board(self.draw.random, probed=True)
        self.gates = Gates()
        self.probing = Probing(self.board, self.draw.random)
        self.evidence = Evidence()
        self.now = 0.0
        #: When the incident first hit a call.
        self.hit_at: float | None = None
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._numbers), what))

    def run(self, looks: tuple[float, ...]) -> None:
        for feature in self.world.features:
            self._calls(feature, feature.rate, None, 0.0)
        if (more := self.incident.extra()) is not None:
            feature, tenant, rate = more
            self._calls(feature, rate, tenant, CALM)
        self.at(0.0, self._tick)
        while self.hit_at is None:
            if self.now >= CALM + PATIENCE:
                assert self.incident.is_none, "an incident that hits nobody"
                self.hit_at = self.now
            self._step()
        for wait in looks:
            while self._events[0][0] < self.hit_at + wait:
                self._step()
            self.now = self.hit_at + wait
            self.see(self.evidence, self.now)

    def _step(self) -> None:
        self.now, _, what = heapq.heappop(self._events)
        what()

    # -- traffic ------------------------------------------------------------------------------

    def _calls(self, feature: Feature, rate: float, tenant: str | None, since: float) -> None:
        """Calls of a feature come as they please (Poisson)."""
        names, weights = zip(*feature.tenants, strict=True)

        def come() -> None:
            self.at(self.now + self.draw.expovariate(rate / 60.0), come)
            who = tenant or self.draw.choices(names, weights)[0]
            self._ask_first(feature, who, (), "")

        self.at(since + self.draw.expovariate(rate / 60.0), come)

    def _ask_first(
        self, feature: Feature, tenant: str, tried: tuple[str, ...], because: str
    ) -> None:
        """Ask the first target that is well; go on to the next where `Delivery` would."""
        door = Ticket(self.gates, NOBODYS, self.draw.random)
        choice = choose(feature.targets, self.board, self.now, door, tried, because)
        if not isinstance(choice, Choice):
            return
        target = choice.target
        call = Call(
            target, feature.name, tenant, self.world.is_translated(feature, target), is_probe=False
        )

        def ended(fault: Fault | None) -> None:
            if fault is None or fault.kind in {Kind.CALLER, Kind.REFUSED}:
                return
            if len(tried) + 1 < ATTEMPTS:
                self._ask_first(feature, tenant, (*tried, target.key), "it failed")

        self._attempt(call, ended)

    # -- probes -------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._probe()
        # Where nothing is under suspicion, a second more or less is nothing.
        settled = self.now < CALM or (self.hit_at is not None and self.now > self.hit_at + 90.0)
        self.at(self.now + (10.0 if settled else 1.0), self._tick)

    def _probe(self) -> None:
        for target, _ in self.probing.due(self.world.targets, self.now):
            self.probing.began(target, self.now)
            call = Call(target, "probe", None, translated=False, is_probe=True)
            self._attempt(call, lambda _, asked=target: self.probing.ended(asked, self.now))

    # -- one attempt --------------------------------------------------------------------------

    def _attempt(self, call: Call, ended: Callable[[Fault | None], None]) -> None:
        began, target = self.now, call.target
        self.board.started(target, began)
        fate = self._fate(call)
        seconds = fate.seconds
        if fate.fault is None:
            seconds += 0.3 if call.is_probe else _drawn(self.draw, REST)

        def end() -> None:
            self._tell(call, fate, began)
            ended(fate.fault)

        self.at(began + seconds, end)

    def _fate(self, call: Call) -> _Fate:
        struck = self.incident.strikes(call, self.draw) if self.now >= CALM else None
        if isinstance(struck, Fault):
            return _Fate(struck, _drawn(self.draw, FAILURE), struck=True)
        noise = self._noise(call)
        if noise is not None:
            long = noise is OURS["too_slow"]
            return _Fate(noise, FIRST_TOKEN if long else _drawn(self.draw, FAILURE))
        first = self.world.pace[call.target.name] * math.exp(self.draw.gauss(0.0, 0.45))
        first = struck or first * (0.7 if call.is_probe else 1.0)
        if first > FIRST_TOKEN:
            return _Fate(OURS["too_slow"], FIRST_TOKEN, struck=True)
        return _Fate(None, first)

    def _noise(self, call: Call) -> Fault | None:
        if self.draw.random() >= self.world.noise:
            return None
        make = self.draw.choices(*_NOISES)[0]
        fault: Fault = make(self.world.kinds[call.target.provider])
        if call.is_probe and fault.kind in {Kind.CALLER, Kind.ADAPTABLE}:
            return None  # Its words are ours, and right.
        return OURS["unread"] if call.translated and fault.kind is Kind.CALLER else fault

    def _tell(self, call: Call, fate: _Fate, began: float) -> None:
        now, target, fault = self.now, call.target, fate.fault
        result = Result.CONTENT if fault is None else Result.FAULT
        self.board.ended(target, result, fault, now, began, is_probe=call.is_probe)
        told = {
            "feature": call.feature,
            "tenant": call.tenant,
            "translated": call.translated,
            "probe": call.is_probe,
        }
        if fault is None:
            self.evidence.worked(target, began, first_content=fate.seconds, **told)
            return
        self.evidence.failed(target, fault, now, retry=False, **told)
        if self.hit_at is None and began >= CALM and (fate.struck or self.incident.is_none):
            self.hit_at = now
        if fault.kind in OUTAGE_LIKE:
            self.at(now + 0.05, self._probe)


def _drawn(draw: Random, shape: tuple[float, float]) -> float:
    median, spread = shape
    return median * math.exp(draw.gauss(0.0, spread))


def play(
    world: World,
    incident: Incident,
    looks: tuple[float, ...],
    see: Callable[[Evidence, float], None],
) -> None:
    """Play an incident; `see` is called so many seconds after the first call that it hits."""
    _Play(world, incident, see).run(looks)
