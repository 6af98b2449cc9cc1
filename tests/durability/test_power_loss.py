"""SQLite as the store uses it keeps what it has answered, wherever the power goes.

`make power-loss` does the same at every moment of a longer piece of work: docs/durability.md.
"""

import random

import pytest

from durability.disk import Disk
from durability.power import again, losses, record
from durability.power_workload import Work
from durability.vfs import Sync, Truncate, Write

#: SQLite puts its log into the database after 30 pages instead of 1,000, so that a short piece of
#: work has all of its life in it; and the store is closed and opened again.
SHORT = Work(rounds=7, reopened_after=5, pragmas=("PRAGMA wal_autocheckpoint = 30",))
POINTS = 60


@pytest.fixture(scope="module")
def recording():
    return record(SHORT)


def some_points(recording):
    """Every sync is a turning point; and drawn ones between them."""
    syncs = [at for at, step in enumerate(recording.log, 1) if isinstance(step, Sync)]
    chance = random.Random(5)
    return [*chance.sample(syncs, 25), *chance.sample(range(len(recording.log)), POINTS - 25)]


def test_the_recording_has_all_of_its_files_lives(recording):
    writes = [step for step in recording.log if isinstance(step, Write)]
    names = {step.name for step in writes}
    assert names == {"jobs.db", "jobs.db-journal", "jobs.db-wal"}
    # The log was begun anew, over what stood there.
    assert sum(step.name == "jobs.db-wal" and step.offset == 0 for step in writes) > 2
    assert any(isinstance(step, Truncate) for step in recording.log)
    # Commits were shared.
    assert recording.story.answered(len(recording.log)) > 1.5 * recording.steps["Sync"]


def test_nothing_answered_is_lost_and_nothing_is_damaged(recording):
    outcome = losses(recording, seed=1, samples=1, points=some_points(recording))
    assert outcome.faults == []
    assert outcome.points >= POINTS - 10
    assert outcome.opened > POINTS
    assert outcome.answers > 1_000


def test_nor_if_the_power_goes_again_while_it_recovers(recording):
    outcome = again(recording, seed=3, states=1, samples=0)
    assert outcome.faults == []
    assert outcome.points > 50


def test_a_disk_that_lies_is_seen_to_lose(recording):
    points = some_points(recording)[:6]
    outcome = losses(recording, seed=1, samples=1, lies=True, points=points)
    assert outcome.wrong > len(points)


@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
def test_less_than_full_synchronous_is_seen_to_lose(synchronous):
    pragmas = (f"PRAGMA synchronous = {synchronous}",)
    recording = record(Work(rounds=2, pragmas=pragmas))
    middle = len(recording.log) // 2
    outcome = losses(recording, seed=1, samples=1, points=range(middle, middle + 4))
    assert any("was answered to be" in fault for fault in outcome.faults)


class TestTheDisk:
    def test_keeps_what_was_synced_and_may_lose_the_rest(self):
        disk = Disk({"a": b"...."})
        disk.do(Write("a", 0, b"12"))
        disk.do(Sync("a"))
        disk.do(Write("a", 2, b"34"))
        found = {files["a"] for files in disk.states(random.Random(1), 5)}
        assert found == {b"12..", b"1234"}

    def test_writes_sectors_by_themselves_and_in_any_order(self):
        disk = Disk({"a": bytes(1536)})
        disk.do(Write("a", 0, b"x" * 1024))
        disk.do(Write("a", 1024, b"y" * 512))
        states = {files["a"] for files in disk.states(random.Random(1), 200)}
        first, second, third = b"x" * 512, b"x" * 512, b"y" * 512
        nothing = bytes(512)
        assert nothing + second + nothing in states
        assert first + nothing + third in states
        assert all(state[n] == state[n + 1] for state in states for n in range(0, 1536, 512))

    def test_a_lying_one_keeps_nothing_for_sure(self):
        disk = Disk({"a": b"...."}, lies=True)
        disk.do(Write("a", 0, b"12"))
        disk.do(Sync("a"))
        assert {files["a"] for files in disk.states(random.Random(1), 5)} == {b"....", b"12.."}
