"""What has been seen lately of every target, cheap to feed: what `attribute` explains.

Calls are counted in cells, one for every combination of target, feature, tenant and whether the
request was translated, so that it can be told along which of these failures run. A cell counts in
steps of five seconds and remembers five minutes.

Beyond that time stands what nobody has contradicted: a target that is left alone, because its key
was revoked an hour ago, say, still is for the reason that was seen then. So each target also keeps
the failures since it last worked, and how often it has worked while others of its provider failed.

Bounded: so many targets, features, tenants and cells, the rest under one name. A call that went
well costs one look-up and a few additions, and leaves nothing behind to be collected.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from understudy.core.faults import Fault
from understudy.policy.plans import Target
from understudy.policy.seen import OTHER, STEP, STEPS, Count, Seen, Snapshot
from understudy.policy.symptoms import Symptom, symptom_of

__all__ = ["Evidence"]

#: What is kept apart at most.
CELLS_KEPT: Final = 2048
TARGETS_KEPT: Final = 256
FEATURES_KEPT: Final = 64
TENANTS_KEPT: Final = 128
#: Kinds of failure told apart in a cell, or at a target.
WAYS_KEPT: Final = 12
_LONGEST_WORDS: Final = 60
#: Seconds between two looks at what may be forgotten, when there is no room.
SWEEP_SECONDS: Final = 30.0
#: Seconds after its last failure for which a target that has not worked since is remembered: twice
#: the longest rest that it may have had (`understudy.policy.board.HUMAN_SECONDS_MAX`).
UNCONTRADICTED_SECONDS: Final = 7200.0
#: Of those that work beside it so many answers are remembered as long.
WORKED_TOLD: Final = 20

#: An answer is late if its first content takes three times as long as usual, and longer than so
#: many seconds: a caller's, and a probe's, which asks for one word.
LATE_TIMES: Final = 3.0
LATE_SECONDS: Final = 2.0
LATE_PROBE_SECONDS: Final = 1.5
#: While nobody knows what is usual: reasoning models may think for that long before they answer.
LATE_UNKNOWN_SECONDS: Final = 8.0
#: Answers after which it is known what is usual, the time in which that is relearned, how often,
#: and the most that one answer moves it. Idle targets are probed every ten minutes, so one must do.
USUAL_KNOWN: Final = 10
PROBES_KNOWN: Final = 1
USUAL_SECONDS: Final = 1800.0
LEARNED_SECONDS: Final = 1.0
USUAL_STEP: Final = 0.02
PROBE_STEP: Final = 0.3

#: Symptoms that speak against no target, or pass by themselves: nothing to be contradicted.
_PASSING: Final = frozenset(
    {
        Symptom.BAD_REQUEST,
        Symptom.UNREADABLE,
        Symptom.MISFIT,
        Symptom.OURS,
        Symptom.LIMIT,
    }
)

#: Symptom, and the provider's words for it.
_Way = tuple[Symptom, str]
_CellKey = tuple[str, str, str | None, bool]


class _Usual:
    """How soon first content usually comes: a mean that no single answer moves far."""

    __slots__ = ("_at", "_known", "_least", "_mean", "_needed", "_step")

    def __init__(self, needed: int, step: float, least: float) -> None:
        self._needed = needed
        self._step = step
        self._least = least
        self._mean = 0.0
        self._known = 0
        self._at = 0.0

    def looks_late(self, seconds: float) -> bool:
        """Whether one that took so long is late."""
        if self._known < self._needed:
            return seconds > LATE_UNKNOWN_SECONDS
        return seconds > LATE_TIMES * self._mean and seconds > self._least

    def is_late(self, seconds: float, now: float) -> bool:
        """Whether one that took so long is late; it is learned from."""
        if self._known < self._needed:
            self._known += 1
            self._mean += (seconds - self._mean) / self._known
            self._at = now
            return seconds > LATE_UNKNOWN_SECONDS
        limit = LATE_TIMES * self._mean
        late = seconds > limit
        elapsed = now - self._at
        if elapsed >= LEARNED_SECONDS:
            weight = min(self._step, elapsed / USUAL_SECONDS)
            self._mean += weight * ((limit if late else seconds) - self._mean)
            self._at = now
        return late and seconds > self._least


class _House:
    """A provider: whether any of its targets fails, as far as is known."""

    __slots__ = ("is_troubled", "seats")

    def __init__(self) -> None:
        self.is_troubled = False
        self.seats: list[_Seat] = []

    def fails(self) -> None:
        """One of its targets does: what works from now on, works beside that."""
        if not self.is_troubled:
            self.is_troubled = True
            for seat in self.seats:
                seat.worked = 0

    def settle(self) -> None:
        """One of its targets works again."""
        self.is_troubled = any(seat.run for seat in self.seats)


class _Seat:
    """One target: how fast it usually is, what it has failed with since it last worked, and how
    often it has worked while others of its provider failed.
    """

    __slots__ = (
        "account",
        "failed_at",
        "house",
        "key",
        "model",
        "probed",
        "provider",
        "run",
        "usual",
        "worked",
    )

    def __init__(self, target: Target, model: str, house: _House) -> None:
        self.house = house
        self.worked = 0
        self.provider = target.provider
        self.account = target.account_key
        self.model = model
        self.key = f"{target.account_key}/{model}"
        self.usual = _Usual(USUAL_KNOWN, USUAL_STEP, LATE_SECONDS)
        self.probed = _Usual(PROBES_KNOWN, PROBE_STEP, LATE_PROBE_SECONDS)
        self.run: dict[_Way, int] = {}
        self.failed_at = 0.0

    def stands(self) -> dict[_Way, int]:
        """What has not been contradicted, however long ago it was."""
        if self.run:
            return self.run
        if self.house.is_troubled and self.worked:
            return {(Symptom.GOOD, ""): min(self.worked, WORKED_TOLD)}
        return {}


class _Cell:
    """Calls of one feature and tenant at one target, in steps of time."""

    __slots__ = ("bad", "feature", "good", "late", "seat", "step", "tenant", "translated")

    def __init__(
        self, seat: _Seat, feature: str, tenant: str | None, step: int, *, translated: bool
    ) -> None:
        self.seat = seat
        self.feature = feature
        self.tenant = tenant
        self.translated = translated
        self.step = step
        self.good = [0] * STEPS
        self.late = [0] * STEPS
        self.bad: dict[_Way, list[int]] = {}

    def turn(self, step: int) -> None:
        """Forget what is older than the window."""
        rings = [self.good, self.late, *self.bad.values()]
        for passed in range(min(step - self.step, STEPS)):
            place = (step - passed) % STEPS
            for ring in rings:
                ring[place] = 0
        self.step = step

    def is_empty(self, step: int) -> bool:
        """Whether all of it is older than the window, as from `step` on."""
        if step > self.step:
            self.turn(step)
        self.bad = {way: ring for way, ring in self.bad.items() if any(ring)}
        return not (self.bad or any(self.good) or any(self.late))

    def counts(self) -> list[Count]:
        """What there is in it."""
        rings = [(Symptom.GOOD, "", self.good), (Symptom.LATE, "", self.late)]
        rings += [(symptom, words, ring) for (symptom, words), ring in self.bad.items()]
        return [
            Count(symptom, _newest_first(ring, self.step), words)
            for symptom, words, ring in rings
            if any(ring)
        ]


class Evidence:
    """What has been seen of every target. Times are in seconds of one clock that never goes back.

    `worked` and `failed` are told how each attempt ended; callers who leave and attempts that were
    given up for another are evidence of nothing and told to neither.
    """

    def __init__(self) -> None:
        self._cells: dict[_CellKey, _Cell] = {}
        self._seats: dict[str, _Seat] = {}
        self._houses: dict[str, _House] = {}
        self._features: set[str] = set()
        self._tenants: set[str] = set()
        self._swept_at = float("-inf")

    def worked(
        self,
        target: Target,
        began: float,
        *,
        feature: str,
        tenant: str | None,
        translated: bool,
        first_content: float | None,
        probe: bool,
    ) -> None:
        """An attempt at `target` that began at `began` gave content.

        It says how the target was then: an answer that began before an outage and ends in it says
        nothing against that. `first_content`: seconds until the first of it, None for a whole
        answer, whose time is its length's affair. `probe`: it was a question of our own, and
        counts for the target alone.
        """
        if probe:
            feature = ""
        cell = self._cells.get((target.key, feature, tenant, translated))
        if cell is None:
            cell = self._cell(target, feature, tenant, began, translated=translated)
        step = int(began / STEP)
        if step > cell.step:
            cell.turn(step)
        elif cell.step - step >= STEPS:
            return
        seat = cell.seat
        usual = seat.probed if probe else seat.usual
        if first_content is not None and usual.is_late(first_content, began):
            cell.late[step % STEPS] += 1
        else:
            cell.good[step % STEPS] += 1
            seat.worked += 1
        if seat.run and began >= seat.failed_at:
            seat.run = {}
            seat.house.settle()

    def looks_late(self, target: Target, seconds: float, *, probe: bool) -> bool:
        """Whether a first content after so many seconds is far later than usual at `target`.
        Nothing is learned from it: `worked` does, when the answer has ended.
        """
        seat = self._seats.get(target.key)
        if seat is None:
            return seconds > LATE_UNKNOWN_SECONDS
        return (seat.probed if probe else seat.usual).looks_late(seconds)

    def failed(
        self,
        target: Target,
        fault: Fault,
        now: float,
        *,
        feature: str,
        tenant: str | None,
        translated: bool,
        retry: bool,
        probe: bool,
    ) -> None:
        """An attempt at `target` has ended in `fault`, at `now`.

        `retry`: the same request has failed at it before, which is no further evidence.
        """
        symptom = symptom_of(fault)
        if symptom is None or retry:
            return
        if probe:
            feature = ""
        cell = self._cells.get((target.key, feature, tenant, translated))
        if cell is None:
            cell = self._cell(target, feature, tenant, now, translated=translated)
        step = int(now / STEP)
        if step > cell.step:
            cell.turn(step)
        way = _way(cell.bad, symptom, fault)
        ring = cell.bad.setdefault(way, [0] * STEPS)
        ring[step % STEPS] += 1
        if symptom not in _PASSING:
            seat = cell.seat
            seat.house.fails()
            way = _way(seat.run, symptom, fault)
            seat.run[way] = seat.run.get(way, 0) + 1
            seat.failed_at = now

    def snapshot(self, now: float) -> Snapshot:
        """All of it, as it stands at `now`."""
        self._forget(now)
        seen: list[Seen] = []
        recent: Counter[tuple[_Seat, _Way]] = Counter()
        for cell in self._cells.values():
            seat, counts = cell.seat, cell.counts()
            seen.append(_seen(seat, cell.feature, cell.tenant, cell.translated, counts))
            for count in counts:
                recent[seat, (count.symptom, count.words)] += sum(count.steps)
        for seat in self._seats.values():
            if seat.run and now - seat.failed_at > UNCONTRADICTED_SECONDS:
                seat.run = {}
                seat.house.settle()
            older = [
                Count(symptom, _long_ago(times - recent[seat, (symptom, words)]), words)
                for (symptom, words), times in seat.stands().items()
                if times > recent[seat, (symptom, words)]
            ]
            if older:
                seen.append(_seen(seat, "", None, False, older))
        return Snapshot(now, tuple(seen))

    # -- finding room -------------------------------------------------------------------------

    def _cell(
        self, target: Target, feature: str, tenant: str | None, now: float, *, translated: bool
    ) -> _Cell:
        """A cell that is met for the first time, or one that it is counted under."""
        if self._is_full() and now - self._swept_at >= SWEEP_SECONDS:
            self._sweep(now)
        if feature and feature not in self._features:
            if len(self._features) < FEATURES_KEPT:
                self._features.add(feature)
            else:
                feature = OTHER
        if tenant is not None and tenant not in self._tenants:
            if len(self._tenants) < TENANTS_KEPT:
                self._tenants.add(tenant)
            else:
                tenant = OTHER
        if len(self._cells) >= CELLS_KEPT:
            feature, tenant = OTHER, None
        seat = self._seat(target)
        key = (seat.key, feature, tenant, translated)
        cell = self._cells.get(key)
        if cell is None:
            cell = _Cell(seat, feature, tenant, int(now / STEP), translated=translated)
            self._cells[key] = cell
        return cell

    def _seat(self, target: Target) -> _Seat:
        model = target.model
        if target.key not in self._seats and len(self._seats) >= TARGETS_KEPT:
            # Callers may name models of their own; accounts are the configuration's, and few.
            model = OTHER
        key = f"{target.account_key}/{model}"
        seat = self._seats.get(key)
        if seat is None:
            house = self._houses.setdefault(target.provider, _House())
            seat = self._seats[key] = _Seat(target, model, house)
            house.seats.append(seat)
        return seat

    def _is_full(self) -> bool:
        return (
            len(self._cells) >= CELLS_KEPT
            or len(self._seats) >= TARGETS_KEPT
            or len(self._features) >= FEATURES_KEPT
            or len(self._tenants) >= TENANTS_KEPT
        )

    def _sweep(self, now: float) -> None:
        """Make room."""
        self._swept_at = now
        self._forget(now)
        cells = self._cells.values()
        self._features = {cell.feature for cell in cells} - {"", OTHER}
        self._tenants = {cell.tenant for cell in cells if cell.tenant is not None} - {OTHER}
        used = {cell.seat for cell in cells}
        self._seats = {
            key: seat
            for key, seat in self._seats.items()
            if seat in used or (seat.run and now - seat.failed_at <= UNCONTRADICTED_SECONDS)
        }
        for house in self._houses.values():
            house.seats = [seat for seat in self._seats.values() if seat.house is house]

    def _forget(self, now: float) -> None:
        step = int(now / STEP)
        gone = [key for key, cell in self._cells.items() if cell.is_empty(step)]
        for key in gone:
            del self._cells[key]


def _seen(
    seat: _Seat, feature: str, tenant: str | None, translated: bool, counts: list[Count]
) -> Seen:
    return Seen(
        provider=seat.provider,
        account=seat.account,
        model=seat.model,
        feature=feature,
        tenant=tenant,
        translated=translated,
        counts=tuple(counts),
        target=seat.key,
        symptoms=frozenset([count.symptom for count in counts]),
    )


def _newest_first(ring: list[int], step: int) -> tuple[int, ...]:
    """The counts of a ring that stands at `step`."""
    place = step % STEPS
    return (*ring[place::-1], *ring[:place:-1])


def _long_ago(times: int) -> tuple[int, ...]:
    return (*([0] * (STEPS - 1)), times)


def _way(known: dict[_Way, list[int]] | dict[_Way, int], symptom: Symptom, fault: Fault) -> _Way:
    """What a failure is counted under: codes are the providers' to invent, room is not endless."""
    words = f"{fault.status or ''} {fault.code or ''}".strip()[:_LONGEST_WORDS]
    way = (symptom, words)
    return way if way in known or len(known) < WAYS_KEPT else (symptom, "")
