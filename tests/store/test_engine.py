from __future__ import annotations

import threading

import pytest
from sqlalchemy.exc import OperationalError

from pbx.store.engine import create_engine, database_url, shown
from pbx.store.errors import BadUrl


@pytest.mark.parametrize(
    ("written", "driver"),
    [
        ("sqlite:///x.db", "sqlite+aiosqlite"),
        ("sqlite:////var/lib/plateau/x.db", "sqlite+aiosqlite"),
        ("sqlite+aiosqlite:///x.db", "sqlite+aiosqlite"),
        ("postgresql://u:p@db/plateau", "postgresql+asyncpg"),
    ],
)
def test_driver_is_ours(written: str, driver: str) -> None:
    assert database_url(written).drivername == driver


@pytest.mark.parametrize("written", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_records_in_memory_are_refused(written: str) -> None:
    with pytest.raises(BadUrl, match="expected a file"):
        database_url(written)


@pytest.mark.parametrize("written", ["plateau.db", "", "mysql://u:geheim@db/x", "postgresql+psycopg://u:geheim@db/x"])
def test_other_urls_are_refused_in_one_line(written: str) -> None:
    with pytest.raises(BadUrl) as caught:
        database_url(written)
    assert "sqlite:///FILE" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_shown_as_written_without_password() -> None:
    assert shown(database_url("postgresql://u:geheim@db/plateau")) == "postgresql://u:***@db/plateau"


async def test_no_thread_of_a_driver_outlives_its_engine() -> None:
    """Of a connection that failed, one was left that spoke to the closed loop: a traceback at the end of a program."""
    before = _threads()
    for _ in range(20):
        engine = create_engine(database_url("sqlite:////no/where.db"))
        with pytest.raises(OperationalError):
            await engine.connect()
        await engine.dispose()
        assert _threads() <= before


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if "connection_worker" in thread.name}
