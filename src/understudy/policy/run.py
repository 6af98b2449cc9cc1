"""One attempt under way, and the watchdogs that it is held to."""

from __future__ import annotations

from typing import Final

from understudy.core.faults import Fault, Kind, Scope
from understudy.policy.decisions import Limits, Pace, Start, Stream
from understudy.policy.plans import Target

__all__ = ["DRIP_BYTES_PER_SECOND", "GIVEN_UP", "PATIENCE", "Run", "held_to", "slow_at"]

_NO_BEGINNING: Final = "first_token_timeout"
_NO_ANSWER: Final = "answer_timeout"
#: Codes of the faults of attempts that were given up while they might still have answered.
GIVEN_UP: Final = frozenset({_NO_BEGINNING, _NO_ANSWER})

#: A stream whose bytes keep coming may go without content for so many times `idle`: pings are not
#: progress, but a model that thinks in silence sends nothing else.
PATIENCE: Final = 4.0
#: A stream that brings less than this of content's events, over that same time, will not end in
#: anybody's lifetime: a chunk of one token is 100 to 250 bytes, so this is a token in 3 to 6 s.
DRIP_BYTES_PER_SECOND: Final = 40.0
#: How long a whole answer of n tokens may take: Anthropic's SDK reckons with an hour for 128,000
#: tokens when it guards non-streaming requests (`_calculate_nonstreaming_timeout`).
SECONDS_PER_TOKEN: Final = 3600.0 / 128_000.0
_NEVER: Final = float("inf")


class Run:
    """Watches one attempt. `due`: when it must be looked at again.

    Args:
        start: the attempt.
        entitled: until when it may go without content and nobody can blame it.
        due: until when it is given; may be sooner where others must have their turn, or later where
            there is no other.
    """

    __slots__ = ("_mark", "_mark_at", "due", "entitled", "has_content", "start")

    def __init__(self, start: Start, entitled: float, due: float) -> None:
        self.start = start
        self.entitled = entitled
        self.due = due
        self.has_content = False
        #: How far it had come, and when that was noted: where a window for drips begins.
        self._mark = 0
        self._mark_at = 0.0

    def content(self, now: float, limits: Limits) -> None:
        """It has shown its first content."""
        self.has_content = True
        self._mark = 0
        self._mark_at = now
        self.due = now + limits.idle

    def excuse(self, now: float, stream: Stream) -> None:
        """What it brought until now says nothing: somebody else made it wait."""
        self._mark, self._mark_at = stream.progress, now

    def look(self, now: float, limits: Limits, stream: Stream) -> Fault | None:
        """What is wrong with it at `now`, once it was due; sets the next `due`."""
        if not self.has_content:
            return self.late(now, limits) if now >= self.due else None
        # Moments are compared, not durations: a moment that was asked for must also be reached.
        patience = PATIENCE * limits.idle
        silence_ends = stream.heard_at + limits.idle
        if now >= silence_ends:
            seconds = now - stream.heard_at
            return _slow("idle_timeout", f"the stream fell silent for {seconds:.1f} s")
        stall_ends = stream.progressed_at + patience
        if now >= stall_ends:
            seconds = now - stream.progressed_at
            return _slow("no_progress", f"nothing but signs of life for {seconds:.1f} s")
        if now >= self._mark_at + patience:
            brought, seconds = stream.progress - self._mark, now - self._mark_at
            if brought < DRIP_BYTES_PER_SECOND * seconds:
                return _slow("slow_drip", f"{brought} bytes of content in {seconds:.0f} s")
            self._mark, self._mark_at = stream.progress, now
        self.due = min(silence_ends, stall_ends, self._mark_at + patience)
        return None

    def late(self, now: float, limits: Limits) -> Fault:
        """The fault of having shown no content by `now`."""
        return Fault(
            kind=Kind.SLOW,
            scope=Scope.MODEL,
            code=_NO_BEGINNING if limits.stream else _NO_ANSWER,
            message=f"no content within {now - self.start.began:.1f} s",
        )


def held_to(start: Start, now: float, limits: Limits, pace: Pace, *, is_last: bool) -> Run:
    """The watch over an attempt that begins now: how long it may take to its first content.

    Only a stream shows its first token. A whole answer shows nothing until it is complete, so it
    gets the time that its length may need, and never so much that no other target could have a turn
    before the deadline; all that is left where none could anyway (`is_last`). Having less than it
    is entitled to is the caller's hurry, or earlier attempts' doing, and no fault of the target's.
    """
    key = start.target.key
    fair = pace.first_token(key) if limits.learned and limits.stream else limits.first_token
    if limits.stream:
        return Run(start, now + fair, now + fair)
    known = pace.whole_answer(key) if limits.learned else None
    if limits.max_tokens is not None:
        fair += limits.max_tokens * SECONDS_PER_TOKEN
    elif limits.hurried or known is not None:
        fair = _NEVER
    if known is not None:
        fair = min(fair, max(known, limits.first_token))
    entitled = now + fair
    if is_last:
        return Run(start, entitled, limits.deadline)
    half = now + (limits.deadline - now) / 2.0
    bounded = limits.max_tokens is not None or known is not None
    return Run(start, entitled, min(half, entitled) if bounded else half)


def slow_at(target: Target, now: float, limits: Limits, pace: Pace) -> float:
    """When an attempt that begins now is slow enough for one beside it; infinity: never."""
    if limits.hedge is None or not limits.stream:
        return _NEVER
    after = limits.hedge or pace.hedge_after(target.key)
    return _NEVER if after is None else now + after


def _slow(code: str, message: str) -> Fault:
    return Fault(kind=Kind.SLOW, scope=Scope.MODEL, status=200, code=code, message=message)
