"""Evidence by hand for the tests of attribution: who was asked, and how it ended."""

from __future__ import annotations

from understudy.core.faults import Fault, Kind, Scope
from understudy.policy.attribute import Cause, Testimony, explain
from understudy.policy.evidence import Evidence
from understudy.policy.plans import Target

NOW = 100_000.0

OVERLOADED = Fault(kind=Kind.OVERLOAD, scope=Scope.MODEL, status=529, code="overloaded_error")
FAILED = Fault(kind=Kind.OUTAGE, scope=Scope.MODEL, status=500, code="api_error")
REFUSED = Fault(kind=Kind.REFUSED, scope=Scope.REQUEST, status=400)
REVOKED = Fault(kind=Kind.ACCOUNT, scope=Scope.ACCOUNT, status=401, code="authentication_error")
LIMITED = Fault(kind=Kind.THROTTLED, scope=Scope.ACCOUNT, status=429, code="rate_limit_error")
REJECTED = Fault(kind=Kind.CALLER, scope=Scope.REQUEST, status=400, code="invalid_request_error")
UNREACHED = Fault(kind=Kind.OUTAGE, scope=Scope.PROVIDER, code="ECONNREFUSED")
NO_NETWORK = Fault(kind=Kind.OUTAGE, scope=Scope.NETWORK, code="ENETUNREACH")
BLUNDER = Fault(kind=Kind.INTERNAL, scope=Scope.OURSELVES, code="KeyError")
GARBLED = Fault(kind=Kind.MALFORMED, scope=Scope.MODEL, status=200)


def target(key: str) -> Target:
    """The target `provider@account/model`."""
    account_key, _, model = key.partition("/")
    provider, _, account = account_key.partition("@")
    return Target(
        provider=provider,
        account=account,
        model=model,
        tier="same",
        operations=frozenset({"messages"}),
        key=key,
        account_key=account_key,
        name=f"{provider}/{model}",
    )


def page(state: str, provider: str = "anthropic", **more: object) -> Testimony:
    """What its status page says."""
    return Testimony(provider=provider, state=state, source="status.example.com", **more)


class Told:
    """Evidence, and a clock."""

    def __init__(self) -> None:
        self.evidence = Evidence()
        self.now = NOW

    def pass_by(self, seconds: float) -> Told:
        self.now += seconds
        return self

    def works(
        self,
        key: str,
        times: int = 1,
        *,
        tenant: str | None = None,
        feature: str = "chat",
        translated: bool = False,
        first: float | None = 0.5,
        probe: bool = False,
        began: float | None = None,
    ) -> Told:
        for _ in range(times):
            self.evidence.worked(
                target(key),
                self.now if began is None else began,
                feature=feature,
                tenant=tenant,
                translated=translated,
                first_content=first,
                probe=probe,
            )
        return self

    def fails(
        self,
        key: str,
        fault: Fault,
        times: int = 1,
        *,
        tenant: str | None = None,
        feature: str = "chat",
        translated: bool = False,
        retry: bool = False,
        probe: bool = False,
    ) -> Told:
        for _ in range(times):
            self.evidence.failed(
                target(key),
                fault,
                self.now,
                feature=feature,
                tenant=tenant,
                translated=translated,
                retry=retry,
                probe=probe,
            )
        return self

    def causes(self, *witnesses: Testimony) -> list[Cause]:
        return explain(self.evidence.snapshot(self.now), witnesses, self.now)

    def named(self, *witnesses: Testimony) -> list[tuple[str, str]]:
        """The causes by kind and place (or about whom)."""
        return [(cause.kind.value, cause.node or cause.about) for cause in self.causes(*witnesses)]
