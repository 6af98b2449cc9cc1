"""What people reported of other gateways' health, as acceptance tests: none of it happens here.

They go on from `tests/integration/test_symptoms.py`, with its numbers. Rests and idle times are
minutes, so that these are played in virtual time.
"""

import asyncio
import contextlib
import io
import itertools
import json
import random
import ssl
import time
from typing import NamedTuple

import httpx
import pytest

from simulation.sim_callers import Caller
from simulation.sim_crowds import Crowd, Traffic, account_key, play
from simulation.sim_line import Line
from simulation.sim_loop import VirtualLoop
from simulation.sim_net import Network
from simulation.sim_pinned import pinned
from simulation.sim_requests import DIALECTS
from simulation.sim_script import Client, Provider, Request, Script, Spell
from simulation.sim_world import NAMES, Story, run
from understudy.config import load
from understudy.mock import FaultRule, Limit, Pace
from understudy.mock.board import Board
from understudy.mock.http import Connection
from understudy.mock.stand_in import StandIn
from understudy.policy.probing import IDLE_SECONDS
from understudy.relay.relay import Relay
from understudy.services.logs import Log
from understudy.web.page import page_app

#: An answer takes some two seconds.
PACE = Pace(tokens_per_second=40.0, first_token=0.3, tokens_per_event=20)
MODELS = {
    "anthropic": "claude-haiku-4-5",
    "openai": "gpt-4.1",
    "openai-compatible": "llama-3.3-70b",
}

dialects = pytest.mark.parametrize("dialect", DIALECTS)


# -- 17: after the rest of an outage

#: An outage, and when a crowd comes: when the rest is over (18 s at most, from `WELL` at most), in
#: the middle of the slow start, and after it. Seconds.
ILL, WELL = 20.0, 25.0
RESTED, HALFWAY, RECOVERED = 60.0, 110.0, 240.0
CROWD = 100


def _after_an_outage(dialect, *, probes):
    """A few requests a second find out; then nobody comes, until everybody does, three times."""
    moments = [18.0 + 0.25 * n for n in range(28)]
    for together in (RESTED, HALFWAY, RECOVERED):
        moments += [together] * CROWD
    clients = tuple(
        Client(
            name=NAMES[case % 6],
            at=at,
            requests=(Request(case=case, dialect=dialect, stream=True),),
        )
        for case, at in enumerate(moments)
    )
    # An overload would also teach how many answers it bears at once: a brake of another kind.
    spell = Spell(rule=FaultRule(fault="internal_error"), start=ILL, end=WELL)
    providers = (
        Provider(
            name="one", kind="anthropic", model=MODELS["anthropic"], pace=PACE, spells=(spell,)
        ),
        Provider(name="two", kind="openai", model=MODELS["openai"], pace=PACE),
    )
    script = Script(seed=17, providers=providers, clients=clients, probes=probes)
    story = run(script, look_for_garbage=False)
    assert not story.errors
    return story


def _asked(story, start, end):
    """What callers asked of the target that had been ill."""
    return [
        served
        for served in story.served
        if served.provider == "one" and served.case is not None and start <= served.at < end
    ]


def _share_back(story, start):
    """The share of the crowd of that moment which went there."""
    return len(_asked(story, start, start + 30.0)) / CROWD


class Stories(NamedTuple):
    """An outage without probes and with them."""

    unprobed: Story
    probed: Story


@pytest.fixture(scope="module", params=DIALECTS)
def stories(request):
    return Stories(*(_after_an_outage(request.param, probes=probes) for probes in (False, True)))


