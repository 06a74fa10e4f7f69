"""A phone of plain sockets, a plane with a real worker, and prompts made on the spot."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
import wave
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from bench.ports import ClaimedPorts
from config.schema import PortRange
from media.plane import MediaPort, PortStats, RemoteMedia
from media.worker_plane import WorkerPlane

LOCAL = "127.0.0.1"
FRAME_UNITS = 160


class Packet(NamedTuple):
    """An RTP packet as it arrived, and when."""

    payload_type: int
    marker: bool
    seq: int
    timestamp: int
    ssrc: int
    payload: bytes
    at_s: float


class Phone:
    """One RTP and one RTCP socket; counts its own sequence and timestamps."""

    def __init__(
        self, payload_type: int = 0, ssrc: int = 0x1234, seq: int = 100, timestamp: int = 4000, host: str = LOCAL
    ) -> None:
        self.host = host
        self._to = LOCAL if host.startswith("127.") else host  # where the plane is
        self.payload_type, self.ssrc, self.seq, self.timestamp = payload_type, ssrc, seq, timestamp
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.rtp = socket.socket(family, socket.SOCK_DGRAM)
        self.rtcp = socket.socket(family, socket.SOCK_DGRAM)
        for one in (self.rtp, self.rtcp):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)  # as much as there may be: 2 s of L16 were not
            one.bind((host, 0))
            one.setblocking(False)

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()

    def remote(self, **changes: Any) -> RemoteMedia:
        """What this phone's SDP would say."""
        values: dict[str, Any] = {
            "host": self.host,
            "port": self.rtp.getsockname()[1],
            "rtcp_port": self.rtcp.getsockname()[1],
            "codec": "PCMA" if self.payload_type == 8 else "PCMU",
            "payload_type": self.payload_type,
            "dtmf_payload_type": 101,
        }
        return RemoteMedia(**(values | changes))

    def packet(self, payload: bytes, payload_type: int | None = None, marker: bool = False) -> bytes:
        kind = self.payload_type if payload_type is None else payload_type
        return struct.pack(">BBHII", 0x80, kind | marker << 7, self.seq, self.timestamp, self.ssrc) + payload

    def send(self, port: MediaPort, payload: bytes = b"\x10" * FRAME_UNITS, **kwargs: Any) -> None:
        """One packet of sound, and the counters go on."""
        self.rtp.sendto(self.packet(payload, **kwargs), (self._to, port.number))
        self.seq = (self.seq + 1) & 0xFFFF
        self.timestamp = (self.timestamp + FRAME_UNITS) & 0xFFFFFFFF

    def send_key(self, port: MediaPort, event: int, duration: int, end: bool = False, payload_type: int = 101) -> None:
        """One packet of a key (RFC 4733 2.3): the timestamp stays."""
        payload = struct.pack(">BBH", event, 0x80 * end | 10, duration)
        self.rtp.sendto(self.packet(payload, payload_type), (self._to, port.number))
        self.seq = (self.seq + 1) & 0xFFFF

    async def receive(self, within_s: float = 30.0) -> Packet:
        """The next packet; TimeoutError if none comes."""
        async with asyncio.timeout(within_s):
            data = await asyncio.get_running_loop().sock_recv(self.rtp, 2048)
        first, second, seq, timestamp, ssrc = struct.unpack_from(">BBHII", data)
        assert first == 0x80
        return Packet(second & 0x7F, bool(second >> 7), seq, timestamp, ssrc, data[12:], time.monotonic())

    async def receive_many(self, count: int) -> list[Packet]:
        return [await self.receive() for _ in range(count)]

    async def listen(self, for_s: float) -> list[Packet]:
        """All packets of a while."""
        packets: list[Packet] = []
        try:
            async with asyncio.timeout(for_s):
                while True:
                    packets.append(await self.receive(for_s))
        except TimeoutError:
            return packets

    async def receive_rtcp(self, within_s: float = 30.0) -> bytes:
        async with asyncio.timeout(within_s):
            return await asyncio.get_running_loop().sock_recv(self.rtcp, 2048)

    async def hears_nothing(self, for_s: float = 0.05) -> bool:
        try:
            await self.receive(for_s)
        except TimeoutError:
            return True
        return False

    def forget_heard(self) -> None:
        """Throw away what arrived."""
        try:
            while True:
                self.rtp.recv(2048)
        except BlockingIOError:
            return


