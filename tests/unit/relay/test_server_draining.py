"""A connection whose process is to end: what has begun to arrive is answered, then it closes."""

import pytest

from understudy.relay.server import KEEP_ALIVE_SECONDS, LINGER_SECONDS
from unit.relay.caller_side import Connection

HEAD = b"POST /v1/messages HTTP/1.1\r\nHost: x\r\n"
WHOLE = HEAD + b"Content-Length: 5\r\n\r\nhello"
CLOSE = b"connection: close\r\n"

either_way = pytest.mark.parametrize("gently", [False, True], ids=["at once", "gently"])


def test_what_is_idle_is_closed_at_once():
    connection = Connection().feed(WHOLE).drain()
    assert connection.transport.closed


@either_way
def test_a_response_under_way_ends_and_says_that_it_is_the_last(gently):
    connection = Connection(hold=True).feed(WHOLE).drain(gently=gently)
    assert not connection.transport.is_closing()
    connection.protocol.respond(200, b"", b"")
    assert CLOSE in connection.transport.written
    assert connection.transport.closed


@either_way
@pytest.mark.parametrize("size", [3, len(HEAD), len(WHOLE) - 2], ids=["method", "head", "body"])
def test_a_request_that_has_begun_to_arrive_is_read_to_its_end_and_answered(gently, size):
    connection = Connection().feed(WHOLE[:size]).drain(gently=gently)
    assert not connection.transport.is_closing()
    connection.feed(WHOLE[size:])
    assert connection.statuses == [200]
    assert connection.transport.written.count(CLOSE) == 1
    assert connection.transport.closed


@either_way
async def test_of_a_pipeline_that_has_arrived_all_is_answered_and_only_the_last_says_so(gently):
    connection = Connection(hold=True).feed(WHOLE * 3).drain(gently=gently)
    connection.app.hold = False
    connection.protocol.respond(200, b"", b"")
    await connection.settle()
    assert connection.statuses == [200, 200, 200]
    assert connection.transport.written.count(CLOSE) == 1
    assert connection.transport.written.endswith(b"content-length: 0\r\n" + CLOSE + b"\r\n")
    assert connection.transport.closed


class TestGently:
    """Another process serves at the address: a caller may have sent what is not here yet."""

    def test_what_is_idle_may_ask_once_more(self):
        connection = Connection().feed(WHOLE).drain(gently=True)
        assert not connection.transport.is_closing()
        connection.feed(WHOLE)
        assert connection.statuses == [200, 200]
        assert connection.transport.written.count(CLOSE) == 1
        assert connection.transport.closed

    def test_but_not_for_ever(self):
        connection = Connection().feed(WHOLE)
        connection.clock.pass_(KEEP_ALIVE_SECONDS - 1)
        connection.drain(gently=True)
        connection.protocol.sweep(connection.clock.pass_(LINGER_SECONDS - 1))
        assert not connection.transport.is_closing()
        connection.protocol.sweep(connection.clock.pass_(2))
        assert connection.transport.closed

    def test_a_stream_whose_head_could_not_say_so_leaves_time_for_one_more(self):
        connection = Connection(hold=True).feed(WHOLE)
        connection.protocol.begin(200, b"")
        connection.drain(gently=True)
        connection.clock.pass_(60)
        connection.protocol.end()
        assert not connection.transport.is_closing()
        connection.feed(WHOLE)
        connection.protocol.respond(200, b"", b"")
        assert connection.transport.written.endswith(CLOSE + b"\r\n")
        assert connection.transport.closed

    def test_who_was_accepted_last_is_treated_so_too(self):
        connection = Connection()
        connection.app.draining = True
        connection.feed(WHOLE)
        assert CLOSE in connection.transport.written
        assert connection.transport.closed
