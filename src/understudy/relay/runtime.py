"""Settings made ready for the path: everything that can be worked out once, worked out once.

A `Runtime` is immutable but for its caches. A reload builds a new one and swaps it in; requests
under way keep the one that they began with.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from msgspec.structs import replace

from understudy import __version__
from understudy.core.allotment import (
    UNLIMITED,
    Holder,
    caller_key,
    is_caller,
    tenant_key,
)
from understudy.core.settings import (
    EVERYONE_ELSE,
    Account,
    Caller,
    Provider,
    Settings,
    TargetRule,
    Tenant,
    digest_key,
)
from understudy.dialects.base import Traits
from understudy.dialects.chat_completions import CHAT_COMPLETIONS
from understudy.dialects.messages import COUNT_TOKENS, MESSAGES
from understudy.dialects.responses import RESPONSES
from understudy.policy.targets import Ask, Plan, Target, eligible
from understudy.providers.base import Manners
from understudy.providers.model_list import ModelInfo, find_model, traits_from
from understudy.providers.registry import MANNERS
from understudy.relay.http import Origin
from understudy.relay.places import Place, Route

__all__ = ["DIALECTS", "Destination", "Place", "Route", "Runtime"]

#: Operation → its dialect. `count_tokens` is spoken only where `messages` is.
DIALECTS: Final = MappingProxyType(
    {
        "messages": MESSAGES,
        "chat_completions": CHAT_COMPLETIONS,
        "responses": RESPONSES,
        "count_tokens": COUNT_TOKENS,
    }
)
#: Cached answers to "which feature, which plan", whose keys callers choose, are bounded.
CACHE_ENTRIES: Final = 1024


_PlaceKey = tuple[str, str, Caller | None]
_PlanKey = tuple[str, str, str | None, frozenset[str] | None, str | None]


class Destination:
    """One account of one provider, ready to be asked.

    Args:
        provider: its settings.
        account: the credential.
    """

    __slots__ = (
        "_fixed",
        "_heads",
        "_lines",
        "_listed",
        "_path",
        "_traits",
        "manners",
        "origin",
        "provider",
        "wires",
    )

    def __init__(self, provider: Provider, account: Account) -> None:
        self.provider = provider
        self.manners: Manners = MANNERS[provider.kind]
        base = urlsplit(provider.base_url)
        tls = base.scheme == "https"
        self.origin = Origin(
            host=base.hostname or "", port=base.port or (443 if tls else 80), tls=tls
        )
        dialects = (provider.dialect,) if provider.dialect else self.manners.dialects
        #: The caller's operation → the operation asked for on the wire.
        self.wires: dict[str, str] = {
            operation: operation if operation in dialects else dialects[0]
            for operation in ("messages", "chat_completions", "responses")
        }
        if "messages" in dialects:
            self.wires["count_tokens"] = "count_tokens"
        key = account.api_key.reveal() if account.api_key is not None else None
        fixed = {
            "host": base.netloc,
            "user-agent": f"understudy/{__version__}",
            "content-type": "application/json",
            "accept-encoding": "identity",
            **dict(self.manners.authorise(key)),
        }
        self._fixed = fixed
        #: Operation → request line, up to the query.
        self._lines = {
            wire: f"POST {base.path.rstrip('/')}{self.manners.path(wire)}"
            for wire in set(self.wires.values())
        }
        #: Operation → the head of a request that adds nothing of its caller's, up to the length.
        self._heads = {wire: self._head(wire, "", fixed) for wire in self._lines}
        self._path = base.path.rstrip("/")
        self._traits: dict[str, Traits] = {}
        #: What the provider's own list says of its models.
        self._listed: Mapping[str, ModelInfo] = {}

    def traits(self, model: str) -> Traits:
        """What a model takes."""
        traits = self._traits.get(model)
        if traits is None:
            traits = self.manners.traits(model)
            listed = find_model(self._listed, model)
            if listed is not None:
                traits = traits_from(listed, traits)
            if len(self._traits) < CACHE_ENTRIES:
                self._traits[model] = traits
        return traits

    def learn(self, listed: Mapping[str, ModelInfo]) -> None:
        """The provider has said what its models take."""
        self._listed = listed
        self._traits = {}

    def takes_no_prefill(self, model: str) -> None:
        """The model has refused one: it knows better than the table."""
        self._traits[model] = replace(self.traits(model), prefill=False)

    def request(self, wire: str, query: str, forwarded: dict[str, str], body: bytes) -> bytes:
        """The whole request. `forwarded`: the caller's headers; those allowed to travel do."""
        if not query and self.manners.forwarded_headers.isdisjoint(forwarded):
            head = self._heads[wire]
        else:
            travelling = {
                name: value
                for name, value in forwarded.items()
                if name in self.manners.forwarded_headers
            }
            head = self._head(wire, query, {**self._fixed, **travelling})
        return b"%b%d\r\n\r\n%b" % (head, len(body), body)

    def reading(self, operation: str, query: str) -> bytes:
        """A whole GET request."""
        head = {name: value for name, value in self._fixed.items() if name != "content-type"}
        lines = "".join([f"{name}: {value}\r\n" for name, value in head.items()])
        path = f"{self._path}{self.manners.path(operation)}"
        return f"GET {path}?{query} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")

    def _head(self, wire: str, query: str, headers: dict[str, str]) -> bytes:
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        suffix = f"?{query}" if query else ""
        line = f"{self._lines[wire]}{suffix} HTTP/1.1\r\n"
        return f"{line}{lines}content-length: ".encode("latin-1")


