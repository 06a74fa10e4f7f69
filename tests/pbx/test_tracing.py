"""The trace joined to a driver: what a reload changes, our addresses, trunks, what debug prints."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from config.schema import Site
from pbx.sip.hop import Hop
from pbx.tracing import Tracing
from pbx.transport.driver import Driver

TRUNKS = {
    "carrier": {"gateway": "sip:sip.carrier.example"}, "other": {"from": "203.0.113.0/24"},
    "six": {"gateway": "sip:[2001:db8::9]:5080"},
}  # fmt: skip
HOP = Hop("udp", "198.51.100.7", 5060)
SECRET = b'REGISTER sip:x SIP/2.0\r\nAuthorization: Digest response="5ec8e7"\r\n\r\n'


def site(**trace: Any) -> Site:
    return Site.model_validate({"site": "x", "listen": {"sip": "udp:127.0.0.1:5060"}, "trunks": TRUNKS, "trace": trace})


class Joined:
    def __init__(self, **trace: Any) -> None:
        self.counters: Counter[str] = Counter()
        self.driver = Driver(self.counters)
        self.tracing = Tracing(
            site(**trace), self.driver, self.trunk_of,
            {"sip.carrier.example": "198.51.100.7"}.get, self.counters,
        )  # fmt: skip

    def trunk_of(self, host: str, port: int) -> str | None:
        return "other" if host.startswith("203.0.113.") else None

    def message(self) -> None:
        if self.driver.trace is not None:
            self.driver.trace("<-", SECRET, HOP)


async def test_on_off_and_on_again() -> None:
    joined = Joined()
    traces = joined.tracing.traces
    joined.message()
    assert traces.ring is not None and len(traces.ring) == 1
    await joined.tracing.reconfigure(site(megabytes=1, minutes=1))
    assert len(traces.ring) == 1 and (traces.ring.max_bytes, traces.ring.max_age_s) == (1_000_000, 60), "it stays"
    await joined.tracing.reconfigure(site(minutes=0))
    assert joined.driver.trace is None and joined.tracing.traces.ring is None
    joined.tracing.trim()
    await joined.tracing.reconfigure(site())
    joined.message()
    again = joined.tracing.traces.ring
    assert again is not None and len(again) == 1


async def test_debug_prints_without_secrets_and_the_ring_goes_on() -> None:
    joined, printed = Joined(), list[bytes]()
    joined.tracing.print_messages(lambda direction, data, hop: printed.append(data))
    joined.message()
    assert b"5ec8e7" not in printed[0] and joined.tracing.traces.ring is not None
    assert len(joined.tracing.traces.ring) == 1
    await joined.tracing.reconfigure(site(minutes=0))
    joined.message()
    assert len(printed) == 2


async def test_our_address() -> None:
    joined = Joined()
    ours, listeners = joined.tracing.traces.ours, joined.driver.local.listeners
    listeners["udp"] = [("192.0.2.1", 5060), ("0.0.0.0", 5070)]
    assert ours(Hop("udp", "198.51.100.7", 5060, 0)) == ("192.0.2.1", 5060)
    assert ours(Hop("udp", "127.0.0.1", 5060, 1)) == ("127.0.0.1", 5070), "the one that packets leave from"
    assert ours(Hop("tls", "127.0.0.1", 5061, 0)) == ("127.0.0.1", 0), "a connection of ours, without a listener"


@pytest.mark.parametrize(
    ("trunk", "host", "found"),
    [
        ("carrier", "198.51.100.7", True),
        ("carrier", "203.0.113.5", False),
        ("other", "203.0.113.5", True),
        ("six", "2001:db8::9", True),
        ("six", "2001:db8::8", False),
    ],
)
async def test_the_addresses_of_a_trunk(trunk: str, host: str, found: bool) -> None:
    addresses = Joined().tracing.traces.trunk(trunk)
    assert addresses is not None and addresses(host, 5060) is found


async def test_a_trunk_that_is_not_there() -> None:
    assert Joined().tracing.traces.trunk("nobody") is None


async def test_another_homer_by_a_reload() -> None:
    loop = asyncio.get_running_loop()
    got: list[list[bytes]] = [[], []]

    class Listening(asyncio.DatagramProtocol):
        def __init__(self, number: int) -> None:
            self.number = number

        def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
            got[self.number].append(data)

    opened = [
        await loop.create_datagram_endpoint(lambda n=n: Listening(n), ("127.0.0.1", 0))  # type: ignore[misc]
        for n in range(2)
    ]
    first, second = ("{}:{}".format(*transport.get_extra_info("sockname")) for transport, _ in opened)
    joined = Joined(homer={"address": first})
    joined.tracing.start()
    joined.message()
    await asyncio.sleep(0.2)
    await joined.tracing.reconfigure(site(homer={"address": second}))
    joined.message()
    await asyncio.sleep(0.2)
    await joined.tracing.reconfigure(site())
    joined.message()
    await asyncio.sleep(0.2)
    assert [len(one) for one in got] == [1, 1]
    for transport, _ in opened:
        transport.close()
    await joined.tracing.close()
