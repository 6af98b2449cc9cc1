"""Callers that speak HTTP badly, oddly, or with ill will: the process stays up and stays right."""

import json

import httpx
import pytest

from support_relay import PATIENCE

KEY = "caller-key-of-the-house-0001"
HEAD = f"Host: relay\r\nx-api-key: {KEY}\r\n"
BODY = json.dumps(
    {"model": "by-claude", "max_tokens": 20, "messages": [{"role": "user", "content": "Hello"}]}
)
GET = f"GET /v1/models HTTP/1.1\r\n{HEAD}\r\n"
POST = f"POST /v1/messages HTTP/1.1\r\n{HEAD}"
KB = 1024


def post(*lines, body=BODY):
    """A POST with further header lines."""
    return POST + "".join(f"{line}\r\n" for line in lines) + "\r\n" + body


def sized(body=BODY, *lines):
    """A POST with its length."""
    return post(f"Content-Length: {len(body)}", *lines, body=body)


def chunked(*chunks, end="0\r\n\r\n"):
    """A chunked body."""
    return "".join(f"{len(chunk):x}\r\n{chunk}\r\n" for chunk in chunks) + end


TE = "Transfer-Encoding: chunked"

#: Sent as it is → the status that it gets; the connection is closed after each.
REFUSED = {
    # Two lengths: what smuggling is made of (RFC 9112 §6.3).
    "length-and-chunks": (post(TE, f"Content-Length: {len(BODY)}", body=chunked(BODY)), 400),
    "chunks-and-length": (post(f"Content-Length: {len(BODY)}", TE, body=chunked(BODY)), 400),
    "two-lengths-that-differ": (post(f"Content-Length: {len(BODY)}", "Content-Length: 3"), 400),
    "two-equal-lengths": (post(*[f"Content-Length: {len(BODY)}"] * 2), 400),
    "lengths-in-one-line": (post(f"Content-Length: {len(BODY)}, {len(BODY)}"), 400),
    "negative-length": (post("Content-Length: -5"), 400),
    "signed-length": (post(f"Content-Length: +{len(BODY)}"), 400),
    "hexadecimal-length": (post("Content-Length: 0x20"), 400),
    "length-of-words": (post("Content-Length: many"), 400),
    "empty-length": (post("Content-Length:"), 400),
    "length-beyond-64-bits": (post("Content-Length: 99999999999999999999999"), 400),
    # Transfer codings (RFC 9112 §6.1): chunked, once, and nothing else.
    "te-xchunked": (post("Transfer-Encoding: xchunked", body=chunked(BODY)), (400, 501)),
    "te-gzip-chunked": (post("Transfer-Encoding: gzip, chunked", body=chunked(BODY)), (400, 501)),
    "te-chunked-twice": (
        post("Transfer-Encoding: chunked, chunked", body=chunked(BODY)),
        (400, 501),
    ),
    "te-identity": (post("Transfer-Encoding: identity", body=""), (400, 501)),
    "te-two-lines": (post(TE, TE, body=chunked(BODY)), (400, 501)),
    "te-identity-then-chunked": (
        post("Transfer-Encoding: identity", TE, body=chunked(BODY)),
        (400, 501),
    ),
    "te-in-two-cases": (post("transfer-encoding: x", TE, body=chunked(BODY)), (400, 501)),
    "te-quoted": (post('Transfer-Encoding: "chunked"', body=chunked(BODY)), (400, 501)),
    "te-then-length-in-another-case": (post(TE, "cOnTeNt-lEnGtH: 5", body=chunked(BODY)), 400),
    "te-in-1.0": (post(TE, body=chunked(BODY)).replace("HTTP/1.1", "HTTP/1.0"), (400, 501)),
    "space-before-colon": (post("Transfer-Encoding : chunked", body=chunked(BODY)), 400),
    "tab-before-colon": (post("Transfer-Encoding\t: chunked", body=chunked(BODY)), 400),
    # Lines (RFC 9112 §2.2, §5.2).
    "folded-header": (post("x-long: one", "  two", "Content-Length: 0", body=""), 400),
    "folded-with-tab": (post("x-long: one", "\ttwo", "Content-Length: 0", body=""), 400),
    "bare-line-feeds": (GET.replace("\r\n", "\n"), 400),
    "one-bare-line-feed": (f"GET /v1/models HTTP/1.1\r\n{HEAD}x-a: b\nx-c: d\r\n\r\n", 400),
    "bare-carriage-return": (f"GET /v1/models HTTP/1.1\r\n{HEAD}x-a: b\rx-c: d\r\n\r\n", 400),
    "nul-in-a-value": (f"GET /v1/models HTTP/1.1\r\n{HEAD}x-a: b\0c\r\n\r\n", 400),
    "nul-in-a-name": (f"GET /v1/models HTTP/1.1\r\n{HEAD}x\0a: b\r\n\r\n", 400),
    "space-in-a-name": (f"GET /v1/models HTTP/1.1\r\n{HEAD}x a: b\r\n\r\n", 400),
    "line-without-a-colon": (f"GET /v1/models HTTP/1.1\r\n{HEAD}nothing\r\n\r\n", 400),
    "empty-name": (f"GET /v1/models HTTP/1.1\r\n{HEAD}: b\r\n\r\n", 400),
    # Hosts (RFC 9112 §3.2).
    "no-host": (f"GET /v1/models HTTP/1.1\r\nx-api-key: {KEY}\r\n\r\n", 400),
    "two-hosts": (f"GET /v1/models HTTP/1.1\r\nHost: other\r\n{HEAD}\r\n", 400),
    "two-hosts-in-1.0": (f"GET /v1/models HTTP/1.0\r\nHost: other\r\n{HEAD}\r\n", 400),
    "two-keys": (f"GET /v1/models HTTP/1.1\r\nx-api-key: x\r\n{HEAD}\r\n", 401),
    # Chunks (RFC 9112 §7.1).
    "chunk-size-of-words": (post(TE, body="zz\r\nhello\r\n0\r\n\r\n"), 400),
    "chunk-size-negative": (post(TE, body="-5\r\nhello\r\n0\r\n\r\n"), 400),
    "chunk-size-prefixed": (post(TE, body="0x5\r\nhello\r\n0\r\n\r\n"), 400),
    "chunk-size-beyond-64-bits": (post(TE, body="fffffffffffffffff\r\nhello"), 400),
    "chunk-size-missing": (post(TE, body="\r\nhello\r\n0\r\n\r\n"), 400),
    "chunk-longer-than-its-size": (post(TE, body="3\r\nhello\r\n0\r\n\r\n"), 400),
    "chunk-ended-by-line-feed": (post(TE, body="5\nhello\r\n0\r\n\r\n"), 400),
    # Sizes.
    "101-headers": (f"GET /v1/models HTTP/1.1\r\n{HEAD}" + "x-a: b\r\n" * 99 + "\r\n", 431),
    "70-KB-of-headers": (f"GET /v1/models HTTP/1.1\r\n{HEAD}x-a: {'b' * 70 * KB}\r\n\r\n", 431),
    "70-KB-of-a-name": (f"GET /v1/models HTTP/1.1\r\n{HEAD}{'b' * 70 * KB}: a\r\n\r\n", 431),
    "9-KB-target": (f"GET /v1/models?{'a' * 9 * KB} HTTP/1.1\r\n{HEAD}\r\n", 414),
    "33-MB-promised": (post(f"Content-Length: {33 * KB * KB + 1}", body=""), 413),
    "trailers-beyond-the-limit": (
        post(TE, body=chunked(BODY, end="0\r\n" + "x-a: b\r\n" * 120 + "\r\n")),
        431,
    ),
    # Request lines.
    "no-http-at-all": ("SSH-2.0-OpenSSH_9.6\r\n\r\n", 400),
    "tls-to-a-plain-port": ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "http-2-preface": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "http-3.0": (GET.replace("HTTP/1.1", "HTTP/3.0"), 400),
    "http-1.2": (GET.replace("HTTP/1.1", "HTTP/1.2"), 400),
    "http-0.9": ("GET /health/liveness\r\n\r\n", (400, 505)),
    "http-2.0": (GET.replace("HTTP/1.1", "HTTP/2.0"), (400, 505)),
    "unknown-protocol": (GET.replace("HTTP/1.1", "ICE/1.0"), (400, 405)),
    "no-target": (GET.replace("/v1/models ", ""), 400),
    "space-in-the-target": (GET.replace("/v1/models", "/v1/ models"), 400),
    "unknown-method": (GET.replace("GET", "GETT"), 400),
    "lower-case-method": (GET.replace("GET", "get"), 400),
    "connect": (f"CONNECT example.com:443 HTTP/1.1\r\n{HEAD}\r\n", (400, 404, 405)),
    # Codings of the body (RFC 9110 §8.4).
    "gzip-body": (sized(BODY, "Content-Encoding: gzip"), 415),
    "brotli-body": (sized(BODY, "Content-Encoding: br"), 415),
}

