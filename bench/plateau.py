"""A Plateau of one's own: `plateau serve` as a child process, on free ports, with a copy of a site file.

PlateauError
+-- DidNotStart    it ended, or was not ready in time; the log is in the message
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp

from bench import processes
from bench.ports import ClaimedPorts, free_port, free_sip_port
from bench.sites import copy_site
from cti.tokens import Role, Tokens

SITES = Path(__file__).resolve().parent.parent / "config" / "sites"
_ROOT = Path(__file__).resolve().parent.parent
_START_S = 60.0  # of a machine with a lot else to do
_DRAIN_S = 5.0
_STOP_S = 15.0
_STARTS = 3  # tries, each with other ports
_TAKEN = "Address already in use"
_WELCOME = "Plateau serves "
_ASK = aiohttp.ClientTimeout(total=1.0)
_LOG_LINES = 5000
_API_SECRET = "only-for-this-run-of-the-load-tools-0123456789"


class PlateauError(Exception):
    """The server did not do what it should."""


class DidNotStart(PlateauError):
    """It ended or was not ready in time."""


class Plateau:
    """The process. Use it with `async with`: it is stopped by SIGTERM at the end, by SIGKILL if that does not help.

    `changes` are laid over the site file after the ports. `core` pins it and its children to one CPU. `keep` leaves its
    folder (site file, records, log) in place: `folder`.
    """

    def __init__(
        self, site: Path, *, changes: Mapping[str, Any] | None = None, media_ports: int = 400,
        sip_port: int | None = None, core: int | None = None, keep: bool = False,
    ) -> None:  # fmt: skip
        self.host = "127.0.0.1"
        self.sip_port = sip_port or free_sip_port()
        self._finds_sip_port = sip_port is None
        self.http_port = free_port()
        self.log: deque[str] = deque(maxlen=_LOG_LINES)
        self.exit_status: int | None = None
        self.left_over: list[int] = []  # processes of its that outlived it: there must be none
        self._core, self._keep = core, keep
        self._source, self._changes = site, changes or {}
        self._media = ClaimedPorts(media_ports)
        self.folder = Path(tempfile.mkdtemp(prefix="plateau-"))
        try:
            self.site = self._write_site()
        except BaseException:
            self._clear_away()
            raise
        self._tokens = Tokens(_API_SECRET)
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._http: aiohttp.ClientSession | None = None

    def _write_site(self) -> Path:
        sip = f"{self.host}:{self.sip_port}"
        own: dict[str, Any] = {
            "listen": {"sip": [f"udp:{sip}", f"tcp:{sip}"], "http": f"{self.host}:{self.http_port}"},
            "media": {"ports": str(self._media)},
            "records": {"url": f"sqlite:///{self.folder}/records.db"},
            "api": {"secret": _API_SECRET},
        }
        return copy_site(self._source, self.folder, own, self._changes)

    def _clear_away(self) -> None:
        self._media.release()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- where it is --------------------------------------------------------------------------------------------------

    @property
    def sip(self) -> str:
        """HOST:PORT of SIP, UDP and TCP."""
        return f"{self.host}:{self.sip_port}"

    @property
    def http(self) -> str:
        return f"http://{self.host}:{self.http_port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def media_workers(self) -> list[int]:
        """The server's child processes."""
        return processes.children(self.pid)

    def token(self, role: Role, name: str) -> str:
        return self._tokens.make(role, name, time.time())

    # --- life ---------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        for tries_left in reversed(range(_STARTS)):
            try:
                await self._start()
                break
            except DidNotStart:
                taken = any(_TAKEN in line for line in self.log)
                await self.stop()
                if self._http is not None:
                    await self._http.close()
                if not (taken and tries_left):
                    self._end()
                    raise
            except BaseException:
                await self.__aexit__()
                raise
            self._find_other_ports()
        return self

    def _find_other_ports(self) -> None:
        """Somebody took one of ours between our look and the server's start."""
        if self._finds_sip_port:
            self.sip_port = free_sip_port()
        self.http_port = free_port()
        before, self._media = self._media, ClaimedPorts(self._media.count, first=self._media.last + 1)
        before.release()
        self.site = self._write_site()
        self.log.clear()
        self.exit_status = None

    async def _start(self) -> None:
        command = [sys.executable, "-m", "pbx", "serve", str(self.site), "--drain", f"{_DRAIN_S:g}"]
        if self._core is not None:
            command = ["taskset", "-c", str(self._core), *command]
        self._process = await asyncio.create_subprocess_exec(
            *command, cwd=_ROOT, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT, env={**os.environ, "PYTHONUNBUFFERED": "1"}, limit=1 << 20,
            start_new_session=True,
        )  # fmt: skip
        self._reading = asyncio.create_task(self._read())
        self._http = aiohttp.ClientSession(self.http)
        await self._ready()

    async def crash_and_restart(self, *, workers: bool = True, number: int = signal.SIGKILL) -> None:
        """SIGKILL (or signal `number`) for all of it, or all but the media workers; and once more with the same site,
        ports and records."""
        for pid in processes.tree(self.pid) if workers else [self.pid]:
            os.kill(pid, number)
        if not workers and self._reading is not None:
            # The workers hold the other end of its output, which so does not end.
            while processes.is_alive(self.pid):  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.01)
            self._reading.cancel()
        else:
            await self.wait(_STOP_S)
        self.exit_status = None
        if self._http is not None:
            await self._http.close()
        await self._start()

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.stop()
        finally:
            if self._http is not None:
                await self._http.close()
            self._end()

    def _end(self) -> None:
        if self._keep:
            self._media.release()
            (self.folder / "plateau.log").write_text("\n".join(self.log) + "\n")
        else:
            self._clear_away()

    async def _read(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self.log.append(line.decode(errors="replace").rstrip())

    async def _ready(self) -> None:
        """Until /healthz says ok. Raises DidNotStart."""
        deadline = time.monotonic() + _START_S
        assert self._process is not None and self._http is not None
        while time.monotonic() < deadline and self._process.returncode is None:
            try:
                async with self._http.get("/healthz", timeout=_ASK) as response:
                    if response.status == 200 and any(_WELCOME in line for line in self.log):  # ours, nobody else's
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.05)
        ended = self._process.returncode
        how = f"ended with {ended}" if ended is not None else f"is not ready after {_START_S:g} s"
        raise DidNotStart(f"plateau serve {how}:\n" + "\n".join(list(self.log)[-40:]))

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def wait(self, within_s: float) -> int:
        """Its exit status. Raises TimeoutError."""
        assert self._process is not None and self._reading is not None
        async with asyncio.timeout(within_s):
            self.exit_status = await self._process.wait()
            await self._reading
        return self.exit_status

    async def stop(self) -> int:
        """SIGTERM, and SIGKILL to all of it if it does not end. Returns the exit status; 0 is a clean end."""
        if self._process is None or self.exit_status is not None:
            return self.exit_status or 0
        family = processes.tree(self.pid)
        if self._process.returncode is None:
            self.signal(signal.SIGTERM)
        try:
            await self.wait(_STOP_S)
        except TimeoutError:
            for pid in family:
                if processes.is_alive(pid):
                    os.kill(pid, signal.SIGKILL)
            await self.wait(_STOP_S)
        for _ in range(40):  # a worker may be a moment behind its parent
            self.left_over = [pid for pid in family if processes.is_alive(pid)]
            if not self.left_over:
                break
            await asyncio.sleep(0.05)
        return self.exit_status or 0

    # --- its API ------------------------------------------------------------------------------------------------------

    async def get(self, path: str, *, role: Role = "supervisor", name: str = "bench") -> Any:
        """The JSON at a path of the API. Raises aiohttp.ClientResponseError."""
        return await self._request("GET", path, None, role, name)

    async def post(self, path: str, body: Any, *, role: Role = "shop", name: str = "shop") -> Any:
        return await self._request("POST", path, body, role, name)

    async def put(self, path: str, body: Any, *, role: Role = "supervisor", name: str = "bench") -> Any:
        return await self._request("PUT", path, body, role, name)

    async def _request(self, method: str, path: str, body: Any, role: Role, name: str) -> Any:
        assert self._http is not None
        headers = {"Authorization": f"Bearer {self.token(role, name)}"}
        async with self._http.request(method, path, json=body, headers=headers) as response:
            if response.status >= 400:
                raise PlateauError(f"{method} {path}: {response.status} {await response.text()}")
            return await response.json() if response.content_type == "application/json" else await response.text()

    async def counter(self, name: str) -> float:
        """A metric's value, 0 if it is not there; labels are not looked at (the first line counts)."""
        text: str = await self.get("/metrics")
        for line in text.splitlines():
            if line.startswith((f"{name} ", f"{name}{{")):
                return float(line.rpartition(" ")[2])
        return 0.0

    async def websocket(self, role: Role, name: str, **parameters: str) -> aiohttp.ClientWebSocketResponse:
        assert self._http is not None
        headers = {"Authorization": f"Bearer {self.token(role, name)}"}
        return await self._http.ws_connect("/v1/events", headers=headers, params=parameters, heartbeat=30)

    async def until_idle(self, within_s: float = 30.0) -> None:
        """Until no call is left. Raises PlateauError with those that are."""
        deadline = time.monotonic() + within_s
        while True:
            calls = (await self.get("/v1/calls"))["calls"]
            if not calls:
                return
            if time.monotonic() > deadline:
                raise PlateauError(f"calls are left over: {calls}")
            await asyncio.sleep(0.05)
