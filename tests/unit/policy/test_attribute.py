"""Causes are named where one clearly leads, and said to be unknown where none does."""

import pytest

from understudy.policy.attribute import LEAD, CauseKind, explain
from unit.policy.attribution_world import (
    BLUNDER,
    FAILED,
    GARBLED,
    LIMITED,
    NO_NETWORK,
    OVERLOADED,
    REFUSED,
    REJECTED,
    REVOKED,
    UNREACHED,
    Told,
    page,
)

SONNET, HAIKU, OPUS = (f"anthropic@main/{model}" for model in ("sonnet", "haiku", "opus"))
BACKUP_SONNET, BACKUP_HAIKU = "anthropic@backup/sonnet", "anthropic@backup/haiku"
GPT, MINI = "openai@main/gpt-5.2", "openai@main/gpt-5-mini"
WINDOW = 300.0


def healthy() -> Told:
    """Ordinary traffic, and then half a minute."""
    told = Told()
    for key in (SONNET, HAIKU, GPT):
        told.works(key, 20, tenant="acme").works(key, 20, tenant="globex")
    return told.pass_by(30.0)


# -- nothing ----------------------------------------------------------------------------------


def test_of_nothing_nothing_is_said():
    assert Told().causes() == []
    assert healthy().causes() == []


@pytest.mark.parametrize("fault", [OVERLOADED, FAILED, UNREACHED, REJECTED, GARBLED])
def test_one_failure_of_the_everyday_kind_is_no_trouble(fault):
    assert healthy().fails(SONNET, fault, tenant="acme").works(SONNET, 3).causes() == []


def test_refusals_are_no_trouble_however_many():
    assert healthy().fails(SONNET, REFUSED, 50).causes() == []


def test_what_was_seen_too_long_ago_explains_nothing_now():
    told = healthy().fails(SONNET, REVOKED)
    snapshot = told.evidence.snapshot(told.now)
    assert explain(snapshot, (), told.now)
    assert explain(snapshot, (), told.now + WINDOW + 1.0) == []


def test_what_works_again_is_over():
    told = healthy().fails(SONNET, OVERLOADED, 8).works(HAIKU, 3).pass_by(20.0)
    assert told.named()[0] == ("model_down", SONNET)
    assert told.works(SONNET, 6).pass_by(5.0).works(SONNET, 6).causes() == []


# -- one model or its provider ----------------------------------------------------------------


def test_one_model_fails_while_another_works():
    told = healthy().fails(SONNET, OVERLOADED, 8).works(HAIKU, 3)
    assert told.named()[0] == ("model_down", SONNET)


def test_all_models_that_are_asked_fail():
    told = healthy().fails(SONNET, OVERLOADED, 6).fails(HAIKU, FAILED, 3).works(GPT, 5)
    assert told.named()[0] == ("provider_down", "anthropic")


def test_no_other_model_was_asked_so_it_may_be_either():
    told = healthy().fails(SONNET, OVERLOADED, 12).works(GPT, 12)
    unknown, *candidates = told.causes()
    assert unknown.kind is CauseKind.UNKNOWN
    assert {(cause.kind, cause.node) for cause in candidates} == {
        ("model_down", SONNET),
        ("provider_down", "anthropic"),
    }
    assert all(cause.share < LEAD for cause in candidates)
    assert len(unknown.evidence_for) == 2
    assert any("nothing was asked" in line for line in candidates[0].evidence_against)


def test_a_connection_that_is_refused_is_no_models_affair():
    assert healthy().fails(SONNET, UNREACHED, 6).works(GPT, 6).named()[0] == (
        "provider_down",
        "anthropic",
    )


def test_a_model_that_fails_at_every_account_is_named_for_all_of_them():
    told = healthy().works(BACKUP_SONNET).works(BACKUP_HAIKU).pass_by(30.0)
    told.fails(SONNET, OVERLOADED, 6).fails(BACKUP_SONNET, OVERLOADED, 6).works(HAIKU, 4)
    assert told.named()[0] == ("model_down", "anthropic/sonnet")


