"""Kamailio on the loopback, with one of the small configurations in `kamailio/` (Debian package `kamailio`)."""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Self

from bench.ports import free_port
from bench.sipp import is_listening

CONFIGS = Path(__file__).parent / "kamailio"
START_S = 30.0


class Kamailio:
    """`words` are what the configuration calls by name; `{sip}` in them is its own HOST:PORT."""

    def __init__(self, config: str, *, host: str = "127.0.0.1", **words: str) -> None:
        self.host, self.port = host, free_port(host)
        self._config = CONFIGS / config
        self._words = {name: value.format(sip=self.sip) for name, value in words.items()}
        self._folder = Path(tempfile.mkdtemp(prefix="kamailio-"))
        self._process: asyncio.subprocess.Process | None = None
        self._log = self._folder / "log"

    @property
    def sip(self) -> str:
        return f"{self.host}:{self.port}"

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    async def __aenter__(self) -> Self:
        program = shutil.which("kamailio") or "/usr/sbin/kamailio"
        defines = [part for name, value in self._words.items() for part in ("-A", f"{name}={value}")]
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                program, "-f", str(self._config), "-DD", "-E", "-m", "16", "-M", "4", "-Y", str(self._folder), *defines,
                cwd=self._folder, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        async with asyncio.timeout(START_S):
            while not is_listening(self.port, host=self.host):
                assert self._process.returncode is None, self.log()
                await asyncio.sleep(0.05)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(START_S):
                await self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
