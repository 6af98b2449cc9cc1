"""Deferred jobs, in virtual time: kept through an outage, done after it, and nobody is hurt."""

import asyncio
from collections import Counter
from datetime import datetime

import pytest

from simulation.sim_jobs import House, play
from simulation.sim_script import Provider, Spell
from understudy.mock import FaultRule, Pace
from understudy.policy.ramp import UNKNOWN_BEARS
from understudy.ports import Answer, JobStatus, NewJob, Request

PACE = Pace(tokens_per_second=200.0, first_token=0.2)
DOWN = FaultRule(fault="overloaded")


def claude(name="one", **more):
    return Provider(name=name, kind="anthropic", model="claude-haiku-4-5", pace=PACE, **more)


def gpt(name="two", **more):
    return Provider(name=name, kind="openai", model="gpt-4.1", pace=PACE, **more)


def ill(start, end, rule=DOWN):
    return Spell(rule=rule, start=start, end=end)


HOUR = 3600.0
#: When an outage is over that lasts for a while.
BACK = 1200.0


@pytest.mark.parametrize(
    "rule",
    [
        DOWN,
        FaultRule(fault="internal_error"),
        FaultRule(fault="hang", where="before_headers"),
        FaultRule(fault="reset", where="before_headers"),
    ],
    ids=lambda rule: rule.fault,
)
@pytest.mark.parametrize("probes", [True, False], ids=["probed", "unprobed"])
def test_what_is_asked_in_an_outage_of_every_provider_is_done_after_it(rule, probes):
    async def story(house):
        await asyncio.sleep(60.0)
        got = await house.ask("Is anybody there?")
        assert got.status == 202
        job = await house.until_over(got.headers["location"])
        assert job.json()["status"] == "succeeded"
        # Nobody could have answered before, and nobody lets it lie for longer than a long rest.
        assert BACK < house.relay.now() < BACK + 400.0
        result = await house.call("GET", f"{got.headers['location']}/result")
        assert result.status == 200
        assert result.json()["type"] == "message"
        assert "Is anybody there" in result.json()["content"][0]["text"]

    outage = (ill(30.0, BACK, rule),)
    house = House(
        claude(spells=outage), gpt(spells=outage), feature={"deadline": "20s"}, probes=probes
    )
    play(house, story)


def test_an_outage_is_not_kept_up_by_those_who_wait_for_its_end():
    async def story(house):
        await asyncio.sleep(5.0)
        for number in range(50):
            assert (await house.ask(f"Question {number}")).status == 202
        await asyncio.sleep(HOUR)
        # What found out that it was sick, and a few trials: not fifty jobs again and again.
        asked = house.asked("one", 120.0)
        probes = 2 * HOUR / 300.0
        assert len(asked) < 3 * probes
        assert (await house.store.backlog())[0].queued == 50

    play(House(claude(spells=(ill(0.0, 9 * HOUR),))), story)


JOBS = {"ann": 400, "bob": 100, "cem": 100}


@pytest.fixture(scope="module")
def drained():
    ended, house = [], House(claude(spells=(ill(30.0, BACK),)))

    async def story(house):
        await asyncio.sleep(60.0)
        jobs = []
        for tenant, count in JOBS.items():
            for number in range(count):
                got = await house.ask(f"Question {number}", tenant=tenant)
                jobs.append((tenant, got.json()["id"]))
        for tenant, job_id in jobs:
            await house.until_over(f"/v1/jobs/{job_id}", tenant=tenant)
            ended.append((tenant, await house.store.get(tenant, job_id)))

    play(house, story)
    return house, ended


class TestDrain:
    """Six hundred jobs of three tenants wait when the one provider comes back."""

    def test_nobody_is_lost(self, drained):
        assert {job.status for _, job in drained[1]} == {JobStatus.SUCCEEDED}
        assert len(drained[1]) == 600

    def test_nobody_is_asked_for_twice(self, drained):
        house, ended = drained
        served = [a for a in house.asked("one", BACK) if a.status == 200]
        # Besides them, the probes that found the provider well.
        assert len(ended) <= len(served) <= len(ended) + 10

    def test_each_tenant_has_its_share_while_all_wait(self, drained):
        order = sorted(drained[1], key=lambda pair: pair[1].finished_at)
        while_all_wait = Counter(tenant for tenant, _ in order[:250])
        assert min(while_all_wait.values()) >= 0.8 / 3 * 250

    def test_the_provider_that_has_just_come_back_is_not_overrun(self, drained):
        asked = drained[0].asked("one", BACK)
        first = min(a.started for a in asked if a.status == 200)
        for half_minutes in range(4):
            until = first + 30.0 * (half_minutes + 1)
            rate = sum(until - 10.0 <= a.started < until for a in asked) / 10.0
            assert rate <= 1.3 * UNKNOWN_BEARS / 10 * 2.0 ** (half_minutes + 1)

    def test_it_is_done_as_soon_as_that_allows(self, drained):
        last = max(job.finished_at for _, job in drained[1])
        first = min(job.finished_at for _, job in drained[1])
        assert last - first < 120.0


