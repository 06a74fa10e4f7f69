"""The folder where a site's media workers can be found: by the server that started them, and by the next one.

    plateau.lock            held by the one server of the site
    FIRST-LAST-XXXX.sock    a worker's socket
    FIRST-LAST-XXXX.json    which process it is, and which ports it has
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import socket
import stat
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from config.schema import PortRange
from media.plane import WorkerFailed

_SOCKET_PATH_MOST = 107  # bytes, unix(7)
_BACKLOG = 4


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker is and what it was started for."""

    socket: Path
    pid: int  # 0: not started yet
    host: str
    advertise: str
    first: int
    last: int

    @property
    def ports(self) -> PortRange:
        return PortRange(self.first, self.last)


def folder_of(site_file: Path) -> Path:
    """The runtime folder of a site: the service manager's (systemd's RuntimeDirectory=), the session's, or one in /tmp;
    the same for the same site file and user."""
    name = f"plateau-{hashlib.sha256(os.fsencode(site_file.resolve())).hexdigest()[:12]}"
    if given := os.environ.get("RUNTIME_DIRECTORY"):
        return Path(given.partition(":")[0]) / name
    if session := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(session) / name
    return Path(tempfile.gettempdir()) / f"plateau-{os.getuid()}" / name


class RuntimeFolder:
    """Held from `open` to `close`; a server that dies lets go of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = -1

    def open(self) -> None:
        """Raises WorkerFailed if another server has the folder, or it is not ours alone."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            info = self.path.lstat()
            if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid() or info.st_mode & 0o077:
                raise WorkerFailed(f"{self.path} must be a folder of ours alone (mode 0700)")
            self._lock = os.open(self.path / "plateau.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise WorkerFailed(f"another server of this site is running (it holds {self.path}/plateau.lock)") from None
        except OSError as error:
            self.close()
            raise WorkerFailed(f"runtime folder {self.path}: {error.strerror}") from None

    def close(self) -> None:
        """Workers that were left stay where they are."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
            if not any(self.path.glob("*.json")):
                with contextlib.suppress(OSError):
                    (self.path / "plateau.lock").unlink()
                    self.path.rmdir()

    def places(self) -> list[Place]:
        """The workers that were left, dead or alive, the newest last; files that can't be read are removed."""
        found: list[tuple[float, Place]] = []
        for path in self.path.glob("*.json"):
            try:
                values = json.loads(path.read_text())
                place = Place(**(values | {"socket": path.with_suffix(".sock")}))
                found.append((path.stat().st_mtime, place))
            except (OSError, ValueError, TypeError):
                path.unlink(missing_ok=True)
        return [place for _, place in sorted(found, key=lambda one: one[0])]

    def listen(self, place: Place) -> socket.socket:
        """The socket of a worker to be, which only this user may connect to. Raises WorkerFailed."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if len(os.fsencode(place.socket)) > _SOCKET_PATH_MOST:
            listener.close()
            raise WorkerFailed(f"{place.socket}: longer than the {_SOCKET_PATH_MOST} bytes of a socket's name")
        before = os.umask(0o177)
        try:
            listener.bind(str(place.socket))
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            raise WorkerFailed(f"{place.socket}: {error.strerror}") from None
        finally:
            os.umask(before)
        listener.setblocking(False)
        return listener

    def new(self, host: str, advertise: str, ports: PortRange) -> Place:
        """A name that no worker has."""
        name = f"{ports.first}-{ports.last}-{secrets.token_hex(4)}.sock"
        return Place(self.path / name, 0, host, advertise, ports.first, ports.last)

    def note(self, place: Place) -> None:
        """Write down a worker that was started."""
        values = asdict(place)
        del values["socket"]
        path = place.socket.with_suffix(".json")
        path.touch(0o600)
        path.write_text(json.dumps(values))

    def remove(self, place: Place) -> None:
        place.socket.unlink(missing_ok=True)
        place.socket.with_suffix(".json").unlink(missing_ok=True)


def is_worker(place: Place) -> bool:
    """The process that was noted still is that worker, and not another one that got its number."""
    try:
        command = Path(f"/proc/{place.pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"media.worker" in command and os.fsencode(place.socket) in command
