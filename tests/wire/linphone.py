"""linphonec, Linphone's console phone, without a sound card (Debian package `linphone-cli`)."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path
from typing import Self

from bench.ports import free_port

# auto_net_state_mon: it takes a machine that can't reach the Internet for one without a network otherwise.
# verify_server_cn: its TLS library (mbedTLS) looks for names in a certificate, not for addresses.
RC = """
[sip]
sip_port={udp}
sip_tcp_port={tcp}
sip_tls_port={tls}
root_ca={trusted}
verify_server_cn=0
guess_hostname=0
auto_net_state_mon=0
register_only_when_network_is_up=0
bind_address=127.0.0.1
use_ipv6=0
default_proxy=0
[rtp]
audio_rtp_port={media}
[auth_info_0]
username={user}
passwd={password}
realm={realm}
domain=127.0.0.1
[proxy_0]
reg_proxy=<sip:{server};transport={transport}>
reg_identity=sip:{user}@{server}
reg_expires=300
reg_sendregister=1
[misc]
uuid=00000000-0000-4000-8000-000000000000
"""


class Linphone:
    """A phone that registers at its start."""

    def __init__(
        self, server: str, user: str, password: str, realm: str, transport: str = "udp", trusted: str = ""
    ) -> None:  # fmt: skip
        self._folder = Path(tempfile.mkdtemp(prefix="linphone-"))
        for part in (".local/share/linphone", ".config/linphone"):
            (self._folder / part).mkdir(parents=True)
        ports = {name: free_port() if name == transport else 0 for name in ("udp", "tcp", "tls")}
        words = {"server": server, "user": user, "password": password, "realm": realm, "transport": transport}
        (self._folder / "rc").write_text(RC.format(**ports, **words, media=free_port(), trusted=trusted))
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self.said = ""
        self._heard = 0  # how far `hears` has come in it

    async def __aenter__(self) -> Self:
        program = shutil.which("linphonec")
        assert program, "the wire tests need linphonec: apt-get install linphone-cli"
        self._process = await asyncio.create_subprocess_exec(
            program, "-c", str(self._folder / "rc"), cwd=self._folder,
            env={**os.environ, "HOME": str(self._folder), "TERM": "dumb"}, stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self._reading = asyncio.create_task(self._read())
        await self.hears("linphonec>")
        await self.do("soundcard use files")
        return self

    async def _read(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        while data := await self._process.stdout.read(4096):
            self.said += data.decode(errors="replace")

    async def do(self, command: str) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(f"{command}\n".encode())
        await self._process.stdin.drain()

    async def hears(self, words: str, within_s: float = 30.0) -> None:
        """Wait for it to say this, after all that was waited for before."""
        end = asyncio.get_running_loop().time() + within_s
        while (at := self.said.find(words, self._heard)) < 0:
            assert asyncio.get_running_loop().time() < end, f"expected {words!r}:\n{self.said[self._heard :]}"
            await asyncio.sleep(0.02)
        self._heard = at + len(words)

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None and self._reading is not None
        if self._process.returncode is None:
            await self.do("quit")
            try:
                async with asyncio.timeout(30):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
        await self._process.wait()
        await self._reading
        shutil.rmtree(self._folder, ignore_errors=True)