def test_jobs_ask_no_more_of_a_rate_limit_than_half_of_what_is_left():
    async def story(house):
        house.limit("one", requests=60.0)
        # One that tells what the limit is.
        await house.call("POST", "/v1/messages", {}, BODY)
        for number in range(100):
            assert (await house.ask(f"Question {number}")).status == 202
        await asyncio.sleep(300.0)
        asked = house.asked("one")
        assert all(attempt.status == 200 for attempt in asked)
        assert len(asked) == pytest.approx(150, rel=0.35)

    play(House(claude(), probes=False), story)


BODY = {"model": "f", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}


async def finished(store, job_id, at):
    """A job that ended at that time."""
    new = NewJob(
        id=job_id,
        tenant="",
        caller="",
        feature="f",
        operation="messages",
        priority="interactive",
        request=Request(b""),
        body_digest="x",
        created_at=at - 1.0,
        expires_at=at + 1.0,
    )
    await store.accept(new)
    (claimed,) = await store.claim(worker="w", lanes=[new.lane], limit=1, lease=9.0, now=at)
    answer = Answer(200, (("content-type", "application/json"),), b"{}")
    await store.finish(claimed.lease, JobStatus.SUCCEEDED, answer, now=at)
    return job_id


class TestEnds:
    def test_what_the_caller_did_wrong_ends_the_job_with_the_providers_words(self):
        async def story(house):
            got = await house.ask()
            job = await house.until_over(got.headers["location"])
            assert job.json()["status"] == "failed"
            result = await house.call("GET", f"{got.headers['location']}/result")
            assert result.status == 400
            assert result.json()["error"]["type"] == "invalid_request_error"
            assert len(house.asked("one")) == 1

        rule = FaultRule(fault="invalid_request")
        play(House(claude(spells=(ill(0.0, HOUR, rule),)), probes=False), story)

    def test_what_nobody_could_serve_in_its_time_expires(self):
        async def story(house):
            await asyncio.sleep(60.0)
            got = await house.ask(headers={"x-understudy-deadline": "10m"})
            job = (await house.until_over(got.headers["location"])).json()
            assert job["status"] == "expired"
            assert house.relay.now() == pytest.approx(60.0 + 600.0, abs=3.0)
            result = await house.call("GET", f"{got.headers['location']}/result")
            assert (result.status, result.json()["error"]["code"]) == (409, "job_expired")
            assert result.json()["error"]["understudy"]["job"] == got.headers["location"]

        play(House(claude(spells=(ill(0.0, HOUR),))), story)

    def test_a_result_is_kept_for_a_day(self):
        async def story(house):
            now = house.relay.jobs.calendar()
            kept = await finished(house.store, "job_young", now - 24 * HOUR + 120.0)
            gone = await finished(house.store, "job_old", now - 24 * HOUR - 1.0)
            await asyncio.sleep(10.0)
            assert (await house.call("GET", f"/v1/jobs/{gone}/result")).status == 404
            assert (await house.call("GET", f"/v1/jobs/{kept}/result")).body == b"{}"
            await asyncio.sleep(200.0)
            assert (await house.call("GET", f"/v1/jobs/{kept}/result")).status == 404

        play(House(claude()), story)

    def test_a_stream_that_breaks_is_no_result(self):
        async def story(house):
            got = await house.ask("Tell me everything", stream=True)
            job = await house.until_over(got.headers["location"])
            assert job.json()["status"] == "succeeded"
            result = await house.call("GET", f"{got.headers['location']}/result")
            assert result.headers["content-type"].startswith("text/event-stream")
            assert b"event: message_stop" in result.body
            assert b"event: error" not in result.body
            assert result.body.count(b"event: message_start") == 1

        cut = FaultRule(fault="close", n=5)
        play(House(claude(spells=(ill(0.0, 40.0, cut),)), feature={"attempts": 1}), story)

    def test_what_is_too_slow_while_others_are_answered_is_given_up_after_ten_times(self):
        async def story(house):
            got = await house.ask()
            job = got.json()
            while job["status"] in {"queued", "running"}:
                assert (await house.call("POST", "/v1/messages", {}, BODY)).status == 200
                job = (await house.call("GET", got.headers["location"])).json()
            assert (job["status"], job["attempts"]) == ("failed", 10)
            result = await house.call("GET", f"{got.headers['location']}/result")
            assert result.status == 504

        # A hundred tokens take it ten seconds, and fifty five.
        slow = Provider(
            name="one",
            kind="anthropic",
            model="claude-haiku-4-5",
            pace=Pace(tokens_per_second=10.0, first_token=0.1),
        )
        house = House(slow, feature={"deadline": "7s"}, probes=False)
        play(house, story)


