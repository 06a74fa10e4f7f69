"""What /proc says of processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from bench.processes import command_line, cpu_s, is_alive, rss_bytes, tree

BUSY = """
import time
end = time.process_time() + 0.1
while time.process_time() < end:
    pass
print("done", flush=True)
input()
"""


def test_a_child_is_counted_in_and_a_dead_one_is_not_alive() -> None:
    me = os.getpid()
    with subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert child.pid in tree(me) and is_alive(child.pid)
        assert 0.08 <= cpu_s(child.pid) < 5
        assert cpu_s(me) >= cpu_s(child.pid)
        assert rss_bytes(child.pid) > 1_000_000
        assert "process_time" in command_line(child.pid)
        child.kill()
        deadline = time.monotonic() + 2
        while is_alive(child.pid) and time.monotonic() < deadline:
            pass
        assert not is_alive(child.pid)


def test_nobody() -> None:
    nobody = 2**22 + 1  # above the kernel's largest process id
    assert not Path(f"/proc/{nobody}").exists()
    assert (cpu_s(nobody), rss_bytes(nobody), command_line(nobody), is_alive(nobody)) == (0, 0, "", False)