#: Well-formed HTTP that is refused: the connection may go on.
TURNED_AWAY = {
    "get-where-post-is": (GET.replace("/v1/models", "/v1/messages"), 405),
    "delete": (GET.replace("GET", "DELETE"), 405),
    "options": (GET.replace("GET", "OPTIONS"), 405),
    "asterisk": (GET.replace("GET /v1/models", "OPTIONS *"), (404, 405)),
    "absolute-form-elsewhere": (GET.replace("/v1/models", "http://example.com/v1/x"), 404),
    "dots": (GET.replace("/v1/models", "/health/../v1/models/../../etc/passwd"), 404),
    "encoded-slash": (GET.replace("/v1/models", "/health%2fliveness"), 404),
    "fragment": (GET.replace("/v1/models", "/v1/requests/#x"), 404),
    "two-slashes": (GET.replace("/v1/models", "//v1/models"), 404),
    "a-query-nobody-knows": (
        sized().replace("/v1/messages", "/v1/messages?key=1"),
        400,
    ),
}


def assert_alive(relay):
    got = httpx.get(f"{relay.url}/health/liveness", timeout=PATIENCE)
    assert got.json() == {"status": "alive"}
    assert relay.process.poll() is None


def assert_status(got, expected):
    assert got.status in (expected if isinstance(expected, tuple) else (expected,))


