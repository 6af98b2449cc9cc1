"""Faults as symptoms: what causes show by.

Faults say what to do about a failure; symptoms tell causes apart. So one kind of fault is several
symptoms (a key that was revoked and a credit that is used up are both the account's), and several
are one (an error under 500, in a stream or without a word).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from understudy.core.faults import Fault, Kind, Scope

__all__ = ["USUAL", "Symptom", "symptom_of"]


class Symptom(StrEnum):
    """How a call ended; the value is what people read."""

    GOOD = "answered"
    LATE = "answered, far later than usual"
    FAILED = "errors inside the provider"
    OVERLOADED = "overloads"
    SLOW = "timeouts"
    CUT = "answers that broke off"
    UNREACHABLE = "failed connections"
    EDGE = "answers of something in front of it"
    GARBAGE = "empty or garbled answers"
    BAD_REQUEST = "requests turned down as bad"
    UNREADABLE = "requests that could not be read"
    MISFIT = "requests that do not fit the model"
    OURS = "faults of our own"
    LIMIT = "rate limits"
    NO_NAME = "names without an address"
    NO_RESOLVER = "name services that did not answer"
    NO_ROUTE = "networks out of reach"
    KEY = "keys that were not accepted"
    CREDIT = "accounts without credit"
    SUSPENDED = "accounts shut off"
    CAP = "spending limits reached"
    FORBIDDEN = "keys that may not do this"
    NO_MODEL = "models that are not there"
    NO_SERVICE = "addresses that do not serve this"


_S = Symptom

#: Share of calls that end so while nothing is wrong: a few in a hundred fail at the best of times,
#: in ways that pass; callers make mistakes; what needs a human is never noise.
USUAL: Final[Mapping[Symptom, float]] = MappingProxyType(
    {
        _S.GOOD: 0.947,
        _S.LATE: 0.015,
        _S.FAILED: 0.006,
        _S.OVERLOADED: 0.006,
        _S.SLOW: 0.003,
        _S.CUT: 0.003,
        _S.UNREACHABLE: 0.002,
        _S.EDGE: 0.001,
        _S.GARBAGE: 0.001,
        _S.BAD_REQUEST: 0.006,
        _S.UNREADABLE: 0.003,
        _S.MISFIT: 0.006,
        _S.OURS: 1e-8,
        _S.LIMIT: 1e-7,
        _S.NO_NAME: 1e-4,
        _S.NO_RESOLVER: 1e-4,
        _S.NO_ROUTE: 1e-4,
        _S.KEY: 1e-8,
        _S.CREDIT: 1e-8,
        _S.SUSPENDED: 1e-8,
        _S.CAP: 1e-8,
        _S.FORBIDDEN: 1e-8,
        _S.NO_MODEL: 1e-8,
        _S.NO_SERVICE: 1e-8,
    }
)

#: Of a provider that answered.
_BY_KIND: Final[Mapping[Kind, Symptom]] = MappingProxyType(
    {
        Kind.THROTTLED: _S.LIMIT,
        Kind.OVERLOAD: _S.OVERLOADED,
        Kind.SLOW: _S.SLOW,
        Kind.TRUNCATED: _S.CUT,
        Kind.EMPTY: _S.GARBAGE,
        Kind.MALFORMED: _S.GARBAGE,
        Kind.DEGRADED: _S.GARBAGE,
    }
)

#: The codes of `understudy.providers`: of their tables, and of connections that were lost.
_BY_CODE: Final[Mapping[str, Symptom]] = MappingProxyType(
    {
        "account_deactivated": _S.SUSPENDED,
        "access_terminated": _S.SUSPENDED,
        "organization_on_hold": _S.SUSPENDED,
        "cmek_context_unavailable": _S.SUSPENDED,
        "cmek_key_disabled": _S.SUSPENDED,
        "cmek_key_network_blocked": _S.SUSPENDED,
        "cmek_key_unreachable": _S.SUSPENDED,
        "enforced_spend_limit_reached": _S.CAP,
        "contract_spend_limit_reached": _S.CAP,
        "organization_spend_limit_exceeded": _S.CAP,
        "project_spend_limit_exceeded": _S.CAP,
        "organization_usage_limit_exceeded": _S.CAP,
        "billing_hard_limit_reached": _S.CAP,
        "insufficient_quota": _S.CREDIT,
        "credit_balance_exhausted": _S.CREDIT,
        "billing_not_active": _S.CREDIT,
        "billing_error": _S.CREDIT,
        "invalid_api_key": _S.KEY,
        "API_KEY_INVALID": _S.KEY,
        "authentication_error": _S.KEY,
    }
)
_NO_RESOLVER: Final = frozenset({"dns_no_answer", "dns_timeout"})
#: Where a code says too little (Anthropic files most of it under `invalid_request_error`), the
#: message does; the first that is found decides.
_BY_WORDS: Final = (
    (re.compile(r"disabled|deactivated|on hold|suspended|terminated", re.IGNORECASE), _S.SUSPENDED),
    (re.compile(r"credit|balance|funds|current quota|billing|payment", re.IGNORECASE), _S.CREDIT),
    (re.compile(r"limit|\bcap\b|budget|spend", re.IGNORECASE), _S.CAP),
)
_OF_A_MODEL: Final = re.compile(r"data[- ]retention|\bmodels?\b", re.IGNORECASE)
#: What a translator says of a request that it cannot read (`understudy.relay.exchange`).
_UNREADABLE: Final = "invalid_request"
#: What cannot be said in a target's dialect was never sent: a limit that is known.
_INEXPRESSIBLE: Final = "inexpressible"


def symptom_of(fault: Fault) -> Symptom | None:
    """What a fault is a symptom of; None: of nothing, it counts neither as good nor as bad."""
    match fault.kind:
        case Kind.REFUSED:
            symptom = None
        case Kind.CALLER | Kind.ADAPTABLE:
            symptom = _of_request(fault)
        case Kind.ACCOUNT:
            symptom = _of_account(fault)
        case Kind.CONFIG:
            symptom = _of_configuration(fault)
        case Kind.INTERNAL:
            symptom = Symptom.OURS
        case _:
            symptom = _of_service(fault)
    return symptom


def _of_request(fault: Fault) -> Symptom | None:
    if fault.kind is Kind.ADAPTABLE:
        return None if fault.code == _INEXPRESSIBLE else Symptom.MISFIT
    if fault.status == 413:
        return Symptom.MISFIT
    return Symptom.UNREADABLE if fault.code == _UNREADABLE else Symptom.BAD_REQUEST


def _of_account(fault: Fault) -> Symptom:
    named = _BY_CODE.get(fault.code or "")
    if named is not None:
        return named
    if fault.status == 401:
        return Symptom.KEY
    for words, symptom in _BY_WORDS:
        if words.search(fault.message):
            return symptom
    if fault.status == 402:
        return Symptom.CREDIT
    return Symptom.CAP if fault.status == 429 else Symptom.KEY


def _of_configuration(fault: Fault) -> Symptom:
    if fault.scope is Scope.PROVIDER:
        return Symptom.NO_SERVICE
    if fault.scope is Scope.MODEL or fault.code == "model_not_found":
        return Symptom.NO_MODEL
    return Symptom.NO_MODEL if _OF_A_MODEL.search(fault.message) else Symptom.FORBIDDEN


def _of_service(fault: Fault) -> Symptom | None:
    """Of a provider that is broken, slow, short, or that limits us."""
    match fault.scope:
        case Scope.REQUEST:
            return None  # A passing clash: it speaks against nothing but this one try.
        case Scope.EDGE:
            return Symptom.EDGE
        case Scope.OURSELVES:
            return Symptom.OURS
        case _:
            found = _BY_KIND.get(fault.kind)
            return found if found is not None and fault.status else _of_connection(fault, found)


def _of_connection(fault: Fault, found: Symptom | None) -> Symptom:
    """Of what was lost without an answer, or of an error that says no more."""
    code = fault.code or ""
    if code == "dns_not_found":
        return Symptom.NO_NAME
    if code in _NO_RESOLVER:
        return Symptom.NO_RESOLVER
    if fault.scope is Scope.NETWORK:
        return Symptom.NO_ROUTE
    if fault.status is None and fault.scope is Scope.PROVIDER and found is not Symptom.GARBAGE:
        return Symptom.UNREACHABLE
    return found or Symptom.FAILED
