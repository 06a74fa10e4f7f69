"""Names resolved ahead of need: failures counted, the last good answer kept."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter

import pytest

from pbx.transport import names
from pbx.transport.names import Names

from .conftest import Run


def test_addresses(run: Run) -> None:
    async def main() -> None:
        counters: Counter[str] = Counter()
        one = Names(counters)
        await one.watch(["127.0.0.1", "localhost"])
        assert one.address("127.0.0.1") == "127.0.0.1" and one.address("localhost") in ("127.0.0.1", "::1")
        assert one.address("elsewhere") is None and not counters
        await one.close()

    run(main)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 70 + ".example", "1.2.3.999", "é" * 70])
def test_a_name_that_has_no_address(run: Run, host: str) -> None:
    """None of them stops those after it."""

    async def main() -> None:
        counters: Counter[str] = Counter()
        one = Names(counters)
        await one.watch([host, "~127", "127.0.0.1"])
        assert one.address(host) is None and one.address("127.0.0.1") == "127.0.0.1"
        assert counters["dns_failures"] == 2
        await one.close()

    run(main)


def test_the_last_good_answer_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the name service is away; and it is asked again until it is back."""
    monkeypatch.setattr(names, "REFRESH_S", 0.01)

    async def main() -> None:
        answers = ["192.0.2.1", None, None, "192.0.2.2"]

        async def getaddrinfo(host: str, port: None, **options: object) -> list[tuple[object, ...]]:
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            if answer is None:
                raise socket.gaierror("no name service")
            return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", (answer, 0))]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        counters: Counter[str] = Counter()
        one, seen = Names(counters), set()
        await one.watch(["gateway.example"])
        async with asyncio.timeout(5):
            while one.address("gateway.example") != "192.0.2.2":
                seen.add(one.address("gateway.example"))
                await asyncio.sleep(0.001)
        assert seen == {"192.0.2.1"} and counters["dns_failures"] == 2
        await one.close()

    with asyncio.Runner() as runner:
        runner.run(main())


def test_watching_nothing(run: Run) -> None:
    async def main() -> None:
        one = Names(Counter())
        await one.watch([])
        await one.close()

    run(main)
