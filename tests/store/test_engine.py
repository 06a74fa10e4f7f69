from __future__ import annotations

import pytest

from pbx.store.engine import database_url, shown
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
