"""What one holder of an allotment has used of it, as far as this process knows."""

from __future__ import annotations

from typing import Final

from understudy.core.allotment import Allotment, Holder, Limit, Limited, Shortage, Taken
from understudy.policy.bucket import Bucket

__all__ = ["SILENT_SECONDS", "Meter"]

#: Requests under way in a process that has not been heard of for so long are taken to be over.
SILENT_SECONDS: Final = 5.0
#: Nobody knows when a request under way will end; this is what one who asks is told.
SOON_SECONDS: Final = 1.0
#: Less than this many seconds short is a matter of rounding.
ENOUGH: Final = 1e-6

_NEVER: Final = float("-inf")


class Meter:
    """One holder's allotment in use.

    Args:
        holder: whose it is.
        parts: how many processes share it without hearing of each other; 1: it is all ours, and
            what others take is heard of.
        now: the time, as in every method: seconds of one clock.
    """

    __slots__ = (
        "_elsewhere",
        "_has_heard",
        "_limited_at",
        "_limited_by",
        "_parts",
        "_untold_requests",
        "_untold_tokens",
        "allotment",
        "elsewhere",
        "key",
        "requests",
        "running",
        "tokens",
    )

    def __init__(self, holder: Holder, parts: int, now: float) -> None:
        self.key = holder.key
        self.allotment = holder.allotment
        self.requests = _bucket(holder.allotment.requests, parts, now)
        self.tokens = _bucket(holder.allotment.tokens, parts, now)
        #: Requests under way here, and in other processes.
        self.running = 0
        self.elsewhere = 0
        self._parts = parts
        #: Process → requests under way there, and when it said so.
        self._elsewhere: dict[str, tuple[int, float]] = {}
        self._has_heard = False
        self._untold_requests = 0
        self._untold_tokens = 0
        self._limited_at = _NEVER
        self._limited_by = Limit.REQUESTS

    # -- requests -----------------------------------------------------------------------------

    def shortage(self, tokens: int, *, runs: bool, now: float) -> Shortage | None:
        """What keeps a request out that may need so many tokens, the longest wait of them; None if
        there is room. `runs`: it counts as one under way.
        """
        allotment, found = self.allotment, None
        longest = ENOUGH
        if self.requests is not None:
            wait = self.requests.wait(1.0, now)
            if wait > longest:
                longest = wait
                found = Shortage(self.key, Limit.REQUESTS, allotment.requests or 0, wait)
        if self.tokens is not None and tokens:
            wait = self.tokens.wait(tokens, now)
            if wait > longest:
                longest = wait
                found = Shortage(self.key, Limit.TOKENS, allotment.tokens or 0, wait)
        most = allotment.concurrency
        if most is not None and runs and longest < SOON_SECONDS:
            here = max(most // self._parts, 1)
            if self.running + self.elsewhere >= here:
                found = Shortage(self.key, Limit.CONCURRENCY, most, SOON_SECONDS)
        return found

    def limited(self, limit: Limit, now: float) -> None:
        """A request was refused for the want of this."""
        self._limited_at, self._limited_by = now, limit

    def take(self, tokens: int, *, runs: bool, now: float) -> int:
        """A request begins. Gives the tokens that are kept for it: never more than all there are,
        because an estimate is no reason to owe.
        """
        if self.requests is not None:
            self.requests.take(1.0, now)
            self._untold_requests += 1
        if runs:
            self.running += 1
        if self.tokens is None:
            return 0
        kept = min(tokens, int(self.tokens.limit))
        self.spend(kept, now)
        return kept

    def spend(self, tokens: int, now: float) -> None:
        """So many tokens more are used; given back where it is below zero."""
        if self.tokens is not None:
            self.tokens.take(tokens, now)
            self._untold_tokens += tokens

    # -- settings -----------------------------------------------------------------------------

    def change(self, after: Allotment, now: float) -> None:
        """The settings allow it something else: what is used stays used."""
        before, self.allotment = self.allotment, after
        if before.requests != after.requests:
            self.requests = _changed(self.requests, after.requests, self._parts, now)
        if before.tokens != after.tokens:
            self.tokens = _changed(self.tokens, after.tokens, self._parts, now)

    def divide(self, parts: int, now: float) -> None:
        """From now on so many processes share it without hearing of each other."""
        self._parts = parts
        allotment = self.allotment
        if self.requests is not None and allotment.requests is not None:
            self.requests.resize(allotment.requests / parts, now)
        if self.tokens is not None and allotment.tokens is not None:
            self.tokens.resize(allotment.tokens / parts, now)

    # -- other processes ----------------------------------------------------------------------

    def tell(self, now: float) -> Taken:
        """What the others should know; it counts as told."""
        taken = Taken(
            self.key,
            self._untold_requests,
            self._untold_tokens,
            self.running,
            _left(self.requests, now),
            _left(self.tokens, now),
        )
        self._untold_requests = self._untold_tokens = 0
        return taken

    def hear(self, sender: str, taken: Taken, now: float) -> None:
        """What another process has taken.

        The first that is heard also tells what is left: this process may be younger than the use
        that others have made of it.
        """
        _hear(self.requests, taken.requests, taken.requests_left, now, first=not self._has_heard)
        _hear(self.tokens, taken.tokens, taken.tokens_left, now, first=not self._has_heard)
        self._has_heard = True
        if taken.running > 0:
            self._elsewhere[sender] = taken.running, now
        else:
            self._elsewhere.pop(sender, None)
        self.elsewhere = sum(count for count, _ in self._elsewhere.values())

    def forget_silent(self, now: float) -> None:
        """Requests under way in processes that are silent are over."""
        if self._elsewhere:
            self._elsewhere = {
                sender: (count, at)
                for sender, (count, at) in self._elsewhere.items()
                if now - at < SILENT_SECONDS
            }
            self.elsewhere = sum(count for count, _ in self._elsewhere.values())

    # -- views --------------------------------------------------------------------------------

    def is_idle(self, now: float) -> bool:
        """Nothing of it is used: it can be made anew."""
        return (
            self.running == 0
            and self.elsewhere == 0
            and (self.requests is None or self.requests.left(now) >= self.requests.limit)
            and (self.tokens is None or self.tokens.left(now) >= self.tokens.limit)
        )

    def standing(self, now: float) -> Limited:
        """How its holder stands, who was refused once."""
        return Limited(
            key=self.key,
            limit=self._limited_by,
            ago=round(now - self._limited_at, 1),
            requests_left=_left(self.requests, now),
            tokens_left=_left(self.tokens, now),
            under_way=self.running + self.elsewhere,
        )

    def was_limited(self, within: float, now: float) -> bool:
        """Whether a request was refused in the last `within` seconds."""
        return now - self._limited_at < within


def _bucket(limit: int | None, parts: int, now: float) -> Bucket | None:
    return None if limit is None else Bucket(limit / parts, limit / parts, now)


def _changed(bucket: Bucket | None, limit: int | None, parts: int, now: float) -> Bucket | None:
    if bucket is None or limit is None:
        return _bucket(limit, parts, now)
    bucket.change(limit / parts, now)
    return bucket


def _left(bucket: Bucket | None, now: float) -> int | None:
    return None if bucket is None else int(max(bucket.left(now), 0.0))


def _hear(bucket: Bucket | None, amount: int, left: int | None, now: float, *, first: bool) -> None:
    if bucket is None:
        return
    bucket.take(amount, now)
    if first and left is not None:
        bucket.level = min(bucket.level, left)
