"""Whether a peer is still heard: rtpengine is asked now and then, as it tells nobody by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from media.rtpengine.ng import NgError
from media.rtpengine.report import packets_heard
from media.rtpengine.side import Side

_STEPS = 4  # questions within the time that may pass without sound
_LEAST_S = 0.25


class Watch:
    """`on_silent` once, until the peer is heard again."""

    def __init__(self, side: Side, silent_after_s: float, on_silent: Callable[[], None]) -> None:
        self._task = asyncio.get_running_loop().create_task(_watch(side, silent_after_s, on_silent))

    def cancel(self) -> None:
        self._task.cancel()


async def _watch(side: Side, silent_after_s: float, on_silent: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    heard, since, told = -1, loop.time(), False
    cell = side.cell
    while True:
        await asyncio.sleep(max(_LEAST_S, silent_after_s / _STEPS))
        try:
            reply = await cell.daemon.ask("query", call_id=cell.call_id, from_tag=side.tag)
        except NgError:
            continue  # health and the cell find out why
        packets = packets_heard(reply, side.tag)
        if packets != heard:
            if heard >= 0 or packets:
                since = loop.time()
            heard, told = packets, False
        elif not told and loop.time() - since >= silent_after_s:
            told = True
            on_silent()
