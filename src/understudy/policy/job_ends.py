"""What follows when a job was run once: its end, or another time.

A job that fails through an outage goes back to wait, and waiting costs it nothing. One that fails
by its own fault ends, with the answer that its caller would have had. Between the two is what looks
like an outage to this job alone: a fault of ours, or a deadline that passed while the same target
answered others. That is tried a few times, and no more: every time is paid for.
"""

from __future__ import annotations

from typing import Final

import msgspec

from understudy.core.faults import Kind
from understudy.policy.verdict import Verdict

__all__ = ["MOST_ATTEMPTS", "Back", "End", "barred", "follows", "orphaned"]

#: Times that a job is begun in vain without an outage to blame, or by a process that then died.
MOST_ATTEMPTS: Final = 10
#: The longest wait before the next time: min(60 s, 2 s · 2ⁿ), a random part of it (full jitter:
#: Amazon Builders' Library, "Timeouts, retries and backoff with jitter"). Whether a target serves
#: by then is asked when the job is claimed.
WAIT_SECONDS: Final = 2.0
WAIT_SECONDS_MAX: Final = 60.0
#: The same for what was begun in vain while others were answered.
VAIN_SECONDS_MAX: Final = 600.0

#: What was under way when its process died is begun again at once after the first death, and
#: min(600 s, 5 s · 2ⁿ) later after others. A process that dies again and again, for whatever
#: reason, takes the job with it each time: its attempts must outlast that. They take 20 minutes.
ORPHANED_SECONDS: Final = 5.0
ORPHANED_SECONDS_MAX: Final = 600.0

#: What the settings bar is looked at again after min(600 s, 15 s · 2ⁿ), half of it random: long
#: enough not to fill the store with events, short enough for whoever mends them.
BARRED_SECONDS: Final = 15.0
BARRED_SECONDS_MAX: Final = 600.0

#: Verdicts of requests that ran, and were not answered in time.
_LATE: Final = frozenset({"deadline_exceeded", "stream_broken"})


class End(msgspec.Struct, frozen=True):
    """It is over, and the answer is its result."""

    succeeded: bool


class Back(msgspec.Struct, frozen=True):
    """It waits again, for `seconds` at least. `counted`: that was an attempt."""

    seconds: float
    counted: bool


def follows(
    verdict: Verdict | None, *, attempts: int, claims: int, others_served: bool, chance: float
) -> End | Back:
    """What follows a run that ended with `verdict`; None: it succeeded.

    `attempts`: how often the job was begun for good, this time included; `claims`: how often at
    all. `others_served`: a target that it was tried at has answered somebody meanwhile. `chance` in
    [0, 1) draws the jitter.
    """
    if verdict is None:
        return End(succeeded=True)
    if verdict.is_callers:
        return End(succeeded=False)
    is_ours = verdict.fault is not None and verdict.fault.kind is Kind.INTERNAL
    counted = is_ours or (verdict.code in _LATE and others_served)
    if counted and attempts >= MOST_ATTEMPTS:
        return End(succeeded=False)
    longest = VAIN_SECONDS_MAX if counted else WAIT_SECONDS_MAX
    # Far beyond the longest wait; without it many claims would overflow a float.
    doublings = min(max(claims - 1, 0), 16)
    return Back(chance * min(longest, WAIT_SECONDS * 2.0**doublings), counted)


def orphaned(attempts: int) -> float:
    """Seconds that a job waits whose process died while it was begun for the `attempts`-th time."""
    if attempts <= 1:
        return 0.0
    return min(ORPHANED_SECONDS_MAX, ORPHANED_SECONDS * 2.0 ** min(attempts - 2, 16))


def barred(*, claims: int, chance: float) -> Back:
    """What follows where the settings keep a job from being begun, because its key is missing, or
    what it asks for is served no more: it waits for others, and that is no attempt. `claims` and
    `chance` as for `follows`.
    """
    doublings = min(max(claims - 1, 0), 16)
    longest = min(BARRED_SECONDS_MAX, BARRED_SECONDS * 2.0**doublings)
    return Back(longest * (0.5 + 0.5 * chance), counted=False)
