"""How calls ended in the words of their agents: in call records and figures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INTERVALS = ("calls_intervals", "agent_intervals")


def upgrade() -> None:
    op.add_column("cdr", sa.Column("disposition", sa.Text))
    for table in INTERVALS:
        op.add_column(table, sa.Column("dispositions", sa.Text, nullable=False, server_default="{}"))


def downgrade() -> None:
    for table in INTERVALS:
        op.drop_column(table, "dispositions")
    op.drop_column("cdr", "disposition")
