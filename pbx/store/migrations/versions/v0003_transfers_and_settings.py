"""Transfers in call records; what users set for their phones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("cdr", sa.Column("transfers", sa.Integer, nullable=False, server_default="0"))
    op.add_column("cdr", sa.Column("transferred_to", sa.Text))
    op.create_table(
        "phone_settings",
        sa.Column("extension", sa.Text, primary_key=True),
        sa.Column("setting", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("phone_settings")
    op.drop_column("cdr", "transferred_to")
    op.drop_column("cdr", "transfers")
