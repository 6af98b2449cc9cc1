"""`hold`, in virtual time: a caller is kept through an outage, hears from us, and is answered."""

import asyncio
import itertools
import json

import pytest

from simulation.sim_jobs import PATHS, House, play
from simulation.sim_script import Provider, Spell
from understudy.core.outcomes import RequestOutcome
from understudy.mock import FaultRule, Pace
from understudy.relay.http import Incoming

PACE = Pace(tokens_per_second=50.0, first_token=0.3)
DOWN = FaultRule(fault="internal_error")
#: An outage that has lasted for a while when somebody asks.
BEGINS, ASKED, ENDS = 10.0, 200.0, 245.0
DONE = {"messages": b"message_stop", "chat_completions": b"[DONE]", "responses": b"completed"}
BODIES = {
    "messages": {"max_tokens": 400, "messages": [{"role": "user", "content": "Hello"}]},
    "chat_completions": {"messages": [{"role": "user", "content": "Hello"}]},
    "responses": {"input": "Hello"},
}
PATH = {**PATHS, "responses": "/v1/responses"}


class Listener:
    """A caller's connection that notes when it hears something."""

    def __init__(self, now):
        self.paused = False
        self.now = now
        self.status = 0
        self.head = b""
        self.heard = []
        self.over = asyncio.Event()
        self.ended_at = None

    def respond(self, status, headers, body):
        self.begin(status, headers)
        self.send(body)
        self.end()

    def begin(self, status, headers):
        self.status, self.head = status, headers
        self.heard.append((self.now(), b""))

    def send(self, data):
        self.heard.append((self.now(), data))

    def end(self):
        self.ended_at = self.now()
        self.over.set()

    cut = end

    @property
    def body(self):
        return b"".join(data for _, data in self.heard)

    @property
    def silences(self):
        moments = [at for at, _ in self.heard]
        return [later - sooner for sooner, later in itertools.pairwise(moments)]


def ask(house, *, dialect="messages", stream=True):
    body = {"model": "f", "stream": stream, **BODIES[dialect]}
    listener = Listener(house.relay.now)
    request = Incoming(
        method="POST",
        path=PATH[dialect],
        query="",
        headers={},
        own={},
        body=json.dumps(body).encode(),
        caller=None,
        arrived=house.relay.now(),
    )
    house.relay.admit(request)
    running = house.relay.serve(request, listener)
    return listener, running


def house(*, ends=ENDS, hold="90s", rule=DOWN, begins=BEGINS, **feature):
    one = Provider(
        name="one",
        kind="anthropic",
        model="claude-haiku-4-5",
        pace=PACE,
        spells=(Spell(rule=rule, start=begins, end=ends),),
    )
    return House(one, feature={"hold": hold, "deadline": "120s", "defer": False, **feature})


def shown(house, *, at=ASKED, **asked):
    found = []

    async def story(house):
        await asyncio.sleep(BEGINS + 5.0)
        for _ in range(6):
            # Somebody has found out that it is down.
            ask(house, stream=False)
            await asyncio.sleep(1.0)
        await asyncio.sleep(at - house.relay.now())
        listener, _ = ask(house, **asked)
        await listener.over.wait()
        found.append(listener)
        found.append(house.relay.journal.recent(1)[0])

    play(house, story)
    return found


@pytest.mark.parametrize("dialect", sorted(PATH))
def test_a_stream_is_kept_with_signs_of_life_until_it_can_be_answered(dialect):
    listener, record = shown(house(), dialect=dialect)
    assert listener.status == 200
    assert b"x-understudy-target" not in listener.head
    assert DONE[dialect] in listener.body
    assert b": understudy answered by one/claude-haiku-4-5, tier same" in listener.body
    assert max([listener.heard[0][0] - ASKED, *listener.silences]) <= 15.0
    assert ENDS <= listener.ended_at <= ENDS + 40.0
    assert record.outcome is RequestOutcome.SUCCEEDED
    assert "kept for" in record.attempts[-1].why


def test_a_whole_answer_comes_as_if_nothing_had_been():
    listener, _ = shown(house(), stream=False)
    assert listener.status == 200
    assert b"x-understudy-target: one/claude-haiku-4-5" in listener.head
    assert json.loads(listener.body)["type"] == "message"
    assert len(listener.heard) == 2
    assert listener.ended_at >= ENDS


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_when_it_lasts_too_long_that_is_told_in_the_dialects_way(stream):
    listener, record = shown(house(ends=3000.0, hold="60s"), stream=stream)
    assert listener.ended_at - ASKED == pytest.approx(60.0, abs=2.0)
    assert record.outcome is RequestOutcome.FAILED
    assert b"no_target_available" in listener.body
    assert b"message_stop" not in listener.body
    if stream:
        assert listener.status == 200
        assert b"event: error" in listener.body
    else:
        assert listener.status == 503
        assert b"retry-after" in listener.head


def test_a_short_wait_is_not_seen_in_a_stream():
    """Nothing was said before it could be answered: the head names who answers."""
    listener, _ = shown(house(ends=ASKED - 1.0))
    assert b"x-understudy-target: one/claude-haiku-4-5" in listener.head
    assert b"answered by" not in listener.body
    assert b"message_stop" in listener.body


def test_a_stream_that_breaks_while_nobody_else_is_there_goes_on_when_it_works_again():
    broken = Spell(
        rule=FaultRule(fault="reset", where="mid_text"), start=ASKED - 1.0, end=ASKED + 1.0
    )
    down = Spell(rule=DOWN, start=ASKED + 1.0, end=ENDS)
    one = Provider(
        name="one", kind="anthropic", model="claude-haiku-4-5", pace=PACE, spells=(broken, down)
    )
    found = []

    async def story(house):
        await asyncio.sleep(ASKED)
        listener, _ = ask(house)
        await listener.over.wait()
        found.append((listener, house.relay.journal.recent(1)[0]))

    play(House(one, feature={"hold": "90s", "deadline": "120s", "defer": False}), story)
    ((listener, record),) = found
    assert listener.body.count(b"message_stop") == 2, "one event: its name and its type"
    assert b": understudy continued at one/claude-haiku-4-5" in listener.body
    assert record.attempts[-1].from_char > 0
    assert listener.ended_at >= ENDS
    assert max(listener.silences) <= 15.0


def test_who_leaves_while_kept_leaves_nothing_behind():
    async def story(house):
        await asyncio.sleep(ASKED)
        _, running = ask(house)
        await asyncio.sleep(20.0)
        running.gone()
        assert not house.relay.live
        assert house.relay.journal.recent(1)[0].outcome is RequestOutcome.CANCELLED

    play(house(), story)
