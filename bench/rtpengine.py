"""An rtpengine of our own, in userspace: for comparisons, and for tests of the media plane that speaks to it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from bench.ports import free_port
from media.rtpengine.bencode import BencodeError, decode, encode

_START_S = 30.0


class Rtpengine:
    """`with Rtpengine() as daemon:` runs until then; `kill` and `start` in between are what tests do to it. Ports are
    chosen by the system and stay the same; `keys` is where it tells of keys, if that is known. Raises FileNotFoundError
    without Debian's `rtpengine-daemon`."""

    def __init__(
        self, host: str = "127.0.0.1", ports: tuple[int, int] = (32000, 39999), options: Sequence[str] = (),
        keys: int | None = None, interface: str | None = None,
    ) -> None:  # fmt: skip
        self._program = shutil.which("rtpengine") or "/usr/sbin/rtpengine"
        if not Path(self._program).exists():
            raise FileNotFoundError("no rtpengine: Debian package rtpengine-daemon")
        self.host = host
        self.ng, self.keys = free_port(host), keys or free_port(host)
        self._ports, self._options, self._interface = ports, options, interface or host
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns once it answers. Raises RuntimeError if it does not."""
        self._process = subprocess.Popen(
            [
                self._program, "--config-file=none", "--table=-1", "--foreground", "--log-stderr", "--log-level=3",
                f"--interface={self._interface}", f"--listen-ng={self.host}:{self.ng}",
                f"--dtmf-log-dest={self.host}:{self.keys}", f"--port-min={self._ports[0]}",
                f"--port-max={self._ports[1]}", "--delete-delay=0", *self._options,
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        end_s = time.monotonic() + _START_S
        while time.monotonic() < end_s and self._process.poll() is None:
            if self._answers():
                return
        self.kill()
        raise RuntimeError("rtpengine does not start")

    def kill(self) -> None:
        """At once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.settimeout(0.1)
            one.connect((self.host, self.ng))
            try:
                one.send(b"start_%d " % time.monotonic_ns() + encode({"command": "ping"}))
                return decode(one.recv(2048).partition(b" ")[2]) == {"result": b"pong"}
            except (OSError, BencodeError):
                time.sleep(0.02)
                return False

    def __enter__(self) -> Rtpengine:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:  # fmt: skip
        self.kill()
