"""Something large is written down by a copy of this process, while this one goes on.

    parent  --fork--> child: sees all as it was at that moment, writes it into a pipe, ends
       |                         |
       serves calls  <-----------+ read by a thread

The memory of both is one until either writes to it, so the copy costs a few ms, and the pages that change
meanwhile. Else the child shares nothing: it closes what it inherited, hears no signals of the parent, and ends without
any of Python's tidying up.
"""

from __future__ import annotations

import asyncio
import os
import signal
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn

AT_MOST_S: Final = 60.0  # that it may take
_SIZE: Final = struct.Struct("!Q")


class AsideError(Exception):
    """The copy could not be made, or has not ended well."""


async def aside(make: Callable[[], bytes]) -> bytes:
    """What `make` gives, of everything as it is now. `make` must need no lock: another thread may hold it, and is not
    there in the copy. Raises AsideError."""
    try:
        reading, writing = os.pipe()
        pid = os.fork()
    except OSError as error:
        raise AsideError(error.strerror or str(error)) from None
    if pid == 0:
        _child(make, writing)
    os.close(writing)
    try:
        async with asyncio.timeout(AT_MOST_S):
            data = await asyncio.to_thread(_read, reading, pid)
    except BaseException as error:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # the thread then reads to the end, and buries it
        if isinstance(error, TimeoutError):
            raise AsideError(f"not ready within {AT_MOST_S:g} s") from None
        raise
    if len(data) < _SIZE.size or len(data) != _SIZE.size + _SIZE.unpack_from(data)[0]:
        raise AsideError("ended before it was done")
    return data[_SIZE.size :]


def _read(reading: int, pid: int) -> bytes:
    with open(reading, "rb", buffering=0) as pipe:
        data = pipe.readall()
    os.waitpid(pid, 0)
    return data


def _child(make: Callable[[], bytes], writing: int) -> NoReturn:
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.nice(10)
        os.dup2(writing, 3)
        os.closerange(4, os.sysconf("SC_OPEN_MAX"))  # ports and the lock are free once the parent is gone
        data = make()
        data = _SIZE.pack(len(data)) + data
        view = memoryview(data)
        while view:
            view = view[os.write(3, view) :]
    finally:
        os._exit(0)
