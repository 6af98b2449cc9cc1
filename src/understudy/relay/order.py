"""A request that has been understood."""

from __future__ import annotations

import msgspec

from understudy.dialects.base import Envelope
from understudy.policy.allotments import Grant
from understudy.policy.decisions import Limits
from understudy.relay.http import Incoming
from understudy.relay.runtime import Place, Runtime

__all__ = ["Order"]


class Order(msgspec.Struct, kw_only=True, gc=False):
    """What is asked, by whom, of which feature, and how long it may take."""

    id: str
    operation: str
    request: Incoming
    envelope: Envelope
    place: Place
    runtime: Runtime
    limits: Limits
    #: A question of our own, to learn whether a target works: nobody waits for its answer.
    is_probe: bool = False
    #: A deferred job: nobody waits for its answer on the line.
    is_job: bool = False
    #: A keyed digest of the end user's id.
    user: str | None = None
    #: The W3C trace id.
    trace: str | None = None
    #: What it has taken of its caller's and its tenant's limits; None: they have none.
    grant: Grant | None = None
    #: Header lines that tell its caller what is left of them.
    quota_lines: str = ""
