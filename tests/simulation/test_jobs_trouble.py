"""Jobs whose store fails, whose caller thinks better of it, or whose process ends."""

import asyncio

from simulation.sim_jobs import House, play
from simulation.sim_script import Provider, Spell
from understudy.mock import FaultRule, Pace
from understudy.policy.job_ends import MOST_ATTEMPTS, orphaned
from understudy.ports import JobStatus, NewJob, Request, StoreUnreachableError
from understudy.relay.jobs import catcher
from understudy.relay.jobs.run import LEASE_SECONDS
from understudy.store.memory import MemoryStore

#: Some ten seconds for an answer.
SLOW = Pace(tokens_per_second=10.0, first_token=0.1)
HOUR = 3600.0
SAME = {"x-understudy-tiers": "same"}
REDUCED = [{"use": "one/claude-haiku-4-5", "tier": "reduced"}]


def claude(pace=SLOW, **more):
    return Provider(name="one", kind="anthropic", model="claude-haiku-4-5", pace=pace, **more)


class MoodyStore(MemoryStore):
    """Does what it is asked while it is well. `calls` has the names of what it was asked."""

    def __init__(self):
        super().__init__()
        self.is_well = True
        self.calls = []

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if name.startswith("_") or not asyncio.iscoroutinefunction(found):
            return found

        async def moody(*args, **told):
            self.calls.append(name)
            await asyncio.sleep(0.002)
            if not self.is_well and name != "close":
                raise StoreUnreachableError("the store can't be reached")
            return await found(*args, **told)

        return moody


class WatchedStore(MemoryStore):
    """`then` is called once, the moment that something has been claimed."""

    then = None

    async def claim(self, **told):
        claimed = await super().claim(**told)
        if claimed and self.then is not None:
            then, self.then = self.then, None
            then()
        return claimed


def only(got, status):
    assert got.status == status, got.body
    return got


class TestAStoreThatFails:
    def test_takes_nobody_in_and_says_so(self):
        async def story(house):
            house.store.is_well = False
            got = only(await house.ask(), 503)
            assert got.headers["retry-after"] == "5"
            assert got.headers["x-should-retry"] == "false"
            error = got.json()["error"]
            assert error["type"] == "overloaded_error"
            assert error["understudy"]["code"] == "store_unavailable"
            got = only(await house.ask(dialect="chat_completions"), 503)
            assert got.json()["error"]["code"] == "store_unavailable"

        play(House(claude(), store=MoodyStore()), story)

    def test_keeps_nobody_else_from_being_served(self):
        async def story(house):
            house.store.is_well = False
            only(await house.ask(headers={"prefer": "return=minimal"}), 200)

        play(House(claude(), store=MoodyStore()), story)

    def test_is_complained_of_once_until_it_is_well_again(self):
        async def story(house):
            for _ in range(3):
                house.store.is_well = False
                await asyncio.sleep(30.0)
                house.store.is_well = True
                await asyncio.sleep(30.0)
            lines = house.log.stream.getvalue().splitlines()
            assert sum("can't be reached" in line for line in lines) == 3
            assert sum("answers again" in line for line in lines) == 3

        play(House(claude(), store=MoodyStore()), story)

    def test_is_offered_an_answer_that_is_there_until_it_takes_it(self):
        async def story(house):
            got = only(await house.ask(), 202)
            await asyncio.sleep(2.0)
            house.store.is_well = False
            await asyncio.sleep(60.0)
            house.store.is_well = True
            job = (await house.until_over(got.headers["location"])).json()
            assert (job["status"], job["attempts"]) == ("succeeded", 1)
            assert len(house.asked("one")) == 1

        play(House(claude(), store=MoodyStore(), probes=False), story)

    def test_loses_nobody_whom_it_has_taken(self):
        async def story(house):
            taken = []
            for number in range(40):
                house.store.is_well = number % 4 != 3
                got = await house.ask(f"Question {number}")
                if got.status == 202:
                    taken.append(got.headers["location"])
                await asyncio.sleep(1.0)
            house.store.is_well = True
            for location in taken:
                job = (await house.until_over(location)).json()
                assert job["status"] == "succeeded"
            assert len(taken) == 30

        play(House(claude(Pace(tokens_per_second=100.0)), store=MoodyStore()), story)


