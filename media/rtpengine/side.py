"""One port of a cell (see `cell.py`): what it shall do, and what the daemon was told of that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from media.plane import MediaPort, PortStats
from media.rtpengine.description import Voice
from media.rtpengine.own import Own

if TYPE_CHECKING:
    from media.rtpengine.captures import Capture
    from media.rtpengine.cell import Cell

OnStats = Callable[[PortStats], None]


@dataclass(eq=False, slots=True)
class Sound:
    """What is played to a port."""

    source: Mapping[str, str | bytes]  # `file` or `blob`, as `play media` takes them
    duration_ms: int
    loop: bool
    on_end: Callable[[], None] | None = None


@dataclass(eq=False, slots=True)
class Side:
    """Its end towards the peer, and its inner end."""

    cell: Cell
    index: int
    host: str = ""
    number: int = 0
    inner_host: str = ""
    inner: int = 0
    own: Own = field(default_factory=Own)
    keyed: bool = False  # rtpengine knows what the peer took of that
    port: MediaPort | None = None  # while leased
    used: bool = False  # a peer knows it: not leased again
    voice: Voice | None = None  # the peer's end; None: not connected
    other: Side | None = None  # that it is bridged with
    echoing: bool = False
    sound: Sound | None = None
    keys: list[tuple[str, int]] = field(default_factory=list)  # to send: key, duration_ms
    injects: bool = False  # keys are laid over what it is sent
    asked: list[OnStats] = field(default_factory=list)
    told: tuple[str, Voice, str, Voice, bool] | tuple[()] = ()  # the last offer and answer
    playing: Sound | None = None  # what the daemon was told
    ends: asyncio.TimerHandle | None = None
    capture: Capture | None = None  # its recording

    @property
    def tag(self) -> str:
        return f"a{self.index}"

    @property
    def inner_tag(self) -> str:
        return f"b{self.index}"

    @property
    def neighbour(self) -> Side | None:
        """It is bridged with that one, inside the cell; both have peers, and they can be put together."""
        other = self.other
        if other is None or other.cell is not self.cell or other.voice is None or self.voice is None:
            return None
        return other if self.voice.joins(other.voice) and not self.unkeyed and not other.unkeyed else None

    @property
    def unkeyed(self) -> bool:
        """First of all rtpengine must hear how the peer answers what it showed: later it may make offers, too."""
        return self.voice is not None and self.voice.security is not None and not self.keyed

    @property
    def partner_tag(self) -> str:
        """As the daemon knows it."""
        return next((tag for tag in self.told[0:3:2] if tag != self.tag), self.inner_tag)

    def inner_voice(self) -> Voice:
        """Where the inner end leads."""
        assert self.voice is not None
        inner = replace(
            self.voice, host=self.cell.nowhere, port=9, direction="sendrecv", rtcp_port=None, rtcp_mux=False,
            security=None, ice=None,
        )  # fmt: skip
        if self.unkeyed:
            return inner
        if self.echoing:
            return replace(inner, host=self.inner_host, port=self.inner)
        other = self.other
        if other is None or other.voice is None or self.neighbour is not None:
            return inner
        return replace(inner.between(other.voice), host=other.inner_host, port=other.inner)

    def clear(self) -> None:
        """Whatever it did, it stops."""
        other, self.other = self.other, None
        if other is not None and other.other is self:
            other.other = None
            other.cell.changed()
        self.echoing = self.injects = False
        self.sound = None
        self.keys.clear()
        if self.ends is not None:
            self.ends.cancel()
            self.ends = None

    def leave(self) -> None:
        """The lease is over: nothing is sent to the peer any more, and nothing taken from it."""
        self.clear()
        self.port = None
        if self.voice is not None:
            self.voice = replace(self.voice, host=self.cell.nowhere, port=9, rtcp_port=None)

    def ends_after(self, sound: Sound) -> None:
        """Playing began: `on_end` is told when it is over."""
        if not sound.loop and sound.on_end is not None:
            self.ends = asyncio.get_running_loop().call_later(sound.duration_ms / 1000, sound.on_end)

    def take_asked(self) -> list[OnStats]:
        asked, self.asked = self.asked, []
        return asked
