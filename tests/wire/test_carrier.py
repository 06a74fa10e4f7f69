"""One Plateau registers at another: the carrier's calls are known by the contact, and the end of it is told."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from bench.plateau import Plateau
from bench.sipp import Sipp, SippResult
from tests.wire.conftest import HERE, OFFICE, TRUNK, eventually

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]
LOGIN = {"username": "office", "password": "between us"}


def carrier_changes() -> dict[str, Any]:
    """The carrier: who registers as `office` gets the calls to 4XXX."""
    return {
        "trunks": {"generator": {"from": TRUNK}, "customer": {"registers_as": LOGIN}},
        "dial_plan": [{"from": "trunk generator", "match": "4XXX", "to": "trunk customer"}],
    }


def customer_changes(carrier: Plateau, password: str = LOGIN["password"]) -> dict[str, Any]:
    login = {"username": "office", "password": password}
    return {
        "trunks": {"carrier": {"gateway": f"sip:{carrier.sip}", "login": login, "register": True, "probe_s": 0}},
        "dial_plan": [{"from": "trunk carrier", "match": "4000", "to": "ivr echo"}],
    }


async def trunk(plateau: Plateau, name: str) -> dict[str, Any]:
    trunks = (await plateau.get("/v1/trunks"))["trunks"]
    return next(one for one in trunks if one["name"] == name)


async def call(carrier: Plateau) -> SippResult:
    scenario = HERE / "sipp" / "uac_call.xml"
    sipp = Sipp(scenario, carrier.sip, service="4000", calls=2, hold_ms=100, within_s=60, host=TRUNK)
    await sipp.start()
    return await sipp.wait()


async def test_registered_called_and_taken_away() -> None:
    async with Plateau(OFFICE, changes=carrier_changes()) as carrier:
        async with Plateau(OFFICE, changes=customer_changes(carrier)) as customer:

            async def registered() -> object:
                return (await trunk(customer, "carrier"))["registration"]["registered"]

            await eventually(registered)
            assert await customer.counter("plateau_trunks_registered") == 1
            result = await call(carrier)
            assert result.ok and result.successful == 2, result.errors
            cdrs = (await customer.get("/v1/cdrs"))["cdrs"]
            assert {(cdr["trunk"], cdr["to_number"]) for cdr in cdrs} <= {("carrier", "4000")}

            await carrier.crash_and_restart()  # neither side has forgotten
            result = await call(carrier)
            assert result.ok and result.successful == 2, result.errors

            customer.signal(signal.SIGTERM)
            assert await customer.wait(20) == 0
        assert await carrier.counter("plateau_registered_contacts") == 0


async def test_a_wrong_password_is_shown() -> None:
    async with (
        Plateau(OFFICE, changes=carrier_changes()) as carrier,
        Plateau(OFFICE, changes=customer_changes(carrier, "guessed")) as customer,
    ):

        async def failed() -> object:
            return (await trunk(customer, "carrier"))["registration"]["failures"]

        await eventually(failed)
        registration = (await trunk(customer, "carrier"))["registration"]
        assert (registration["state"], registration["last_status"]) == ("waiting", 403)
        assert any("trunk registration failed" in line for line in customer.log)