class TestSymptom17:
    """deer-flow PR #2095, maximhq/bifrost #120: after the cooldown every caller came at once."""

    def test_one_of_a_crowd_is_the_trial(self, stories):
        assert len(_asked(stories.unprobed, WELL, HALFWAY)) == 1

    def test_with_probes_none_of_it_is(self, stories):
        """Three probes, one after the other, and only then a caller."""
        first = _asked(stories.probed, WELL, RECOVERED)[0].at
        trials = [
            served.attempt
            for served in stories.probed.served
            if served.provider == "one" and served.case is None and WELL <= served.at < first
        ]
        assert len(trials) == 3
        assert all(one.ended <= other.started for one, other in itertools.pairwise(trials))
        assert trials[-1].ended <= first

    def test_then_comes_a_share_of_it(self, stories):
        # 20 s after the last probe; 50 s after the one trial, and 70 s after the last probe.
        assert 0.05 <= _share_back(stories.probed, RESTED) <= 0.35
        assert 0.25 <= _share_back(stories.unprobed, HALFWAY) <= 0.55
        assert 0.4 <= _share_back(stories.probed, HALFWAY) <= 0.75

    def test_and_in_the_end_everybody(self, stories):
        for story in stories:
            assert _share_back(story, RECOVERED) == 1.0

    def test_nobody_of_it_is_lost(self, stories):
        for story in stories:
            assert all(seen.answer.is_success for seen in story.seen)


# -- 17: after a Retry-After

#: When the account is at its limit, seconds; requests a minute, and seconds for one of them.
SHORT, ALLOWED = 20.0, 20.0
ONE_MORE = 60.0 / ALLOWED


def _used_up(kind):
    """Something else takes all that is left, which nobody is told of before a refusal."""

    def use(board):
        ration = board.spent.ration(account_key("one", "main"), MODELS[kind], time.time())
        for _ in range(int(ALLOWED)):
            ration.refused(time.time())

    return use


@pytest.fixture(scope="module", params=["anthropic", "openai"])
def throttled(request):
    kind = request.param
    early = Traffic(caller="early", feature="chat", rate=0.2, end=SHORT)
    crowd = Traffic(caller="crowd", feature="chat", rate=10.0, start=SHORT, end=SHORT + 1.5)
    shown = play(
        Crowd(
            seed=17,
            providers=(Provider(name="one", kind=kind, model=MODELS[kind], pace=PACE),),
            limits={"one": (Limit(requests=ALLOWED),)},
            features={"chat": {"deadline": "120s", "first_token": "60s"}},
            traffic=(early, crowd),
            events=((SHORT - 0.01, "one", _used_up(kind)),),
        )
    )
    assert not shown.errors
    assert len(shown.of("crowd")) > 10
    return shown


class TestSymptom17Throttled:
    """The same, after a 429's Retry-After. It waits for more than a crowd can be given then."""

    def test_a_crowd_that_was_told_to_wait_comes_one_by_one(self, throttled):
        first, *_ = throttled.refusals("one", SHORT)
        came = [a.started for a in throttled.asked["one"] if a.started > first.started]
        assert came[0] >= first.started + 0.9 * ONE_MORE
        between = [later - earlier for earlier, later in itertools.pairwise(came)]
        assert min(between) >= 0.9 * ONE_MORE

    def test_and_is_not_turned_away_again(self, throttled):
        assert len(throttled.refusals("one")) == 1

    def test_but_gets_its_answers_as_fast_as_is_allowed(self, throttled):
        crowd = throttled.of("crowd")
        assert all(seen.answer.is_success for seen in crowd)
        last = max(seen.head_at for seen in crowd)
        assert last <= SHORT + 1.1 * ONE_MORE * len(crowd) + PACE.first_token


# -- 22

#: Seconds from the start until every target has had its first probe; until one that is idle has had
#: another; and until what a human must mend is looked at again.
PROBED, AGAIN, LOOKED_AT = 65.0, IDLE_SECONDS + 65.0, 365.0
KEY = "console-key-of-the-test"


