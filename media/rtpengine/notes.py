"""What rtpengine's captures do not tell of a recording: a file of JSON texts beside them, one a line, so that whoever
finds it after a crash can make the recording all the same. The first says what is to become of it; the others say, as
it happens, who hears whom, what is played, what is masked, and when it was over."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

FOLDER = "plateau"  # in the spool
SUFFIX = ".notes"


@dataclass(frozen=True, slots=True)
class Origin:
    """Packets that arrive at one of rtpengine's ports, and how they are read. Port 0: none."""

    port: int = 0
    host: str = ""  # where they come from, if that is known
    peer: int = 0  # its port
    codec: int = 0  # the worker's number
    payload_type: int = 0


@dataclass(frozen=True, slots=True)
class Heard:
    """What goes on at the recorded port from `at_ns` on (since 1970)."""

    at_ns: int
    said: Origin = Origin()  # what the port's peer says
    hears: Origin = Origin()  # what he hears, if it is packets
    plays: str = ""  # a file that is played to him
    loop: bool = False


@dataclass(slots=True)
class Notes:
    """One recording. `folder` and `path`: where it is to be (RecordingOrder)."""

    call: str  # rtpengine's call-id
    daemon: str
    started_ns: int
    folder: str
    path: str
    stereo: bool = True
    rate_hz: int = 8000
    enciphered: bool = False
    least_free_bytes: int = 0
    hide_keys: bool = False
    heard: list[Heard] = field(default_factory=list)
    masked: list[tuple[int, int | None]] = field(default_factory=list)  # spans, in ns since 1970
    ended_ns: int | None = None  # None: the server died

    def head(self) -> str:
        """The first line."""
        values = asdict(self)
        for name in ("heard", "masked", "ended_ns"):
            del values[name]
        return json.dumps(values) + "\n"

    @classmethod
    def read(cls, file: Path) -> Self:
        """Raises OSError; ValueError if it was not even begun."""
        head, *lines = file.read_text().split("\n")
        try:
            notes = cls(**json.loads(head))
        except TypeError as error:
            raise ValueError(f"{file}: {error}") from None
        for line in lines[:-1]:  # the last one is empty, or torn
            notes._add(json.loads(line))
        return notes

    def _add(self, value: dict[str, Any]) -> None:
        at_ns = value["at_ns"]
        if "masked" not in value and "ended" not in value:
            heard = Heard(**value)
            self.heard.append(replace(heard, said=Origin(**value["said"]), hears=Origin(**value["hears"])))
        elif "ended" in value:
            self.ended_ns = at_ns
        elif value["masked"]:
            self.masked.append((at_ns, None))
        elif self.masked and self.masked[-1][1] is None:
            self.masked[-1] = self.masked[-1][0], at_ns


def heard_line(heard: Heard) -> str:
    return json.dumps(asdict(heard)) + "\n"


def masked_line(at_ns: int, masked: bool) -> str:
    return json.dumps({"at_ns": at_ns, "masked": masked}) + "\n"


def ended_line(at_ns: int) -> str:
    return json.dumps({"at_ns": at_ns, "ended": True}) + "\n"
