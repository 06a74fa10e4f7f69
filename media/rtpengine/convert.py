"""`python -m media.rtpengine.convert`: recordings of what rtpengine captured. A process of its own, with what the
machine has left (nice 19): a line of JSON on stdin for each, so that the key is in no list of processes, and a line of
what became of it on stdout.

    captures (pcap) --+                                            what came to the port: left
                      +-- in order of arrival --> line of time --> what went to its peer: right --> WAV, enciphered
    notes, prompts ---+                           (recorder.pxi)

The file appears whole or not at all; then captures and notes are deleted.
"""

from __future__ import annotations

import contextlib
import errno
import heapq
import ipaddress
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

from media.rtpengine.notes import SUFFIX, Notes, Origin
from media.rtpengine.pcap import NotACapture, Packet, packets
from media.rtpengine.wav import read_wav
from media.worker.loop import RecordingLine, load_opus
from media.worker.opus import libraries
from media.worker.recording import RecordedFile

NICE = 19
LEFT, RIGHT = 0, 1
_FRAME_BYTES, _FRAME_NS = 160, 20_000_000  # of prompts, which are G.711
_PCMU, _PCMA = 0, 8  # the worker's numbers
_STATIC = (0, 8, 9)  # payload types (RFC 3551 6) that are those numbers

Entry = tuple[int, int, int, int, bytes]  # arrival (ns since 1970), side, codec, timestamp, payload


class Undeletable(Exception):
    """The recording was made, but its captures can't be deleted."""


def convert(notes_file: Path, key: bytes) -> tuple[int, int, int]:
    """(length in ms, size in bytes, packets that came too late) of the recording. Raises OSError, ValueError,
    Undeletable."""
    notes, spool = Notes.read(notes_file), notes_file.parents[2]
    captures = _captures(spool, notes.call)
    target = Path(notes.folder) / notes.path
    late = 0
    end_ns = notes.ended_ns or _last_ns(captures, notes)
    if not target.exists():  # else it was made, and its captures could not be deleted
        if not captures and not notes.masked:
            raise OSError(errno.ENOENT, f"rtpengine wrote no capture: its recording-dir must be {spool}")
        late = _write(notes, captures, end_ns, key)
    try:
        if not any(other != notes_file for other in notes_file.parent.glob(f"{notes.call}.*{SUFFIX}")):
            for capture in captures:
                capture.unlink()
                (spool / "metadata" / f"rtpengine-meta-{capture.stem}.txt").unlink(missing_ok=True)
        notes_file.unlink()
    except OSError as error:
        raise Undeletable(f"{error.filename}: {error.strerror}") from None
    return (end_ns - notes.started_ns) // 1_000_000, target.stat().st_size, late


def _write(notes: Notes, captures: list[Path], end_ns: int, key: bytes) -> int:
    if notes.enciphered and not key:
        raise OSError(errno.EACCES, "the recording is to be enciphered, and the site has no recordings.key")
    part = f"{notes.path}.part"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(notes.folder, part))
    order = {
        "folder": notes.folder, "path": part, "stereo": notes.stereo, "rate_hz": notes.rate_hz,
        "least_free_bytes": notes.least_free_bytes, "key": key.hex() if notes.enciphered else "",
    }  # fmt: skip
    file = RecordedFile(order)
    try:
        line = RecordingLine(file.rate_hz, file.stereo, notes.hide_keys)
        written = 0
        for at_ns, side, codec, timestamp, payload in _entries(notes, captures, end_ns):
            while not line.put(side, codec, at_ns - notes.started_ns, timestamp, payload):
                line.take(file.buffer, file.samples)
                file.write(file.samples, last=False)
                written += file.samples
        total = (end_ns - notes.started_ns) * file.rate_hz // 1_000_000_000
        count = file.samples
        while count == file.samples:
            count = max(0, min(count, total - written))
            if count:
                line.take(file.buffer, count)
            file.write(count, last=count < file.samples)
            written += count
    finally:
        file.close()
    os.rename(os.path.join(notes.folder, part), os.path.join(notes.folder, notes.path))
    return line.late


# --- what there is ----------------------------------------------------------------------------------------------------


def _captures(spool: Path, call: str) -> list[Path]:
    """One for each time that capturing was begun, the oldest first."""
    name = re.compile(re.escape(call) + r"-[0-9a-f]{16}\.pcap")
    found = [file for file in (spool / "pcaps").iterdir() if name.fullmatch(file.name)]
    return sorted(found, key=lambda file: file.stat().st_mtime_ns)


