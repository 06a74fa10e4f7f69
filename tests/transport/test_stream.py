"""SIP over TCP by real sockets, on both event loops."""

from __future__ import annotations

import asyncio
import itertools
from typing import cast

import pytest

from bench.ports import free_port
from pbx.sip.hop import Hop
from pbx.sip.message import MAX_BODY_BYTES, Response
from pbx.transport import stream, streams
from pbx.transport.streams import Limits
from pbx.transport.tls import TlsFiles

from .certificates import Authority
from .conftest import PATIENCE_S, Run, connected, request, rig, trusting


class Listener:
    def __init__(self) -> None:
        self.heard: list[int] = []

    def on_response(self, response: Response, hop: Hop, now: float) -> None:
        self.heard.append(response.status)

    def on_failure(self, status: int, now: float) -> None:
        self.heard.append(-status)


def test_messages_in_fragments(run: Run) -> None:
    async def main() -> None:
        async with rig("tcp") as made, connected(made.port("tcp")) as peer:
            data = b"".join(request(number=number, body=b"x" * number) for number in range(10))
            sizes = itertools.cycle((1, 7, 100, 3))
            while data:
                size = next(sizes)
                peer.writer.write(data[:size])
                data = data[size:]
                await asyncio.sleep(0)
            for number in range(10):
                assert f"branch=z9hG4bK{number};".encode() in await peer.message()
            assert {hop for _, hop in made.core.requests} == {peer.hop}

    run(main)


def test_many_messages_at_once(run: Run) -> None:
    async def main() -> None:
        async with rig("tcp") as made, connected(made.port("tcp")) as peer:
            peer.writer.write(b"".join(request(number=number) for number in range(500)))
            for number in range(500):
                assert f"z9hG4bK{number};".encode() in await peer.message()

    run(main)


def test_who_sends_much_leaves_others_their_turn(run: Run) -> None:
    """One connection can't keep the loop from the rest of the site."""

    async def main() -> None:
        async with rig("tcp") as made, connected(made.port("tcp")) as peer:
            loop, turns = asyncio.get_running_loop(), [0]

            def turn() -> None:
                turns.append(0)
                loop.call_soon(turn)

            def admits(data: bytes, hop: Hop) -> bool:
                turns[-1] += 1
                return True

            made.driver.admits = admits
            turn()
            one = request()
            peer.writer.write(one * 5000)
            await made.until(lambda: sum(turns) >= 5000)
            assert max(turns) <= stream.TURN_BYTES // len(one) + 1

    run(main)


def test_keep_alive(run: Run) -> None:
    """RFC 5626 4.4.1."""

    async def main() -> None:
        async with rig("tcp") as made, connected(made.port("tcp")) as peer:
            peer.writer.write(b"\r\n\r\n")
            assert await peer.read(2) == b"\r\n"
            peer.writer.write(b"\r\n" + request() + b"\r\n\r\n")
            await peer.message()
            assert await peer.read(2) == b"\r\n"

    run(main)


def test_a_flood_of_keep_alives(run: Run) -> None:
    """To answer them all costs far more than to send them."""

    async def main() -> None:
        async with rig("tcp") as made, connected(made.port("tcp")) as peer:
            peer.writer.write(b"\r\n\r\n" * 10_000)
            await made.until(lambda: made.counters["tcp_unframeable"] == 1 and not len(made.driver._streams))

    run(main)


def test_some_keep_alives_at_once(run: Run) -> None:
    async def main() -> None:
        async with rig("tcp") as made, connected(made.port("tcp")) as peer:
            peer.writer.write(b"\r\n\r\n" * stream.PINGS_AT_ONCE)
            assert await peer.read(2 * stream.PINGS_AT_ONCE) == b"\r\n" * stream.PINGS_AT_ONCE

    run(main)


def test_more_rubbish_than_is_borne_is_cut_off(run: Run) -> None:
    """Its bytes can be framed, and yet are no messages; what stands behind them is not read."""

    async def main() -> None:
        async with rig("tcp") as made, connected(made.port("tcp")) as peer:
            left = 20

            def bears(hop: Hop, now: float) -> bool:
                nonlocal left
                left -= 1
                return left >= 0

            made.driver.layer.bears = bears
            peer.writer.write(b"A b SIP/2.0\r\nl: 0\r\n\r\n" * 100 + request())
            assert await peer.is_cut_off()
            assert (made.counters["tcp_rubbish"], made.counters["sip_malformed"]) == (1, 21)
            assert not made.core.requests and not len(made.driver._streams)

    run(main)