class TestWhatIsRefused:
    @pytest.mark.parametrize("name", REFUSED)
    def test_it_gets_one_answer_and_the_end_of_the_connection(self, house, house_stand_in, name):
        raw, status = REFUSED[name]
        before = len(house_stand_in.attempts())
        with house.connect() as connection:
            got = connection.send(raw + GET).read()
            assert_status(got, status)
            assert got.headers["connection"] == "close"
            assert "error" in got.json()
            assert connection.is_closed()
        assert len(house_stand_in.attempts()) == before
        assert house.process.poll() is None

    @pytest.mark.parametrize("name", TURNED_AWAY)
    def test_what_is_not_served_is_told(self, house, house_stand_in, name):
        raw, status = TURNED_AWAY[name]
        before = len(house_stand_in.attempts())
        with house.connect() as connection:
            got = connection.send(raw).read()
        assert_status(got, status)
        assert got.json()["error"]["message"]
        assert len(house_stand_in.attempts()) == before

    @pytest.mark.parametrize(
        ("path", "method", "allow"),
        [
            ("/v1/messages", "GET", {"POST"}),
            ("/v1/chat/completions", "PUT", {"POST"}),
            ("/v1/models", "POST", {"GET", "HEAD"}),
            ("/health/liveness", "POST", {"GET", "HEAD"}),
            ("/metrics", "DELETE", {"GET", "HEAD"}),
        ],
    )
    def test_a_method_that_a_path_has_not_is_told_those_it_has(self, caller, path, method, allow):
        got = caller.request(method, path)
        assert got.status_code == 405
        assert set(got.headers["allow"].split(", ")) == allow

    @pytest.mark.parametrize("method", ["GETT", "PROPFIND", "QUERY"])
    def test_a_method_that_nobody_has(self, house, method):
        with house.connect() as connection:
            got = connection.send(GET.replace("GET", method)).read()
        assert got.status in {400, 405, 501}

    def test_a_refusal_comes_in_the_dialect_of_its_path(self, house):
        with house.connect() as connection:
            got = connection.send(sized(BODY, "Content-Encoding: gzip")).read()
        assert got.json()["type"] == "error"
        chat = sized(BODY, "Content-Encoding: gzip").replace("messages", "chat/completions", 1)
        with house.connect() as connection:
            got = connection.send(chat).read()
        assert got.json()["error"]["param"] is None

    def test_an_upgrade_is_not_taken(self, house):
        upgrade = (
            "Upgrade: h2c",
            "Connection: Upgrade, HTTP2-Settings",
            "HTTP2-Settings: AAMAAABk",
        )
        with house.connect() as connection:
            got = connection.send(sized(BODY, *upgrade)).read()
            # RFC 9110 §7.8: ignored, or refused; never switched.
            assert got.status in {200, 400}

    def test_what_follows_a_refused_request_is_never_a_request(self, house, house_stand_in):
        """The classic: a second request hidden in the first one's body."""
        before = len(house_stand_in.attempts())
        hidden = sized()
        smuggled = post(TE, f"Content-Length: {len(hidden) + 5}", body="0\r\n\r\n" + hidden)
        with house.connect() as connection:
            assert connection.send(smuggled).read().status == 400
            assert connection.is_closed()
        assert len(house_stand_in.attempts()) == before


