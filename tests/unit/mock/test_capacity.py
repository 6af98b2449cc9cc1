"""Capacity: who is let in, who queues, who is turned away. Both it and limits over HTTP."""

import asyncio
import json

import pytest

from understudy.mock import Capacity, Limit, Pace
from unit.mock.mock_wire import (
    KEY,
    NOW,
    PATHS,
    ask,
    body_for,
    exchange,
    request_bytes,
    stand_in,
)


async def statuses(server, count, dialect):
    return [(await ask(server, dialect)).status for _ in range(count)]


class Crowd:
    """Streams that are begun and not read to their end, on a stand-in whose waits last."""

    def __init__(self, server):
        self.server = server
        self.waits = []
        self.writers = []

    async def join(self, dialect="messages"):
        """Ask, and stay; the time that the stand-in first waited."""
        before = len(self.waits)
        _, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        self.writers.append(writer)
        writer.write(request_bytes(PATHS[dialect], body_for(dialect, stream=True)))
        asked = len(self.server.board.attempts) + 1
        await self.server.board.until(lambda: len(self.server.board.attempts) >= asked)
        await asyncio.sleep(0)
        return self.waits[before] if len(self.waits) > before else None

    async def leave(self):
        """The first of them goes."""
        writer = self.writers.pop(0)
        in_flight = self.server.board.in_flight
        writer.close()
        await self.server.board.until(lambda: self.server.board.in_flight < in_flight)


@pytest.fixture
async def crowd():
    async def wait_for_ever(seconds):
        crowd.waits.append(seconds)
        await asyncio.get_running_loop().create_future()

    async with stand_in(sleep=wait_for_ever) as server:
        crowd = Crowd(server)
        server.board.put_pace(Pace(first_token=0.5))
        server.board.put_capacity(Capacity(answers=2, delay=3.0))
        yield crowd
        for writer in crowd.writers:
            writer.close()


async def test_beyond_its_capacity_the_first_content_comes_later_in_proportion(crowd):
    waits = [await crowd.join() for _ in range(4)]
    assert waits == [0.5, 0.5, 2.0, 3.5]


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ("messages", (529, "overloaded_error")),
        ("chat_completions", (503, "service_unavailable_error")),
        ("responses", (503, "service_unavailable_error")),
    ],
)
async def test_beyond_twice_its_capacity_it_is_overloaded(crowd, dialect, expected):
    for _ in range(4):
        await crowd.join()
    seen = await ask(crowd.server, dialect)
    assert (seen.status, seen.json["error"]["type"]) == expected
    assert crowd.server.board.in_flight == 4


async def test_who_leaves_makes_room(crowd):
    for _ in range(4):
        await crowd.join()
    for _ in range(2):
        await crowd.leave()
    assert await crowd.join() == 2.0


async def test_answers_that_are_over_take_no_room():
    async with stand_in() as server:
        server.board.put_capacity(Capacity(answers=1))
        for dialect in PATHS:
            assert await statuses(server, 5, dialect) == [200] * 5
        assert server.board.in_flight == 0


async def test_a_request_that_is_turned_away_takes_none_of_the_limits(crowd):
    board = crowd.server.board
    board.put_limits([Limit(requests=60, input_tokens=60_000)])
    for _ in range(4):
        await crowd.join()
    before = board.spent.ration(KEY, "", NOW).told(NOW)
    assert (await ask(crowd.server, "messages")).status == 529
    assert board.spent.ration(KEY, "", NOW).told(NOW) == before


# -- the board


@pytest.mark.parametrize(
    ("noun", "told", "shown"),
    [
        (
            "limits",
            [{"model": "claude-*", "requests": 50, "input_tokens": 30000}],
            [
                {
                    "model": "claude-*",
                    "key": "",
                    "requests": 50.0,
                    "tokens": None,
                    "input_tokens": 30000.0,
                    "output_tokens": None,
                }
            ],
        ),
        ("limits", [], []),
        ("capacity", {"answers": 20}, {"answers": 20, "delay": 1.0}),
        ("capacity", None, None),
    ],
)
async def test_both_can_be_set_over_http(noun, told, shown):
    async with stand_in() as server:
        path = f"/mock/{noun}"
        seen = await exchange(server, request_bytes(path, json.dumps(told).encode(), method="PUT"))
        assert (seen.status, seen.json) == (200, shown)
        assert (await exchange(server, request_bytes(path, method="GET"))).json == shown
        assert (await exchange(server, request_bytes(path, method="DELETE"))).status == 405


@pytest.mark.parametrize(
    ("noun", "told"),
    [
        ("limits", [{"requests": 0}]),
        ("limits", [{"output_tokens": -5}]),
        ("limits", [{"rpm": 5}]),
        ("limits", {"requests": 5}),
        ("capacity", {"answers": 0}),
        ("capacity", {"answers": 2, "delay": -1}),
        ("capacity", {}),
    ],
)
async def test_what_cannot_be_is_refused(noun, told):
    async with stand_in() as server:
        put = request_bytes(f"/mock/{noun}", told, method="PUT")
        assert (await exchange(server, put)).status == 400
        assert server.board.limits == ()
        assert server.board.capacity is None
