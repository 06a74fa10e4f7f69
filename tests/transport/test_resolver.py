"""The resolver against a real name server on the loopback."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pbx.sip.hop import Hop
from pbx.sip.next_hop import Speaks
from pbx.transport import names, resolver
from pbx.transport.resolver import Resolver

from .conftest import PATIENCE_S, Run
from .name_server import NameServer

SPEAKS = Speaks.of([("udp", "0.0.0.0", 5060), ("tcp", "0.0.0.0", 5060)])
URI = "sip:1@voip.example"
ZONE = {
    ("voip.example", "NAPTR"): ['20 50 "s" "SIP+D2T" "" _sip._tcp.voip.example.',
                                '10 50 "s" "SIP+D2U" "" _sip._udp.voip.example.'],
    ("_sip._udp.voip.example", "SRV"): ["10 0 5070 one.example.", "20 0 5060 two.example."],
    ("one.example", "A"): ["192.0.2.1"],
    ("two.example", "A"): ["192.0.2.2"],
    ("only.example", "A"): ["192.0.2.9"],
}  # fmt: skip
HOPS = (Hop("udp", "192.0.2.1", 5070), Hop("udp", "192.0.2.2", 5060))


class Rig:
    """A resolver, its name server, and a clock that can be put forward."""

    def __init__(self, server: NameServer, hosts: Path) -> None:
        self.server = server
        self.counters: Counter[str] = Counter()
        self.ahead_s = 0.0
        clock = asyncio.get_running_loop().time
        self.resolver = Resolver(SPEAKS, lambda: clock() + self.ahead_s, self.counters, [server.address], hosts)

    async def resolve(self, uri: str) -> tuple[Hop, ...]:
        future: asyncio.Future[tuple[Hop, ...]] = asyncio.get_running_loop().create_future()
        self.resolver.resolve(uri, future.set_result)
        async with asyncio.timeout(PATIENCE_S):
            return await future


@asynccontextmanager
async def rig(hosts: str = "", folder: Path = Path("/nonexistent")) -> AsyncIterator[Rig]:
    server = NameServer(dict(ZONE))
    await server.start()
    path = folder / "hosts"
    if hosts:
        path.write_text(hosts)
    one = Rig(server, path)
    try:
        yield one
    finally:
        await one.resolver.close()
        await server.stop()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "SERVER_S", 0.1)
    monkeypatch.setattr(resolver, "ANSWER_S", 0.25)
    monkeypatch.setattr(resolver, "WAIT_S", 0.6)
    monkeypatch.setattr(resolver, "PREFETCH_S", 0.02)


def test_on_demand(run: Run) -> None:
    async def main() -> None:
        async with rig() as one:
            assert one.resolver.hops(URI) is None
            assert await one.resolve(URI) == HOPS
            assert one.resolver.hops(URI) == HOPS  # from now on
            asked = one.server.asked.total()
            assert await one.resolve(URI) == HOPS and one.server.asked.total() == asked
            assert one.resolver.address("only.example") is None
            assert one.resolver.address("127.0.0.1") == "127.0.0.1" and one.resolver.address("::1") is None

    run(main)


def test_what_a_dialog_asks_is_known_the_next_time(run: Run) -> None:
    async def main() -> None:
        async with rig() as one:
            assert one.resolver.lead(URI) is None
            await until(lambda: one.resolver.lead(URI) == HOPS, one, None)

    run(main)


def test_an_address_needs_no_name_service(run: Run) -> None:
    async def main() -> None:
        async with rig() as one:
            heard: list[tuple[Hop, ...]] = []
            one.resolver.resolve("sip:192.0.2.5:5090;transport=tcp", heard.append)
            assert heard == [(Hop("tcp", "192.0.2.5", 5090),)] and not one.server.asked

    run(main)


def test_addresses_are_read_once_and_few_are_kept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "MAX_NUMERIC", 3)

    async def main() -> None:
        async with rig() as one:
            for number in range(10):
                for _ in range(2):
                    assert one.resolver.hops(f"sip:{number}@192.0.2.5") == (Hop("udp", "192.0.2.5", 5060),)
                assert len(one.resolver._numeric) <= 3
            assert len(one.resolver.hops(f"sip:{'1' * 300}@192.0.2.5") or ()) == 1
            assert one.resolver.hops("sip:only.example:5060") is None
            assert all(len(uri) < 300 and "example" not in uri for uri in one.resolver._numeric)

    run(main)


def test_a_truncated_answer_comes_by_tcp(run: Run) -> None:
    async def main() -> None:
        async with rig() as one:
            one.server.mood = "truncated"
            assert await one.resolve("sip:only.example:5060") == (Hop("udp", "192.0.2.9", 5060),)
            assert one.server.asked["only.example A tcp"] == 1

    run(main)


def test_a_name_that_does_not_exist(run: Run) -> None:
    """The negative answer is kept for the SOA's minimum."""

    async def main() -> None:
        async with rig() as one:
            assert await one.resolve("sip:nowhere.example:5060") == ()
            assert one.resolver.hops("sip:nowhere.example:5060") == () and not one.counters["dns_failures"]
            one.ahead_s += 61
            assert one.resolver.hops("sip:nowhere.example:5060") is None

    run(main)