class House:
    """A relay that serves one feature, `f`, by `one`, by `two`, and then by `three`; its operator;
    and its callers. `kinds` are the first two's.
    """

    def __init__(self, loop, kinds, *, probes=("one", "two", "three")):
        self._loop = loop
        self._network = Network(loop, random.Random(1), lambda *_: None)
        self._network.attach()
        self._cases = 0
        self.boards = {}
        providers = {}
        for name, kind in zip(("one", "two", "three"), (*kinds, "openai-compatible"), strict=True):
            self._found(name)
            providers[name] = {
                "kind": kind,
                "base_url": f"https://{name}.sim{'' if kind == 'anthropic' else '/v1'}",
                "accounts": {"main": {"api_key": f"sk-{name}"}},
                "probes": name in probes,
            }
        self.targets = [f"{name}/{MODELS[told['kind']]}" for name, told in providers.items()]
        config = {
            "web": {"console_key": KEY},
            "providers": providers,
            "features": {"f": {"targets": self.targets}},
        }
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        settings = load(json.dumps(config), {}, source="house")
        self.relay = Relay(settings, loop, tls, Log(io.StringIO()))
        self.relay.probe()
        self._network.serve("relay", Line(), self.relay.protocol)
        self._operator = httpx.AsyncClient(
            transport=httpx.ASGITransport(page_app(self.relay)),
            base_url="http://web",
            headers={"authorization": f"Bearer {KEY}"},
        )

    def _found(self, name):
        board = self.boards[name] = Board(pace=PACE)
        stand_in, connections = StandIn(board, time.time), set()
        self._network.serve(
            f"{name}.sim", Line(), lambda: Connection(stand_in, connections, asyncio.sleep)
        )

    async def ask(self, dialect):
        """What one caller sees."""
        self._cases += 1
        done = self._loop.create_future()
        request = Request(case=self._cases, dialect=dialect, stream=True)
        client = Client(name="ann", requests=(request,), at=self._loop.time())
        caller = Caller(
            self._loop, self._network, client, lambda *_: None, lambda: done.set_result(None)
        )
        await done
        (seen,) = caller.seen
        return seen

    def asked(self, name):
        return [attempt for attempt in self.boards[name].attempts if attempt.method == "POST"]

    async def health(self):
        """What the operator is told."""
        got = await self._operator.get("/admin/api/health")
        assert got.status_code == 200
        return got.json()

    async def close(self):
        await self._operator.aclose()
        await self.relay.close()


def live(tale):
    """Play one tale in virtual time."""
    loop = VirtualLoop(random.Random(22), horizon=7_200.0)
    with pinned(loop, random.Random(22)), contextlib.closing(loop):
        loop.run(tale(loop))
    assert not loop.errors


@contextlib.asynccontextmanager
async def housed(loop, kinds, **more):
    """A house, from its first moment on."""
    house = House(loop, kinds, **more)
    try:
        yield house
    finally:
        await house.close()


def _node(told, node):
    """What is told of one provider, account or target."""
    for provider in told["providers"]:
        for account in provider["accounts"]:
            for one in (provider, account, *account["targets"]):
                if one["node"] == node:
                    return one
    raise AssertionError(f"{node} is not shown")


#: A fallback's kind and what refuses it → the node that is left alone, its kind of fault, and the
#: likeliest cause: (node, kind, cause).
REFUSED = {
    ("anthropic", "retention_required"): ("two@main/{model}", "config", "model_withdrawn"),
    ("anthropic", "credit_too_low"): ("two@main", "account", "account_credit"),
    ("anthropic", "organization_disabled"): ("two@main", "account", "account_suspended"),
    ("openai", "insufficient_quota"): ("two@main", "account", "account_credit"),
    ("openai", "key_revoked"): ("two@main", "account", "account_key"),
    ("openai", "model_not_found"): ("two@main/{model}", "config", "model_withdrawn"),
    ("openai-compatible", "key_revoked"): ("two@main", "account", "account_key"),
}


