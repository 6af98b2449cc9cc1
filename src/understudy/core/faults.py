"""What can go wrong with an attempt, in one closed vocabulary.

Every failure that a provider, a network or Understudy itself can show ends in one `Fault`: its
*kind* says what to do about it, its *scope* says the narrowest thing that it speaks against.
Health, failover, the journal and the words for people read faults and nothing else.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

__all__ = ["OUTAGE_LIKE", "Fault", "FaultError", "Kind", "Remedy", "Scope"]


class Kind(StrEnum):
    """The closed set of fault kinds."""

    #: The request itself is wrong; any target would say so. Goes back to the caller, once.
    CALLER = "caller"
    #: The request does not fit this target (context length, a parameter); another may take it.
    ADAPTABLE = "adaptable"
    #: The credential: revoked, without credit, suspended, at its spend cap. A human must act.
    ACCOUNT = "account"
    #: The model at this account: retired, withdrawn, never allowed.
    CONFIG = "config"
    #: A rate limit of ours. Not an outage.
    THROTTLED = "throttled"
    #: The provider is short of capacity (529, 503).
    OVERLOAD = "overload"
    #: The provider, its edge, or the way to it is broken (5xx, TLS, DNS, connect, reset).
    OUTAGE = "outage"
    #: No first content, silence, or no end within the time allowed.
    SLOW = "slow"
    #: The answer ended without the dialect's terminal signal.
    TRUNCATED = "truncated"
    #: A terminal signal without any content.
    EMPTY = "empty"
    #: Not what the dialect allows: unparsable, HTML under 200, a wrong content type.
    MALFORMED = "malformed"
    #: The model or the provider's policy declined. Not an outage, never routed around.
    REFUSED = "refused"
    #: Content that fails its checks although the provider signals success.
    DEGRADED = "degraded"
    #: Understudy's own fault. The caller sees 503.
    INTERNAL = "internal"


class Scope(StrEnum):
    """The narrowest thing that a fault speaks against."""

    REQUEST = "request"
    MODEL = "model"
    ACCOUNT = "account"
    PROVIDER = "provider"
    EDGE = "edge"
    NETWORK = "network"
    OURSELVES = "ourselves"


#: Kinds that say "this target does not work just now" and so count against its breaker.
OUTAGE_LIKE = frozenset(
    {Kind.OVERLOAD, Kind.OUTAGE, Kind.SLOW, Kind.TRUNCATED, Kind.EMPTY, Kind.MALFORMED}
)


class Remedy(StrEnum):
    """What the same request must do without to be taken by the same target."""

    #: A last turn of the assistant's: a user's turn asks to go on instead.
    WITHOUT_PREFILL = "without prefill"
    #: Thinking in the conversation so far, which the target cannot verify.
    WITHOUT_THINKING = "without past thinking"


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One classified failure.

    `status` is the HTTP status under which it came (200 for an error event inside a stream; None
    where no response came). `code` is the provider's own word for it. `message` is the provider's
    text, scrubbed of secrets by whoever classified it; it may quote the caller's request, so the
    journal keeps it only for kinds that speak of the provider. `retry_after` is in seconds from
    when the fault was seen. `remedy`: what, done to the request, would make this very target take
    it; None where nothing would.
    """

    kind: Kind
    scope: Scope
    status: int | None = None
    code: str | None = None
    message: str = ""
    retry_after: float | None = None
    remedy: Remedy | None = None


class FaultError(Exception):
    """Raised by pure readers that meet a fault (a garbled stream, an unparsable body)."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.kind}: {fault.message}")
        self.fault = fault
