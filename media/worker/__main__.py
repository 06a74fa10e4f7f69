"""The media worker's process: `python -m media.worker LISTENER_FD SOCKET HOST FIRST LAST GRACE_S [CPU]`.

The supervisor starts it. It ends when its server says so, or when nobody came for the grace after the server was gone;
and by nothing else that is gentle: a terminal's Ctrl-C or a service manager's SIGTERM goes to the whole group, and the
server wants the sound of its last calls until it closes.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
from pathlib import Path

from media.worker.handshakes import BesideThread
from media.worker.loop import load_opus, run
from media.worker.opus import libraries
from media.worker.recording import RecorderThread


def main(arguments: list[str]) -> None:
    listener_fd, path, host, first, last, grace_s, *cpu = arguments
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with contextlib.suppress(PermissionError):  # sound comes before whatever shares the core, where we may say so
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    if cpu:
        os.sched_setaffinity(0, {int(cpu[0])})
    load_opus(libraries())
    recorder = RecorderThread()
    recorder.start()
    beside = BesideThread()
    beside.start()
    try:
        run(int(listener_fd), host, int(first), int(last), float(grace_s), recorder.recordings, beside.loop_fd)
    finally:
        for suffix in (".sock", ".json"):
            Path(path).with_suffix(suffix).unlink(missing_ok=True)
    recorder.finish()


if __name__ == "__main__":
    main(sys.argv[1:])
