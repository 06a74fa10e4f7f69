"""The configuration of rtpengine in docs/operations.md."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

from bench.ports import free_port
from media.rtpengine.bencode import decode, encode

DOCUMENT = Path(__file__).parents[3] / "docs" / "operations.md"
ASKED = b"one " + encode({"command": "ping"})


def test_it_is_one_that_rtpengine_takes(tmp_path: Path) -> None:
    text = DOCUMENT.read_text().partition("[rtpengine]\n")[2].partition("```")[0]
    ng = free_port()
    for there, here in ("10.0.0.7:2223", f"127.0.0.1:{ng}"), ("10.0.0.5", "127.0.0.1"), ("= 10.0.0.7", "= 127.0.0.1"):
        assert there in text
        text = text.replace(there, here)
    (tmp_path / "rtpengine.conf").write_text("[rtpengine]\n" + text)
    program = shutil.which("rtpengine") or "/usr/sbin/rtpengine"
    command = [program, f"--config-file={tmp_path}/rtpengine.conf", "--foreground", "--log-stderr"]
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        (tmp_path / "log").open("w+") as log,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as daemon,
    ):
        client.connect(("127.0.0.1", ng))
        client.settimeout(0.2)
        end_s, answer = time.monotonic() + 10, b""
        while not answer and daemon.poll() is None and time.monotonic() < end_s:
            try:
                client.send(ASKED)
                answer = client.recv(2048)
            except (TimeoutError, ConnectionError):
                time.sleep(0.05)
        daemon.kill()
    assert answer, (tmp_path / "log").read_text()
    assert decode(answer.partition(b" ")[2]) == {"result": b"pong"}
