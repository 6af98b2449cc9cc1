"""Nobody is pushed over a limit: not a fallback by a failover, not one tenant by another's flood,
not an account that has said that little is left, not a provider that has just come back.
"""

import time

import pytest

from simulation.sim_crowds import Crowd, Traffic, account_key, play
from simulation.sim_script import Provider, Spell
from understudy.mock import Capacity, FaultRule, Limit, Pace

#: Half a second to the first content, and some seconds for an answer.
PACE = Pace(tokens_per_second=60.0, first_token=0.5, tokens_per_event=20)
MODELS = {"anthropic": "claude-haiku-4-5", "openai": "gpt-4.1"}
#: Tokens of each kind that one request of these is counted with.
PROMPT, ANSWER, RESERVED = 1_072, 96, 5_072

CHAT = {"deadline": "30s", "first_token": "8s", "attempts": 3}
BATCH = {**CHAT, "priority": "background"}


def provider(name, kind, **more):
    return Provider(name=name, kind=kind, model=MODELS[kind], pace=PACE, **more)


def share_of(seen, done):
    return sum(map(done, seen)) / len(seen)


def is_served(seen):
    return seen.answer.is_success


def delay(seen):
    """Seconds from asking to the answer's beginning."""
    return seen.head_at - seen.sent_at


# -- 1. a failover onto a fallback that can take a third of it

#: When the primary dies, and until when requests come. Seconds.
DEAD, OVER = 20.0, 130.0
#: By then a bucket that was full is down to what is kept for people.
DRAINED = DEAD + 40.0
#: What the fallback allows, in requests a second.
ALLOWED = 2.0


def limit_of(unit):
    """A limit that comes to `ALLOWED` requests a second."""
    size = {"requests": 1, "tokens": RESERVED, "input_tokens": PROMPT, "output_tokens": ANSWER}
    return Limit(**{unit: 60.0 * ALLOWED * size[unit]})


def overrun(unit, fault, people, machines):
    """The primary dies while people and machines ask so much, in shares of what the fallback
    allows.
    """
    second = "openai" if unit in {"requests", "tokens"} else "anthropic"
    first = "anthropic" if second == "openai" else "openai"
    return play(
        Crowd(
            seed=4,
            providers=(
                provider("one", first, spells=(Spell(rule=fault, start=DEAD),)),
                provider("two", second),
            ),
            limits={"two": (limit_of(unit),)},
            features={"chat": CHAT, "batch": BATCH},
            traffic=(
                Traffic(caller="people", feature="chat", rate=people * ALLOWED, end=OVER),
                Traffic(caller="machines", feature="batch", rate=machines * ALLOWED, end=OVER),
            ),
        )
    )


FALLBACK_LIMITS = ("requests", "tokens", "input_tokens", "output_tokens")


@pytest.fixture(scope="module", params=FALLBACK_LIMITS)
def failover(request):
    """People alone would fit well, with machines it is three times what the fallback allows."""
    return overrun(request.param, FaultRule(fault="overloaded"), people=0.7, machines=2.3)


def test_a_failover_does_not_push_the_fallback_over_its_limit(failover):
    assert failover.refusals("two") == []


def test_people_are_served_while_machines_give_way(failover):
    people = failover.of("people", DEAD)
    assert len(people) > 100
    assert all(map(is_served, people))
    assert max(map(delay, people)) <= PACE.first_token + 1.0
    assert share_of(failover.of("machines", DEAD), is_served) < 0.6


def test_machines_have_what_people_leave(failover):
    begun = [
        seen
        for seen in failover.of("machines")
        if is_served(seen) and DRAINED <= seen.head_at < OVER
    ]
    assert len(begun) >= 0.6 * (1.0 - 0.7) * ALLOWED * (OVER - DRAINED)


def test_machines_that_find_no_room_are_told_so_before_anything_is_begun_for_them(failover):
    unserved = [seen for seen in failover.of("machines", DEAD) if not is_served(seen)]
    assert unserved
    assert {seen.status for seen in unserved} <= {503, 504}
    # What was begun for nothing took of the limit what another could have had.
    cut_off = [a for a in failover.asked["two"] if a.client_closed]
    assert len(cut_off) <= 0.02 * len(failover.asked["two"])


def test_nobody_is_lost(failover):
    assert failover.errors == []
    assert all(seen.ending == "whole" for _, seen in failover.seen)


@pytest.mark.parametrize("unit", ["requests", "output_tokens"])
def test_people_who_alone_are_too_many_are_served_as_far_as_they_fit(unit):
    """Half of three times the limit is people's: for a while what was saved up is enough."""
    dead = FaultRule(fault="hang", where="before_headers")
    shown = overrun(unit, dead, people=1.5, machines=1.5)
    people = shown.of("people", DEAD, DEAD + 30.0)
    assert all(map(is_served, people))
    later = shown.of("people", DRAINED)
    assert share_of(later, is_served) >= 0.9 / 1.5
    assert share_of(shown.of("machines", DRAINED, OVER - 30.0), is_served) <= 0.05
    assert len(shown.refusals("two")) <= 0.02 * len(shown.asked["two"])


# -- 2. one tenant's flood

FLOOD, EBB = 30.0, 90.0


@pytest.fixture(scope="module", params=["anthropic", "openai"])
def flood(request):
    kind = request.param
    return play(
        Crowd(
            seed=5,
            providers=(provider("one", kind),),
            limits={"one": (Limit(requests=240.0),)},
            features={"chat": CHAT},
            traffic=(
                Traffic(caller="calm", feature="chat", rate=1.0, end=EBB + 30.0),
                Traffic(caller="wild", feature="chat", rate=1.0, end=EBB + 30.0),
                Traffic(caller="wild", feature="chat", rate=19.0, start=FLOOD, end=EBB),
            ),
        )
    )


