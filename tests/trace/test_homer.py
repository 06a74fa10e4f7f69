from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from config.trace import Homer
from pbx.trace.homer import STEPS, HomerExporter
from pbx.trace.reader import STEP
from tests.trace.conftest import Recorder, ours, request
from tests.trace.test_hep import decode


@pytest.fixture(params=["127.0.0.1", "::1"])
def listening(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as opened:
        opened.setblocking(False)
        opened.bind((request.param, 0))
        yield opened


def exporter(recorder: Recorder, address: tuple[str, int]) -> HomerExporter:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    settings = Homer.model_validate({"address": f"{host}:{address[1]}", "password": "open"})
    return HomerExporter(settings, recorder.ring, ours, recorder.counters)


async def test_copies_of_what_comes(recorded: Recorder, listening: socket.socket) -> None:
    homer = exporter(recorded, listening.getsockname()[:2])
    homer.start()
    recorded.got(request("OPTIONS", "new"))
    async with asyncio.timeout(30):
        chunks = decode(await asyncio.get_running_loop().sock_recv(listening, 65_535))
    assert chunks["correlation"] == b"new" and chunks["key"] == b"open" and chunks["capture id"] == 2001
    recorded.got(request("OPTIONS", "last"))
    await homer.close()
    assert decode(listening.recv(65_535))["correlation"] == b"last", "what was there is sent before it ends"
    with pytest.raises(BlockingIOError):
        listening.recv(65_535)
    assert recorded.counters["homer_sent"] == 2 and recorded.counters["homer_lost"] == 0


async def test_nobody_there(recorder: Recorder) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        address = gone.getsockname()
    homer = exporter(recorder, address)
    homer.start()
    for _ in range(5):
        recorder.got(request("OPTIONS", "x"))
        await asyncio.sleep(0.12)
    await homer.close()
    assert recorder.counters["homer_lost"] > 0, "an ICMP error tells of the one before"


async def test_a_name_that_is_none_is_tried_again_later(recorder: Recorder) -> None:
    homer = exporter(recorder, ("no-such-name.invalid", 9060))
    homer.start()
    async with asyncio.timeout(30):
        while not recorder.counters["homer_unreachable"]:  # noqa: ASYNC110 - the name service tells nobody
            await asyncio.sleep(0.01)
    await homer.close()


async def test_what_left_the_ring_is_counted(recorder: Recorder, listening: socket.socket) -> None:
    homer = exporter(recorder, listening.getsockname()[:2])
    for _ in range(10):
        recorder.got(request("OPTIONS", "x"))
    recorder.now += 10_000
    recorder.ring.trim()
    recorder.got(request("OPTIONS", "y"))
    homer.start()
    await asyncio.sleep(0.05)
    await homer.close()
    assert (recorder.counters["homer_lost"], recorder.counters["homer_sent"]) == (10, 1)


async def test_a_turn_is_short(recorder: Recorder, listening: socket.socket) -> None:
    """A burst goes out over several turns, between which calls have theirs."""
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    homer = exporter(recorder, listening.getsockname()[:2])
    for _ in range(3 * STEP * STEPS):
        recorder.got(request("OPTIONS", "x"))
    homer.start()
    while not recorder.counters["homer_sent"]:  # noqa: ASYNC110 - the first turn tells nobody
        await asyncio.sleep(0)
    assert recorder.counters["homer_sent"] + recorder.counters["homer_lost"] == STEP * STEPS
    await asyncio.sleep(0.2)
    await homer.close()
    assert recorder.counters["homer_sent"] + recorder.counters["homer_lost"] == 3 * STEP * STEPS
