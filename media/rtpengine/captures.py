"""Recordings by rtpengine: its daemons capture the packets of a call into files of the spool, a folder that they share
with us; what they don't tell we note there (`notes.py`), and after the call `convert.py` makes the recording of both.

    record --> "start recording" --> pcap ------+
       |                                        +--> converter --> the site's file, `ended`
       +-----------------------------> notes ---+
    mask --> "stop recording" until it is unmasked: what is masked is on no disk

What a server left that died is taken up by the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog

from media.plane import RecordingEvent, RecordingOrder
from media.records import codec_number
from media.rtpengine.description import Voice
from media.rtpengine.notes import FOLDER, SUFFIX, Heard, Notes, Origin, ended_line, heard_line, masked_line
from media.rtpengine.side import Side
from media.rtpengine.sounds import SILENCE

log = structlog.get_logger("media")

_SLOWEST_S: Final = 1800.0  # a conversion that takes longer hangs
_LOOKS_S: Final = (0.0, 0.5, 2.0)  # when we look whether the daemon captures
_ROOT: Final = str(Path(__file__).resolve().parents[2])

OnEvent = Callable[[RecordingEvent], None]
Release = Callable[[str, str], Awaitable[None]]  # (daemon, call-id): the daemon writes what it holds of its capture


class Capture:
    """One recording. Belongs to a side, and so to its cell, which begins and ends the capturing."""

    __slots__ = ("_captures", "begun", "file", "heard", "masked", "notes", "number", "on_event", "over", "side")

    def __init__(
        self, captures: Captures, number: int, side: Side, notes: Notes, file: Path, on_event: OnEvent
    ) -> None:  # fmt: skip
        self._captures, self.number, self.side, self.notes, self.file = captures, number, side, notes, file
        self.on_event = on_event
        self.begun = self.masked = False
        self.over = ""  # why
        self.heard: Heard | None = None

    def note(self) -> None:
        """Who hears whom, if that is not what it was."""
        heard = heard_of(self.side, 0)
        if heard != self.heard and not self.over:
            self.heard = heard
            self._captures.write(self, heard_line(heard_of(self.side, time.time_ns())))

    def captured(self) -> None:
        """The daemon says that it captures."""
        if not self.begun:
            self.begun = True
            self._captures.look(self, _LOOKS_S)

    def complete(self) -> None:
        """There will be no more packets."""
        self._captures.lost(self)
        self._captures.complete(self)


class Captures:
    """`spool` None: nothing can be recorded. `owner` tells our notes from those of other servers; `key` is for what an
    earlier server left. Blocking work is done by a thread of its own, in order."""

    def __init__(
        self, spool: Path | None, owner: str, key: bytes, counters: Counter[str], release: Release
    ) -> None:  # fmt: skip
        self._spool, self._counters, self._release = spool, counters, release
        self._folder = None if spool is None else spool / FOLDER / owner
        self._key = key
        self._running: dict[int, Capture] = {}
        self._left: dict[Path, str] = {}  # notes of an earlier server -> path of the recording
        self._last = 0
        self._disk = ThreadPoolExecutor(1, "rtpengine notes")
        self._waiting: asyncio.Queue[tuple[Path, bytes, Capture | None]] = asyncio.Queue()
        self._converter: asyncio.subprocess.Process | None = None
        self._tasks: list[asyncio.Task[None]] = []

    # --- life ---------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Take up what was left. Raises OSError if the spool can't be used."""
        if self._folder is None:
            return
        left = await asyncio.to_thread(_left, self._folder)
        self._left = {file: notes.path for file, notes in left.items()}
        self._tasks = [asyncio.create_task(self._convert_all()), asyncio.create_task(self._take_up(left))]

    async def close(self) -> None:
        """What is not yet converted is left to the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._end_converter()
        await asyncio.to_thread(self._disk.shutdown)

    def leave(self) -> None:
        """Calls go on without a server, and so does their capturing: the next one takes them up."""
        for capture in self._running.values():
            capture.over = "left"
        self._running.clear()

    def makes(self, path: str) -> bool:
        """A recording of that path, below its folder, is still to be made of a capture."""
        return path in self._left.values()

    # --- recordings ---------------------------------------------------------------------------------------------------

    def start(self, side: Side, daemon: str, order: RecordingOrder, on_event: OnEvent) -> int:
        """The new recording's number."""
        if self._folder is None:
            return self.refuse(on_event)
        self._last += 1
        number = self._last
        masked = order.masked
        if side.capture is not None:
            masked = masked or side.capture.masked
            self.end(side.capture, "stopped")
        cell = side.cell
        notes = Notes(
            cell.call_id, daemon, time.time_ns(), order.folder, order.path, order.stereo, order.rate_hz,
            bool(order.key), order.least_free_bytes, order.hide_keys,
        )  # fmt: skip
        if order.key:
            self._key = order.key
        file = self._folder / f"{cell.call_id}.{number}{SUFFIX}"
        side.capture = capture = self._running[number] = Capture(self, number, side, notes, file, on_event)
        cell.captures.append(capture)
        self.write(capture, notes.head())
        capture.note()
        self.mask(number, masked)
        cell.changed()
        return number

    def refuse(self, on_event: OnEvent) -> int:
        """Likewise, of a recording that there can't be."""
        self._last += 1
        event = RecordingEvent("ended", self._last, why="failed", error=errno.EOPNOTSUPP)
        asyncio.get_running_loop().call_soon(self._tell, on_event, event)
        return self._last

    def mask(self, number: int, masked: bool) -> None:
        capture = self._running.get(number)
        if capture is None or capture.over or capture.masked == masked:
            return
        capture.masked = masked
        at_ns = time.time_ns()
        self.write(capture, masked_line(at_ns, masked))
        capture.side.cell.changed()
        event = RecordingEvent("masked" if masked else "unmasked", number, _ms(at_ns - capture.notes.started_ns))
        asyncio.get_running_loop().call_soon(self._tell, capture.on_event, event)

    def stop(self, number: int) -> None:
        capture = self._running.get(number)
        if capture is not None:
            self.end(capture, "stopped")

    def end(self, capture: Capture, why: str) -> None:
        """From now on nothing belongs to it; once the daemon has let go it is converted."""
        if capture.over:
            return
        capture.over = why
        capture.notes.ended_ns = time.time_ns()
        self.write(capture, ended_line(capture.notes.ended_ns))
        if capture.side.capture is capture:
            capture.side.capture = None
        capture.side.cell.changed()

    def lost(self, capture: Capture) -> None:
        """Unless it was over: its cell is gone. What was captured becomes a recording all the same, some time later."""
        if not capture.over:
            self.end(capture, "lost")
            self._tell(capture.on_event, RecordingEvent("lost", capture.number))

    def write(self, capture: Capture, line: str) -> None:
        """Append to its notes."""
        self._on_disk(partial(_append, capture.file, line), partial(self._written, capture))

    def look(self, capture: Capture, delays_s: tuple[float, ...]) -> None:
        """Whether there is a file: the daemon says that it captures even if it can't."""
        assert self._spool is not None
        looking = partial(_is_captured, self._spool, capture.notes.call)
        asyncio.get_running_loop().call_later(
            delays_s[0], self._on_disk, looking, partial(self._looked, capture, delays_s[1:])
        )

    def complete(self, capture: Capture) -> None:
        if self._running.pop(capture.number, None) is not None and capture.over != "failed":
            self._waiting.put_nowait((capture.file, self._key, capture))

    # --- inside -------------------------------------------------------------------------------------------------------

    def _on_disk(self, work: Callable[[], bool], done: Callable[[bool | OSError], None]) -> None:
        loop = asyncio.get_running_loop()

        def run() -> None:
            try:
                result: bool | OSError = work()
            except OSError as error:
                result = error
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(done, result)

        with contextlib.suppress(RuntimeError):  # closed
            self._disk.submit(run)

    def _written(self, capture: Capture, result: bool | OSError) -> None:
        if isinstance(result, OSError):
            self._fail(capture, result.errno or errno.EIO, f"{capture.file}: {result.strerror}")

    def _looked(self, capture: Capture, delays_s: tuple[float, ...], result: bool | OSError) -> None:
        if result is True:
            self._tell(capture.on_event, RecordingEvent("started", capture.number))
        elif delays_s and not capture.over:
            self.look(capture, delays_s)
        else:
            reason = f"{result.filename}: {result.strerror}" if isinstance(result, OSError) else "it wrote no capture"
            self._fail(capture, errno.ENOENT, f"{reason}; is {self._spool} the recording-dir of rtpengine?")

    def _fail(self, capture: Capture, error: int, reason: str) -> None:
        if capture.over:
            return
        log.error("rtpengine can't record", reason=reason)
        self.end(capture, "failed")
        self._tell(capture.on_event, RecordingEvent("ended", capture.number, why="failed", error=error))

    def _tell(self, on_event: OnEvent, event: RecordingEvent) -> None:
        try:
            on_event(event)
        except Exception:
            self._counters["media_callback_errors"] += 1
            log.exception("a media callback failed")

    # --- after the call -----------------------------------------------------------------------------------------------

    async def _take_up(self, left: dict[Path, Notes]) -> None:
        for file, notes in left.items():
            await self._release(notes.daemon, notes.call)
            self._waiting.put_nowait((file, self._key, None))

    async def _convert_all(self) -> None:
        while True:
            file, key, capture = await self._waiting.get()
            result = await self._convert({"notes": str(file), "key": key.hex()})
            self._left.pop(file, None)
            if "error" in result:
                self._counters["recordings_unconverted"] += 1
                log.error("a capture can't be made a recording", notes=str(file), reason=result["reason"])
            if capture is None:
                continue
            event = RecordingEvent("ended", capture.number, why="failed", error=result.get("error", 0))
            if not event.error:
                self._counters["recording_packets_late"] += result["late"]
                event = RecordingEvent(
                    "ended", capture.number, result["length_ms"], capture.over, 0, 0, result["late"], result["size"]
                )  # fmt: skip
            self._tell(capture.on_event, event)

    async def _convert(self, order: dict[str, str]) -> dict[str, Any]:
        """By the process; one that died is replaced."""
        try:
            if self._converter is None:
                self._converter = await self._begin_converter()
            assert self._converter.stdin is not None and self._converter.stdout is not None
            self._converter.stdin.write(json.dumps(order).encode() + b"\n")
            async with asyncio.timeout(_SLOWEST_S):
                answer = await self._converter.stdout.readline()
            result: dict[str, Any] = json.loads(answer)
        except (OSError, TimeoutError, ValueError) as error:
            await self._end_converter()
            return {"error": errno.EIO, "reason": f"the converter died: {error}"}
        return result

    async def _begin_converter(self) -> asyncio.subprocess.Process:
        paths = filter(None, (_ROOT, os.environ.get("PYTHONPATH")))
        return await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "media.rtpengine.convert", stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )  # fmt: skip

    async def _end_converter(self) -> None:
        converter, self._converter = self._converter, None
        if converter is not None:
            with contextlib.suppress(ProcessLookupError):
                converter.kill()
            await converter.wait()


