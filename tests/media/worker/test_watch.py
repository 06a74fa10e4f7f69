"""A peer that says nothing: told once, after the time asked for, and again when it was heard in between."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from media.worker_plane import WorkerPlane

if TYPE_CHECKING:
    from tests.media.conftest import Leg, Phone

MakeLeg = Callable[..., "Leg"]
MakePhone = Callable[..., "Phone"]
Settle = Callable[[], Awaitable[None]]


class Silences:
    def __init__(self) -> None:
        self.count = 0
        self.told = asyncio.Event()

    def __call__(self) -> None:
        self.count += 1
        self.told.set()

    async def next(self, within_s: float = 30.0) -> None:
        async with asyncio.timeout(within_s):
            await self.told.wait()
        self.told.clear()


async def test_told_once_and_again_after_it_was_heard(plane: WorkerPlane, leg: MakeLeg, settle: Settle) -> None:
    a, silent = leg(), Silences()
    a.port.on_silent = silent
    plane.watch(a.port, 200)
    await settle()
    a.phone.send(a.port)
    await silent.next()
    await asyncio.sleep(0.8)
    assert silent.count == 1
    a.phone.send(a.port)
    await silent.next()
    assert silent.count == 2


async def test_who_sends_is_not_silent_nor_who_is_on_hold(plane: WorkerPlane, leg: MakeLeg, settle: Settle) -> None:
    talker, reporter, held, over = leg(), leg(), leg(), leg()
    silences = [Silences() for _ in range(4)]
    for one, silent in zip((talker, reporter, held, over), silences, strict=True):
        one.port.on_silent = silent
        plane.watch(one.port, 300)
    plane.watch(held.port, None)
    plane.release(over.port)
    await settle()
    report = struct.pack(">BBHI", 0x80, 201, 1, 0x1234)
    for _ in range(22):
        talker.phone.send(talker.port)
        reporter.phone.rtcp.sendto(report, ("127.0.0.1", reporter.port.number + 1))  # RTCP is a sign of life
        await asyncio.sleep(0.05)
    assert [silent.count for silent in silences] == [0, 0, 0, 0]


async def test_strangers_are_no_sign_of_life(
    plane: WorkerPlane, leg: MakeLeg, phone: MakePhone, settle: Settle
) -> None:
    a, stranger, silent = leg(), phone(ssrc=0x666), Silences()
    await settle()
    a.phone.send(a.port)
    a.port.on_silent = silent
    plane.watch(a.port, 300)

    async def send() -> None:
        while True:
            stranger.send(a.port)
            await asyncio.sleep(0.02)

    sending = asyncio.create_task(send())
    await silent.next()
    sending.cancel()
