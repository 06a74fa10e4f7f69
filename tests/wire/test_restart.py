"""What is left of calls, subscriptions and message counts when the server is killed and started again."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import Any, Literal

import pytest

from bench.plateau import Plateau
from bench.processes import is_alive
from bench.sites import read_site
from bench.softphones import Softphones, answer, ring_only
from tests.wire.conftest import OFFICE, eventually

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]

COUNTS = {"new": 3, "old": 1, "new_urgent": 1, "old_urgent": 0}


@pytest.mark.parametrize(
    ("with_worker", "number"), [(False, signal.SIGKILL), (True, signal.SIGKILL), (False, signal.SIGUSR2)]
)
async def test_two_who_talk_notice_nothing(
    pjsip: Softphones, baresip: Softphones, with_worker: bool, number: int
) -> None:
    """The server is killed, or told to leave, and started again under a call: the sound goes on, and hanging up works
    as ever. If its media worker dies too, the phones are asked to send to the next one."""
    async with Plateau(OFFICE) as plateau:
        looper = await pjsip.phone("107", server=plateau.sip, password="wire", policy=answer(100), loops=True)
        listener = await baresip.phone("108", server=plateau.sip, password="wire", tone_hz=620)
        assert await looper.register() == 200 and await listener.register() == 200
        call = await listener.call("107")
        there = await looper.next_call()
        await call.established()
        assert (await call.hear(620)).heard

        async def kept() -> bool:
            return await plateau.counter("plateau_standing_calls_written_total") >= 1

        await eventually(kept)
        (before,) = (await plateau.get("/v1/calls"))["calls"]
        workers = plateau.media_workers()
        await plateau.crash_and_restart(workers=with_worker, number=number)
        await asyncio.sleep(0.5 if with_worker else 0)  # so that what is heard is not what was on its way
        assert (await call.hear(620)).heard
        (after,) = (await plateau.get("/v1/calls"))["calls"]
        assert after["id"] == before["id"] and after["started_at"] == before["started_at"]
        assert any(map(is_alive, workers)) is not with_worker
        await there.hold()
        await there.resume()
        assert (await call.hear(620)).heard
        await call.hang_up()
        await there.ended()

        async def recorded() -> list[str]:
            return [cdr["cause"] for cdr in (await plateau.get("/v1/cdrs"))["cdrs"]]

        await eventually(recorded)
        assert await recorded() == ["caller hung up"]
        assert await looper.unregister() == 200 and await listener.unregister() == 200
    assert plateau.exit_status == 0 and not plateau.left_over and not any(map(is_alive, workers))


@pytest.mark.parametrize("stack", ["pjsip", "baresip"])
@pytest.mark.parametrize("to", ["107", "0612345678"])
async def test_a_phone_that_rang_rings_no_more(stack: Literal["pjsip", "baresip"], to: str) -> None:
    """An extension's, or one behind a trunk: the killed server can't cancel the call, the next one does."""
    async with Softphones(stack) as phones:
        gateway = f"sip:{phones.address('x').partition('@')[2]}"
        changes = {
            "trunks": {**read_site(OFFICE)["trunks"], "outside": {"gateway": gateway, "probe_s": 0}},
            "dial_plan": [{"match": "06XXXXXXXX", "to": "trunk outside"}, *read_site(OFFICE)["dial_plan"]],
        }
        async with Plateau(OFFICE, changes=changes) as plateau:
            login: dict[str, Any] = {"server": plateau.sip, "password": "wire"} if to == "107" else {}
            rung = await phones.phone(to, policy=ring_only(), **login)
            caller = await phones.phone("108", server=plateau.sip, password="wire")
            assert await caller.register() == 200 and (not login or await rung.register() == 200)
            await caller.call(to)
            there = await rung.next_call()

            async def kept() -> bool:
                return await plateau.counter("plateau_standing_calls_written_total") >= 1

            await eventually(kept)
            await plateau.crash_and_restart()
            await there.ended()
            assert there.established_at is None and rung.calls.empty()
            assert [cdr["cause"] for cdr in (await plateau.get("/v1/cdrs"))["cdrs"]] == ["server stopped"]
            assert (await plateau.get("/v1/calls"))["calls"] == []
            assert not [line for line in plateau.log if "Traceback" in line or "can't be taken up" in line]
        assert plateau.exit_status == 0 and not plateau.left_over


async def test_figures_of_flows_are_the_same_after_a_kill(baresip: Softphones) -> None:
    async with Plateau(OFFICE) as plateau:
        phone = await baresip.phone("108", server=plateau.sip, password="wire", tone_hz=620)
        assert await phone.register() == 200
        call = await phone.call("1001")
        await call.established()
        await call.hang_up()

        async def counted() -> list[tuple[str, int, int]]:
            rows = (await plateau.get("/v1/statistics?by=ivr"))["rows"]
            return [(row["name"], row["hour"]["entered"], row["hour"]["hung_up"]) for row in rows]

        async def written() -> list[object]:
            return list((await plateau.get("/v1/cdrs"))["cdrs"])

        await eventually(written)
        assert await counted() == [("echo/echo", 1, 1)]
        await plateau.crash_and_restart()
        assert await counted() == [("echo/echo", 1, 1)]
        assert await phone.unregister() == 200
    assert plateau.exit_status == 0


def refresh(port: int) -> bytes:
    """A SUBSCRIBE within a dialog of the server that was."""
    return (
        f"SUBSCRIBE sip:plateau@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKr\r\n"
        "Max-Forwards: 70\r\nFrom: <sip:101@127.0.0.1>;tag=a\r\nTo: <sip:102@127.0.0.1>;tag=of-before\r\n"
        f"Call-ID: restart\r\nCSeq: 2 SUBSCRIBE\r\nContact: <sip:101@127.0.0.1:{port}>\r\nEvent: dialog\r\n"
        "Expires: 3600\r\nContent-Length: 0\r\n\r\n"
    ).encode()


async def test_messages_are_kept_and_subscriptions_made_anew() -> None:
    """RFC 6665 4.1.2.2: on 481 the phone subscribes again."""
    path, other = "/v1/extensions/101/messages", "/v1/extensions/102/messages"
    async with Plateau(OFFICE) as plateau:
        for to, counts in ((other, COUNTS), (other, {"new": 0}), (path, COUNTS)):
            await plateau._request("PUT", to, counts, "supervisor", "mailbox")

        async def written() -> bool:
            return await plateau.counter("plateau_settings_written_total") >= 2

        await eventually(written)
        await plateau.crash_and_restart()
        kept, cleared = await plateau.get(path), await plateau.get(other)
        assert {name: kept[name] for name in COUNTS} == COUNTS and cleared["new"] == cleared["old"] == 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            phone.bind(("127.0.0.1", 0))
            phone.settimeout(30)
            phone.sendto(refresh(phone.getsockname()[1]), ("127.0.0.1", plateau.sip_port))
            answer = await asyncio.to_thread(phone.recv, 4096)
        assert answer.startswith(b"SIP/2.0 481 ")
    assert plateau.exit_status == 0