class TestSymptom22:
    """PostHog #71189: the fallback had never worked (the account's mode of keeping data forbade
    it), and nobody knew before the incident.
    """

    @pytest.mark.parametrize(("refused", "shown"), REFUSED.items(), ids=map("-".join, REFUSED))
    def test_a_probe_finds_it_out_and_the_operator_is_told_why(self, refused, shown):
        kind, fault = refused
        node, fault_kind, cause = shown
        node = node.format(model=MODELS[kind])

        async def tale(loop):
            async with housed(loop, (_other(kind), kind)) as house:
                house.boards["two"].put_faults([FaultRule(fault=fault)])
                await asyncio.sleep(PROBED)
                told = await house.health()
                # One probe, and no caller at all.
                assert [a.fault for a in house.asked("two")] == [fault]
                health = _node(told, node)["health"]
                assert (health["state"], health["proved"]) == ("open", False)
                assert health["fault"]["kind"] == fault_kind
                assert node in _node(told, f"two@main/{MODELS[kind]}")["obstacle"]
                (named,) = told["causes"]
                assert (named["kind"], named["node"]) == (cause, node)
                assert "1 of 1 calls" in named["evidence_for"][0]
                # Nothing is said of those that the probes have proved.
                for name in ("one", "three"):
                    assert _node(told, name)["health"]["state"] == "closed"
                    assert _node(told, name)["health"]["proved"]

        live(tale)

    @dialects
    def test_so_no_caller_meets_it_in_the_incident(self, dialect):
        async def tale(loop):
            async with housed(loop, ("openai", "anthropic")) as house:
                house.boards["two"].put_faults([FaultRule(fault="retention_required")])
                await asyncio.sleep(PROBED)
                house.boards["one"].put_faults([FaultRule(fault="overloaded")])
                probed = len(house.asked("two"))
                for _ in range(8):
                    seen = await house.ask(dialect)
                    assert seen.answer.is_success
                    assert seen.headers["x-understudy-target"] == house.targets[2]
                assert len(house.asked("two")) == probed

        live(tale)

    @dialects
    def test_and_once_it_is_mended_it_is_known_to_work(self, dialect):
        async def tale(loop):
            async with housed(loop, ("openai", "anthropic")) as house:
                house.boards["two"].put_faults([FaultRule(fault="retention_required")])
                await asyncio.sleep(PROBED)
                house.boards["two"].delete_faults()
                await asyncio.sleep(LOOKED_AT)
                told = await house.health()
                assert _node(told, f"two@main/{MODELS['anthropic']}")["health"]["proved"]
                assert told["causes"] == []
                house.boards["one"].put_faults([FaultRule(fault="overloaded")])
                seen = await house.ask(dialect)
                assert seen.headers["x-understudy-target"] == house.targets[1]

        live(tale)

    def test_one_that_has_worked_and_does_no_more_is_found_out_too(self):
        async def tale(loop):
            async with housed(loop, ("anthropic", "openai")) as house:
                await asyncio.sleep(PROBED)
                assert _node(await house.health(), "two@main")["health"]["proved"]
                house.boards["two"].put_faults([FaultRule(fault="key_revoked")])
                await asyncio.sleep(AGAIN)
                told = await house.health()
                assert _node(told, "two@main")["health"]["state"] == "open"
                (named,) = told["causes"]
                assert (named["kind"], named["node"]) == ("account_key", "two@main")

        live(tale)

    @dialects
    def test_one_that_nobody_has_proved_says_so(self, dialect):
        """It may not be probed, and callers have had no need of it."""

        async def tale(loop):
            async with housed(loop, ("anthropic", "openai"), probes=("one", "three")) as house:
                told = await house.health()
                for name in ("one", "two", "three"):
                    assert _node(told, name)["health"]["state"] == "never_proved"
                await asyncio.sleep(AGAIN)
                seen = await house.ask(dialect)
                assert seen.headers["x-understudy-target"] == house.targets[0]
                told = await house.health()
                assert house.asked("two") == []
                for node in ("two", "two@main", f"two@main/{MODELS['openai']}"):
                    health = _node(told, node)["health"]
                    assert (health["state"], health["proved"]) == ("never_proved", False)
                    assert health["last_good"] is None
                for name in ("one", "three"):
                    assert _node(told, name)["health"]["state"] == "closed"
                # Until somebody has needed it.
                house.boards["one"].put_faults([FaultRule(fault="overloaded")])
                assert (await house.ask(dialect)).answer.is_success
                assert _node(await house.health(), "two")["health"]["state"] == "closed"

        live(tale)


def _other(kind):
    return "openai" if kind == "anthropic" else "anthropic"
