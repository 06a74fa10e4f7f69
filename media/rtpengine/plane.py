"""The media plane over rtpengine daemons: the sound of calls on machines of its own. See "rtpengine" in
media/README.md for how ports are known before rtpengine is asked for them, and for what it can't do."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import structlog

from media.plane import (
    KEYS,
    PLAYLIST_LONGEST,
    SPEAKERS_MOST,
    Conference,
    ConferencesExhausted,
    MediaError,
    MediaPort,
    PlaylistTooLong,
    PortsExhausted,
    PortStats,
    RecordingEvent,
    RecordingOrder,
    RemoteMedia,
    UnknownKey,
)
from media.prompt_slots import PromptSlots
from media.prompts import Prompt, PromptChanges, PromptLibrary, Wanted
from media.rtpengine.captures import Captures
from media.rtpengine.cell import SIDES, Cell
from media.rtpengine.daemon import RtpengineDaemon
from media.rtpengine.description import NOWHERE, voice_of
from media.rtpengine.keys import KeySocket
from media.rtpengine.ng import NgError
from media.rtpengine.side import Side, Sound
from media.rtpengine.sounds import Sounds
from media.rtpengine.watch import Watch
from media.speech_queue import SpeechQueue
from media.worker_plane import Backlog

log = structlog.get_logger("media")

_START_S = 3.0  # that the first daemon has to answer
PROMPTS = "prompts"  # where they are in the spool, if the site names no folder for them
_KEYS_MOST = 32  # that wait to be sent to one port


class RtpenginePlane:
    """Obeys the `MediaPlane` protocol. `daemons` are their ng addresses; `keys` is where they tell of keys; `spare`
    rtpengine calls are kept ready with each daemon; `folder` is where they find prompts (None: a temporary one, or
    inside the requests if a daemon is on another machine)."""

    def __init__(
        self,
        daemons: Sequence[tuple[str, int]],
        prompts: PromptLibrary,
        counters: Counter[str],
        *,
        keys: tuple[str, int] | None = None,
        spare: int = 50,
        folder: Path | None = None,
        spool: Path | None = None,
        recordings_key: bytes = b"",
        srtp: bool = False,
        ipv6: bool = False,
    ) -> None:
        self.counters = counters
        self.daemons = [
            RtpengineDaemon(number, address, spare, counters, self._lost, srtp, NOWHERE[ipv6])
            for number, address in enumerate(daemons)
        ]
        self._sides: dict[int, Side] = {}  # leased, by generation
        self._prompts = PromptSlots(prompts)
        self._speech = SpeechQueue(
            self._prompts,
            lambda prompt: self._prompts.add(prompt, ()),
            lambda name: self._prompts.drop(name, ()),
            counters,
        )
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if folder is None and spool is not None:
            folder = spool / PROMPTS
        blobs = folder is None and not all(_is_here(host) for host, _ in daemons)
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="plateau-prompts-", ignore_cleanup_errors=True)
            folder = Path(self._temporary.name)
            folder.chmod(0o755)  # the daemons have users of their own
        self._sounds = Sounds(folder, blobs)
        self._keys = None if keys is None else KeySocket(keys, self._key, counters)
        owner = "server" if keys is None else f"{keys[0]}-{keys[1]}"
        self.captures = Captures(spool, owner, recordings_key, counters, self._release_capture)
        self._watches: dict[int, Watch] = {}  # by generation
        self._generation = self._play_id = 0

    # --- life ---------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Wait for the first daemon that has ports; without one the plane starts all the same, and refuses calls until
        there is one. Raises MediaError if a socket can't be opened, or prompts can't be written for the daemons."""
        self._prompts.assign(self.library)
        try:
            self._sounds.silence()
        except OSError as error:
            raise MediaError(f"media.rtpengine.prompts: {error.strerror}: {error.filename}") from None
        try:
            if self._keys is not None:
                await self._keys.open()
            for daemon in self.daemons:
                await daemon.open()
            await self._open_captures()
        except BaseException:
            await self.close()
            raise
        waiting = [asyncio.ensure_future(daemon.ready.wait()) for daemon in self.daemons]
        await asyncio.wait(waiting, timeout=_START_S, return_when=asyncio.FIRST_COMPLETED)
        for one in waiting:
            one.cancel()
        if not self.up:
            log.error("no rtpengine answers: calls are refused until one does")

    async def close(self, stay: bool = False) -> None:
        """End the calls in rtpengine, unless they shall `stay`: then it keeps them until no more sound comes."""
        await self._speech.close()
        for watch in self._watches.values():
            watch.cancel()
        if stay:
            self.captures.leave()
        await asyncio.gather(*(daemon.close(stay) for daemon in self.daemons))
        if self._keys is not None:
            await self._keys.close()
        await self.captures.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    async def reload_prompts(self, wanted: Wanted | None = None) -> PromptChanges:
        """See WorkerPlane."""
        changes = await asyncio.to_thread(self.library.reload, wanted)
        self._speech.forget()
        self._prompts.change(changes, ())
        return changes

    @property
    def library(self) -> PromptLibrary:
        return self._prompts.library

    @property
    def up(self) -> bool:
        """Some daemon answers."""
        return any(daemon.up for daemon in self.daemons)

    @property
    def worker_pid(self) -> int | None:
        """No process of ours."""
        return None

    @property
    def fingerprint(self) -> str:
        """Of some daemon; each port has its own."""
        return next((daemon.fingerprint for daemon in self.daemons if daemon.fingerprint), "")

    @property
    def free_ports(self) -> int:
        """Ready now: more are made as they are taken."""
        return sum(SIDES * daemon.spare for daemon in self.daemons)

    @property
    def leased_ports(self) -> int:
        return len(self._sides)

    @property
    def _codec(self) -> str:
        """That prompts are in."""
        return "PCMA" if "PCMA" in self.library.wanted.codecs else "PCMU"

    def backlog(self) -> Backlog:
        return Backlog(0, sum(daemon.unanswered for daemon in self.daemons), 0.0)

    # --- MediaPlane ---------------------------------------------------------------------------------------------------

    def lease(self, beside: MediaPort | None = None, tag: bytes = b"") -> MediaPort:
        side = None
        near = None if beside is None else self._sides.get(beside.generation)
        if near is not None:
            side = near.cell.free_side() or self.daemons[near.port.worker if near.port else 0].take()
        if side is None:
            daemons = sorted(self.daemons, key=lambda one: one.used / (one.spare + 1))
            side = next((found for daemon in daemons if (found := daemon.take()) is not None), None)
        if side is None:
            self.counters["media_ports_exhausted"] += 1
            raise PortsExhausted("no rtpengine has a port ready")
        self._generation += 1
        number = side.cell.daemon.number
        own = side.own
        side.port = port = MediaPort(
            side.number, side.host, self._generation, number, advertised=side.host, ice_ufrag=own.ufrag,
            ice_pwd=own.pwd, fingerprint=own.fingerprint, srtp_keys=own.keys or None,
        )  # fmt: skip
        self._sides[self._generation] = side
        return port

    def adopted(self) -> dict[bytes, MediaPort]:
        """None: rtpengine's calls are not found again."""
        return {}

    def connect(self, port: MediaPort, remote: RemoteMedia) -> None:
        """Raises MediaError for codecs and security that rtpengine can't be given."""
        side = self._side(port)
        if side is not None:
            side.voice, side.used = voice_of(remote, side.own, side.cell.nowhere), True
            side.cell.changed()
            if side.other is not None:
                side.other.cell.changed()

    def bridge(self, a: MediaPort, b: MediaPort) -> None:
        first, second = self._side(a), self._side(b)
        if first is None or second is None:
            return
        if first.other is second:
            return
        first.clear()
        second.clear()
        apart = first.voice is not None and second.voice is not None and not first.voice.joins(second.voice)
        if first.cell is not second.cell or apart:
            self.counters["media_rtpengine_hops"] += 1
        if first.voice and second.voice and first.voice.dtmf_type != second.voice.dtmf_type:
            self.counters["media_rtpengine_key_types_differ"] += 1
        first.other, second.other = second, first
        first.cell.changed()
        second.cell.changed()

    def play(self, port: MediaPort, prompts: Sequence[str], *, loop: bool = False, once: int = 0) -> int:
        if len(prompts) > PLAYLIST_LONGEST:
            raise PlaylistTooLong(f"{len(prompts)} prompts at once, {PLAYLIST_LONGEST} at most")
        found = [self._prompts.prompt(name) for name in prompts]
        self._play_id = play_id = self._play_id % 0xFFFFFFFF + 1
        side = self._side(port)
        if side is None:
            return play_id
        side.clear()
        try:
            then = self._looped(found[once:]) if loop and once else None
            source, duration_ms = self._sounds.source(found if then is None else found[:once], self._codec)
        except OSError as error:
            self.counters["media_rtpengine_refused"] += 1
            log.error("a prompt can't be written for rtpengine", reason=str(error))
            source, duration_ms, then = self._sounds.silence(), 0, None
        side.sound = Sound(source, duration_ms, loop and then is None, partial(self._played, port, play_id, then))
        side.cell.changed()
        return play_id

    def silence(self, port: MediaPort) -> None:
        side = self._side(port)
        if side is not None:
            side.clear()
            side.sound = Sound(self._sounds.silence(), 0, True)
            side.cell.changed()

    def comfort_noise(self, port: MediaPort) -> int:
        return self.play(port, ("tone:noise",), loop=True)

    def echo(self, port: MediaPort) -> None:
        side = self._side(port)
        if side is not None:
            side.clear()
            side.echoing = True
            side.cell.changed()

    def open_conference(self, speakers_most: int = SPEAKERS_MOST) -> Conference:
        """Always raises ConferencesExhausted: rtpengine 10.5 does not mix."""
        self.counters["media_rtpengine_unsupported"] += 1
        raise ConferencesExhausted("rtpengine 10.5 does not mix: no conferences with this media backend")

    def join(
        self, conference: Conference, port: MediaPort, hears: Sequence[MediaPort] | None = None,
        heard_by: Sequence[MediaPort] | None = None,
    ) -> None:  # fmt: skip
        self.open_conference()

    def leave(self, port: MediaPort) -> None:
        """Nobody is in a conference."""

    def close_conference(self, conference: Conference) -> None:
        """There is none."""

    def send_digit(self, port: MediaPort, digit: str, duration_ms: int = 160) -> None:
        """Only into sound that comes from the other side of a bridge: rtpengine lays keys over a stream that it has.
        Where there is none they are counted in media_rtpengine_keys_unsent."""
        if len(digit) != 1 or digit not in KEYS:
            raise UnknownKey(f"{digit!r} is not a key: one of {KEYS}")
        side = self._side(port)
        if side is None:
            return
        if side.other is None or len(side.keys) >= _KEYS_MOST:
            self.counters["media_rtpengine_keys_unsent"] += 1
            return
        side.injects = True
        side.keys.append((digit, max(100, duration_ms)))
        side.cell.changed()

    def watch(self, port: MediaPort, silent_after_ms: int | None) -> None:
        watch = self._watches.pop(port.generation, None)
        if watch is not None:
            watch.cancel()
        side = self._side(port)
        if side is not None and silent_after_ms is not None:
            self._watches[port.generation] = Watch(side, silent_after_ms / 1000, partial(self._silent, port))

    def quality(self, port: MediaPort, on_stats: Callable[[PortStats], None]) -> None:
        self._ask(self._side(port), on_stats)

    def record(self, port: MediaPort, order: RecordingOrder, on_event: Callable[[RecordingEvent], None]) -> int:
        """`ended` comes once the recording was made of the daemon's capture. There is no beep."""
        side = self._side(port)
        if side is None:
            return self.captures.refuse(on_event)
        return self.captures.start(side, self.daemons[port.worker].name, order, on_event)

    def mask(self, recording_id: int, masked: bool) -> None:
        self.captures.mask(recording_id, masked)

    def stop_recording(self, recording_id: int) -> None:
        self.captures.stop(recording_id)

    def release(self, port: MediaPort, on_stats: Callable[[PortStats], None] | None = None) -> None:
        port.forget()
        side = self._side(port)
        if on_stats is not None:
            self._ask(side, on_stats)
        if side is not None:
            del self._sides[port.generation]
            self._unwatch(port)
            if side.capture is not None:
                self.captures.end(side.capture, "released")
            side.leave()
            side.cell.changed()

    def has_prompt(self, name: str) -> bool:
        return name in self._prompts

    def speak(self, text: str, voice: str | None, on_ready: Callable[[str | None], None]) -> None:
        self._speech.speak(text, voice, on_ready)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _side(self, port: MediaPort) -> Side | None:
        side = self._sides.get(port.generation)
        if side is None:
            self.counters["media_unknown_port"] += 1
        return side

    def _ask(self, side: Side | None, on_stats: Callable[[PortStats], None]) -> None:
        if side is None:
            on_stats(PortStats())
        else:
            side.asked.append(partial(self._call, on_stats))
            side.cell.changed()

    async def _open_captures(self) -> None:
        try:
            await self.captures.open()
        except OSError as error:
            raise MediaError(f"media.rtpengine.spool: {error.strerror}: {error.filename}") from None

    async def _release_capture(self, name: str, call_id: str) -> None:
        """An earlier server's: its end is written to the file only when it is stopped."""
        daemon = next((one for one in self.daemons if one.name == name), None)
        if daemon is not None:
            with contextlib.suppress(NgError, TimeoutError):
                await asyncio.wait_for(daemon.ready.wait(), _START_S)
                await daemon.ask("stop recording", call_id=call_id)

    def _unwatch(self, port: MediaPort) -> None:
        watch = self._watches.pop(port.generation, None)
        if watch is not None:
            watch.cancel()

    def _looped(self, prompts: Sequence[Prompt]) -> Sound:
        return Sound(*self._sounds.source(prompts, self._codec), True)

    def _played(self, port: MediaPort, play_id: int, then: Sound | None) -> None:
        side = self._sides.get(port.generation)
        if side is not None:
            if then is None:
                self.silence(port)
            else:
                side.sound = then
                side.cell.changed()
            if port.on_played is not None:
                self._call(port.on_played, play_id)

    def _silent(self, port: MediaPort) -> None:
        if port.on_silent is not None:
            self._call(port.on_silent)

    def _key(self, call_id: str, tag: str, key: str, duration_ms: int) -> None:
        for daemon in self.daemons:
            cell = daemon.cell_of(call_id)
            if cell is not None:
                side = next((side for side in cell.sides if side.tag == tag), None)
                port = None if side is None else side.port
                if side is not None and side.voice is not None:
                    duration_ms = duration_ms * side.voice.clock_hz // side.voice.dtmf_clock_hz
                if port is not None:
                    port.keys += 1
                if port is not None and port.on_digit is not None:
                    self._call(port.on_digit, key)
                if port is not None and port.on_key_end is not None:
                    self._call(port.on_key_end, key, duration_ms)
                return
        self.counters["media_rtpengine_keys_of_nobody"] += 1

    def _lost(self, cells: Iterable[Cell]) -> None:
        for port in [side.port for cell in cells for side in cell.sides if side.port is not None]:
            self._sides.pop(port.generation, None)
            self._unwatch(port)
            self.counters["media_ports_lost"] += 1
            on_lost = port.on_lost
            port.forget()
            if on_lost is not None:
                self._call(on_lost)

    def _call(self, callback: Callable[..., None], *arguments: object) -> None:
        """One call's fault must not stop the others."""
        try:
            callback(*arguments)
        except Exception:
            self.counters["media_callback_errors"] += 1
            log.exception("a media callback failed")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
