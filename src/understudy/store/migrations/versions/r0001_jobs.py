"""Jobs, what they ask, what came of them, and what happened to them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TEXT

__all__ = ["branch_labels", "depends_on", "down_revision", "revision", "upgrade"]

revision = "r0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

_NAME = sa.Text().with_variant(TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    _jobs()
    _lines()
    _requests()
    _results()
    _events()


def _jobs() -> None:
    op.create_table(
        "understudy_jobs",
        sa.Column("tenant", _NAME, nullable=False),
        sa.Column("id", _NAME, nullable=False),
        sa.Column("caller", _NAME, nullable=False),
        sa.Column("feature", _NAME, nullable=False),
        sa.Column("operation", _NAME, nullable=False),
        sa.Column("priority", _NAME, nullable=False),
        sa.Column("key_digest", _NAME),
        sa.Column("body_digest", _NAME, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("ready_at", sa.Double, nullable=False),
        sa.Column("status", _NAME, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("lease_owner", _NAME),
        sa.Column("lease_until", sa.Double),
        sa.Column("finished_at", sa.Double),
        sa.Column("events", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="understudy_jobs_pk"),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'succeeded', 'failed', 'expired', 'cancelled')",
            name="understudy_jobs_status",
        ),
        sa.CheckConstraint(
            "(status = 'running') = (lease_owner IS NOT NULL)"
            " AND (status = 'running') = (lease_until IS NOT NULL)",
            name="understudy_jobs_lease",
        ),
        sa.CheckConstraint(
            "(status IN ('queued', 'running')) = (finished_at IS NULL)", name="understudy_jobs_end"
        ),
    )


def _lines() -> None:
    _index("key", ["tenant", "caller", "key_digest"], "key_digest IS NOT NULL", unique=True)
    line = ["priority", "tenant", "feature", "expires_at", "created_at", "id"]
    _index("line", line, "status = 'queued'")
    _index("expiry", ["expires_at"], "status = 'queued'")
    _index("leases", ["lease_until"], "status = 'running'")
    _index("ended", ["finished_at"], "finished_at IS NOT NULL")


def _index(name: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(
        f"understudy_jobs_{name}",
        "understudy_jobs",
        columns,
        unique=unique,
        sqlite_where=condition,
        postgresql_where=condition,
    )


def _requests() -> None:
    op.create_table(
        "understudy_job_requests",
        sa.Column("tenant", _NAME, nullable=False),
        sa.Column("job_id", _NAME, nullable=False),
        sa.Column("encrypted", sa.Boolean, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "job_id", name="understudy_job_requests_pk"),
        _of_a_job("understudy_job_requests_job"),
    )


def _results() -> None:
    op.create_table(
        "understudy_job_results",
        sa.Column("tenant", _NAME, nullable=False),
        sa.Column("job_id", _NAME, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("headers", sa.LargeBinary, nullable=False),
        sa.Column("encrypted", sa.Boolean, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "job_id", name="understudy_job_results_pk"),
        _of_a_job("understudy_job_results_job"),
    )


def _events() -> None:
    op.create_table(
        "understudy_job_events",
        sa.Column("tenant", _NAME, nullable=False),
        sa.Column("job_id", _NAME, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("kind", _NAME, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "job_id", "number", name="understudy_job_events_pk"),
        _of_a_job("understudy_job_events_job"),
    )


def _of_a_job(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant", "job_id"],
        ["understudy_jobs.tenant", "understudy_jobs.id"],
        name=name,
        ondelete="CASCADE",
    )
