"""Structured logs, one JSON object a line on standard error. Fields are named here, so that no
prompt, answer or key can be logged by mistake: whatever is not an outcome's field has no way in.
"""

from __future__ import annotations

import sys
from typing import TextIO

import structlog

from understudy.core.outcomes import Attempt, Record, Result
from understudy.policy.quality import Change, Event
from understudy.services.journal import fault_view, milliseconds

__all__ = ["Log"]


class Log:
    """The product's log.

    Args:
        stream: where lines go; standard error by default.
        worker: of several, which one this process is.
    """

    def __init__(self, stream: TextIO | None = None, worker: int | None = None) -> None:
        log = structlog.wrap_logger(
            # A line in one write: several processes may share the stream.
            structlog.WriteLogger(stream or sys.stderr),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(),
            ],
        )
        self._log = log if worker is None else log.bind(worker=worker)

    def note(self, event: str, **fields: str | float | None) -> None:
        """Something about the product itself (started, reloaded, a notice of the settings)."""
        self._log.info(event, **fields)

    def warn(self, event: str, **fields: str | float | None) -> None:
        """The same, of something that should not be."""
        self._log.warning(event, **fields)

    def attempt(self, record: Record, attempt: Attempt) -> None:
        """An attempt that did not end in content."""
        if attempt.result is Result.CONTENT:
            return
        self._log.warning(
            "attempt",
            request=record.id,
            feature=record.feature,
            target=attempt.target,
            account=attempt.account,
            result=attempt.result,
            fault=fault_view(attempt.fault),
            ended_ms=milliseconds(attempt.ended_ms),
        )

    def request(self, record: Record, *, user: str | None, trace: str | None) -> None:
        """A request that something happened to. `user` is a keyed digest."""
        self._log.info(
            "request",
            request=record.id,
            feature=record.feature,
            tenant=record.tenant,
            caller=record.caller,
            outcome=record.outcome,
            attempts=len(record.attempts),
            user=user,
            trace=trace,
        )

    def quality(self, change: Change) -> None:
        """A model's answers have changed, or are as they were."""
        tell = self._log.warning if change.event is Event.DOUBTED else self._log.info
        tell(f"quality_{change.event}", model=change.model, sign=change.sign, why=change.words)

    def own_fault(self, request_id: str, where: str, error: BaseException) -> None:
        """A fault of Understudy's own: the type and place of the error, not its text."""
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
        self._log.error(
            "own_fault", request=request_id, where=where, error=type(error).__name__, place=place
        )
