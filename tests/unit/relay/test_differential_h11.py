"""Whatever this side takes for a request, h11 takes for the same request.

h11 is a reader of HTTP/1.1 written by others from the RFC. Two readers that agree on where every
message begins and ends leave nothing to smuggle. This side may refuse what h11 takes (folded
headers, bare line feeds); it must not take what h11 refuses, nor read it otherwise.
"""

import re

import h11
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from unit.relay.caller_side import Connection

Read = list[tuple[str, str, bytes]]


async def ours(pieces: list[bytes]) -> Read:
    """The requests that this side serves."""
    connection = Connection()
    for piece in pieces:
        connection.feed(piece)
        await connection.settle()
    return [
        (r.method, f"{r.path}?{r.query}" if r.query else r.path, r.body)
        for r in connection.app.served
    ]


def theirs(data: bytes) -> Read:
    """The requests that h11 reads, up to its first objection."""
    found: Read = []
    while data := _with_liberties(data):
        reader = h11.Connection(h11.SERVER)
        reader.receive_data(data)
        try:
            is_kept = _read_one(reader, found)
        except h11.RemoteProtocolError:
            break
        data = reader.trailing_data[0] if is_kept else b""
    return found


def _with_liberties(data: bytes) -> bytes:
    """The two liberties that RFC 9112 gives a server and h11 does not take: empty lines before a
    request (§2.2), and more than one space in its line (§3).
    """
    return re.sub(rb"\A([A-Z]+) +", rb"\1 ", data.lstrip(b"\r\n"))


def _read_one(reader: h11.Connection, found: Read) -> bool:
    """Read one request; whether another may follow it."""
    request = reader.next_event()
    if not isinstance(request, h11.Request):
        return False
    body = bytearray()
    while isinstance(event := reader.next_event(), h11.Data):
        body += event.data
    if not isinstance(event, h11.EndOfMessage):
        return False
    found.append((request.method.decode(), request.target.decode("latin-1"), bytes(body)))
    if request.http_version < b"1.1":
        # h11 ends here always; a server may go on where it is asked to (§9.3).
        return dict(request.headers).get(b"connection", b"").lower() == b"keep-alive"
    reader.send(h11.Response(status_code=404, headers=[]))
    reader.send(h11.EndOfMessage())
    return reader.our_state is not h11.MUST_CLOSE


async def assert_agreement(data: bytes, cuts: list[int]) -> None:
    """Ours is a beginning of theirs, however the bytes are cut."""
    places = sorted({min(cut, len(data)) for cut in cuts})
    pieces = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
    read = await ours([piece for piece in pieces if piece])
    reference = [(m, target.removesuffix("?"), body) for m, target, body in theirs(data)]
    assert read == reference[: len(read)]


# -- what is tried

