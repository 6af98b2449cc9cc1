"""Every entry of the fault catalogue is played over a socket and shows what it claims."""

import pytest
import uvloop

from understudy.mock import CATALOGUE, Where
from understudy.mock.faults import breaks
from unit.mock.mock_checks import CHECKS, Case
from unit.mock.mock_wire import (
    PATHS,
    Seen,
    Sleeper,
    ask,
    ask_until_hung,
    body_for,
    connected,
    exchange,
    read_to_end,
    request_bytes,
    rule,
    stand_in,
)

NEEDS_HANGING_UP = {"hang", "half_close"}


def _cases(names):
    for name in names:
        entry = CATALOGUE[name]
        for dialect in entry.dialects:
            for mode in entry.modes:
                yield pytest.param(name, dialect, mode == "stream", id=f"{name}-{dialect}-{mode}")


def test_every_entry_has_a_check_and_every_check_an_entry():
    assert CHECKS.keys() == CATALOGUE.keys()


async def _pings(server, dialect):
    async with connected(server) as (reader, writer):
        writer.write(request_bytes(PATHS[dialect], body_for(dialect, stream=True)))
        told = b""
        while told.count(b"ping\n") < 4:
            told += await reader.read(65536)
        writer.write_eof()
        rest, end = await read_to_end(reader)
        await server.board.until(lambda: server.board.attempts[-1].client_closed)
        return Seen(told + rest, end)


async def _half_closed(server, dialect, more):
    async with connected(server) as (reader, writer):
        writer.write(request_bytes(PATHS[dialect], body_for(dialect, **more)))
        seen = Seen(*await read_to_end(reader))
        assert seen.end == "eof"
        assert not server.board.attempts[-1].client_closed
        return seen


async def _seen(server, name, dialect, more):
    if name == "hang":
        return await ask_until_hung(server, dialect, **more)
    if name == "half_close":
        return await _half_closed(server, dialect, more)
    if name == "ping_only":
        return await _pings(server, dialect)
    if name == "idle_close":
        data = request_bytes(PATHS[dialect], body_for(dialect, **more), keep_alive=True)
        return await exchange(server, data)
    return await ask(server, dialect, **more)


async def _played(name, dialect, stream):
    sleeper = Sleeper()
    async with stand_in(sleep=sleeper) as server:
        more = {"stream": stream, "tool": name == "broken_arguments"}
        async with stand_in() as other:  # Ids count attempts: both are the first of theirs.
            right = await ask(other, dialect, **more)
        server.board.put_faults([rule(name)])
        seen = await _seen(server, name, dialect, more)
        attempt = server.board.attempts[-1]
        if name in NEEDS_HANGING_UP:
            await server.board.until(lambda: attempt.client_closed)
        assert attempt.fault == name
        assert attempt.where is CATALOGUE[name].where
        return Case(seen, right, dialect, stream, sleeper.waits, attempt)


@pytest.mark.parametrize(("name", "dialect", "stream"), list(_cases(CATALOGUE)))
async def test_an_entry_shows_what_it_claims(name, dialect, stream):
    CHECKS[name](await _played(name, dialect, stream))


@pytest.mark.parametrize(
    ("name", "dialect", "stream"), list(_cases(entry.name for entry in breaks.ENTRIES))
)
def test_a_connection_breaks_on_uvloop_as_it_does_on_asyncio(name, dialect, stream):
    CHECKS[name](uvloop.run(_played(name, dialect, stream)))


# -- where a fault strikes


def _content_seen(seen):
    return bool(seen.thinking), bool(seen.text), bool(seen.arguments)


#: place: thinking, text and arguments seen before it; whether each is whole.
PLACES = {
    Where.AFTER_HEADERS: (False, False, False),
    Where.MID_THINKING: (True, False, False),
    Where.MID_TEXT: (True, True, False),
    Where.MID_TOOL_CALL: (True, True, True),
    Where.AFTER_CONTENT: (True, True, True),
}


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize("place", PLACES)
async def test_a_stream_is_broken_at_the_place_that_was_asked_for(dialect, place):
    more = {
        "stream": True,
        "tool": True,
        "thinking": True,
        "prompt": "What is the weather in Paris?",
    }
    async with stand_in() as server:
        right = await ask(server, dialect, **more)
        server.board.put_faults([rule("reset", where=place)])
        seen = await ask(server, dialect, **more)
        assert seen.end == "reset"
        assert _content_seen(seen) == PLACES[place]
        assert not seen.reasons
        whole = (right.thinking, right.text, right.arguments)
        told = (seen.thinking, seen.text, seen.arguments)
        stopped_in = [Where.MID_THINKING, Where.MID_TEXT, Where.MID_TOOL_CALL]
        for kind, given, full in zip(stopped_in, told, whole, strict=True):
            assert full.startswith(given)
            assert place is not kind or given != full
        assert place is not Where.AFTER_CONTENT or told == whole
        opened = b"message_start" if dialect == "messages" else b'"role":"assistant"'
        assert opened in seen.body


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize(("name", "end"), [("reset", "reset"), ("close", "eof")])
async def test_before_the_headers_nothing_is_sent_at_all(name, end, dialect, stream):
    async with stand_in() as server:
        server.board.put_faults([rule(name, where=Where.BEFORE_HEADERS)])
        seen = await ask(server, dialect, stream=stream)
        assert (seen.raw, seen.end) == (b"", end)


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize(
    ("place", "sent"), [(Where.AFTER_HEADERS, 0), (Where.MID_TEXT, 0.5), (Where.AFTER_CONTENT, 1)]
)
async def test_a_whole_answer_is_broken_at_the_place_that_was_asked_for(dialect, place, sent):
    async with stand_in() as server:
        right = await ask(server, dialect)
        server.board.put_faults([rule("close", where=place)])
        seen = await ask(server, dialect)
        expected = {0: 0, 0.5: len(right.body) // 2, 1: len(right.body) - 1}[sent]
        assert len(seen.body) == expected


@pytest.mark.parametrize("dialect", PATHS)
async def test_n_moves_the_place_by_tokens(dialect):
    async with stand_in() as server:
        texts = []
        for n in (0, 4, 40):
            server.board.put_faults([rule("reset", n=n)])
            texts.append((await ask(server, dialect, stream=True)).text)
        assert texts[0] == ""
        assert 0 < len(texts[1]) < 25
        assert len(texts[1]) * 6 < len(texts[2])
        assert texts[2].startswith(texts[1])


async def test_an_error_of_the_vendor_can_come_inside_a_stream_or_a_body_too():
    async with stand_in() as server:
        server.board.put_faults([rule("credit_too_low", where=Where.AFTER_HEADERS)])
        streamed = await ask(server, "messages", stream=True)
        whole = await ask(server, "messages")
        assert (streamed.status, streamed.text) == (200, "")
        assert "credit balance" in streamed.objects[-1]["error"]["message"]
        assert whole.status == 200
        assert "credit balance" in whole.json["error"]["message"]


async def test_headers_without_any_event_can_be_asked_for():
    async with stand_in() as server:
        server.board.put_faults([rule("hang", where=Where.AFTER_HEADERS, n=0)])
        seen = await ask_until_hung(server, "messages", stream=True)
        assert (seen.status, seen.body) == (200, b"")
