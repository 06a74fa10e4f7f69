"""The media target: a worker with sanitizers, real sockets, and dice. Peers and strangers send RTP, keys, RTCP, STUN,
DTLS and SRTP, right and mutated; the server gives every order there is, and records that are nonsense.

The worker lives, answers, and the sanitizers have nothing to report. A seed makes the same moves each time, though not
at the same moments.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import socket
import struct
import sys
import tempfile
import wave
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from bench.ports import ClaimedPorts
from bench.srtp import Srtp
from config.schema import PortRange
from media import records
from media.plane import ConferencesExhausted, MediaPort, RecordingOrder, RemoteMedia, Spoken
from media.security import SUITES, Dtls, IceCredentials, SecurityPolicy, SrtpKeys
from media.worker_plane import WorkerPlane
from tests.fuzz.sanitizer import sanitized

LOCAL = "127.0.0.1"
LEGS, SPARE = 12, 12
SETTLED = 2  # legs of a call as it stands, so that the window of latching closes
CODECS: tuple[dict[str, Any], ...] = (
    {"codec": "PCMU", "payload_type": 0},
    {"codec": "PCMA", "payload_type": 8},
    {"codec": "G722", "payload_type": 9},
    {"codec": "L16", "payload_type": 97, "clock_hz": 16000},
    {"codec": "L16", "payload_type": 11, "clock_hz": 8000},
    {"codec": "OPUS", "payload_type": 96, "clock_hz": 48000, "dtmf_clock_hz": 48000, "fmtp": "useinbandfec=1"},
)
OTHERS = (
    Spoken("PCMU", 8000, 0, 0, 101, 101, 8000), Spoken("PCMA", 8000, 8, 8, None, None, 8000),
    Spoken("G722", 8000, 9, 9, 101, 101, 8000), Spoken("L16", 16000, 97, 97, 101, 101, 16000),
    Spoken("OPUS", 48000, 111, 96, 101, 127, 48000, "maxaveragebitrate=16000"),
)  # fmt: skip
OUR_SUITES = ("AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80")
TYPES = (0, 0, 0, 8, 9, 11, 13, 96, 97, 101, 101, 101, 111, 127, 72)
RECORD_OPS = (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, *range(20, 66), 99, 255)  # not HELLO, LEASE, STOP or RETIRE


class Finding(Exception):
    """The worker died, does not answer, or a sanitizer reported."""


class Peer:
    """Both sockets of a phone, and where its stream is."""

    def __init__(self, host: str = LOCAL) -> None:
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        for one in self.sockets:
            one.bind((host, 0))
            one.setblocking(False)
        self.seq, self.timestamp, self.ssrc, self.kind, self.steady = 0, 0, 1, 0, 0
        self.srtp: Srtp | None = None

    @property
    def at(self) -> tuple[str, int]:
        return self.sockets[0].getsockname()  # type: ignore[no-any-return]

    def close(self) -> None:
        for one in self.sockets:
            one.close()


class Fuzzer:
    """One worker and its peers."""

    def __init__(self, plane: WorkerPlane, dice: random.Random, folder: Path) -> None:
        self.plane, self.dice, self.folder = plane, dice, folder
        self.peers = [Peer() for _ in range(LEGS)]
        self.strangers = [Peer(), Peer(), Peer("127.0.0.2")]
        self.ports: list[MediaPort] = [plane.lease() for _ in range(LEGS)]
        self.recordings: list[int] = []
        self.room = plane.open_conference()
        self.orders: tuple[Callable[[int], object], ...] = (
            self.connect, self.connect, self.bridge, self.bridge, self.echo, self.play, self.join, self.keys,
            self.record, self.mask, self.lease_anew, self.watch, self.nonsense, self.nonsense, self.silence,
            self.sources,
        )  # fmt: skip
        for n in range(SETTLED, LEGS):
            self.connect(n)
        for n, (host, port) in enumerate((("127.0.0.3", 4000), self.strangers[2].at)):
            self.plane.connect(self.ports[n], RemoteMedia(host, port, "PCMA", 8))

    def close(self) -> None:
        for one in (*self.peers, *self.strangers):
            one.close()

    # --- what peers send ----------------------------------------------------------------------------------------------

    def rtp(self, peer: Peer) -> bytes:
        dice = self.dice
        if peer.steady:
            peer.steady -= 1
            peer.seq, peer.timestamp = peer.seq + 1 & 0xFFFF, peer.timestamp + 160 & 0xFFFFFFFF
            head = struct.pack(">BBHII", 0x80, peer.kind, peer.seq, peer.timestamp, peer.ssrc)
            return head + bytes(160 if peer.steady > 10 else 80)
        peer.seq = peer.seq + dice.choice((1, 1, 1, 1, 2, -3, 50, 4000)) & 0xFFFF
        peer.timestamp = peer.timestamp + dice.choice((160, 160, 160, 320, 960, -160, 1 << 30)) & 0xFFFFFFFF
        kind, flags = dice.choice(TYPES), dice.choice((0x80,) * 8 + (0xA0, 0x90, 0x8F, 0xBF))
        if dice.random() < 0.1:
            peer.ssrc = dice.randrange(1, 40)  # more than have a window in SRTP; some come back
        if kind == 101:
            payload = struct.pack(">BBH", dice.randrange(20), dice.choice((10, 0x8A)), dice.choice((160, 320, 65535)))
        else:
            payload = dice.randbytes(dice.choice((0, 1, 20, 80, 160, 160, 160, 161, 240, 480, 640, 960, 1275, 1900)))
        head = struct.pack(">BBHII", flags, kind | dice.choice((0, 0x80)), peer.seq, peer.timestamp, peer.ssrc)
        return head + payload

    def rtcp(self, peer: Peer) -> bytes:
        dice, whole = self.dice, b""
        for _ in range(dice.choice((1, 1, 2, 4))):
            kind, count = dice.choice((200, 201, 202, 203, 204, 205)), dice.choice((0, 1, 1, 2, 31))
            body = dice.randbytes(4 * dice.choice((0, 1, 6, 7, 12, 20)))
            length = len(body) // 4 + 1 if dice.random() < 0.8 else dice.randrange(65536)
            whole += struct.pack(">BBHI", 0x80 | count, kind, length, peer.ssrc) + body
        return whole

    def stun(self, port: MediaPort) -> bytes:
        dice = self.dice
        sizes = ((0x24, 4), (0x25, 0), (8, 20), (0x8028, 4))
        values = [(6, f"{port.ice_ufrag}:peer".encode()), *((kind, dice.randbytes(size)) for kind, size in sizes)]
        body = b"".join(
            struct.pack(">HH", kind, len(value) if dice.random() < 0.9 else dice.randrange(65536))
            + value + bytes(-len(value) % 4)
            for kind, value in dice.sample(values, dice.randrange(len(values) + 1))
        )  # fmt: skip
        head = struct.pack(">HHI", dice.choice((1, 1, 0x101, 0x11, 0x111)), len(body), 0x2112A442)
        return head + dice.randbytes(12) + body

    def dtls(self) -> bytes:
        dice = self.dice
        body = struct.pack(">BBHHH", dice.choice((1, 2, 11, 20)), 0, 200, dice.randrange(3), 0) + dice.randbytes(190)
        kind = dice.choice((22, 22, 20, 21, 23))
        return struct.pack(">BHHIHH", kind, 0xFEFD, 0, 0, dice.randrange(9), len(body)) + body

    def packet(self, peer: Peer, port: MediaPort, rtcp: bool) -> bytes:
        dice = self.dice
        way = 1.0 if peer.steady else dice.random()
        if way < 0.03:
            data = dice.randbytes(dice.choice((0, 1, 11, 12, 13, 200, 2047, 2048, 2049, 9000)))
        elif way < 0.07:
            data = self.stun(port)
        elif way < 0.10:
            data = self.dtls()
        elif rtcp or way < 0.15:
            data = self.rtcp(peer)
            if peer.srtp is not None and dice.random() < 0.8 and len(data) > 8:
                data = peer.srtp.protect_rtcp(data)
        else:
            data = self.rtp(peer)
            if peer.srtp is not None and (way == 1.0 or dice.random() < 0.8):
                data = peer.srtp.protect(data)
        if way < 1.0 and dice.random() < 0.25 and data:
            spoilt = bytearray(data)
            for _ in range(dice.randrange(1, 4)):
                among = min(len(spoilt), 24) if dice.random() < 0.7 else len(spoilt)
                spoilt[dice.randrange(among)] = dice.randrange(256)
            data = bytes(spoilt[: dice.randrange(len(spoilt) + 1)] if dice.random() < 0.3 else spoilt)
        return data

    def send(self) -> None:
        n, rtcp = self.dice.randrange(LEGS), self.dice.random() < 0.12
        peer = self.peers[n] if self.dice.random() < 0.93 else self.dice.choice(self.strangers)
        if self.dice.random() < 0.01:  # as a phone sends: latching, codecs, packet lengths
            peer.steady, peer.kind, rtcp = 20, self.dice.choice(TYPES), False
        for _ in range(max(1, peer.steady)):
            data = self.packet(peer, self.ports[n], rtcp)
            with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                peer.sockets[rtcp].sendto(data, (LOCAL, self.ports[n].number + rtcp))
        for one in peer.sockets:
            with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                one.recv(4096)

    def sources(self, n: int) -> None:
        """A packet of each of many sources under one key, most of them twice: more than have a window."""
        peer = self.peers[n]
        for ssrc in [*range(100, 140), *range(100, 120)]:
            head = struct.pack(">BBHII", 0x80, 0, peer.seq, peer.timestamp, ssrc)
            data = head + bytes(160) if peer.srtp is None else peer.srtp.protect(head + bytes(160))
            with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                peer.sockets[0].sendto(data, (LOCAL, self.ports[n].number))
        peer.seq = peer.seq + 1 & 0xFFFF

    # --- what the server orders ---------------------------------------------------------------------------------------

    def connect(self, n: int) -> None:
        if n < SETTLED:
            return
        dice, peer = self.dice, self.peers[n]
        values: dict[str, Any] = dict(dice.choice(CODECS))
        values |= {"dtmf_payload_type": dice.choice((101, 101, 96, None)), "rtcp_mux": dice.random() < 0.2}
        values |= {"ptime_ms": dice.choice((0, 0, 20, 10, 30, 60, 5)), "max_ptime_ms": dice.choice((0, 0, 0, 10, 40))}
        values |= {"sends": dice.random() < 0.9, "receives": dice.random() < 0.9, "in_band_keys": dice.random() < 0.2}
        values["others"] = tuple(dice.sample(OTHERS, dice.randrange(len(OTHERS) + 1)))
        peer.srtp, way = None, dice.random()
        if way < 0.25:
            suite = dice.choice(OUR_SUITES)
            keys = SrtpKeys(suite, *(dice.randbytes(sum(SUITES[suite])) for _ in range(2)))
            peer.srtp, values["security"] = Srtp(suite, keys.receive), keys
        elif way < 0.35:
            values["security"] = Dtls("sha-256", dice.randbytes(32), dice.random() < 0.5)
            values["ice"] = IceCredentials("peer", "p" * 22) if dice.random() < 0.5 else None
        host, port = dice.choice((peer.at,) * 9 + (dice.choice(self.strangers).at, ("127.0.0.3", 4000), ("0.0.0.0", 0)))
        rtcp_port = peer.sockets[1].getsockname()[1]
        self.plane.connect(self.ports[n], RemoteMedia(host, port, rtcp_port=rtcp_port, **values))

    def bridge(self, n: int) -> None:
        self.plane.bridge(self.ports[n], self.ports[(n + self.dice.choice((1, 1, 2, LEGS // 2))) % LEGS])

    def echo(self, n: int) -> None:
        self.plane.echo(self.ports[n])

    def silence(self, n: int) -> None:
        self.plane.silence(self.ports[n])

    def play(self, n: int) -> None:
        self.plane.play(self.ports[n], ["short"] * self.dice.choice((1, 3, 32)), loop=self.dice.random() < 0.5)

    def join(self, n: int) -> None:
        some = self.dice.sample(self.ports, 3)
        with contextlib.suppress(ConferencesExhausted):
            if self.dice.random() < 0.1:
                self.plane.close_conference(self.room)
                self.room = self.plane.open_conference(self.dice.randrange(1, 5))
            hears, heard_by = self.dice.choice((None, some)), self.dice.choice((None, some, []))
            self.plane.join(self.room, self.ports[n], hears, heard_by)

    def keys(self, n: int) -> None:
        self.plane.send_digit(self.ports[n], self.dice.choice("0123456789*#ABCD"), self.dice.choice((40, 160, 20_000)))

    def record(self, n: int) -> None:
        order = RecordingOrder(
            str(self.folder), f"{self.dice.getrandbits(64):x}.wav", stereo=self.dice.random() < 0.5,
            rate_hz=self.dice.choice((8000, 16000)), beep=self.dice.choice((None, "short")),
            hide_keys=self.dice.random() < 0.3, masked=self.dice.random() < 0.2,
        )  # fmt: skip
        self.recordings.append(self.plane.record(self.ports[n], order, lambda event: None))

    def mask(self, n: int) -> None:
        if self.recordings:
            one = self.dice.choice(self.recordings)
            self.plane.mask(one, self.dice.random() < 0.5)
            if self.dice.random() < 0.3:
                self.plane.stop_recording(one)

    def lease_anew(self, n: int) -> None:
        if n < SETTLED:
            return
        self.plane.release(self.ports[n])
        self.ports[n] = self.plane.lease()
        self.connect(n)

    def watch(self, n: int) -> None:
        self.plane.watch(self.ports[n], self.dice.choice((None, 500, 60_000)))
        self.plane.quality(self.ports[n], lambda stats: None)

    def nonsense(self, n: int) -> None:
        """A record of a right size for a port that is there, and the rest by dice."""
        if n < SETTLED:
            return
        dice, worker, port = self.dice, self.plane.workers[0], self.ports[n]
        record = bytearray(records.silence(worker.place_of(port), port.generation))
        record[0], record[1] = dice.choice(RECORD_OPS), dice.randrange(256)
        record[2:4] = struct.pack("=H", dice.choice((0, 1, 32, 33, 65535, dice.randrange(65536))))
        record[12:16] = struct.pack("=I", dice.choice((0, 1, 4095, 4096, 0xFFFFFFFF, dice.getrandbits(32))))
        record[16:] = dice.randbytes(80) if dice.random() < 0.7 else bytes(80)
        if dice.random() < 0.2:
            record[4:12] = struct.pack("=II", dice.choice((0, 23, 24, 0xFFFFFFFF)), dice.randrange(40))
        worker.send(bytes(record))


async def play(dice: random.Random, moves: int, folder: Path) -> None:
    """Raises Finding."""
    prompts = folder / "prompts"
    prompts.mkdir()
    with wave.open(str(prompts / "short.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(dice.randbytes(1600))
    numbers = ClaimedPorts(2 * (LEGS + SPARE), LOCAL)
    policy = SecurityPolicy(OUR_SUITES, ("ECDHE+AESGCM",), 1.0)
    plane = WorkerPlane(LOCAL, None, PortRange(numbers.first, numbers.last), prompts, Counter(), security=policy)
    await plane.start()
    pid = plane.worker_pid
    fuzzer = Fuzzer(plane, dice, folder)
    try:
        for move in range(moves):
            if dice.random() < 0.06:
                dice.choice(fuzzer.orders)(dice.randrange(LEGS))
            fuzzer.send()
            if move % 25 == 24:
                await asyncio.sleep(0.002)
            if plane.worker_pid != pid or plane.counters["media_worker_restarts"]:
                raise Finding(f"the worker died after {move} moves")
        plane.workers[0].send(records.ping())
        async with asyncio.timeout(20):
            while plane.backlog().unacknowledged:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        if plane.worker_pid != pid:
            raise Finding("the worker died at the end")
    except TimeoutError:
        raise Finding("the worker does not answer") from None
    finally:
        fuzzer.close()
        await plane.close()
        numbers.release()


REPORTS = ("runtime error", "ERROR: AddressSanitizer")


def run(seed: int, moves: int) -> None:
    """Raises Finding, with what the sanitizers say."""
    with tempfile.TemporaryDirectory() as name:
        reports, failure = Path(name) / "reports", ""
        with sanitized(reports):
            try:
                asyncio.run(play(random.Random(seed), moves, Path(name)))
            except Finding as error:
                failure = str(error)
        lines = reports.read_text(errors="replace").splitlines()
        first = next((n for n, line in enumerate(lines) if any(one in line for one in REPORTS)), None)
        if failure or first is not None:
            said = lines[-20:] if first is None else lines[first : first + 20]
            raise Finding("\n".join((failure, *said)))


def main(arguments: list[str]) -> int:
    """`python -m tests.fuzz.fuzz_media [RUNS [FIRST_SEED [MOVES]]]`"""
    runs, first, moves = (int(value) for value in (*arguments, *("100", "0", "20000")[len(arguments) :]))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    failed = 0
    for seed in range(first, first + runs):
        try:
            run(seed, moves)
        except Finding as error:
            failed += 1
            os.write(2, f"seed {seed}: {error}\n".encode())
        else:
            os.write(1, f"seed {seed}: {moves} moves\n".encode())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
