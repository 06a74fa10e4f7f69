"""Early media, reliable responses, changing sessions and their timers with sipp and PJSIP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from bench.plateau import Plateau
from bench.sipp import SippResult
from bench.sites import free_port
from tests.wire.conftest import OFFICE, Office, office_changes

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]
Fails = Callable[[SippResult], str]


@pytest_asyncio.fixture(loop_scope="session")
async def passing(tmp_path: Path) -> AsyncIterator[Office]:
    """An office that leaves holds to its phones."""
    uas_port = free_port()
    async with Plateau(OFFICE, changes={**office_changes(uas_port), "calls": {"hold": "pass"}}) as plateau:
        yield Office(plateau, uas_port, tmp_path)
        await plateau.until_idle()


async def test_early_media_acknowledged_updated_and_timed(office: Office, fails_of: Fails) -> None:
    async with office.callee("uas_early.xml") as callee:
        result = await office.caller("uac_early.xml", "2031", calls=5, rate=10, hold_ms=100)
        assert result.ok and result.successful == 5, fails_of(result)
    assert callee.result is not None and callee.result.successful == 5, fails_of(callee.result)


async def test_early_media_over_tcp(office: Office, fails_of: Fails) -> None:
    async with office.callee("uas_early.xml") as callee:
        result = await office.caller("uac_early.xml", "2032", calls=2, rate=10, hold_ms=100, tcp=True)
        assert result.ok and result.successful == 2, fails_of(result)
    assert callee.result is not None and callee.result.successful == 2


async def test_hold_is_music_and_not_passed_on(office: Office, fails_of: Fails) -> None:
    async with office.callee("uas_call.xml") as callee:
        result = await office.caller("uac_hold.xml", "2033")
        assert result.ok, fails_of(result)
    assert callee.result is not None and callee.result.successful == 1


async def test_hold_is_passed_through(passing: Office, fails_of: Fails) -> None:
    async with passing.callee("uas_held.xml") as callee:
        result = await passing.caller("uac_hold.xml", "2006")
        assert result.ok, fails_of(result)
    assert callee.result is not None and callee.result.successful == 1
