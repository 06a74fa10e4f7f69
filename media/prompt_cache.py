"""Converted prompts on disk, by what they were made of: a restart converts nothing.

An entry is a prompt's file (`encoding.py`) and its SHA-256. It is written aside and renamed, so several servers may
share a folder; one that is damaged is made anew. The folder may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import structlog

log = structlog.get_logger("media")

_SUFFIX = ".prompt"
_CHUNK_BYTES = 1 << 20
_MOST_BYTES = 4 << 30  # of the folder; what was not used for longest goes
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


def default_folder() -> Path:
    """Where caches belong: systemd's CacheDirectory=, else XDG's place."""
    given = os.environ.get("CACHE_DIRECTORY", "").partition(":")[0]
    if given:
        return Path(given) / "prompts"
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(xdg) if os.path.isabs(xdg) else Path.home() / ".cache") / "plateau" / "prompts"


class PromptCache:
    """`folder` None: nothing is kept. A folder that can't be written is told once, and done without."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._told = False

    def load(self, key: str, make: Callable[[BinaryIO], None]) -> int:
        """A sealed memfd with the entry `key`; `make` writes what is not there. Whatever `make` raises is raised."""
        descriptor = os.memfd_create(f"prompt-{key[:16]}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with open(descriptor, "w+b", closefd=False) as file:
                if not self._read(key, file):
                    file.seek(0)
                    file.truncate()
                    make(file)
                    self._keep(key, file)
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)  # nobody can cut it while the worker reads
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def prune(self, most_bytes: int = _MOST_BYTES) -> None:
        """Delete the entries used longest ago until the folder is within `most_bytes`."""
        if self._folder is None:
            return
        with contextlib.suppress(OSError):
            entries = sorted(((e.stat(), e.path) for e in os.scandir(self._folder)), key=lambda one: -one[0].st_mtime)
            total = 0
            for info, path in entries:
                total += info.st_size
                if total > most_bytes and path.endswith(_SUFFIX):
                    os.unlink(path)

    # --- inside -----------------------------------------------------------------------------------------------------

    def _path(self, key: str) -> Path | None:
        return None if self._folder is None else self._folder / (key + _SUFFIX)

    def _read(self, key: str, into: BinaryIO) -> bool:
        """False if it is not there, or damaged."""
        path = self._path(key)
        if path is None:
            return False
        try:
            with path.open("rb") as file:
                left = os.fstat(file.fileno()).st_size - hashlib.sha256().digest_size
                digest = hashlib.sha256()
                while left > 0 and (chunk := file.read(min(left, _CHUNK_BYTES))):
                    digest.update(chunk)
                    into.write(chunk)
                    left -= len(chunk)
                if left != 0 or file.read() != digest.digest():
                    log.warning("a cached prompt is damaged, made anew", file=str(path))
                    return False
            os.utime(path)
        except FileNotFoundError:
            return False
        except OSError as error:
            self._tell(error)
            return False
        into.flush()
        return True

    def _keep(self, key: str, file: BinaryIO) -> None:
        path = self._path(key)
        if path is None:
            return
        aside = ""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            number, aside = tempfile.mkstemp(prefix=".", dir=path.parent)
            with open(number, "wb") as kept:
                digest = hashlib.sha256()
                file.seek(0)
                while chunk := file.read(_CHUNK_BYTES):
                    digest.update(chunk)
                    kept.write(chunk)
                kept.write(digest.digest())
            os.replace(aside, path)
        except OSError as error:
            if aside:
                with contextlib.suppress(OSError):
                    os.unlink(aside)
            self._tell(error)

    def _tell(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            log.warning("converted prompts are not kept", folder=str(self._folder), reason=error.strerror)
