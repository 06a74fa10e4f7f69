"""Figures of queues, skills and agents by quarter of an hour."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

CALLS = (
    "offered", "answered", "answered_in_time", "abandoned", "abandoned_short", "overflowed", "turned_away",
    "called_back", "resumed", "completed", "transferred", "offers", "missed", "unreachable", "waited_ms",
    "abandon_waited_ms", "overflow_waited_ms", "longest_ms", "talked_ms", "wrap_up_ms", "estimates",
    "estimates_near", "estimate_error_ms", "estimate_off_ms",
)  # fmt: skip
AGENT = (
    "offers", "answered", "no_answer", "rejected", "busy", "unreachable", "completed", "transferred", "received",
    "talked_ms", "ready_ms", "reserved_ms", "busy_ms", "wrap_up_ms", "not_ready_ms",
)  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "calls_intervals",
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("kind", "name", "channel")),
        *_figures(CALLS),
    )
    op.create_table(
        "agent_intervals",
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("agent", sa.Text, primary_key=True),
        sa.Column("not_ready", sa.Text, nullable=False),
        *_figures(AGENT),
    )


def _figures(names: tuple[str, ...]) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False, server_default="0") for name in names]


def downgrade() -> None:
    op.drop_table("agent_intervals")
    op.drop_table("calls_intervals")
