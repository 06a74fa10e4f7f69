"""A switch whose media ports are all taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.plateau import Plateau
from bench.sipp import Sipp
from bench.sites import Instead
from tests.wire.conftest import HERE, OFFICE, TRUNK, eventually

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]
CALL = HERE / "sipp" / "uac_call.xml"
CHANGES = {
    "dial_plan": Instead([{"from": "anyone", "match": "1000", "to": "ivr hold"}]),
}


async def standing_calls(plateau: Plateau, calls: int) -> None:
    async def there() -> bool:
        return len((await plateau.get("/v1/calls"))["calls"]) == calls

    await eventually(there)


async def test_no_port_left_is_503_and_they_come_back() -> None:
    """Two calls take the four ports there are; a third is refused, and taken once one of them is over."""
    async with Plateau(OFFICE, changes=CHANGES, media_ports=4) as plateau:

        async def call(service: str, calls: int, hold_ms: int, scenario: Path = CALL) -> Sipp:
            sipp = Sipp(
                scenario, plateau.sip, service=service, calls=calls, rate=10, hold_ms=hold_ms, within_s=60, host=TRUNK
            )
            await sipp.start()
            return sipp

        standing = await call("1000", 2, 2500)
        await standing_calls(plateau, 2)
        scenario = plateau.folder / "uac_503.xml"
        scenario.write_text((HERE / "sipp" / "uac_refused.xml").read_text().replace("STATUS", "503"))
        assert (await (await call("1000", 1, 100, scenario)).wait()).ok
        assert (await standing.wait()).successful == 2
        assert (await (await call("1000", 1, 100)).wait()).successful == 1
