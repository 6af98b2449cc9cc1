"""What goes over the wire of the operator's API, for both of its sides."""

from __future__ import annotations

import msgspec

from understudy.policy.pulls import By, Reason
from understudy.services.health_view import PullView

__all__ = [
    "PREFIX",
    "Accepted",
    "Done",
    "Error",
    "ErrorBody",
    "PullRequest",
    "RestoreRequest",
    "TargetRow",
    "Targets",
]

#: Where it is mounted.
PREFIX = "/admin/api"


class PullRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Takes a node out of use."""

    reason: Reason
    by: By = "operator"


class RestoreRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Brings a node back: in one step, or by slow start."""

    slowly: bool = False


class Done(msgspec.Struct, kw_only=True):
    """What a pull or a restore was about."""

    pull: PullView
    #: It survives a restart. If not, or where other processes have not heard of it yet, `warning`
    #: says why.
    kept: bool
    warning: str | None = None


class Accepted(msgspec.Struct, kw_only=True):
    """What was doubted of a model's answers, and counts as usual from now on."""

    model: str
    reason: str


class TargetRow(msgspec.Struct, kw_only=True):
    """A target, and the pull that keeps it out of use."""

    node: str
    provider: str
    account: str
    model: str
    features: list[str]
    pull: PullView | None


class Targets(msgspec.Struct, kw_only=True):
    """What there is to pull, and what is pulled."""

    nodes: list[str]
    targets: list[TargetRow]
    pulls: list[PullView]


class Error(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is wrong with a request."""

    code: str
    message: str
    #: The field of the body, or `node` for the path.
    field: str | None = None
    #: The names that would be right.
    known: list[str] = []


class ErrorBody(msgspec.Struct, kw_only=True):
    """The body of every answer from 400 on."""

    error: Error
