"""`python -m bench.contacts`: what 20,000 registered phones cost that are asked with OPTIONS every minute.

The phones are one process with a few sockets: each registers with its password, then answers OPTIONS. The server is a
process of its own, on core 0 if there are two.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from typing import Annotated, cast

import typer

from bench.plateau import SITES, Plateau
from bench.processes import cpu_s, rss_bytes
from pbx.sip.digest import DigestClient, choose_challenge
from pbx.sip.message import Response, parse

SOCKETS = 50  # addresses, of the same number of phones each
FIRST = 10_000  # extension
PASSWORD = "secret"
AHEAD = 100  # registrations under way at once
LIMIT_PERCENT = 10.0  # of one core, for 20,000 phones a minute
SETTLE_S = 40.0  # transactions of the registrations end

_VIA = re.compile(rb"^Via: .*\r\n", re.MULTILINE)
_KEPT = re.compile(rb"^(?:From|Call-ID|CSeq): .*\r\n", re.MULTILINE)
_TO = re.compile(rb"^To: (.*)\r\n", re.MULTILINE)


class Phones(asyncio.DatagramProtocol):
    """The phones of one address."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: dict[str, asyncio.Future[Response]] = {}
        self.address = ("", 0)
        self.asked = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # a loop's own is none by inheritance
        self.address = transport.get_extra_info("sockname")

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        if data.startswith(b"OPTIONS"):
            self.asked += 1
            to = _TO.search(data)
            assert to is not None and self._transport is not None
            head = b"".join((*_VIA.findall(data), *_KEPT.findall(data)))
            answer = b"SIP/2.0 200 OK\r\n%sTo: %s;tag=p\r\nContent-Length: 0\r\n\r\n" % (head, to[1])
            self._transport.sendto(answer, address)
        elif data.startswith(b"SIP/2.0"):
            response = parse(data)
            assert isinstance(response, Response)
            future = self._waiting.pop(response.call_id, None)
            if future is not None:
                future.set_result(response)

    async def register(self, extension: str) -> int:
        """The final status."""
        first = await self._ask(extension, 1, "")
        challenge = choose_challenge(first.all("WWW-Authenticate"))
        if first.status != 401 or challenge is None:
            return first.status
        uri = f"sip:{self._server[0]}"
        line = DigestClient(challenge, extension, PASSWORD).credentials("REGISTER", uri, "bench")
        return (await self._ask(extension, 2, f"Authorization: {line}\r\n")).status

    async def _ask(self, extension: str, cseq: int, extra: str) -> Response:
        host, port = self.address
        call_id = f"{extension}-{cseq}"
        text = (
            f"REGISTER sip:{self._server[0]} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{call_id}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:{extension}@{host}>;tag={extension}\r\nTo: <sip:{extension}@{host}>\r\n"
            f"Call-ID: {call_id}\r\nCSeq: {cseq} REGISTER\r\nContact: <sip:{extension}@{host}:{port}>\r\n"
            f"Expires: 3600\r\n{extra}Content-Length: 0\r\n\r\n"
        )
        assert self._transport is not None
        for _ in range(6):
            future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
            self._waiting[call_id] = future
            self._transport.sendto(text.encode(), self._server)
            try:
                async with asyncio.timeout(1):
                    return await future
            except TimeoutError:
                continue
        raise TimeoutError(f"{extension} could not register")


async def measure(count: int, period_s: float, seconds: float) -> bool:
    changes = {
        "extensions": {f"{FIRST}..{FIRST + count - 1}": {"password": PASSWORD, "qualify_s": period_s}},
        "security": {"proxies": "127.0.0.0/8"},
    }
    core = 0 if (os.cpu_count() or 1) > 1 else None
    if core is not None:
        os.sched_setaffinity(0, {1})
    async with Plateau(SITES / "bench.yaml", changes=changes, core=core) as plateau:
        idle_bytes = rss_bytes(plateau.pid)
        loop = asyncio.get_running_loop()
        host, port = plateau.sip.split(":")
        phones: list[Phones] = []
        for n in range(SOCKETS):
            _, one = await loop.create_datagram_endpoint(
                lambda: Phones((host, int(port))), local_addr=(f"127.0.1.{n + 1}", 0)
            )
            phones.append(one)
        gate = asyncio.Semaphore(AHEAD)

        async def register(n: int) -> None:
            async with gate:
                status = await phones[n % SOCKETS].register(str(FIRST + n))
                if status != 200:
                    raise SystemExit(f"bench: REGISTER was answered with {status}")

        started = time.monotonic()
        await asyncio.gather(*(register(n) for n in range(count)))
        print(f"{count:,} phones registered in {time.monotonic() - started:.1f} s")
        await asyncio.sleep(SETTLE_S)
        each = (rss_bytes(plateau.pid) - idle_bytes) / count
        asked, used, started = sum(one.asked for one in phones), cpu_s(plateau.pid), time.monotonic()
        await asyncio.sleep(seconds)
        elapsed = time.monotonic() - started
        asked, used = sum(one.asked for one in phones) - asked, cpu_s(plateau.pid) - used
        silent = await plateau.counter("plateau_phones_unreachable_total")
    percent = 100 * used / elapsed
    cost = f"{percent:.1f} % of a core, {1000 * used / max(asked, 1):.3f} ms each"
    print(f"{asked / elapsed:.0f} OPTIONS a second: {cost}; {silent:.0f} phones became unreachable")
    print(f"{each / 1000:.1f} kB more memory for each phone")
    limit = LIMIT_PERCENT * (count / period_s) / (20_000 / 60)
    whole = asked >= 0.95 * elapsed * count / period_s and not silent
    return percent <= limit and whole


def main(
    count: Annotated[int, typer.Option(help="phones")] = 20_000,
    period_s: Annotated[float, typer.Option(help="how often each is asked")] = 60.0,
    seconds: Annotated[float, typer.Option(help="how long it is measured")] = 60.0,
) -> None:
    """Exit status 1: it costs more than it may, or not all were asked or answered."""
    raise typer.Exit(0 if asyncio.run(measure(count, period_s, seconds)) else 1)


if __name__ == "__main__":
    typer.run(main)
