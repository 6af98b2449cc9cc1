"""What may be behind failures: for each cause, where it strikes and how it shows.

Causes are weighed by likelihood: how often calls end in each symptom while nothing is wrong
(`symptoms.USUAL`), against how calls that a cause spoils end (`Suspect.shows`). The figures need
not be exact; a few times too much or too little moves no verdict, because evidence multiplies. What
matters is their order. Some symptoms are all but proof (a revoked key answers 401, and nothing else
does), others are everyday noise (one 529 in a hundred calls).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

import msgspec

from understudy.policy.causes import CauseKind
from understudy.policy.symptoms import USUAL, Symptom

__all__ = ["SUSPECTS", "Family", "Leaning", "Suspect"]


class Family(Enum):
    """Along what calls are told apart."""

    TARGET = auto()
    #: A model, at every account of its provider.
    MODEL = auto()
    ACCOUNT = auto()
    PROVIDER = auto()
    EVERYTHING = auto()
    TENANT = auto()
    #: One feature, as one tenant uses it.
    USE = auto()
    FEATURE = auto()
    #: What is translated for a provider.
    TRANSLATED = auto()


#: By how much one call that ended so speaks for a cause (nats).
Leaning = Mapping[Symptom, float]


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """One cause. What `shows` does not name stays as rare as it is."""

    kind: CauseKind
    #: How the calls that it spoils end.
    shows: Mapping[Symptom, float]
    #: Where it may strike → how often it does there, compared with other causes.
    strikes: Mapping[Family, float]
    #: For each share of calls that it may spoil.
    leanings: tuple[Leaning, ...]
    #: It is the provider's affair: a status page may know of it.
    is_theirs: bool


#: Shares of calls that a cause may spoil: of causes that show by what is also noise at the best of
#: times, a fifth at least; of the others, any.
_SOME: Final = (0.98, 0.7, 0.4, 0.2)
_ANY: Final = (0.98, 0.5, 0.15, 0.03, 0.005)


def _leaning(shows: Mapping[Symptom, float], share: float) -> Leaning:
    leans = {}
    for symptom, usual in USUAL.items():
        spoilt = 0.0 if symptom is Symptom.GOOD else shows.get(symptom, min(usual, 0.003))
        leans[symptom] = math.log(((1.0 - share) * usual + share * spoilt) / usual)
    return MappingProxyType(leans)


def _suspect(
    kind: CauseKind,
    shows: Mapping[Symptom, float],
    strikes: Mapping[Family, float],
    *,
    shares: tuple[float, ...] = _ANY,
    is_theirs: bool = False,
) -> Suspect:
    return Suspect(
        kind=kind,
        shows=MappingProxyType(dict(shows)),
        strikes=MappingProxyType(dict(strikes)),
        leanings=tuple(_leaning(shows, share) for share in shares),
        is_theirs=is_theirs,
    )


_C, _S, _F = CauseKind, Symptom, Family


def _theirs(
    kind: CauseKind, shows: Mapping[Symptom, float], strikes: Mapping[Family, float]
) -> Suspect:
    return _suspect(kind, shows, strikes, shares=_SOME, is_theirs=True)


def _of_account(kind: CauseKind, shows: Mapping[Symptom, float]) -> Suspect:
    """It strikes one account; seldom several of one organisation."""
    return _suspect(kind, shows, {_F.ACCOUNT: 1.0, _F.PROVIDER: 0.1})


#: What a model shows that is down, and a provider that is down with all of its models.
_BROKEN: Final = {
    _S.FAILED: 0.4,
    _S.OVERLOADED: 0.4,
    _S.SLOW: 0.08,
    _S.CUT: 0.08,
    _S.LATE: 0.02,
    _S.GARBAGE: 0.01,
    _S.EDGE: 0.005,
    _S.UNREACHABLE: 0.004,
}
#: What only a provider shows: the way to it is broken as well.
_LOST: Final = {
    _S.UNREACHABLE: 0.4,
    _S.FAILED: 0.2,
    _S.OVERLOADED: 0.1,
    _S.EDGE: 0.14,
    _S.CUT: 0.07,
    _S.SLOW: 0.05,
    _S.LATE: 0.02,
    _S.NO_ROUTE: 0.01,
    _S.GARBAGE: 0.01,
}

_THEIRS: Final = (
    _theirs(_C.MODEL_DOWN, _BROKEN, {_F.TARGET: 0.3, _F.MODEL: 1.0}),
    _theirs(_C.PROVIDER_DOWN, _BROKEN, {_F.PROVIDER: 0.5}),
    _theirs(_C.PROVIDER_DOWN, _LOST, {_F.PROVIDER: 0.5}),
    _theirs(
        _C.PROVIDER_SLOW,
        {_S.SLOW: 0.45, _S.LATE: 0.5, _S.OVERLOADED: 0.02, _S.CUT: 0.02},
        {_F.TARGET: 0.3, _F.MODEL: 0.5, _F.PROVIDER: 1.0},
    ),
    _theirs(
        _C.EDGE,
        {_S.EDGE: 0.9, _S.UNREACHABLE: 0.04, _S.SLOW: 0.02, _S.GARBAGE: 0.02},
        {_F.PROVIDER: 1.0},
    ),
    _theirs(
        _C.DEGRADED_ANSWERS,
        {_S.GARBAGE: 0.95},
        {_F.TARGET: 0.3, _F.MODEL: 1.0, _F.PROVIDER: 0.3},
    ),
)

_OURS: Final = (
    _of_account(_C.ACCOUNT_KEY, {_S.KEY: 0.9, _S.FORBIDDEN: 0.1}),
    _of_account(_C.ACCOUNT_CREDIT, {_S.CREDIT: 0.95}),
    _of_account(_C.ACCOUNT_SUSPENDED, {_S.SUSPENDED: 0.95}),
    _of_account(_C.SPEND_CAP, {_S.CAP: 0.95}),
    _suspect(
        _C.RATE_LIMIT_OURS,
        {_S.LIMIT: 0.95},
        {_F.TARGET: 0.3, _F.ACCOUNT: 1.0, _F.PROVIDER: 0.1},
    ),
    _suspect(
        _C.MODEL_WITHDRAWN,
        {_S.NO_MODEL: 0.9, _S.FORBIDDEN: 0.1},
        {_F.TARGET: 0.5, _F.MODEL: 1.0},
    ),
    _suspect(_C.MISCONFIGURED, {_S.NO_SERVICE: 0.95}, {_F.PROVIDER: 1.0}),
    _suspect(
        _C.DNS, {_S.NO_NAME: 0.5, _S.NO_RESOLVER: 0.5}, {_F.PROVIDER: 0.5, _F.EVERYTHING: 0.5}
    ),
    _suspect(
        _C.OUR_NETWORK,
        {_S.NO_ROUTE: 0.5, _S.UNREACHABLE: 0.3, _S.NO_RESOLVER: 0.2},
        {_F.EVERYTHING: 0.5},
    ),
    _suspect(
        _C.TENANT_REQUEST,
        {_S.BAD_REQUEST: 0.4, _S.UNREADABLE: 0.25, _S.MISFIT: 0.33},
        {_F.TENANT: 1.0, _F.USE: 0.5},
        shares=_SOME,
    ),
    _suspect(
        _C.OWN_BUG,
        {_S.OURS: 0.95},
        {_F.EVERYTHING: 0.3, _F.TRANSLATED: 0.5, _F.FEATURE: 0.3},
    ),
    # What we write in another dialect is not taken. What was wrong with it to begin with would
    # seldom have come so far: to be translated, a request must be read.
    _suspect(
        _C.OWN_BUG,
        {_S.BAD_REQUEST: 0.65, _S.MISFIT: 0.3, _S.OURS: 0.03, _S.UNREADABLE: 0.01},
        {_F.TRANSLATED: 0.5},
        shares=_SOME,
    ),
)

#: How requests are turned down, whoever is to blame.
_REQUESTS: Final = frozenset({_S.BAD_REQUEST, _S.UNREADABLE, _S.MISFIT})
#: How calls fail that are anybody's at the best of times.
_EVERYDAY: Final = frozenset(
    symptom
    for symptom, usual in USUAL.items()
    if usual >= 1e-3 and symptom is not _S.GOOD and symptom not in _REQUESTS
)

#: Something else: what is noise at other times, in no typical mixture.
_OUTSIDE: Final = (
    _suspect(
        _C.UNKNOWN,
        dict.fromkeys(_EVERYDAY, 0.07),
        {_F.TARGET: 0.1, _F.MODEL: 0.1, _F.ACCOUNT: 0.1, _F.PROVIDER: 0.1, _F.FEATURE: 0.1},
        shares=_SOME,
    ),
    _suspect(
        _C.UNKNOWN,
        dict.fromkeys(_REQUESTS, 0.2),
        {_F.TARGET: 0.2, _F.MODEL: 0.2, _F.PROVIDER: 0.2, _F.FEATURE: 0.2, _F.TRANSLATED: 0.1},
        shares=_SOME,
    ),
)

#: Every suspect there is.
SUSPECTS: Final = (*_THEIRS, *_OURS, *_OUTSIDE)
