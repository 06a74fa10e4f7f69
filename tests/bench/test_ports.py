"""Free ports."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.ports import BLOCK, SINGLE, ClaimedPorts, free_port, free_sip_port


def test_a_port_is_nobody_s_and_below_those_of_the_system() -> None:
    """A test once failed because a port it had been promised was another's outgoing connection."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = [free_port() for _ in range(200)] + [free_sip_port() for _ in range(100)]
    assert len({*ports}) == 300 and max(ports) < first
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
        one.bind(("127.0.0.1", 0))
        assert one.getsockname()[1] >= first
    assert SINGLE.stop <= 12000  # where those that are claimed begin


def test_ports_are_free() -> None:
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", port))
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
        one.bind(("127.0.0.1", free_sip_port()))


def claimed(count: int, first: int = 20000) -> Iterator[ClaimedPorts]:
    ports = ClaimedPorts(count, first=first)
    yield ports
    ports.release()


def test_a_range_steps_over_what_is_taken() -> None:
    for ports in claimed(20):
        assert ports.first % 2 == 0 and ports.last - ports.first == 19
        first = ports.first
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", first + 3))
        for ports in claimed(20, first=first):
            assert ports.first >= first + 4
    with pytest.raises(OSError, match="no 20 free"):
        ClaimedPorts(20, first=20000, last=20010)


ELSEWHERE = """
import sys
from bench.ports import ClaimedPorts
ports = ClaimedPorts(int(sys.argv[1]))
print(ports.first, ports.last, flush=True)
sys.stdin.read()
"""


def test_two_runs_never_have_the_same_range(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though nobody has opened a port yet; who is killed gives his back."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # whoever else runs tests now has claims of his own
    monkeypatch.setattr(tempfile, "tempdir", None)
    ours = ClaimedPorts(150)
    command = [sys.executable, "-c", ELSEWHERE, "250"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        first, last = (int(port) for port in other.stdout.readline().split())
        assert last - first == 249 and not {*range(first, last + 1)} & {*range(ours.first, ours.last + 1)}
        again = ClaimedPorts(2 * BLOCK, first=ours.first)
        assert not {*range(first, last + 1)} & {*range(again.first, again.last + 1)}
        other.kill()
    for ports in (ours, again):
        ports.release()
    for ports in claimed(150, first=ours.first):
        assert ports.first == ours.first
