"""Every entry of the fault catalogue is played over a socket and shows what it claims."""

import pytest
import uvloop

from understudy.mock import CATALOGUE, Where, tokens
from understudy.mock.faults import breaks
from unit.mock.mock_case import Case
from unit.mock.mock_checks import CHECKS
from unit.mock.mock_wire import (
    PATHS,
    Seen,
    Sleeper,
    ask,
    ask_until_hung,
    body_for,
    connected,
    continuing,
    exchange,
    read_to_end,
    request_bytes,
    rule,
    stand_in,
)

NEEDS_HANGING_UP = {"hang", "half_close"}
WITHOUT_END = {
    "ping_only", "stall_with_pings", "stall_with_comments", "stall_with_empty_deltas",
}  # fmt: skip
#: Its answer holds a code fence.
CODE = "Write a Python function that counts lighthouses"


def _cases(names):
    for name in names:
        entry = CATALOGUE[name]
        for dialect in entry.dialects:
            for mode in entry.modes:
                yield pytest.param(name, dialect, mode == "stream", id=f"{name}-{dialect}-{mode}")


def test_every_entry_has_a_check_and_every_check_an_entry():
    assert CHECKS.keys() == CATALOGUE.keys()


def test_every_dialect_plays_every_entry_that_is_not_another_one_s_own():
    """What is Anthropic's own, what is OpenAI's, and what has the form of one API only."""
    partial = {
        entry.name: set(entry.dialects)
        for entry in CATALOGUE.values()
        if len(entry.dialects) < len(PATHS)
    }
    assert {name for name, dialects in partial.items() if "responses" not in dialects} == {
        "workspace_rate_limited", "billing_error", "retention_required", "prefill_refused",
        "stop_missing", "done_missing", "finish_missing", "bare_error_line", "empty_reason",
    }  # fmt: skip
    shared = {"chat_completions", "responses"}
    assert all(shared <= dialects or len(dialects) == 1 for dialects in partial.values())


async def _until_it_is_enough(server, dialect, more, sleeper):
    """For noise without an end: the client leaves after the third time."""
    async with connected(server) as (reader, writer):
        writer.write(request_bytes(PATHS[dialect], body_for(dialect, **more)))
        told = b""
        while len(sleeper.waits) < 4:
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


async def _seen(server, name, dialect, more, sleeper):
    if name == "hang":
        return await ask_until_hung(server, dialect, **more)
    if name == "half_close":
        return await _half_closed(server, dialect, more)
    if name in WITHOUT_END:
        return await _until_it_is_enough(server, dialect, more, sleeper)
    if name == "idle_close":
        data = request_bytes(PATHS[dialect], body_for(dialect, **more), keep_alive=True)
        return await exchange(server, data)
    return await ask(server, dialect, **more)


async def _asked(name, dialect, stream):
    """What is asked, and what has been said of the answer where its rest is asked for."""
    entry = CATALOGUE[name]
    more = {"stream": stream, "tool": name == "broken_arguments"}
    if entry.only == "any":
        return more, ""
    async with stand_in() as server:
        whole = (await ask(server, dialect, prompt=CODE)).text
    before = whole[: whole.index("\n\n    def add")]
    return more | continuing(dialect, before, prompt=CODE), before


async def _played(name, dialect, stream):
    sleeper = Sleeper()
    async with stand_in(sleep=sleeper) as server:
        more, before = await _asked(name, dialect, stream)
        async with stand_in() as other:  # Ids count attempts: both are the first of theirs.
            right = await ask(other, dialect, **more)
        server.board.put_faults([rule(name)])
        seen = await _seen(server, name, dialect, more, sleeper)
        attempt = server.board.attempts[-1]
        if name in NEEDS_HANGING_UP:
            await server.board.until(lambda: attempt.client_closed)
        assert attempt.fault == name
        assert attempt.where is CATALOGUE[name].where
        return Case(seen, right, dialect, stream, sleeper.waits, attempt, before)


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


OPENED = {
    "messages": b"message_start",
    "chat_completions": b'"role":"assistant"',
    "responses": b"response.in_progress",
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
        assert OPENED[dialect] in seen.body


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


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize("n", [None, 8, 60])
async def test_a_character_can_be_cut_anywhere(dialect, n):
    async with stand_in() as server:
        server.board.put_faults([rule("truncated_utf8", n=n)])
        seen = await ask(server, dialect, stream=True)
        with pytest.raises(UnicodeDecodeError):
            seen.body.decode()
        assert tokens.count(seen.text) >= (n or 8)