class TestALease:
    def test_is_kept_up_while_an_answer_takes_its_time(self):
        async def story(house):
            got = only(await house.ask(max_tokens=1000, prompt="Tell me in detail"), 202)
            await asyncio.sleep(3 * LEASE_SECONDS)
            job = (await house.call("GET", got.headers["location"])).json()
            assert (job["status"], job["attempts"]) == ("running", 1)
            assert house.store.calls.count("extend") >= 6
            assert len(house.asked("one")) == 1

        slow = claude(Pace(tokens_per_second=1.0, first_token=0.1))
        house = House(slow, store=MoodyStore(), probes=False, feature={"deadline": "10m"})
        play(house, story)

    def test_that_is_somebody_elses_ends_the_attempt(self):
        async def story(house):
            only(await house.ask(), 202)
            await asyncio.sleep(1.0)
            now = house.relay.jobs.calendar()
            later = now + 2 * LEASE_SECONDS
            (job,) = await house.store.reap(limit=9, now=later, rest=orphaned)
            await house.store.claim(worker="else", lanes=[job.lane], limit=1, lease=HOUR, now=later)
            await asyncio.sleep(LEASE_SECONDS / 3.0 + 0.5)
            (attempt,) = house.asked("one")
            assert attempt.client_closed
            assert (await house.store.get("", job.id)).lease_owner == "else"

        play(House(claude(), probes=False), story)


class TestWhatCannotBeDone:
    def test_what_nobody_can_read_is_tried_a_few_times_and_ends(self):
        async def story(house):
            now = house.relay.jobs.calendar()
            new = NewJob(
                id="job_x",
                tenant="",
                caller="",
                feature="f",
                operation="messages",
                priority="interactive",
                request=Request(b"of another age"),
                body_digest="x",
                created_at=now,
                expires_at=now + HOUR,
            )
            await house.store.accept(new)
            job = (await house.until_over("/v1/jobs/job_x")).json()
            assert (job["status"], job["attempts"]) == ("failed", MOST_ATTEMPTS + 1)
            result = only(await house.call("GET", "/v1/jobs/job_x/result"), 503)
            assert result.json()["error"]["understudy"]["code"] == "given_up"
            assert house.asked("one") == []

        play(House(claude(), probes=False), story)

    def test_an_answer_that_is_too_long_to_be_kept_ends_it(self, monkeypatch):
        async def story(house):
            got = only(await house.ask(stream=True), 202)
            job = (await house.until_over(got.headers["location"])).json()
            assert job["status"] == "failed"
            result = await house.call("GET", f"{got.headers['location']}/result")
            assert result.json()["error"]["understudy"]["code"] == "result_too_large"
            # Nothing more of it is paid for.
            assert house.asked("one")[0].client_closed

        monkeypatch.setattr(catcher, "MAX_ANSWER", 3_000)
        play(House(claude(), probes=False), story)


class TestSettingsThatChange:
    """A job that could be served when it was taken asks for what is served no more."""

    def test_it_waits_until_they_change_again(self):
        async def story(house):
            location = only(await house.ask(headers=SAME), 202).headers["location"]
            house.reload(targets=REDUCED)
            await asyncio.sleep(600.0)
            job = (await house.call("GET", location)).json()
            assert (job["status"], job["attempts"]) == ("queued", 0)
            other = only(await house.ask(), 202).headers["location"]
            assert (await house.until_over(other)).json()["status"] == "succeeded"
            job_id = location.rpartition("/")[2]
            events = await house.store.events("", job_id, after=0, limit=100)
            assert any(b'"no_target_fits"' in event.data for event in events)
            house.reload()
            assert (await house.until_over(location)).json()["status"] == "succeeded"

        play(House(claude()), story)

    def test_it_waits_no_longer_than_it_may(self):
        async def story(house):
            asked = {**SAME, "x-understudy-deadline": "30m"}
            location = only(await house.ask(headers=asked), 202).headers["location"]
            house.reload(targets=REDUCED)
            assert (await house.until_over(location)).json()["status"] == "expired"
            assert house.asked("one") == []

        play(House(claude(), probes=False), story)

    def test_what_was_claimed_when_its_feature_went_waits_for_it_too(self):
        async def story(house):
            house.store.then = lambda: house.reload("g")
            location = only(await house.ask(), 202).headers["location"]
            await asyncio.sleep(600.0)
            assert house.store.then is None
            assert (await house.call("GET", location)).json()["status"] == "queued"
            house.reload()
            assert (await house.until_over(location)).json()["status"] == "succeeded"

        play(House(claude(), store=WatchedStore()), story)


