"""What an anchored call costs: calls through the server to a callee that echoes RTP, 50 packets a second each way.

Every packet crosses the server twice (caller, server, callee and back), so a call is 100 packets in and 100 out a
second, as two people who talk.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from bench.processes import cpu_s, rss_bytes

RTP_LOAD_C = Path(__file__).resolve().parent / "rtp_load.c"
_FIRST_RTP_PORT = 10000
_SET_UP_PER_S = 50
_WARM_S = 1.0
_TIME_OUT_S = 15.0


class MediaLoadError(Exception):
    """No compiler, or calls were refused."""


@dataclass(frozen=True, slots=True)
class MediaStep:
    """So many calls for some seconds."""

    calls: int
    established: int
    cpu_ms: float  # of the server's processes, per call and second
    cpu_percent: float  # of one core
    generator_percent: float  # rtp_load's own, of one core
    calls_per_core: int
    sent: int
    received: int
    lost_percent: float
    worst_call: float  # received / sent of the call that fared worst
    longest_gap_ms: float  # between two packets of a call
    rss_mb: float

    @property
    def held(self) -> bool:
        """All calls up; at most one packet in a thousand lost."""
        return self.established == self.calls and self.lost_percent <= 0.1


def compile_rtp_load(folder: Path) -> Path:
    """Raises MediaLoadError."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise MediaLoadError("the media load needs a C compiler (Debian package gcc)")
    program = folder / "rtp_load"
    command = [compiler, "-O2", "-Wall", "-o", str(program), str(RTP_LOAD_C)]
    made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode:
        raise MediaLoadError(f"rtp_load.c: {made.stderr}")
    return program


@dataclass(slots=True)
class _Dialog:
    """What the BYE needs."""

    to: str
    target: str
    rtp_port: int  # the server's


@dataclass
class Callers(asyncio.DatagramProtocol):
    """A UAC that sets up plain calls and keeps them: only what the load needs of RFC 3261, no retransmissions."""

    server: tuple[str, int]
    number: str
    dialogs: dict[int, _Dialog] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    _run: str = field(default_factory=lambda: secrets.token_hex(4))
    _transport: asyncio.DatagramTransport | None = None
    _me: str = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        host, port = transport.get_extra_info("sockname")
        self._me = f"{host}:{port}"

    def _send(self, text: str) -> None:
        if self._transport is not None:
            self._transport.sendto(text.encode(), self.server)

    def invite(self, index: int) -> None:
        uri = f"sip:{self.number}@{self.server[0]}:{self.server[1]}"
        sdp = (
            f"v=0\r\no=load {index} 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {_FIRST_RTP_PORT + 2 * index} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\n"
        )
        body = f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n\r\n{sdp}"
        self._send(f"{self._head('INVITE', uri, index, 1, f'<{uri}>')}Contact: <sip:load@{self._me}>\r\n{body}")

    def _head(self, method: str, uri: str, index: int, cseq: int, to: str) -> str:
        return (
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {self._me};branch=z9hG4bK{method}{self._run}{index}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:load@{self._me}>;tag={self._run}{index}\r\nTo: {to}\r\n"
            f"Call-ID: {self._run}-{index}\r\nCSeq: {cseq} {method}\r\n"
        )

    def bye(self, index: int) -> None:
        dialog = self.dialogs[index]
        self._send(self._head("BYE", dialog.target, index, 2, dialog.to) + "Content-Length: 0\r\n\r\n")

    def datagram_received(self, data: bytes, address: object) -> None:
        text = data.decode("utf-8", "replace")
        first = text.partition("\r\n")[0]
        headers = dict(re.findall(r"^([A-Za-z-]+):\s*(.*?)\r$", text, re.MULTILINE))
        run, _, number = headers.get("Call-ID", "").partition("-")
        if run != self._run:
            return
        if not first.startswith("SIP/2.0"):  # BYE or OPTIONS of the server's
            kept = "".join(f"{name}: {headers[name]}\r\n" for name in ("Via", "From", "To", "Call-ID", "CSeq"))
            self._send(f"SIP/2.0 200 OK\r\n{kept}Content-Length: 0\r\n\r\n")
        elif headers["CSeq"].endswith("INVITE"):
            self._answered(int(number), first, headers, text)

    def _answered(self, index: int, first: str, headers: dict[str, str], text: str) -> None:
        if first.startswith("SIP/2.0 2"):
            contact = re.search(r"sip:[^>;]+", headers["Contact"])
            port = re.search(r"^m=audio (\d+)", text, re.MULTILINE)
            if contact and port:
                self.dialogs[index] = _Dialog(headers["To"], contact[0], int(port[1]))
                self._send(self._head("ACK", contact[0], index, 1, headers["To"]) + "Content-Length: 0\r\n\r\n")
        elif not first.startswith("SIP/2.0 1"):
            self.refused.append(first)


