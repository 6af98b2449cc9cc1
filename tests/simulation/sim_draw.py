"""From a seed to a script: who listens, who asks, and what goes wrong when."""

from __future__ import annotations

import math
import random
from typing import get_args

from simulation.sim_line import Cut, Line, NetFault, Trouble
from simulation.sim_requests import DIALECTS, FLAVOURS
from simulation.sim_script import (
    Client,
    Feature,
    Leave,
    Provider,
    Reading,
    Request,
    Script,
    Spell,
)
from simulation.sim_world import NAMES
from understudy.mock import CATALOGUE, CatalogueEntry, FaultRule, Pace

__all__ = ["draw", "places_of", "rule_for"]

_HAIKU = ("anthropic", "claude-haiku-4-5", 1)
_SONNET = ("anthropic", "claude-sonnet-5", 1)
_GPT = ("openai", "gpt-4.1", 1)
_GPT_5 = ("openai", "gpt-5.2", 1)
_LLAMA = ("openai-compatible", "llama-3.3-70b", 1)
_TWO_KEYS = ("anthropic", "claude-haiku-4-5", 2)
#: Targets in order of preference: kind, model, number of accounts. Not every combination, because
#: each is a configuration to be read, which takes longer than a world.
_TARGETS = (
    (_HAIKU,),
    (_GPT,),
    (_HAIKU, _GPT),
    (_GPT, _HAIKU),
    (_SONNET, _HAIKU),
    (_LLAMA, _GPT),
    (_TWO_KEYS, _GPT_5),
    (_HAIKU, _GPT, _LLAMA),
    (_GPT_5, _SONNET, _HAIKU),
    (_SONNET, _LLAMA, _TWO_KEYS, _GPT),
)
#: Sizes that show the same and take less time to make than the catalogue's own.
_SIZES = {"gzip_bomb": 200_000, "oversized_event": 1_200_000, "oversized_header": 100_000}
_FEATURES = (
    Feature(),
    Feature(deadline=30.0, first_token=3.0, idle=5.0),
    Feature(deadline=60.0, first_token=5.0, idle=10.0, attempts=2),
    Feature(deadline=20.0, first_token=10.0, idle=8.0, attempts=4),
    Feature(deadline=120.0, first_token=2.0, idle=4.0, attempts=5),
    Feature(deadline=8.0, first_token=4.0, idle=3.0, attempts=1),
    Feature(deadline=40.0, first_token=4.0, idle=6.0, continues=False),
    Feature(deadline=60.0, first_token=6.0, hedge=0.8),
    Feature(deadline=60.0, first_token=4.0, idle=6.0, hold=25.0),
    Feature(deadline=30.0, first_token=3.0, idle=5.0, attempts=1, hold=60.0),
)


def places_of(entry: CatalogueEntry) -> list[str]:
    """Where a fault can strike."""
    return list(dict.fromkeys((entry.where.value, *(where.value for where in entry.wheres))))


def rule_for(entry: CatalogueEntry, **fields: object) -> FaultRule:
    """A rule for a fault, of a size that a simulation can bear."""
    size = _SIZES.get(entry.name)
    more = {} if size is None else {"size": size}
    return FaultRule(fault=entry.name, **more, **fields)  # type: ignore[arg-type]


def draw(seed: int) -> Script:
    """The script of a seed: always the same one for the same tree."""
    rng = random.Random(f"script {seed}")
    well = rng.random() < 0.1
    providers = tuple(
        _provider(rng, place, target, well=well)
        for place, target in enumerate(rng.choice(_TARGETS))
    )
    feature = rng.choice(_FEATURES)
    return Script(
        seed=seed,
        providers=providers,
        feature=feature,
        clients=_clients(rng, feature),
        network=() if well else _network(rng, providers),
        heals=rng.random() < 0.2,
    )


# -- providers --------------------------------------------------------------------------------


def _provider(
    rng: random.Random, place: int, target: tuple[str, str, int], *, well: bool
) -> Provider:
    kind, model, accounts = target
    return Provider(
        name=("one", "two", "three", "four")[place],
        kind=kind,
        model=model,
        accounts=("main", "backup")[:accounts],
        pace=_pace(rng),
        line=_line(rng),
        spells=() if well or rng.random() > 0.85 - 0.25 * place else _spells(rng, kind),
        dead_first=rng.random() < 0.05,
    )


def _pace(rng: random.Random) -> Pace:
    if rng.random() < 0.4:
        return Pace(tokens_per_event=rng.choice((4, 8, 16)))
    return Pace(
        tokens_per_second=rng.choice((15.0, 40.0, 100.0)),
        first_token=rng.choice((0.0, 0.2, 0.7, 1.9)),
        tokens_per_event=rng.choice((3, 8, 20)),
    )