class TestCancelling:
    def test_what_waits_is_never_begun(self):
        async def story(house):
            await asyncio.sleep(60.0)
            got = only(await house.ask(), 202)
            before = len(house.asked("one"))
            gone = only(await house.call("DELETE", got.headers["location"]), 200).json()
            assert gone["status"] == "cancelled"
            house.boards["one"].delete_faults()
            await asyncio.sleep(900.0)
            assert [a for a in house.asked("one")[before:] if not a.stream] == []
            again = only(await house.call("DELETE", got.headers["location"]), 200).json()
            assert again["finished_at"] == gone["finished_at"]

        spell = Spell(rule=FaultRule(fault="overloaded"), end=HOUR)
        play(House(claude(spells=(spell,))), story)

    def test_what_runs_stops_at_its_provider_too(self):
        async def story(house):
            got = only(await house.ask(), 202)
            await asyncio.sleep(2.0)
            only(await house.call("DELETE", got.headers["location"]), 200)
            await asyncio.sleep(1.0)
            (attempt,) = house.asked("one")
            assert attempt.client_closed
            assert attempt.client_closed_at < 3.0
            result = await house.call("GET", f"{got.headers['location']}/result")
            assert (result.status, result.json()["error"]["code"]) == (409, "job_cancelled")

        play(House(claude(), probes=False), story)

    def test_what_is_done_stays_done(self):
        async def story(house):
            got = only(await house.ask(), 202)
            await house.until_over(got.headers["location"])
            job = only(await house.call("DELETE", got.headers["location"]), 200).json()
            assert job["status"] == "succeeded"
            only(await house.call("GET", f"{got.headers['location']}/result"), 200)

        play(House(claude()), story)


class TestTheProcessEnds:
    def test_what_runs_is_given_back_and_costs_it_nothing(self):
        async def story(house):
            got = only(await house.ask(), 202)
            await asyncio.sleep(2.0)
            await house.relay.drain(grace=1.0)
            await house.relay.close()
            await asyncio.sleep(1.0)
            job = await house.store.get("", got.json()["id"])
            assert (job.status, job.attempts) == (JobStatus.QUEUED, 0)
            assert house.asked("one")[0].client_closed

        play(House(claude(), probes=False), story)

    def test_what_is_nearly_done_is_let_end(self):
        async def story(house):
            got = only(await house.ask(), 202)
            await asyncio.sleep(2.0)
            assert await house.relay.drain(grace=60.0) == 0
            job = await house.store.get("", got.json()["id"])
            assert job.status is JobStatus.SUCCEEDED
            # And nothing else is begun.
            assert house.relay.now() < 30.0

        play(House(claude(), probes=False), story)

    def test_who_waits_for_an_answer_is_told_where_it_will_be(self):
        async def story(house):
            asked = asyncio.ensure_future(house.ask(headers={"prefer": "respond-async, wait=50"}))
            await asyncio.sleep(2.0)
            drained = asyncio.ensure_future(house.relay.drain(grace=60.0))
            got = only(await asked, 202)
            assert house.relay.now() < 2.5
            await drained
            assert got.headers["location"].startswith("/v1/jobs/job_")

        play(House(claude(), probes=False), story)


class TestEvents:
    def told(self, got):
        """(id, event) of each."""
        blocks = [block.split("\n") for block in got.body.decode().split("\n\n")]
        fields = [dict(line.split(": ", 1) for line in block if line) for block in blocks]
        return [(int(f["id"]), f["event"]) for f in fields if "id" in f]

    def test_tell_of_every_change_to_the_end(self):
        async def story(house):
            got = only(await house.ask(), 202)
            events = only(await house.call("GET", f"{got.headers['location']}/events"), 200)
            assert events.headers["content-type"].startswith("text/event-stream")
            assert self.told(events) == [(1, "queued"), (2, "running"), (3, "succeeded")]

        play(House(claude()), story)

    def test_go_on_behind_what_was_heard_and_end_for_good(self):
        async def story(house):
            got = only(await house.ask(), 202)
            path = f"{got.headers['location']}/events"
            await house.until_over(got.headers["location"])
            last = await house.call("GET", path, {"last-event-id": "2"})
            assert self.told(last) == [(3, "succeeded")]
            last = await house.call("GET", f"{path}?after=1")
            assert self.told(last) == [(2, "running"), (3, "succeeded")]
            only(await house.call("GET", path, {"last-event-id": "3"}), 204)
            only(await house.call("GET", f"{path}?since=3"), 400)

        play(House(claude()), story)

    def test_an_open_stream_is_never_silent_for_long(self):
        async def story(house):
            await asyncio.sleep(60.0)
            got = only(await house.ask(), 202)
            events = asyncio.ensure_future(house.call("GET", f"{got.headers['location']}/events"))
            await asyncio.sleep(100.0)
            only(await house.call("DELETE", got.headers["location"]), 200)
            got = await events
            assert got.body.count(b": ping\n\n") in {6, 7, 8}
            assert self.told(got)[-1][1] == "cancelled"

        spell = Spell(rule=FaultRule(fault="overloaded"), end=HOUR)
        play(House(claude(spells=(spell,))), story)


def test_why_it_waits_again_is_an_event():
    async def story(house):
        got = only(await house.ask(), 202)
        body = only(await house.call("GET", f"{got.headers['location']}/events"), 200).body
        assert b"event: attempted\n" in body
        assert b'"code":"no_target_available"' in body

    spell = Spell(rule=FaultRule(fault="overloaded"), end=60.0)
    play(House(claude(spells=(spell,))), story)
