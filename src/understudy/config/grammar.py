"""Every key of the configuration: what it may hold, its default, and what it does.

The loader reads by these classes and the published JSON Schema is printed from them. A key that
does nothing yet stands here too, as `Later`, so that it is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

import msgspec

from understudy.config.keys import EncryptionKey, WebhookSecret
from understudy.config.places import (
    NAME_PATTERN,
    Address,
    BaseUrl,
    StatusPage,
    StoreUrl,
    TargetName,
    Use,
    WebhookUrl,
)
from understudy.config.shapes import (
    Choice,
    Duration,
    Either,
    Later,
    SecretText,
    Switch,
    Text,
    Whole,
)
from understudy.config.tables import (
    Entry,
    Named,
    NameRule,
    OneOrSeveral,
    Record,
    Reference,
    Referring,
    Several,
    Shorthand,
)
from understudy.core.settings import Listen, Secret, Tier
from understudy.core.store_place import MemoryPlace, StorePlace
from understudy.providers.registry import LATER_KINDS, MANNERS

__all__ = [
    "DIALECTS",
    "LABEL",
    "ROOT",
    "AccountEntry",
    "CallerEntry",
    "FeatureEntry",
    "JobsEntry",
    "LimitsEntry",
    "ProviderEntry",
    "RelayEntry",
    "RootEntry",
    "TargetEntry",
    "TenantEntry",
    "WebEntry",
    "WebhookEntry",
]

#: A key that people choose has this many characters at least: too many to be guessed over a
#: network even where they are not random.
SHORTEST_KEY = 16

_NAME = NameRule(
    NAME_PATTERN, "small letters, digits, `-` and `_`; a letter or digit first; 64 at most"
)
_LABEL_PATTERN = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
LABEL = NameRule(
    _LABEL_PATTERN, "letters, digits, `.`, `-` and `_`; a letter or digit first; 64 at most"
)
_LABEL_TEXT = Text(f"use {LABEL.words}", _LABEL_PATTERN)
_KEY_DIGEST = Text(
    "write what `understudy keys new NAME` prints: sha256: and 64 hexadecimal digits",
    "sha256:[0-9a-f]{64}",
)
_TENANT = NameRule(f"\\*|{_LABEL_PATTERN}", f"{LABEL.words}; or `*` for all others")
_LATER_KEY = "leave the key out"
#: The file's word for a wire dialect → its name.
DIALECTS: Mapping[str, str] = MappingProxyType(
    {"chat": "chat_completions", "responses": "responses", "messages": "messages"}
)
_KINDS = Choice(*MANNERS, *sorted(LATER_KINDS))
_ONE_NAME = Text("write the name of a provider", NAME_PATTERN)
_WEBHOOK_NAME = Text("write the name of a webhook", NAME_PATTERN)


class RelayEntry(Entry, frozen=True, kw_only=True):
    """What products call."""

    listen: Annotated[
        Listen, Address(), "HOST:PORT of /v1/…; without `callers` only on this machine."
    ] = Listen(host="127.0.0.1", port=8080)


class WebEntry(Entry, frozen=True, kw_only=True):
    """What people see."""

    listen: Annotated[Listen, Address(), "HOST:PORT of the status page and its API."] = Listen(
        host="127.0.0.1", port=8081
    )
    console_key: Annotated[
        Secret | None,
        SecretText(SHORTEST_KEY),
        "Opens /admin/api/… to operators; or else `console_key_digest`. Without either: closed.",
    ] = None
    console_key_digest: Annotated[
        str | None,
        _KEY_DIGEST,
        "The key's SHA-256, as `understudy keys new` prints it; or else `console_key`.",
    ] = None


class LimitsEntry(Entry, frozen=True, kw_only=True):
    """What a caller or a tenant may use. A limit that is left out is none."""

    requests_per_minute: Annotated[
        int | None, Whole(1, 999_999_999), "Requests that it may make in a minute."
    ] = None
    tokens_per_minute: Annotated[
        int | None,
        Whole(1, 999_999_999),
        "Tokens of prompts and answers together that it may use in a minute.",
    ] = None
    concurrency: Annotated[
        int | None, Whole(1, 999_999_999), "Requests that it may have under way at once."
    ] = None


class CallerEntry(Entry, frozen=True, kw_only=True):
    """Who may call the relay."""

    name: Annotated[str, _LABEL_TEXT, "Name of the caller, unique; it shows in the journal."]
    key: Annotated[
        Secret | None, SecretText(SHORTEST_KEY), "The caller's key; or else `key_digest`."
    ] = None
    key_digest: Annotated[
        str | None,
        _KEY_DIGEST,
        "The key's SHA-256, as `understudy keys new` prints it; or else `key`.",
    ] = None
    tenant: Annotated[
        str | None, _LABEL_TEXT, "Tenant that its requests belong to; need not be in `tenants`."
    ] = None
    limits: Annotated[
        LimitsEntry, Record(LimitsEntry), "What it may use, all its requests together."
    ] = LimitsEntry()


class AccountEntry(Entry, frozen=True, kw_only=True):
    """One credential at a provider."""

    api_key: Annotated[
        Secret | None,
        SecretText(),
        "The provider's key. Empty: the account is left out, and said so at start.",
    ] = None


class ProviderEntry(Entry, frozen=True, kw_only=True):
    """A model provider."""

    kind: Annotated[
        str,
        Later(_KINDS, *MANNERS, remedy=f"write one of {', '.join(MANNERS)}"),
        "Which API it speaks.",
    ]
    base_url: Annotated[
        str | None, BaseUrl(), "Where its API begins, as its SDK takes it. Default: of the kind."
    ] = None
    accounts: Annotated[
        dict[str, AccountEntry | None] | None,
        Named(Record(AccountEntry), "accounts", _NAME, empty=False),
        "Credentials by name, in order of preference; each fails on its own.",
    ] = None
    dialect: Annotated[
        str | None,
        Choice(*DIALECTS),
        "Fixes the dialect in which it is called. Default: the caller's, where its kind speaks it.",
    ] = None
    status_page: Annotated[
        str | None,
        StatusPage(),
        "The provider's public status page: heard as one witness when something is wrong.",
    ] = None
    probes: Annotated[
        bool,
        Switch(),
        "Asks it short questions of our own: under suspicion, to end an outage, and when idle.",
    ] = True
    domain: Annotated[
        str | None, Later(_LABEL_TEXT, remedy=_LATER_KEY), "What it shares its fate with."
    ] = None


class TargetEntry(Entry, frozen=True, kw_only=True):
    """One line of a feature's targets."""

    use: Annotated[
        Use,
        TargetName(),
        "`provider/model` or `provider@account/model`; model `*`: the one that the caller named.",
    ]
    tier: Annotated[
        Tier | None,
        Choice("same", "substitute", "reduced"),
        "How near it is to the first. Default: `same` for the first target, else `substitute`.",
    ] = None