def _line(rng: random.Random) -> Line:
    cut: Cut = rng.choice(("whole", "whole", "frames", "random", "bytes"))
    return Line(
        latency=rng.choice((0.0002, 0.002, 0.03, 0.15)),
        jitter=rng.choice((0.0, 0.001, 0.02)),
        bandwidth=rng.choice((0.0, 0.0, 20_000.0, 200_000.0)),
        window=rng.choice((2_048, 65_536, 262_144)),
        cut=cut,
        rude=rng.random() < 0.3,
    )


def _spells(rng: random.Random, kind: str) -> tuple[Spell, ...]:
    spells = []
    for _ in range(rng.choice((1, 1, 1, 2))):
        start = rng.choice((0.0, 0.0, 0.0, rng.uniform(0.0, 20.0)))
        end = rng.choice((math.inf, math.inf, start + rng.uniform(1.0, 40.0)))
        spells.append(Spell(rule=_rule(rng, kind), start=start, end=end))
    return tuple(spells)


def _rule(rng: random.Random, kind: str) -> FaultRule:
    dialect = "messages" if kind == "anthropic" else "chat_completions"
    entries = [entry for entry in CATALOGUE.values() if dialect in entry.dialects]
    # What breaks within an answer has more ways to go wrong than what is refused at once.
    entry = rng.choice([e for e in entries if len(e.wheres) > 1] if rng.random() < 0.5 else entries)
    fields: dict[str, object] = {"where": rng.choice(places_of(entry))}
    how = rng.random()
    if how < 0.15:
        fields["times"] = rng.randint(1, 3)
    elif how < 0.3:
        fields["every"] = rng.randint(2, 3)
    elif how < 0.45:
        fields["share"] = rng.choice((0.2, 0.5, 0.8))
    if rng.random() < 0.2:
        fields["key"] = rng.choice(("main", "backup"))
    if entry.argument == "n" and rng.random() < 0.6:
        fields["n"] = rng.choice((0, 1, 5, 20, 60, 200))
    if entry.argument == "seconds" and rng.random() < 0.5:
        fields["seconds"] = rng.choice((0.1, 1.0, 6.0, 20.0))
    return rule_for(entry, **fields)


def _network(rng: random.Random, providers: tuple[Provider, ...]) -> tuple[NetFault, ...]:
    faults = []
    for provider in providers:
        if rng.random() > 0.15:
            continue
        start = rng.choice((0.0, rng.uniform(0.0, 15.0)))
        faults.append(
            NetFault(
                host=f"{provider.name}.sim",
                trouble=rng.choice(get_args(Trouble)),
                start=start,
                end=start + rng.choice((0.5, 5.0, 60.0)),
            )
        )
    return tuple(faults)


# -- callers ----------------------------------------------------------------------------------


def _clients(rng: random.Random, feature: Feature) -> tuple[Client, ...]:
    clients = []
    case = 0
    for name in NAMES[: rng.choice((1, 2, 2, 3, 4, 6))]:
        requests = []
        for _ in range(rng.choice((1, 1, 2, 3))):
            case += 1
            requests.append(_request(rng, case, feature))
        slow = rng.random() < 0.12
        clients.append(
            Client(
                name=name,
                requests=tuple(requests),
                at=rng.choice((0.0, rng.uniform(0.0, 5.0))),
                line=_line(rng),
                reading=_reading(rng) if slow else None,
            )
        )
    return tuple(clients)


def _reading(rng: random.Random) -> Reading:
    return Reading(size=rng.choice((64, 1_000, 5_000)), seconds=rng.choice((0.05, 0.5, 2.0)))


def _request(rng: random.Random, case: int, feature: Feature) -> Request:
    dialect = rng.choice(DIALECTS)
    flavour = rng.choice(("text", "text", *FLAVOURS))
    if flavour == "thinking" and dialect != "messages":
        flavour = "text"
    return Request(
        case=case,
        dialect=dialect,
        stream=rng.random() < 0.75,
        flavour=flavour,
        wait=rng.choice((0.0, 0.5, rng.uniform(0.0, 30.0))),
        deadline=rng.choice((0.4, 2.0, 9.0)) if rng.random() < 0.1 else None,
        leave=_leave(rng, feature) if rng.random() < 0.18 else None,
    )


def _leave(rng: random.Random, feature: Feature) -> Leave:
    rude = rng.random() < 0.4
    if rng.random() < 0.4:
        return Leave(read=rng.choice((1, 300, 1_500)), rude=rude)
    return Leave(after=rng.choice((0.0, 0.01, 0.6, rng.uniform(0.0, feature.idle))), rude=rude)
