"""The ACD's checkpoints, and its inputs since."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "floor_checkpoints",
        sa.Column("number", number, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("kept", sa.Text, nullable=False),
    )
    op.create_table(
        "floor_inputs",
        sa.Column("first", number, primary_key=True, autoincrement=False),
        sa.Column("inputs", sa.Integer, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("floor_inputs")
    op.drop_table("floor_checkpoints")
