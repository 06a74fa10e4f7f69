"""One server, one PJSIP and one baresip process for all wire tests; each test leaves the server without calls."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bench.plateau import Plateau
from bench.ports import free_port
from bench.sipp import Sipp, SippResult
from bench.sites import read_site
from bench.softphones import Softphones
from tests.wire.browser import Browser, open_browser

HERE = Path(__file__).parent
OFFICE = HERE / "sites" / "office.yaml"
TRUNK = "127.0.0.2"  # the address that the site knows as its trunk


def office_changes(uas_port: int) -> dict[str, Any]:
    """The office with 2XXX going to a port."""
    rule = {"from": "anyone", "match": "2XXX", "to": f"sip:{{number}}@127.0.0.1:{uas_port}"}
    return {"dial_plan": [rule, *read_site(OFFICE)["dial_plan"]]}


async def eventually(true: Callable[[], Awaitable[object]], within_s: float = 30.0) -> None:
    """Wait for another process to be as wanted. Raises TimeoutError."""
    async with asyncio.timeout(within_s):
        while not await true():  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.05)


@dataclass
class Office:
    """The server, and the port where its 2XXX are."""

    plateau: Plateau
    uas_port: int
    folder: Path  # for scenarios that were filled in

    def scenario(self, name: str, **words: str) -> Path:
        """One of ours; WORDs in it are replaced."""
        source = HERE / "sipp" / name
        if not words:
            return source
        text = source.read_text()
        for word, value in words.items():
            text = text.replace(word, value)
        target = self.folder / "-".join([*words.values(), name])
        target.write_text(text)
        return target

    def callee(self, name: str, **words: str) -> Sipp:
        """sipp where the 2XXX are, to be used with `async with`."""
        return Sipp(self.scenario(name, **words), None, port=self.uas_port)

    async def caller(
        self, name: str, service: str, *, words: dict[str, str] | None = None, **settings: Any
    ) -> SippResult:
        """sipp calls by the trunk."""
        scenario = self.scenario(name, **(words or {}))
        settings = {"calls": 1, "within_s": 60.0, "host": TRUNK, **settings}
        sipp = Sipp(scenario, self.plateau.sip, service=service, **settings)
        await sipp.start()
        return await sipp.wait()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running_office(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    assert shutil.which("sipp"), "the wire tests need sipp: apt-get install sip-tester"
    uas_port = free_port()
    async with Plateau(OFFICE, changes=office_changes(uas_port)) as plateau:
        yield Office(plateau, uas_port, tmp_path_factory.mktemp("scenarios"))
    assert plateau.exit_status == 0
    assert not plateau.left_over


@pytest_asyncio.fixture(loop_scope="session")
async def office(running_office: Office) -> AsyncIterator[Office]:
    """The running server; afterwards no call may be left and no error in its log."""
    before = len(running_office.plateau.log)
    yield running_office
    await running_office.plateau.until_idle()
    said = list(running_office.plateau.log)[before:]
    assert not [line for line in said if "Traceback" in line or "Error" in line], "\n".join(said)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pjsip_process() -> AsyncIterator[Softphones]:
    async with Softphones("pjsip") as phones:
        yield phones
    assert phones.exit_status == 0


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def baresip_process() -> AsyncIterator[Softphones]:
    async with Softphones("baresip", expose=("X-Web-Session",)) as phones:
        yield phones
    assert phones.exit_status == 0


async def borrowed(process: Softphones) -> AsyncIterator[Softphones]:
    """The process for one test: its calls and accounts are gone afterwards."""
    before = process.phones
    yield process
    await process.hang_up_all()
    for phone in process.phones:
        if phone not in before:
            await process.remove(phone)


@pytest_asyncio.fixture(loop_scope="session")
async def pjsip(pjsip_process: Softphones) -> AsyncIterator[Softphones]:
    async for process in borrowed(pjsip_process):
        yield process


@pytest_asyncio.fixture(loop_scope="session")
async def baresip(baresip_process: Softphones) -> AsyncIterator[Softphones]:
    async for process in borrowed(baresip_process):
        yield process


@pytest.fixture
def fails_of(office: Office) -> Callable[[SippResult], str]:
    """What to show when sipp was not content."""

    def text(result: SippResult) -> str:
        return f"{result.errors}\n--- server ---\n" + "\n".join(list(office.plateau.log)[-15:])

    return text


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    async with open_browser(tmp_path / "profile") as opened:
        yield opened
