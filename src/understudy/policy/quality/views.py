"""What is shown of content health, and what is told when it changes."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from understudy.policy.quality.signs import Sign

__all__ = ["Change", "Event", "QualityView", "SignView"]


class Event(StrEnum):
    """What has become of a doubt."""

    #: A model's answers are no longer what they were.
    DOUBTED = "doubted"
    #: They are again.
    RECOVERED = "recovered"
    #: They stay as they are, and count as usual from now on.
    ACCEPTED = "accepted"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A doubt that has come or gone, to be told once. `at`: seconds of the caller's clock."""

    model: str
    sign: Sign
    event: Event
    words: str
    at: float


class SignView(msgspec.Struct, frozen=True, kw_only=True):
    """One sign of a model, over all of its features."""

    sign: str
    #: How much speaks for a change, from 0; see `understudy.policy.quality.change`.
    score: float
    doubted: bool
    #: Answers judged by it since the process began, and those of them that showed it (of a length:
    #: that were far from the usual).
    answers: int
    shown: int


class QualityView(msgspec.Struct, frozen=True, kw_only=True):
    """The content health of one model (`provider/model`, all of its accounts together)."""

    model: str
    #: Why its answers are doubted; None: they are not.
    reason: str | None
    #: Seconds since it has been doubted, and until the next of its calls that reaches it all the
    #: same; None where it is not doubted.
    doubted_for: float | None
    trial_in: float | None
    #: Answers whose text was looked at.
    samples: int
    signs: tuple[SignView, ...]
