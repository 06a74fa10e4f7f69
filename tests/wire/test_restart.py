"""What is left of subscriptions and message counts when the server is killed and started again."""

from __future__ import annotations

import asyncio
import socket

import pytest

from bench.plateau import Plateau
from tests.wire.conftest import OFFICE, eventually

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]

COUNTS = {"new": 3, "old": 1, "new_urgent": 1, "old_urgent": 0}


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
            phone.settimeout(5)
            phone.sendto(refresh(phone.getsockname()[1]), ("127.0.0.1", plateau.sip_port))
            answer = await asyncio.to_thread(phone.recv, 4096)
        assert answer.startswith(b"SIP/2.0 481 ")
    assert plateau.exit_status == 0
