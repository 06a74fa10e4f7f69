"""The driver by real sockets: UDP, listeners that can't be opened, the clock and the one timer."""

from __future__ import annotations

import asyncio
import socket

import pytest

from bench.ports import free_port
from pbx.sip.hop import Hop
from pbx.sip.message import Request
from pbx.sip.server_transaction import ServerTransaction
from pbx.transport.driver import Driver, ListenError

from .conftest import Rig, Run, request, rig


def udp_peer() -> socket.socket:
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    peer.bind(("127.0.0.1", 0))
    peer.setblocking(False)
    return peer


def received(peer: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(peer.recv(65_535))
        except BlockingIOError:
            return found


def test_a_burst(run: Run) -> None:
    """More at once than are read on one wake-up; none is lost."""

    async def main() -> None:
        async with rig("udp") as made:
            with udp_peer() as peer:
                for number in range(500):
                    peer.sendto(request("MESSAGE", number, "UDP"), ("127.0.0.1", made.port("udp")))
                await made.until(lambda: len(made.core.requests) == 500)
                answers = received(peer)
                assert len(answers) == 500 and all(one.startswith(b"SIP/2.0 200 ") for one in answers)
                assert made.core.requests[0][1] == Hop("udp", *peer.getsockname())

    run(main)


def test_what_a_burst_asks_for_is_sent_in_order_whatever_fails(run: Run) -> None:
    """Replies leave together, yet none waits for the end of a long burst, nor is lost by a fault in another."""

    async def main() -> None:
        async with rig("udp") as made:
            faults: list[object] = []
            asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context["exception"]))
            serve = made.core.on_request
            early: list[int] = []

            def on_request(message: Request, transaction: ServerTransaction, now: float) -> None:
                serve(message, transaction, now)
                early.append(len(received(peer)))
                if len(early) == 12:
                    raise RuntimeError("a fault")

            made.core.on_request = on_request  # type: ignore[method-assign,assignment]
            with udp_peer() as peer:
                for number in range(20):
                    peer.sendto(request("MESSAGE", number, "UDP"), ("127.0.0.1", made.port("udp")))
                await made.until(lambda: len(early) == 20)
                assert sum(early) + len(received(peer)) == 20
                assert early[:12] == [0] * 7 + [8] + [0] * 4, "eight at a time"
                assert [str(fault) for fault in faults] == ["a fault"]
                made.driver.send(b"x" * 10, Hop("udp", *peer.getsockname()))
                assert received(peer) == [b"x" * 10], "beside a burst at once"

    run(main)


def test_rubbish_and_keep_alives(run: Run) -> None:
    async def main() -> None:
        async with rig("udp") as made:
            with udp_peer() as peer:
                for data in (
                    b"",
                    b"\r\n",
                    b"\r\n\r\n",
                    b"\x00" * 4,
                    b"\xff" * 100,
                    b"x" * 60_000,
                    request(transport="UDP"),
                ):
                    peer.sendto(data, ("127.0.0.1", made.port("udp")))
                await made.until(lambda: len(made.core.requests) == 1)
                assert made.counters["sip_malformed_dropped"] == 2
                assert len(received(peer)) == 1

    run(main)


def test_a_peer_that_is_gone(run: Run) -> None:
    """ICMP errors are counted and do no harm; nor does an address that nothing can be sent to."""

    async def main() -> None:
        async with rig("udp") as made:
            for _ in range(3):
                made.driver.send(b"x" * 10, Hop("udp", "127.0.0.1", free_port()))
                made.driver.send(b"x" * 10, Hop("udp", "::1", 5060))
                made.driver.send(b"x" * 70_000, Hop("udp", "127.0.0.1", 9))
                await asyncio.sleep(0.005)
            assert made.counters["udp_send_errors"] >= 6
            with udp_peer() as peer:
                peer.sendto(request(transport="UDP"), ("127.0.0.1", made.port("udp")))
                await made.until(lambda: len(made.core.requests) == 1)

    run(main)


