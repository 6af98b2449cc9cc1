"""Targets, and which of them may serve one kind of request: the words of `targets`."""

from __future__ import annotations

import msgspec

from understudy.core.settings import Tenant, Tier

__all__ = ["Ask", "Choice", "Plan", "Target"]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One model at one account of one provider. `model` `*` takes the model that is asked for."""

    provider: str
    account: str
    model: str
    tier: Tier
    #: Operations it can be asked for: `messages`, `chat_completions`, `count_tokens`; of these the
    #: ones of other dialects are reached by translation.
    operations: frozenset[str]
    #: `provider@account/model`, unique.
    key: str
    #: `provider@account`.
    account_key: str
    #: `provider/model`, what people see.
    name: str
    #: It may be asked questions of our own.
    probed: bool = False


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What of a request decides who may serve it."""

    operation: str
    tenant: Tenant | None = None
    #: Tiers that the caller accepts; None: all.
    tiers: frozenset[str] | None = None
    #: The model that the caller named, None where it named the feature.
    model: str | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The targets for one kind of request, in order of preference, and why others are out."""

    targets: tuple[Target, ...]
    #: (target's key, reason) of those that may not serve it.
    excluded: tuple[tuple[str, str], ...] = ()
    #: The reasons' codes, for the right refusal: `tenant`, `tier`, `operation`, `model`.
    codes: frozenset[str] = frozenset()


class Choice(msgspec.Struct, frozen=True):
    """A target and the reason for it, in words for the journal."""

    target: Target
    why: str
