"""A media plane without media, for tests of calls, IVR and ACD in virtual time.

Commands are recorded; the test plays the peer: it presses keys, ends playlists, kills the worker, and asks for leaks.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from config.schema import PortRange
from media.plane import (
    KEYS,
    MEMBERS_MOST,
    PLAYLIST_LONGEST,
    SPEAKERS_MOST,
    Conference,
    ConferencesExhausted,
    MediaPort,
    PlaylistTooLong,
    PortsExhausted,
    PortStats,
    RecordingEvent,
    RecordingOrder,
    RemoteMedia,
    UnknownKey,
    UnknownPrompt,
)

_PORTS = PortRange(20000, 20199)


@dataclass(frozen=True, slots=True)
class Playing:
    """What a port plays now."""

    play_id: int
    prompts: tuple[str, ...]
    loop: bool
    once: int = 0  # of a loop: the first ones, which are not heard again


@dataclass(slots=True)
class FakeRecording:
    """A recording that runs."""

    port: MediaPort
    order: RecordingOrder
    on_event: Callable[[RecordingEvent], None]
    masked: bool = False


@dataclass(slots=True)
class FakeMember:
    """A port of a conference; numbers of ports, None: everybody."""

    conference: int
    hears: frozenset[int] | None
    heard_by: frozenset[int] | None


class FakePlane:
    """Obeys the `MediaPlane` protocol. Callbacks of `press`, `finish` and `kill` run at once, inside the call;
    `on_stats` of `release` too."""

    def __init__(self, ports: PortRange = _PORTS, prompts: Iterable[str] = (), host: str = "127.0.0.1") -> None:
        self.host = host
        self.prompts = set(prompts)
        self.free = deque(range(ports.first, ports.last, 2))
        self.leased: dict[int, MediaPort] = {}
        self.commands: list[tuple[object, ...]] = []
        self.remotes: dict[int, RemoteMedia] = {}
        self.playing: dict[int, Playing] = {}
        self.bridged: dict[int, int] = {}  # both directions
        self.echoing: set[int] = set()
        self.recordings: dict[int, FakeRecording] = {}  # that run, by id
        self.conferences: dict[int, Conference] = {}
        self.conferences_most = 100
        self.members: dict[int, FakeMember] = {}  # by port
        self.tags: dict[int, bytes] = {}
        self.watched: dict[int, int] = {}  # milliseconds
        self.found: dict[bytes, MediaPort] = {}
        self.beside: dict[int, int] = {}  # ports that were leased beside others
        self.counters: Counter[str] = Counter()
        self.stats = PortStats()  # what the next releases report
        self.fingerprint = ""  # with one, ports have ICE credentials
        self.down = False  # True: no worker, nothing can be leased
        self.slow_speech = False
        self.speaking: list[tuple[str, Callable[[str | None], None]]] = []
        self._generation = 0
        self._play_id = 0
        self._recording_id = 0

    # --- MediaPlane ---------------------------------------------------------------------------------------------------

    def lease(self, beside: MediaPort | None = None, tag: bytes = b"") -> MediaPort:
        if self.down or not self.free:
            self.counters["media_ports_exhausted"] += 1
            raise PortsExhausted("no free media port")
        self._generation += 1
        port = MediaPort(self.free.popleft(), self.host, self._generation)
        if self.fingerprint:
            port.ice_ufrag, port.ice_pwd = "FAKE", "FaKePaSsWoRdOf22ChArs+"
        self.leased[port.number] = port
        if beside is not None:
            self.beside[port.number] = beside.number
        if tag:
            self.tags[port.number] = tag
        self.commands.append(("lease", port.number))
        return port

    def connect(self, port: MediaPort, remote: RemoteMedia) -> None:
        if self._known(port):
            self.remotes[port.number] = remote
            self.commands.append(("connect", port.number, remote))

    def bridge(self, a: MediaPort, b: MediaPort) -> None:
        if self._known(a) and self._known(b):
            self._stop(a.number)
            self._stop(b.number)
            self.bridged[a.number], self.bridged[b.number] = b.number, a.number
            self.commands.append(("bridge", a.number, b.number))

    def play(self, port: MediaPort, prompts: Sequence[str], *, loop: bool = False, once: int = 0) -> int:
        if len(prompts) > PLAYLIST_LONGEST:
            raise PlaylistTooLong(f"{len(prompts)} prompts at once, {PLAYLIST_LONGEST} at most")
        for name in prompts:
            if not self.has_prompt(name):
                raise UnknownPrompt(name)
        self._play_id += 1
        if self._known(port):
            self._stop(port.number)
            self.playing[port.number] = Playing(self._play_id, tuple(prompts), loop, once if loop else 0)
            self.commands.append(("play", port.number, tuple(prompts), loop, self._play_id))
        return self._play_id

    def silence(self, port: MediaPort) -> None:
        if self._known(port):
            self._stop(port.number)
            self.commands.append(("silence", port.number))

    def echo(self, port: MediaPort) -> None:
        if self._known(port):
            self._stop(port.number)
            self.echoing.add(port.number)
            self.commands.append(("echo", port.number))

    def open_conference(self, speakers_most: int = SPEAKERS_MOST) -> Conference:
        if self.down or len(self.conferences) >= self.conferences_most:
            self.counters["media_conferences_exhausted"] += 1
            raise ConferencesExhausted("no more conferences")
        self._generation += 1
        conference = Conference(self._generation, self._generation)
        self.conferences[conference.number] = conference
        self.commands.append(("open_conference", conference.number, speakers_most))
        return conference

    def join(
        self, conference: Conference, port: MediaPort, hears: Sequence[MediaPort] | None = None,
        heard_by: Sequence[MediaPort] | None = None,
    ) -> None:  # fmt: skip
        number = conference.number
        if number not in self.conferences:
            self.counters["media_unknown_conference"] += 1
        elif self._known(port):
            others = [one for one, its in self.members.items() if its.conference == number and one != port.number]
            if len(others) >= MEMBERS_MOST:
                self.counters["media_conferences_exhausted"] += 1
                raise ConferencesExhausted(f"more than {MEMBERS_MOST} in one conference")
            self._stop(port.number)
            self.members[port.number] = FakeMember(number, _numbers(hears), _numbers(heard_by))
            self.commands.append(("join", number, port.number, _numbers(hears), _numbers(heard_by)))

    def leave(self, port: MediaPort) -> None:
        if self._known(port) and self.members.pop(port.number, None) is not None:
            self.commands.append(("leave", port.number))

    def close_conference(self, conference: Conference) -> None:
        if self.conferences.pop(conference.number, None) is None:
            self.counters["media_unknown_conference"] += 1
            return
        for number in [one for one, its in self.members.items() if its.conference == conference.number]:
            del self.members[number]
        self.commands.append(("close_conference", conference.number))

    def send_digit(self, port: MediaPort, digit: str, duration_ms: int = 160) -> None:
        if len(digit) != 1 or digit not in KEYS:
            raise UnknownKey(f"{digit!r} is not a key: one of {KEYS}")
        if self._known(port):
            self.commands.append(("send_digit", port.number, digit, duration_ms))

    def record(self, port: MediaPort, order: RecordingOrder, on_event: Callable[[RecordingEvent], None]) -> int:
        self._recording_id += 1
        if not self._known(port):
            on_event(RecordingEvent("ended", self._recording_id, why="lost"))
            return self._recording_id
        masked = order.masked or any(one.masked for one in self.recordings.values() if one.port.number == port.number)
        self._end_recordings(port.number, "stopped")
        self.recordings[self._recording_id] = FakeRecording(port, order, on_event, masked)
        self.commands.append(("record", port.number, order, self._recording_id))
        if masked:
            on_event(RecordingEvent("masked", self._recording_id))
        return self._recording_id

    def mask(self, recording_id: int, masked: bool) -> None:
        recording = self.recordings.get(recording_id)
        if recording is not None:
            recording.masked = masked
            self.commands.append(("mask", recording_id, masked))
            recording.on_event(RecordingEvent("masked" if masked else "unmasked", recording_id))

    def stop_recording(self, recording_id: int) -> None:
        if recording_id in self.recordings:
            self.commands.append(("stop_recording", recording_id))
            self.end_recording(recording_id, "stopped")
    def adopted(self) -> dict[bytes, MediaPort]:
        return self.found

    def watch(self, port: MediaPort, silent_after_ms: int | None) -> None:
        if self._known(port):
            self.watched.pop(port.number, None)
            if silent_after_ms is not None:
                self.watched[port.number] = silent_after_ms
            self.commands.append(("watch", port.number, silent_after_ms))

    def quality(self, port: MediaPort, on_stats: Callable[[PortStats], None]) -> None:
        on_stats(self.stats if self._known(port) else PortStats())

    def release(self, port: MediaPort, on_stats: Callable[[PortStats], None] | None = None) -> None:
        known = self._known(port)
        port.forget()
        if known:
            self._stop(port.number)
            self._end_recordings(port.number, "released")
            for table in (self.remotes, self.tags, self.watched, self.beside):
                table.pop(port.number, None)
            del self.leased[port.number]
            self.free.append(port.number)
            self.commands.append(("release", port.number))
        if on_stats is not None:
            on_stats(self.stats if known else PortStats())

    def comfort_noise(self, port: MediaPort) -> int:
        return self.play(port, ("tone:noise",), loop=True)

    def has_prompt(self, name: str) -> bool:
        return name in self.prompts or name.startswith("tone:")

    def speak(self, text: str, voice: str | None, on_ready: Callable[[str | None], None]) -> None:
        """Spoken at once as prompt `say:TEXT`, unless `slow_speech`: then the test ends it by `spoken`."""
        self.commands.append(("speak", text, voice))
        self.speaking.append((text, on_ready))
        if not self.slow_speech:
            self.spoken()

    # --- what a test does ---------------------------------------------------------------------------------------------

    def port_of(self, number: int) -> MediaPort:
        """The leased port of that number; KeyError if it is free."""
        return self.leased[number]

    def hears(self, number: int) -> set[int]:
        """The ports that a port hears, by its bridge or its conference. Whoever hears a prompt hears nobody."""
        if number in self.playing or number not in self.leased:
            return set()
        if number in self.bridged:
            return {self.bridged[number]}
        mine = self.members.get(number)
        if mine is None:
            return set()
        return {
            one for one, its in self.members.items()
            if one != number and its.conference == mine.conference
            and (mine.hears is None or one in mine.hears) and (its.heard_by is None or number in its.heard_by)
        }  # fmt: skip

    def press(self, port: MediaPort, digit: str, held_ms: int = 100) -> None:
        """The peer presses a key and lets it go."""
        if not self._known(port):
            return
        port.keys += 1
        if port.on_digit is not None:
            port.on_digit(digit)
        if port.on_key_end is not None:
            port.on_key_end(digit, held_ms)

    def finish(self, port: MediaPort) -> None:
        """What the port plays, or plays before a loop, ends by itself. A port that plays nothing, or a loop alone,
        cannot end: AssertionError."""
        playing = self.playing.get(port.number)
        if not self._known(port) or playing is None or (playing.loop and not playing.once):
            raise AssertionError(f"port {port.number} plays nothing that could end: {playing}")
        del self.playing[port.number]
        if playing.once:
            self.playing[port.number] = Playing(playing.play_id, playing.prompts[playing.once :], True)
        if port.on_played is not None:
            port.on_played(playing.play_id)

    def secure(self, port: MediaPort, secure: bool) -> None:
        """The peer's handshake succeeds, or what was to be secured can't be."""
        if self._known(port) and port.on_secure is not None:
            port.on_secure(secure)

    def open_recording(self, recording_id: int) -> None:
        """Its file is open."""
        self.recordings[recording_id].on_event(RecordingEvent("started", recording_id))

    def end_recording(self, recording_id: int, why: str = "failed", error: int = 0, length_ms: int = 0) -> None:
        """It is over; `failed` with an errno: the disk is full."""
        recording = self.recordings.pop(recording_id)
        recording.on_event(RecordingEvent("ended", recording_id, length_ms, why, error))
    def fall_silent(self, port: MediaPort) -> None:
        """The peer sends nothing for as long as the port is watched for. AssertionError if it is not."""
        if port.number not in self.watched:
            raise AssertionError(f"port {port.number} is not watched")
        if self._known(port) and port.on_silent is not None:
            port.on_silent()

    def restart(self) -> None:
        """The server dies and another comes: its callbacks are void, ports with a tag are to be adopted."""
        self.found = {}
        self.conferences.clear()  # its members hear each other until they are joined elsewhere
        for number, port in list(self.leased.items()):
            port.forget()
            if number in self.tags:
                self.found[self.tags[number]] = self.leased[number] = MediaPort(number, port.host, port.generation)

    def spoken(self, *, well: bool = True) -> None:
        """The text asked for first is spoken, or it fails."""
        text, on_ready = self.speaking.pop(0)
        name = f"say:{text}"
        if well:
            self.prompts.add(name)
        on_ready(name if well else None)

    def kill(self) -> None:
        """The worker dies: every leased port is lost. A new worker is up at once (unless `down` is set before)."""
        lost = list(self.leased.values())
        self.free.extend(self.leased)
        self.leased.clear()
        self.remotes.clear()
        self.tags.clear()
        self.watched.clear()
        self.beside.clear()
        self.playing.clear()
        self.bridged.clear()
        self.echoing.clear()
        self.members.clear()
        for conference in self.conferences.values():
            conference.lost = True
        self.conferences.clear()
        self.counters["media_worker_restarts"] += 1
        for recording_id in list(self.recordings):
            self.end_recording(recording_id, "lost")
        for port in lost:
            on_lost = port.on_lost
            port.forget()
            if on_lost is not None:
                on_lost()

    def check_no_leaks(self) -> None:
        """AssertionError if a port is still leased, or a conference open."""
        if self.leased:
            raise AssertionError(f"media ports still leased: {sorted(self.leased)}")
        if self.conferences:
            raise AssertionError(f"conferences still open: {sorted(self.conferences)}")

    # --- inside -------------------------------------------------------------------------------------------------------

    def _known(self, port: MediaPort) -> bool:
        live = self.leased.get(port.number)
        if live is not None and live.generation == port.generation:
            return True
        self.counters["media_unknown_port"] += 1
        return False

    def _end_recordings(self, number: int, why: str) -> None:
        for recording_id, recording in list(self.recordings.items()):
            if recording.port.number == number:
                self.end_recording(recording_id, why)

    def _stop(self, number: int) -> None:
        self.playing.pop(number, None)
        self.echoing.discard(number)
        self.members.pop(number, None)
        other = self.bridged.pop(number, None)
        if other is not None:
            self.bridged.pop(other, None)


def _numbers(ports: Sequence[MediaPort] | None) -> frozenset[int] | None:
    return None if ports is None else frozenset(port.number for port in ports)
