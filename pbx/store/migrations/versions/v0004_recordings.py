"""Recordings of calls."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recordings",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("call_id", sa.Text, nullable=False),
        sa.Column("linked_call_id", sa.Text),
        sa.Column("queue", sa.Text),
        sa.Column("agent", sa.Text),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("ended_at", sa.Double),
        sa.Column("duration_s", sa.Double, nullable=False),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("format", sa.Text, nullable=False),
        sa.Column("encrypted", sa.Integer, nullable=False),
        sa.Column("masked", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("why", sa.Text),
        sa.Column("legal_hold", sa.Integer, nullable=False),
        sa.Column("deleted_at", sa.Double),
    )
    op.create_index("recordings_started", "recordings", ["started_at"])
    op.create_index("recordings_call", "recordings", ["call_id"])


def downgrade() -> None:
    op.drop_table("recordings")
