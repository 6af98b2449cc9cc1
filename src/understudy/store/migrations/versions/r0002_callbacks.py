"""Word of a job's end, for who is named by the job; and jobs in the order of their acceptance."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TEXT

__all__ = ["branch_labels", "depends_on", "down_revision", "revision", "upgrade"]

revision = "r0002"
down_revision: str | None = "r0001"
branch_labels: str | None = None
depends_on: str | None = None

_NAME = sa.Text().with_variant(TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Add a column and an index to the jobs, and make the table."""
    op.add_column("understudy_jobs", sa.Column("webhook", _NAME))
    op.create_index("understudy_jobs_accepted", "understudy_jobs", ["created_at", "tenant", "id"])
    op.create_table(
        "understudy_callbacks",
        sa.Column("tenant", _NAME, nullable=False),
        sa.Column("job_id", _NAME, nullable=False),
        sa.Column("webhook", _NAME, nullable=False),
        sa.Column("feature", _NAME, nullable=False),
        sa.Column("status", _NAME, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("finished_at", sa.Double, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "job_id", name="understudy_callbacks_pk"),
    )
    op.create_index("understudy_callbacks_due", "understudy_callbacks", ["webhook", "due_at"])