def test_answers_leave_by_the_listener_the_request_came_by(run: Run) -> None:
    async def main() -> None:
        async with rig("udp", "udp") as made:
            ports = [port for _, port in made.driver.local.listeners["udp"]]
            with udp_peer() as peer:
                for number, port in enumerate(ports):
                    peer.sendto(request("MESSAGE", number, "UDP"), ("127.0.0.1", port))
                await made.until(lambda: len(made.core.requests) == 2)
                assert [hop.listener for _, hop in made.core.requests] == [0, 1]
                sources = [peer.recvfrom(65_535)[1][1] for _ in ports]
                assert sources == ports

    run(main)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_port_in_use(run: Run, transport: str) -> None:
    """The error says which, and nothing stays open."""

    async def main() -> None:
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        with socket.socket(socket.AF_INET, kind) as taken:
            taken.bind(("127.0.0.1", 0))
            if transport == "tcp":
                taken.listen()
            port, other_udp, other_tcp = taken.getsockname()[1], free_port(), free_port()
            made = Rig()
            listeners = [
                ("udp", "127.0.0.1", other_udp),
                ("tcp", "127.0.0.1", other_tcp),
                (transport, "127.0.0.1", port),
            ]
            with pytest.raises(ListenError, match=f"{transport}:127.0.0.1:{port}: .*in use"):
                await made.driver.listen(listeners)
            await asyncio.sleep(0.01)
            for again, free in ((socket.SOCK_DGRAM, other_udp), (socket.SOCK_STREAM, other_tcp)):
                with socket.socket(socket.AF_INET, again) as probe:
                    probe.bind(("127.0.0.1", free))

    run(main)


@pytest.mark.parametrize("host", ["192.0.2.1", "256.1.1.1"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_an_address_that_is_not_ours(run: Run, transport: str, host: str) -> None:
    async def main() -> None:
        with pytest.raises(ListenError, match=f"{transport}:{host}:5060: "):
            await Rig().driver.listen([(transport, host, 5060)])

    run(main)


def test_without_a_udp_listener(run: Run) -> None:
    async def main() -> None:
        async with rig("tcp") as made:
            made.driver.send(b"x", Hop("udp", "127.0.0.1", 9))
            assert made.counters["sip_no_udp_listener"] == 1

    run(main)


def test_the_timer(run: Run) -> None:
    """The one timer follows the earliest of the core's, forward too."""

    class Owner:
        def __init__(self, driver: Driver) -> None:
            self.driver = driver
            self.fired: list[str] = []

        def on_timer(self, kind: str, now: float) -> None:
            assert now <= self.driver.now()
            self.fired.append(kind)

    async def main() -> None:
        async with rig("udp") as made:
            owner, timers, now = Owner(made.driver), made.driver.layer.timers, made.driver.now()
            for delay_s in (0.08, 0.02, 30.0, 0.05):
                timers.set(delay_s, owner, str(delay_s), now)
            await made.until(lambda: len(owner.fired) == 3)
            assert owner.fired == ["0.02", "0.05", "0.08"] and made.driver.now() - now >= 0.079

    run(main)


def test_timers_share_wake_ups(run: Run) -> None:
    """However near to each other they are due: one firing in ten milliseconds, not one for each."""

    class Owner:
        def __init__(self) -> None:
            self.fired: list[float] = []

        def on_timer(self, kind: str, now: float) -> None:
            self.fired.append(now)

    async def main() -> None:
        async with rig("udp") as made:
            owner, timers, now = Owner(), made.driver.layer.timers, made.driver.now()
            for number in range(100):
                timers.set(0.02 + number / 1000, owner, "", now)
            await made.until(lambda: len(owner.fired) == 100)
            assert len(set(owner.fired)) <= 25

    run(main)


def test_every_message_can_be_watched(run: Run) -> None:
    async def main() -> None:
        async with rig("udp", "tcp") as made:
            seen: list[tuple[str, bytes]] = []
            made.driver.trace = lambda way, data, hop: seen.append((way, data[:8]))
            with udp_peer() as peer:
                peer.sendto(request(transport="UDP"), ("127.0.0.1", made.port("udp")))
                await made.until(lambda: len(seen) == 2)
                assert seen == [("<-", b"OPTIONS "), ("->", b"SIP/2.0 ")]

    run(main)


def test_closing_twice(run: Run) -> None:
    async def main() -> None:
        async with rig("udp", "tcp") as made:
            await made.driver.close()
            made.driver.send(b"x", Hop("udp", "127.0.0.1", 9))

    run(main)
