"""The media worker's process: `python -m media.worker CONTROL_FD PARENT_PID HOST FIRST LAST`, by the supervisor.

It ends when the control socket closes or its parent dies, and by nothing else that is gentle: a terminal's Ctrl-C or a
service manager's SIGTERM goes to the whole group, and the server wants the sound of its last calls until it closes.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys

from media.worker.loop import die_with_parent, load_opus, run
from media.worker.recording import RecorderThread

OPUS = ("libopus.so.0", "libopus.so")


def main(arguments: list[str]) -> None:
    control_fd, parent_pid, host, first, last = arguments
    die_with_parent()
    if os.getppid() != int(parent_pid):
        return  # the parent died before the kernel was asked to tell us
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with contextlib.suppress(PermissionError):  # sound comes before whatever shares the core, where we may say so
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    load_opus(OPUS)
    recorder = RecorderThread()
    recorder.start()
    run(int(control_fd), host, int(first), int(last), recorder.recordings)
    recorder.finish()


if __name__ == "__main__":
    main(sys.argv[1:])
