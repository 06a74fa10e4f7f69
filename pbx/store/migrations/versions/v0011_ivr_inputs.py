"""Inputs that were of no use, and none, in the figures of the states of IVR flows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

INPUTS = ("no_match", "no_input", "unmatched", "silent")


def upgrade() -> None:
    for name in INPUTS:
        op.add_column("ivr_intervals", sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))


def downgrade() -> None:
    for name in INPUTS:
        op.drop_column("ivr_intervals", name)
