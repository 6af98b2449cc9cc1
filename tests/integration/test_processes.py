"""Real processes over a real PostgreSQL behave as one, also while it is away."""

import contextlib
import signal

import httpx
import pytest

from support_processes import TARGET, House, break_down, until


@pytest.fixture
def house(cluster, stand_in, tmp_path):
    with contextlib.ExitStack() as stack:
        yield House(stack, cluster, stand_in, tmp_path)


def test_what_one_finds_broken_the_others_know_and_who_said_it(house, stand_in):
    first, second, third = house.begin(3)
    name = break_down(second, stand_in)
    for other in (first, third):
        health = until(lambda other=other: (h := other.target())["fault"] and h)
        assert health["state"] in {"open", "half_open"}
        assert health["fault"]["kind"] == "overload"
        assert health["told_by"] == name
        # Whoever is told leaves it alone as well.
        assert other.ask().headers["x-understudy-target"] == "gpt/gpt-4.1"


def test_an_operators_pull_in_one_holds_in_all_and_in_those_that_come_later(house):
    first, second = house.begin(2)
    got = first.admin("POST", f"targets/{TARGET}/pull", reason="it invents", by="ann").json()
    assert (got["kept"], got["warning"]) == (True, None)
    second.relay.log.until(lambda line: '"event": "pulled"' in line)
    assert second.target()["pull"] == got["pull"]
    third = house.begin()[-1]
    assert third.target()["pull"] == got["pull"]
    assert third.ask().headers["x-understudy-target"] == "gpt/gpt-4.1"
    third.admin("POST", f"targets/{TARGET}/restore")
    for other in (first, second):
        other.relay.log.until(lambda line: '"event": "restored"' in line)
        assert other.target()["pull"] is None


def test_what_became_of_a_request_is_told_by_any_of_them(house):
    first, second = house.begin(2)
    path = f"/v1/requests/{first.ask().headers['x-request-id']}"
    own, other = (httpx.get(f"{process.relay.url}{path}") for process in (first, second))
    assert (own.status_code, other.status_code) == (200, 200)
    assert own.json() == other.json()
    assert httpx.get(f"{second.relay.url}/v1/requests/req_0").status_code == 404


def test_when_the_one_that_leads_is_killed_another_leads(house):
    house.begin(3)
    killed = house.leader()
    killed.relay.signal(signal.SIGKILL)
    killed.relay.ended()
    house.processes.remove(killed)
    until(house.are_together)


def test_one_that_is_told_to_end_says_goodbye(house):
    house.begin(3)
    ended = house.leader()
    ended.relay.signal(signal.SIGTERM)
    assert ended.relay.ended() == 0
    house.processes.remove(ended)
    until(house.are_together)


@pytest.mark.parametrize("way", ["stopped", "frozen"])
def test_with_postgresql_away_each_decides_by_itself_and_then_they_agree(
    house, cluster, stand_in, way
):
    first, second, third = house.begin(3)
    with cluster.away(way):
        for process in house.processes:
            until(lambda process=process: process.fleet()["reachable"] is False)
        told = first.fleet()
        assert (told["processes"], told["leader"]) == (3, None)
        break_down(first, stand_in)
        got = second.admin("POST", "targets/gpt/pull", reason="a contract").json()
        assert got["kept"] is True
        assert "other processes will follow" in got["warning"]
        assert [p["node"] for p in second.health()["pulls"]] == ["gpt"]
        # Each goes by what it knows, and nobody notices.
        assert third.target()["fault"] is None
        assert third.health()["pulls"] == []
        assert third.ask().status_code == 200
    until(house.are_together)
    until(lambda: third.target()["fault"])
    until(lambda: all(process.health()["pulls"] for process in house.processes))
