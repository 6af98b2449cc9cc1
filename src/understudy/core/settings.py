"""A validated configuration. Built by `understudy.config`, read by everyone, changed by nobody."""

from __future__ import annotations

import hashlib
import ipaddress
from typing import Literal

import msgspec

from understudy.core.allotment import UNLIMITED, Allotment
from understudy.core.secret import Secret
from understudy.core.store_place import MemoryPlace, StorePlace

__all__ = [
    "EVERYONE_ELSE",
    "Account",
    "Allotment",
    "Caller",
    "Console",
    "Feature",
    "JobRules",
    "Listen",
    "Provider",
    "Secret",
    "Settings",
    "TargetRule",
    "Tenant",
    "Tier",
    "Webhook",
    "digest_key",
    "is_loopback",
]

Tier = Literal["same", "substitute", "reduced"]

#: The tenant that stands for all that have no entry of their own.
EVERYONE_ELSE = "*"


def digest_key(key: str) -> str:
    """The hex SHA-256 of a caller's key: what is kept of it.

    A plain hash is enough where the key itself is long and random; `understudy keys new` makes
    keys of 256 bits.
    """
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def is_loopback(host: str) -> bool:
    """Whether a host means this machine alone: 127.0.0.0/8, ::1 (RFC 6890) or `localhost`.

    By the address, not by the name's first letters: `127.example.com` is anywhere.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Listen(msgspec.Struct, frozen=True, kw_only=True):
    """An address to accept connections on."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


class Caller(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """Who may call the relay. `key_digest` is the hex SHA-256 of the key."""

    name: str
    key_digest: str
    tenant: str | None = None
    allotment: Allotment = UNLIMITED


class Console(msgspec.Struct, frozen=True, kw_only=True):
    """What lets an operator in. `key_digest` is the hex SHA-256 of the key."""

    key_digest: str
    #: The key itself, where the file holds it: `understudy status` shows it at the door.
    key: Secret | None = None


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One credential at a provider, a failure domain of its own."""

    name: str
    api_key: Secret | None


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """A model provider. `kind` names the manners in `understudy.providers`."""

    name: str
    kind: str
    #: Without a slash at its end.
    base_url: str
    accounts: tuple[Account, ...]
    #: Fixes the wire dialect (`messages`, `chat_completions`, `responses`); None: by the caller's.
    dialect: str | None = None
    #: As people know it; `understudy.providers.status_pages.feeds` has what is read.
    status_page: str | None = None
    #: Ask its targets questions of our own: `understudy.policy.probing`.
    probes: bool = True
    domain: str | None = None


class TargetRule(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a feature's `targets`. `model` `*` is the model that the caller named."""

    provider: str
    model: str
    tier: Tier
    #: One account, or None for every account of the provider in turn.
    account: str | None = None


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """An AI feature of the product. Durations in seconds."""

    name: str
    title: str
    targets: tuple[TargetRule, ...]
    models: tuple[str, ...] = ()
    deadline: float = 120.0
    #: With `first_token_auto`, what holds while too little is known of a target.
    first_token: float = 10.0
    #: The limit is learned for each target: `understudy.policy.latency`.
    first_token_auto: bool = False
    idle: float = 30.0
    attempts: int = 3
    #: A stream that breaks after its first content goes on at the next target.
    continue_streams: bool = True
    #: After this long without content a second attempt begins beside the first. 0: after what is
    #: learned of each target; None: never.
    hedge: float | None = None
    #: Nothing can serve: the caller is kept so long, in seconds, for a recovery; 0: not at all.
    hold: float = 0.0
    #: A request whose caller prefers so is taken as a job: `Settings.store` keeps it.
    defer: bool = False
    #: Who is told of its jobs' ends, where the caller names nobody: one of `JobRules.webhooks`.
    webhook: str | None = None
    priority: Literal["interactive", "background"] = "interactive"


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """What may be used for a tenant.

    `providers` None means all of them; `substitutes` False means tier `same` only. The one named
    `EVERYONE_ELSE` is every tenant's that has no entry of its own.
    """

    name: str
    providers: tuple[str, ...] | None = None
    substitutes: bool = True
    allotment: Allotment = UNLIMITED


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """Where word of jobs' ends is sent.

    `secrets` are keys of Standard Webhooks (`whsec_…`); each message is signed with every one.
    """

    name: str
    url: str
    secrets: tuple[Secret, ...]


class JobRules(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for all jobs."""

    #: Seconds for which a result, and its idempotency key, are kept: a day, as Stripe keeps keys
    #: (https://docs.stripe.com/api/idempotent_requests).
    kept: float = 24 * 3600.0
    #: 32 bytes in base64, with which requests and results are sealed; None: they are not.
    encryption_key: Secret | None = None
    #: Such keys, with which is only opened.
    earlier_keys: tuple[Secret, ...] = ()
    webhooks: dict[str, Webhook] = {}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of a configuration, checked."""

    relay: Listen
    web: Listen
    providers: dict[str, Provider]
    features: dict[str, Feature]
    callers: tuple[Caller, ...] = ()
    tenants: dict[str, Tenant] = {}
    #: None: there is no way in.
    console: Console | None = None
    #: Where jobs are kept.
    store: StorePlace = MemoryPlace()
    jobs: JobRules = JobRules()
    #: Things an operator should read at start (an account left out for want of a key).
    notices: tuple[str, ...] = ()
