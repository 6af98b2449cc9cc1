"""The simulator itself: its clock, its connections, its troubles."""

import asyncio
import random
import socket
import ssl
import struct
import time

import pytest

from simulation.sim_line import Line, NetFault
from simulation.sim_loop import DeadlockError, OutOfTimeError, VirtualLoop
from simulation.sim_net import Network

HOUR = 3600.0


class End(asyncio.Protocol):
    """Remembers what it meets."""

    def __init__(self, *, keep_open=False):
        self.keep_open = keep_open
        self.data = b""
        self.reads = 0
        self.ended = False
        self.lost = []
        self.paused = False
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.data += data
        self.reads += 1

    def eof_received(self):
        self.ended = True
        return self.keep_open

    def connection_lost(self, exc):
        self.lost.append(exc)

    def pause_writing(self):
        self.paused = True

    def resume_writing(self):
        self.paused = False


def reset(end):
    """Close by RST, as servers do."""
    held = end.transport.get_extra_info("socket")
    held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.transport.abort()


class Place:
    """A loop, a network, and one host in it."""

    def __init__(self, *faults, line=None, **server):
        self.loop = VirtualLoop(random.Random(1), horizon=HOUR)
        self.notes = []
        self.net = Network(self.loop, random.Random(2), lambda *note: self.notes.append(note))
        self.net.attach()
        self.servers = []
        self.net.serve("host", line or Line(), lambda: self._server(**server))
        for fault in faults:
            self.net.play(fault)

    def _server(self, **options):
        self.servers.append(End(**options))
        return self.servers[-1]

    async def dial(self, **options):
        _, client = await self.loop.create_connection(End, "host", 443, **options)
        return client, self.servers[-1]

    def run(self, main):
        try:
            return self.loop.run(main)
        finally:
            self.loop.close()


def test_hours_pass_at_once_and_to_the_microsecond():
    place = Place()

    async def main():
        began = time.process_time()
        for _ in range(30):
            await asyncio.sleep(100.0)
        assert place.loop.time() == 3000.0
        assert time.process_time() - began < 1.0

    place.run(main())


def test_what_waits_for_nothing_is_a_deadlock_with_the_waiting_tasks_named():
    place = Place()

    async def main():
        asyncio.current_task().set_name("the stuck one")
        await place.loop.create_future()

    with pytest.raises(DeadlockError, match="the stuck one"):
        place.run(main())


def test_what_goes_on_for_ever_ends_at_the_horizon():
    place = Place()

    async def main():
        again()
        await place.loop.create_future()

    def again():
        place.loop.call_later(60.0, again)

    with pytest.raises(OutOfTimeError, match="3600"):
        place.run(main())


def test_timers_of_one_moment_fire_in_any_order_and_soon_callbacks_in_theirs():
    orders = set()
    for seed in range(20):
        loop = VirtualLoop(random.Random(seed))
        fired, soon = [], []

        async def main(loop=loop, fired=fired, soon=soon):
            for number in range(4):
                loop.call_at(1.0, fired.append, number)
                loop.call_soon(soon.append, number)
            await asyncio.sleep(2.0)

        loop.run(main())
        loop.close()
        assert soon == [0, 1, 2, 3]
        assert sorted(fired) == [0, 1, 2, 3]
        orders.add(tuple(fired))
    assert len(orders) > 5


def test_an_exception_in_a_callback_is_kept():
    place = Place()

    async def main():
        place.loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)

    place.run(main())
    assert isinstance(place.loop.errors[0]["exception"], ZeroDivisionError)


def test_threads_have_no_place_in_virtual_time():
    place = Place()

    async def main():
        await asyncio.to_thread(len, "")

    with pytest.raises(RuntimeError, match="thread"):
        place.run(main())


@pytest.mark.parametrize("cut", ["whole", "frames", "random", "bytes"])
@pytest.mark.parametrize("bandwidth", [0.0, 50_000.0])
def test_bytes_arrive_in_order_however_they_are_cut(cut, bandwidth):
    line = Line(cut=cut, jitter=0.01, bandwidth=bandwidth, window=5_000)
    place = Place(line=line)
    sent = bytes(random.Random(3).randbytes(20_000))

    async def main():
        client, server = await place.dial()
        for start in range(0, len(sent), 700):
            client.transport.write(sent[start : start + 700])
        server.transport.write(b"and back")
        await asyncio.sleep(10.0)
        assert server.data == sent
        assert client.data == b"and back"
        if cut == "bytes":
            assert server.reads > 3
        if bandwidth:
            assert place.loop.time() >= len(sent) / bandwidth

    place.run(main())


