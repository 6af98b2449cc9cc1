"""Each fault is the symptom by which its cause can be told."""

import pytest

from simulation.sim_incident_faults import OURS, lost, said
from understudy.core.faults import Fault, Kind, Scope
from understudy.policy.suspects import SUSPECTS
from understudy.policy.symptoms import USUAL, Symptom, symptom_of

#: Symptom → the stand-in's faults that are one, by the kind of provider.
SAID = {
    Symptom.KEY: "key_revoked",
    Symptom.CREDIT: "credit_too_low",
    Symptom.SUSPENDED: "organization_disabled",
    Symptom.CAP: "spend_cap usage_limit_reached workspace_limit_reached",
    Symptom.FORBIDDEN: "permission_denied",
    Symptom.NO_MODEL: "model_not_found",
    Symptom.LIMIT: "rate_limited slow_down retry_after_missing",
    Symptom.OVERLOADED: "overloaded",
    Symptom.FAILED: "internal_error",
    Symptom.SLOW: "timeout_error",
    Symptom.EDGE: "edge_502 edge_520 edge_520_empty edge_problem challenge_403 html_200",
    Symptom.GARBAGE: "empty_answer empty_200 malformed_event",
    Symptom.CUT: "no_terminal",
    Symptom.BAD_REQUEST: "invalid_request",
    Symptom.MISFIT: "context_too_long unsupported_parameter request_too_large",
    None: "conflict content_filter",
}
ONLY_ANTHROPIC = {
    Symptom.CREDIT: "billing_error",
    Symptom.NO_MODEL: "retention_required",
    Symptom.LIMIT: "workspace_rate_limited",
}
ONLY_OPENAI = {
    Symptom.CREDIT: "insufficient_quota",
    Symptom.KEY: "not_a_member ip_not_authorized",
    Symptom.NO_SERVICE: "region_unsupported",
    Symptom.LIMIT: "rate_limited_requests",
}
LOST = {
    Symptom.NO_NAME: "name_not_found",
    Symptom.NO_RESOLVER: "resolver_silent resolver_slow",
    Symptom.NO_ROUTE: "no_route no_network",
    Symptom.UNREACHABLE: "refused connect_timeout",
    Symptom.FAILED: "reset",
    Symptom.CUT: "closed",
}


def _cases():
    tables = (
        (("anthropic", "openai", "openai-compatible"), SAID),
        (("anthropic",), ONLY_ANTHROPIC),
        (("openai", "openai-compatible"), ONLY_OPENAI),
    )
    for kinds, table in tables:
        for symptom, names in table.items():
            for name in names.split():
                for kind in kinds:
                    yield pytest.param(name, kind, symptom, id=f"{name}-{kind}")


@pytest.mark.parametrize(("name", "kind", "symptom"), [*_cases()])
def test_what_a_vendor_says_is_the_symptom_of_its_cause(name, kind, symptom):
    assert symptom_of(said(name, kind)) is symptom


@pytest.mark.parametrize(
    ("name", "symptom"), [(n, symptom) for symptom, names in LOST.items() for n in names.split()]
)
def test_how_a_connection_is_lost_is_the_symptom_of_its_cause(name, symptom):
    assert symptom_of(lost(name)) is symptom


@pytest.mark.parametrize(
    ("name", "symptom"),
    [("too_slow", Symptom.SLOW), ("blunder", Symptom.OURS), ("unread", Symptom.UNREADABLE)],
)
def test_what_understudy_decides_is_the_symptom_of_its_cause(name, symptom):
    assert symptom_of(OURS[name]) is symptom


@pytest.mark.parametrize("kind", Kind)
def test_there_is_an_answer_for_every_fault(kind):
    for scope in Scope:
        for status in (None, 200, 400, 500):
            fault = Fault(kind=kind, scope=scope, status=status, code="never_heard_of")
            symptom = symptom_of(fault)
            assert symptom is None or symptom in USUAL


def test_what_usually_happens_is_all_that_may_happen():
    assert set(USUAL) == set(Symptom)
    assert sum(USUAL.values()) == pytest.approx(1.0, abs=0.02)
    for suspect in SUSPECTS:
        assert sum(suspect.shows.values()) <= 1.0 + 1e-9, suspect.kind
