"""SIP to look at: live and past messages as JSON lines or pcapng, ladders of calls.

A reader takes from the ring what it wants, in steps, and gives way to calls after each. One whose network is slow, or
who falls so far behind that the ring has moved on, is cut off with the reason and the count in its last line.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from cti.errors import InvalidQuery, TooManyReaders, UnknownResource
from cti.tokens import Identity
from pbx.call.clock import Clock
from pbx.trace import pcapng
from pbx.trace.captured import Captured, Ours
from pbx.trace.filters import Addresses, BadFilter, Filter, peer_filter
from pbx.trace.ladder import Ladder
from pbx.trace.reader import LadderReader, Reader
from pbx.trace.ring import Ring

JSON_LINES: Final = "application/x-ndjson"
MAX_READERS: Final = 16
POLL_S: Final = 0.1  # how late a live message may be shown
WRITE_S: Final = 10.0  # a client that takes nothing for so long is gone
MAX_TEXT: Final = 100  # characters of what is asked for
_TEXTS: Final = ("number", "call", "method", "trunk", "peer")
_STREAM_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(slots=True, eq=False)
class Traces:
    """The ring and what is needed to read it. `ring` is None if the site keeps no messages."""

    ring: Ring | None
    ours: Ours
    trunk: Callable[[str], Addresses | None]  # the addresses of a trunk; None if there is no such trunk
    country: Callable[[], str]  # of numbers written without a country code
    clock: Clock
    counters: Counter[str]
    _readers: int = 0
    closing: bool = False  # the server stops: every reader is told so

    def knows(self, call_id: str) -> bool:
        return self.ring is not None and bool(self.ring.legs(call_id))

    # --- ladders ----------------------------------------------------------------------------------------------------

    async def ladder(self, call_id: str) -> Ladder:
        """Raises UnknownResource."""
        reader = LadderReader(self._ring_of(call_id), self.ours, call_id)
        while reader.step():  # noqa: ASYNC110 - calls have their turn
            await asyncio.sleep(0)
        return reader.ladder()

    def _ring_of(self, call_id: str) -> Ring:
        if self.ring is None or not self.ring.legs(call_id):
            raise UnknownResource(f"no messages of call {call_id[:MAX_TEXT]!r} are kept (any more)")
        return self.ring

    # --- messages ---------------------------------------------------------------------------------------------------

    async def lines(self, request: web.Request, who: Identity, last_s: int, follow: bool) -> web.StreamResponse:
        """Messages as JSON lines; the last line says why it is the last."""
        stream = _Stream(self, request, who, JSON_LINES, _line, _end)
        return await stream.serve(self._filter(request.query, last_s), follow)

    async def packets(self, request: web.Request, who: Identity, last_s: int, follow: bool) -> web.StreamResponse:
        """The same as pcapng."""
        stream = _Stream(self, request, who, pcapng.MEDIA_TYPE, pcapng.packet, None)
        return await stream.serve(self._filter(request.query, last_s), follow)

    async def packets_of_call(self, request: web.Request, who: Identity, call_id: str) -> web.StreamResponse:
        """Raises UnknownResource."""
        self._ring_of(call_id)
        stream = _Stream(self, request, who, pcapng.MEDIA_TYPE, pcapng.packet, None)
        return await stream.serve(Filter(call=call_id), False)

    def _filter(self, query: Mapping[str, str], last_s: int) -> Filter:
        """Raises InvalidQuery."""
        asked = {name: query.get(name, "") for name in _TEXTS}
        long = next((name for name, text in asked.items() if len(text) > MAX_TEXT), None)
        if long is not None:
            raise InvalidQuery(f"{long}: expected at most {MAX_TEXT} characters")
        wanted = Filter(
            number=asked["number"], country=self.country(), call=asked["call"], method=asked["method"].upper(),
            since=self.clock.now() - last_s,
        )  # fmt: skip
        if asked["trunk"]:
            addresses = self.trunk(asked["trunk"])
            if addresses is None:
                raise InvalidQuery(f"trunk: there is no trunk {asked['trunk']!r}")
            wanted = wanted.but(trunk=addresses)
        if asked["peer"]:
            try:
                wanted = wanted.but(peer=peer_filter(asked["peer"]))
            except BadFilter as error:
                raise InvalidQuery(f"peer: {error}") from None
        return wanted


def _line(message: Captured) -> bytes:
    return json.dumps({"type": "message"} | message.view(), separators=(",", ":")).encode() + b"\n"


def _end(reason: str, missed: int) -> bytes:
    return json.dumps({"type": "end", "reason": reason, "missed": missed}).encode() + b"\n"


@dataclass(slots=True)
class _Stream:
    """One answer that goes on and on."""

    traces: Traces
    request: web.Request
    who: Identity
    media_type: str
    encode: Callable[[Captured], bytes]
    end: Callable[[str, int], bytes] | None

    async def serve(self, wanted: Filter, follow: bool) -> web.StreamResponse:
        traces = self.traces
        if traces.ring is None:
            raise UnknownResource("this site keeps no messages: trace.minutes is 0")
        if traces._readers >= MAX_READERS:
            traces.counters["trace_readers_refused"] += 1
            raise TooManyReaders(f"{MAX_READERS} look at traces already")
        response = web.StreamResponse(headers={**_STREAM_HEADERS, "Content-Type": self.media_type})
        reader = Reader(traces.ring, traces.ours, wanted)
        traces._readers += 1
        try:
            await response.prepare(self.request)
            if self.media_type == pcapng.MEDIA_TYPE:
                await response.write(pcapng.head())
            reason = await self._run(response, reader, follow)
            if self.end is not None:
                await response.write(self.end(reason, reader.missed))
            await response.write_eof()
        except TimeoutError:
            traces.counters["trace_readers_too_slow"] += 1
            if self.request.transport is not None:
                self.request.transport.abort()  # its buffers are full of what it never read
        except ConnectionError:
            traces.counters["trace_readers_lost"] += 1  # gone: as good as a close
        finally:
            traces._readers -= 1
        return response

    async def _run(self, response: web.StreamResponse, reader: Reader, follow: bool) -> str:
        """Write until there is a reason to stop; the reason."""
        traces = self.traces
        while True:
            chunk = b"".join([self.encode(message) for message in reader.step()])
            if chunk:
                async with asyncio.timeout(WRITE_S):
                    await response.write(chunk)
            if follow and reader.missed:
                traces.counters["trace_readers_too_slow"] += 1
                return "too slow: messages were gone before they could be sent; ask for fewer of them"
            if traces.closing:
                return "the server is stopping"
            if traces.clock.now() >= self.who.expires_at:
                return "the token has expired"
            if reader.behind:
                await asyncio.sleep(0)
            elif not follow:
                return "all"
            elif self.request.transport is None or self.request.transport.is_closing():
                raise ConnectionResetError
            else:
                await asyncio.sleep(POLL_S)