METHODS = st.sampled_from([b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"DELETE", b"PATCH"])
TARGETS = st.sampled_from(
    [b"/", b"/v1/messages", b"/a?b=c", b"/a?b?c", b"*", b"http://x/y", b"/%20"]
)
VERSIONS = st.sampled_from([b"HTTP/1.1"] * 8 + [b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.2"])
ENDS = st.sampled_from([b"\r\n"] * 12 + [b"\n", b"\r", b"\n\r", b"\r\r\n"])
NAMES = st.sampled_from(
    [b"x-a", b"X-Understudy-Feature", b"accept", b"content-type", b"Connection", b"Upgrade",
     b"Expect", b"TE", b"Trailer", b"Content-Length ", b" x-b", b"x\x00c", b"x-d\t", b"", b"\xff"]
)  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(
        [b"a", b"", b"close", b"keep-alive", b"upgrade", b"h2c", b"100-continue", b"a\x00b",
         b"a\tb", b"\xff\xfe", b"a\rb", b"a\nb", b"a\r\n b", b"trailers", b" a ", b"\x0b", b"a,b"]
    ),
    st.binary(max_size=6),
)  # fmt: skip
FRAMINGS = st.sampled_from(
    [
        [b"Content-Length: %d"],
        [b"content-length:%d"],
        [b"Content-Length:  %d "],
        [b"Content-Length: 0%d"],
        [b"Content-Length: +%d"],
        [b"Content-Length: -%d"],
        [b"Content-Length: %d,%d"],
        [b"Content-Length: %d", b"Content-Length: %d"],
        [b"Content-Length: %d", b"Content-Length: 0"],
        [b"Content-Length: %d", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"Content-Length: %d"],
        [b"Content-Length : %d"],
        [b"Content-Length: %d\x0b"],
        [b"Transfer-Encoding: identity"],
        [],
    ]
)
CHUNKED = st.sampled_from(
    [
        [b"Transfer-Encoding: chunked"],
        [b"transfer-encoding:chunked"],
        [b"Transfer-Encoding: CHUNKED"],
        [b"Transfer-Encoding:  chunked\t"],
        [b"Transfer-Encoding: xchunked"],
        [b"Transfer-Encoding: chunked, chunked"],
        [b"Transfer-Encoding: gzip, chunked"],
        [b"Transfer-Encoding: chunked, identity"],
        [b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding:\x0bchunked"],
        [b"Transfer-Encoding: chunked;q=1"],
    ]
)
BODIES = st.one_of(
    st.sampled_from([b"", b"a", b"hello", b"0\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"]),
    st.binary(max_size=20),
)
SIZES = st.sampled_from([b"%x"] * 6 + [b"%X", b"0%x", b"%x;a=b", b"%x ;a", b"%x ", b"0x%x", b"+%x"])
LAST = st.sampled_from(
    [b"0\r\n\r\n"] * 6 + [b"0\r\nx-t: a\r\n\r\n", b"00\r\n\r\n", b"0\n\n", b"0;a\r\n\r\n", b"0\r\n",
                          b"0\r\n\r", b"0\r\nx t\r\n\r\n"]
)  # fmt: skip


@st.composite
def chunked_bodies(draw):
    """A chunked body, mostly right."""
    parts = []
    for chunk in draw(st.lists(BODIES.filter(bool), max_size=3)):
        size = draw(st.sampled_from([len(chunk)] * 8 + [len(chunk) + 1, max(len(chunk) - 1, 1)]))
        parts += [draw(SIZES) % size, draw(ENDS), chunk, draw(ENDS)]
    return b"".join([*parts, draw(LAST)])


@st.composite
def messages(draw):
    """One request, mostly right."""
    lines = [b" ".join([draw(METHODS), draw(TARGETS), draw(VERSIONS)])]
    lines += draw(st.sampled_from([[b"Host: x"]] * 8 + [[], [b"Host: x", b"Host: y"]]))
    others = draw(st.lists(st.tuples(NAMES, VALUES), max_size=2))
    lines += [name + b":" + value for name, value in others]
    if draw(st.booleans()):
        body = draw(BODIES)
        framing = draw(FRAMINGS)
        lines += [line.replace(b"%d", b"%d" % len(body)) for line in framing]
    else:
        body = draw(chunked_bodies())
        lines += draw(CHUNKED)
    ends = [draw(ENDS) for _ in lines]
    head = b"".join(line + end for line, end in zip(lines, ends, strict=True))
    return head + draw(ENDS) + body


STREAMS = st.lists(messages(), min_size=1, max_size=3).map(b"".join)
CUTS = st.lists(st.integers(0, 400), max_size=4)

POST = b"POST /a HTTP/1.1\r\nHost: x\r\n"
GET = b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n"


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=STREAMS, cuts=CUTS)
@example(
    data=POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET, cuts=[]
)
@example(data=POST + b"Content-Length: 5\r\n\r\nhello" + GET, cuts=[30, 47])
async def test_what_is_served_is_what_h11_reads(data, cuts):
    await assert_agreement(data, cuts)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    data=messages(),
    places=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=3),
)
async def test_also_with_any_byte_changed(data, places):
    changed = bytearray(data)
    for place, byte in places:
        changed[place % len(changed)] = byte
    await assert_agreement(bytes(changed) + GET, [])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(first=BODIES, second=BODIES, junk=st.binary(max_size=12), close=st.booleans())
