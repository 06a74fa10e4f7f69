"""The file as Wireshark reads it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pbx.sip.hop import Hop
from pbx.trace import pcapng
from tests.trace.conftest import PHONE, START, Recorder, request, response

SIX = Hop("wss", "2001:db8::44", 40200)


def tshark(file: Path, *fields: str) -> list[list[str]]:
    """A line a packet; bad checksums and malformed packets are said in the last field."""
    names = [name for field in (*fields, "_ws.expert.message") for name in ("-e", field)]
    checks = ["-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]
    done = subprocess.run(
        ["tshark", "-r", str(file), *checks, "-T", "fields", *names], capture_output=True, text=True, check=True
    )
    return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.fixture
def written(recorder: Recorder, tmp_path: Path) -> Path:
    """An OPTIONS over IPv4 by TLS, one over IPv6 by WSS with a body of odd length, their answers, and a long one."""
    for hop in (PHONE, SIX):
        asked = recorder.got(request("OPTIONS", f"x@{hop.transport}", body="odd"), hop)
        recorder.sent(response("200 OK", asked), hop)
    recorder.got(request("MESSAGE", "long", body="x" * 70_000), PHONE)
    recorder.got(b"", Hop("udp", "a.name", 1))
    file = tmp_path / "trace.pcapng"
    file.write_bytes(pcapng.head() + b"".join(map(pcapng.packet, recorder.all())))
    return file


def test_sip_is_dissected(written: Path) -> None:
    found = tshark(written, "sip.Method", "sip.Status-Code", "sip.Call-ID", "frame.comment")
    assert [packet[:4] for packet in found[:4]] == [
        ["OPTIONS", "", "x@tls", "tls received"], ["", "200", "x@tls", "tls sent"],
        ["OPTIONS", "", "x@wss", "wss received"], ["", "200", "x@wss", "wss sent"],
    ]  # fmt: skip
    assert len(found) == 5, "what has no address is left out"


def test_addresses_and_checksums_are_right(written: Path) -> None:
    fields = ("ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "udp.srcport", "udp.dstport", "ip.checksum.status",
              "udp.checksum.status", "frame.time_epoch")  # fmt: skip
    found = tshark(written, *fields)
    assert found[0][:6] == ["192.0.2.44", "192.0.2.1", "", "", "40123", "5060"]
    assert found[1][:6] == ["192.0.2.1", "192.0.2.44", "", "", "5060", "40123"]
    assert found[2][:6] == ["", "", "2001:db8::44", "2001:db8::1", "40200", "5060"]
    assert [packet[6:8] for packet in found] == [["1", "1"], ["1", "1"], ["", "1"], ["", "1"], ["1", "1"]], "1 is good"
    assert float(found[0][8]) == pytest.approx(START + 0.01, abs=1e-6)


def test_a_long_message_is_cut(recorder: Recorder) -> None:
    recorder.got(b"x" * 200_000)
    block = pcapng.packet(recorder.all()[0])
    assert pcapng.MAX_PAYLOAD_BYTES < len(block) < pcapng.MAX_PAYLOAD_BYTES + 200


def test_two_families_make_no_packet(recorder: Recorder) -> None:
    recorder.got(request("OPTIONS", "x"))
    message = recorder.all()[0]
    object.__setattr__(message, "ours", ("2001:db8::1", 5060))
    assert pcapng.packet(message) == b""


@pytest.mark.parametrize("data", [b"", b"\xff\xff", b"\x00", b"\x12\x34\x56\x78\x9a", b"\xff\xff\x00\x01"])
def test_the_checksum_is_that_of_rfc_1071(data: bytes) -> None:
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big")
        total = (total & 0xFFFF) + (total >> 16)
    assert pcapng._checksum(data) in (0xFFFF - total, 0xFFFF if total == 0xFFFF else 0xFFFF - total)
