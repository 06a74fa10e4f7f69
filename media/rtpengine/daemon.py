"""One rtpengine: the socket to it, its health, and the cells it has, spare ones and those in use."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, cast

import structlog

from media.plane import MediaError
from media.rtpengine.bencode import Writable
from media.rtpengine.cell import Cell
from media.rtpengine.description import NOWHERE
from media.rtpengine.ng import NgClient, NgError, NgTimeout, Reply
from media.rtpengine.side import Side

log = structlog.get_logger("media")

PING_S = 1.0
SPARE_OLDEST_S = 1800.0  # rtpengine ends a call without packets after its --silent-timeout, an hour
ORPHANS_MOST = 20_000  # calls to delete when a daemon is back


class RtpengineDaemon(asyncio.DatagramProtocol):
    """`spare` cells are kept ready. `on_lost` is told the cells that died with the daemon, or that it forgot."""

    def __init__(
        self, number: int, address: tuple[str, int], spare: int, counters: Counter[str],
        on_lost: Callable[[Iterable[Cell]], None], srtp: bool = False, nowhere: str = NOWHERE[0],
    ) -> None:  # fmt: skip
        self.number, self.address, self.counters = number, address, counters
        self.name = f"{address[0]}:{address[1]}"
        self.up = False
        self.ready = asyncio.Event()  # it had all its spare cells once
        self.fingerprint = ""  # of its certificate, if there may be SRTP
        self._spare_most, self._on_lost, self._srtp, self._nowhere = spare, on_lost, srtp, nowhere
        self._spare: deque[Cell] = deque()
        self._used: dict[str, Cell] = {}
        self._orphans: deque[str] = deque(maxlen=ORPHANS_MOST)
        self._prefix = f"plateau-{secrets.token_hex(6)}"
        self._made = 0
        self._uptime_s = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._filling = False
        self._making: Cell | None = None  # perhaps half done
        self._transport: asyncio.DatagramTransport | None = None
        self._closed, self._idle = asyncio.Event(), asyncio.Event()
        self._client: NgClient | None = None

    # --- life ---------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Raises MediaError if there can be no socket to the address."""
        loop = asyncio.get_running_loop()
        try:
            await loop.create_datagram_endpoint(lambda: self, remote_addr=self.address)
        except OSError as error:
            raise MediaError(f"rtpengine at {self.name}: {error}") from None
        self._client = NgClient(self._send, loop.call_later, self._prefix, self.counters)
        self.run(self._watch())

    async def close(self, stay: bool) -> None:
        """End its calls, unless they shall `stay`."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.up and self.unanswered:  # rtpengine obeys several at once: an offer after the deletion would stay
            self._idle.clear()
            await self._idle.wait()
        cells = [*self._spare, *([] if stay else self._used.values()), *([self._making] if self._making else [])]
        if self.up:
            await asyncio.gather(*(self._delete(cell.call_id) for cell in cells))
        for cell in [*self._spare, *self._used.values()]:
            cell.forget()
        self._spare.clear()
        self._used.clear()
        if self._client is not None:
            self._client.abandon()
        if self._transport is not None:
            self._transport.close()
            await self._closed.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # uvloop's is none of asyncio's classes

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed.set()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        if self._client is not None:
            self._client.received(data)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there: pings find that out."""

    def _send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.sendto(data)

    # --- Daemon (cell.py) ---------------------------------------------------------------------------------------------

    async def ask(self, command: str, **values: Writable) -> Reply:
        """Raises NgError."""
        if self._client is None or (not self.up and command not in ("ping", "statistics")):
            raise NgTimeout("rtpengine is down")
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def answered(reply: Reply | NgError) -> None:
            if not self.unanswered:
                self._idle.set()
            if future.done():  # cancelled
                return
            if isinstance(reply, NgError):
                future.set_exception(reply)
            else:
                future.set_result(reply)

        self._client.request(command, answered, **values)
        return await future

    def lost(self, cell: Cell) -> None:
        if self._used.pop(cell.call_id, None) is not None:
            self._on_lost((cell,))
            cell.forget()

    def run(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- ports --------------------------------------------------------------------------------------------------------

    @property
    def spare(self) -> int:
        return len(self._spare) if self.up else 0

    @property
    def used(self) -> int:
        return len(self._used)

    @property
    def unanswered(self) -> int:
        """Requests."""
        return 0 if self._client is None else len(self._client)

    @property
    def cells(self) -> list[Cell]:
        """In use."""
        return list(self._used.values())

    def cell_of(self, call_id: str) -> Cell | None:
        return self._used.get(call_id)

    def take(self) -> Side | None:
        """A port of a spare cell, if there is one."""
        if not self.up or not self._spare:
            return None
        cell = self._spare.popleft()
        self._used[cell.call_id] = cell
        self._fill()
        return cell.free_side()

    # --- health -------------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            try:
                reply = await self.ask("statistics")
            except NgError:
                if self.up:  # copies of the question went on for seconds
                    self._went_down("does not answer")
            else:
                uptime_s = uptime_of(reply)
                if self.up and uptime_s < self._uptime_s:
                    self._went_down("was restarted")
                self._uptime_s = uptime_s
                if not self.up:
                    self._came_up()
                self._renew()
            await asyncio.sleep(PING_S)

    def _came_up(self) -> None:
        self.up = True
        log.info("rtpengine is up", address=self.name)
        while self._orphans:
            self.run(self._delete(self._orphans.popleft()))
        self._fill()

    def _went_down(self, why: str) -> None:
        self.up = False
        self.counters["media_rtpengine_losses"] += 1
        log.error("rtpengine lost", address=self.name, why=why, calls=len(self._used))
        cells, spare = list(self._used.values()), list(self._spare)
        self._orphans.extend(cell.call_id for cell in [*cells, *spare])
        self._used.clear()
        self._spare.clear()
        if self._client is not None:
            self._client.abandon()
        self._on_lost(cells)
        for cell in [*cells, *spare]:
            cell.forget()

    async def _delete(self, call_id: str) -> None:
        try:
            await self.ask("delete", call_id=call_id)
        except NgError:
            self.counters["media_rtpengine_undeleted"] += 1

    # --- spare cells --------------------------------------------------------------------------------------------------

    def _renew(self) -> None:
        """Spare cells that grow old give way to new ones; what could not be made is tried again."""
        oldest = time.monotonic() - SPARE_OLDEST_S
        while self._spare and self._spare[0].made_s < oldest:
            cell = self._spare.popleft()
            cell.forget()
            self.run(self._delete(cell.call_id))
        self._fill()

    def _fill(self) -> None:
        if not self._filling and self.up and len(self._spare) < self._spare_most:
            self._filling = True
            self.run(self._make_spare())

    async def _make_spare(self) -> None:
        try:
            while self.up and len(self._spare) < self._spare_most:
                self._made += 1
                self._making = cell = Cell(self, f"{self._prefix}-{self._made}", time.monotonic(), self._nowhere)
                try:
                    await cell.make(self._srtp)
                except MediaError as error:
                    self.counters["media_rtpengine_cells_refused"] += 1
                    log.warning("rtpengine has no port to spare", reason=str(error))
                    cell.forget()
                    await self._delete(cell.call_id)
                    return  # `_renew` tries again
                self.fingerprint = cell.sides[0].own.fingerprint
                self._spare.append(cell)
                self._making = None
            self.ready.set()
        finally:
            self._filling = False


def uptime_of(reply: Reply) -> int:
    """Seconds, from a reply to `statistics`; 0 if it does not say."""
    statistics = reply.get("statistics")
    totals = statistics.get("totalstatistics") if isinstance(statistics, dict) else None
    text = totals.get("uptime") if isinstance(totals, dict) else None
    return int(text) if isinstance(text, bytes) and text.isdigit() else text if isinstance(text, int) else 0