def test_a_peer_that_does_not_read_stops_its_writer():
    place = Place(line=Line(window=4_096))

    async def main():
        client, server = await place.dial()
        server.transport.pause_reading()
        client.transport.write(b"x" * 200_000)
        await asyncio.sleep(1.0)
        assert client.paused
        assert client.transport.get_write_buffer_size() == 200_000 - 4_096
        assert not server.data
        server.transport.resume_reading()
        await asyncio.sleep(1.0)
        assert not client.paused
        assert len(server.data) == 200_000

    place.run(main())


def test_closing_sends_what_was_written_and_then_fin():
    place = Place(line=Line(window=1_000))

    async def main():
        client, server = await place.dial()
        client.transport.write(b"x" * 10_000)
        client.transport.close()
        await asyncio.sleep(1.0)
        assert (len(server.data), server.ended) == (10_000, True)
        assert (client.lost, server.lost) == ([None], [None])

    place.run(main())


def test_half_a_close_leaves_the_other_direction_open():
    place = Place(keep_open=True)

    async def main():
        client, server = await place.dial()
        client.transport.write_eof()
        await asyncio.sleep(1.0)
        assert server.ended
        server.transport.write(b"still here")
        await asyncio.sleep(1.0)
        assert client.data == b"still here"
        assert not client.lost

    place.run(main())


def test_so_linger_of_no_time_turns_a_close_into_a_reset():
    place = Place()

    async def main():
        client, server = await place.dial()
        reset(server)
        await asyncio.sleep(1.0)
        assert isinstance(client.lost[0], ConnectionResetError)
        assert not client.ended

    place.run(main())


def test_closing_with_unread_bytes_resets_the_sender():
    place = Place()

    async def main():
        client, server = await place.dial()
        server.transport.pause_reading()
        client.transport.write(b"never read")
        await asyncio.sleep(1.0)
        server.transport.close()
        await asyncio.sleep(1.0)
        assert isinstance(client.lost[0], ConnectionResetError)

    place.run(main())


def test_writing_to_one_who_has_gone_is_answered_with_a_reset():
    place = Place()

    async def main():
        client, server = await place.dial()
        client.keep_open = True
        server.transport.abort()
        await asyncio.sleep(1.0)
        client.transport.write(b"anyone?")
        await asyncio.sleep(1.0)
        assert isinstance(client.lost[0], ConnectionResetError)

    place.run(main())


def test_a_paused_reader_hears_of_a_reset_when_it_reads_on():
    place = Place()

    async def main():
        client, server = await place.dial()
        client.transport.pause_reading()
        server.transport.write(b"last words")
        reset(server)
        await asyncio.sleep(1.0)
        assert server.lost
        assert not client.lost
        client.transport.resume_reading()
        await asyncio.sleep(1.0)
        assert client.data == b"last words"
        assert client.lost

    place.run(main())


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        ("refuse", ConnectionRefusedError),
        ("unreachable", OSError),
        ("connect_hangs", TimeoutError),
        ("hole", TimeoutError),
        ("tls_broken", ssl.SSLCertVerificationError),
    ],
)
def test_troubles_of_dialling(trouble, error):
    place = Place(NetFault(host="host", trouble=trouble, end=60.0))

    async def main():
        with pytest.raises(error):
            async with asyncio.timeout(5.0):
                await place.dial(ssl=object())
        await asyncio.sleep(60.0)
        await place.dial(ssl=object())

    place.run(main())


@pytest.mark.parametrize(
    ("trouble", "error"),
    [("dns_fails", socket.gaierror), ("dns_silent", socket.gaierror), ("dns_hangs", TimeoutError)],
)
def test_troubles_of_names(trouble, error):
    place = Place(NetFault(host="host", trouble=trouble, end=60.0))

    async def main():
        with pytest.raises(error):
            async with asyncio.timeout(3.0):
                await place.loop.getaddrinfo("host", 443, type=1)
        await asyncio.sleep(60.0)
        found = await place.loop.getaddrinfo("host", 443, type=1)
        assert [entry[4][0] for entry in found] == ["10.0.1.1", "10.0.1.2"]

    place.run(main())


def test_what_is_sent_into_a_hole_arrives_when_it_is_over():
    place = Place(NetFault(host="host", trouble="hole", start=1.0, end=20.0))

    async def main():
        client, server = await place.dial()
        await asyncio.sleep(2.0)
        client.transport.write(b"hello?")
        await asyncio.sleep(10.0)
        assert not server.data
        await asyncio.sleep(10.0)
        assert server.data == b"hello?"

    place.run(main())


@pytest.mark.parametrize(("trouble", "is_reset"), [("reset_all", True), ("close_all", False)])
def test_something_on_the_way_ends_every_connection(trouble, is_reset):
    place = Place(NetFault(host="host", trouble=trouble, start=1.0))

    async def main():
        client, server = await place.dial()
        await asyncio.sleep(2.0)
        for end in (client, server):
            assert len(end.lost) == 1
            assert isinstance(end.lost[0], ConnectionResetError) == is_reset

    place.run(main())