@pytest.mark.parametrize("drip", [b"", b"X"])
def test_half_a_message_is_cut_off(run: Run, drip: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow loris: an octet now and then does not move the deadline."""
    monkeypatch.setattr(stream, "PARTIAL_S", 0.15)

    async def main() -> None:
        async with rig("tcp") as made, connected(made.port("tcp")) as peer:
            peer.writer.write(b"OPTIONS sip:x")
            cut = asyncio.create_task(peer.is_cut_off())
            for _ in range(40):
                if cut.done():
                    break
                peer.writer.write(drip)
                await asyncio.sleep(0.02)
            assert cut.done() and await cut
            assert made.counters["tcp_partial_timeouts"] == 1

    run(main)


def test_whole_messages_move_the_deadline(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PARTIAL_S", 0.15)

    async def main() -> None:
        async with rig("tcp") as made, connected(made.port("tcp")) as peer:
            peer.writer.write(request(number=0)[:50])
            for number in range(10):  # each write ends one message and begins the next
                peer.writer.write(request(number=number)[50:] + request(number=number + 1)[:50])
                await peer.message()
                await asyncio.sleep(0.03)
            peer.writer.write(request(number=10)[50:] + b"\r\n")  # a lone line end is no half message
            await peer.message()
            await asyncio.sleep(0.2)
            peer.writer.write(request(number=11))
            await peer.message()
            assert not made.counters

    run(main)


@pytest.mark.parametrize(
    "rubbish",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"x" * 10_000_000,
        b"OPTIONS sip:x SIP/2.0\r\n" + b"X: y\r\n" * 1_000_000,
        b"OPTIONS sip:x SIP/2.0\r\nl: -1\r\n\r\n",
        b"OPTIONS sip:x SIP/2.0\r\nl: 99999999999\r\n\r\n",
    ],
)
def test_what_cant_be_framed_is_cut_off(run: Run, rubbish: bytes) -> None:
    async def main() -> None:
        async with rig("tcp") as made, connected(made.port("tcp")) as peer:
            peer.writer.write(request() + rubbish)
            try:
                assert (await peer.message()).startswith(b"SIP/2.0 200 ")
            except (ConnectionError, asyncio.IncompleteReadError):
                assert len(rubbish) > 50_000  # what we did not read resets the connection
            assert await peer.is_cut_off()
            assert made.counters["tcp_unframeable"] == 1 and len(made.core.requests) == 1

    run(main)


def test_a_body_too_large_is_told_so(run: Run) -> None:
    async def main() -> None:
        async with rig("tcp") as made, connected(made.port("tcp")) as peer:
            peer.writer.write(request().replace(b"Length: 0", f"Length: {MAX_BODY_BYTES + 1}".encode()))
            assert (await peer.message()).startswith(b"SIP/2.0 413 ")
            assert await peer.is_cut_off()
            assert made.core.requests == []

    run(main)


INNER = request(number=2)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
@pytest.mark.parametrize(
    "lengths",
    [
        f"Content-Length: 0\r\nContent-Length: {len(INNER)}",
        "Content-Length: 0x5\r\nl: 0",
        f"Content-Length: +{len(INNER)}\r\nl: 0",
    ],
)
def test_no_body_is_smuggled_in_as_a_request(
    run: Run, authority: Authority, files: TlsFiles, transport: str, lengths: str
) -> None:
    """What stands behind a head whose length is in doubt is never read: the peer hears 400 once, and it is over."""

    async def main() -> None:
        tls = trusting(authority) if transport == "tls" else None
        async with rig(transport, tls=files) as made, connected(made.port(transport), tls=tls) as peer:
            outer = request(transport=transport.upper()).replace(b"Content-Length: 0", lengths.encode())
            peer.writer.writelines([outer + INNER, INNER])  # of TLS two records
            assert (await peer.message()).startswith(b"SIP/2.0 400 ")
            assert await peer.is_cut_off()
            assert made.core.requests == [] and len(made.driver._streams) == 0
            assert made.counters == {"tcp_unframeable": 1, "sip_malformed": 1}

    run(main)


def test_a_peer_that_does_not_read_is_cut_off(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "WRITE_LIMIT_BYTES", 100_000)

    async def main() -> None:
        async with rig("tcp") as made, connected(made.port("tcp")) as peer:
            peer.writer.write(request())
            await made.until(lambda: len(made.core.requests) == 1)
            cast(asyncio.Transport, peer.writer.transport).pause_reading()
            for _ in range(400):
                made.driver.send(b"x" * 50_000, peer.hop)
                if made.counters["tcp_slow_readers"]:
                    break
                await asyncio.sleep(0)
            assert made.counters["tcp_slow_readers"] == 1
            await made.until(lambda: len(made.driver._streams) == 0)

    run(main)


def test_a_request_of_ours_makes_the_connection(run: Run) -> None:
    async def main() -> None:
        got: asyncio.Queue[tuple[bytes, asyncio.StreamWriter]] = asyncio.Queue()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while True:
                    got.put_nowait((await reader.readuntil(b"\r\n\r\n"), writer))
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        hop = Hop("tcp", "127.0.0.1", server.sockets[0].getsockname()[1])
        async with rig("tcp") as made, asyncio.timeout(PATIENCE_S):
            first, second = Listener(), Listener()
            for number, listener in enumerate((first, second)):  # the second waits for the same connection
                data = request("BYE", number)
                made.driver.layer.request(data, f"z9hG4bK{number}", "BYE", hop, listener, made.driver.now())
            writers = set()
            for _ in range(2):
                data, writer = await got.get()
                writers.add(writer)
                writer.write(data.replace(b"BYE sip:x@127.0.0.1 SIP/2.0", b"SIP/2.0 200 OK"))
            await made.until(lambda: first.heard == second.heard == [200])
            assert len(writers) == 1 and len(made.driver._streams) == 1
            # The peer closes; the next message makes a new connection.
            writers.pop().close()
            await made.until(lambda: len(made.driver._streams) == 0)
            made.driver.send(request("BYE", 3), hop)
            data, writer = await got.get()
            assert b"z9hG4bK3" in data
        server.close()
        await server.wait_closed()

    run(main)


def test_nobody_there(run: Run) -> None:
    """RFC 3261 8.1.3.1: the request fails at once, and all that waited with it."""

    async def main() -> None:
        hop = Hop("tcp", "127.0.0.1", free_port())
        async with rig("tcp") as made:
            listener = Listener()
            for number in range(streams.WAITING + 5):
                made.driver.layer.request(
                    request("BYE", number), f"z9hG4bK{number}", "BYE", hop, listener, made.driver.now()
                )
            await made.until(lambda: len(listener.heard) == streams.WAITING + 5)
            assert set(listener.heard) == {-503}
            assert made.counters["tcp_connect_failures"] == 1 and made.counters["tcp_waiting_dropped"] == 5
            assert not made.driver._streams._waiting

    run(main)


def test_a_connection_too_many(run: Run) -> None:
    async def main() -> None:
        async with rig("tcp") as made:
            made.driver._streams.limits = Limits(max_connections=1)
            async with connected(made.port("tcp")) as first, connected(made.port("tcp")) as second:
                assert await second.is_cut_off()
                first.writer.write(request())
                await first.message()
                assert made.counters["tcp_connections_refused"] == 1
            # Ours count as well: the request fails, it does not wait for nothing.
            await made.until(lambda: len(made.driver._streams) == 0)
            async with connected(made.port("tcp")) as third:
                third.writer.write(request())
                await third.message()
                server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
                hop = Hop("tcp", "127.0.0.1", server.sockets[0].getsockname()[1])
                listener = Listener()
                made.driver.layer.request(request("BYE"), "z9hG4bK1", "BYE", hop, listener, made.driver.now())
                await made.until(lambda: listener.heard == [-503])
                server.close()

    run(main)


def test_a_peer_that_connects_and_goes(run: Run) -> None:
    async def main() -> None:
        closed: list[Hop] = []
        async with rig("tcp") as made:
            made.driver.on_closed = closed.append
            for _ in range(20):
                async with connected(made.port("tcp")):
                    pass
            async with connected(made.port("tcp")) as peer:
                peer.writer.write(request())
                await peer.message()
                hop = peer.hop
            await made.until(lambda: len(made.driver._streams) == 0)
            assert hop in closed

    run(main)


def test_ipv6(run: Run) -> None:
    async def main() -> None:
        try:
            probe = await asyncio.start_server(lambda reader, writer: None, "::1", 0)
        except OSError:
            return  # no IPv6 on this machine
        probe.close()
        async with rig("tcp", host="::1") as made, connected(made.port("tcp"), "::1") as peer:
            peer.writer.write(request())
            assert b";received=::1" in await peer.message()
            assert made.core.requests[0][1].host == "::1"
            assert made.driver.local.sent_by(made.core.requests[0][1]) == f"[::1]:{made.port('tcp')}"

    run(main)
