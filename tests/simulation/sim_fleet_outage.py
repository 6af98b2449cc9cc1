"""An outage of ten minutes as several processes live through it."""

from __future__ import annotations

import asyncio
from typing import Any

from simulation.sim_fleet import Process, Town, live
from simulation.sim_script import Provider, Spell
from understudy.mock import FaultRule, Pace

__all__ = ["DOWN", "EVERY", "HANGS", "ILL", "MINUTES", "probes_of", "provider", "settled", "town"]

PACE = Pace(tokens_per_second=200.0, first_token=0.3, tokens_per_event=20)
#: When "one" falls ill, for how long, and how often each process is asked. Seconds.
ILL, MINUTES = 60.0, 600.0
EVERY = 2.0
DOWN = FaultRule(fault="overloaded")
HANGS = FaultRule(fault="hang", where="before_headers")


def provider(name: str, **more: Any) -> Provider:
    """One of the two that there are."""
    kinds = {"one": ("anthropic", "claude-haiku-4-5"), "two": ("openai", "gpt-4.1")}
    kind, model = kinds[name]
    return Provider(name=name, kind=kind, model=model, pace=PACE, **more)


def town(rule: FaultRule = DOWN, *, well: float = ILL + MINUTES, **more: Any) -> Town:
    """Where the first provider falls ill."""
    spells = (Spell(rule=rule, start=ILL, end=well),)
    return Town(provider("one", spells=spells), provider("two"), **more)


async def settled(town: Town, count: int, **how: Any) -> list[Process]:
    """So many processes that know of each other."""
    processes = [town.begin(**how) for _ in range(count)]
    await asyncio.sleep(5.0)
    assert all(p.fleet.processes == (1 if how else count) for p in processes)
    return processes


def probes_of(count: int, rule: FaultRule, seed: int, **how: Any) -> int:
    """The probes at "one" while it is ill, of as many processes with the same traffic."""
    world = town(rule)

    async def script(town: Town) -> None:
        processes = await settled(town, count, **how)
        ends = ILL + MINUTES + 60.0
        asking = [town.traffic(process, EVERY * count, ends) for process in processes]
        answers = [got for answers in await asyncio.gather(*asking) for got in answers]
        assert {got.status for got in answers} == {200}

    live(world, script, seed=seed)
    return len(world.asked("one", probes=True, start=ILL, end=ILL + MINUTES))
