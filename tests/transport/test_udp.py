"""Datagrams that come one upon the other are read by the clock; one that comes alone is read at once."""

from __future__ import annotations

import asyncio
import socket

import pytest

from pbx.transport import udp

from .conftest import Rig, Run, request, rig
from .test_driver import received, udp_peer

NEVER_S = 3600.0


def _send(made: Rig, peer: socket.socket, number: int) -> None:
    peer.sendto(request("MESSAGE", number, "UDP"), ("127.0.0.1", made.port("udp")))


async def _served(made: Rig, count: int) -> None:
    await made.until(lambda: len(made.core.requests) == count)


def test_what_comes_quickly_waits_for_company(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "COALESCING_S", NEVER_S)

    async def main() -> None:
        async with rig("udp") as made:
            with udp_peer() as peer:
                for number in (1, 2):
                    _send(made, peer, number)
                    await _served(made, number)
                _send(made, peer, 3)
                await asyncio.sleep(0.02)
                assert len(made.core.requests) == 2, "by the clock now"
                assert made.driver.waiting_s() > 0.0, "it can be seen waiting"

    run(main)


def test_by_the_clock_only_while_they_come(run: Run) -> None:
    async def main() -> None:
        async with rig("udp") as made:
            with udp_peer() as peer:
                for number in range(100):
                    _send(made, peer, number)
                    await asyncio.sleep(0.001)
                await _served(made, 100)
                assert len(received(peer)) == 100
                await asyncio.sleep(4 * udp.COALESCING_S)  # a turn finds nothing
                _send(made, peer, 100)
                await _served(made, 101)

    run(main)


def test_a_long_burst_leaves_others_their_turn(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """And goes on without a pause, though the one who receives it fails."""
    monkeypatch.setattr(udp, "COALESCING_S", NEVER_S)

    async def main() -> None:
        async with rig("udp") as made:
            faults: list[str] = []
            asyncio.get_running_loop().set_exception_handler(lambda _, what: faults.append(str(what["exception"])))
            admitted = 0

            def admits(data: bytes, hop: object) -> bool:
                nonlocal admitted
                admitted += 1
                if admitted == 10:
                    raise RuntimeError("a fault")
                return True

            made.driver.admits = admits
            with udp_peer() as peer:
                _send(made, peer, 0)
                await _served(made, 1)
                for number in range(1, 4 * udp.BURST):
                    _send(made, peer, number)
                await _served(made, 4 * udp.BURST - 1)
                assert faults == ["a fault"]

    run(main)
