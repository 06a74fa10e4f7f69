"""The process itself: drain, reload, and a media worker that is shot."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from bench.plateau import Plateau
from bench.ports import free_port
from bench.processes import is_alive
from bench.sipp import Sipp
from tests.wire.conftest import HERE, OFFICE, TRUNK, eventually, office_changes

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]
SCENARIOS = HERE / "sipp"


def caller(plateau: Plateau, scenario: str | Path, service: str, *, hold_ms: int = 0, calls: int = 1) -> Sipp:
    path = SCENARIOS / scenario
    return Sipp(path, plateau.sip, service=service, calls=calls, hold_ms=hold_ms, within_s=60, host=TRUNK, rate=50)


async def until_calls(plateau: Plateau, count: int) -> None:
    async def there() -> bool:
        return len((await plateau.get("/v1/calls"))["calls"]) == count

    await eventually(there)


async def until_logged(plateau: Plateau, text: str) -> None:
    async def logged() -> bool:
        return any(text in line for line in plateau.log)

    await eventually(logged)


async def test_a_port_that_was_free_a_moment_ago() -> None:
    """The harness itself: somebody takes a port after it was looked for; the server comes up with others."""
    plateau = Plateau(OFFICE)
    before = plateau.sip_port, plateau.http_port
    with socket.create_server(("127.0.0.1", plateau.http_port)):
        async with plateau:
            assert (await plateau.get("/v1/calls"))["calls"] == []
    assert plateau.exit_status == 0 and plateau.sip_port != before[0] and plateau.http_port != before[1]


async def test_sigterm_lets_calls_end_and_takes_no_new_ones() -> None:
    async with Plateau(OFFICE, changes=office_changes(free_port())) as plateau:
        live = caller(plateau, "uac_call.xml", "1000", hold_ms=3000)
        await live.start()
        await until_calls(plateau, 1)
        workers = plateau.media_workers()
        assert workers
        plateau.signal(signal.SIGTERM)
        await until_logged(plateau, "draining")
        refused = (SCENARIOS / "uac_refused.xml").read_text().replace("STATUS", "503")
        scenario = plateau.folder / "uac_503.xml"
        scenario.write_text(refused)
        late = caller(plateau, scenario, "1000")
        await late.start()
        result = await late.wait()
        assert result.ok, result.errors
        result = await live.wait()
        assert result.ok, result.errors
        assert await plateau.wait(20) == 0
    assert not [pid for pid in workers if is_alive(pid)]


async def test_a_bad_site_file_leaves_the_old_one_running() -> None:
    async with Plateau(OFFICE, changes=office_changes(free_port())) as plateau:
        good = plateau.site.read_text()
        plateau.site.write_text(good.replace("queue sales", "queue nowhere"))
        plateau.signal(signal.SIGHUP)
        await until_logged(plateau, "refused")
        await until_logged(plateau, "nowhere")
        call = caller(plateau, "uac_call.xml", "1000", hold_ms=100)
        await call.start()
        assert (await call.wait()).ok

        assert "match: 1000" in good
        plateau.site.write_text(good.replace("match: 1000", "match: 1009"))
        plateau.signal(signal.SIGHUP)
        await until_logged(plateau, "reloaded")
        call = caller(plateau, "uac_call.xml", "1009", hold_ms=100)
        await call.start()
        assert (await call.wait()).ok
    assert plateau.exit_status == 0
