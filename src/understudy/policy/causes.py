"""What may be the matter, as people would say it, and what somebody else says of it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

__all__ = ["Cause", "CauseKind", "Testimony"]


class CauseKind(StrEnum):
    """The closed set of causes."""

    #: One model fails; others of its provider do not.
    MODEL_DOWN = "model_down"
    #: The model is not there, or not for us: retired, renamed, never allowed.
    MODEL_WITHDRAWN = "model_withdrawn"
    #: A provider fails, whatever is asked of it.
    PROVIDER_DOWN = "provider_down"
    #: It answers late, or too late. The node says whether it is one model or all of them.
    PROVIDER_SLOW = "provider_slow"
    #: The key is not accepted, or may not be used for this.
    ACCOUNT_KEY = "account_key"
    #: The account's credit is used up, or its bill is not paid.
    ACCOUNT_CREDIT = "account_credit"
    #: The organisation, or the account, is shut off.
    ACCOUNT_SUSPENDED = "account_suspended"
    #: A limit of money is reached that somebody has set.
    SPEND_CAP = "spend_cap"
    #: We ask for more than we may.
    RATE_LIMIT_OURS = "rate_limit_ours"
    #: Something in front of the provider answers in its place.
    EDGE = "edge"
    #: A name has no address (the node is its provider), or none has (the node is empty).
    DNS = "dns"
    #: Nothing of ours gets out.
    OUR_NETWORK = "our_network"
    #: One tenant's requests are bad.
    TENANT_REQUEST = "tenant_request"
    #: A bug of ours: it raises, or what it writes in another dialect is not taken.
    OWN_BUG = "own_bug"
    #: Answers that are empty, garbled or not what the dialect allows, under a success.
    DEGRADED_ANSWERS = "degraded_answers"
    #: Answers that are whole and sound, and no longer what this model usually writes.
    DEGRADED_QUALITY = "degraded_quality"
    #: What is asked for is not served there at all: a wrong address, or not from this country.
    MISCONFIGURED = "misconfigured"
    #: None of these, or several that cannot be told apart.
    UNKNOWN = "unknown"


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """One explanation of what is going wrong now, and what speaks for and against it.

    `node` is where: a provider (`anthropic`), an account (`anthropic@main`), a model
    (`anthropic/claude-sonnet-5`) or a target (`anthropic@main/claude-sonnet-5`), as
    `understudy.policy.pulls.Node` spells them; empty where it is no part of that tree. `about`
    names the tenant, or the feature, where it is one's. `share` is the belief in it, from 0 to 1.
    """

    kind: CauseKind
    node: str
    share: float
    about: str = ""
    evidence_for: tuple[str, ...] = ()
    evidence_against: tuple[str, ...] = ()


class Testimony(msgspec.Struct, frozen=True, kw_only=True):
    """What a status page says of a provider.

    `state` is one of operational, maintenance, degraded, partial_outage, major_outage, unknown; any
    other word counts as unknown. `words` say what of it is meant. `age` is in seconds, since it was
    read; `source` is where.
    """

    provider: str
    state: str
    words: str = ""
    age: float = 0.0
    source: str = ""
