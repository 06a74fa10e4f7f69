"""Keeps one media worker alive and carries records to and from it.

The worker is a child with one end of a socketpair. Its death is the end of that socket: then it is reaped, whoever
asked is told, and another is started, at once the first time and with growing delays if it dies young.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path

import structlog

from media import records
from media.plane import WorkerFailed
from media.records import Event

log = structlog.get_logger("media")

_PING_S = 1.0
_PINGS_UNANSWERED = 5  # then the worker hangs: it is killed
_BACK_OFF_S = (0.0, 0.1, 0.5, 2.0, 5.0)
_LIVED_LONG_S = 30.0  # after this a death is a first one again
_GATHER_S = 0.002  # how long commands gather: each write wakes the worker, which costs as much as thirty commands
_UNSENT_MOST = 4096  # messages that wait for a worker that does not read: then it is killed
_ROOT = str(Path(__file__).resolve().parents[1])


class Supervisor:
    """`on_up` is called when a worker is spawned (send it what it must know), `on_event` with each of its events,
    `on_down` when it is gone. All on the event loop."""

    def __init__(
        self,
        arguments: list[str],
        *,
        on_up: Callable[[], None],
        on_event: Callable[[Event], None],
        on_down: Callable[[], None],
        counters: Counter[str],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._arguments, self._counters, self._loop = arguments, counters, loop
        self._on_up, self._on_event, self._on_down = on_up, on_event, on_down
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._batch = bytearray()
        self._unsent: deque[tuple[bytes, int]] = deque()  # message, descriptor to pass or -1
        self._flush_due = self._writing = self._closed = False
        self._pings = 0
        self._deaths = 0
        self._spawned_at = 0.0
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._reaping: set[asyncio.Task[int]] = set()

    @property
    def pid(self) -> int | None:
        """The worker's process id while there is one."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Spawn a worker. Raises WorkerFailed if not even that is possible."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        theirs.setblocking(False)
        # -P: a folder `media` where the server was started must not be taken for ours.
        command = [sys.executable, "-P", "-m", "media.worker", str(theirs.fileno()), str(os.getpid()), *self._arguments]
        path = os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH"))))
        try:
            # On the loop's thread: the kernel kills the worker when the thread that started it ends.
            self._process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": path}
            )
        except OSError as error:
            ours.close()
            raise WorkerFailed(f"the media worker can't be started: {error}") from error
        finally:
            theirs.close()
        self._socket, self._spawned_at, self._pings = ours, self._loop.time(), 0
        self._loop.add_reader(ours, self._read)
        self._timers["ping"] = self._loop.call_later(_PING_S, self._ping)
        self.send(records.hello())
        self._on_up()

    def send(self, record: bytes, descriptor: int = -1) -> None:
        """Queue a command; those of two milliseconds leave in one write. `descriptor` is passed along and closed.
        Without a worker it is dropped: whoever cares was told by `on_down`."""
        if self._socket is None:
            if descriptor >= 0:
                os.close(descriptor)
            return
        if descriptor >= 0:
            self._pack()
            self._unsent.append((record, descriptor))
        else:
            self._batch += record
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_later(_GATHER_S, self._flush)

    def restart(self) -> None:
        """Kill the worker; another follows."""
        if self._process is not None:
            self._process.kill()

    async def close(self) -> None:
        """End the worker, and wait until it is gone."""
        self._closed = True
        process = self._process
        self._flush()
        self._disconnect()
        if process is not None:
            self._reap(process, kill=False)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await asyncio.shield(asyncio.gather(*self._reaping))
            process.kill()
        await asyncio.gather(*self._reaping)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _pack(self) -> None:
        """Close the batch: messages of bounded size, in order."""
        most = records.COMMANDS_A_MESSAGE * records.COMMAND_BYTES
        for at in range(0, len(self._batch), most):
            self._unsent.append((bytes(self._batch[at : at + most]), -1))
        self._batch.clear()

    def _flush(self) -> None:
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
        except BlockingIOError:
            if not self._writing:
                self._writing = True
                self._loop.add_writer(self._socket, self._flush)
            if len(self._unsent) > _UNSENT_MOST:
                log.error("media worker does not read, killed", messages=len(self._unsent))
                self.restart()
            return
        except OSError:
            return  # it is dying: the reader will see the end of the socket
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._socket)

    def _read(self) -> None:
        while self._socket is not None:
            try:
                message = self._socket.recv(records.MESSAGE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                message = b""
            if not message:
                self._gone()
                return
            for event in records.events(message):
                if event.op == records.PONG:
                    self._pings = 0
                elif event.op == records.GREETING and event.version != records.VERSION:
                    log.error("media worker of another version", version=event.version, expected=records.VERSION)
                self._on_event(event)

    def _ping(self) -> None:
        # Counted in pings sent, not in seconds: a loop that was itself held up does not blame the worker.
        if self._pings >= _PINGS_UNANSWERED:
            log.error("media worker does not answer, killed", pid=self.pid)
            self.restart()
        self._pings += 1
        self.send(records.ping())
        self._timers["ping"] = self._loop.call_later(_PING_S, self._ping)

    def _gone(self) -> None:
        process, lived_s = self._process, self._loop.time() - self._spawned_at
        self._disconnect()
        if process is not None:
            self._reap(process, kill=True)
        self._counters["media_worker_restarts"] += 1
        self._deaths = 0 if lived_s > _LIVED_LONG_S else self._deaths + 1
        delay_s = _BACK_OFF_S[min(max(self._deaths - 1, 0), len(_BACK_OFF_S) - 1)]
        log.error("media worker died, another is started", lived_s=round(lived_s, 1), delay_s=delay_s)
        self._timers["restart"] = self._loop.call_later(delay_s, self._start_again)
        self._on_down()

    def _start_again(self) -> None:
        if self._closed:
            return
        try:
            self.start()
        except WorkerFailed as error:
            log.error("media worker can't be started, trying again", error=str(error))
            self._timers["restart"] = self._loop.call_later(_BACK_OFF_S[-1], self._start_again)

    def _disconnect(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket.close()
        self._socket = self._process = None
        self._writing = False
        self._batch.clear()
        for _, descriptor in self._unsent:
            if descriptor >= 0:
                os.close(descriptor)
        self._unsent.clear()

    def _reap(self, process: subprocess.Popen[bytes], *, kill: bool) -> None:
        """Wait in a thread: the kernel needs some milliseconds to close thousands of sockets."""
        if kill:
            process.kill()
        task = self._loop.create_task(asyncio.to_thread(process.wait))
        self._reaping.add(task)
        task.add_done_callback(self._reaping.discard)
