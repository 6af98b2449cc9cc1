"""The threads before a database: who is answered when, and that nobody waits for ever."""

import asyncio
import threading

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import StaticPool

from understudy.ports import StoreBusyError, StoreError, StoreUnreachableError
from understudy.store import writers as writers_module
from understudy.store.writers import Rank, Writers


@pytest.fixture
def engine():
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE words (word TEXT PRIMARY KEY)"))
    yield engine
    engine.dispose()


@pytest.fixture
async def writers(engine):
    writers = Writers(engine, threads=1, patience=30.0)
    yield writers
    await writers.close()


def write(word):
    def work(connection):
        connection.execute(text("INSERT INTO words VALUES (:word)"), {"word": word})
        return word

    return work


def words(connection):
    return sorted(row.word for row in connection.execute(text("SELECT word FROM words")))


class Gate:
    """Work that holds the thread up until it is let go, so that what follows waits together."""

    def __init__(self):
        self.begun, self.open = threading.Event(), threading.Event()

    def __call__(self, connection):
        self.begun.set()
        assert self.open.wait(60)

    async def hold(self, writers):
        held = asyncio.ensure_future(writers.alone(Rank.MANY_JOBS, self))
        await asyncio.to_thread(self.begun.wait, 60)
        return held


async def together(writers, *works):
    """What becomes of works that go into one transaction."""
    gate = Gate()
    held = await gate.hold(writers)
    asked = [asyncio.ensure_future(writers.alone(Rank.ONE_JOB, work)) for work in works]
    # Each has put itself into the line before this coroutine goes on.
    await asyncio.gather(*(asyncio.sleep(0) for _ in works))
    gate.open.set()
    await held
    return await asyncio.gather(*asked, return_exceptions=True)


async def test_one_that_fails_takes_none_with_it_that_shared_its_transaction(writers):
    def refuse(connection):
        raise StoreBusyError("not now")

    def fail(connection):
        raise ZeroDivisionError

    works = [write("a"), refuse, write("b"), fail, write("a"), write("c")]
    a, refused, b, failed, again, c = await together(writers, *works)
    assert (a, b, c) == ("a", "b", "c")
    assert isinstance(refused, StoreBusyError)
    assert isinstance(failed, ZeroDivisionError)
    assert isinstance(again, StoreError)
    assert await writers.alone(Rank.MANY_JOBS, words) == ["a", "b", "c"]


async def test_an_error_says_nothing_of_what_was_to_be_written(writers):
    await writers.alone(Rank.ONE_JOB, write("a secret prompt"))
    with pytest.raises(StoreError) as caught:
        await writers.alone(Rank.ONE_JOB, write("a secret prompt"))
    error = caught.value
    assert "secret" not in str(error)
    assert error.__cause__ is None
    assert not isinstance(error.__context__, OperationalError)


async def test_arrivals_of_one_transaction_are_one_call(writers):
    calls = []

    def work(connection, arguments):
        calls.append(list(arguments))
        return [argument * 10 for argument in arguments]

    gate = Gate()
    held = await gate.hold(writers)
    asked = [asyncio.ensure_future(writers.together(work, number)) for number in range(5)]
    await asyncio.sleep(0)
    gate.open.set()
    assert await asyncio.gather(*asked) == [0, 10, 20, 30, 40]
    assert calls == [[0, 1, 2, 3, 4]]
    await held


async def test_an_engine_that_gives_no_answer_is_given_up(engine):
    writers = Writers(engine, threads=1, patience=0.05)
    gate = Gate()
    held = await gate.hold(writers)
    with pytest.raises(StoreUnreachableError, match=r"no answer within 0\.05 s"):
        await writers.alone(Rank.ONE_JOB, write("late"))
    with pytest.raises(StoreUnreachableError):
        await held
    gate.open.set()
    await writers.close()


async def test_what_nobody_waits_for_any_more_is_not_begun(writers):
    gate = Gate()
    held = await gate.hold(writers)
    left = asyncio.ensure_future(writers.alone(Rank.ONE_JOB, write("left")))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.sleep(0)
    gate.open.set()
    await held
    assert await writers.alone(Rank.MANY_JOBS, words) == []


async def test_too_long_a_line_is_refused_at_once(writers, monkeypatch):
    monkeypatch.setattr(writers_module, "WAITING", 1)
    gate = Gate()
    held = await gate.hold(writers)
    waiting = asyncio.ensure_future(writers.alone(Rank.ONE_JOB, write("a")))
    await asyncio.sleep(0)
    with pytest.raises(StoreBusyError):
        await writers.alone(Rank.ONE_JOB, write("b"))
    gate.open.set()
    await held
    assert await waiting == "a"


async def test_closing_finishes_what_waits_and_takes_no_more(engine):
    writers = Writers(engine, threads=2, patience=30.0)
    gate = Gate()
    held = await gate.hold(writers)
    waiting = asyncio.ensure_future(writers.alone(Rank.ONE_JOB, lambda _: "done"))
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(writers.close())
    await asyncio.sleep(0)
    with pytest.raises(StoreUnreachableError, match="closed"):
        await writers.alone(Rank.ONE_JOB, write("late"))
    gate.open.set()
    await closing
    assert await waiting == "done"
    await held


class Preparation:
    """Fails so many times, then is done."""

    def __init__(self, failures):
        self.failures = failures
        self.tried = 0

    def __call__(self):
        self.tried += 1
        if self.tried <= self.failures:
            raise StoreUnreachableError("away")


async def test_nothing_is_done_before_it_is_prepared_and_that_is_done_once(engine):
    prepare = Preparation(failures=2)
    writers = Writers(engine, threads=2, patience=30.0, prepare=prepare)
    for _ in range(2):
        with pytest.raises(StoreUnreachableError, match="away"):
            await writers.alone(Rank.ONE_JOB, write("too early"))
    assert await writers.alone(Rank.ONE_JOB, write("a")) == "a"
    assert await writers.alone(Rank.MANY_JOBS, words) == ["a"]
    assert prepare.tried == 3
    await writers.close()


async def test_a_preparation_that_is_broken_is_told_and_leaves_nobody_waiting(engine):
    def prepare():
        raise ZeroDivisionError

    writers = Writers(engine, threads=1, patience=30.0, prepare=prepare)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await writers.alone(Rank.ONE_JOB, write("a"))
    await writers.close()
