"""A story as people read it."""

from __future__ import annotations

import math

from simulation.sim_script import Client, Provider, Script
from simulation.sim_world import Story, yaml_of

__all__ = ["replay_line", "tale"]


def replay_line(seed: int, broken: list[str]) -> str:
    """One line: how to see this world again, and what is wrong with it."""
    more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
    return f"python tests/simulation/soak.py --seed {seed}  # {broken[0][:200]}{more}"


def tale(story: Story, broken: list[str]) -> str:
    """The script, the timeline, and what is wrong."""
    parts = [
        f"World {story.script.seed}",
        yaml_of(story.script).rstrip(),
        _scripted(story.script),
        "\n".join(story.lines()),
        "\n".join(broken) if broken else "Every promise was kept.",
    ]
    return "\n\n".join(parts)


def _scripted(script: Script) -> str:
    lines = [line for provider in script.providers for line in _of_provider(provider)]
    lines += [
        f"{fault.host}: {fault.trouble}{_from(fault.start, fault.end)}" for fault in script.network
    ]
    for client in script.clients:
        lines += _of_client(client)
    return "\n".join(lines)


def _of_provider(provider: Provider) -> list[str]:
    line, pace = provider.line, provider.pace
    lines = [
        f"{provider.name}: {provider.kind} {provider.model}, "
        f"{pace.tokens_per_second:g} tokens/s after {pace.first_token:g} s, "
        f"{line.latency * 1000:g} ms away, bytes come {line.cut}"
        + (", its first address is dead" if provider.dead_first else "")
    ]
    for spell in provider.spells:
        rule = spell.rule
        settings = {
            name: getattr(rule, name)
            for name in ("key", "times", "every", "share", "n", "seconds", "size", "retry_after")
            if getattr(rule, name) not in (None, "")
        }
        told = "".join(f", {name}={value}" for name, value in settings.items())
        place = rule.place.value
        lines.append(f"  plays {rule.fault} at {place}{told}{_from(spell.start, spell.end)}")
    return lines


def _of_client(client: Client) -> list[str]:
    reading = client.reading
    slow = "" if reading is None else f", reads {reading.size} bytes, rests {reading.seconds:g} s"
    lines = [f"{client.name}: from {client.at:.3f} s{slow}"]
    for request in client.requests:
        told = f"  case-{request.case}: {request.dialect} {request.flavour}"
        told += " streamed" if request.stream else ""
        if request.deadline is not None:
            told += f", within {request.deadline:g} s"
        if request.leave is not None:
            when = request.leave.after
            told += ", leaves " + (
                f"after {when:.3f} s" if when is not None else f"at {request.leave.read} bytes"
            )
            told += " by RST" if request.leave.rude else ""
        lines.append(told)
    return lines


def _from(start: float, end: float) -> str:
    if start == 0.0 and end == math.inf:
        return ""
    return f", from {start:.3f} s" + ("" if end == math.inf else f" to {end:.3f} s")