def _read(captures: Iterable[Path]) -> Iterator[Packet]:
    for capture in captures:
        with capture.open("rb") as file:
            yield from packets(file)


def _last_ns(captures: list[Path], notes: Notes) -> int:
    """When the server died, as far as one can see."""
    last_ns = max((packet.at_ns for packet in _read(captures)), default=notes.started_ns)
    return max(last_ns, *(heard.at_ns for heard in notes.heard), notes.started_ns)


def _entries(notes: Notes, captures: list[Path], end_ns: int) -> Iterator[Entry]:
    """Both sides, in the order of arrival."""
    masked = [(start, end_ns if end is None else end) for start, end in notes.masked]
    for entry in heapq.merge(_said(notes, captures), _played(notes, end_ns), key=itemgetter(0)):
        at_ns = entry[0]
        if notes.started_ns <= at_ns <= end_ns and not any(start <= at_ns < end for start, end in masked):
            yield entry


def _said(notes: Notes, captures: list[Path]) -> Iterator[Entry]:
    """What arrived at the ports, of those whom rtpengine believed."""
    origins = [origin for heard in notes.heard for origin in (heard.said, heard.hears) if origin.port]
    codecs = {(origin.port, origin.payload_type): origin.codec for origin in origins}
    believed = _believed(origins, captures)
    own = {heard.said.port for heard in notes.heard}
    changes = [*notes.heard[1:], None]
    now, changes = notes.heard[0], changes[::-1]
    for packet in _read(captures):
        while (change := changes[-1]) is not None and change.at_ns <= packet.at_ns:
            now = change
            changes.pop()
        static = packet.payload_type if packet.payload_type in _STATIC else None
        codec = codecs.get((packet.port, packet.payload_type), static)
        if codec is None or (packet.port, packet.source) not in believed:
            continue
        if packet.port in own:
            yield packet.at_ns, LEFT, codec, packet.timestamp, packet.payload
        if packet.port == now.hears.port:
            yield packet.at_ns, RIGHT, codec, packet.timestamp, packet.payload


def _believed(origins: list[Origin], captures: list[Path]) -> set[tuple[int, tuple[bytes, int]]]:
    """Sources at ports: the ones that were agreed; behind NAT, where they never show, the host that sent most. A
    capture has strangers' packets too."""
    seen = Counter((packet.port, packet.source) for packet in _read(captures))
    believed = set()
    for port in {origin.port for origin in origins}:
        here = {source: count for (at, source), count in seen.items() if at == port}
        agreed = {(_packed(one.host), one.peer) for one in origins if one.port == port}
        if not here.keys() & agreed and here:
            host = max(here, key=lambda source: here[source])[0]
            agreed = {source for source in here if source[0] == host}
        believed |= {(port, source) for source in agreed}
    return believed


def _packed(host: str) -> bytes:
    try:
        return ipaddress.ip_address(host).packed
    except ValueError:
        return b""


def _played(notes: Notes, end_ns: int) -> Iterator[Entry]:
    """Prompts, from when they were begun until something else was."""
    ends = [heard.at_ns for heard in notes.heard[1:]] + [end_ns]
    for heard, until_ns in zip(notes.heard, ends, strict=True):
        if heard.plays:
            codec, sound = read_wav(Path(heard.plays))
            frames = [sound[at : at + _FRAME_BYTES] for at in range(0, len(sound), _FRAME_BYTES)]
            count = max(0, until_ns - heard.at_ns) // _FRAME_NS
            if not heard.loop:
                count = min(count, len(frames))
            for i in range(count if frames else 0):
                at_ns = heard.at_ns + i * _FRAME_NS
                yield at_ns, RIGHT, _PCMA if codec == "PCMA" else _PCMU, i * _FRAME_BYTES, frames[i % len(frames)]


# --- the process ------------------------------------------------------------------------------------------------------


def answer(order: dict[str, Any]) -> dict[str, Any]:
    """What became of one."""
    try:
        length_ms, size, late = convert(Path(order["notes"]), bytes.fromhex(order["key"]))
    except Undeletable as error:
        return {"error": errno.EACCES, "reason": f"made, but its captures can't be deleted: {error}"}
    except OSError as error:
        return {"error": error.errno or errno.EIO, "reason": str(error)}
    except (ValueError, LookupError, NotACapture) as error:
        return {"error": errno.EINVAL, "reason": str(error)}
    return {"length_ms": length_ms, "size": size, "late": late}


def main() -> None:
    os.nice(NICE)
    load_opus(libraries())
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
