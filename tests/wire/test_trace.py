"""Seeing calls of a real server: API, commands, Wireshark, the page of a call, Homer."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bench.plateau import Plateau, PlateauError
from tests.wire.browser import open_browser
from tests.wire.conftest import OFFICE, Office

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]
ROOT = Path(__file__).parents[2]


async def made_call(office: Office, number: str, **settings: Any) -> str:
    """One call through the server, from INVITE to BYE; its id."""
    async with office.callee("uas_call.xml"):
        result = await office.caller("uac_call.xml", number, **settings)
    assert result.ok, result.errors
    lines = await trace(office.plateau, number=number, method="INVITE")
    return str(lines[-2]["call_id"])


async def trace(plateau: Plateau, **query: str) -> list[dict[str, Any]]:
    text = await plateau.get("/v1/trace?" + "&".join(f"{key}={value}" for key, value in query.items()))
    return [json.loads(line) for line in text.splitlines()]


async def command(office: Office, *words: str) -> str:
    """What a plateau command prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pbx", words[0], str(office.plateau.site), *words[1:], cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, "COLUMNS": "130"},
    )  # fmt: skip
    printed, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    return printed.decode()


async def tshark(file: Path, *fields: str) -> list[list[str]]:
    """What Wireshark's dissectors make of a file: a line a packet."""
    options = [option for field in fields for option in ("-e", field)]
    process = await asyncio.create_subprocess_exec(
        "tshark", "-r", str(file), "-T", "fields", *options, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    printed, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    return [line.split("\t") for line in printed.decode().splitlines()]


async def test_the_ladder_of_a_call(office: Office) -> None:
    call = await made_call(office, "2021", hold_ms=100)
    ladder = await office.plateau.get(f"/v1/calls/{call}/ladder")
    assert [column["title"] for column in ladder["columns"]][1:] == ["Plateau", "2021"]
    arrows = [(row["source"], row["target"], row["label"]) for row in ladder["rows"] if row["kind"] != "note"]
    first, last = arrows.index((0, 1, "INVITE")), arrows.index((1, 2, "BYE"))
    assert first < arrows.index((1, 2, "INVITE")) < arrows.index((2, 1, "200 OK")) < arrows.index((1, 0, "200 OK"))
    assert arrows.index((0, 1, "BYE")) < last < arrows.index((2, 1, "200 OK (BYE)"))
    assert any(row["kind"] == "note" and "caller hung up" in row["label"] for row in ladder["rows"])
    assert any("PCMA" in row["detail"] for row in ladder["rows"])
    picture = await office.plateau.get(f"/v1/calls/{call}/ladder.svg")
    assert picture.startswith("<svg") and "BYE" in picture
    facts = await office.plateau.get(f"/v1/calls/{call}")
    assert facts["traced"] and facts["live"] is None
    with pytest.raises(PlateauError, match="404"):
        await office.plateau.get("/v1/calls/nothing/ladder.svg")
    with pytest.raises(PlateauError, match="403"):
        await office.plateau.get(f"/v1/calls/{call}/ladder", role="agent", name="anna")


async def test_the_commands(office: Office, tmp_path: Path) -> None:
    call = await made_call(office, "2022", hold_ms=50, tcp=True)
    seen = await command(office, "trace", "--number", "2022", "--last", "1m")
    assert "INVITE" in seen and "tcp 127.0.0.2" in seen and call in seen
    assert "4711 → 2022" in seen and "→ 2021" not in seen, "the other call's lines: its number, not a part of an id"
    whole = await command(office, "trace", "--call", call, "--method", "bye", "-v")
    assert "CSeq: 2 BYE" in whole and "CSeq: 1 INVITE" not in whole
    drawn = await command(office, "ladder", call)
    assert "Plateau" in drawn and re.search(r"│─+ INVITE .*▶│", drawn) and "call ended: caller hung up" in drawn
    assert "2022" in await command(office, "ladder"), "the last call"
    file = tmp_path / "trace.pcapng"
    await command(office, "trace", "--call", call, "--pcap", str(file))
    packets = await tshark(file, "sip.Method", "sip.Status-Code", "sip.CSeq.method", "frame.comment")
    assert len(packets) >= 10 and {packet[2] for packet in packets} == {"INVITE", "ACK", "BYE"}
    assert {packet[0] for packet in packets if not packet[1]} == {"INVITE", "ACK", "BYE"}
    assert any(packet[3] == f"tcp received call {call}" for packet in packets)
    assert any(packet[3] == f"udp sent call {call}" for packet in packets)


async def test_filters_by_trunk_and_peer(office: Office) -> None:
    call = await made_call(office, "2023", hold_ms=50)
    by_trunk = await trace(office.plateau, trunk="generator", number="2023")
    assert {line["peer"].partition(":")[0] for line in by_trunk[:-1]} == {"127.0.0.2"}
    assert {line["call_id"] for line in by_trunk[:-1]} == {call}
    peer = f"127.0.0.1:{office.uas_port}"
    by_peer = await trace(office.plateau, peer=peer, number="2023")
    assert {line["peer"] for line in by_peer[:-1]} == {peer}
    assert by_peer[-1] == {"type": "end", "reason": "all", "missed": 0}
    with pytest.raises(PlateauError, match="there is no trunk"):
        await trace(office.plateau, trunk="nobody")


async def test_a_live_trace(office: Office) -> None:
    headers = {"Authorization": f"Bearer {office.plateau.token('supervisor', 'boss')}"}
    url = f"{office.plateau.http}/v1/trace?follow=1&last_s=0&number=2024&method=BYE"
    async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as answer:
        assert answer.status == 200 and answer.content_type == "application/x-ndjson"
        call = await made_call(office, "2024", hold_ms=50)
        async with asyncio.timeout(30):
            line = json.loads(await answer.content.readline())
        assert line["title"] == "BYE" and line["call_id"] == call and line["direction"] == "received"


async def test_the_page_of_a_call(office: Office, tmp_path: Path) -> None:
    call = await made_call(office, "2025", hold_ms=100)
    page = f"{office.plateau.http}/calls/{call}"
    async with open_browser(tmp_path / "profile") as browser:
        await browser.go(page)
        await browser.until("#problem", "Sign in")
        await browser.go(f"{page}#token={office.plateau.token('supervisor', 'boss')}")
        await browser.until("#parties", "2025")
        await browser.until("#tags", "caller hung up")
        await browser.until("#picture", "INVITE")
        assert "token" not in await browser.run("return location.href")
        await browser.click("#picture .request[data-sequence] text")
        text = await browser.until("#message-text", "Call-ID")
        assert text.startswith("INVITE sip:2025")
        assert "#0369a1" in await browser.run(
            "return getComputedStyle(document.querySelector('.ladder')).getPropertyValue('--request')"
        ), "the style sheet beside the page has the ladder's colours"
        await browser.picture("call-light")
        await browser.dark(True)
        await browser.wide(420)
        await browser.picture("call-narrow-dark")
        assert await browser.run("return document.documentElement.scrollWidth") <= 420, "only the ladder scrolls"
        await browser.go(f"{office.plateau.http}/calls/nothing")
        await browser.until("#problem", "no such call")
        assert [line for line in await browser.complaints() if "404" not in line] == []


@pytest.fixture
async def homer() -> AsyncIterator[socket.socket]:
    """A socket where a Homer could be."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.setblocking(False)
        listening.bind(("127.0.0.1", 0))
        yield listening


@pytest.mark.asyncio(loop_scope="function")
async def test_homer_gets_a_copy(homer: socket.socket) -> None:
    address = "{}:{}".format(*homer.getsockname())
    settings = {"trace": {"homer": {"address": address, "capture_id": 7, "password": "open"}}}
    loop = asyncio.get_running_loop()
    async with Plateau(OFFICE, changes=settings, media_ports=100) as plateau:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            phone.bind(("127.0.0.1", 0))
            via = f"Via: SIP/2.0/UDP 127.0.0.1:{phone.getsockname()[1]};branch=z9hG4bKo\r\n"
            parties = "From: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: to-homer\r\nCSeq: 1 OPTIONS\r\n"
            options = f"OPTIONS sip:{plateau.sip} SIP/2.0\r\n{via}{parties}Content-Length: 0\r\n\r\n"
            phone.sendto(options.encode(), (plateau.host, plateau.sip_port))
            async with asyncio.timeout(30):
                first, second = [await loop.sock_recv(homer, 65_535) for _ in range(2)]
        assert first.startswith(b"HEP3") and options.encode() in first and b"open" in first
        assert b"SIP/2.0 200" in second and b"to-homer" in second
        assert await plateau.counter("plateau_homer_sent_total") == 2
