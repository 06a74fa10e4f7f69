"""Alembic environment (`env.py`) and versions of the schema."""
