"""What a process and its children cost and whether they still live, read from /proc (Linux)."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def children(pid: int) -> list[int]:
    """Direct children of all threads of `pid`."""
    found: list[int] = []
    for task in _tasks(pid):
        try:
            found += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def _tasks(pid: int) -> list[Path]:
    try:
        return list((_PROC / str(pid) / "task").iterdir())
    except OSError:
        return []


def tree(pid: int) -> list[int]:
    """`pid` and all its descendants."""
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        todo += children(one)
    return found


def is_alive(pid: int) -> bool:
    """Neither gone nor a zombie."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def cpu_s(pid: int) -> float:
    """User and system time used so far by the live tree of `pid`, seconds; resolution is a clock tick (10 ms)."""
    total = 0
    for one in tree(pid):
        try:
            fields = (_PROC / str(one) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])  # utime, stime: proc(5), fields 14 and 15
    return total / _TICKS_PER_S


def own_rss_bytes(pid: int) -> int:
    """Resident memory of one process; 0 if it is gone."""
    try:
        return int((_PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def rss_bytes(pid: int) -> int:
    """Resident memory of the tree."""
    return sum(own_rss_bytes(one) for one in tree(pid))


def descriptors(pid: int) -> int:
    """Open files and sockets of the tree."""
    total = 0
    for one in tree(pid):
        try:
            total += len(list((_PROC / str(one) / "fd").iterdir()))
        except OSError:
            continue
    return total


def threads(pid: int) -> int:
    """Threads of the tree."""
    return sum(len(_tasks(one)) for one in tree(pid))


def command_line(pid: int) -> str:
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""