class Runtime:
    """Compiled settings."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.destinations: dict[str, Destination] = {
            f"{provider.name}@{account.name}": Destination(provider, account)
            for provider in settings.providers.values()
            for account in provider.accounts
        }
        self.routes: dict[str, Route] = {
            feature.name: Route(
                feature=feature,
                targets=tuple(target for rule in feature.targets for target in self._targets(rule)),
                wild=any(rule.model == "*" for rule in feature.targets),
            )
            for feature in settings.features.values()
        }
        self._callers: dict[str, Caller] = {c.key_digest: c for c in settings.callers}
        self._presented: dict[str, Caller] = {}
        #: Every caller and tenant of the settings, as the holder of its limits; None: it has none.
        self._holders: dict[str, Holder | None] = _holders(settings)
        self._by_model: dict[str, Route | None] = {}
        self._plans: dict[_PlanKey, Plan] = {}
        #: (operation, model, caller) → place, of requests without headers of our own.
        self.places: dict[_PlaceKey, Place] = {}

    @property
    def open_to_all(self) -> bool:
        """No callers are named: whoever reaches the (loopback) listener may call."""
        return not self._callers

    def caller(self, headers: dict[str, str]) -> Caller | None:
        """Who presents the key in `headers`: `x-api-key`, else `Authorization: Bearer`.

        The settings hold digests only, and a look-up by the digest of a long random secret tells
        a stranger nothing by its time. Keys that proved right are remembered in this process'
        memory as they were presented, so that a busy caller's is not hashed for each request.
        """
        presented = headers.get("x-api-key") or headers.get("authorization", "")
        caller = self._presented.get(presented)
        if caller is None:
            scheme, _, value = presented.partition(" ")
            key = value.strip() if value and scheme.lower() == "bearer" else presented
            caller = self._callers.get(digest_key(key))
            if caller is not None and len(self._presented) < CACHE_ENTRIES:
                self._presented[presented] = caller
        return caller

    def route(self, model: str) -> Route | None:
        """The feature that `model` names: its own name, one of its `models`, or a pattern."""
        found = self.routes.get(model)
        if found is not None:
            return found
        if model in self._by_model:
            return self._by_model[model]
        found = self._match(model)
        if len(self._by_model) >= CACHE_ENTRIES:
            self._by_model.clear()
        self._by_model[model] = found
        return found

    def _match(self, model: str) -> Route | None:
        routes = self.routes.values()
        for route in routes:
            if model in route.feature.models:
                return route
        for route in routes:
            if any(fnmatchcase(model, pattern) for pattern in route.feature.models):
                return route
        return None

    def plan(
        self,
        route: Route,
        operation: str,
        tenant: str | None,
        tiers: frozenset[str] | None,
        model: str | None,
    ) -> Plan:
        """The targets of `route` for such a request. See `understudy.policy.targets.Ask`."""
        # Tenants without an entry of their own share their plans.
        entry = self._entry(tenant)
        key = (route.feature.name, operation, entry.name if entry else None, tiers, model)
        plan = self._plans.get(key)
        if plan is None:
            ask = Ask(
                operation=operation,
                tenant=entry,
                tiers=tiers,
                model=model,
            )
            plan = eligible(ask, route.targets)
            if len(self._plans) >= CACHE_ENTRIES:
                self._plans.clear()
            self._plans[key] = plan
        return plan

    def holders(self, caller: Caller | None, tenant: str | None) -> tuple[Holder, ...]:
        """Whose limits a request is held to: its caller's and its tenant's, as far as there are
        any.
        """
        keys = [] if caller is None else [caller_key(caller.name)]
        if tenant is not None:
            keys.append(tenant_key(tenant))
        found = [self.holder(key) for key in keys]
        return tuple(holder for holder in found if holder is not None)

    def holder(self, key: str) -> Holder | None:
        """A caller or tenant by its key (`understudy.core.allotment`); None: it is not limited."""
        if key in self._holders or is_caller(key):
            return self._holders.get(key)
        others = self._holders.get(tenant_key(EVERYONE_ELSE))
        return None if others is None else Holder(key, others.allotment)

    def _entry(self, tenant: str | None) -> Tenant | None:
        """What may be used for a tenant; None: everything."""
        if tenant is None:
            return None
        tenants = self.settings.tenants
        return tenants.get(tenant) or tenants.get(EVERYONE_ELSE)

    def remember_place(self, key: _PlaceKey, place: Place) -> None:
        """Keep a place for the next request of its kind."""
        if len(self.places) >= CACHE_ENTRIES:
            self.places.clear()
        self.places[key] = place

    def _targets(self, rule: TargetRule) -> list[Target]:
        provider = self.settings.providers[rule.provider]
        found: list[Target] = []
        for account in provider.accounts:
            if rule.account is not None and account.name != rule.account:
                continue
            account_key = f"{provider.name}@{account.name}"
            found.append(
                Target(
                    provider=provider.name,
                    account=account.name,
                    model=rule.model,
                    tier=rule.tier,
                    operations=frozenset(self.destinations[account_key].wires),
                    key=f"{account_key}/{rule.model}",
                    account_key=account_key,
                    name=f"{provider.name}/{rule.model}",
                    probed=provider.probes,
                    reserves_output=self.destinations[account_key].manners.reserves_output,
                )
            )
        return found


def _holders(settings: Settings) -> dict[str, Holder | None]:
    allotments = {caller_key(caller.name): caller.allotment for caller in settings.callers}
    for tenant in settings.tenants.values():
        allotments[tenant_key(tenant.name)] = tenant.allotment
    return {
        key: None if allotment == UNLIMITED else Holder(key, allotment)
        for key, allotment in allotments.items()
    }
