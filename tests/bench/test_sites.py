"""Copies of site files, and free ports."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.plateau import SITES
from bench.sites import BLOCK, ClaimedPorts, Instead, copy_site, free_port, free_sip_port, merged, read_site
from config.loader import load


def test_mappings_are_merged_and_all_else_is_replaced() -> None:
    base = {"a": {"b": 1, "c": 2}, "d": [1], "e": {"f": 1}}
    changes = {"a": {"c": 3}, "d": [2], "e": Instead({"g": 1}), "new": {"h": Instead(1)}}
    assert merged(base, changes) == {"a": {"b": 1, "c": 3}, "d": [2], "e": {"g": 1}, "new": {"h": 1}}
    assert base["a"] == {"b": 1, "c": 2}


@pytest.mark.parametrize("name", ["travel", "bench"])
def test_a_copy_is_the_same_site_but_for_the_changes(tmp_path: Path, name: str) -> None:
    source = SITES / f"{name}.yaml"
    before = load(source)
    copy = load(copy_site(source, tmp_path, {"listen": {"http": "127.0.0.1:4711"}}))
    assert copy.listen.http is not None and copy.listen.http.port == 4711
    assert copy.model_copy(update={"listen": before.listen}) == before


def test_numbers_that_are_text_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    lines = ("a: 0601", "b: +33180000000", "c: 2026-12-24", "d: on entry", "e: 12", "f: true", "g: 1.5", "h: yes")
    path.write_text("\n".join([*lines, "i: 09:00-21:00", "j:"]))
    assert list(read_site(path).values()) == [
        "0601", "+33180000000", "2026-12-24", "on entry", 12, True, 1.5, "yes", "09:00-21:00", None,
    ]  # fmt: skip


def test_secrets_stay_secrets(tmp_path: Path) -> None:
    text = copy_site(SITES / "travel.yaml", tmp_path).read_text()
    assert "!secret 'api'" in text or "!secret api" in text
    assert (tmp_path / "travel.secrets.yaml").exists()


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
from bench.sites import ClaimedPorts
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
