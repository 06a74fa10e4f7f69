"""REGISTER with digest, by sipp and by PJSIP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bench.plateau import Plateau
from bench.ports import free_port
from bench.sipp import Sipp, SippResult
from bench.softphones import Softphones, answer
from tests.wire.conftest import HERE, OFFICE, TRUNK, Office, eventually, office_changes

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]
Fails = Callable[[SippResult], str]
PHONE = "127.0.0.1"


async def test_digest_registration_and_its_end(office: Office, fails_of: Fails) -> None:
    login: dict[str, Any] = {"user": "101", "password": "wire", "host": PHONE}
    result = await office.caller("register.xml", "101", calls=10, rate=50, **login)
    assert result.ok and result.successful == 10, fails_of(result)


async def test_a_wrong_password_is_refused_and_its_source_is_logged(office: Office, fails_of: Fails) -> None:
    before = len(office.plateau.log)
    login: dict[str, Any] = {"user": "101", "password": "guess", "host": PHONE}
    result = await office.caller("register_refused.xml", "101", **login)
    assert result.ok, fails_of(result)

    async def logged() -> bool:
        said = list(office.plateau.log)[before:]
        return any("authentication failed" in line and PHONE in line for line in said)

    await eventually(logged)


async def test_nobody_learns_which_extensions_exist(office: Office, fails_of: Fails) -> None:
    login: dict[str, Any] = {"user": "555", "password": "guess", "host": PHONE}
    result = await office.caller("register_refused.xml", "555", **login)
    assert result.ok, fails_of(result)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_pjsip_registers_and_unregisters(office: Office, pjsip: Softphones, transport: str) -> None:
    phone = await pjsip.phone("105", server=office.plateau.sip, password="wire", transport=transport)  # type: ignore[arg-type]
    assert await phone.register() == 200
    assert await phone.unregister() == 200


async def test_pjsip_with_a_wrong_password(office: Office, pjsip: Softphones) -> None:
    phone = await pjsip.phone("106", server=office.plateau.sip, password="guess")
    assert await phone.register() in (401, 403)


async def test_a_killed_server_forgets_no_phone(pjsip: Softphones) -> None:
    """Started again, it calls who was registered by UDP, and the agent is available; who came by TCP is not there."""
    async with Plateau(OFFICE, changes=office_changes(free_port())) as plateau:
        phone = await pjsip.phone("103", server=plateau.sip, password="wire", policy=answer())
        by_tcp = await pjsip.phone("104", server=plateau.sip, password="wire", transport="tcp")
        assert await phone.register() == 200 and await by_tcp.register() == 200
        await plateau.post("/v1/agents/anna/login", {}, role="agent", name="anna")

        async def written() -> bool:
            return await plateau.counter("plateau_bindings_written_total") >= 2

        await eventually(written)
        await plateau.crash_and_restart()
        assert await plateau.counter("plateau_registered_contacts") >= 1
        agent = await plateau.get("/v1/agents/anna")
        assert agent["registered"]
        scenario = HERE / "sipp" / "uac_call.xml"
        caller = Sipp(scenario, plateau.sip, service="103", calls=1, hold_ms=100, within_s=60, host=TRUNK)
        await caller.start()
        there = await phone.next_call()
        await there.established()
        result = await caller.wait()
        assert result.ok, result.errors
        await phone.unregister()


async def test_sha_256_alone(baresip: Softphones) -> None:
    """RFC 8760: a site whose phones all know it may ask for nothing weaker. (The PJSIP here was built without.)"""
    async with Plateau(OFFICE, changes={"listen": {"digest": ["SHA-256"]}}) as plateau:
        phone = await baresip.phone("107", server=plateau.sip, password="wire")
        assert await phone.register() == 200
        await phone.unregister()
