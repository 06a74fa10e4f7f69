"""Linphone: registration, a call it makes, a call it takes."""

from __future__ import annotations

import pytest

from bench.plateau import Plateau
from bench.sipp import Sipp
from tests.wire.conftest import HERE, OFFICE, TRUNK, eventually
from tests.wire.linphone import Linphone

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]


async def test_linphone_registers_calls_and_answers() -> None:
    async with Plateau(OFFICE) as plateau:
        async with Linphone(plateau.sip, "111", "wire", "wire") as phone:

            async def registered() -> object:
                return await plateau.counter("plateau_registered_contacts") == 1

            await eventually(registered, within_s=15)

            await phone.do("call 1001")
            await phone.hears("connected")
            await phone.do("terminate")
            await phone.hears("ended")

            await phone.do("autoanswer enable")
            scenario = HERE / "sipp" / "uac_call.xml"
            caller = Sipp(scenario, plateau.sip, service="111", calls=1, hold_ms=300, within_s=20, host=TRUNK)
            await caller.start()
            result = await caller.wait()
            assert result.ok, f"{result.errors}\n{phone.said}"

            async def gone() -> object:
                return await plateau.counter("plateau_registered_contacts") == 0

            await phone.do("unregister")
            await eventually(gone)
        assert await plateau.counter("plateau_calls") == 0
