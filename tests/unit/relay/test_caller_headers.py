"""What a connection makes of a request's header lines, before anybody is asked."""

import pytest

from unit.relay.caller_side import Connection

LINE = b"POST /v1/messages?beta=true HTTP/1.1\r\nHost: x\r\n"


def read(*lines, body=b""):
    """The request that is served, and the connection."""
    head = LINE + b"".join(line + b"\r\n" for line in lines)
    connection = Connection().feed(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    return (connection.app.served or [None])[0], connection


def test_lines_of_one_name_are_one_list():
    request, _ = read(b"anthropic-beta: one", b"Anthropic-Beta: two")
    assert request.headers["anthropic-beta"] == "one, two"


def test_a_second_key_does_not_take_the_place_of_the_first():
    request, _ = read(b"x-api-key: first", b"x-api-key: second")
    assert request.headers["x-api-key"] == "first, second"


def test_own_headers_are_kept_by_their_names_in_lower_case():
    request, _ = read(b"X-Understudy-Tiers: same", b"x-understudy-tiers: substitute")
    assert request.own == {"x-understudy-tiers": "same, substitute"}


def test_headers_that_nobody_reads_are_passed_over():
    request, _ = read(b"cookie: a=b", b"x-forwarded-for: 10.0.0.1", b"user-agent: x")
    assert set(request.headers) == {"content-length"}


def test_the_target_is_split_at_its_first_question_mark():
    request, _ = read()
    assert (request.path, request.query) == ("/v1/messages", "beta=true")


def test_trailers_are_no_headers():
    connection = Connection().feed(
        LINE
        + b"Transfer-Encoding: chunked\r\n\r\n0\r\nx-api-key: late\r\nx-understudy-user: x\r\n\r\n"
    )
    request = connection.app.served[0]
    assert "x-api-key" not in request.headers
    assert request.own == {}


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"], 400),
        ([b"Host: y"], 400),
        ([b"Content-Encoding: identity", b"Content-Encoding: gzip"], 415),
        ([b"Content-Encoding: deflate"], 415),
    ],
)
def test_no_line_hides_another_that_would_be_refused(lines, status):
    request, connection = read(*lines)
    assert request is None
    assert connection.statuses in ([status], [501])


def test_an_identity_coding_is_no_coding():
    request, _ = read(b"Content-Encoding: identity", body=b"{}")
    assert request.body == b"{}"


async def test_refusals_wait_for_the_answers_before_them():
    whole = LINE + b"Content-Length: 0\r\n\r\n"
    connection = Connection(hold=True).feed(whole + whole + b"BROKEN\r\n\r\n")
    assert connection.statuses == []
    for _ in range(2):
        connection.protocol.respond(200, b"", b"")
        await connection.settle()
    assert connection.statuses == [200, 200, 400]
    assert connection.transport.ended
    connection.feed(whole)
    assert len(connection.app.served) == 2
