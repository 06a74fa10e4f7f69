"""Keeps one media worker alive: starts it or finds what the server before left, and starts another when it dies.

A worker that was found and speaks another version is told so: it gives up its free ports at once and finishes its calls
alone; one that does not answer is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from media import records
from media.link import Link
from media.plane import WorkerFailed
from media.records import Event
from media.runtime import Place, RuntimeFolder, is_worker

log = structlog.get_logger("media")

_PING_S = 1.0
_PINGS_UNANSWERED = 5  # then the worker hangs: it is killed
_GREETING_S = 3.0  # how long a worker that was found may take to say something
_BACK_OFF_S = (0.0, 0.1, 0.5, 2.0, 5.0)
_LIVED_LONG_S = 30.0  # after this a death is a first one again
_ROOT = str(Path(__file__).resolve().parents[1])


@dataclass(frozen=True, slots=True)
class Told:
    """Whom the supervisor tells, on the event loop: a worker is there (send it what it must know), each of its events,
    it is gone."""

    up: Callable[[], None]
    event: Callable[[Event], None]
    down: Callable[[], None]


class Supervisor:
    """`place` says what to start a worker for; with `found` the one that is there is tried first. Without `again` a
    worker that ended is not followed by another."""

    def __init__(
        self,
        folder: RuntimeFolder,
        place: Place,
        told: Told,
        counters: Counter[str],
        loop: asyncio.AbstractEventLoop,
        *,
        found: Place | None = None,
        grace_s: float = 0.0,
        cpu: int | None = None,
        again: bool = True,
    ) -> None:
        self._folder, self._place, self._told, self._counters, self._loop = folder, place, told, counters, loop
        self._found, self._grace_s, self._cpu = found, grace_s, cpu
        self._process: Process | None = None
        self.link: Link | None = None
        self._greeted = self._elsewhere = False
        self._closed = not again
        self._pings = 0
        self._deaths = 0
        self._began_at = 0.0
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._reaping: set[asyncio.Task[None]] = set()

    @property
    def pid(self) -> int | None:
        """The worker's process id while there is one."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Take the worker that was found, else start one. Raises WorkerFailed if not even that is possible."""
        found, self._found = self._found, None
        if found is not None and self._take(found):
            return
        if self._closed:
            raise WorkerFailed("the media worker is gone")
        self._start_another()

    def send(self, record: bytes, descriptor: int = -1) -> None:
        """Queue a command. `descriptor` is passed along and closed. Without a worker it is dropped: whoever cares was
        told that it is gone."""
        if self.link is not None:
            self.link.send(record, descriptor)
        elif descriptor >= 0:
            os.close(descriptor)

    def restart(self) -> None:
        """Kill the worker; another follows."""
        if self._process is not None:
            self._process.kill()

    async def close(self, stay: bool = False) -> None:
        """End the worker and wait until it is gone; or let it `stay` until the next server, or the end of its grace."""
        self._closed = True
        process = self._process
        if self.link is not None:
            if not stay:
                self.link.send(records.stop())
            self.link.flush()
        self._disconnect()
        if process is not None and stay:
            process.leave()
        elif process is not None:
            self._reap(process, kill=False)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await asyncio.shield(asyncio.gather(*self._reaping))
            process.kill()
        await asyncio.gather(*self._reaping)

    # --- a worker comes -----------------------------------------------------------------------------------------------

    def _take(self, found: Place) -> bool:
        """Connect to a worker that was left. False: nobody is there."""
        connection = _connect(found)
        if connection is None or not is_worker(found):
            if connection is not None:
                connection.close()
            self._folder.remove(found)
            return False
        self._begin(Process(found.pid), found, connection)
        self._timers["greeting"] = self._loop.call_later(_GREETING_S, self._says_nothing)
        return True

    def _start_another(self) -> None:
        place = self._folder.new(self._place.host, self._place.advertise, self._place.ports)
        listener = self._folder.listen(place)
        fixed = [str(place.socket), place.host, str(place.first), str(place.last), str(self._grace_s)]
        # -P: a folder `media` where the server was started must not be taken for ours.
        command = [sys.executable, "-P", "-m", "media.worker", str(listener.fileno()), *fixed]
        if self._cpu is not None:
            command.append(str(self._cpu))
        path = os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH"))))
        try:
            child = subprocess.Popen(
                command, pass_fds=[listener.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path},
            )  # fmt: skip
        except OSError as error:
            self._folder.remove(place)
            raise WorkerFailed(f"the media worker can't be started: {error}") from error
        finally:
            listener.close()
        place = replace(place, pid=child.pid)
        connection = _connect(place)  # it waits in the backlog
        if connection is None:
            child.kill()
            self._reap(Process(child.pid, child), kill=True)
            self._folder.remove(place)
            raise WorkerFailed("the media worker can't be connected to")
        self._folder.note(place)
        self._begin(Process(child.pid, child), place, connection)

    def _begin(self, process: Process, place: Place, connection: socket.socket) -> None:
        self._process, self._at = process, place
        self._began_at, self._pings, self._greeted, self._elsewhere = self._loop.time(), 0, False, False
        self.link = Link(connection, self._loop, self._read, self._gone)
        self.link.send(records.hello(self._grace_s))
        self.link.flush()  # by itself: a worker of another version reads nothing else
        self._timers["ping"] = self._loop.call_later(_PING_S, self._ping)

    # --- what it says -------------------------------------------------------------------------------------------------

    def _read(self, message: bytes) -> None:
        link = self.link
        if not self._greeted:
            self._greet(message)
        if self._elsewhere or link is None:
            return
        for event in records.events(message):
            if event.op == records.PONG:
                self._pings = 0
            elif event.op == records.DONE:
                link.done(event.argument)
                continue
            elif event.op == records.REFUSED:
                reason = records.REFUSALS[event.flags] if event.flags < len(records.REFUSALS) else "unknown"
                self._counters[f"media_refused_{reason}"] += 1
                log.debug("media command refused", op=event.version, port=event.port, reason=reason)
                continue
            self._told.event(event)

    def _greet(self, message: bytes) -> None:
        self._greeted = True
        greeting = self._timers.pop("greeting", None)
        if greeting is not None:
            greeting.cancel()
        version = records.version_of(message)
        if version == records.VERSION:
            self._told.up()
        else:
            self._elsewhere = True  # it has our hello by now, and closes when it has read it
            log.warning("media worker of another version finishes its calls alone", pid=self.pid, version=version)

    def _says_nothing(self) -> None:
        log.error("media worker that was found says nothing, killed", pid=self.pid)
        self.restart()

    def _ping(self) -> None:
        # Counted in pings sent, not in seconds: a loop that was itself held up does not blame the worker.
        if self._pings >= _PINGS_UNANSWERED:
            log.error("media worker does not answer, killed", pid=self.pid)
            self.restart()
        self._pings += 1
        if self._greeted and not self._elsewhere:
            self.send(records.ping())
        self._timers["ping"] = self._loop.call_later(_PING_S, self._ping)

    # --- and goes -----------------------------------------------------------------------------------------------------

    def _gone(self, why: str) -> None:
        process, lived_s, elsewhere = self._process, self._loop.time() - self._began_at, self._elsewhere
        greeted = self._greeted
        self._disconnect()
        if elsewhere and not self._closed:  # it lives on, for its calls
            self._start_again()
            return
        if process is not None and not elsewhere:
            self._reap(process, kill=True)
            self._folder.remove(self._at)
        if self._closed:
            self._told.down()
            return
        self._counters["media_worker_restarts"] += 1
        self._deaths = 0 if lived_s > _LIVED_LONG_S else self._deaths + 1
        delay_s = _BACK_OFF_S[min(max(self._deaths - 1, 0), len(_BACK_OFF_S) - 1)]
        log.error("media worker died, another is started", why=why, lived_s=round(lived_s, 1), delay_s=delay_s)
        self._timers["restart"] = self._loop.call_later(delay_s, self._start_again)
        if greeted or process is None or process.child:
            self._told.down()

    def _start_again(self) -> None:
        if self._closed:
            return
        try:
            self._start_another()
        except WorkerFailed as error:
            log.error("media worker can't be started, trying again", error=str(error))
            self._timers["restart"] = self._loop.call_later(_BACK_OFF_S[-1], self._start_again)

    def _disconnect(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self.link is not None:
            self.link.close()
        self.link = self._process = None

    def _reap(self, process: Process, *, kill: bool) -> None:
        """Wait in a thread: the kernel needs some milliseconds to close thousands of sockets."""
        if kill:
            process.kill()
        task = self._loop.create_task(asyncio.to_thread(process.wait))
        self._reaping.add(task)
        task.add_done_callback(self._reaping.discard)


class Process:
    """A worker's process, a child of ours or of the server before."""

    def __init__(self, pid: int, child: subprocess.Popen[bytes] | None = None) -> None:
        self.pid, self.child = pid, child
        self._descriptor = -1
        if child is None:
            with contextlib.suppress(OSError):
                self._descriptor = os.pidfd_open(pid)

    def kill(self) -> None:
        if self.child is not None:
            self.child.kill()
        elif self._descriptor >= 0:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def leave(self) -> None:
        """It lives on; the system waits for it when we are gone."""
        if self.child is not None:
            self.child.returncode = 0
        elif self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def wait(self) -> None:
        """Until it is gone."""
        if self.child is not None:
            self.child.wait()
        elif self._descriptor >= 0:
            ended = select.poll()
            ended.register(self._descriptor, select.POLLIN)
            ended.poll()
            os.close(self._descriptor)
            self._descriptor = -1


def _connect(place: Place) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.setblocking(False)
    try:
        connection.connect(str(place.socket))
    except OSError:
        connection.close()
        return None
    return connection