class TestWaiting:
    def test_the_answer_itself_comes_where_it_comes_in_time(self):
        async def story(house):
            got = await house.ask("Quick?", headers={"prefer": "respond-async, wait=10"})
            assert got.status == 200
            assert got.headers["x-understudy-target"] == "one/claude-haiku-4-5"
            assert "Quick" in got.json()["content"][0]["text"]

        play(House(claude()), story)

    def test_202_after_the_time_that_the_caller_waits(self):
        async def story(house):
            await asyncio.sleep(60.0)
            got = await house.ask(headers={"prefer": "wait=10, respond-async"})
            assert got.status == 202
            assert house.relay.now() == pytest.approx(70.0, abs=0.2)

        play(House(claude(spells=(ill(0.0, HOUR),))), story)

    def test_nobody_waits_longer_than_proxies_do(self):
        async def story(house):
            await asyncio.sleep(60.0)
            got = await house.ask(headers={"prefer": "respond-async, wait=900"})
            assert got.status == 202
            assert house.relay.now() < 120.0

        play(House(claude(spells=(ill(0.0, HOUR),))), story)


class TestEstimate:
    def test_an_outage_is_taken_to_last_as_long_again(self):
        async def story(house):
            await house.call("POST", "/v1/messages", {}, BODY)
            await asyncio.sleep(630.0)
            got = (await house.ask()).json()
            created, about = map(_seconds, (got["created_at"], got["estimate"]))
            assert 500.0 < about - created < 800.0

        play(House(claude(spells=(ill(30.0, HOUR),))), story)

    def test_where_only_a_human_can_mend_it_nothing_is_promised(self):
        async def story(house):
            await house.call("POST", "/v1/messages", {}, BODY)
            got = await house.ask()
            assert got.status == 202
            assert got.json()["estimate"] is None

        play(House(claude(spells=(ill(0.0, HOUR, FaultRule(fault="key_revoked")),))), story)


def _seconds(moment):
    return datetime.fromisoformat(moment).timestamp()


def test_a_tenants_job_goes_to_nobody_whom_its_tenant_may_not_use():
    async def story(house):
        await asyncio.sleep(60.0)
        got = await house.ask(tenant="acme")
        await asyncio.sleep(600.0)
        job = await house.call("GET", got.headers["location"], tenant="acme")
        assert job.json()["status"] == "queued"
        assert house.asked("two", 60.0) == []
        other = await house.ask(tenant="else")
        assert (await house.until_over(other.headers["location"], tenant="else")).status == 200
        assert len([a for a in house.asked("two", 60.0) if a.status == 200]) == 1

    house = House(
        claude(spells=(ill(0.0, 2 * HOUR),)),
        gpt(),
        tenants={"acme": {"providers": ["one"]}},
        probes=False,
    )
    play(house, story)


def test_what_people_wait_for_goes_before_the_rest():
    async def story(house):
        await asyncio.sleep(60.0)
        for number in range(60):
            await house.ask(f"Batch {number}", feature="batch")
        chats = [await house.ask(f"Chat {number}", feature="chat") for number in range(20)]
        for got in chats:
            await house.until_over(got.headers["location"])
        (batch,) = [row for row in await house.store.backlog() if row.lane.feature == "batch"]
        assert batch.queued >= 50

    house = House(
        claude(spells=(ill(30.0, 600.0),)),
        features={"batch": {"priority": "background"}, "chat": {}},
    )
    play(house, story)


def test_refusals_in_an_outage_do_not_teach_how_much_a_target_bears_at_once():
    async def story(house):
        # Somebody asks all the time, and nobody else is there to be asked.
        while house.relay.now() < BACK:
            await house.ask(headers={"prefer": ""})
            await asyncio.sleep(1.0)
        # Well beyond its slow start.
        await asyncio.sleep(300.0)
        asked = [house.ask(headers={"prefer": ""}, stream=True) for _ in range(12)]
        began = house.relay.now()
        firsts = [got.first_content - began for got in await asyncio.gather(*asked)]
        assert max(firsts) < 2 * PACE.first_token

    play(House(claude(spells=(ill(30.0, BACK),))), story)
