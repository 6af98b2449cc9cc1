"""Rows to structs and back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from understudy.ports import Job, NewJob
from understudy.store.first import first_job
from understudy.store.schema import jobs

__all__ = [
    "JOB_COLUMNS",
    "Place",
    "by_tenant",
    "event_values",
    "job_of",
    "job_values",
]

#: A job's tenant and id.
Place = tuple[str, str]

#: What a `Job` is read from.
JOB_COLUMNS: Final = tuple(jobs.c[field] for field in Job.__struct_fields__)


def job_values(new: NewJob) -> dict[str, Any]:
    """The columns of `schema.jobs` for it."""
    job = first_job(new)
    values = {field: getattr(job, field) for field in Job.__struct_fields__}
    values["status"] = job.status.value
    values["key_digest"] = new.key_digest
    return values


def event_values(job: Job, at: float) -> dict[str, Any]:
    """The columns of `schema.events` for the status that a job has just come into."""
    return {
        "tenant": job.tenant,
        "job_id": job.id,
        "number": job.events,
        "at": at,
        "kind": job.status.value,
        "data": b"",
    }


def by_tenant(places: Iterable[Place]) -> list[tuple[str, list[str]]]:
    """The ids of each tenant's jobs, in order of tenant, for one statement a tenant.

    SQLite reads a whole table for `(tenant, id) IN (VALUES …)`, and an index for
    `tenant = … AND id IN (…)`.
    """
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for tenant, job_id in places:
        ids[tenant].append(job_id)
    return sorted(ids.items())


def job_of(row: Mapping[Any, Any]) -> Job:
    """A job from a row that has, among others, the columns of `JOB_COLUMNS`.

    Raises:
        msgspec.ValidationError: the row holds what no version of ours has written.
    """
    return msgspec.convert({field: row[field] for field in Job.__struct_fields__}, Job)
