"""`python -m bench.recording_cost [CALLS]`: what recording adds to an anchored G.711 call, its thread included.

One media worker relays CALLS bridged calls, in turns without and with a recording of each; the CPU time is the whole
process's, kernel and recorder thread included. Callers are the program `rtp_load`.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from bench.media_cost import compile_rtp_load
from bench.processes import cpu_s
from config.schema import PortRange
from media.plane import MediaPort, RecordingEvent, RecordingOrder, RemoteMedia
from media.worker_plane import WorkerPlane

CALLS, SECONDS, ROUNDS = 200, 8, 3
LIMIT_PERCENT = 30.0
PORTS = PortRange(44_100, 46_499)
FORMS = {"plain": b"", "enciphered": bytes(range(32))}


class Calls:
    """Bridged calls whose parties are ports of this machine."""

    def __init__(self, plane: WorkerPlane, count: int) -> None:
        self.plane = plane
        self.pairs: list[tuple[int, int]] = []  # local port, port of the plane
        self.callers: list[MediaPort] = []
        held = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2 * count)]
        for one in held:
            one.bind(("127.0.0.1", 0))
        for a, b in zip(held[::2], held[1::2], strict=True):
            ports = [self._leg(one.getsockname()[1]) for one in (a, b)]
            plane.bridge(*ports)
            self.callers.append(ports[0])
        for one in held:
            one.close()

    def _leg(self, number: int) -> MediaPort:
        port = self.plane.lease()
        self.plane.connect(port, RemoteMedia("127.0.0.1", number, "PCMU", 0))
        self.pairs.append((number, port.number))
        return port


async def cost_ms(folder: Path, program: Path, calls: int, key: bytes | None) -> tuple[float, float]:
    """CPU ms of the worker for each call-second, and the share of packets that came. `key` None: not recorded."""
    plane = WorkerPlane("127.0.0.1", None, PORTS)
    await plane.start()
    try:
        talk = Calls(plane, calls)
        ended: list[RecordingEvent] = []
        if key is not None:
            for number, port in enumerate(talk.callers):
                plane.record(port, RecordingOrder(str(folder), f"{number}.wav", key=key), ended.append)
        pid = plane.worker_pid
        assert pid is not None
        await asyncio.sleep(0.5)
        pipe = asyncio.subprocess.PIPE
        load = await asyncio.create_subprocess_exec(str(program), str(SECONDS), stdin=pipe, stdout=pipe)
        before = cpu_s(pid)
        out, _ = await load.communicate("".join(f"{local} {remote} 0\n" for local, remote in talk.pairs).encode())
        spent = cpu_s(pid) - before
        assert not [event for event in ended if event.kind == "ended"], ended
        _, sent, received, *_ = out.decode().split()
        return 1000 * spent / (calls * SECONDS), int(received) / int(sent)
    finally:
        await plane.close()
        await asyncio.to_thread(_empty, folder)


def _empty(folder: Path) -> None:
    for file in folder.glob("*.wav"):
        file.unlink()


async def main(calls: int) -> int:
    console = Console()
    worst = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = await asyncio.to_thread(compile_rtp_load, folder)
        for form, key in FORMS.items():
            without: list[float] = []
            recorded: list[float] = []
            came: list[float] = []
            for _ in range(ROUNDS):  # in turns, as the machine may have other work
                for wanted, costs in ((None, without), (key, recorded)):
                    cost, share = await cost_ms(folder, program, calls, wanted)
                    costs.append(cost)
                    came.append(share)
            plain, taped = statistics.median(without), statistics.median(recorded)
            added = 100 * (taped / plain - 1)
            worst = max(worst, added if not key else 0.0)
            console.print(
                f"{calls} calls, {form}: {plain:.3f} ms a call-second, recorded {taped:.3f} (+{added:.0f} %);"
                f" packets that came: {100 * min(came):.2f} %"
            )
    return int(worst > LIMIT_PERCENT)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else CALLS)))
