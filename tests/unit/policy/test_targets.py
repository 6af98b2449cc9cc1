"""Who may serve a request, in which order, and the reasons that people can read."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.core.faults import Kind
from understudy.core.settings import Tenant
from understudy.policy.gates import Ticket
from understudy.policy.plans import NOBODYS
from understudy.policy.targets import Ask, choose, eligible
from unit.policy.policy_world import World, fault, target

SONNET = target("anthropic@main/sonnet")
BACKUP = target("anthropic@backup/sonnet")
GPT = target("openai@main/gpt", tier="substitute")
SMALL = target("openai@main/gpt-mini", tier="reduced")
COUNTING = target("anthropic@main/haiku", operations=("messages", "count_tokens"))
ANY = target("anthropic@main/*", tier="substitute")
ALL = (SONNET, BACKUP, GPT, SMALL)


def ask(**changes) -> Ask:
    return Ask(**({"operation": "messages"} | changes))


def keys(plan) -> list[str]:
    return [t.key for t in plan.targets]


# -- eligible ---------------------------------------------------------------------------------


def test_without_restrictions_all_targets_may_serve_in_their_order():
    plan = eligible(ask(), ALL)
    assert plan.targets == ALL
    assert plan.excluded == ()
    assert plan.codes == frozenset()


@pytest.mark.parametrize(
    ("changes", "kept", "code", "reason"),
    [
        pytest.param(
            {"tenant": Tenant(name="acme", providers=("anthropic",))},
            [SONNET, BACKUP],
            "tenant",
            "tenant acme may not use openai",
            id="a tenant's providers",
        ),
        pytest.param(
            {"tenant": Tenant(name="acme", substitutes=False)},
            [SONNET, BACKUP],
            "tenant",
            "tenant acme takes no substitutes",
            id="a tenant that takes no substitutes",
        ),
        pytest.param(
            {"tenant": Tenant(name="acme", providers=())},
            [],
            "tenant",
            "tenant acme may not use anthropic",
            id="a tenant that may use nothing",
        ),
        pytest.param(
            {"tenant": Tenant(name="acme")}, list(ALL), None, None, id="a tenant without limits"
        ),
        pytest.param(
            {"tiers": frozenset({"same", "substitute"})},
            [SONNET, BACKUP, GPT],
            "tier",
            "the caller does not accept tier reduced",
            id="a caller's tiers",
        ),
        pytest.param(
            {"operation": "count_tokens"},
            [],
            "operation",
            "anthropic has no count_tokens",
            id="an operation that the targets have not",
        ),
    ],
)
def test_who_may_not_serve_and_why(changes, kept, code, reason):
    plan = eligible(ask(**changes), ALL)
    assert list(plan.targets) == kept
    assert plan.codes == ({code} if code else frozenset())
    out = [t.key for t in ALL if t not in kept]
    assert [key for key, _ in plan.excluded] == out
    if out:
        assert plan.excluded[0][1] == reason


def test_every_reason_has_its_code():
    restricted = ask(
        operation="count_tokens",
        tenant=Tenant(name="acme", providers=("anthropic",)),
        tiers=frozenset({"same"}),
    )
    plan = eligible(restricted, (COUNTING, SONNET, GPT, ANY))
    assert plan.targets == (COUNTING,)
    assert plan.codes == {"tenant", "tier", "operation"}
    assert dict(plan.excluded) == {
        SONNET.key: "anthropic has no count_tokens",
        GPT.key: "tenant acme may not use openai",
        ANY.key: "the caller does not accept tier substitute",
    }


def test_a_tenants_limits_stand_before_what_the_caller_accepts():
    both = ask(tenant=Tenant(name="acme", providers=("anthropic",)), tiers=frozenset({"same"}))
    assert eligible(both, (GPT,)).codes == {"tenant"}


def test_a_target_for_any_model_takes_the_model_that_the_caller_named():
    plan = eligible(ask(model="claude-opus"), (SONNET, ANY))
    named = plan.targets[1]
    assert keys(plan) == [SONNET.key, "anthropic@main/claude-opus"]
    assert (named.model, named.name) == ("claude-opus", "anthropic/claude-opus")
    assert (named.account_key, named.tier) == (ANY.account_key, ANY.tier)


def test_a_target_for_any_model_is_out_where_the_caller_named_none():
    plan = eligible(ask(), (SONNET, ANY))
    assert plan.targets == (SONNET,)
    assert plan.codes == {"model"}
    assert dict(plan.excluded) == {ANY.key: "the caller named no model for it"}


@given(
    targets=st.lists(st.sampled_from([*ALL, COUNTING, ANY]), unique=True).map(tuple),
    providers=st.none() | st.sets(st.sampled_from(["anthropic", "openai"])).map(tuple),
    substitutes=st.booleans(),
    tiers=st.none() | st.frozensets(st.sampled_from(["same", "substitute", "reduced"])),
    operation=st.sampled_from(["messages", "count_tokens"]),
    model=st.none() | st.just("claude-opus"),
)
@settings(deadline=None)
def test_a_tenants_limits_hold_fallback_or_not(
    targets, providers, substitutes, tiers, operation, model
):
    tenant = Tenant(name="acme", providers=providers, substitutes=substitutes)
    plan = eligible(Ask(operation=operation, tenant=tenant, tiers=tiers, model=model), targets)
    assert len(plan.targets) + len(plan.excluded) == len(targets)
    assert bool(plan.excluded) == bool(plan.codes)
    for kept in plan.targets:
        assert providers is None or kept.provider in providers
        assert substitutes or kept.tier == "same"
        assert tiers is None or kept.tier in tiers
        assert operation in kept.operations
        assert kept.model != "*"


# -- choose -----------------------------------------------------------------------------------


@pytest.fixture
def world() -> World:
    return World()


def chosen(world, targets=ALL, barred=(), because=""):
    door = Ticket(world.gates, NOBODYS, world.draw)
    return choose(targets, world.board, world.now, door, barred, because)


def test_the_first_in_order_is_chosen_while_it_is_healthy(world):
    choice = chosen(world)
    assert (choice.target, choice.why) == (SONNET, "first in order")


def test_what_is_unhealthy_is_passed_over_and_the_reason_says_so(world):
    world.break_down(SONNET)
    world.attempt(BACKUP, fault(Kind.THROTTLED, retry_after=20.0))
    choice = chosen(world)
    assert choice.target == GPT
    assert choice.why == (
        "passed over anthropic@main/sonnet: outage, next try in 15 s; "
        "passed over anthropic@backup/sonnet: throttled, next try in 20 s"
    )


def test_what_had_its_turn_is_not_chosen_again(world):
    choice = chosen(world, barred={SONNET.key}, because="after outage at anthropic@main/sonnet")
    assert choice.target == BACKUP
    assert choice.why == "after outage at anthropic@main/sonnet"


def test_the_reason_says_what_led_here_and_what_was_passed_over(world):
    world.attempt(BACKUP, fault(Kind.ACCOUNT))
    choice = chosen(world, barred={SONNET.key}, because="after slow at anthropic@main/sonnet")
    assert choice.target == GPT
    assert choice.why == (
        "after slow at anthropic@main/sonnet; "
        "passed over anthropic@backup: account, next try in 300 s"
    )


def test_a_target_behind_one_that_is_out_says_that_it_is_next(world):
    choice = chosen(world, barred={SONNET.key})
    assert (choice.target, choice.why) == (BACKUP, "next in order")


def test_when_nothing_is_left_nothing_is_chosen(world):
    assert chosen(world, ()) is None
    assert chosen(world, barred={t.key for t in ALL}) is None


def test_a_guess_beats_a_certain_failure(world):
    world.break_down(SONNET)
    world.pass_by(1.0)
    choice = chosen(world, (SONNET,))
    assert choice.target == SONNET
    assert choice.why == (
        "passed over anthropic@main/sonnet: outage, next try in 14 s; "
        "nothing else is left, so it is tried all the same"
    )


def test_the_guesses_go_round_the_broken_targets_one_a_second_each(world):
    for where in (SONNET, GPT):
        world.break_down(where)
    world.pass_by(1.0)
    tried = []
    for _ in range(2):
        tried.append(chosen(world, (SONNET, GPT)).target)
        world.board.started(tried[-1], world.now)
    assert tried == [SONNET, GPT]
    assert chosen(world, (SONNET, GPT)) is None


def test_no_guess_is_made_while_a_healthy_target_is_left(world):
    world.break_down(SONNET)
    world.pass_by(2.0)
    assert chosen(world).target == BACKUP


def test_no_guess_is_made_at_a_dead_account_or_a_missing_model(world):
    world.attempt(SONNET, fault(Kind.ACCOUNT))
    world.attempt(GPT, fault(Kind.CONFIG))
    world.pass_by(2.0)
    assert chosen(world, (SONNET, GPT)) is None


def test_no_guess_is_made_at_what_had_its_turn(world):
    world.break_down(SONNET)
    world.pass_by(2.0)
    assert chosen(world, (SONNET,), barred={SONNET.key}) is None