class TestSizes:
    def test_a_hundred_headers_of_sixty_kilobytes_are_fine(self, house):
        many = "".join(f"x-filler-{i}: {'a' * 600}\r\n" for i in range(98))
        with house.connect() as connection:
            raw = f"GET /v1/models HTTP/1.1\r\n{HEAD}{many}\r\n"
            assert connection.send(raw).read().status == 200

    def test_a_body_beyond_the_limit_is_refused_before_it_is_read(self, house):
        with house.connect() as connection:
            head = post(f"Content-Length: {34 * KB * KB}", body="")
            got = connection.send(head).read()
        assert got.status == 413
        assert got.json()["error"]["type"] == "request_too_large"

    @pytest.mark.parametrize("coding", ["length", "chunks"])
    def test_a_hundred_megabytes_sent_all_the_same_are_thrown_away(self, house, coding):
        piece = b"x" * (1 << 20)
        before = house.memory()
        with house.connect() as connection:
            if coding == "length":
                connection.send(post(f"Content-Length: {100 * KB * KB}", body=""))
            else:
                connection.send(post(TE, body=""))
                piece = b"%x\r\n%b\r\n" % (len(piece), piece)
            for _ in range(100):
                try:
                    connection.send(piece)
                except ConnectionError:
                    break
            assert connection.read().status == 413
        # What is kept of it is at most one body, not a hundred megabytes.
        assert house.memory() - before < 60 * KB * KB
        assert_alive(house)

    def test_a_body_just_within_the_limit_is_taken(self, house):
        filler = " " * (20 * KB * KB)
        with house.connect() as connection:
            got = connection.send(sized(BODY + filler)).read()
        assert got.status == 200

    def test_huge_chunk_extensions_change_nothing(self, house):
        extension = f"{len(BODY):x};{'a' * 200 * KB}\r\n{BODY}\r\n0\r\n\r\n"
        with house.connect() as connection:
            got = connection.send(post(TE, body=extension)).read()
        assert got.status in {200, 400, 413, 431}
        assert_alive(house)

    def test_an_endless_chunk_extension_ends(self, house):
        before = house.memory()
        with house.connect() as connection:
            connection.send(post(TE, body="5;"))
            for _ in range(64):
                try:
                    connection.send(b"a" * (1 << 20))
                except ConnectionError:
                    break
        assert house.memory() - before < 60 * KB * KB
        assert_alive(house)

    def test_an_endless_header_ends(self, house):
        with house.connect() as connection:
            connection.send(f"GET /v1/models HTTP/1.1\r\n{HEAD}x-a: ")
            for _ in range(64):
                try:
                    connection.send(b"a" * (1 << 16))
                except ConnectionError:
                    break
            assert connection.read().status == 431