class FeatureEntry(Entry, frozen=True, kw_only=True):
    """An AI feature of the product."""

    title: Annotated[
        str | None,
        Text(
            "write up to 80 characters on one line",
            r"[^\x00-\x20\x7f]([^\x00-\x1f\x7f]{0,78}[^\x00-\x20\x7f])?",
        ),
        "What people see. Default: the name, capitalised.",
    ] = None
    models: Annotated[
        tuple[str, ...],
        Several(Text("write a model's name; `*` stands for anything", "[!-~]+"), "model names"),
        "Other names that callers may use for it; `*` stands for anything.",
    ] = ()
    targets: Annotated[
        tuple[TargetEntry, ...],
        Several(Shorthand(Record(TargetEntry), TargetEntry, "use"), "targets", empty=False),
        "Who may answer, in order of preference.",
    ]
    deadline: Annotated[float, Duration(), "The whole request, every attempt in it."] = 120.0
    first_token: Annotated[
        str | float,
        Either(Choice("auto"), Duration()),
        "An attempt without content by then gives way to the next; at most `deadline`. "
        "`auto`: learned from what each target takes.",
    ] = 10.0
    idle: Annotated[float, Duration(), "Silence allowed inside a stream."] = 30.0
    attempts: Annotated[int, Whole(1, 10), "At most, of all targets together."] = 3
    continue_streams: Annotated[
        bool,
        Switch(),
        "A stream that breaks after its first content goes on at the next target.",
    ] = True
    hedge: Annotated[
        str | float,
        Either(Choice("off", "auto"), Duration()),
        "A stream without content by then gets a second attempt beside the first; at most 5 % of "
        "requests do. `auto`: learned from what each target takes.",
    ] = "off"
    hold: Annotated[
        float,
        Duration(zero=True),
        "When nothing can serve, a caller is kept so long for a recovery, within its deadline; who "
        "asked for a stream gets signs of life. `0s`: not at all.",
    ] = 0.0
    defer: Annotated[
        bool,
        Switch(),
        "A request whose caller prefers so (`Prefer: respond-async`) is taken as a job. Needs a "
        "`store` that outlives the process.",
    ] = False
    webhook: Annotated[
        Reference | None,
        Referring(_WEBHOOK_NAME),
        "Which of `jobs.webhooks` is told when a job of the feature ends, where its caller names "
        "none (`x-understudy-webhook`).",
    ] = None
    priority: Annotated[
        str,
        Choice("interactive", "background"),
        "Who goes first when there is not enough for all: `background` leaves a fifth of every "
        "limit to interactive requests, waits behind them, and gives way to them.",
    ] = "interactive"


