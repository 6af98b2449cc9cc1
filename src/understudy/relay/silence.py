"""How long a caller whose stream is open, or who is kept, may hear nothing."""

from __future__ import annotations

from typing import Final

__all__ = ["SIGN_OF_LIFE_SECONDS", "Silence"]

#: Seconds after which a caller gets a sign of life: proxies and clients give up on silence (Claude
#: Code after 300 s, load balancers after 60 s), people sooner.
SIGN_OF_LIFE_SECONDS: Final = 14.0
#: Seconds until a caller that does not keep up is looked at again.
PAUSED_SECONDS: Final = 1.0
_NEVER: Final = float("inf")


class Silence:
    """What one caller heard last. `ends`: when it must be looked at whether it is to hear from us;
    `said_at`: when it last got a byte.
    """

    __slots__ = ("ends", "said_at")

    def __init__(self) -> None:
        self.ends = _NEVER
        self.said_at = 0.0

    def begins(self, now: float) -> None:
        """From now on the caller must not wait in silence, if that was not so before."""
        if self.ends == _NEVER:
            self.said_at = now
            self.ends = now + SIGN_OF_LIFE_SECONDS

    def over(self) -> None:
        """Nothing is to be said but the answer."""
        self.ends = _NEVER

    def is_long(self, now: float) -> bool:
        """It is time for a sign of life."""
        return now - self.said_at >= SIGN_OF_LIFE_SECONDS

    def looked(self, now: float, *, paused: bool) -> None:
        """`ends` has come, and the caller has got its sign of life, if it was time for one."""
        self.ends = now + PAUSED_SECONDS if paused else self.said_at + SIGN_OF_LIFE_SECONDS