async def test_also_where_a_connection_repeats_its_head(first, second, junk, close):
    """A head that is known by its bytes alone must mean what it meant."""
    more = b"Connection: close\r\n" if close else b""

    def made(body):
        return POST + more + b"Content-Length: %d\r\n\r\n" % len(body) + body

    whole = [made(first), made(second), made(first) + junk, made(second)]
    read = await ours(whole)
    assert read == theirs(b"".join(whole))[: len(read)]
    assert len(read) >= (1 if close else 3)


@pytest.mark.parametrize("around", [(b"", b"\r\n"), (b"\r\n", b""), (b"\r\n", b"\r\n")])
@pytest.mark.parametrize("body", [b"\r\nab", b"\r\n\r\n", b""])
async def test_empty_lines_around_a_message_are_no_part_of_a_remembered_head(around, body):
    before, behind = around
    length = b"Content-Length: %d\r\n\r\n"
    first = before + POST + length % len(body) + body + behind
    second = POST + length % 6 + b"\r\nwxyz" + b"QQ"

    remembered = await ours([first, second])

    assert remembered == await ours([first, second[:10], second[10:]])


TABLE = {
    "get": GET,
    "three-in-a-row": GET + POST + b"Content-Length: 2\r\n\r\nhi" + GET,
    "hidden-in-chunks": POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + GET,
    "both-framings": POST
    + b"Transfer-Encoding: chunked\r\nContent-Length: 40\r\n\r\n0\r\n\r\n"
    + GET,
    "te.te": POST + b"Transfer-Encoding: chunked\r\nTransfer-encoding: x\r\n\r\n0\r\n\r\n" + GET,
    "te-tab": POST + b"Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n" + GET,
    "te-newline": POST + b"Transfer-Encoding\n: chunked\r\n\r\n0\r\n\r\n" + GET,
    "te-folded": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + GET,
    "length-folded": POST + b"Content-Length:\r\n 5\r\n\r\nhello" + GET,
    "chunk-ext-newline": POST
    + b"Transfer-Encoding: chunked\r\n\r\n5;a\nb\r\nhello\r\n0\r\n\r\n"
    + GET,
    "chunk-size-spaces": POST + b"Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n" + GET,
    "te-identity-first": POST
    + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + GET,
    "1.0-two-hosts": b"GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n",
    "1.0-kept": b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + GET,
    "1.0-closed": b"GET / HTTP/1.0\r\n\r\n" + GET,
    "1.0-chunked": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET,
    "closed": b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + GET,
    "get-with-a-body": b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello" + GET,
    "upgrade": b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + GET,
    "connect": b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n" + GET,
    "leading-lines": b"\r\n\r\n" + GET,
    "trailing-lines": GET + b"\r\n" + GET,
    "nul-target": b"GET /a\x00b HTTP/1.1\r\nHost: x\r\n\r\n",
    "high-target": b"GET /a\xffb HTTP/1.1\r\nHost: x\r\n\r\n",
    "tab-target": b"GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n",
    "two-spaces": b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tab-separated": b"GET\t/\tHTTP/1.1\r\nHost: x\r\n\r\n",
    "space-at-the-end": b"GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("step", [None, 1, 3], ids=["whole", "bytes", "threes"])
async def test_the_known_tricks(name, step):
    data = TABLE[name]
    await assert_agreement(data, [] if step is None else list(range(0, len(data), step)))


async def test_the_two_agree_on_all_of_what_is_right():
    for name in ("get", "three-in-a-row", "hidden-in-chunks", "get-with-a-body", "leading-lines"):
        assert await ours([TABLE[name]]) == theirs(TABLE[name]), name
    assert len(await ours([TABLE["three-in-a-row"]])) == 3
