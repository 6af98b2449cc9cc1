"""Jobs as their callers see them."""

from __future__ import annotations

from typing import Final

import msgspec

from understudy.ports import TERMINAL, Answer, Callback, Event, Job, JobStatus
from understudy.services.journal import moment

__all__ = [
    "PATH",
    "accepted_head",
    "callback_body",
    "callback_id",
    "event_block",
    "job_head",
    "job_path",
    "job_view",
    "result_head",
    "whole_view",
]

#: What their paths begin with.
PATH: Final = "/v1/jobs/"
#: Bounds of the seconds after which it is worth while to ask again.
ASK_LEAST: Final = 1
ASK_MOST: Final = 60
_STATUSES: Final = frozenset(JobStatus)
_ENCODER: Final = msgspec.json.Encoder()


def job_path(job_id: str) -> str:
    """Where a job is asked about."""
    return f"{PATH}{job_id}"


def job_view(job: Job, done_at: float | None) -> dict[str, object]:
    """What is said of a job when it is accepted. `done_at`: about when it will be done, Unix
    seconds; None: nobody can say, or it is.
    """
    return {
        "id": job.id,
        "status": job.status,
        "feature": job.feature,
        "created_at": moment(job.created_at),
        "expires_at": moment(job.expires_at),
        "estimate": moment(done_at),
    }


def whole_view(job: Job, done_at: float | None, place: int | None) -> dict[str, object]:
    """The same, and what becomes of it. `place`: jobs of its tenant that are begun before it."""
    return {
        **job_view(job, done_at),
        "position": None if place is None else place + 1,
        "attempts": job.attempts,
        "finished_at": moment(job.finished_at),
        "result": _result_path(job.id, job.status),
    }


def callback_id(callback: Callback) -> str:
    """The id of a message about a job's end: a job ends once."""
    return f"msg_{callback.job_id.removeprefix('job_')}"


def callback_body(callback: Callback) -> bytes:
    """What is told of a job's end: nothing of what it asked, and of what came of it."""
    data: dict[str, object] = {
        "id": callback.job_id,
        "status": callback.status,
        "feature": callback.feature,
        "created_at": moment(callback.created_at),
        "finished_at": moment(callback.finished_at),
        "result": _result_path(callback.job_id, callback.status),
    }
    if callback.tenant:
        data["tenant"] = callback.tenant
    told = {
        "type": f"job.{callback.status}",
        "timestamp": moment(callback.finished_at),
        "data": data,
    }
    return _ENCODER.encode(told)


def _result_path(job_id: str, status: JobStatus) -> str | None:
    has_result = status in {JobStatus.SUCCEEDED, JobStatus.FAILED}
    return f"{job_path(job_id)}/result" if has_result else None


def job_head(request_id: str, job: Job, seconds: float | None) -> str:
    """Header lines of an answer about a job. `seconds`: until it is done."""
    head = (
        f"content-type: application/json\r\nx-request-id: {request_id}\r\n"
        f"request-id: {request_id}\r\nx-understudy-feature: {job.feature}\r\n"
        "cache-control: no-store\r\n"
    )
    if job.status in TERMINAL:
        return head
    wait = ASK_MOST if seconds is None else min(max(round(seconds), ASK_LEAST), ASK_MOST)
    return f"{head}retry-after: {wait}\r\n"


def accepted_head(request_id: str, job: Job, seconds: float | None) -> str:
    """Header lines of a 202 to the request itself (RFC 7240 §3, §4.1)."""
    return (
        f"{job_head(request_id, job, seconds)}location: {job_path(job.id)}\r\n"
        "preference-applied: respond-async\r\n"
    )


def result_head(answer: Answer) -> str:
    """Header lines of a result: those that the answer had."""
    return "".join([f"{name}: {value}\r\n" for name, value in answer.headers])


def event_block(event: Event) -> bytes:
    """An event as a server-sent one. What the runner wrote is JSON, and one line."""
    told: dict[str, object] = {"at": moment(event.at)}
    if event.kind in _STATUSES:
        told["status"] = event.kind
    if event.data:
        told |= msgspec.json.decode(event.data, type=dict[str, msgspec.Raw])
    data = _ENCODER.encode(told)
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (event.number, event.kind.encode(), data)
