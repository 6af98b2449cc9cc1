"""What every bulletin promises: words to all others, one that leads, and an end to every wait."""

import asyncio

import pytest

from contract.bulletin_hubs import MemoryHub, PostgresHub
from understudy.ports import MAX_WORD_BYTES


@pytest.fixture(params=["memory", "stopped", "frozen"])
async def hub(request):
    """Where they meet, and how that is cut off."""
    if request.param == "memory":
        hub = MemoryHub()
    else:
        hub = PostgresHub(request.getfixturevalue("cluster"), request.param)
    yield hub
    await asyncio.gather(*(member.bulletin.close() for member in hub.members))


def is_up(member):
    return member.bulletin.is_up


def is_down(member):
    return not member.bulletin.is_up


def leads(member):
    return member.bulletin.leads


def follows(member):
    return not member.bulletin.leads


async def test_a_word_reaches_all_others_and_not_who_said_it(hub):
    ann, bob, cem = [await hub.join() for _ in range(3)]
    ann.tell("weather", b"rain")
    bob.tell("weather", b"sun")
    await asyncio.gather(
        bob.hears((ann, "weather", b"rain")),
        ann.hears((bob, "weather", b"sun")),
        cem.hears((ann, "weather", b"rain"), (bob, "weather", b"sun")),
    )
    assert ann.heard == [(bob.name, "weather", b"sun")]


async def test_any_bytes_come_as_they_were_in_the_order_of_who_said_them_and_all_of_them(hub):
    ann, bob = [await hub.join() for _ in range(2)]
    bodies = [b"", bytes(range(256)), b"'; -- \\", b"x" * MAX_WORD_BYTES, b"again", b"again"]
    bodies += [b"%d" % number for number in range(300)]
    for body in bodies:
        ann.tell("t", body)
    await bob.until(lambda me: len(me.heard) == len(bodies))
    assert bob.heard == [(ann.name, "t", body) for body in bodies]


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("t", b"x" * (MAX_WORD_BYTES + 1)),
        ("", b""),
        ("two words", b""),
        ("é", b""),
        ("t" * 33, b""),
    ],
)
async def test_a_word_out_of_bounds_is_refused(topic, body):
    member = await MemoryHub().join()
    with pytest.raises(ValueError, match=r"word|topic"):
        member.tell(topic, body)


async def test_everyone_has_a_name_of_its_own(hub):
    members = [await hub.join() for _ in range(3)]
    assert len({member.name for member in members}) == 3


async def test_one_leads_and_another_when_it_is_gone(hub):
    ann = await hub.join()
    await ann.until(leads)
    bob, cem = [await hub.join() for _ in range(2)]
    assert [member.bulletin.leads for member in (ann, bob, cem)] == [True, False, False]
    hub.members.remove(ann)
    await ann.bulletin.close()
    assert not ann.bulletin.leads
    waits = [asyncio.ensure_future(member.until(leads)) for member in (bob, cem)]
    done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    assert (len(done), len(pending)) == (1, 1)
    pending.pop().cancel()


async def test_one_that_may_not_lead_gives_the_lead_to_another(hub):
    ann = await hub.join()
    await ann.until(leads)
    bob = await hub.join()
    ann.bulletin.stand(willing=False)
    await asyncio.gather(ann.until(follows), bob.until(leads))
    ann.bulletin.stand(willing=True)
    bob.bulletin.stand(willing=False)
    await asyncio.gather(ann.until(leads), bob.until(follows))


async def test_cut_off_nobody_leads_words_are_dropped_and_all_of_it_comes_back(hub):
    ann, bob = [await hub.join() for _ in range(2)]
    await ann.until(leads)
    async with hub.cut():
        await asyncio.gather(ann.until(is_down), bob.until(is_down))
        assert not ann.bulletin.leads
        assert not bob.bulletin.leads
        for _ in range(5):
            ann.tell("t", b"lost")
    await asyncio.gather(ann.until(is_up), bob.until(is_up))
    bob.tell("t", b"back")
    ann.tell("t", b"back too")
    await asyncio.gather(ann.hears((bob, "t", b"back")), bob.hears((ann, "t", b"back too")))
    assert bob.heard == [(ann.name, "t", b"back too")]
    leading = asyncio.gather(ann.until(lambda _: leads(ann) or leads(bob)))
    other = asyncio.gather(bob.until(lambda _: leads(ann) or leads(bob)))
    _, pending = await asyncio.wait([leading, other], return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    assert leads(ann) != leads(bob)


async def test_what_was_said_last_is_heard(hub):
    ann, bob = [await hub.join() for _ in range(2)]
    hub.members.remove(ann)
    ann.tell("t", b"goodbye")
    await ann.bulletin.close()
    await bob.hears((ann, "t", b"goodbye"))
