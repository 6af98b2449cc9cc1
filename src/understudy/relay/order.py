"""A request that has been understood."""

from __future__ import annotations

from understudy.dialects.base import Envelope
from understudy.policy.allotments import Grant
from understudy.policy.decisions import Limits
from understudy.relay.http import Incoming
from understudy.relay.runtime import Place, Runtime

__all__ = ["Order"]


class Order:
    """What is asked, by whom, of which feature, and how long it may take.

    Read at every step of a request's way: a class of its own, which mypyc compiles, and no msgspec
    struct.

    Args:
        request_id: its own, for its caller as well.
        operation: what is asked for.
        request: how it came.
        envelope: what was read of its body.
        place: where it belongs.
        runtime: the settings that it is served by to its end.
        limits: what bounds it.
        is_probe: a question of our own, to learn whether a target works; nobody waits for its
            answer.
    """

    __slots__ = (
        "envelope",
        "grant",
        "id",
        "is_job",
        "is_probe",
        "limits",
        "operation",
        "place",
        "quota_lines",
        "request",
        "runtime",
        "trace",
        "user",
    )

    def __init__(
        self,
        request_id: str,
        operation: str,
        request: Incoming,
        envelope: Envelope,
        place: Place,
        runtime: Runtime,
        limits: Limits,
        *,
        is_probe: bool = False,
    ) -> None:
        self.id = request_id
        self.operation = operation
        self.request = request
        self.envelope = envelope
        self.place = place
        self.runtime = runtime
        self.limits = limits
        self.is_probe = is_probe
        #: A deferred job: nobody waits for its answer on the line.
        self.is_job = False
        #: A keyed digest of the end user's id.
        self.user: str | None = None
        #: The W3C trace id.
        self.trace: str | None = None
        #: What it has taken of its caller's and its tenant's limits; None: they have none.
        self.grant: Grant | None = None
        #: Header lines that tell its caller what is left of them.
        self.quota_lines = ""
