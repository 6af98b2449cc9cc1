"""What every store promises about operators' words: the latest on each node, whoever says it."""

import asyncio
from itertools import permutations

import pytest

from understudy.ports import Mark
from understudy.store import open_store

PULLED = Mark(node="anthropic@main", at=100.5, by="ann", reason="it invents ☂ dates")
BACK = Mark(node="anthropic@main", at=101.0, by="process-1", reason=None)
AGAIN = Mark(node="anthropic@main", at=102.0, by="bob", reason="again")
OTHER = Mark(node="openai/ft:gpt-5.2?a/b", at=1.0, by="cem", reason="a contract")


async def test_words_are_kept_as_they_were_said_in_order_of_node(store):
    assert await store.marks() == []
    await store.mark([OTHER, PULLED])
    assert await store.marks() == [PULLED, OTHER]


@pytest.mark.parametrize("order", list(permutations([PULLED, BACK, AGAIN])))
async def test_the_latest_word_stands_in_whatever_order_they_come(store, order):
    for mark in order:
        await store.mark([mark])
    assert await store.marks() == [AGAIN]


@pytest.mark.parametrize("order", list(permutations([PULLED, BACK, AGAIN])))
async def test_the_latest_of_those_said_at_once_stands(store, order):
    await store.mark([OTHER, *order])
    assert await store.marks() == [AGAIN, OTHER]


async def test_a_restore_is_remembered_against_a_pull_that_comes_late(store):
    await store.mark([BACK])
    await store.mark([PULLED])
    assert await store.marks() == [BACK]


async def test_nothing_is_said_by_nothing(store):
    await store.mark([])
    assert await store.marks() == []


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
async def test_words_survive_a_restart(place):
    first = await open_store(place)
    await first.mark([PULLED, OTHER])
    await first.close()
    second = await open_store(place)
    assert await second.marks() == [PULLED, OTHER]
    await second.close()


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_processes_that_speak_at_once_agree(place):
    stores = [await open_store(place) for _ in range(2)]
    said = [
        [Mark(node=f"n{node}", at=float(turn), by=str(who), reason="x") for node in range(20)]
        for who, turn in ((0, 3), (1, 4), (0, 5), (1, 2))
    ]
    await asyncio.gather(
        *(stores[turn % 2].mark(marks[:: 1 - 2 * (turn % 2)]) for turn, marks in enumerate(said))
    )
    listed = [await store.marks() for store in stores]
    assert listed[0] == listed[1]
    assert {mark.at for mark in listed[0]} == {5.0}
    for store in stores:
        await store.close()
