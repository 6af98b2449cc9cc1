"""What has been seen lately, counted: the evidence that causes are weighed by."""

from __future__ import annotations

from typing import Final

import msgspec

from understudy.policy.symptoms import Symptom

__all__ = ["OTHER", "STEP", "STEPS", "Count", "Seen", "Snapshot"]

#: Seconds of a step, and how many steps are remembered: five minutes.
STEP: Final = 5.0
STEPS: Final = 60
#: The name of everything for which there was no place of its own.
OTHER: Final = "(other)"


class Count(msgspec.Struct, frozen=True):
    """How many calls ended so, in each of the last `STEPS` steps, the newest first.

    `words` are the provider's status and code for it; empty for answers.
    """

    symptom: Symptom
    steps: tuple[int, ...]
    words: str = ""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of one feature and tenant at one target.

    `feature` is empty for what is not counted by feature: our own probes, and what is older than
    the window but has not been contradicted since, which stands in its oldest step.
    """

    provider: str
    #: `provider@account`.
    account: str
    #: `OTHER`: several that are counted together.
    model: str
    feature: str
    tenant: str | None
    #: The caller's dialect is not the one in which the provider was asked.
    translated: bool
    counts: tuple[Count, ...]
    #: `provider@account/model`.
    target: str
    #: How they ended.
    symptoms: frozenset[Symptom]


class Snapshot(msgspec.Struct, frozen=True):
    """Everything that was seen, as it stood at `at` (seconds of whatever clock)."""

    at: float
    seen: tuple[Seen, ...]