@pytest.mark.parametrize("mood", ["silent", "broken", "rubbish"])
def test_a_name_service_that_is_away(run: Run, mood: str) -> None:
    """Who waits is told in time, and what was known stands."""

    async def main() -> None:
        async with rig() as one:
            assert await one.resolve("sip:only.example:5060")
            one.server.mood = mood
            assert await one.resolve("sip:other.example:5060") == ()
            assert one.counters["dns_failures"] == 1
            one.ahead_s += 61  # the answer is over
            assert one.resolver.hops("sip:only.example:5060") is None
            assert await one.resolve("sip:only.example:5060") == (Hop("udp", "192.0.2.9", 5060),)
            assert one.counters["dns_stale_answers"] == 1

    run(main)


def test_watched_names_never_end(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are asked for again before they do, and while the name service is away the last good answer stands."""
    monkeypatch.setattr(names, "MIN_TTL_S", 0.4)
    monkeypatch.setattr(names, "RECHECK_S", 0.4)

    async def main() -> None:
        async with rig() as one:
            one.server.ttl_s = 1
            await one.resolver.watch([URI, "sip:only.example", "sip:192.0.2.1"])
            assert one.resolver.hops(URI) == HOPS
            one.server.zone["only.example", "A"] = ["192.0.2.10"]
            await until(lambda: one.resolver.hops("sip:only.example") == (Hop("udp", "192.0.2.10", 5060),), one, HOPS)
            one.server.mood = "silent"
            await until(lambda: one.counters["dns_stale_answers"] >= 4, one, HOPS)
            one.server.mood = "well"
            one.server.zone["one.example", "A"] = ["192.0.2.77"]
            await until(lambda: one.resolver.hops(URI) == (HOPS[0]._replace(host="192.0.2.77"), HOPS[1]), one, None)

    run(main)


async def until(condition: Callable[[], bool], one: Rig, always: tuple[Hop, ...] | None) -> None:
    """Wait; meanwhile URI leads to `always`."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            assert always is None or one.resolver.hops(URI) == always
            await asyncio.sleep(0.01)


def test_a_dead_name_service_delays_the_start_by_a_bound(run: Run) -> None:
    async def main() -> None:
        async with rig() as one:
            one.server.mood = "silent"
            async with asyncio.timeout(2):
                await one.resolver.watch([URI])
            assert not one.resolver.hops(URI)
            one.server.mood = "well"
            one.ahead_s += names.RECHECK_S
            await until(lambda: one.resolver.hops(URI) == HOPS, one, None)

    run(main)


def test_addresses_are_not_watched(run: Run) -> None:
    """Ten thousand phones at fixed addresses would be walked through every two seconds, for nothing."""

    async def main() -> None:
        async with rig() as one:
            await one.resolver.watch(["sip:ann@127.0.0.1:5090", "sip:ben@[::1]"])
            assert (one.resolver._watched, one.resolver._timer) == ((), None)
            await one.resolver.watch(["sip:ann@127.0.0.1:5090", URI])
            assert one.resolver._watched == (URI,) and one.resolver._timer is not None
            assert one.resolver.hops(URI) == HOPS

    run(main)


def test_hosts_of_the_machine(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        async with rig("192.0.2.50 gateway.example gw\n", tmp_path) as one:
            await one.resolver.watch(["sip:gw", "sip:gateway.example:5070"])
            assert one.resolver.hops("sip:gw") == (Hop("udp", "192.0.2.50", 5060),)
            assert one.resolver.hops("sip:gateway.example:5070") == (Hop("udp", "192.0.2.50", 5070),)
            assert "gateway.example A udp" not in one.server.asked

    run(main)


def test_names_that_can_not_be(run: Run) -> None:
    """None of them stops those after it."""

    async def main() -> None:
        async with rig() as one:
            for host in ("a..b", "x" * 70 + ".example", "1.2.3.999", "é" * 70 + ".example"):
                assert await one.resolve(f"sip:{host}:5060") == ()
            assert await one.resolve("sip:only.example:5060")

    run(main)


def test_what_waits_is_bounded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with rig() as one:
            one.server.mood = "silent"
            monkeypatch.setattr(resolver, "MAX_WAITING", 3)
            monkeypatch.setattr(resolver, "MAX_QUESTIONS", 2)
            heard: list[tuple[Hop, ...]] = []
            for n in range(4):
                one.resolver.resolve(f"sip:{n}.example:5060", heard.append)
            assert heard == [()]
            assert one.counters["dns_waits_refused"] == 1 and one.counters["dns_questions_refused"] == 1
            await until(lambda: len(heard) == 4, one, None)
            assert heard == [()] * 4 and one.counters["dns_waits_timed_out"] == 1

    run(main)


def test_one_that_fails_to_listen_harms_no_other(run: Run) -> None:
    async def main() -> None:
        async with rig() as one:
            faults: list[object] = []
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: faults.append(context["exception"]))

            def fails(hops: tuple[Hop, ...]) -> None:
                raise RuntimeError("mine")

            one.resolver.resolve("sip:only.example:5060", fails)
            assert await one.resolve("sip:only.example:5060")
            assert len(faults) == 1

    run(main)


def test_closing_ends_all_waits(run: Run) -> None:
    async def main() -> None:
        async with rig() as one:
            one.server.mood = "silent"
            heard: list[tuple[Hop, ...]] = []
            one.resolver.resolve(URI, heard.append)
            await one.resolver.close()
            await asyncio.sleep(0)
            assert heard == [()]

    run(main)