async def measure(
    program: Path, pid: int, target: str, number: str, calls: int, seconds: float, core: int | None
) -> MediaStep:
    """Set `calls` up, talk for `seconds`, read what it cost, hang up. Raises MediaLoadError."""
    loop = asyncio.get_running_loop()
    host, port = target.split(":")
    callers = Callers((host, int(port)), number)
    transport, _ = await loop.create_datagram_endpoint(lambda: callers, local_addr=("127.0.0.1", 0))
    try:
        await _set_up(callers, calls)
        step = await _talk(program, pid, callers, calls, seconds, core)
        for index in list(callers.dialogs):
            callers.bye(index)
            await asyncio.sleep(1 / (4 * _SET_UP_PER_S))
        await asyncio.sleep(1.0)
        return step
    finally:
        transport.close()


async def _set_up(callers: Callers, calls: int) -> None:
    for index in range(calls):
        callers.invite(index)
        await asyncio.sleep(1 / _SET_UP_PER_S)
    for _ in range(round(_TIME_OUT_S / 0.1)):
        if len(callers.dialogs) + len(callers.refused) >= calls:
            break
        await asyncio.sleep(0.1)
    if not callers.dialogs:
        raise MediaLoadError(f"no call was answered: {callers.refused[:1]}")


async def _talk(
    program: Path, pid: int, callers: Callers, calls: int, seconds: float, core: int | None
) -> MediaStep:
    pairs = "".join(f"{_FIRST_RTP_PORT + 2 * index} {dialog.rtp_port} 0\n" for index, dialog in callers.dialogs.items())
    command = [str(program), str(seconds + 2 * _WARM_S)]
    if core is not None:
        command = ["taskset", "-c", str(core), *command]
    pipe = asyncio.subprocess.PIPE
    load = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    running = asyncio.create_task(load.communicate(pairs.encode()))
    await asyncio.sleep(_WARM_S)
    cpu, started = cpu_s(pid), time.monotonic()
    await asyncio.sleep(seconds)
    spent, elapsed = cpu_s(pid) - cpu, time.monotonic() - started
    out, _ = await running
    if load.returncode:
        raise MediaLoadError("rtp_load failed")
    _, sent, received, worst, gap_ms, load_cpu_s, *_ = (float(part) for part in out.split())
    up = len(callers.dialogs)
    percent = 100 * spent / elapsed
    return MediaStep(
        calls=calls,
        established=up,
        cpu_ms=round(10 * percent / max(up, 1), 3),
        cpu_percent=round(percent, 1),
        generator_percent=round(100 * load_cpu_s / (seconds + 2 * _WARM_S), 1),
        calls_per_core=round(100 * up / percent) if percent else 0,
        sent=int(sent),
        received=int(received),
        lost_percent=round(100 * (1 - received / sent), 3) if sent else 100.0,
        worst_call=worst,
        longest_gap_ms=gap_ms,
        rss_mb=round(rss_bytes(pid) / 1e6, 1),
    )