def test_a_tenant_s_flood_does_not_delay_another(flood):
    calm = flood.of("calm")
    assert len(calm) > 90
    assert all(map(is_served, calm))
    assert max(map(delay, calm)) <= PACE.first_token + 1.0


def test_the_flood_is_not_passed_on_to_the_provider(flood):
    asked = [a for a in flood.asked["one"] if FLOOD <= a.started < EBB]
    refused = flood.refusals("one")
    assert len(refused) <= 0.02 * len(asked), f"{len(refused)} of {len(asked)} were refused"


def test_the_flooding_tenant_has_what_the_other_leaves(flood):
    served = sum(map(is_served, flood.of("wild", FLOOD, EBB)))
    assert served >= 0.8 * (240.0 + (4.0 - 1.0) * (EBB - FLOOD))


# -- 3. headers tell of little left

TURN = 150.0


def two_accounts(kind, events=()):
    """People ask for more than the first account allows; the second has no limit."""
    shown = play(
        Crowd(
            seed=6,
            providers=(provider("one", kind, accounts=("main", "backup")),),
            limits={"one": (Limit(key="main", requests=120.0),)},
            features={"chat": CHAT},
            traffic=(Traffic(caller="people", feature="chat", rate=5.0, end=TURN),),
            events=events,
        )
    )
    assert all(map(is_served, shown.of("people")))
    assert max(map(delay, shown.of("people"))) <= PACE.first_token + 0.5
    return shown, sum(a.key == "main" for a in shown.answered("one"))


def also_used(kind, times):
    """Something else uses the first account so often, which only headers tell of."""
    key, model = account_key("one", "main"), MODELS[kind]

    def use(board):
        for _ in range(times):
            board.spent.ration(key, model, time.time()).refused(time.time())

    return use


@pytest.mark.parametrize("kind", MODELS)
def test_traffic_moves_to_the_other_account_before_a_limit_is_hit(kind):
    shown, at_main = two_accounts(kind)
    assert shown.refusals("one") == []
    assert at_main >= 0.9 * (120.0 + 2.0 * TURN)


@pytest.mark.parametrize("kind", MODELS)
def test_headers_tell_what_others_have_used(kind):
    gulps = tuple((20.0 + 40.0 * n, "one", also_used(kind, 30)) for n in range(3))
    shown, at_main = two_accounts(kind, gulps)
    # The second and the third find next to nothing left, and leave less: one or two get to feel it.
    assert len(shown.refusals("one", 0.0, 60.0)) == 0
    assert len(shown.refusals("one")) <= 4
    assert at_main >= 0.8 * (120.0 + 2.0 * TURN - 30.0)


@pytest.mark.parametrize("kind", MODELS)
def test_who_shares_an_account_at_its_brim_costs_nobody_an_answer(kind):
    """What it uses between two answers nobody tells: a refusal now and then is the price."""
    sips = tuple((20.0 + 1.0 * n, "one", also_used(kind, 1)) for n in range(int(TURN) - 20))
    shown, at_main = two_accounts(kind, sips)
    assert len(shown.refusals("one")) <= 0.15 * len(shown.seen)
    assert at_main >= 0.8 * (120.0 + 2.0 * TURN - len(sips))


# -- 4. a provider that comes back

#: When it dies and is well again, and until when requests come. Seconds.
ILL, WELL, LATER = 20.0, 110.0, 380.0


def growing(board, answers):
    board.put_capacity(Capacity(answers=answers, delay=1.0))


@pytest.fixture(scope="module", params=MODELS)
def healing(request):
    """It comes back small, as what is scaled to its load does, and grows for two minutes."""
    kind = request.param
    other = "openai" if kind == "anthropic" else "anthropic"
    steps = [(WELL + 12.0 * n, 2 + n) for n in range(10)]
    return play(
        Crowd(
            seed=7,
            providers=(
                provider(
                    "one",
                    kind,
                    spells=(Spell(rule=FaultRule(fault="overloaded"), start=ILL, end=WELL),),
                ),
                provider("two", other),
            ),
            limits={"one": (Limit(requests=300.0),), "two": (Limit(requests=90.0),)},
            capacity={"one": Capacity(answers=15)},
            features={"chat": CHAT, "batch": BATCH},
            traffic=(
                Traffic(caller="people", feature="chat", rate=1.0, end=LATER),
                Traffic(caller="machines", feature="batch", rate=2.0, end=LATER),
            ),
            events=tuple(
                (at, "one", lambda board, size=size: growing(board, size)) for at, size in steps
            ),
            probes=True,
        )
    )


def test_a_provider_that_comes_back_is_not_knocked_over_again(healing):
    assert healing.refusals("one", WELL) == []
    assert healing.refusals("two") == []


def test_traffic_is_back_within_the_slow_start(healing):
    served = sorted(
        (seen.head_at, seen.headers["x-understudy-target"].startswith("one/"))
        for _, seen in healing.seen
        if is_served(seen) and seen.head_at >= WELL
    )
    first = next(at for at, is_back in served if is_back)
    # A rest of a minute at most, and the probes that end it; then two minutes of slow start.
    assert first <= WELL + 90.0
    back = [is_back for at, is_back in served if at >= first + 130.0]
    assert sum(back) >= 0.9 * len(back)


def test_people_do_not_notice(healing):
    assert all(map(is_served, healing.of("people")))
    assert max(map(delay, healing.of("people"))) <= PACE.first_token + 1.5
    assert healing.errors == []
