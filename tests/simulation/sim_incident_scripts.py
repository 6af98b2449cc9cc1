"""Incidents by name: what each does to calls, and what must be said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from simulation.sim_incident_faults import DIALECT_OF, OURS, lost, said
from simulation.sim_incident_world import Call, Feature, World
from understudy.core.faults import Fault, Kind
from understudy.mock import CATALOGUE
from understudy.policy.attribute import Cause, CauseKind

__all__ = ["HARDER", "INCIDENTS", "WELL", "Script", "nothing"]

#: What becomes of a call that an incident spoils.
Spoils = Callable[[Call, Random], Fault | float]


@dataclass(frozen=True)
class Script:
    """One incident in one world (`sim_incident_world.Incident`)."""

    kind: CauseKind | None
    #: The nodes that it may be said of, and the tenant.
    nodes: frozenset[str] = frozenset({""})
    about: str = ""
    hits: Callable[[Call], bool] = lambda _: False
    #: Of the calls that it may hit.
    share: float = 1.0
    spoils: Spoils = lambda _, __: 1.0
    more: tuple[Feature, str, float] | None = None

    @property
    def is_none(self) -> bool:
        return self.kind is None

    def strikes(self, call: Call, draw: Random) -> Fault | float | None:
        if not self.hits(call) or draw.random() >= self.share:
            return None
        return self.spoils(call, draw)

    def extra(self) -> tuple[Feature, str, float] | None:
        return self.more

    def is_named_by(self, cause: Cause) -> bool:
        """Whether that is what it was."""
        return cause.kind is self.kind and cause.node in self.nodes and cause.about == self.about


def _first(world: World) -> tuple[Feature, str]:
    """A feature, and the provider that it prefers."""
    feature = world.draw.choice(world.features)
    return feature, feature.targets[0].provider


def _said(world: World, names: str) -> Spoils:
    """One of these entries of the catalogue, or lost connections (`!…`), by chance."""
    listed = names.split()

    def spoils(call: Call, draw: Random) -> Fault:
        kind = world.kinds[call.target.provider]
        fitting = [name for name in listed if _is_said_by(name, kind)]
        name = draw.choice(fitting)
        if name.startswith("!"):
            return OURS[name[1:]] if name[1:] in OURS else lost(name[1:])
        return said(name, kind, call.target.model)

    return spoils


def _is_said_by(name: str, kind: str) -> bool:
    return name.startswith("!") or DIALECT_OF[kind] in CATALOGUE[name].dialects


# -- places -----------------------------------------------------------------------------------


def _account(kind: CauseKind, names: str) -> Callable[[World], Script]:
    """Something is wrong with one account: every call to it fails."""

    def script(world: World) -> Script:
        account = _first(world)[0].targets[0].account_key
        return Script(
            kind,
            frozenset({account}),
            hits=lambda call: call.target.account_key == account,
            spoils=_said(world, names),
        )

    return script


def _model(
    kind: CauseKind, names: str, least: float = 1.0, most: float = 1.0
) -> Callable[[World], Script]:
    """Something is wrong with one model, at every account of its provider."""

    def script(world: World) -> Script:
        name = _first(world)[0].targets[0].name
        keys = {target.key for target in world.targets if target.name == name}
        return Script(
            kind,
            # At one account, or seen at one: its target.
            frozenset({name, *keys}),
            hits=lambda call: call.target.name == name,
            share=world.draw.uniform(least, most),
            spoils=_said(world, names),
        )

    return script


def _provider(
    kind: CauseKind, *styles: str, least: float = 1.0, most: float = 1.0
) -> Callable[[World], Script]:
    """Something is wrong with a provider, in one of several styles."""

    def script(world: World) -> Script:
        provider = _first(world)[1]
        return Script(
            kind,
            frozenset({provider}),
            hits=lambda call: call.target.provider == provider,
            share=world.draw.uniform(least, most),
            spoils=_said(world, world.draw.choice(styles)),
        )

    return script


def _everything(kind: CauseKind, *styles: str) -> Callable[[World], Script]:
    """Something is wrong on our side of every provider."""

    def script(world: World) -> Script:
        style = world.draw.choice(styles)
        return Script(kind, hits=lambda _: True, spoils=_said(world, style))

    return script


def _withdrawn(world: World) -> Script:
    """A model is gone, for one account or for all."""
    if world.draw.random() < 0.5:
        return _model(CauseKind.MODEL_WITHDRAWN, "model_not_found")(world)
    key = _first(world)[0].targets[0].key
    return Script(
        CauseKind.MODEL_WITHDRAWN,
        frozenset({key}),
        hits=lambda call: call.target.key == key,
        spoils=_said(world, "model_not_found"),
    )


def _slow(world: World) -> Script:
    """First content takes six to twenty seconds, more or less; past ten it is given up."""
    provider = _first(world)[1]
    seconds = world.draw.uniform(6.0, 20.0)
    return Script(
        CauseKind.PROVIDER_SLOW,
        frozenset({provider}),
        hits=lambda call: call.target.provider == provider,
        spoils=lambda _, draw: seconds * draw.lognormvariate(0.0, 0.4),
    )


def _limited(world: World) -> Script:
    """An account is at its limit: a part of what is asked of it is turned down."""
    account = _first(world)[0].targets[0].account_key
    return Script(
        CauseKind.RATE_LIMIT_OURS,
        frozenset({account, *(t.key for t in world.targets if t.account_key == account)}),
        hits=lambda call: call.target.account_key == account,
        share=world.draw.uniform(0.3, 1.0),
        spoils=_said(world, "rate_limited rate_limited_requests workspace_rate_limited slow_down"),
    )


def _tenant(world: World) -> Script:
    """A job of one tenant's sends ten to sixty bad requests a minute."""
    feature = world.draw.choice(world.features)
    tenant = world.draw.choice(feature.tenants)[0]
    spoils = _said(world, "invalid_request context_too_long request_too_large")
    return Script(
        CauseKind.TENANT_REQUEST,
        about=tenant,
        hits=lambda call: call.tenant == tenant and call.feature == feature.name,
        share=world.draw.uniform(0.8, 1.0),
        spoils=lambda call, draw: _bad(call, spoils(call, draw)),
        more=(feature, tenant, world.draw.uniform(10.0, 60.0)),
    )