class TestOneAfterTheOther:
    def test_a_connection_is_kept(self, house):
        with house.connect() as connection:
            for _ in range(5):
                assert connection.send(GET).read().status == 200
            assert connection.send(sized()).read().status == 200

    def test_pipelined_requests_are_answered_in_order(self, house):
        paths = ("/v1/models/by-gpt", "/v1/models/by-claude", "/v1/models/nobody")
        raw = "".join(GET.replace("/v1/models", path) for path in paths)
        with house.connect() as connection:
            connection.send(raw)
            told = [connection.read().json()["id"] for _ in paths]
        assert told == ["by-gpt", "by-claude", "nobody"]

    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_a_slow_request_between_two_quick_ones_keeps_its_place(self, house, stream):
        asked = BODY.replace('"max_tokens"', f'"stream": {str(stream).lower()}, "max_tokens"')
        with house.connect() as connection:
            connection.send(GET + sized(asked) + GET)
            first, second, third = (connection.read() for _ in range(3))
        assert first.json()["object"] == third.json()["object"] == "list"
        assert (b"message_stop" in second.body) if stream else second.json()["type"] == "message"

    def test_a_bad_request_behind_good_ones_does_not_take_their_place(self, house):
        with house.connect() as connection:
            connection.send(GET + GET + "BROKEN\r\n\r\n")
            assert [connection.read().status for _ in range(3)] == [200, 200, 400]
            assert connection.is_closed()

    def test_a_wrong_key_behind_a_right_one_does_not_take_its_place(self, house):
        with house.connect() as connection:
            connection.send(GET + GET.replace(KEY, "somebody-elses"))
            assert [connection.read().status for _ in range(2)] == [200, 401]

    def test_a_bad_request_behind_a_slow_one_does_not_spoil_it(self, house):
        with house.connect() as connection:
            connection.send(sized() + "BROKEN\r\n\r\n")
            got = connection.read()
            assert (got.status, got.json()["type"]) == (200, "message")

    def test_500_pipelined_requests(self, house):
        with house.connect() as connection:
            connection.send(GET * 500)
            assert {connection.read().status for _ in range(500)} == {200}

    def test_a_request_that_comes_byte_by_byte(self, house):
        with house.connect() as connection:
            for byte in sized().encode():
                connection.send(bytes([byte]))
            assert connection.read().status == 200

    @pytest.mark.parametrize("size", [1, 7, 1000])
    def test_a_chunked_body(self, house, size):
        chunks = [BODY[i : i + size] for i in range(0, len(BODY), size)]
        with house.connect() as connection:
            got = connection.send(post(TE, body=chunked(*chunks))).read()
            assert (got.status, got.json()["type"]) == (200, "message")
            trailed = chunked(*chunks, end="0\r\nx-trailer: a\r\nx-api-key: b\r\n\r\n")
            assert connection.send(post(TE, body=trailed)).read().status == 200

    def test_an_error_of_the_callers_keeps_the_connection(self, house):
        with house.connect() as connection:
            assert connection.send(sized("{}")).read().status == 400
            assert connection.send(sized("not json")).read().status == 400
            unknown = GET.replace("/v1/models", "/v1/models/unknown-model")
            assert connection.send(unknown).read().status == 404
            assert connection.send(sized()).read().status == 200

    def test_the_same_head_with_another_body_is_another_request(self, house):
        other = BODY.replace("Hello", "Why do ships keep a logbook?")
        with house.connect() as connection:
            texts = [connection.send(sized(body)).read().json()["content"][0]["text"]
                     for body in (BODY, other, BODY, other)]  # fmt: skip
        assert texts[0] == texts[2] != texts[1] == texts[3]

    def test_the_same_head_with_another_key_is_another_caller(self, house):
        with house.connect() as connection:
            assert connection.send(sized()).read().status == 200
            assert connection.send(sized()).read().status == 200
            assert connection.send(sized().replace(KEY, KEY[:-1] + "2")).read().status == 401

    def test_empty_lines_before_a_request_are_passed_over(self, house):
        with house.connect() as connection:
            assert connection.send(f"\r\n{GET}").read().status == 200

    def test_connection_close_is_heeded(self, house):
        with house.connect() as connection:
            got = connection.send(sized(BODY, "Connection: close")).read()
            assert (got.status, got.headers["connection"]) == (200, "close")
            assert connection.is_closed()


