"""How the legs of a call sounded, in call records."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COLUMNS = {
    "caller_rtt_ms": sa.Double, "caller_mos": sa.Double, "callee_lost": sa.BigInteger, "callee_jitter_ms": sa.Double,
    "callee_rtt_ms": sa.Double, "callee_mos": sa.Double,
}  # fmt: skip


def upgrade() -> None:
    for name, kind in COLUMNS.items():
        op.add_column("cdr", sa.Column(name, kind))


def downgrade() -> None:
    for name in reversed(COLUMNS):
        op.drop_column("cdr", name)