def test_two_models_of_three_fail_each_for_itself():
    told = healthy().fails(SONNET, OVERLOADED, 10).fails(HAIKU, OVERLOADED, 10).works(OPUS, 10)
    assert set(told.named()[:2]) == {("model_down", SONNET), ("model_down", HAIKU)}


def test_what_was_seen_before_the_trouble_began_says_nothing_about_it():
    told = healthy().works(HAIKU, 200).pass_by(30.0)
    told.fails(SONNET, OVERLOADED, 6).fails(HAIKU, OVERLOADED, 4)
    assert told.named()[0] == ("provider_down", "anthropic")


def test_a_target_that_is_left_alone_keeps_its_cause():
    told = healthy().fails(SONNET, OVERLOADED, 6).works(HAIKU, 3)
    for _ in range(20):
        told.pass_by(60.0).works(GPT, 5)
    assert told.named()[0] == ("model_down", SONNET)


# -- ours -------------------------------------------------------------------------------------


def test_one_401_is_enough_to_name_the_account():
    told = healthy().works(BACKUP_SONNET).pass_by(30.0).fails(SONNET, REVOKED)
    assert told.named()[0] == ("account_key", "anthropic@main")


def test_two_accounts_of_one_organisation_are_one_trouble():
    told = healthy().works(BACKUP_SONNET).pass_by(30.0)
    told.fails(SONNET, REVOKED).fails(BACKUP_SONNET, REVOKED)
    assert told.named() == [("account_key", "anthropic")]


def test_a_429_is_our_own_limit_and_never_an_outage():
    told = healthy().fails(SONNET, LIMITED, 3)
    assert told.named()[0][0] == "rate_limit_ours"
    assert "provider_down" not in {kind for kind, _ in told.named()}


def test_two_providers_out_of_reach_are_our_network():
    told = healthy().fails(SONNET, NO_NETWORK, 3).fails(GPT, NO_NETWORK, 3)
    assert told.named()[0] == ("our_network", "")


def test_a_bug_of_ours_is_named_at_once():
    told = healthy().fails(SONNET, BLUNDER, translated=True)
    assert told.named()[0][0] == "own_bug"


def test_what_only_translated_requests_meet_is_our_translation():
    told = healthy()
    for tenant in ("acme", "globex", "initech"):
        told.fails(SONNET, REJECTED, 3, tenant=tenant, translated=True)
        told.works(SONNET, 10, tenant=tenant)
    assert told.named()[0] == ("own_bug", "anthropic")


def test_one_tenants_bad_requests_are_that_tenants():
    told = healthy().fails(SONNET, REJECTED, 8, tenant="acme").works(SONNET, 8, tenant="globex")
    (cause,) = told.causes()
    assert (cause.kind, cause.node, cause.about) == (CauseKind.TENANT_REQUEST, "", "acme")


def test_everybodys_requests_turned_down_at_one_model_are_nobodys_fault_yet():
    told = healthy()
    for number in range(6):
        told.fails(SONNET, REJECTED, 2, tenant=f"tenant-{number}")
    told.works(GPT, 12)
    assert told.named()[0][0] == "unknown"


def test_garbage_is_a_cause_of_its_own():
    told = healthy().fails(SONNET, GARBLED, 5).works(HAIKU, 5)
    assert told.named()[0] == ("degraded_answers", SONNET)


def test_late_answers_are_slowness():
    told = Told()
    for _ in range(15):
        told.works(SONNET, first=0.5).works(HAIKU, first=0.5).pass_by(2.0)
    told.works(SONNET, 8, first=6.0).works(HAIKU, 8, first=6.0)
    assert told.named()[0] == ("provider_slow", "anthropic")


# -- several troubles at a time -----------------------------------------------------------------


