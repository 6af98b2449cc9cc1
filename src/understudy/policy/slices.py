"""What has been seen, cut along each way in which calls are told apart."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from itertools import accumulate
from typing import Final

from understudy.policy.seen import OTHER, Seen, Snapshot
from understudy.policy.suspects import Family
from understudy.policy.symptoms import Symptom

__all__ = ["Slice", "cut"]

#: Beside these stand all others of their family, whatever provider they are asked of.
_STAND_ALONE: Final = frozenset(
    {Family.EVERYTHING, Family.PROVIDER, Family.TENANT, Family.USE, Family.FEATURE}
)

#: What parts of a provider work tells of the others.
_TREE: Final = frozenset(
    {Family.EVERYTHING, Family.PROVIDER, Family.ACCOUNT, Family.MODEL, Family.TARGET}
)


class Slice:
    """The calls that have one thing in common.

    `inside`: their places in the snapshot, and how the calls there ended. `around`: the provider
    whose other parts are brothers and sisters of this one. `parts`: the targets in it.
    """

    __slots__ = ("_counts", "_rows", "about", "around", "family", "inside", "node", "parts")

    def __init__(self, family: Family, node: str, about: str, around: str) -> None:
        self.family = family
        self.node = node
        self.about = about
        self.around = around
        self.inside: dict[int, frozenset[Symptom]] = {}
        self.parts: set[str] = set()
        self._rows: dict[Symptom, list[tuple[int, ...]]] = {}
        self._counts: dict[Symptom, list[int]] = {}

    def add(self, place: int, seen: Seen) -> None:
        """These calls are in it. To be told before anything is asked."""
        self.inside[place] = seen.symptoms
        self.parts.add(seen.target)
        for count in seen.counts:
            self._rows.setdefault(count.symptom, []).append(count.steps)

    @property
    def symptoms(self) -> AbstractSet[Symptom]:
        """How its calls ended."""
        return self._rows.keys()

    @property
    def counts(self) -> dict[Symptom, list[int]]:
        """`counts[symptom][step]`: how many ended so since that step, it included."""
        if not self._counts:
            self._counts = {
                symptom: list(accumulate(map(sum, zip(*rows, strict=True))))
                for symptom, rows in self._rows.items()
            }
        return self._counts

    def calls(self, since: int) -> int:
        """How many there were since that step."""
        return sum(totals[since] for totals in self.counts.values())


def cut(snapshot: Snapshot) -> list[Slice]:
    """Every slice of what was seen; of tenants, features and translations those with failures."""
    failing = {
        (family, key)
        for seen in snapshot.seen
        if any(count.symptom is not Symptom.GOOD for count in seen.counts)
        for family, key, _, _ in _memberships(seen)
    }
    if not failing:
        return []
    slices: dict[tuple[Family, str], Slice] = {}
    for place, seen in enumerate(snapshot.seen):
        for family, key, node, about in _memberships(seen):
            found = slices.get((family, key))
            if found is None:
                if family not in _TREE and (family, key) not in failing:
                    continue
                around = "" if family in _STAND_ALONE else seen.provider
                found = slices[family, key] = Slice(family, node, about, around)
            found.add(place, seen)
    # At one account only, a model is its target.
    return [s for s in slices.values() if s.family is not Family.MODEL or len(s.parts) > 1]


def _memberships(seen: Seen) -> Iterator[tuple[Family, str, str, str]]:
    """Of what slices something is a part: family, what tells it from others of it, node, about."""
    provider, account = seen.provider, seen.account
    yield Family.EVERYTHING, "", "", ""
    yield Family.PROVIDER, provider, provider, ""
    yield Family.ACCOUNT, account, account, ""
    if seen.model != OTHER:
        model = f"{provider}/{seen.model}"
        yield Family.TARGET, seen.target, seen.target, ""
        yield Family.MODEL, model, model, ""
    if not seen.feature:
        return
    yield Family.FEATURE, seen.feature, "", seen.feature
    if seen.tenant != OTHER:
        tenant = seen.tenant or ""
        yield Family.TENANT, tenant, "", tenant
        yield Family.USE, f"{tenant}\n{seen.feature}", "", tenant
    if seen.translated:
        yield Family.TRANSLATED, provider, provider, ""
