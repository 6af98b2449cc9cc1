"""Pulls survive a restart, or the restart does not happen."""

import os
import stat

import pytest

from understudy.policy.pulls import Pull, Restored
from understudy.services.pulls_file import (
    DamagedStateError,
    can_write,
    read_pulls,
    state_path,
    write_pulls,
)

PULLS = [
    Pull(node="anthropic@main", reason="no credit ☂", by="ann", at=1_800_000_000.25),
    Pull(node="openai/gpt-5.2", reason="a contract", by="operator", at=1_800_000_001.0),
]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "understudy.state.json"


def test_what_is_written_is_read_again(file):
    write_pulls(file, PULLS)
    assert read_pulls(file) == PULLS
    write_pulls(file, PULLS[:1])
    assert read_pulls(file) == PULLS[:1]
    write_pulls(file, [])
    assert read_pulls(file) == []


def test_what_was_restored_is_remembered_beside_it(file):
    words = [*PULLS, Restored(node="local", by="process-1", at=1_800_000_002.5)]
    write_pulls(file, words)
    assert read_pulls(file) == words


def test_a_file_of_a_program_that_kept_no_restores_is_read(file):
    file.write_text(GOOD)
    assert read_pulls(file) == [Pull(node="a", reason="r", by="b", at=1.0)]


def test_no_file_is_nothing_pulled(file):
    assert read_pulls(file) == []


@pytest.mark.parametrize(
    ("config", "state"),
    [("understudy.yaml", "understudy.state.json"), ("eu.prod.yml", "eu.prod.state.json")],
)
def test_it_stands_beside_the_configuration(config, state, tmp_path):
    assert state_path(tmp_path / config) == tmp_path / state


GOOD = '{"version":1,"pulls":[{"node":"a","reason":"r","by":"b","at":1.0}]}'


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "null",
        "[]",
        "{}",
        GOOD[:-9],
        GOOD + "x",
        "\x00" * 64,
        GOOD.replace(":1,", ":2,"),
        GOOD.replace('"node":"a",', ""),
        GOOD.replace('"a"', '"A B"'),
        GOOD.replace('"r"', '""'),
        GOOD.replace("1.0", '"yesterday"'),
    ],
)
def test_a_damaged_file_is_never_taken_for_nothing_pulled(damage, file):
    file.write_text(GOOD)
    assert len(read_pulls(file)) == 1
    file.write_text(damage)
    with pytest.raises(DamagedStateError) as raised:
        read_pulls(file)
    words = str(raised.value)
    assert str(file) in words
    assert "delete it" in words
    assert "\n" not in words


def test_a_file_that_can_not_be_read_is_not_taken_for_nothing_either(file):
    file.mkdir()
    with pytest.raises(DamagedStateError, match="directory"):
        read_pulls(file)


def test_another_spelling_of_a_node_is_understood(file):
    file.write_text(GOOD.replace('"a"', '"a@b/*"'))
    assert [pull.node for pull in read_pulls(file)] == ["a@b"]


class TestPowerFailsAt:
    """Whatever moment it fails in, the old pulls are there, whole, and nothing else is left."""

    @pytest.mark.parametrize("step", ["fsync", "replace"])
    def test_a_step_before_the_rename(self, step, file, monkeypatch):
        write_pulls(file, PULLS)

        def fail(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, step, fail)
        with pytest.raises(OSError, match="No space"):
            write_pulls(file, [])
        assert read_pulls(file) == PULLS
        assert list(file.parent.iterdir()) == [file]

    def test_the_rename_is_of_a_file_that_is_on_the_disk_and_the_folder_follows(
        self, file, monkeypatch
    ):
        done = []
        real_fsync, real_replace = os.fsync, os.replace

        def fsync(handle):
            is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
            done.append("fsync folder" if is_folder else "fsync file")
            real_fsync(handle)

        def replace(one, other):
            done.append("rename")
            real_replace(one, other)

        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(os, "replace", replace)
        write_pulls(file, PULLS)
        assert done == ["fsync file", "rename", "fsync folder"]


def test_nobody_else_on_the_machine_reads_it(file):
    write_pulls(file, PULLS)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_link_stays_a_link(file, tmp_path):
    kept = tmp_path / "elsewhere"
    kept.mkdir()
    file.symlink_to(kept / "state.json")
    write_pulls(file, PULLS)
    assert file.is_symlink()
    assert read_pulls(kept / "state.json") == PULLS


def test_a_folder_that_is_not_there_is_told_before_it_is_needed(tmp_path):
    assert can_write(tmp_path / "x.json")
    assert not can_write(tmp_path / "no" / "x.json")