def test_troubles_that_have_nothing_in_common_are_told_side_by_side():
    told = healthy().fails(SONNET, REVOKED)
    told.fails(GPT, OVERLOADED, 8).works(MINI, 8)
    told.fails(GPT, REJECTED, 8, tenant="globex").works(MINI, 8, tenant="acme")
    assert set(told.named()[:3]) == {
        ("account_key", "anthropic@main"),
        ("model_down", GPT),
        ("tenant_request", "globex"),
    }


def test_what_is_clear_stands_before_what_is_not():
    told = healthy().fails(SONNET, REVOKED).fails(GPT, OVERLOADED, 10)
    kinds = [kind for kind, _ in told.named()]
    assert kinds[:2] == ["account_key", "unknown"]
    assert set(kinds[2:]) == {"model_down", "provider_down"}


# -- witnesses --------------------------------------------------------------------------------


def either() -> Told:
    """One model or its provider: nobody can tell."""
    return healthy().fails(SONNET, OVERLOADED, 6).works(GPT, 6)


def share_of(told: Told, kind: str, *witnesses: object) -> float:
    return sum(cause.share for cause in told.causes(*witnesses) if cause.kind == kind)


def test_a_page_alone_names_nothing():
    assert healthy().causes(page("major_outage", words="Claude API")) == []


def test_a_red_page_lends_weight_and_is_told():
    told = either()
    red = page("major_outage", words="Claude API", age=40.0)
    assert share_of(told, "provider_down", red) > share_of(told, "provider_down")
    lines = [line for cause in told.causes(red) for line in cause.evidence_for]
    assert any("major outage (Claude API), read 40 s ago" in line for line in lines)


def test_a_red_page_speaks_for_the_model_that_it_names():
    told = healthy().fails("anthropic@main/claude-sonnet-5-20260624", OVERLOADED, 6).works(GPT, 6)
    plain = page("partial_outage", words="Claude API")
    naming = page("partial_outage", words="Elevated errors on Claude Sonnet 5")
    assert share_of(told, "model_down", naming) > share_of(told, "model_down", plain)


def test_a_green_page_hardly_speaks_against_what_is_seen():
    told = healthy().fails(SONNET, OVERLOADED, 8).fails(HAIKU, OVERLOADED, 4)
    green = page("operational", age=20.0)
    cause = told.causes(green)[0]
    assert (cause.kind, cause.node) == (CauseKind.PROVIDER_DOWN, "anthropic")
    assert any("operational" in line for line in cause.evidence_against)


@pytest.mark.parametrize(
    "witness",
    [
        page("unknown"),
        page("a word of next year"),
        page("major_outage", age=3600.0),
        page("major_outage", provider="openai"),
    ],
    ids=["unknown", "new word", "old", "another provider"],
)
def test_a_page_that_says_nothing_of_now_is_no_witness(witness):
    told = either()
    assert told.causes(witness) == told.causes()


def test_a_page_says_nothing_about_our_own_account():
    told = healthy().fails(SONNET, REVOKED)
    assert told.causes(page("major_outage")) == told.causes()


# -- what is said -----------------------------------------------------------------------------


def test_evidence_is_told_in_numbers_and_in_the_providers_words():
    told = healthy().fails(SONNET, OVERLOADED, 6).works(HAIKU, 4).works(SONNET)
    cause = told.causes()[0]
    assert cause.evidence_for[0] == (
        f"6 of 7 calls to {SONNET} in the last 5 s: 6 × overloads (529 overloaded_error)"
    )
    assert "other models and accounts work: 4 of 4 calls" in cause.evidence_for[1]
    assert cause.evidence_against == (f"1 of 7 calls to {SONNET} were answered",)


@pytest.mark.parametrize(
    "told",
    [
        either(),
        healthy().fails(SONNET, REVOKED),
        healthy().fails(SONNET, OVERLOADED, 9).fails(HAIKU, FAILED, 9).fails(GPT, REJECTED, 9),
    ],
)
def test_shares_are_shares(told):
    causes = told.causes()
    assert causes
    assert all(0.0 <= cause.share <= 1.0 for cause in causes)
