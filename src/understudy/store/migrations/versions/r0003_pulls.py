"""What operators have taken out of use, or brought back."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TEXT

__all__ = ["branch_labels", "depends_on", "down_revision", "revision", "upgrade"]

revision = "r0003"
down_revision: str | None = "r0002"
branch_labels: str | None = None
depends_on: str | None = None

_NAME = sa.Text().with_variant(TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "understudy_pulls",
        sa.Column("node", _NAME, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("by", _NAME, nullable=False),
        sa.Column("reason", _NAME),
        sa.PrimaryKeyConstraint("node", name="understudy_pulls_pk"),
    )
