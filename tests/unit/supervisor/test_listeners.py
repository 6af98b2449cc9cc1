"""One address, several sockets: who gets in, who waits, who is turned away."""

import contextlib
import socket

import pytest

from understudy.core.settings import Listen
from understudy.supervisor.listeners import Listeners, port_of

LOCAL = Listen(host="127.0.0.1", port=0)


@pytest.fixture
def two():
    listeners = Listeners(LOCAL, 2)
    yield listeners
    listeners.close()


def came(listener):
    """How many wait there; they are let in."""
    listener.setblocking(False)
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            count += 1
    return count


@contextlib.contextmanager
def callers(listeners, count=60):
    port = port_of(listeners.of(0))
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        yield


def test_all_have_the_same_port_and_nobody_gets_in_before_somebody_listens(two):
    assert port_of(two.of(0)) == port_of(two.of(1)) != 0
    assert two.url == f"http://127.0.0.1:{port_of(two.of(0))}"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port_of(two.of(0))))


def test_callers_are_dealt_out_to_those_who_listen(two):
    for slot in (0, 1):
        two.of(slot).listen(100)
    with callers(two):
        counts = came(two.of(0)), came(two.of(1))
    assert sum(counts) == 60
    assert min(counts) > 0


@pytest.mark.parametrize("slot", [0, 1])
def test_a_slot_where_nobody_serves_gets_nobody_until_somebody_listens_again(two, slot):
    for number in (0, 1):
        two.of(number).listen(100)
    two.renew(slot)
    with callers(two):
        assert came(two.of(1 - slot)) == 60
    two.of(slot).listen(100)
    with callers(two):
        assert came(two.of(slot)) > 0


def test_the_last_slot_can_be_renewed_without_losing_the_address(two):
    port = port_of(two.of(0))
    for slot in (0, 1):
        two.renew(slot)
    assert port_of(two.of(0)) == port_of(two.of(1)) == port


def test_an_address_where_others_listen_is_in_use_although_it_could_be_shared(two):
    two.of(1).listen(1)
    port = port_of(two.of(0))
    with pytest.raises(OSError, match="in use") as caught:
        Listeners(Listen(host="127.0.0.1", port=port), 2)
    assert caught.value.filename == f"127.0.0.1:{port}"


def test_ipv6_has_brackets():
    with contextlib.closing(Listeners(Listen(host="::1", port=0), 2)) as listeners:
        assert listeners.url == f"http://[::1]:{port_of(listeners.of(1))}"