def heard_of(side: Side, at_ns: int) -> Heard:
    """What goes on at a side, as the daemon was told."""
    said = _origin(side.number, side.voice)
    if side.playing is not None:
        file = side.playing.source.get("file")
        silent = not isinstance(file, str) or Path(file).stem == SILENCE
        return Heard(at_ns, said, plays="" if silent else str(file), loop=side.playing.loop)
    if not side.told:
        return Heard(at_ns, said)
    tag, voice, to_tag, to_voice, _ = side.told
    partner, partners = (to_tag, to_voice) if tag == side.tag else (tag, voice)
    if partner == side.inner_tag:
        return Heard(at_ns, said, _origin(side.inner, None if partners.nowhere else partners))
    return Heard(at_ns, said, _origin(side.cell.sides[1 - side.index].number, partners))


def _origin(port: int, voice: Voice | None) -> Origin:
    if voice is None:
        return Origin(port) if port else Origin()
    return Origin(port, voice.host, voice.port, codec_number(voice.codec, voice.clock_hz), voice.payload_type)


def _append(file: Path, line: str) -> bool:
    with file.open("a") as notes:
        notes.write(line)
    return True


def _is_captured(spool: Path, call: str) -> bool:
    with os.scandir(spool / "pcaps") as found:
        return any(one.name.startswith(f"{call}-") for one in found)


def _left(folder: Path) -> dict[Path, Notes]:
    """Notes of an earlier server; those that can't be read stay where they are."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    left = {}
    for file in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            left[file] = Notes.read(file)
        except (OSError, ValueError, LookupError, TypeError) as error:
            log.error("notes of a capture can't be read", file=str(file), reason=str(error))
    return left


def _ms(ns: int) -> int:
    return ns // 1_000_000
