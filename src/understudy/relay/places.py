"""Where a request belongs: its feature, who may serve it, and for whom."""

from __future__ import annotations

import msgspec

from understudy.core.allotment import Holder
from understudy.core.settings import Feature
from understudy.policy.plans import Plan, Target

__all__ = ["Place", "Route"]


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A feature and its targets, every account in turn."""

    feature: Feature
    targets: tuple[Target, ...]
    #: Some target takes the model that the caller named, so that plans depend on it.
    wild: bool = False


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request belongs: its feature, who may serve it, and for whom."""

    route: Route
    plan: Plan
    #: The model that the caller named, None where it named the feature.
    model: str | None
    tenant: str | None
    #: Whose limits such a request is held to.
    holders: tuple[Holder, ...] = ()
