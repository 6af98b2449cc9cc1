"""What follows an attempt to tell somebody that a job has ended.

By Standard Webhooks 1.0.0, "Deliverability and reliability"
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md): its
schedule of retries as far as a day goes, because results are kept no longer by default.
"""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["TOLD_SECONDS_MAX", "Again", "Delivered", "GivenUp", "follows"]

#: Seconds after the first, second … attempt: the last is made 17½ hours after the first.
DELAYS: Final = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0)
#: Each is made shorter or longer by a random part up to this, so that what failed together does not
#: come back together.
JITTER: Final = 0.2
#: Whoever asks for longer gets this.
LONGEST: Final = DELAYS[-1]
#: A webhook that is short of capacity is left alone so long, if it does not say how long itself.
REST_SECONDS: Final = 5.0
#: Word of what is longer ago is of no use to anybody.
TOLD_SECONDS_MAX: Final = 86_400.0

#: Too many requests, or a sign of load: where to throttle, or where `Retry-After` is usual.
_SHORT: Final = frozenset({429, 502, 503, 504})


class Delivered(msgspec.Struct, frozen=True):
    """It has been told."""


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """It is told again in so many seconds.

    `rest`: the webhook is told nothing else for so long. `is_gone`: it wants to be told nothing
    any more.
    """

    seconds: float
    rest: float = 0.0
    is_gone: bool = False


class GivenUp(msgspec.Struct, frozen=True):
    """It has been tried often enough."""


def follows(
    status: int | None, *, attempts: int, retry_after: float | None, chance: float
) -> Delivered | Again | GivenUp:
    """What follows the answer `status`; None: there was none.

    `attempts`: how many there were, this one included. `retry_after`: seconds for which the answer
    asks to be left alone. `chance` in [0, 1) draws the jitter.
    """
    if status is not None and 200 <= status < 300:
        return Delivered()
    if attempts > len(DELAYS):
        return GivenUp()
    asked = min(retry_after or 0.0, LONGEST)
    delay = DELAYS[max(attempts, 1) - 1] * (1.0 - JITTER + 2.0 * JITTER * chance)
    return Again(
        seconds=max(delay, asked),
        rest=max(asked, REST_SECONDS) if status in _SHORT else 0.0,
        is_gone=status == 410,
    )
