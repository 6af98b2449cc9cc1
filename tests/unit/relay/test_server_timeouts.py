"""A caller that falls silent, at any point of a request, loses its place and nobody else's."""

import pytest

from understudy.relay.server import (
    BODY_PAUSE_SECONDS,
    BODY_SECONDS,
    DISCARD_SECONDS,
    HEAD_SECONDS,
    KEEP_ALIVE_SECONDS,
)
from unit.relay.caller_side import Connection

HEAD = b"POST /v1/messages HTTP/1.1\r\nHost: x\r\n"
WHOLE = HEAD + b"Content-Length: 5\r\n\r\nhello"
HALVES = {
    "a method": (b"POS", HEAD_SECONDS),
    "a request line": (b"POST /v1/messages HTTP/1.1\r\n", HEAD_SECONDS),
    "a head": (HEAD, HEAD_SECONDS),
    "a body": (HEAD + b"Content-Length: 5\r\n\r\nhe", BODY_PAUSE_SECONDS),
    "no body at all": (HEAD + b"Content-Length: 5\r\n\r\n", BODY_PAUSE_SECONDS),
    "a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhe", BODY_PAUSE_SECONDS),
    "chunks without an end": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        BODY_PAUSE_SECONDS,
    ),
}


@pytest.mark.parametrize("half", HALVES)
def test_half_of_a_request_and_silence_is_408(half):
    data, limit = HALVES[half]
    connection = Connection().feed(data)
    connection.protocol.sweep(connection.clock.pass_(limit - 0.1))
    assert connection.statuses == []
    connection.protocol.sweep(connection.clock.pass_(0.2))
    assert connection.statuses == [408]
    assert connection.app.refused[0].code == "request_timeout"
    assert connection.transport.ended
    assert connection.app.served == []


def test_a_head_that_drips_has_no_more_time_than_one_that_does_not_come():
    connection = Connection()
    for byte in HEAD[: int(HEAD_SECONDS)]:
        connection.feed(bytes([byte]))
        connection.protocol.sweep(connection.clock.pass_(1.0))
    assert connection.statuses == []
    connection.protocol.sweep(connection.clock.pass_(1.0))
    assert connection.statuses == [408]


def test_a_body_that_drips_has_an_end_too():
    connection = Connection().feed(HEAD + b"Content-Length: 9999\r\n\r\n")
    step = BODY_PAUSE_SECONDS / 2
    for _ in range(int(BODY_SECONDS / step)):
        connection.feed(b"x")
        connection.protocol.sweep(connection.clock.pass_(step))
    assert connection.statuses == []
    connection.feed(b"x")
    connection.protocol.sweep(connection.clock.pass_(step))
    assert connection.statuses == [408]


def test_a_body_in_pieces_within_the_pause_is_taken():
    connection = Connection().feed(HEAD + b"Content-Length: 5\r\n\r\n")
    for byte in b"hello":
        connection.protocol.sweep(connection.clock.pass_(BODY_PAUSE_SECONDS - 1))
        connection.feed(bytes([byte]))
    assert connection.statuses == [200]
    assert connection.app.served[0].body == b"hello"


def test_an_idle_connection_is_closed_after_a_while_without_a_word():
    connection = Connection().feed(WHOLE)
    connection.protocol.sweep(connection.clock.pass_(KEEP_ALIVE_SECONDS - 1))
    assert not connection.transport.closed
    connection.protocol.sweep(connection.clock.pass_(2))
    assert connection.transport.closed
    assert connection.statuses == [200]


def test_a_connection_that_never_said_anything_is_closed_too():
    connection = Connection()
    connection.protocol.sweep(connection.clock.pass_(KEEP_ALIVE_SECONDS + 1))
    assert connection.transport.closed
    assert connection.statuses == []


def test_a_caller_that_waits_for_its_answer_is_not_silent():
    connection = Connection(hold=True).feed(WHOLE)
    connection.protocol.sweep(connection.clock.pass_(10 * KEEP_ALIVE_SECONDS))
    assert not connection.transport.is_closing()
    assert connection.statuses == []


def test_the_time_between_requests_counts_from_the_last_answer():
    connection = Connection(hold=True).feed(WHOLE)
    connection.clock.pass_(KEEP_ALIVE_SECONDS - 1)
    connection.protocol.respond(200, b"", b"")
    connection.protocol.sweep(connection.clock.pass_(KEEP_ALIVE_SECONDS - 1))
    assert not connection.transport.is_closing()
    connection.protocol.sweep(connection.clock.pass_(2))
    assert connection.transport.closed


def test_a_refused_caller_that_goes_on_sending_is_heard_for_a_while_and_then_cut():
    connection = Connection().feed(b"BROKEN\r\n\r\n")
    assert connection.statuses == [400]
    assert connection.transport.ended
    for _ in range(int(DISCARD_SECONDS)):
        connection.feed(WHOLE)
        connection.protocol.sweep(connection.clock.pass_(0.9))
    assert not connection.transport.is_closing()
    connection.protocol.sweep(connection.clock.pass_(DISCARD_SECONDS))
    assert connection.transport.aborted
    assert connection.statuses == [400]
    assert connection.app.served == []


class TestGrowthWithoutEnd:
    """What the parser shows only when it is whole must not fill the memory until then."""

    @pytest.mark.parametrize(
        "begun",
        [
            HEAD + b"x-a: ",
            HEAD,
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nx-a: ",
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;",
        ],
        ids=["value", "name", "trailer", "chunk-extension"],
    )
    def test_it_is_refused(self, begun):
        connection = Connection().feed(begun)
        for _ in range(100):
            connection.feed(b"a" * 1024)
        assert connection.statuses == [431]
        assert connection.transport.ended

    def test_a_target_has_its_own_word_for_it(self):
        connection = Connection().feed(b"GET /")
        for _ in range(100):
            connection.feed(b"a" * 1024)
        assert connection.statuses == [414]

    def test_a_body_in_chunks_of_one_byte_is_none_of_it(self):
        connection = Connection().feed(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(200):
            connection.feed(b"1\r\nx\r\n" * 1000)
        connection.feed(b"0\r\n\r\n")
        assert connection.statuses == [200]
        assert len(connection.app.served[0].body) == 200_000

    def test_what_came_before_in_the_same_read_is_none_of_it(self):
        connection = Connection()
        big = HEAD + b"Content-Length: 200000\r\n\r\n" + b"x" * 200_000
        connection.feed(big + HEAD).feed(b"x-a: b\r\n").feed(b"Content-Length: 0\r\n\r\n")
        assert len(connection.app.served) == 2 - len(connection.app.refused)
        assert connection.app.refused == []


async def test_a_long_pipeline_stops_the_reading_and_is_answered_whole():
    connection = Connection(hold=True)
    connection.feed(WHOLE)
    for _ in range(2000):
        connection.feed(WHOLE)
        if not connection.transport.reading:
            break
    assert not connection.transport.reading
    waiting = len(connection.app.served)
    connection.app.hold = False
    connection.protocol.respond(200, b"", b"")
    await connection.settle()
    assert connection.transport.reading
    assert len(connection.app.served) > waiting
    assert set(connection.statuses) == {200}
    assert len(connection.statuses) == len(connection.app.served)
