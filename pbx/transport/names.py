"""Host names of the site's gateways and contacts, resolved ahead of need so that no call waits for DNS."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Iterable

REFRESH_S = 60.0
RESOLVE_S = 3.0  # a dead name service delays the start by no more


class Names:
    """Addresses of the hosts it was told to watch; the last good answer stands while the name service is away."""

    def __init__(self, counters: Counter[str]) -> None:
        self._counters = counters
        self._addresses: dict[str, str] = {}
        self._watched: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    async def watch(self, hosts: Iterable[str]) -> None:
        """Resolve these now and every REFRESH_S seconds, in place of those watched before."""
        self._watched = set(hosts)
        await self._refresh()
        if self._task is None and self._watched:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def address(self, host: str) -> str | None:
        """The address of a watched host, None while it is unknown."""
        return self._addresses.get(host)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            await self._refresh()

    async def _refresh(self) -> None:
        await asyncio.gather(*map(self._resolve, sorted(self._watched)))

    async def _resolve(self, host: str) -> None:
        try:
            async with asyncio.timeout(RESOLVE_S):
                found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError):  # TimeoutError is an OSError; UnicodeError: a label that is empty or too long
            self._counters["dns_failures"] += 1
        else:
            self._addresses[host] = str(found[0][4][0])

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
