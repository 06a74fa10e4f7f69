"""Ports that are free, for servers and peers of a run.

They lie below those that the system hands out by itself (`net.ipv4.ip_local_port_range`, from 32768): a port above may
be anybody's outgoing connection a moment after it was seen free.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

SINGLE = range(10100, 12000)
_own = os.getpid() * 50 % len(SINGLE)  # another process begins elsewhere
_next: Iterator[int] = itertools.cycle((*SINGLE[_own:], *SINGLE[:_own]))


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody has, by UDP or TCP; each time another. Raises OSError if there is none."""
    for port in itertools.islice(_next, len(SINGLE)):
        if _is_free(port, host) and _is_free(port, host, socket.SOCK_STREAM):
            return port
    raise OSError(f"no free port in {SINGLE.start}-{SINGLE.stop - 1}")


def free_sip_port(host: str = "127.0.0.1") -> int:
    """A port that is free as is the one above it: where some stacks put TLS."""
    port = free_port(host)
    while not _is_free(port + 1, host, socket.SOCK_STREAM):
        port = free_port(host)
    next(_next)  # the one above is taken, too
    return port


BLOCK = 100  # ports that are claimed together


class ClaimedPorts:
    """`count` free UDP ports in a row, FIRST even, and nobody else's who asks here, in whatever process, until
    `release` or the end of this one: claims are locked files. Best below the ports that the system hands out."""

    def __init__(self, count: int, host: str = "127.0.0.1", first: int = 20000, last: int = 60998) -> None:
        """Raises OSError when there are none."""
        self._locks: dict[int, int] = {}  # block -> descriptor
        start = first
        while start + count - 1 <= last:
            taken = self._taken(start, count, host)
            if taken is None:
                self._let_go(below=start)
                self.first, self.last, self.count = start, start + count - 1, count
                return
            start = taken + 1 + (taken + 1) % 2
        self.release()
        raise OSError(f"no {count} free UDP ports in a row between {first} and {last}")

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    def _taken(self, start: int, count: int, host: str) -> int | None:
        """The last port of the first block that is another's, or the first port that is in use; None: all are ours."""
        for block in range(start // BLOCK, (start + count - 1) // BLOCK + 1):
            if not self._claim(block):
                return block * BLOCK + BLOCK - 1
        return next((port for port in range(start, start + count) if not _is_free(port, host)), None)

    def _claim(self, block: int) -> bool:
        if block in self._locks:
            return True
        folder = Path(tempfile.gettempdir(), f"plateau-ports-{os.getuid()}")
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(folder / str(block * BLOCK), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._locks[block] = lock
        return True

    def _let_go(self, below: int) -> None:
        for block in [one for one in self._locks if one < below // BLOCK]:
            os.close(self._locks.pop(block))

    def release(self) -> None:
        while self._locks:
            os.close(self._locks.popitem()[1])


def _is_free(port: int, host: str, kind: socket.SocketKind = socket.SOCK_DGRAM) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind((host, port))
        except (OSError, OverflowError):
            return False
        return True
