"""Kamailio as a proxy in front of the server and as the carrier behind it."""

from __future__ import annotations

import asyncio
import itertools
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from bench.plateau import Plateau
from bench.ports import free_sip_port
from bench.sipp import Sipp, SippResult
from bench.softphones import Softphones, answer
from tests.wire.conftest import HERE, OFFICE, TRUNK, eventually
from tests.wire.proxy import Kamailio

CALL = HERE / "sipp" / "uac_call.xml"
pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]


async def call(target: str, number: str, calls: int = 2, scenario: Path = CALL) -> SippResult:
    sipp = Sipp(scenario, target, service=number, calls=calls, hold_ms=100, within_s=60, host=TRUNK)
    await sipp.start()
    return await sipp.wait()


# --- in front -------------------------------------------------------------------------------------------------------


def in_front(plateau: Plateau) -> Kamailio:
    port = plateau.sip.rpartition(":")[2]
    return Kamailio("front.cfg", PHONES="udp:{sip}", SERVER=f'"sip:{plateau.sip}"', SERVER_PORT=port)


async def test_phones_behind_a_proxy(pjsip: Softphones) -> None:
    """They register through it (Path), are called by it (Route), and it stays in their calls (Record-Route)."""
    async with Plateau(OFFICE, changes={"security": {"proxies": "127.0.0.1"}}) as plateau, in_front(plateau) as proxy:
        phone = await pjsip.phone("108", server=proxy.sip, password="wire", policy=answer())
        assert await phone.register() == 200, proxy.log()
        (known,) = (await plateau.get("/v1/phones"))["phones"]
        assert known["contacts"][0]["hop"] == f"udp:{proxy.sip}"

        result = await call(plateau.sip, "108", calls=1)  # in, and ended by the caller
        assert result.ok, f"{result.errors}\n{proxy.log()}"
        there = await phone.next_call()
        await there.ended()

        echo = await phone.call(f"sip:1001@{proxy.sip}")  # out, and ended by the phone
        await echo.established()
        await echo.hang_up()
        assert await phone.unregister() == 200
        assert await plateau.counter("plateau_registered_contacts") == 0
        await plateau.until_idle()


async def test_a_proxy_is_told_of_overload() -> None:
    """RFC 7339: it offers `oc` in its Via; a server that was kept from its work says how much less it wants."""
    loop = asyncio.get_running_loop()
    async with Plateau(OFFICE, changes={"security": {"proxies": "127.0.0.1"}}) as plateau, in_front(plateau) as proxy:
        numbers = itertools.count()
        socket, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, (proxy.host, 0))

        async def told(words: str) -> bool:
            host, port = socket.get_extra_info("sockname")
            number = next(numbers)  # of a request of its own each
            head = f"OPTIONS sip:{proxy.sip} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{number}\r\n"
            head += f"From: <sip:a@{host}>;tag=a\r\nTo: <sip:{proxy.sip}>\r\nCall-ID: {number}\r\nCSeq: 1 OPTIONS\r\n"
            head += "Max-Forwards: 9\r\nContent-Length: 0\r\n\r\n"
            socket.sendto(head.encode(), (proxy.host, proxy.port))
            return re.search(words, proxy.log()) is not None

        await eventually(lambda: told(";oc=0;.*;oc-validity=0;"))

        async def told_of_overload() -> bool:
            for _ in range(3):  # it begins with the second measurement above T1 in a row
                plateau.signal(signal.SIGSTOP)
                await asyncio.sleep(0.6)
                plateau.signal(signal.SIGCONT)
                await asyncio.sleep(0.03)
            for _ in range(20):
                if await told(";oc=[1-9][0-9]*;.*;oc-validity=500;"):
                    return True
                await asyncio.sleep(0.05)
            return False

        await eventually(told_of_overload)
        socket.close()


# --- behind ---------------------------------------------------------------------------------------------------------

LOGIN = {"username": "office", "password": "between us"}


def customer_of(carrier: Kamailio) -> dict[str, Any]:
    return {
        "trunks": {
            "generator": {"from": TRUNK},
            "carrier": {"gateway": f"sip:{carrier.sip}", "login": LOGIN, "register": True, "probe_s": 1},
        },
        "dial_plan": [
            {"from": "trunk generator", "match": "5XXX", "to": "trunk carrier"},
            {"from": "trunk carrier", "match": "office", "to": "ivr echo"},
        ],
    }


async def test_a_carrier_that_asks_for_a_password(tmp_path: Path) -> None:
    """Registration, calls out with digest, calls in to the registered contact, OPTIONS; Record-Route both ways."""
    async with Sipp(HERE / "sipp" / "uas_call.xml", None) as phones:
        server_port = free_sip_port()
        words = {"PHONES": f'"sip:127.0.0.1:{phones.port}"', "CUSTOMER_PORT": str(server_port)}
        async with Kamailio("carrier.cfg", host="127.0.0.3", HERE="udp:{sip}", **words) as carrier:
            async with Plateau(OFFICE, changes=customer_of(carrier), sip_port=server_port) as plateau:

                async def trunk() -> dict[str, Any]:
                    trunks = (await plateau.get("/v1/trunks"))["trunks"]
                    return next(one for one in trunks if one["name"] == "carrier")

                async def registered() -> object:
                    return (await trunk())["registration"]["registered"]

                await eventually(registered)
                out = await call(plateau.sip, "5001")
                assert out.ok and out.successful == 2, f"{out.errors}\n{carrier.log()}"

                routed = tmp_path / "uac_routed.xml"  # whose ACK and BYE follow Record-Route
                routed.write_text(re.sub(r"( +)(CSeq: .*(?:ACK|BYE)\n)", r"\1[routes]\n\1\2", CALL.read_text()))
                into = await call(carrier.sip, "office", scenario=routed)
                assert into.ok and into.successful == 2, f"{into.errors}\n{carrier.log()}"

                async def asked() -> object:
                    return (await trunk())["gateways"][0]["round_trip_ms"] is not None

                await eventually(asked)
                assert (await trunk())["gateways"][0]["state"] == "up"
                await plateau.until_idle()
        assert phones.result is None
    assert phones.result is not None and phones.result.successful == 2
