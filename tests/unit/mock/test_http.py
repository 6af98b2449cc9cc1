"""The stand-in's own HTTP: what a well-behaved client may rely on."""

import asyncio
import json
import os
import signal

import pytest

from understudy.mock.http import MAX_BODY
from understudy.mock.server import run
from unit.mock.mock_wire import (
    PATHS,
    Seen,
    ask,
    body_for,
    connected,
    exchange,
    read_to_end,
    request_bytes,
    stand_in,
)


async def read_response(reader):
    """One response with a length, on a connection that stays open."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = Seen(head, "").headers["content-length"]
    return Seen(head + await reader.readexactly(int(length)), "")


async def test_a_connection_is_kept_for_the_next_request():
    async with stand_in() as server, connected(server) as (reader, writer):
        for number in (1, 2, 3):
            data = request_bytes(PATHS["messages"], body_for("messages"), keep_alive=True)
            writer.write(data)
            assert (await read_response(reader)).status == 200
            assert server.board.attempts[-1].n == number


async def test_requests_that_come_at_once_are_answered_in_order():
    async with stand_in() as server, connected(server) as (reader, writer):
        bodies = [body_for("messages", prompt=f"Why is {n} a number?") for n in "abc"]
        writer.write(b"".join(request_bytes(PATHS["messages"], b, keep_alive=True) for b in bodies))
        for letter in "abc":
            assert f"Why is {letter} a number" in (await read_response(reader)).text


async def test_a_request_may_come_in_any_pieces():
    data = request_bytes(PATHS["chat_completions"], body_for("chat_completions"))
    async with stand_in() as server, connected(server) as (reader, writer):
        for index in range(0, len(data), 7):
            writer.write(data[index : index + 7])
            await writer.drain()
            await asyncio.sleep(0)
        assert Seen(*await read_to_end(reader)).status == 200


async def test_a_chunked_request_is_read():
    body = json.dumps(body_for("messages")).encode()
    half = len(body) // 2
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in (body[:half], body[half:], b""))
    head = request_bytes(PATHS["messages"]).replace(
        b"content-length: 0", b"transfer-encoding: chunked"
    )
    async with stand_in() as server:
        assert (await exchange(server, head + chunks)).status == 200


async def test_a_client_that_waits_for_permission_gets_it():
    data = request_bytes(
        PATHS["messages"], body_for("messages"), headers=[("expect", "100-continue")]
    )
    head, _, body = data.partition(b"\r\n\r\n")
    async with stand_in() as server, connected(server) as (reader, writer):
        writer.write(head + b"\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert Seen(*await read_to_end(reader)).status == 200


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"nonsense\r\n\r\n"])
async def test_what_is_no_request_is_refused(data):
    async with stand_in() as server:
        seen = await exchange(server, data)
        assert (seen.status, seen.end) == (400, "eof")


async def test_a_body_over_the_limit_is_refused():
    async with stand_in() as server:
        head = request_bytes(PATHS["messages"]).replace(
            b"content-length: 0", b"content-length: %d" % (MAX_BODY + 1)
        )
        seen = await exchange(server, head + b" " * (MAX_BODY + 1))
        assert seen.status == 413


@pytest.mark.parametrize("dialect", PATHS)
async def test_paths_may_come_without_their_version(dialect):
    async with stand_in() as server:
        path = PATHS[dialect].removeprefix("/v1")
        assert (await exchange(server, request_bytes(path, body_for(dialect)))).status == 200
        beta = f"{PATHS[dialect]}?beta=true"
        assert (await exchange(server, request_bytes(beta, body_for(dialect)))).status == 200


async def test_the_list_of_models_has_the_shape_that_the_client_s_headers_ask_for():
    async with stand_in() as server:
        ours = request_bytes("/v1/models", method="GET")
        told = (await exchange(server, ours)).json
        assert told["object"] == "list"
        assert {"id", "object", "created", "owned_by"} == told["data"][0].keys()
        headers = [("anthropic-version", "2023-06-01")]
        theirs = request_bytes("/models", method="GET", headers=headers)
        told = (await exchange(server, theirs)).json
        assert told["data"][0]["type"] == "model"
        assert told["has_more"] is False


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/messages"),
        ("POST", "/v1/unheard-of"),
        ("PUT", "/v1/models"),
        ("GET", "/v1/responses/resp_1"),
    ],
)
async def test_other_paths_are_not_there(method, path):
    async with stand_in() as server:
        assert (await exchange(server, request_bytes(path, method=method))).status == 404


async def test_the_vendors_headers_are_there():
    async with stand_in() as server:
        first = (await ask(server, "messages")).headers
        second = (await ask(server, "messages")).headers
        assert first["request-id"].startswith("req_")
        assert first["request-id"] != second["request-id"]
        assert first["anthropic-ratelimit-requests-reset"] == "2026-11-18T11:07:00Z"
        left = "anthropic-ratelimit-requests-remaining"
        assert int(first[left]) - int(second[left]) == 1
        for dialect in ("chat_completions", "responses"):
            openai = (await ask(server, dialect)).headers
            assert openai["x-request-id"].startswith("req_")
            assert openai["x-ratelimit-reset-tokens"] == "20s"


async def test_ids_depend_on_the_prompt_and_the_number_of_the_attempt_alone():
    async def ids(prompt):
        async with stand_in() as server:
            return [(await ask(server, "messages", prompt=prompt)).json["id"] for _ in range(2)]

    assert await ids("one") == await ids("one")
    assert len({*await ids("one"), *await ids("two")}) == 4


async def test_closing_drops_every_connection():
    async with stand_in() as server, connected(server) as (reader, writer):
        data = request_bytes(PATHS["messages"], body_for("messages"), keep_alive=True)
        writer.write(data)
        await read_response(reader)
        await server.close()
        assert (await read_to_end(reader))[0] == b""


async def test_a_client_that_reads_slowly_gets_everything():
    size = 8 * 1024 * 1024  # More than the kernel holds for both ends together.
    model = f"claude-sonnet-5+fault=oversized_event:{size}"
    async with stand_in() as server, connected(server) as (reader, writer):
        body = body_for("messages", stream=True, model=model)
        writer.write(request_bytes(PATHS["messages"], body))
        await server.board.until(lambda: server.board.attempts[-1:] != ())
        told, end = await read_to_end(reader)
        assert end == "eof"
        assert len(told) > size
        assert b"message_stop" in told[-200:]
        assert told.endswith(b"0\r\n\r\n")


async def test_run_serves_until_it_is_told_to_stop():
    seen = asyncio.get_running_loop().create_future()

    def ready(server):
        seen.set_result(server)

    task = asyncio.create_task(run("127.0.0.1", 0, on_ready=ready))
    server = await seen
    assert server.url == f"http://127.0.0.1:{server.port}"
    assert (await ask(server, "messages")).status == 200
    os.kill(os.getpid(), signal.SIGTERM)
    await task
