"""Targets, and which of them may serve one kind of request: the words of `targets`."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from understudy.core.quota import Need
from understudy.core.settings import Tenant, Tier

__all__ = ["NOBODYS", "Ask", "Choice", "Claim", "Full", "Plan", "Recourse", "Target"]


class Recourse(IntEnum):
    """How good a target is that there is an obstacle to: the least is preferred."""

    #: It works, only not as well as it used to.
    LESSER = 0
    #: It has asked us to wait for a moment: worth a wait.
    SOON = 1
    #: It works again, and has had its share of the traffic: more could knock it over.
    RECOVERING = 2
    #: It fails, and not always.
    SICK = 3
    #: It has not worked for a while; a guess beats a certain failure.
    TRIAL = 4
    #: Not to be used.
    OUT = 5


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
    #: Its provider counts a request's limit of output tokens when it begins, not what is produced.
    reserves_output: bool = False


class Claim(msgspec.Struct, frozen=True):
    """What a request needs of a target's limits, and whose it is."""

    need: Need
    tenant: str | None = None
    #: It gives way to what people wait for.
    background: bool = False


#: Of requests that nobody counts.
NOBODYS = Claim(Need(input=0.0, output=0.0))


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


class Full(msgspec.Struct, frozen=True):
    """Targets that would do, and cannot take the request just now.

    `willing`: those of them that have not asked us to wait; only what we know of their limits, or
    guess, stands against them.
    """

    targets: tuple[Target, ...]
    why: str
    willing: tuple[Target, ...] = ()
