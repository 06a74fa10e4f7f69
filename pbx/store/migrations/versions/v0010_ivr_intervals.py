"""Figures of the states of IVR flows by quarter of an hour."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

IVR = ("entered", "left", "hung_up", "ended", "inputs", "spent_ms")


def upgrade() -> None:
    op.create_table(
        "ivr_intervals",
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("flow", "state")),
        *(sa.Column(name, sa.BigInteger, nullable=False, server_default="0") for name in IVR),
    )


def downgrade() -> None:
    op.drop_table("ivr_intervals")
