"""What a caller is told when its request could not be served, and in which words.

Two readers: a program (`status`, `code`, `retry_after`) and the person who pressed the button
(`words`: what is the matter, as far as it is known, and what to do; nothing about whose fault).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from understudy.core.faults import Fault, Kind
from understudy.core.outcomes import Attempt

__all__ = [
    "Verdict",
    "breaking_fault",
    "broken_off",
    "cannot_serve",
    "crowded_out",
    "give_back",
    "last_faults",
    "out_of_time",
]

#: Seconds named to callers when nothing better is known: one opening of a breaker.
RETRY_AFTER_DEFAULT = 15.0
#: Where only a human can mend it: no sooner than this.
RETRY_AFTER_HUMAN = 300.0

#: Kind of the last word-giving fault → what people are told.
WORDS: dict[Kind, str] = {
    Kind.THROTTLED: "Too many AI requests are being made right now.",
    Kind.OVERLOAD: "The AI provider is overloaded right now.",
    Kind.OUTAGE: "The AI provider is not reachable or not working right now.",
    Kind.SLOW: "The AI provider is not answering in time right now.",
    Kind.TRUNCATED: "The AI provider broke off its answer.",
    Kind.EMPTY: "The AI provider sent an empty answer.",
    Kind.MALFORMED: "The AI provider sent something that is not an answer.",
    Kind.ACCOUNT: "There is a problem with our access to the AI provider; we have to mend it.",
    Kind.CONFIG: "The AI model for this is not available to us; we have to mend it.",
    Kind.INTERNAL: "Something went wrong on our side.",
}
_UNKNOWN = "The AI is not available right now, and we do not know why yet."


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a request that could not be served.

    `is_callers`: the provider's own status and words (of `fault`) go back to the caller. `passes`:
    it may be over soon, by itself.
    `retry_after` in seconds, None where trying again would not help.
    """

    status: int
    code: str
    words: str
    retry_after: float | None = None
    fault: Fault | None = None
    is_callers: bool = False
    passes: bool = False


def give_back(fault: Fault) -> Verdict:
    """The caller's own fault, or a refusal: the provider's status and words, once."""
    refused = fault.kind is Kind.REFUSED
    return Verdict(
        status=fault.status if fault.status is not None and fault.status >= 400 else 400,
        code="refused" if refused else "request_rejected",
        words=(
            "The AI declined this request."
            if refused
            else "This request cannot be handled as it is; trying again will not help."
        ),
        fault=fault,
        is_callers=True,
    )


def cannot_serve(faults: Sequence[Fault], opens_in: float) -> Verdict:
    """No target can serve it now. `opens_in`: seconds until one may be tried again, 0 unknown."""
    fault = _telling(faults)
    human = bool(faults) and all(f.kind in {Kind.ACCOUNT, Kind.CONFIG} for f in faults)
    waits = [f.retry_after for f in faults if f.retry_after and f.kind is not Kind.ACCOUNT]
    if opens_in > 0.0:
        waits.append(opens_in)
    seconds = RETRY_AFTER_HUMAN if human else min(waits, default=RETRY_AFTER_DEFAULT)
    return Verdict(
        status=503,
        code="no_target_available",
        words=_words(fault, seconds),
        retry_after=max(1.0, seconds),
        fault=fault,
        passes=not human,
    )


def crowded_out(seconds: float) -> Verdict:
    """There was no room for it within its time; perhaps there is in so many seconds."""
    return Verdict(
        status=503,
        code="at_capacity",
        words=_say(WORDS[Kind.THROTTLED], seconds),
        retry_after=max(1.0, seconds),
        passes=True,
    )


def broken_off(fault: Fault | None) -> Verdict:
    """The answer broke off after its first content; `fault` None: its time was up."""
    return Verdict(
        status=504 if fault is None else 503,
        code="stream_broken",
        words="The answer broke off, so what is there is incomplete. Please try again.",
        retry_after=1.0,
        fault=fault,
    )


def out_of_time(faults: Sequence[Fault]) -> Verdict:
    """The deadline of the whole request has passed."""
    fault = _telling(faults)
    return Verdict(
        status=504,
        code="deadline_exceeded",
        words=_words(fault, RETRY_AFTER_DEFAULT)
        if fault
        else "The AI did not answer in the time allowed. Please try again.",
        retry_after=RETRY_AFTER_DEFAULT,
        fault=fault,
    )


def last_faults(attempts: Iterable[Attempt]) -> list[Fault]:
    """The last fault of each target, the latest last."""
    last: dict[tuple[str, str], Fault] = {}
    for attempt in attempts:
        if attempt.fault is not None:
            name = (attempt.target, attempt.account)
            last.pop(name, None)
            last[name] = attempt.fault
    return list(last.values())


def breaking_fault(attempts: Iterable[Attempt]) -> Fault | None:
    """The fault that broke the answer off: a fallback that does not fit must not hide it."""
    faults = [attempt.fault for attempt in attempts if attempt.fault is not None]
    telling = [f for f in faults if f.kind not in {Kind.ADAPTABLE, Kind.CALLER}] or faults
    return telling[-1] if telling else None


def _telling(faults: Sequence[Fault]) -> Fault | None:
    """The last fault that there are words for, else the last.

    What a fallback could not take (`adaptable`) must not hide why a fallback was needed.
    """
    for fault in reversed(faults):
        if fault.kind in WORDS:
            return fault
    return faults[-1] if faults else None


def _words(fault: Fault | None, seconds: float) -> str:
    return _say(WORDS.get(fault.kind, _UNKNOWN) if fault is not None else _UNKNOWN, seconds)


def _say(what: str, seconds: float) -> str:
    if seconds < 90:
        count = max(1, round(seconds))
        return f"{what} Please try again in about {count} second{'' if count == 1 else 's'}."
    if seconds < 5400:
        return f"{what} Please try again in about {round(seconds / 60)} minutes."
    return f"{what} It may take some hours."
