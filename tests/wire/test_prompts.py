"""What a flow says, heard by a real softphone: a text with a value, a tone of a country, the ringing tone."""

from __future__ import annotations

import pytest

from bench.softphones import Softphones, ring_only
from tests.wire.conftest import Office

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]


async def test_a_text_then_a_tone_then_ringing(office: Office, pjsip: Softphones, baresip: Softphones) -> None:
    server = office.plateau.sip
    listener = await baresip.phone("109", server=server, password="wire")
    called = await pjsip.phone("110", server=server, password="wire", policy=ring_only())
    assert await listener.register() == 200 and await called.register() == 200
    call = await listener.call("1005")
    await call.established()
    assert (await call.hear(None)).heard  # "Il est ..."
    assert (await call.hear(400, within_s=30)).heard  # Great Britain is busy
    assert (await call.hear(440, within_s=30)).heard  # France rings
    await call.hang_up()
    await (await called.next_call()).ended()
    assert await listener.unregister() == 200 and await called.unregister() == 200