class TestHttp10:
    def test_a_whole_answer_and_the_end(self, house):
        with house.connect() as connection:
            raw = f"GET /v1/models HTTP/1.0\r\nx-api-key: {KEY}\r\n\r\n"
            got = connection.send(raw).read()
            assert (got.status, got.json()["object"]) == (200, "list")
            assert connection.is_closed()

    def test_a_stream_ends_with_the_connection(self, house):
        asked = BODY.replace('"max_tokens"', '"stream": true, "max_tokens"')
        with house.connect() as connection:
            got = connection.send(sized(asked).replace("HTTP/1.1", "HTTP/1.0")).read()
            assert not got.chunked
            assert "transfer-encoding" not in got.headers
            assert got.body.startswith(b"event: message_start\n")
            assert b"message_stop" in got.body
            assert connection.is_closed()

    def test_keep_alive_as_1_0_asks_for_it(self, house):
        raw = f"GET /v1/models HTTP/1.0\r\nConnection: keep-alive\r\nx-api-key: {KEY}\r\n\r\n"
        with house.connect() as connection:
            got = connection.send(raw).read()
            assert got.status == 200
            # Kept only where it is said (RFC 9112 §9.3), as an old client would otherwise not know.
            if got.headers.get("connection", "").lower() == "keep-alive":
                assert connection.send(raw).read().status == 200


class TestExpect:
    def test_the_body_is_asked_for_and_then_answered(self, house):
        head = post(f"Content-Length: {len(BODY)}", "Expect: 100-continue", body="")
        with house.connect() as connection:
            connection.send(head)
            assert connection.reader.readline() == b"HTTP/1.1 100 Continue\r\n"
            assert connection.reader.readline() == b"\r\n"
            assert connection.send(BODY).read().status == 200

    @pytest.mark.parametrize(
        ("length", "change", "status"),
        [
            (9, (KEY, "another-key"), 401),
            (40 * KB * KB, ("", ""), 413),
            (9, ("/v1/messages", "/v9/messages"), 404),
        ],
        ids=["wrong-key", "too-large", "no-such-path"],
    )
    def test_a_refused_request_is_not_asked_for_its_body(self, house, length, change, status):
        raw = post(f"Content-Length: {length}", "Expect: 100-continue", body="")
        with house.connect() as connection:
            connection.send(raw.replace(*change) if all(change) else raw)
            assert f" {status} ".encode() in connection.reader.readline()


class TestHead:
    @pytest.mark.parametrize(
        "path", ["/health/liveness", "/health/readiness", "/metrics", "/v1/models"]
    )
    def test_it_has_the_length_and_not_the_body(self, house, path):
        raw = GET.replace("/v1/models", path)
        with house.connect() as connection:
            got = connection.send(raw.replace("GET", "HEAD")).read("HEAD")
            assert (got.status, got.body) == (200, b"")
            assert int(got.headers["content-length"]) > 0
            # The connection is still in step.
            assert connection.send(raw).read().status == 200

    def test_it_is_not_for_requests(self, house):
        with house.connect() as connection:
            got = connection.send(GET.replace("GET /v1/models", "HEAD /v1/messages")).read("HEAD")
        assert (got.status, got.body) == (405, b"")


def test_the_process_served_on_through_all_of_this(house):
    assert house.events("own_fault") == []
    with house.connect() as connection:
        assert connection.send(sized()).read().status == 200
    assert_alive(house)