class TenantEntry(Entry, frozen=True, kw_only=True):
    """What may be used for a tenant."""

    providers: Annotated[
        tuple[Reference, ...] | None,
        Several(Referring(_ONE_NAME), "providers", empty=False),
        "The only providers that may be used for it. Default: all.",
    ] = None
    substitutes: Annotated[
        bool, Switch(), "Whether a target of another tier than `same` may answer."
    ] = True
    limits: Annotated[
        LimitsEntry, Record(LimitsEntry), "What it may use, whoever calls for it."
    ] = LimitsEntry()


class WebhookEntry(Entry, frozen=True, kw_only=True):
    """Who is told when jobs end."""

    url: Annotated[str, WebhookUrl(), "Where word of a job's end is sent, by POST."]
    secret: Annotated[
        tuple[Secret, ...],
        OneOrSeveral(WebhookSecret(), "secrets"),
        "Signs what is sent (Standard Webhooks): `whsec_…`; a list while it is being changed.",
    ]


class JobsEntry(Entry, frozen=True, kw_only=True):
    """Requests that are answered later."""

    kept: Annotated[
        float, Duration(), "How long a result is kept, and the idempotency key with it."
    ] = 24 * 3600.0
    encryption_key: Annotated[
        Secret | None,
        EncryptionKey(empty=True),
        "Seals requests and results in the store; `understudy keys encryption` makes one. Empty: "
        "they stand there as they are.",
    ] = None
    earlier_keys: Annotated[
        tuple[Secret, ...],
        Several(EncryptionKey(), "keys"),
        "Keys that were `encryption_key` before: they open, and seal nothing any more.",
    ] = ()
    webhooks: Annotated[
        dict[str, WebhookEntry | None],
        Named(Record(WebhookEntry), "webhooks", _NAME),
        "Who may be told when a job ends, by name.",
    ] = msgspec.field(default_factory=dict)


class RootEntry(Entry, frozen=True, kw_only=True):
    """The whole file."""

    relay: Annotated[RelayEntry, Record(RelayEntry), "What products call."] = RelayEntry()
    web: Annotated[WebEntry, Record(WebEntry), "What people see."] = WebEntry()
    store: Annotated[
        StorePlace,
        StoreUrl(),
        "Where jobs are kept: `memory`, `sqlite:///FILE` for one process, or `postgresql://…`.",
    ] = MemoryPlace()
    jobs: Annotated[JobsEntry, Record(JobsEntry), "Requests that are answered later."] = JobsEntry()
    callers: Annotated[
        tuple[CallerEntry, ...],
        Several(Record(CallerEntry), "callers"),
        "Who may call the relay. Without any, everyone on this machine.",
    ] = ()
    providers: Annotated[
        dict[str, ProviderEntry | None],
        Named(Record(ProviderEntry), "providers", _NAME, empty=False),
        "Model providers by name.",
    ]
    features: Annotated[
        dict[str, FeatureEntry | None],
        Named(Record(FeatureEntry), "features", _NAME, empty=False),
        "AI features of the product by name; a request's `model` names one.",
    ]
    tenants: Annotated[
        dict[str, TenantEntry | None],
        Named(Record(TenantEntry), "tenants", _TENANT),
        "What may be used for whom. `*`: what holds for a tenant where no entry of its own says "
        "otherwise.",
    ] = msgspec.field(default_factory=dict)


#: The shape of a file.
ROOT = Record(RootEntry)
