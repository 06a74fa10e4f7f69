"""The journal, the call records, the checkpoint of projections."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "journal",
        sa.Column("seq", number, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("call_id", sa.Text),
        sa.Column("data", sa.Text, nullable=False),
    )
    op.create_index("journal_call", "journal", ["call_id"])
    op.create_table(
        "cdr",
        sa.Column("seq", number, primary_key=True, autoincrement=False),
        sa.Column("call_id", sa.Text, nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("answered_at", sa.Double),
        sa.Column("connected_at", sa.Double),
        sa.Column("ended_at", sa.Double, nullable=False),
        sa.Column("direction", sa.Text, nullable=False),
        sa.Column("from_number", sa.Text, nullable=False),
        sa.Column("to_number", sa.Text, nullable=False),
        sa.Column("trunk", sa.Text),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("queue", sa.Text),
        sa.Column("agent", sa.Text),
        sa.Column("waited_s", sa.Double, nullable=False),
        sa.Column("talked_s", sa.Double, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("web_session", sa.Text),
        sa.Column("basket", sa.Double),
        sa.Column("packets_received", sa.BigInteger, nullable=False),
        sa.Column("packets_sent", sa.BigInteger, nullable=False),
        sa.Column("packets_lost", sa.BigInteger, nullable=False),
        sa.Column("jitter_ms", sa.Double, nullable=False),
    )
    op.create_index("cdr_started", "cdr", ["started_at"])
    op.create_index("cdr_call", "cdr", ["call_id"])
    op.create_table(
        "projection",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("open_from", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO projection (name, seq, open_from) VALUES ('cdr', 0, 1)")


def downgrade() -> None:
    for name in ("projection", "cdr", "journal"):
        op.drop_table(name)
