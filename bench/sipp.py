"""sipp as a caller or a callee: runs a scenario, reads what it counted.

Debian package `sip-tester`. Scenarios of our own are XML files; `uac` and `uas` are built into sipp.
"""

from __future__ import annotations

import asyncio
import csv
import shutil
import signal
import socket
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bench.ports import ClaimedPorts, free_port
from bench.processes import cpu_s

_RECEIVE_TIMEOUT_MS = 20_000
_LISTEN_S = 30.0
_QUIT_S = 3.0


class SippError(Exception):
    """sipp is not there, or did not start."""


@dataclass(frozen=True, slots=True)
class SippResult:
    """What sipp counted from its start to its end."""

    exit_status: int
    successful: int
    failed: int
    retransmissions: int
    elapsed_s: float
    cpu_s: float  # sipp's own: the generator is often the limit
    response_ms: float  # mean of response time 1: INVITE to 200 in the built-in scenario
    errors: str  # what it said of unexpected messages

    @property
    def ok(self) -> bool:
        return self.exit_status == 0 and self.failed == 0


def _program() -> str:
    found = shutil.which("sipp")
    if found is None:
        raise SippError("sipp is not installed (Debian package sip-tester)")
    return found


def _scenario(scenario: str | Path) -> list[str]:
    return ["-sf", str(scenario)] if isinstance(scenario, Path) else ["-sn", scenario]


class Sipp:
    """A sipp process. `async with` for one that waits for calls; `run_sipp` for one that makes them and ends."""

    def __init__(
        self, scenario: str | Path, target: str | None, *, service: str = "service", calls: int = 0, rate: float = 10,
        limit: int | None = None, hold_ms: int = 0, port: int = 0, user: str = "", password: str = "",
        tcp: bool = False, within_s: float = 60.0, core: int | None = None, extra: tuple[str, ...] = (),
        host: str = "127.0.0.1",
    ) -> None:  # fmt: skip
        self.host, self.port = host, port or free_port(host)
        self._folder = Path(tempfile.mkdtemp(prefix="sipp-"))
        self._media = ClaimedPorts(4, host, first=12000, last=19998)
        command = [_program(), *_scenario(scenario), "-i", host, "-p", str(self.port), "-mi", host]
        command += ["-mp", str(self._media.first), "-nostdin", "-trace_stat", "-stf", "stat.csv", "-fd", "1"]
        command += ["-deadcall_wait", "0", "-trace_err", "-error_file", "errors.log", "-s", service, "-d", str(hold_ms)]
        command += ["-t", "t1" if tcp else "u1", "-recv_timeout", str(_RECEIVE_TIMEOUT_MS)]
        if calls:
            command += ["-m", str(calls), "-timeout", f"{within_s:g}s", "-timeout_error"]
        if target is not None:
            command += ["-r", f"{rate:g}", "-l", str(limit or max(int(3 * rate), 100))]
        if user:
            command += ["-au", user, "-ap", password]
        command += [*extra, *([target] if target is not None else [])]
        self._command = command if core is None else ["taskset", "-c", str(core), *command]
        self._within_s = within_s
        self._process: asyncio.subprocess.Process | None = None
        self.result: SippResult | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        nowhere = asyncio.subprocess.DEVNULL
        self._started = time.monotonic()
        self._process = await asyncio.create_subprocess_exec(
            *self._command, cwd=self._folder, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True
        )

    async def __aenter__(self) -> Self:
        tcp = "t1" in self._command
        if is_listening(self.port, tcp=tcp, host=self.host):
            shutil.rmtree(self._folder, ignore_errors=True)
            raise SippError(f"port {self.port} of {self.host} is taken by another process")
        await self.start()
        deadline = time.monotonic() + _LISTEN_S
        while not is_listening(self.port, tcp=tcp, host=self.host):
            if time.monotonic() > deadline or (self._process is not None and self._process.returncode is not None):
                await self.stop()
                raise SippError(f"sipp does not listen on {self.port}: {self.result and self.result.errors}")
            await asyncio.sleep(0.02)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> SippResult:
        """End it if it has not ended by itself: SIGUSR1 is sipp's `q`, it writes its figures and quits."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGUSR1)
        return await self.wait(_QUIT_S)

    async def wait(self, within_s: float | None = None) -> SippResult:
        """Its result once it has ended; killed if that takes too long."""
        if self.result is not None:
            return self.result
        assert self._process is not None
        waiting = asyncio.create_task(self._wait())
        try:
            async with asyncio.timeout(within_s or self._within_s + 10):
                await asyncio.shield(waiting)
        except TimeoutError:
            self._process.kill()
        await waiting
        self.result = self._read()
        shutil.rmtree(self._folder, ignore_errors=True)
        return self.result

    async def _wait(self) -> None:
        assert self._process is not None
        self._cpu_s = 0.0
        while self._process.returncode is None:
            self._cpu_s = max(self._cpu_s, cpu_s(self._process.pid))
            try:
                async with asyncio.timeout(0.1):
                    await self._process.wait()
            except TimeoutError:
                continue
        self._media.release()

    def _read(self) -> SippResult:
        assert self._process is not None
        errors = self._folder / "errors.log"
        text = errors.read_text(errors="replace")[-6000:] if errors.exists() else ""
        row = _last_row(self._folder / "stat.csv")
        return SippResult(
            exit_status=self._process.returncode or 0,
            successful=int(row.get("SuccessfulCall(C)") or 0),
            failed=int(row.get("FailedCall(C)") or 0),
            retransmissions=int(row.get("Retransmissions(C)") or 0),
            elapsed_s=time.monotonic() - self._started,
            cpu_s=self._cpu_s,
            response_ms=_milliseconds(row.get("ResponseTime1(C)") or "0"),
            errors=text,
        )


def _last_row(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    return rows[-1] if rows else {}


def _milliseconds(text: str) -> float:
    """`00:00:00:012000` (hours, minutes, seconds, microseconds) or a plain number."""
    parts = text.split(":")
    if len(parts) != 4:
        return float(text or 0)
    hours, minutes, seconds, micro = (int(part) for part in parts)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + micro / 1000


async def run_sipp(scenario: str | Path, target: str, **settings: object) -> SippResult:
    """Make calls and wait for the end; the settings are those of `Sipp`."""
    sipp = Sipp(scenario, target, **{"calls": 1, **settings})  # type: ignore[arg-type]
    await sipp.start()
    return await sipp.wait()


def is_listening(port: int, *, tcp: bool = False, host: str = "127.0.0.1") -> bool:
    """Whether somebody has the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as probe:
        if tcp:
            return probe.connect_ex((host, port)) == 0
        try:
            probe.bind((host, port))
        except OSError:
            return True
        return False
