"""The tables, the same on both engines. `migrations` makes them; a test holds the two together.

A job's row is small and changes often, so what is large and does not change stands beside it: an
update of a row would write all of it again. Every key begins with the tenant.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import TEXT

__all__ = [
    "HAS_ENDED",
    "IS_QUEUED",
    "IS_RUNNING",
    "METADATA",
    "VERSION_TABLE",
    "callbacks",
    "events",
    "jobs",
    "pulls",
    "requests",
    "results",
]

METADATA: Final = MetaData()
#: Where the schema's revision stands (Alembic's).
VERSION_TABLE: Final = "understudy_schema"

# By code points: an index in a language's order breaks when the C library's idea of it changes
# (https://wiki.postgresql.org/wiki/Locale_data_changes).
_NAME = Text().with_variant(TEXT(collation="C"), "postgresql")

# Whole conditions stand in the partial indexes, and in the queries literally: SQLite and prepared
# statements of PostgreSQL use such an index only where the query's text implies its condition
# (https://www.sqlite.org/partialindex.html).
IS_QUEUED: Final = text("status = 'queued'")
IS_RUNNING: Final = text("status = 'running'")
HAS_ENDED: Final = text("finished_at IS NOT NULL")
_KEYED = text("key_digest IS NOT NULL")

jobs: Final = Table(
    "understudy_jobs",
    METADATA,
    Column("tenant", _NAME, nullable=False),
    Column("id", _NAME, nullable=False),
    Column("caller", _NAME, nullable=False),
    Column("feature", _NAME, nullable=False),
    Column("operation", _NAME, nullable=False),
    Column("priority", _NAME, nullable=False),
    Column("key_digest", _NAME),
    Column("body_digest", _NAME, nullable=False),
    Column("cost", BigInteger, nullable=False),
    # Moments are Unix seconds.
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("ready_at", Double, nullable=False),
    Column("status", _NAME, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("lease_owner", _NAME),
    Column("lease_until", Double),
    Column("finished_at", Double),
    Column("events", Integer, nullable=False),
    Column("webhook", _NAME),
    PrimaryKeyConstraint("tenant", "id", name="understudy_jobs_pk"),
    CheckConstraint(
        "status IN ('queued', 'running', 'succeeded', 'failed', 'expired', 'cancelled')",
        name="understudy_jobs_status",
    ),
    CheckConstraint(
        "(status = 'running') = (lease_owner IS NOT NULL)"
        " AND (status = 'running') = (lease_until IS NOT NULL)",
        name="understudy_jobs_lease",
    ),
    CheckConstraint(
        "(status IN ('queued', 'running')) = (finished_at IS NULL)", name="understudy_jobs_end"
    ),
)

Index(
    "understudy_jobs_key",
    jobs.c.tenant,
    jobs.c.caller,
    jobs.c.key_digest,
    unique=True,
    sqlite_where=_KEYED,
    postgresql_where=_KEYED,
)
Index(
    "understudy_jobs_line",
    jobs.c.priority,
    jobs.c.tenant,
    jobs.c.feature,
    jobs.c.expires_at,
    jobs.c.created_at,
    jobs.c.id,
    sqlite_where=IS_QUEUED,
    postgresql_where=IS_QUEUED,
)
Index(
    "understudy_jobs_expiry",
    jobs.c.expires_at,
    sqlite_where=IS_QUEUED,
    postgresql_where=IS_QUEUED,
)
Index(
    "understudy_jobs_leases",
    jobs.c.lease_until,
    sqlite_where=IS_RUNNING,
    postgresql_where=IS_RUNNING,
)
Index(
    "understudy_jobs_ended",
    jobs.c.finished_at,
    sqlite_where=HAS_ENDED,
    postgresql_where=HAS_ENDED,
)
# For people who look through jobs.
Index("understudy_jobs_accepted", jobs.c.created_at, jobs.c.tenant, jobs.c.id)

requests: Final = Table(
    "understudy_job_requests",
    METADATA,
    Column("tenant", _NAME, nullable=False),
    Column("job_id", _NAME, nullable=False),
    Column("encrypted", Boolean, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant", "job_id", name="understudy_job_requests_pk"),
    ForeignKeyConstraint(
        ["tenant", "job_id"],
        ["understudy_jobs.tenant", "understudy_jobs.id"],
        name="understudy_job_requests_job",
        ondelete="CASCADE",
    ),
)

results: Final = Table(
    "understudy_job_results",
    METADATA,
    Column("tenant", _NAME, nullable=False),
    Column("job_id", _NAME, nullable=False),
    Column("status", Integer, nullable=False),
    # A JSON array of pairs: headers repeat, and their order counts.
    Column("headers", LargeBinary, nullable=False),
    Column("encrypted", Boolean, nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant", "job_id", name="understudy_job_results_pk"),
    ForeignKeyConstraint(
        ["tenant", "job_id"],
        ["understudy_jobs.tenant", "understudy_jobs.id"],
        name="understudy_job_results_job",
        ondelete="CASCADE",
    ),
)

events: Final = Table(
    "understudy_job_events",
    METADATA,
    Column("tenant", _NAME, nullable=False),
    Column("job_id", _NAME, nullable=False),
    Column("number", Integer, nullable=False),
    Column("at", Double, nullable=False),
    Column("kind", _NAME, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant", "job_id", "number", name="understudy_job_events_pk"),
    ForeignKeyConstraint(
        ["tenant", "job_id"],
        ["understudy_jobs.tenant", "understudy_jobs.id"],
        name="understudy_job_events_job",
        ondelete="CASCADE",
    ),
)

# Words that are still to be said. They may outlive their jobs, so they do not refer to them.
callbacks: Final = Table(
    "understudy_callbacks",
    METADATA,
    Column("tenant", _NAME, nullable=False),
    Column("job_id", _NAME, nullable=False),
    Column("webhook", _NAME, nullable=False),
    Column("feature", _NAME, nullable=False),
    Column("status", _NAME, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("finished_at", Double, nullable=False),
    Column("attempts", Integer, nullable=False),
    # Also the end of the lease of whoever says it now.
    Column("due_at", Double, nullable=False),
    # A job ends once.
    PrimaryKeyConstraint("tenant", "job_id", name="understudy_callbacks_pk"),
)

Index("understudy_callbacks_due", callbacks.c.webhook, callbacks.c.due_at)

pulls: Final = Table(
    "understudy_pulls",
    METADATA,
    Column("node", _NAME, nullable=False),
    Column("at", Double, nullable=False),
    Column("by", _NAME, nullable=False),
    # NULL: it is back.
    Column("reason", _NAME),
    PrimaryKeyConstraint("node", name="understudy_pulls_pk"),
)
