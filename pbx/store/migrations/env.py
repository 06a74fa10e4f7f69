"""Run by Alembic inside `pbx.store.migrate.upgrade`, which hands over the open connection."""

from __future__ import annotations

from alembic import context

from pbx.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