class Leg(NamedTuple):
    """A phone and the port it talks to."""

    phone: Phone
    port: MediaPort


def write_wav(path: Path, samples: np.ndarray[Any, Any]) -> None:
    """8 kHz, 16 bit."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.astype("<i2").tobytes())


def tone(hz: float, duration_s: float) -> np.ndarray[Any, Any]:
    return 10000 * np.sin(2 * np.pi * hz * np.arange(round(duration_s * 8000)) / 8000)


def snr_db(sound: np.ndarray[Any, Any], *hertz: float) -> float:
    """Power of the given sines, at whatever phase and level, over everything else; at 16 kHz."""
    at = np.arange(len(sound)) / 16000
    basis = np.stack([wave(2 * np.pi * f * at) for f in hertz for wave in (np.sin, np.cos)], axis=1)
    fit = basis @ np.linalg.lstsq(basis, sound.astype(float), rcond=None)[0]
    return float(10 * np.log10(fit.var() / (sound - fit).var()))


@pytest.fixture
def phone() -> Iterator[Callable[..., Phone]]:
    """Makes phones; they are closed at the end."""
    made: list[Phone] = []

    def make(**kwargs: Any) -> Phone:
        made.append(Phone(**kwargs))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    """`one`: 60 ms of 500 Hz; `two`: 40 ms of 900 Hz."""
    folder = tmp_path / "prompts"
    folder.mkdir()
    write_wav(folder / "one.wav", tone(500, 0.06))
    write_wav(folder / "two.wav", tone(900, 0.04))
    return folder


FreeRange = Callable[[int], PortRange]


@pytest.fixture
def free_range() -> Iterator[FreeRange]:
    """Makes ranges of so many port pairs, nobody else's until the test is over."""
    claims: list[ClaimedPorts] = []

    def claim(pairs: int) -> PortRange:
        claims.append(ClaimedPorts(2 * pairs, LOCAL))
        return PortRange(claims[-1].first, claims[-1].last)

    yield claim
    for one in claims:
        one.release()


@pytest.fixture
def make_plane(prompts: Path, free_range: FreeRange) -> Callable[[int], Awaitable[WorkerPlane]]:
    async def make(pairs: int) -> WorkerPlane:
        plane = WorkerPlane(LOCAL, None, free_range(pairs), prompts, Counter())
        await plane.start()
        return plane

    return make


@pytest.fixture
async def plane(make_plane: Callable[[int], Awaitable[WorkerPlane]]) -> AsyncIterator[WorkerPlane]:
    """A running plane of eight ports with the prompts above."""
    made = await make_plane(8)
    yield made
    await made.close()


@pytest.fixture
def stats(plane: WorkerPlane) -> Callable[[MediaPort], Awaitable[PortStats]]:
    """Release a port and get its counters."""

    async def ask(port: MediaPort) -> PortStats:
        answer: asyncio.Future[PortStats] = asyncio.get_running_loop().create_future()
        plane.release(port, answer.set_result)
        async with asyncio.timeout(30):
            return await answer

    return ask


@pytest.fixture
def settle(plane: WorkerPlane, stats: Callable[[MediaPort], Awaitable[PortStats]]) -> Callable[[], Awaitable[None]]:
    """Wait until the worker has executed every command so far: it has, once a later one is answered."""

    async def wait() -> None:
        await stats(plane.lease())

    return wait


@pytest.fixture
def leg(plane: WorkerPlane, phone: Callable[..., Phone]) -> Callable[..., Leg]:
    """Makes connected legs; keywords of the phone, `remote` for changes of its RemoteMedia."""

    def make(remote: dict[str, Any] | None = None, **kwargs: Any) -> Leg:
        made = Leg(phone(**kwargs), plane.lease())
        plane.connect(made.port, made.phone.remote(**(remote or {})))
        return made

    return make