def _bad(call: Call, fault: Fault | float) -> Fault | float:
    """What is wrong with a request shows when it is read: to be translated, it must be."""
    is_wrong = isinstance(fault, Fault) and fault.kind is Kind.CALLER and fault.status != 413
    return OURS["unread"] if call.translated and is_wrong else fault


def _bug(names: str, least: float) -> Callable[[World], Script]:
    """What is translated for one provider goes wrong."""

    def script(world: World) -> Script:
        feature, provider = _first(world)
        if not world.is_translated(feature, feature.targets[0]):
            other = {"messages": "chat_completions", "chat_completions": "messages"}
            feature.dialect = other[feature.dialect]
        return Script(
            CauseKind.OWN_BUG,
            frozenset({provider, ""}),
            hits=lambda call: call.translated and call.target.provider == provider,
            share=world.draw.uniform(least, 1.0),
            spoils=_said(world, names),
        )

    return script


_C = CauseKind

_PROVIDER_STYLES = (
    "overloaded internal_error",
    "internal_error internal_error overloaded !reset no_terminal edge_502",
    "!refused !connect_timeout !reset",
)

#: By name.
INCIDENTS: dict[str, Callable[[World], Script]] = {
    "key revoked": _account(_C.ACCOUNT_KEY, "key_revoked"),
    "credit gone": _account(_C.ACCOUNT_CREDIT, "credit_too_low insufficient_quota billing_error"),
    "organisation disabled": _account(_C.ACCOUNT_SUSPENDED, "organization_disabled"),
    "spend cap reached": _account(
        _C.SPEND_CAP, "spend_cap usage_limit_reached workspace_limit_reached"
    ),
    "one model down": _model(
        _C.MODEL_DOWN, "overloaded internal_error internal_error no_terminal", least=0.85
    ),
    "one model withdrawn": _withdrawn,
    "provider down": _provider(_C.PROVIDER_DOWN, *_PROVIDER_STYLES, least=0.85),
    "provider slow": _slow,
    "our rate limit": _limited,
    "names not resolved": _everything(
        _C.DNS, "!resolver_silent", "!resolver_silent !resolver_slow"
    ),
    "our network gone": _everything(
        _C.OUR_NETWORK,
        "!no_network",
        "!no_route !connect_timeout",
        "!no_network !resolver_silent !connect_timeout",
    ),
    "edge answers with pages": _provider(
        _C.EDGE,
        "edge_502 edge_520",
        "edge_522 edge_523 edge_problem",
        "challenge_403",
        "html_200",
        least=0.6,
    ),
    "one tenant's bad requests": _tenant,
    "our translation raises": _bug("!blunder", 0.5),
    "garbage answers": _model(
        _C.DEGRADED_ANSWERS, "empty_answer malformed_event empty_200", least=0.6
    ),
}

#: Harder ones: less is seen of them, or what is seen fits more than one cause.
HARDER: dict[str, Callable[[World], Script]] = {
    "our translation is not taken": _bug("invalid_request unsupported_parameter", 0.9),
    "one model half down": _model(
        _C.MODEL_DOWN, "overloaded internal_error internal_error no_terminal", least=0.3, most=0.7
    ),
    "provider half down": _provider(_C.PROVIDER_DOWN, *_PROVIDER_STYLES, least=0.3, most=0.7),
    "one provider's name is gone": _provider(_C.DNS, "!name_not_found"),
}

#: The control.
WELL = "nothing wrong"


def nothing(_: World) -> Script:
    """Noise, and nothing else."""
    return Script(None)
