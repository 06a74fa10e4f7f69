"""A cell: one call of rtpengine, made before anybody needs it, with two ports for peers of ours.

    peer 0 -- a0 == b0        offer and answer between a0 and b0: alone (b0 leads nowhere), echo (b0 leads to itself),
    peer 1 -- a1 == b1        or joined to a port of another cell (b0 leads to that port's inner end, and back)

    peer 0 -- a0 == a1 -- peer 1        bridged inside the cell: offer and answer between a0 and a1

What the ports shall do is written down at once; a task tells the daemon, step by step, until it was told everything.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Protocol

import structlog

from media.plane import PortStats
from media.rtpengine.bencode import Writable
from media.rtpengine.description import NOWHERE, Voice, address_of
from media.rtpengine.ng import NgError, NgTimeout, Reply, UnknownCall
from media.rtpengine.own import Own
from media.rtpengine.report import local_address, stats_of
from media.rtpengine.side import Side, Sound

if TYPE_CHECKING:
    from media.rtpengine.captures import Capture

log = structlog.get_logger("media")

SIDES = 2
_AGAIN_S = 1.0  # after a timeout
_KEY_TRIES = 10  # until sound flows that a key can be laid over
_KEY_PAUSE_S = 0.1
_FOREVER = 1_000_000  # times
_FLAGS = ("port latching", "strict source", "trust address")


class Daemon(Protocol):
    """What a cell needs of the daemon that has it."""

    counters: Counter[str]
    number: int

    async def ask(self, command: str, **values: Writable) -> Reply:
        """Raises NgError."""

    def lost(self, cell: Cell) -> None:
        """The daemon does not know the call any more."""

    def run(self, work: Coroutine[None, None, None]) -> None:
        """On the loop, until it is done."""


class Cell:
    """`call_id` is the call's in rtpengine; `nowhere` (description.NOWHERE) says of which IP version its ports are."""

    __slots__ = ("_capturing", "_running", "call_id", "captures", "daemon", "made_s", "nowhere", "sides")

    def __init__(self, daemon: Daemon, call_id: str, made_s: float, nowhere: str = NOWHERE[0]) -> None:
        self.daemon, self.call_id, self.made_s, self.nowhere = daemon, call_id, made_s, nowhere
        self.sides = [Side(self, index) for index in range(SIDES)]
        self.captures: list[Capture] = []  # recordings of its ports
        self._running = self._capturing = False

    # --- life ---------------------------------------------------------------------------------------------------------

    async def make(self, srtp: bool = False) -> None:
        """`srtp`: peers may have it. Raises NgError, MediaError."""
        shown: dict[str, Writable] = {"replace": ("zero address",), "transport_protocol": "RTP/AVP"}
        if srtp:
            shown |= {"transport_protocol": "UDP/TLS/RTP/SAVPF", "ICE": "force", "rtcp_mux": ["offer"]}
        for side in self.sides:
            offered = await self._say("offer", side.inner_tag, side.tag, Voice(self.nowhere), False, **shown)
            side.host, side.number = address_of(offered.get("sdp"))
            side.own = Own.read(offered.get("sdp")) if srtp else Own()
        reply = await self.daemon.ask("query", call_id=self.call_id)
        for side in self.sides:
            side.inner_host, side.inner = local_address(reply, side.inner_tag)

    def free_side(self) -> Side | None:
        """A port that no peer knows yet."""
        return next((side for side in self.sides if side.port is None and not side.used), None)

    @property
    def over(self) -> bool:
        return all(side.port is None for side in self.sides)

    @property
    def busy(self) -> bool:
        """There is something left to tell."""
        return self._running

    def changed(self) -> None:
        """Tell the daemon what there is to tell, once this turn of the loop is over."""
        if not self._running and self.sides:
            self._running = True
            self.daemon.run(self._tell())

    def forget(self) -> None:
        """The cell is gone: whoever waits for counters gets zeros. Without this it would be a cycle of references."""
        captures, self.captures = self.captures, []
        for capture in captures:
            capture.complete()
        sides, self.sides = self.sides, []
        for side in sides:
            side.clear()
            for on_stats in side.take_asked():
                on_stats(PortStats())

    # --- telling ------------------------------------------------------------------------------------------------------

    async def _tell(self) -> None:
        try:
            while await self._step():
                for capture in self.captures:
                    capture.note()
        except UnknownCall:
            self.daemon.lost(self)
        except NgTimeout:
            asyncio.get_running_loop().call_later(_AGAIN_S, self.changed)
        finally:
            self._running = False

    async def _step(self) -> bool:
        """Tell one thing; False: everything is told."""
        for side in self.sides:
            if side.asked:
                await self._report(side)
                return True
        if self.over:
            await self._end()
            return False
        if await self._capture():
            return True
        for side in self.sides:
            if side.playing is not None and side.sound is None:
                side.playing = None
                await self._try("stop media", from_tag=side.tag)
                return True
        for side in self.sides:
            if side.voice is not None and side.told != (wanted := self._wanted(side)):
                await self._join(side, wanted)
                return True
        for side in self.sides:
            if side.sound is not None and side.sound is not side.playing and side.voice is not None:
                await self._play(side, side.sound)
                return True
            if side.keys:
                await self._key(side)
                return True
        return False

    async def _capture(self) -> bool:
        """Begin or end capturing, which rtpengine does for all of the call: what is masked in one recording of the cell
        is so in the other. Each beginning makes a file. False: all is as it shall be."""
        over = [capture for capture in self.captures if capture.over]
        wanted = bool(self.captures) and not over and not any(capture.masked for capture in self.captures)
        if wanted == self._capturing and not over:
            return False
        if wanted != self._capturing:
            await self._try("start recording" if wanted else "stop recording")
            self._capturing = wanted
        self.captures = [capture for capture in self.captures if not capture.over]
        for capture in over:
            capture.complete()
        if wanted:
            for capture in self.captures:
                capture.captured()
        return True

    def _wanted(self, side: Side) -> tuple[str, Voice, str, Voice, bool]:
        """The offer and answer that the side is part of. The same for both sides of a bridge."""
        other = side.neighbour
        assert side.voice is not None
        if other is None or other.voice is None:
            if side.unkeyed:
                return side.inner_tag, side.inner_voice(), side.tag, side.voice, side.injects
            return side.tag, side.voice, side.inner_tag, side.inner_voice(), side.injects
        first, second = self.sides  # whoever has a payload type of his own makes the offer
        assert first.voice is not None and second.voice is not None
        if first.voice.static and not second.voice.static:
            first, second = second, first
        assert first.voice is not None and second.voice is not None
        return first.tag, first.voice, second.tag, second.voice, first.injects or second.injects

    async def _join(self, side: Side, wanted: tuple[str, Voice, str, Voice, bool]) -> None:
        tag, voice, to_tag, to_voice, injects = wanted
        involved = [side] if side.neighbour is None else [side, side.neighbour]
        for one in involved:
            one.told = wanted
        mux = {(True, True): "accept", (True, False): "demux", (False, True): "offer", (False, False): "reject"}
        values: dict[str, Writable] = {
            "rtcp_mux": [mux[voice.rtcp_mux, to_voice.rtcp_mux]], "transport_protocol": to_voice.proto,
            "ICE": "force" if to_voice.ice else "remove",
        }  # fmt: skip
        if voice.format != to_voice.format:
            values["codec"] = {"transcode": [to_voice.codec]}
        try:
            await self._say("offer", tag, to_tag, voice, injects, **values)
            await self._say("answer", tag, to_tag, to_voice, injects, ICE="force" if voice.ice else "remove")
            for one in involved:
                one.keyed = True
        except NgTimeout:
            for one in involved:
                one.told = ()
            raise
        except UnknownCall:
            raise
        except NgError as error:
            self._refused(error)

    async def _say(
        self, command: str, tag: str, to_tag: str, voice: Voice, injects: bool = False, **values: Writable
    ) -> Reply:
        if to_tag:
            values["to_tag"] = to_tag
        flags = (*_FLAGS, "inject DTMF") if injects else _FLAGS
        return await self.daemon.ask(
            command, call_id=self.call_id, from_tag=tag, sdp=str(voice), flags=flags,
            **({"ICE": "remove", "ICE_lite": "both"} | values),
        )

    async def _play(self, side: Side, sound: Sound) -> None:
        side.playing = sound
        try:
            await self.daemon.ask(
                "play media", call_id=self.call_id, from_tag=side.tag, repeat_times=_FOREVER if sound.loop else 1,
                **sound.source,
            )  # fmt: skip
        except NgTimeout:
            side.playing = None
            raise
        except UnknownCall:
            raise
        except NgError as error:
            self._refused(error)
            sound = Sound(sound.source, 0, sound.loop, sound.on_end)  # the next step is taken
        if side.playing is side.sound:
            side.ends_after(sound)

    async def _key(self, side: Side) -> None:
        """Keys are laid over what the other side sends: that is where rtpengine has a stream to lay them over."""
        key, duration_ms = side.keys.pop(0)
        source = side.inner_tag if side.neighbour is None else side.neighbour.tag
        for _ in range(_KEY_TRIES):
            try:
                await self.daemon.ask(
                    "play DTMF", call_id=self.call_id, from_tag=source, code=key, duration=duration_ms, volume=8
                )
                return
            except (NgTimeout, UnknownCall):
                raise
            except NgError:
                await asyncio.sleep(_KEY_PAUSE_S)
        self.daemon.counters["media_rtpengine_keys_unsent"] += 1

    async def _report(self, side: Side) -> None:
        stats = PortStats()
        try:
            reply = await self.daemon.ask("query", call_id=self.call_id, from_tag=side.tag)
            codec = "PCMA" if side.voice is None else side.voice.codec
            stats = stats_of(reply, side.tag, side.partner_tag, codec)
        finally:
            for on_stats in side.take_asked():
                on_stats(stats)

    async def _end(self) -> None:
        with contextlib.suppress(NgError):
            await self.daemon.ask("delete", call_id=self.call_id)
        self.daemon.lost(self)

    async def _try(self, command: str, **values: Writable) -> None:
        try:
            await self.daemon.ask(command, call_id=self.call_id, **values)
        except (NgTimeout, UnknownCall):
            raise
        except NgError as error:
            self._refused(error)

    def _refused(self, error: NgError) -> None:
        self.daemon.counters["media_rtpengine_refused"] += 1
        log.warning("rtpengine refused", reason=str(error), call=self.call_id)
