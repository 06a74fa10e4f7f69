"""Two databases for one suite: SQLite, and a PostgreSQL cluster made for the session and thrown away after it."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bench.ports import free_port
from pbx.call.events import CallAnswered, CallConnected, CallEnded, CallStarted, LegEnded, LegStarted
from pbx.store.engine import create_engine, database_url


class SqliteTarget:
    """A fresh file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "records.db"
        self.url = f"sqlite:///{self._path}"
        self._blocker: sqlite3.Connection | None = None

    async def go_down(self) -> None:
        """Another program holds the write lock."""
        self._blocker = sqlite3.connect(self._path, isolation_level=None)
        self._blocker.execute("BEGIN EXCLUSIVE")

    async def come_back(self) -> None:
        if self._blocker is not None:
            self._blocker.execute("ROLLBACK")
            self._blocker.close()
            self._blocker = None


class PostgresCluster:
    """Its own data directory and port; runs as user postgres, because the server refuses root."""

    def __init__(self) -> None:
        self._bin = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), default=None)
        assert self._bin is not None, "PostgreSQL is not installed: apt-get install -y postgresql"
        self.folder = Path(tempfile.mkdtemp(prefix="plateau-pg-"))
        self.port = free_port()
        self._user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres")
        how = ("-U", "plateau", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
        self._run("initdb", "-D", f"{self.folder}/data", *how)
        self.start()

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder} -c fsync=off -c max_connections=20"
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-w", "-s", "-l", f"{self.folder}/log", "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-w", "-s", "-m", "immediate", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        assert self._bin is not None
        command = [str(self._bin / program), *arguments]
        if os.getuid() == 0:
            command = ["runuser", "-u", self._user, "--", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder)


class PostgresTarget:
    """The cluster's one database, emptied."""

    def __init__(self, cluster: PostgresCluster) -> None:
        self._cluster = cluster
        self._down = False
        self.url = f"postgresql://plateau@127.0.0.1:{cluster.port}/postgres"

    async def empty(self) -> None:
        engine = create_engine(database_url(self.url))
        async with engine.begin() as connection:
            await connection.execute(text("DROP SCHEMA public CASCADE"))
            await connection.execute(text("CREATE SCHEMA public"))
        await engine.dispose()

    async def go_down(self) -> None:
        await asyncio.to_thread(self._cluster.stop)
        self._down = True

    async def come_back(self) -> None:
        if self._down:
            await asyncio.to_thread(self._cluster.start)
            self._down = False


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresCluster]:
    cluster = PostgresCluster()
    yield cluster
    cluster.stop()
    shutil.rmtree(cluster.folder)


@pytest.fixture(params=["sqlite", "postgresql"])
async def target(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqliteTarget | PostgresTarget]:
    if request.param == "sqlite":
        sqlite = SqliteTarget(tmp_path)
        yield sqlite
        await sqlite.come_back()
    else:
        postgres = PostgresTarget(request.getfixturevalue("postgres"))
        await postgres.empty()
        yield postgres
        await postgres.come_back()


@pytest.fixture
def call_events() -> Callable[..., list[Any]]:
    """The events of one internal call that was answered after 5 s and lasted 60 s."""

    def make(call_id: str, at: float = 1000.0) -> list[Any]:
        return [
            CallStarted(at, call_id, "internal", "101", "102", None, "extension 102", f"{call_id}@192.0.2.1"),
            LegStarted(at, call_id, 2, "sip:102@192.0.2.2", None),
            CallAnswered(at + 5, call_id),
            CallConnected(at + 5, call_id, 2, None),
            LegEnded(at + 65, call_id, 2, 200, "callee hung up"),
            CallEnded(at + 65, call_id, "callee hung up", 200, 3000, 2990, 7, 1.5),
        ]

    return make
