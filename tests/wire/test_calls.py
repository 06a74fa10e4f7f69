"""Calls between sipp and sipp through the server: RFC 3261's ordinary days and bad ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from bench.sipp import SippResult
from tests.wire.conftest import Office

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]
Fails = Callable[[SippResult], str]


async def test_a_call_through(office: Office, fails_of: Fails) -> None:
    async with office.callee("uas_call.xml") as callee:
        result = await office.caller("uac_call.xml", "2001", calls=20, rate=50, hold_ms=100)
        assert result.ok and result.successful == 20, fails_of(result)
    assert callee.result is not None and callee.result.successful == 20
    assert result.retransmissions == 0


async def test_a_call_over_tcp(office: Office, fails_of: Fails) -> None:
    async with office.callee("uas_call.xml"):
        result = await office.caller("uac_call.xml", "2002", calls=5, rate=20, tcp=True)
        assert result.ok and result.successful == 5, fails_of(result)


async def test_the_callee_hangs_up(office: Office, fails_of: Fails) -> None:
    async with office.callee("uas_hangs_up.xml") as callee:
        result = await office.caller("uac_hears_bye.xml", "2003")
        assert result.ok, fails_of(result)
    assert callee.result is not None and callee.result.successful == 1


async def test_cancel_while_it_rings(office: Office, fails_of: Fails) -> None:
    async with office.callee("uas_rings.xml") as callee:
        result = await office.caller("uac_cancel.xml", "2004")
        assert result.ok, fails_of(result)
    assert callee.result is not None and callee.result.successful == 1


@pytest.mark.parametrize("status", ["486", "603", "404"])
async def test_a_refusal_is_passed_on(office: Office, fails_of: Fails, status: str) -> None:
    async with office.callee("uas_refuses.xml", STATUS=status) as callee:
        result = await office.caller("uac_refused.xml", "2005", words={"STATUS": status})
        assert result.ok, fails_of(result)
    assert callee.result is not None and callee.result.successful == 1


async def test_a_number_nobody_has_is_404(office: Office, fails_of: Fails) -> None:
    result = await office.caller("uac_refused.xml", "9999", words={"STATUS": "404"})
    assert result.ok, fails_of(result)


async def test_an_extension_that_is_not_registered_is_480(office: Office, fails_of: Fails) -> None:
    result = await office.caller("uac_refused.xml", "112", words={"STATUS": "480"})
    assert result.ok, fails_of(result)


async def test_the_caller_hangs_up_in_the_ivr(office: Office, fails_of: Fails) -> None:
    result = await office.caller("uac_call.xml", "1000", calls=5, rate=50, hold_ms=200)
    assert result.ok and result.successful == 5, fails_of(result)


async def test_lost_packets_are_made_good(office: Office, fails_of: Fails) -> None:
    """A tenth of what the caller sends and gets is lost: all calls still succeed, and none lingers."""
    async with office.callee("uas_call.xml"):
        result = await office.caller("uac_call.xml", "2007", calls=40, rate=40, within_s=60, extra=("-lost", "10"))
        assert result.ok and result.successful == 40, fails_of(result)
    assert result.retransmissions > 0
    await asyncio.sleep(0)
