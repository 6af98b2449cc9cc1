"""What bounds a request's life, and what can be decided in it: the words of `delivery`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from understudy.policy.gates import Gates, Ticket
from understudy.policy.plans import NOBODYS, Claim
from understudy.policy.start import Start
from understudy.policy.targets import Health, Target
from understudy.policy.verdict import Verdict

__all__ = [
    "Break",
    "Budget",
    "Decision",
    "Ended",
    "Finish",
    "Hedges",
    "Limits",
    "Pace",
    "Queue",
    "Refuse",
    "Start",
    "Stream",
    "Surroundings",
    "Wait",
]


#: Seconds between two looks of one that waits for its turn, at whether something better has turned
#: up. Whoever keeps time asks it at once when its turn has come (`Ticket.granted`).
LOOK_SECONDS = 1.0


class Budget(Protocol):
    """The retry budget: see `understudy.policy.budget.RetryBudget`."""

    def allows(self, key: str, now: float) -> bool:
        """Whether one more same-target retry is within it."""
        ...


class Hedges(Protocol):
    """The budget of second attempts: see `understudy.policy.budget.HedgeBudget`."""

    def allows(self, key: str, now: float) -> bool:
        """Whether one more attempt beside a slow one at this target is within it."""
        ...


class Pace(Protocol):
    """How long targets take: see `understudy.policy.latency.Latencies`. Seconds."""

    def first_token(self, key: str) -> float:
        """How long a stream of this target may take to its first content."""
        ...

    def hedge_after(self, key: str) -> float | None:
        """When a stream of this target is slow enough for a second attempt; None: unknown."""
        ...

    def whole_answer(self, key: str) -> float | None:
        """How long a whole answer of this target takes at most; None: unknown."""
        ...


class Surroundings(msgspec.Struct, frozen=True):
    """What requests share and a life reads. `draw` gives a number in [0, 1), for jitter."""

    health: Health
    budget: Budget
    hedges: Hedges
    pace: Pace
    gates: Gates
    draw: Callable[[], float]


class Stream(Protocol):
    """What a life may ask of the answer under way. Moments on the clock that `now` is read from."""

    @property
    def heard_at(self) -> float:
        """When the provider's last bytes came."""
        ...

    @property
    def progressed_at(self) -> float:
        """When the last of them came that carried content."""
        ...

    @property
    def progress(self) -> int:
        """Bytes of content's events so far."""
        ...

    def standing(self) -> int | None:
        """How many characters of the answer the caller has; None where no other target can go on
        from there.
        """
        ...


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
    #: `first_token` is learned from each target's own history.
    learned: bool = False
    #: A stream that breaks after its first content goes on at the next target.
    continues: bool = False
    #: A second attempt after so long without content; 0: after the target's own p95; None: never.
    hedge: float | None = None
    #: Nothing can serve it: its caller is kept so long for a recovery; 0: not at all.
    hold: float = 0.0
    #: What it needs of its targets' limits.
    claim: Claim = NOBODYS

    def patience(self, since: float) -> float:
        """Seconds that it waits for its turn, from `since` on: background as long as leaves it the
        time to be answered, what people wait for no longer than for a first token.
        """
        half = (self.deadline - since) / 2.0
        return half if self.claim.background else min(self.first_token, half)

    def next_look(self, since: float, now: float) -> float:
        """When one that has waited for its turn `since` then looks at the next."""
        return max(now, min(now + LOOK_SECONDS, since + self.patience(since)))


class Ended(msgspec.Struct, frozen=True):
    """This attempt is over: drop what is left of it, and tell those who read outcomes."""

    start: Start


class Wait(msgspec.Struct, frozen=True):
    """Nothing to do until `Delivery.due`. A retry at `target` is promised."""

    target: Target


class Queue(msgspec.Struct, frozen=True):
    """Nothing to do until `Delivery.due`: it waits for one of `targets`, none of which can take it
    now; `Gates.enter` is to be told.
    """

    ticket: Ticket
    targets: tuple[Target, ...]


class Hold(msgspec.Struct, frozen=True):
    """Nothing to do until `Delivery.due`: nothing can serve it, and its caller is kept. A retry
    that was promised is no longer.
    """


class Finish(msgspec.Struct, frozen=True):
    """The answer is whole: end the caller's response."""


class Refuse(msgspec.Struct, frozen=True):
    """Nothing has been sent: answer with this verdict."""

    verdict: Verdict


class Break(msgspec.Struct, frozen=True):
    """Content has been sent: end with the dialect's in-stream error, and no terminal event."""

    verdict: Verdict


Decision = Start | Ended | Wait | Queue | Hold | Finish | Refuse | Break
