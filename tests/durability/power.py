"""Power loss at every moment of a recorded piece of work: states are made, opened and judged."""

import asyncio
import random
import tempfile
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from durability.disk import Disk, Files
from durability.power_states import DATABASE, look, put
from durability.power_workload import Work, work
from durability.story import Facts, Story
from durability.vfs import Log, Note, recorded

__all__ = ["Outcome", "Recording", "again", "losses", "record"]

#: Facts of states that were seen lately, so that the same files are opened once.
KEPT = 4_000


@dataclass
class Recording:
    """What was on the disk before, what was done, and what was said meanwhile."""

    before: Files
    log: Log
    story: Story

    @property
    def steps(self) -> Counter[str]:
        """How many of each kind."""
        return Counter(type(step).__name__ for step in self.log if not isinstance(step, Note))


@dataclass
class Outcome:
    """What became of the states."""

    points: int = 0
    states: int = 0
    #: Those whose files were not like any other's.
    opened: int = 0
    #: Answers that were held against them, added up.
    answers: int = 0
    faults: list[str] = field(default_factory=list)
    #: States with at least one fault.
    wrong: int = 0

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(
            self.points + other.points,
            self.states + other.states,
            self.opened + other.opened,
            self.answers + other.answers,
            self.faults + other.faults,
            self.wrong + other.wrong,
        )


def record(plan: Work, before: Files | None = None, story: Story | None = None) -> Recording:
    """Let the real store do a piece of work."""
    story = Story() if story is None else story
    with tempfile.TemporaryDirectory(prefix="understudy-power-") as name:
        folder = Path(name).resolve()
        put(folder, before or {})
        with recorded(folder) as log:
            asyncio.run(work(folder / DATABASE, log, story, plan))
    return Recording(before or {}, log, story)


def losses(
    recording: Recording,
    *,
    seed: int,
    samples: int,
    lies: bool = False,
    points: Iterable[int] | None = None,
) -> Outcome:
    """Lose power at these points of the log (at all of them), and judge what is left.

    `samples`: states drawn at each, besides those that are always looked at. `lies`: the disk does.
    """
    outcome = Outcome()
    wanted = None if points is None else set(points)
    known: OrderedDict[int, Facts] = OrderedDict()
    with tempfile.TemporaryDirectory(prefix="understudy-power-", dir=_fast()) as name:
        folder = Path(name)
        for point, disk in _points(recording, lies=lies):
            if wanted is not None and point not in wanted:
                continue
            outcome.points += 1
            answers = recording.story.answered(point)
            for files in disk.states(random.Random(f"{seed} {point}"), samples):
                outcome.states += 1
                facts = _facts(folder, files, known, outcome)
                outcome.answers += answers
                faults = recording.story.faults(facts, point)
                outcome.wrong += bool(faults)
                outcome.faults += [f"at {point} of {len(recording.log)}: {f}" for f in faults[:3]]
    return outcome


def again(recording: Recording, *, seed: int, states: int, samples: int) -> Outcome:
    """Lose power, and once more while the store recovers and goes on: at so many drawn states."""
    chance = random.Random(seed)
    chosen = set(chance.sample(range(len(recording.log)), states))
    outcome = Outcome()
    for point, disk in _points(recording):
        if point not in chosen:
            continue
        files = chance.choice(list(disk.states(chance, samples)))
        with tempfile.TemporaryDirectory(prefix="understudy-power-", dir=_fast()) as name:
            facts = look(Path(name), files)
        if isinstance(facts, str):
            outcome.faults.append(facts)
            continue
        story = Story.going_on(facts, recording.story.requests)
        second = record(Work(rounds=1, seed=point), files, story)
        outcome += losses(second, seed=point, samples=samples)
    return outcome


def _points(recording: Recording, *, lies: bool = False) -> Iterator[tuple[int, Disk]]:
    """The disk before the first step, and after each that does something or answers somebody."""
    disk = Disk(recording.before, lies=lies)
    for point, step in enumerate(recording.log, start=1):
        disk.do(step)
        yield point, disk


def _facts(folder: Path, files: Files, known: OrderedDict[int, Facts], outcome: Outcome) -> Facts:
    key = hash(tuple(sorted(files.items())))
    facts = known.get(key)
    if facts is None:
        outcome.opened += 1
        facts = known[key] = look(folder, files)
        if len(known) > KEPT:
            known.popitem(last=False)
    return facts


def _fast() -> str | None:
    """A folder in memory, where there is one: what is written there is thrown away at once."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() else None
