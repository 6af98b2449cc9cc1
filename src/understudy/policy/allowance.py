"""How much of its rate limits a target has left: what the vendor tells, and what was taken since.

A target is one model at one account. Vendors limit an organisation, or one of its projects or
workspaces, for each model or class of models, in requests and tokens a minute
(https://platform.claude.com/docs/en/api/rate-limits,
https://platform.openai.com/docs/guides/rate-limits). What another model of the same class takes, or
another process with the same key, is seen in what the vendor tells next.

Limits are followed as buckets that refill all the time, a minute's worth in a minute, as Anthropic
says they are and OpenAI's reset times show. What begins empties them, and what a vendor tells
corrects them. No vendor says whether that stood when the attempt was let in or when its headers
were written, which for a whole answer may be a minute later. Both are allowed for:

- at least there is what was told, less what has been taken since that attempt began;
- at most there is what was told, or that with what has since been refilled and taken.

What is followed here stays between the two. For a stream, whose headers come soon, they are close.

Tokens are estimates until an answer tells of its usage. So the estimates are corrected by what past
answers used: a prompt that the vendor reads from its cache counts for little. A vendor that counts
`max_tokens` when it lets a request in (OpenAI: `reserves_output`) has it counted here; where output
counts as it is produced (Anthropic), answers are followed as they are written (`_Writing`).

A target that tells nothing but refuses all the same (429) has a limit that is learned: a little
less than what it served in the last minute, more from minute to minute, forgotten after a quarter
of an hour without another refusal.

Everything is O(1), and nothing here refuses: `wait` is advice.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Final

from understudy.core.quota import Level, Need, Quota, Unit
from understudy.policy.bucket import WINDOW_SECONDS, Bucket
from understudy.policy.tally import Tally

__all__ = ["Allowance"]

#: Attempts that may have begun since the one whose headers are read; older ones tell nothing new.
MARKS_KEPT: Final = 1024
#: A limit that has not been told for so long may have been changed, or lifted.
TOLD_SECONDS: Final = 600.0

#: How long an answer is taken to be until one is known, and how fast it is written, in tokens and
#: tokens a second: the order of what models do. What a vendor tells corrects both.
OUTPUT_UNKNOWN: Final = 500.0
OUTPUT_SPEED: Final = 50.0
#: How far one answer moves what is usual.
USUAL_STEP: Final = 0.05
#: Bounds of (tokens counted) / (tokens estimated): no odd usage makes a prompt weigh nothing.
SHARE_LEAST: Final = 0.01
SHARE_MOST: Final = 4.0

#: A learned limit: that share of what was served (the decrease of Netflix's AIMD limit), at first
#: no less than a request every two seconds (little that was served teaches little), at last one
#: every ten; growing by so much in a minute without a refusal, forgotten after.
LEARNED_SHARE: Final = 0.9
LEARNED_FIRST: Final = 30.0
LEARNED_LEAST: Final = 6.0
LEARNED_GROWTH: Final = 1.05
LEARNED_SECONDS: Final = 900.0

_NEVER: Final = float("-inf")

_REQUESTS: Final = 0
_INPUT: Final = 1
#: From here on, output counts.
_OUTPUT: Final = 2
_TOKENS: Final = 3
_KINDS: Final = {
    Unit.REQUESTS: _REQUESTS,
    Unit.INPUT_TOKENS: _INPUT,
    Unit.OUTPUT_TOKENS: _OUTPUT,
    Unit.TOKENS: _TOKENS,
}


class _Bucket(Bucket):
    """One limit as a vendor tells it."""

    __slots__ = ("heard", "kind", "told_at", "unit", "until")

    def __init__(self, unit: Unit, limit: float, level: float, now: float) -> None:
        super().__init__(limit, level, now)
        self.unit = unit
        self.kind = _KINDS[unit]
        #: When it was last told, until when that is worth anything, and the latest mark in it.
        self.told_at = now
        self.until = now
        self.heard = 0


class _Writing:
    """The answers under way at a vendor that counts output as it is produced.

    Each is expected to be as long as usual and written at `OUTPUT_SPEED`, so that what they use
    leaves the limit while they are written, not all at once when they end; and so that a burst of
    attempts is not let in by a limit that their answers will exceed.
    """

    __slots__ = ("_at", "_early", "_pending", "count", "usual")

    def __init__(self) -> None:
        self.count = 0
        #: Tokens of an answer; 0 while none is known.
        self.usual = 0.0
        #: Tokens still to be written, and those counted as written of answers that have not ended.
        self._pending = 0.0
        self._early = 0.0
        self._at = 0.0

    def expected(self) -> float:
        """Tokens of the next answer."""
        return self.usual if self.usual > 0.0 else OUTPUT_UNKNOWN

    def began(self) -> None:
        """One begins; `written` was asked just before."""
        self.count += 1
        self._pending += self.expected()

    def written(self, now: float) -> float:
        """Tokens written since this was last asked."""
        tokens = min(self._pending, self.count * OUTPUT_SPEED * (now - self._at))
        self._at = now
        self._pending -= tokens
        self._early += tokens
        return tokens

    def ended(self, output: float | None) -> float:
        """One has ended, of `output` tokens where that is known: those not counted before."""
        self.count = max(self.count - 1, 0)
        self._pending = min(self._pending, self.count * self.expected())
        more = 0.0
        if output is not None:
            step = USUAL_STEP if self.usual > 0.0 else 1.0
            self.usual += step * (output - self.usual)
            more = max(output - self._early, 0.0)
            self._early = max(self._early - output, 0.0)
        if not self.count:
            self._early = 0.0
        return more

    def holds(self, own: float, rate: float) -> float:
        """What of a limit that refills at `rate` is spoken for, beside one more answer of `own`.

        What is written no faster than the limit refills needs nothing of it, however long it takes.
        """
        speed = (self.count + 1) * OUTPUT_SPEED
        return max((self._pending + own) * (1.0 - rate / speed) - own, 0.0)


class Allowance:
    """The rate limits of one target. Times are in seconds of one clock that never goes back.

    Of every attempt it is told: `took` when it begins, `told` when its headers are there (a
    refusal's too, and then `throttled`), `used` when it has ended, however it did; or `gave_back`
    if it never began.

    Args:
        reserves_output: whether the vendor counts the most that an answer may be when it lets the
            request in, and not what is produced.
    """

    __slots__ = (
        "_began",
        "_buckets",
        "_count",
        "_counted",
        "_estimated",
        "_input",
        "_inputs",
        "_learned",
        "_learned_at",
        "_minute",
        "_output",
        "_outputs",
        "_served",
        "_shut_until",
        "_writing",
    )

    def __init__(self, *, reserves_output: bool = False) -> None:
        self._buckets: list[_Bucket] = []
        self._writing = None if reserves_output else _Writing()
        #: Attempts begun, and the tokens that they took in all.
        self._count = 0
        self._input = 0.0
        self._output = 0.0
        #: The same as it stood when each of the last attempts had begun, and when that was.
        self._began = array("d", bytes(8 * MARKS_KEPT))
        self._inputs = array("d", bytes(8 * MARKS_KEPT))
        self._outputs = array("d", bytes(8 * MARKS_KEPT))
        #: Usual tokens of prompts, as estimated and as counted.
        self._estimated = 1.0
        self._counted = 1.0
        self._shut_until = _NEVER
        #: good: attempts begun; bad: refused, or never made.
        self._minute = Tally()
        #: What was served in a minute, less a tenth, when a limit was last learned; and when.
        self._learned: _Bucket | None = None
        self._served = 0.0
        self._learned_at = _NEVER

    @property
    def taken(self) -> tuple[int, float, float]:
        """Attempts begun, their prompts' tokens, their answers' tokens: in all, as the provider
        counts them.
        """
        return self._count, self._input, self._output

    @property
    def is_told(self) -> bool:
        """The provider says what its limits are, so that it is worth knowing what was used."""
        return bool(self._buckets)

    def took(self, need: Need, now: float) -> int:
        """An attempt begins: what it needs is no longer there. Returns its mark."""
        taken = need.input * self._share()
        output = need.output
        writing = self._writing
        if writing is not None:
            self._write(writing, now)
            writing.began()
            output = 0.0
        for bucket in self._buckets:
            bucket.take(_of(bucket.kind, taken, output), now)
        if self._learned is not None:
            self._learned.take(1.0, now)
        self._minute.add_good(now)
        self._count += 1
        self._input += taken
        self._output += output
        place = self._count % MARKS_KEPT
        self._began[place] = now
        self._inputs[place] = self._input
        self._outputs[place] = self._output
        return self._count

    def gave_back(self, mark: int, now: float) -> None:
        """The attempt that has `mark` was never made: what it took is there again.

        It is not where the vendor has since told what there is.
        """
        if self._writing is not None:
            self._writing.ended(None)
        self._minute.add_bad(now)
        if self._learned is not None:
            self._learned.take(-1.0, now)
        if self._count - mark >= MARKS_KEPT - 1:
            return
        place, before = mark % MARKS_KEPT, (mark - 1) % MARKS_KEPT
        taken = self._inputs[place] - self._inputs[before]
        output = 0.0 if self._writing is not None else self._outputs[place] - self._outputs[before]
        for bucket in self._buckets:
            if bucket.heard < mark:
                bucket.take(-_of(bucket.kind, taken, output), now)

    def told(self, quotas: Iterable[Quota], mark: int, now: float) -> None:
        """The headers of the answer, or of the refusal, to the attempt that has `mark`."""
        since = self._count - mark
        if since >= MARKS_KEPT:
            return
        if self._writing is not None:
            self._write(self._writing, now)
        place = mark % MARKS_KEPT
        passed = now - self._began[place]
        taken = self._input - self._inputs[place]
        output = self._output - self._outputs[place]
        for quota in quotas:
            kind = _KINDS[quota.unit]
            amount = float(since) if kind == _REQUESTS else _of(kind, taken, output)
            bucket = self._hear(quota, kind, amount, passed, now)
            if bucket is not None and mark > bucket.heard:
                bucket.heard = mark

    def used(self, need: Need, actual: Need | None, now: float) -> None:
        """An attempt that needed `need` has ended; `actual` where its usage is known.

        Its prompt was counted when it began, and what was wrong about that shows in what the
        vendor tells; but the next estimate is the better for it.
        """
        if actual is not None and need.input > 0.0 and actual.input > 0.0:
            self._estimated += USUAL_STEP * (need.input - self._estimated)
            self._counted += USUAL_STEP * (actual.input - self._counted)
        writing = self._writing
        if writing is not None:
            self._write(writing, now)
            self._take_output(writing.ended(None if actual is None else actual.output), now)

    def throttled(self, retry_after: float | None, now: float) -> None:
        """A refusal (429), after its headers were told: nothing before `retry_after` seconds.

        Where no limit has been told of within the last minute, one is learned.
        """
        if retry_after is not None:
            self._shut_until = max(self._shut_until, now + retry_after)
        self._minute.add_bad(now)
        for bucket in self._buckets:
            if now - bucket.told_at < WINDOW_SECONDS:
                return
        begun, not_served = self._minute.counts(now)
        served = max(LEARNED_SHARE * (begun - not_served), LEARNED_FIRST)
        learned = self._relearned(now)
        if learned is not None:
            # Refused all the same: a tenth less for every second of it. The last minute may still
            # hold a burst that the limit allows but once.
            served = min(served, learned.limit * LEARNED_SHARE ** min(now - self._learned_at, 1.0))
        self._served = max(served, LEARNED_LEAST)
        # The next one is let in when it was said to be, or a turn later.
        level = 0.0 if retry_after is None else 1.0 - retry_after * self._served / WINDOW_SECONDS
        self._learned = _Bucket(Unit.REQUESTS, self._served, level, now)
        self._learned_at = now

    def wait(self, need: Need, now: float, reserve: float = 0.0) -> float:
        """Seconds until there is enough for `need`, with `reserve` of each limit left for others.

        0.0: now, and where nothing is known. Not 0.0: to be asked again by then. `reserve` is a
        share, 0 to 1. What needs more than a whole limit waits until all of it is there.
        """
        longest = self.told_wait(need, now, reserve)
        learned = self._relearned(now)
        if learned is None:
            return longest
        return max(longest, learned.wait(1.0 + reserve * learned.limit, now))

    def told_wait(self, need: Need, now: float, reserve: float = 0.0) -> float:
        """The same by what the provider has said alone: what was learned is a guess."""
        longest = max(self._shut_until - now, 0.0)
        if not self._buckets:
            return longest
        taken = need.input * self._share()
        output = need.output
        writing = self._writing
        if writing is not None:
            self._write(writing, now)
            output = min(output, writing.expected())
        for bucket in self._buckets:
            held = 0.0
            if writing is not None and bucket.kind >= _OUTPUT:
                held = writing.holds(output, bucket.rate)
            amount = _of(bucket.kind, taken, output) + reserve * bucket.limit
            seconds = bucket.wait(amount, now, held)
            if seconds > longest and now < bucket.until:
                longest = seconds
        return longest

    def levels(self, now: float) -> list[Level]:
        """What there is of each limit that is known, for views."""
        if self._writing is not None:
            self._write(self._writing, now)
        levels = [
            Level(
                unit=bucket.unit,
                limit=bucket.limit,
                left=max(bucket.left(now), 0.0),
                age=now - bucket.told_at,
            )
            for bucket in self._buckets
            if now < bucket.until
        ]
        learned = self._relearned(now)
        if learned is not None:
            left = max(learned.left(now), 0.0)
            levels.append(Level(unit=learned.unit, limit=learned.limit, left=left, age=None))
        return levels

    def _share(self) -> float:
        """What a token of an estimate counts for."""
        return min(max(self._counted / self._estimated, SHARE_LEAST), SHARE_MOST)

    def _write(self, writing: _Writing, now: float) -> None:
        """What has been written until now is used."""
        self._take_output(writing.written(now), now)

    def _take_output(self, tokens: float, now: float) -> None:
        if tokens <= 0.0:
            return
        self._output += tokens
        for bucket in self._buckets:
            if bucket.kind >= _OUTPUT:
                bucket.take(tokens, now)

    def _hear(
        self, quota: Quota, kind: int, taken: float, passed: float, now: float
    ) -> _Bucket | None:
        """A limit is told, by an attempt that began `passed` seconds ago; `taken` went since."""
        told = quota.remaining
        limit = quota.limit
        bucket = self._bucket(kind)
        if limit is None:
            limit = told if bucket is None else max(bucket.limit, told)
        if limit <= 0.0:
            return None
        told = max(told - quota.rounding / 2.0, 0.0)
        if bucket is None:
            bucket = _Bucket(quota.unit, limit, told - taken, now)
            self._buckets.append(bucket)
        full_in = quota.full_in
        bucket.limit = limit
        bucket.rate = _rate(limit, limit - told, full_in)
        bucket.told_at = now
        bucket.until = now + max(TOLD_SECONDS, 0.0 if full_in is None else full_in)
        most = min(max(told, told + passed * bucket.rate - taken), limit)
        bucket.level = max(min(bucket.left(now), most), told - taken)
        return bucket

    def _bucket(self, kind: int) -> _Bucket | None:
        for bucket in self._buckets:
            if bucket.kind == kind:
                return bucket
        return None

    def _relearned(self, now: float) -> _Bucket | None:
        """The learned limit as it has grown until now; None if there is none, or no more."""
        learned = self._learned
        if learned is None:
            return None
        elapsed = now - self._learned_at
        if elapsed >= LEARNED_SECONDS:
            self._learned = None
            return None
        learned.limit = self._served * LEARNED_GROWTH ** (elapsed / WINDOW_SECONDS)
        learned.rate = learned.limit / WINDOW_SECONDS
        return learned


def _of(kind: int, taken: float, output: float) -> float:
    """What a limit of that kind counts of an attempt of so many tokens of prompt and of answer."""
    if kind == _REQUESTS:
        return 1.0
    if kind == _INPUT:
        return taken
    return output if kind == _OUTPUT else taken + output


def _rate(limit: float, missing: float, full_in: float | None) -> float:
    """What comes back a second, by the time that what is missing takes.

    A minute's limit is whole within a minute. One that takes longer is by the hour or the day, as
    the requests in Groq's headers are (https://console.groq.com/docs/rate-limits).
    """
    rate = limit / WINDOW_SECONDS
    if full_in is not None and full_in > WINDOW_SECONDS and missing > 0.0:
        return min(missing / full_in, rate)
    return rate
