"""The contacts of phones and trunks, so that a restart forgets none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bindings",
        sa.Column("aor", sa.Text, primary_key=True),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.Column("contacts", sa.Text, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("bindings")
