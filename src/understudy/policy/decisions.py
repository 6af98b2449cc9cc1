"""What bounds a request's life, and what can be decided in it: the words of `delivery`."""

from __future__ import annotations

import msgspec

from understudy.core.outcomes import Attempt
from understudy.policy.targets import Target
from understudy.policy.verdict import Verdict

__all__ = [
    "Abandon",
    "Break",
    "Decision",
    "Finish",
    "Limits",
    "Refuse",
    "Start",
    "Wait",
]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What bounds a request. Durations in seconds."""

    #: A moment on the clock that `now` is read from.
    deadline: float
    first_token: float
    idle: float
    attempts: int
    stream: bool
    #: The caller's limit of output tokens, None where it set none.
    max_tokens: int | None = None
    #: The caller itself asked for less time than the feature has: what runs into that deadline is
    #: not the target's fault.
    hurried: bool = False


class Start(msgspec.Struct, frozen=True):
    """Begin an attempt at `target`. `retry`: it has been tried for this request before.

    `began`: the moment of the decision, by which health tells an attempt that began before a
    target was given up from one that tries it out.
    """

    target: Target
    attempt: Attempt
    retry: bool
    began: float


class Abandon(msgspec.Struct, frozen=True):
    """Drop the running attempt's connection."""


class Wait(msgspec.Struct, frozen=True):
    """Nothing to do until `Delivery.due`. A retry at `target` is promised."""

    target: Target


class Finish(msgspec.Struct, frozen=True):
    """The answer is whole: end the caller's response."""


class Refuse(msgspec.Struct, frozen=True):
    """Nothing has been sent: answer with this verdict."""

    verdict: Verdict


class Break(msgspec.Struct, frozen=True):
    """Content has been sent: end with the dialect's in-stream error, and no terminal event."""

    verdict: Verdict


Decision = Start | Abandon | Wait | Finish | Refuse | Break
