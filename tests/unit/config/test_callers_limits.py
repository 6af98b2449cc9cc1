"""What callers and tenants may use, as the file says it; and what a tenant has from everyone's."""

import pytest

from understudy.config import load
from understudy.core.allotment import UNLIMITED, Allotment

FILE = """\
callers:
  - {name: app, key: 0123456789abcdefghij, limits: {requests_per_minute: 600, concurrency: 50}}
  - {name: free, key: 0123456789abcdefghik}
providers:
  one: {kind: openai, accounts: {main: {api_key: sk-1}}}
  two: {kind: anthropic, accounts: {main: {api_key: sk-2}}}
features: {f: {targets: [one/gpt, two/claude]}}
"""
EVERYONES = Allotment(requests=60)


def test_a_callers():
    app, free = load(FILE, {}).callers
    assert app.allotment == Allotment(requests=600, concurrency=50)
    assert free.allotment == UNLIMITED


@pytest.mark.parametrize(
    ("entry", "allotment", "providers", "substitutes"),
    [
        ("{}", EVERYONES, ("one",), False),
        ("{providers: [two]}", EVERYONES, ("two",), False),
        ("{substitutes: true}", EVERYONES, ("one",), True),
        ("{limits: {tokens_per_minute: 9000}}", Allotment(tokens=9_000), ("one",), False),
        ("{limits: {}}", UNLIMITED, ("one",), False),
    ],
)
def test_what_a_tenants_own_entry_leaves_out_is_everyones(entry, allotment, providers, substitutes):
    others = '"*": {limits: {requests_per_minute: 60}, providers: [one], substitutes: false}'
    tenants = load(f"{FILE}tenants:\n  acme: {entry}\n  {others}\n", {}).tenants
    acme = tenants["acme"]
    assert acme.allotment == allotment
    assert (acme.providers, acme.substitutes) == (providers, substitutes)
    assert tenants["*"].allotment == EVERYONES


def test_a_limit_may_come_from_the_environment():
    tenants = 'tenants: {acme: {limits: {tokens_per_minute: "${TOKENS}"}}}'
    settings = load(f"{FILE}{tenants}\n", {"TOKENS": "120000"})
    assert settings.tenants["acme"].allotment == Allotment(tokens=120_000)
