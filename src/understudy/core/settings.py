"""A validated configuration. Built by `understudy.config`, read by everyone, changed by nobody."""

from __future__ import annotations

import hashlib
import ipaddress
from typing import Literal

import msgspec

from understudy.core.secret import Secret
from understudy.core.store_place import MemoryPlace, StorePlace

__all__ = [
    "Account",
    "Caller",
    "Console",
    "Feature",
    "Listen",
    "Provider",
    "Secret",
    "Settings",
    "TargetRule",
    "Tenant",
    "Tier",
    "digest_key",
    "is_loopback",
]

Tier = Literal["same", "substitute", "reduced"]


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
    #: A request whose caller prefers so is taken as a job: `Settings.store` keeps it.
    defer: bool = False
    priority: Literal["interactive", "background"] = "interactive"


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """What may be used for a tenant.

    `providers` None means all of them; `substitutes` False means tier `same` only.
    """

    name: str
    providers: tuple[str, ...] | None = None
    substitutes: bool = True


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
    #: Things an operator should read at start (an account left out for want of a key).
    notices: tuple[str, ...] = ()
