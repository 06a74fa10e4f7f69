"""The server's end of the socket to one media worker: records gather, leave in order, and are acknowledged.

Both ways are bounded. What does not fit the socket waits here, up to UNSENT_MOST commands: then the worker is given up.
What a worker has to say waits there, up to a few thousand events: then it takes no commands until it was read.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable

from media import records

GATHER_S = 0.002  # how long commands gather: each write wakes the worker, which costs as much as thirty commands
UNSENT_MOST = 65_536  # commands: 6 MB


class Link:
    """`on_message` gets each message, `on_end` is told once: the other end is gone, or does not read."""

    def __init__(
        self,
        connection: socket.socket,
        loop: asyncio.AbstractEventLoop,
        on_message: Callable[[bytes], None],
        on_end: Callable[[str], None],
    ) -> None:
        self._socket: socket.socket | None = connection
        self._loop, self._on_message, self._on_end = loop, on_message, on_end
        self._batch = bytearray()
        self._unsent: deque[tuple[bytes, int]] = deque()  # message, descriptor to pass or -1
        self._waiting = 0  # commands in `_unsent`
        self._flush_due = self._writing = False
        self._sent = self._done = 0  # commands, ever
        self._open: deque[tuple[int, float]] = deque()  # messages in the worker's hands: its last command, when sent
        connection.setblocking(False)
        loop.add_reader(connection, self._read)

    # --- how far behind the worker is ---------------------------------------------------------------------------------

    @property
    def unsent_messages(self) -> int:
        return len(self._unsent)

    @property
    def unacknowledged(self) -> int:
        """Commands that left and were not answered."""
        return self._sent - self._done

    @property
    def oldest_s(self) -> float:
        """Age of the oldest of them."""
        return self._loop.time() - self._open[0][1] if self._open else 0.0

    # --- commands -----------------------------------------------------------------------------------------------------

    def send(self, record: bytes, descriptor: int = -1) -> None:
        """Queue a command; those of two milliseconds leave in one write. `descriptor` is passed along and closed."""
        if self._socket is None:
            if descriptor >= 0:
                os.close(descriptor)
            return
        if descriptor >= 0:
            self._pack()
            self._unsent.append((record, descriptor))
            self._waiting += 1
        else:
            self._batch += record
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_later(GATHER_S, self.flush)

    def flush(self) -> None:
        self._flush_due = False
        self._pack()
        if self._socket is None:
            return
        try:
            while self._unsent:
                message, descriptor = self._unsent[0]
                if descriptor >= 0:
                    socket.send_fds(self._socket, [message], [descriptor])
                    os.close(descriptor)
                else:
                    self._socket.send(message)
                self._unsent.popleft()
                count = len(message) // records.COMMAND_BYTES
                self._waiting -= count
                self._sent += count
                self._open.append((self._sent, self._loop.time()))
        except BlockingIOError:
            if not self._writing:
                self._writing = True
                self._loop.add_writer(self._socket, self.flush)
            if self._waiting > UNSENT_MOST:
                self._end("it does not read")
            return
        except OSError:
            return  # it is dying: the reader will see the end of the socket
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._socket)

    def done(self, count: int) -> None:
        """The worker has executed `count` commands (a number of 32 bits, as it counts)."""
        self._done += (count - self._done) & 0xFFFFFFFF
        while self._open and self._open[0][0] <= self._done:
            self._open.popleft()

    def close(self) -> None:
        """Nobody is told."""
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket.close()
            self._socket = None
        self._batch.clear()
        for _, descriptor in self._unsent:
            if descriptor >= 0:
                os.close(descriptor)
        self._unsent.clear()
        self._open.clear()

    # --- inside -------------------------------------------------------------------------------------------------------

    def _pack(self) -> None:
        """Close the batch: messages of bounded size, in order."""
        most = records.COMMANDS_A_MESSAGE * records.COMMAND_BYTES
        for at in range(0, len(self._batch), most):
            message = bytes(self._batch[at : at + most])
            self._unsent.append((message, -1))
            self._waiting += len(message) // records.COMMAND_BYTES
        self._batch.clear()

    def _read(self) -> None:
        """One message: the worker puts all it has to say into it, and what comes meanwhile wakes us again. To look for
        more in vain costs more than that."""
        if self._socket is None:
            return
        try:
            message = self._socket.recv(records.MESSAGE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if message:
            self._on_message(message)
        else:
            self._end("it is gone")

    def _end(self, why: str) -> None:
        self.close()
        self._on_end(why)
