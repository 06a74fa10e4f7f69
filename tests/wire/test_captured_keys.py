"""Keys as others sent them: sipp plays its captures of RFC 2833 packets into a menu."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bench.sipp import Sipp
from tests.wire.conftest import TRUNK, Office, eventually

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]
CAPTURES = Path("/usr/share/sip-tester")  # of the Debian package


@pytest.mark.parametrize(("key", "to"), [("1", "2001"), ("pound", "2002")])
async def test_a_captured_key_leads_on(office: Office, key: str, to: str) -> None:
    scenario = office.scenario("uac_key.xml", CAPTURE=str(CAPTURES / f"dtmf_2833_{key}.pcap"))
    async with office.callee("uas_call.xml"):
        caller = Sipp(scenario, office.plateau.sip, service="1006", calls=1, hold_ms=2500, within_s=60, host=TRUNK)
        await caller.start()

        async def talking() -> bool:
            calls = (await office.plateau.get("/v1/calls"))["calls"]
            return [call["with"] for call in calls] == [f"sip:{to}@127.0.0.1:{office.uas_port}"]

        await eventually(talking)
        await asyncio.sleep(0.3)
        assert await talking()
        result = await caller.wait()
    assert result.ok, result.errors
