"""Health as a table for terminals: what `understudy status` prints.

A state is a word first and a colour second. Texts that come from providers and people are shown
without their control characters: a terminal would obey them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from understudy.core.allotment import Limited
from understudy.services.health_view import (
    CauseView,
    FeatureView,
    FleetView,
    HealthView,
    NodeHealth,
    State,
    TargetView,
    TestimonyView,
)
from understudy.services.limits_view import LimitsView
from understudy.web.text import columns, cut, plain, span

__all__ = ["status_lines"]

_HEAD = (
    *("NODE", "STATE", "SCORE", "SHARE", "LAST GOOD", "NEXT TRY", "PROBE", "RETRIES"),
    *("AT ONCE", "LEFT", "WHY"),
)
#: State → SGR code (ECMA-48 §8.3.117).
_COLOURS = {
    State.CLOSED: "32",
    State.NEVER_PROVED: "2",
    State.SLOW_START: "33",
    State.HALF_OPEN: "33",
    State.OPEN: "31",
    State.PULLED: "35",
}
_BAD = "31"
_BOLD = "1"


class _Paint:
    """Colours, or none."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def __call__(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


def status_lines(
    health: HealthView, url: str, *, width: int | None = None, colour: bool = False
) -> list[str]:
    """The table's lines. `width`: columns that fit; None: as many as it takes."""
    paint = _Paint(colour=colour)
    network = health.network
    head = f"{url}  {health.at}  {network.serving} of {network.targets} targets serve"
    lines = [paint(cut(plain(head), width), _BOLD), *_fleet(health.fleet, width, paint), ""]
    lines += _features(health.features, width, paint)
    lines += ["", *_tree(health, width, paint)]
    for cause in health.causes:
        lines += ["", *(cut(line, width) for line in _cause(cause))]
    if health.limited:
        lines += ["", *(cut(_limited(one), width) for one in health.limited)]
    if health.testimonies:
        lines += ["", *(cut(_testimony(said), width) for said in health.testimonies)]
    return lines


def _fleet(fleet: FleetView, width: int | None, paint: _Paint) -> Iterator[str]:
    """Who serves together; nothing where one is alone."""
    if fleet.reachable is None:
        return
    count = f"{fleet.processes} process{'es' if fleet.processes > 1 else ''}"
    if fleet.reachable:
        leads = f"{fleet.leader} leads" if fleet.leader is not None else "nobody leads"
        yield cut(plain(f"{count}, {leads}; this is {fleet.process}"), width)
    else:
        words = f"PostgreSQL can't be reached: {count} at last, each decides by itself"
        yield paint(cut(plain(words), width), _BAD)


def _features(features: Sequence[FeatureView], width: int | None, paint: _Paint) -> list[str]:
    longest = max((len(feature.name) for feature in features), default=0)
    lines = [paint(f"{'FEATURE':<{longest}}  SERVED BY", _BOLD)]
    for feature in features:
        by = feature.served_by
        if by is None:
            words, code = "nobody: no target can serve it", _BAD
        elif feature.preferred:
            words, code = by, _COLOURS[State.CLOSED]
        else:
            words, code = f"{by}, not the first choice ({feature.tier})", "33"
        line = cut(f"{feature.name:<{longest}}  {plain(words)}", width)
        lines.append(paint(line, code))
    return lines


def _tree(health: HealthView, width: int | None, paint: _Paint) -> list[str]:
    rows: list[tuple[str, ...]] = [_HEAD]
    codes = [_BOLD]
    for name, node, target in _nodes(health):
        rows.append(_row(name, node, target, health.at))
        codes.append(_COLOURS[node.state])
    lines = zip(columns(rows), codes, strict=True)
    return [paint(cut(line, width), code) for line, code in lines]


def _nodes(health: HealthView) -> Iterator[tuple[str, NodeHealth, TargetView | None]]:
    for provider in health.providers:
        yield provider.node, provider.health, None
        for account in provider.accounts:
            yield f"  {account.node}", account.health, None
            for target in account.targets:
                yield f"    {plain(target.node)}", target.health, target


def _row(name: str, node: NodeHealth, target: TargetView | None, now: str) -> tuple[str, ...]:
    suspicion = "?" if node.suspicious else ""
    return (
        name,
        node.state.value.replace("_", " "),
        f"{node.score:.1f}{suspicion}",
        f"{node.share:.0%}",
        "never" if node.last_good is None else _ago(now, node.last_good),
        "" if node.next_try_in is None else span(node.next_try_in),
        span(target.next_probe_in) if target and target.next_probe_in is not None else "",
        f"{target.retries.retries}/{target.retries.first_attempts}" if target else "",
        _at_once(target.limits) if target else "",
        _left(target.limits) if target else "",
        _why(node, target),
    )


def _at_once(limits: LimitsView) -> str:
    """Attempts under way, of how many it bears, and who waits."""
    bears = "" if limits.bears is None else f"/{limits.bears}"
    waiting = limits.waiting + limits.waiting_background
    return f"{limits.under_way}{bears}" + (f" +{waiting}" if waiting else "")


def _left(limits: LimitsView) -> str:
    """What is left of the limit that is nearest to its end."""
    if not limits.allowances:
        return ""
    least = min(limits.allowances, key=lambda one: one.left / one.limit)
    return f"{least.left / least.limit:.0%} {least.unit.replace('_', ' ')}"


def _why(node: NodeHealth, target: TargetView | None) -> str:
    if node.pull is not None:
        return plain(f"pulled by {node.pull.by}: {node.pull.reason}")
    if node.fault is not None:
        fault = node.fault
        words = [fault.kind, str(fault.status or ""), fault.code or ""]
        told = " ".join(word for word in words if word)
        if fault.message:
            told = f"{told}: {fault.message}"
        return plain(told if node.told_by is None else f"{told} (told by {node.told_by})")
    return plain(target.obstacle or "") if target is not None else ""


def _cause(cause: CauseView) -> Iterator[str]:
    at = f" at {cause.node}" if cause.node else ""
    about = f", tenant {cause.about}" if cause.about else ""
    yield plain(f"CAUSE  {cause.kind}{at}{about} ({cause.share:.0%})")
    for evidence in cause.evidence_for:
        yield plain(f"  + {evidence}")
    for evidence in cause.evidence_against:
        yield plain(f"  - {evidence}")


def _limited(one: Limited) -> str:
    left = [
        f"{count} {noun} left"
        for noun, count in (("requests", one.requests_left), ("tokens", one.tokens_left))
        if count is not None
    ]
    told = ", ".join([*left, f"{one.under_way} under way"])
    who = one.key.replace(":", " ", 1)
    return plain(f"LIMIT  {who}: refused for {one.limit} {span(one.ago)} ago ({told})")


def _testimony(said: TestimonyView) -> str:
    return plain(f"PAGE   {said.provider}: {said.words} ({said.source}, {span(said.age)} ago)")


def _ago(now: str, then: str) -> str:
    return f"{span((_moment(now) - _moment(then)).total_seconds())} ago"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
