"""`python -m bench.memory`: what a registered contact and an established call keep in the signalling process's memory.

Each is measured on a server of its own, without a trace (its ring has a bound of its own): the resident memory before
and after. Whatever the server keeps is counted, also what it has freed and the allocator has not given back.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import Console

from bench.checks import Checks
from bench.contacts import PASSWORD, Phones
from bench.plateau import SITES, Plateau, PlateauError
from bench.ports import free_port
from bench.processes import own_rss_bytes
from bench.sipp import Sipp, SippError

CONTACT_KB, CALL_KB = 3.0, 15.0  # the limits
SOCKETS = 50  # addresses, of the same number of phones each
CONTACTS_PER_S = 200.0  # as slowly as phones come: transactions live for 32 s, and are not what is asked for
CALLS_PER_S = 20.0
WARM_UP = 100  # of either, before the first look: code is read, caches are made
SETTLE_S = 40.0  # transactions end

_UNTRACED: dict[str, Any] = {"trace": {"minutes": 0}, "security": {"proxies": "127.0.0.0/8"}}


@dataclass(frozen=True, slots=True)
class Kept:
    """So many of one kind, and the memory before and after."""

    kind: str
    wanted: int
    count: int  # that the server has
    before_bytes: int
    after_bytes: int
    limit_kb: float

    @property
    def each_kb(self) -> float:
        return (self.after_bytes - self.before_bytes) / 1000 / max(self.count, 1)


def judge(measured: Sequence[Kept]) -> Checks:
    checks = Checks()
    for one in measured:
        checks.that(f"{one.wanted:,} {one.kind}s are there", one.count == one.wanted, f"{one.count:,}")
        grown = f"{one.each_kb:.2f} kB; {one.before_bytes / 1e6:.1f} MB grew to {one.after_bytes / 1e6:.1f} MB"
        checks.that(f"{one.kind}s keep at most {one.limit_kb:g} kB each", one.each_kb <= one.limit_kb, grown)
    return checks


def _site(changes: Mapping[str, Any], **options: Any) -> Plateau:
    return Plateau(SITES / "bench.yaml", changes={**_UNTRACED, **changes}, **options)


async def contacts(count: int) -> Kept:
    """Register phones, one contact each. Raises PlateauError."""
    names = [f"reg{n:05d}" for n in range(1, count + WARM_UP + 1)]
    async with _site({"extensions": {f"{names[0]}..{names[-1]}": {"password": PASSWORD}}}) as plateau:
        loop = asyncio.get_running_loop()
        host, port = plateau.sip.split(":")
        sockets: list[Phones] = []
        for n in range(SOCKETS):
            _, one = await loop.create_datagram_endpoint(
                lambda: Phones((host, int(port))), local_addr=(f"127.0.1.{n + 1}", 0)
            )
            sockets.append(one)

        async def register(these: Sequence[str]) -> None:
            started, under_way = loop.time(), []
            for n, name in enumerate(these):
                await asyncio.sleep(started + n / CONTACTS_PER_S - loop.time())
                under_way.append(asyncio.create_task(sockets[n % SOCKETS].register(name)))
            answers = await asyncio.gather(*under_way)
            if set(answers) != {200}:
                raise PlateauError(f"REGISTER was answered with {sorted(set(answers))}")

        await register(names[:WARM_UP])
        before = own_rss_bytes(plateau.pid)
        await register(names[WARM_UP:])
        await asyncio.sleep(SETTLE_S)
        there = int(await plateau.counter("plateau_registered_contacts")) - WARM_UP
        return Kept("registered contact", count, there, before, own_rss_bytes(plateau.pid), CONTACT_KB)


async def calls(count: int, core: int | None) -> Kept:
    """Hold bridged calls, media anchored. Raises PlateauError, SippError."""
    hold_s = count / CALLS_PER_S + SETTLE_S
    patience = ("-recv_timeout", f"{1000 * (hold_s + 60):.0f}")
    answering = Sipp("uas", None, port=free_port(), core=core, extra=patience)
    rule = {"from": "trunk generator", "match": "2XXX", "to": f"sip:{{number}}@127.0.0.1:{answering.port}"}
    async with _site({"dial_plan": [rule]}, media_ports=4 * (count + WARM_UP)) as plateau, answering:

        async def call(number: int, hold_s: float) -> Sipp:
            caller = Sipp(
                "uac", plateau.sip, service="2001", calls=number, rate=CALLS_PER_S, limit=number, core=core,
                hold_ms=round(1000 * hold_s), within_s=number / CALLS_PER_S + hold_s + 60,
            )  # fmt: skip
            await caller.start()
            return caller

        await (await call(WARM_UP, 0)).wait()
        await plateau.until_idle()
        before = own_rss_bytes(plateau.pid)
        caller = await call(count, hold_s)
        await asyncio.sleep(count / CALLS_PER_S + SETTLE_S / 2)
        there, after = int(await plateau.counter("plateau_calls")), own_rss_bytes(plateau.pid)
        await caller.wait()
        return Kept("established call", count, there, before, after, CALL_KB)


async def measure(contact_count: int, call_count: int) -> list[Kept]:
    core = 1 if (os.cpu_count() or 1) > 1 else None
    return [await contacts(contact_count), await calls(call_count, core)]


def main(
    contact_count: Annotated[int, typer.Option("--contacts", min=100, help="phones that are registered")] = 20_000,
    call_count: Annotated[int, typer.Option("--calls", min=10, help="bridged calls that are held")] = 1_000,
) -> None:
    """Measure memory; takes five minutes. Exit status 1: more than the limit; 2: it could not be measured."""
    try:
        measured = asyncio.run(measure(contact_count, call_count))
    except (PlateauError, SippError, OSError) as error:
        Console(stderr=True, soft_wrap=True).print(f"bench: {error}", style="bold red", markup=False)
        raise typer.Exit(2) from None
    checks = judge(measured)
    Console(width=None if sys.stdout.isatty() else 110).print(checks.table())
    raise typer.Exit(0 if checks.ok else 1)


if __name__ == "__main__":
    typer.run(main)
