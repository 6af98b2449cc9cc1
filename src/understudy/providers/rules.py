"""Faults by tables: a row says what evidence it wants and what that means.

A table is read from its top and the first row that fits decides, so its order is the order of
evidence: the exact words (`code`, `details.error_code`), then messages that are known, then the
broad `type`, then what the body looks like, and the HTTP status last. Broad types come after
messages because vendors file trouble with an account under `invalid_request_error`; and a message
is matched from its beginning, because further in it may quote what the caller wrote.

Rows are data. Every provider's table ends with `understudy.providers.statuses.STATUSES`, which
has an answer for everything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from understudy.core.faults import Fault, Kind, Remedy, Scope
from understudy.providers.base import Reply
from understudy.providers.evidence import Evidence, Shape, of_error, of_reply
from understudy.providers.retry_after import until_date, until_next_month
from understudy.providers.scrub import scrub

__all__ = ["Rule", "error_reader", "fault_reader", "ruling", "says"]

#: Characters of a message that are matched.
_MATCHED = 1_000
_LONGEST_CODE = 100


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One row. What is left empty is not asked for; all else must hold."""

    #: What has happened, in words; unique within a table.
    case: str
    kind: Kind
    scope: Scope
    status: tuple[int, ...] | range = ()
    types: tuple[str, ...] = ()
    #: Any of `Evidence.codes`.
    codes: tuple[str, ...] = ()
    #: Matched from the beginning of the message: see `says`.
    message: re.Pattern[str] | None = None
    shapes: tuple[Shape, ...] = ()
    #: Whether the reply said when to come back.
    hinted: bool | None = None
    #: When it ends, where the row knows: on the date that the message names, or with the month.
    until: Literal["date", "month"] | None = None
    #: What would make the same target take the request.
    remedy: Remedy | None = None


def says(*openings: str) -> re.Pattern[str]:
    """A pattern of messages that begin like one of `openings` (regular expressions)."""
    return re.compile("|".join(openings), re.IGNORECASE)


def ruling(rules: tuple[Rule, ...], seen: Evidence) -> Rule:
    """The first row that fits. Raises LookupError if the table has no answer."""
    for rule in rules:
        if _fits(rule, seen):
            return rule
    raise LookupError(f"no rule for status {seen.status}")


def fault_reader(rules: tuple[Rule, ...]) -> Callable[[Reply], Fault]:
    """`Manners.read_fault` by a table."""

    def read_fault(reply: Reply) -> Fault:
        seen = of_reply(reply)
        return _fault(ruling(rules, seen), seen, reply.status, reply.now)

    return read_fault


def error_reader(rules: tuple[Rule, ...]) -> Callable[[bytes], Fault]:
    """`Manners.read_error` by the same table. It knows no time, so it names no dates."""

    def read_error(data: bytes) -> Fault:
        seen = of_error(data)
        return _fault(ruling(rules, seen), seen, 200, None)

    return read_error


def _fits(rule: Rule, seen: Evidence) -> bool:
    return (
        (not rule.status or seen.status in rule.status)
        and (not rule.types or seen.type in rule.types)
        and (not rule.codes or any(code in rule.codes for code in seen.codes))
        and (not rule.shapes or seen.shape in rule.shapes)
        and (rule.hinted is None or rule.hinted is (seen.retry_after is not None))
        and (rule.message is None or rule.message.match(seen.message[:_MATCHED]) is not None)
    )


def _fault(rule: Rule, seen: Evidence, status: int, now: float | None) -> Fault:
    wait = seen.retry_after
    if now is not None and rule.until == "date":
        named = until_date(seen.message, now)
        wait = wait if named is None else named
    elif now is not None and rule.until == "month" and wait is None:
        wait = until_next_month(now)
    return Fault(
        kind=rule.kind,
        scope=rule.scope,
        status=status,
        code=next(_words(seen), None),
        message=scrub(_message(rule, seen, status)),
        retry_after=wait,
        remedy=rule.remedy,
    )


def _words(seen: Evidence) -> Iterator[str]:
    for word in (*seen.codes, seen.type):
        if word and (clean := scrub(word)[:_LONGEST_CODE]):
            yield clean


def _message(rule: Rule, seen: Evidence, status: int) -> str:
    """The provider's own words, or what was seen where it had none for us."""
    if seen.shape is Shape.ENVELOPE and seen.message:
        return seen.message
    said = f": {seen.message}" if seen.message else ""
    return f"HTTP {status}, {rule.case}{said}"
