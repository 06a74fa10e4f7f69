"""Wideband codecs with a phone of others: baresip's G.722 and Opus, passed through and transcoded."""

from __future__ import annotations

import pytest

from bench.plateau import Plateau
from bench.softphones import Softphones, answer
from tests.wire.conftest import OFFICE

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]
SITE = {"media": {"codecs": ["OPUS", "G722", "PCMA", "PCMU"]}}
PAIRS = [("g722", "g722"), ("opus", "opus"), ("g722", "pcma"), ("opus", "pcmu"), ("opus", "g722")]


@pytest.mark.parametrize("codecs", PAIRS, ids="-".join)
async def test_tones_are_heard_both_ways(baresip: Softphones, codecs: tuple[str, str]) -> None:
    async with Plateau(OFFICE, changes=SITE) as plateau:
        server = plateau.sip
        mine = await baresip.phone("101", server=server, password="wire", tone_hz=440, codecs=codecs[:1])
        theirs = await baresip.phone(
            "102", server=server, password="wire", tone_hz=750, codecs=codecs[1:], policy=answer()
        )
        assert await theirs.register() == 200
        call = await mine.call("102")
        await call.established()
        there = await theirs.next_call()
        heard, heard_there = await call.hear(750), await there.hear(440)
        assert heard.heard and heard_there.heard, (heard, heard_there)
        for one in (heard, heard_there):
            assert one.level_dbfs == pytest.approx(-12, abs=2)
        await call.hang_up()
        await there.ended()
        assert await theirs.unregister() == 200
    assert plateau.exit_status == 0
