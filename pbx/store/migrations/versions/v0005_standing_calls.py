"""Calls that outlive the server."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "standing_calls",
        sa.Column("call_id", sa.Text, primary_key=True),
        sa.Column("kept", sa.Text, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("standing_calls")
