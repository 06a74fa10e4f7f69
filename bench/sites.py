"""Copies of site files for a run: other ports, other records, the same rules. And ports that are free.

The copy keeps `!secret` and everything that is not overridden; merge keys are written out.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Yaml = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Secret:
    name: str


class _Loader(yaml.SafeLoader):
    """Only true, false, null and plain decimal numbers are other than text: `0601` and `+33...` stay what they are."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own class attribute


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"~|null|", ["~", "n", ""]),
    ("int", r"-?(?:0|[1-9]\d*)", "-0123456789"),
    ("float", r"-?(?:0|[1-9]\d*)\.\d+", "-0123456789"),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))


def _secret(loader: _Loader, node: yaml.Node) -> _Secret:
    assert isinstance(node, yaml.ScalarNode)
    return _Secret(loader.construct_scalar(node))


_Loader.add_constructor("!secret", _secret)
_Dumper.add_representer(_Secret, lambda dumper, secret: dumper.represent_scalar("!secret", secret.name))


@dataclass(frozen=True, slots=True)
class Instead:
    """In `changes`: the value takes the place of what was there, mappings too."""

    value: Any


def merged(base: Yaml, changes: Mapping[str, Any]) -> Yaml:
    """`base` with `changes` laid over it: mappings are merged, all else (and `Instead`) is replaced."""
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        if isinstance(value, Instead):
            result[key] = value.value
        elif isinstance(value, Mapping):
            result[key] = merged(old if isinstance(old, dict) else {}, value)
        else:
            result[key] = value
    return result


def read_site(path: Path) -> Yaml:
    """A site file as plain values."""
    site: Yaml = yaml.load(path.read_text(), _Loader)
    return site


def write_site(site: Yaml, path: Path) -> None:
    path.write_text(yaml.dump(site, Dumper=_Dumper, allow_unicode=True, sort_keys=False))


def copy_site(source: Path, folder: Path, *changes: Mapping[str, Any]) -> Path:
    """A changed copy of `source` in `folder`, with its secrets beside it and its prompts where they were."""
    site = read_site(source)
    prompts = site.get("media", {}).get("prompts")
    if prompts:
        site["media"]["prompts"] = str((source.parent / prompts).resolve())
    target = folder / source.name
    for change in changes:
        site = merged(site, change)
    write_site(site, target)
    secrets = source.with_name(source.stem + ".secrets.yaml")
    if secrets.exists():
        shutil.copy(secrets, folder / secrets.name)
    return target


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM, host: str = "127.0.0.1") -> int:
    """A port nobody has now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def free_sip_port(host: str = "127.0.0.1") -> int:
    """A port that is free for UDP and TCP alike, and the one above for TCP: where some stacks put TLS."""
    for _ in range(50):
        port = free_port(host=host)
        if _is_free(port, host, socket.SOCK_STREAM) and _is_free(port + 1, host, socket.SOCK_STREAM):
            return port
    raise OSError("no port is free for both UDP and TCP")


BLOCK = 100  # ports that are claimed together


class ClaimedPorts:
    """`count` free UDP ports in a row, FIRST even, and nobody else's who asks here, in whatever process, until
    `release` or the end of this one: claims are locked files. Best below the ports that the system hands out."""

    def __init__(self, count: int, host: str = "127.0.0.1", first: int = 20000, last: int = 60998) -> None:
        """Raises OSError when there are none."""
        self._locks: dict[int, int] = {}  # block -> descriptor
        start = first
        while start + count - 1 <= last:
            taken = self._taken(start, count, host)
            if taken is None:
                self._let_go(below=start)
                self.first, self.last, self.count = start, start + count - 1, count
                return
            start = taken + 1 + (taken + 1) % 2
        self.release()
        raise OSError(f"no {count} free UDP ports in a row between {first} and {last}")

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    def _taken(self, start: int, count: int, host: str) -> int | None:
        """The last port of the first block that is another's, or the first port that is in use; None: all are ours."""
        for block in range(start // BLOCK, (start + count - 1) // BLOCK + 1):
            if not self._claim(block):
                return block * BLOCK + BLOCK - 1
        return next((port for port in range(start, start + count) if not _is_free(port, host)), None)

    def _claim(self, block: int) -> bool:
        if block in self._locks:
            return True
        folder = Path(tempfile.gettempdir(), f"plateau-ports-{os.getuid()}")
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(folder / str(block * BLOCK), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._locks[block] = lock
        return True

    def _let_go(self, below: int) -> None:
        for block in [one for one in self._locks if one < below // BLOCK]:
            os.close(self._locks.pop(block))

    def release(self) -> None:
        while self._locks:
            os.close(self._locks.popitem()[1])


def _is_free(port: int, host: str, kind: socket.SocketKind = socket.SOCK_DGRAM) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind((host, port))
        except (OSError, OverflowError):
            return False
        return True
