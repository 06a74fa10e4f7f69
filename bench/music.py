"""`python -m bench.music`: what music on hold costs the media worker, by the number of listeners and the codec.

A worker of its own on core 0 plays one piece to all of them; a child on core 1 takes the packets and counts them.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import socket
import sys
import tempfile
import time
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from rich.console import Console

from bench.processes import cpu_s
from bench.report import table_of
from config.schema import PortRange
from media.plane import RemoteMedia
from media.prompts import PromptLibrary, Wanted
from media.worker_plane import WorkerPlane

LIMIT_PERCENT = 25.0  # of a core, 1,000 listeners to one piece of G.711
STEPS = (("PCMA", 100), ("PCMA", 500), ("PCMA", 1000), ("G722", 1000), ("OPUS", 1000))
PORTS = PortRange(42000, 44099)
_SINKS = 16  # sockets; each hears a part of the listeners
_WARM_S = 1.0
_CLOCKS = {"OPUS": 48_000}
_TYPES = {"PCMU": 0, "PCMA": 8, "G722": 9, "OPUS": 96}
_PIECE_S = 60


@dataclass(frozen=True, slots=True)
class MusicStep:
    """One number of listeners."""

    codec: str
    listeners: int
    cpu_percent: float  # of one core
    cpu_us_per_packet: float
    due: int  # packets, by the time that passed
    received: int


async def measure(codec: str, listeners: int, seconds: float, folder: Path) -> MusicStep:
    """Play to `listeners` for `seconds`."""
    library = PromptLibrary(Wanted(_piece(folder), (codec,)))
    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(target=sink, args=(there,), daemon=True)
    child.start()
    plane = WorkerPlane("127.0.0.1", None, PORTS, library, cpus=(0,))
    await plane.start()
    try:
        ports = await asyncio.to_thread(here.recv)
        leases = [plane.lease() for _ in range(listeners)]
        for n, lease in enumerate(leases):
            clock_hz = _CLOCKS.get(codec, 8000)
            plane.connect(lease, RemoteMedia("127.0.0.1", ports[n % _SINKS], codec, _TYPES[codec], clock_hz=clock_hz))
            plane.play(lease, ("piece",), loop=True)
            if n % 50 == 0:
                await asyncio.sleep(0.007)  # as calls come, spread over the 20 ms
        await asyncio.sleep(_WARM_S)
        pid = plane.worker_pid
        assert pid is not None
        here.send("count")
        spent, started = cpu_s(pid), time.monotonic()
        await asyncio.sleep(seconds)
        spent, elapsed = cpu_s(pid) - spent, time.monotonic() - started
        here.send("tell")
        received = int(await asyncio.to_thread(here.recv))
        due = round(listeners * elapsed * 50)
        return MusicStep(codec, listeners, round(100 * spent / elapsed, 1), round(1e6 * spent / due, 2), due, received)
    finally:
        await plane.close()
        child.kill()
        child.join()


def sink(control: Connection) -> None:
    """Take what comes to some sockets; count between `count` and `tell`."""
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {1})
    sockets = []
    for _ in range(_SINKS):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        one.bind(("127.0.0.1", 0))
        one.setblocking(False)
        sockets.append(one)
    control.send([one.getsockname()[1] for one in sockets])
    buffer, count = bytearray(2048), 0
    while True:
        time.sleep(0.002)  # nobody sleeps on the sockets: see rtp_load.c
        if control.poll():
            if control.recv() == "tell":
                control.send(count)
            count = 0
        for one in sockets:
            with contextlib.suppress(BlockingIOError):
                while True:
                    one.recv_into(buffer)
                    count += 1


def _piece(folder: Path) -> Path:
    """A minute of music, more or less."""
    at = np.arange(16_000 * _PIECE_S) / 16_000
    sound = 4000 * np.sin(2 * np.pi * 220 * at) * np.sin(2 * np.pi * 0.3 * at) + 2000 * np.sin(2 * np.pi * 554 * at)
    with wave.open(str(folder / "piece.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(sound.astype("<i2").tobytes())
    return folder


def main(arguments: Sequence[str]) -> int:
    """Exit status 1: the limit was not held, or packets were lost."""
    seconds = float(arguments[0]) if arguments else 15.0
    with tempfile.TemporaryDirectory() as folder:
        steps = [asyncio.run(measure(codec, count, seconds, Path(folder))) for codec, count in STEPS]
    Console(width=100).print(table_of("music on hold", steps))
    held = [one.cpu_percent <= LIMIT_PERCENT for one in steps if one.listeners == 1000 and one.codec == "PCMA"]
    return 0 if all(held) and all(one.received >= 0.99 * one.due for one in steps) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
