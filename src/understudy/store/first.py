"""A job as it begins, whatever keeps it."""

from __future__ import annotations

from typing import Final

from understudy.ports import Job, JobStatus, NewJob

__all__ = ["FIRST_EVENT", "first_job"]

#: Every job's events begin with its acceptance.
FIRST_EVENT: Final = 1


def first_job(new: NewJob) -> Job:
    """The job that a request to keep becomes."""
    return Job(
        id=new.id,
        tenant=new.tenant,
        caller=new.caller,
        feature=new.feature,
        operation=new.operation,
        priority=new.priority,
        body_digest=new.body_digest,
        cost=new.cost,
        created_at=new.created_at,
        expires_at=new.expires_at,
        ready_at=new.created_at,
        status=JobStatus.QUEUED,
        attempts=0,
        token=0,
        lease_owner=None,
        lease_until=None,
        finished_at=None,
        events=FIRST_EVENT,
        webhook=new.webhook,
    )
