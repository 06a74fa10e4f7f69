"""Several gateways to a trunk, on the wire."""

from __future__ import annotations

import pytest

from bench.plateau import Plateau
from bench.sipp import Sipp, SippResult
from tests.wire.conftest import HERE, OFFICE, TRUNK

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]


async def call(target: str, number: str, calls: int) -> SippResult:
    scenario = HERE / "sipp" / "uac_call.xml"
    sipp = Sipp(scenario, target, service=number, calls=calls, rate=1, hold_ms=100, within_s=60, host=TRUNK)
    await sipp.start()
    return await sipp.wait()


async def test_a_gateway_that_falls() -> None:
    """Calls go to the other one at once, and after two of them it is not even tried."""
    async with Sipp(HERE / "sipp" / "uas_call.xml", None) as spare, Sipp(HERE / "sipp" / "uas_call.xml", None) as first:
        first_port = first.port
        trunk = {
            "gateways": [f"sip:127.0.0.1:{first_port}", {"uri": f"sip:127.0.0.1:{spare.port}", "priority": 1}],
            "try_s": 0.5, "probe_s": 0,
        }  # fmt: skip
        changes = {
            "trunks": {"generator": {"from": TRUNK}, "carrier": trunk},
            "dial_plan": [{"from": "trunk generator", "match": "5XXX", "to": "trunk carrier"}],
        }
        async with Plateau(OFFICE, changes=changes) as plateau:
            assert (await call(plateau.sip, "5001", 1)).ok
            await first.stop()
            assert first.result is not None and first.result.successful == 1
            result = await call(plateau.sip, "5002", 3)
            assert result.ok and result.successful == 3, result.errors
            gateways = (await plateau.get("/v1/trunks"))["trunks"][1]["gateways"]
            assert [one["state"] for one in gateways] == ["down", "up"]
            async with Sipp(HERE / "sipp" / "uas_call.xml", None, port=first_port):
                assert (await call(plateau.sip, "5003", 1)).ok  # the spare one: nobody has asked the first
    assert spare.result is not None and spare.result.successful == 4
