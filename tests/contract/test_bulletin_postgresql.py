"""What only PostgreSQL has: others in the same server, processes that are frozen, a late start."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from contract.bulletin_hubs import PostgresHub

CHILD = Path(__file__).with_name("bulletin_leader.py")


@pytest.fixture
async def hub(cluster):
    hub = PostgresHub(cluster, "stopped")
    yield hub
    await asyncio.gather(*(member.bulletin.close() for member in hub.members))


@pytest.fixture
async def leader(hub):
    """A process that leads; the hub's other members come later."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, CHILD, hub.url),
        stdout=asyncio.subprocess.PIPE,
        stdin=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(CHILD.parents[1])},
    )
    assert (await process.stdout.readline()).strip() == b"leads"
    yield process
    if process.returncode is None:
        process.kill()
    await process.wait()


async def test_it_begins_before_the_server_does(hub, cluster):
    async with hub.cut():
        ann = await hub.join(waits=False)
        assert not ann.bulletin.is_up
    await ann.until(lambda me: me.bulletin.is_up and me.bulletin.leads)


async def test_those_of_other_databases_and_other_schemas_do_not_meet(hub, cluster):
    with cluster.connect(hub.url.rpartition("/")[2]) as connection:
        connection.execute("CREATE ROLE apart LOGIN")
        connection.execute("CREATE SCHEMA apart AUTHORIZATION apart")
    other = PostgresHub(cluster, "stopped")
    apart = PostgresHub(cluster, "stopped")
    apart.url = hub.url.replace("understudy@", "apart@")
    houses = [hub, other, apart]
    pairs = [[await house.join() for _ in range(2)] for house in houses]
    for one, _ in pairs:
        await one.until(lambda me: me.bulletin.leads)
        one.tell("t", one.name.encode())
    for one, two in pairs:
        await two.hears((one, "t", one.name.encode()))
        two.tell("t", b"heard")
        await one.hears((two, "t", b"heard"))
        assert (len(one.heard), len(two.heard)) == (1, 1)
    for house in houses[1:]:
        await asyncio.gather(*(member.bulletin.close() for member in house.members))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_the_lead_of_a_process_that_is_killed_or_frozen_is_anothers(hub, leader, number):
    bob = await hub.join()
    assert not bob.bulletin.leads
    leader.send_signal(number)
    await bob.until(lambda me: me.bulletin.leads)


async def test_one_that_thaws_knows_that_it_leads_no_more(hub, leader):
    bob = await hub.join()
    leader.send_signal(signal.SIGSTOP)
    await bob.until(lambda me: me.bulletin.leads)
    leader.send_signal(signal.SIGCONT)
    leader.stdin.write(b"?\n")
    assert (await leader.stdout.readline()).strip() == b"follows"
    assert bob.bulletin.leads


async def test_a_session_that_is_ended_is_begun_anew(hub, cluster):
    ann, bob = [await hub.join() for _ in range(2)]
    before = {member: member.downs for member in (ann, bob)}
    with cluster.connect(hub.url.rpartition("/")[2]) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    for member in (ann, bob):
        await member.until(lambda me: me.downs > before[me])
        await member.until(lambda me: me.bulletin.is_up)
    ann.tell("t", b"again")
    await bob.hears((ann, "t", b"again"))
