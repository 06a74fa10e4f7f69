"""Connections by their far end: limits, signs of life, aliases, the way back of responses, the switch from UDP."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from types import SimpleNamespace

import pytest

from bench.ports import free_port
from pbx.sip import stun
from pbx.sip.hop import Hop
from pbx.transport import streams
from pbx.transport.stream import Bare, Stream
from pbx.transport.streams import Limits
from pbx.transport.tls import TlsFiles

from .certificates import Authority
from .conftest import PATIENCE_S, Peer, Rig, Run, connected, request, rig, trusting
from .test_driver import received, udp_peer
from .test_tls import Listener


@asynccontextmanager
async def server(port: int = 0) -> AsyncIterator[tuple[int, asyncio.Queue[Peer]]]:
    """A peer that listens; the queue has those who called it."""
    callers: asyncio.Queue[Peer] = asyncio.Queue()
    writers = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        callers.put_nowait(Peer(reader, writer))

    listening = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield listening.sockets[0].getsockname()[1], callers
    finally:
        for writer in writers:
            writer.close()
        listening.close()
        await asyncio.sleep(0.01)


def called_from(source: int, port: int) -> socket.socket:
    """A connection from a port that may have another one, to elsewhere."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", source))
    sock.connect(("127.0.0.1", port))
    sock.setblocking(False)
    return sock


def send(made: Rig, data: bytes, hop: Hop, branch: str = "z9hG4bK1", method: str = "MESSAGE") -> Listener:
    listener = Listener()
    made.driver.layer.request(data, branch, method, hop, listener, made.driver.now())
    return listener


# --- limits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["tcp", "tls", "ws"])
def test_so_many_from_one_address(run: Run, files: TlsFiles, transport: str) -> None:
    """Handshakes that have not begun count as well."""

    async def main() -> None:
        limits = Limits(max_connections_per_address=2)
        async with rig(transport, transport + ":::1", tls=files, limits=limits) as made:
            port, other = (port for _, port in made.driver.local.listeners[transport])
            async with connected(port), connected(port), connected(port) as third, connected(other, "::1"):
                assert await third.is_cut_off()
                await made.until(lambda: len(made.driver._streams) == 3)
                assert made.counters["tcp_connections_refused"] == 1
            await made.until(lambda: len(made.driver._streams) == 0)
            assert not made.driver._streams._per_address
            async with connected(port):
                await made.until(lambda: len(made.driver._streams) == 1)

    run(main)


def test_a_network_of_ipv6_is_one_address(run: Run) -> None:
    """Whoever has one address of a /64 has them all."""

    async def main() -> None:
        async with rig("tcp") as made:
            made.driver._streams.limits = Limits(max_connections_per_address=2)
            hosts = ("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1")
            made_of = [Stream(made.driver._streams, Hop("tcp", host, 40_000), Bare()) for host in hosts]
            assert [made.driver._streams.admit(one) for one in made_of] == [True, True, False, True]
            for one in made_of:
                made.driver._streams.remove(one)
            assert not made.driver._streams._per_address

    run(main)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_connections_from_a_host_are_hung_up(run: Run, files: TlsFiles, authority: Authority, transport: str) -> None:
    async def main() -> None:
        context = trusting(authority) if transport == "tls" else None
        async with rig(transport, tls=files) as made, connected(made.port(transport), tls=context) as peer:
            peer.writer.write(request())
            await peer.message()
            made.driver.hang_up("192.0.2.1".__eq__)
            await asyncio.sleep(0.02)
            assert len(made.driver._streams) == 1
            made.driver.hang_up("127.0.0.1".__eq__)
            assert await peer.is_cut_off() and not len(made.driver._streams)

    run(main)


def test_a_new_connection_from_the_port_of_another(run: Run) -> None:
    """By another listener: to the network they are two. What was bound to the first must not be sent to the second."""

    async def main() -> None:
        async with rig("tcp", "tcp") as made:
            closed: list[Hop] = []
            made.driver.on_closed = closed.append
            ports = [port for _, port in made.driver.local.listeners["tcp"]]
            source = free_port()
            with closing(called_from(source, ports[0])) as one, closing(called_from(source, ports[1])) as other:
                first = Peer(*await asyncio.open_connection(sock=one))
                second = Peer(*await asyncio.open_connection(sock=other))
                await made.until(lambda: bool(closed))
                assert await first.is_cut_off() and closed == [Hop("tcp", "127.0.0.1", source)]
                second.writer.write(request(number=2))
                await second.message()
                assert len(made.driver._streams) == 1
                for peer in (first, second):
                    peer.writer.close()

    run(main)


def test_who_is_not_admitted(run: Run) -> None:
    async def main() -> None:
        async with rig("tcp", "udp") as made:
            asked: list[tuple[bytes, str]] = []

            def admits(data: bytes, hop: Hop) -> bool:
                asked.append((data[:7], hop.transport))
                return len(asked) > 2

            made.driver.admits = admits
            async with connected(made.port("tcp")) as peer:
                assert await peer.is_cut_off()
            with udp_peer() as phone:
                for _ in range(2):
                    phone.sendto(request(transport="UDP"), ("127.0.0.1", made.port("udp")))
                await made.until(lambda: len(made.core.requests) == 1)
            assert asked == [(b"", "tcp"), (b"OPTIONS", "udp"), (b"OPTIONS", "udp")]
            assert not made.driver._streams._per_address

    run(main)


def test_silence(run: Run, authority: Authority, files: TlsFiles) -> None:
    """A connection that never brings a message goes soon, one that did when nothing at all comes any more."""

    async def main() -> None:
        async with rig("tcp", "tls", tls=files, limits=Limits(idle_s=300)) as made:
            table, now = made.driver._streams, made.driver._loop.time
            async with connected(made.port("tcp")) as talker, connected(made.port("tcp")) as silent:
                async with connected(made.port("tls"), tls=trusting(authority)) as quiet:
                    talker.writer.write(request())
                    await talker.message()
                    silent.writer.write(b"\r\n\r\n")
                    await silent.read(2)
                    await made.until(lambda: len(table) == 3)
                    table.sweep(now() + streams.SILENT_S - 1)
                    assert len(table) == 3
                    table.sweep(now() + streams.SILENT_S + 1)
                    assert await silent.is_cut_off() and await quiet.is_cut_off()
                    assert made.counters["tcp_silent_closed"] == 2
                table.sweep(now() + 299)
                assert len(table) == 1
                table.sweep(now() + 301)
                assert await talker.is_cut_off() and made.counters["tcp_idle_closed"] == 1

    run(main)


def test_our_own_connections_are_kept_alive(run: Run) -> None:
    """RFC 5626 4.4.1; a peer that says nothing to it is let be until the idle limit."""

    async def main() -> None:
        async with rig("tcp") as made, server() as (port, callers), asyncio.timeout(PATIENCE_S):
            made.driver.send(request(), Hop("tcp", "127.0.0.1", port))
            peer = await callers.get()
            await peer.message()
            table, now = made.driver._streams, made.driver._loop.time
            table.sweep(now() + streams.PING_S - 1)
            table.sweep(now() + streams.PING_S + 1)
            assert await peer.read(4) == b"\r\n\r\n"
            peer.writer.write(b"\r\n" + request("INFO", 7))
            assert b"z9hG4bK7" in await peer.message() and len(made.core.requests) == 1

    run(main)


# --- which connection -----------------------------------------------------------------------------------------------


def test_an_alias(run: Run, authority: Authority, files: TlsFiles) -> None:
    """RFC 5923: requests to the port that a peer's Via names take the connection that it made, if it asks for that."""

    def aliased(port: int, parameter: bytes) -> bytes:
        return request().replace(b"127.0.0.1:9;", b"127.0.0.1:%d;" % port + parameter)

    async def main() -> None:
        tls = TlsFiles(files.certificate, files.key, ca=authority.file, client_certificates="optional")
        known = authority.issue("proxy", "proxy.example", "127.0.0.1")
        port = free_port()
        async with rig("tcp", "tls", tls=tls) as made:
            for transport, context, parameter, works in (
                ("tcp", None, b"alias;", True),
                ("tcp", None, b"", False),
                ("tcp", None, b"x=1;aliasx;", False),
                ("tls", trusting(authority), b"alias;", False),  # has not shown who it is
                ("tls", trusting(authority, *known), b"alias;", True),
            ):
                async with connected(made.port(transport), tls=context) as peer:
                    peer.writer.write(aliased(port, parameter))
                    await peer.message()
                    listener = send(made, request("MESSAGE", 5), Hop(transport, "127.0.0.1", port), "z9hG4bK5")
                    if works:
                        assert (await peer.message()).startswith(b"MESSAGE ")
                    else:
                        await made.until(lambda listener=listener: listener.heard == [-503])  # type: ignore[misc]
                if works:  # it fails with the connection
                    await made.until(lambda listener=listener: listener.heard == [-503])  # type: ignore[misc]
                await made.until(lambda: len(made.driver._streams) == 0)
                assert not made.driver._streams._open
                made.driver._udp_only.clear()

    run(main)


def test_an_alias_takes_nobodys_place(run: Run) -> None:
    async def main() -> None:
        async with rig("tcp") as made, server() as (port, callers), asyncio.timeout(PATIENCE_S):
            hop = Hop("tcp", "127.0.0.1", port)
            made.driver.send(request("INFO", 1), hop)
            real = await callers.get()
            await real.message()
            async with connected(made.port("tcp")) as thief:
                thief.writer.write(request().replace(b"127.0.0.1:9;", b"127.0.0.1:%d;alias;" % port))
                await thief.message()
                made.driver.send(request("INFO", 2), hop)
                assert b"z9hG4bK2" in await real.message()

    run(main)


def test_a_response_whose_connection_is_gone(run: Run) -> None:
    """RFC 3261 18.2.2: to the address it came from, at the port of its Via, and on one connection."""

    async def main() -> None:
        async with rig("tcp") as made, server() as (port, callers), asyncio.timeout(PATIENCE_S):
            made.core.silent = True
            async with connected(made.port("tcp")) as peer:
                for number in range(2):
                    data = request("MESSAGE", number).replace(b"127.0.0.1:9;", b"192.0.2.99:%d;" % port)
                    peer.writer.write(data)
                await made.until(lambda: len(made.core.requests) == 2)
            await made.until(lambda: len(made.driver._streams) == 0)
            for transaction in list(made.driver.layer._transactions.values()):
                transaction.respond(200, made.driver.now(), to_tag="t")  # type: ignore[attr-defined]
            back = await callers.get()
            for number in range(2):
                answer = await back.message()
                assert answer.startswith(b"SIP/2.0 200") and b"z9hG4bK%d;" % number in answer
            assert callers.empty()

    run(main)


def test_a_lost_connection_fails_what_waits_on_it(run: Run) -> None:
    """At once, and only that; after the bindings have gone."""

    async def main() -> None:
        async with rig("tcp") as made, server() as (port, callers), asyncio.timeout(PATIENCE_S):
            order: list[str] = []
            hop = Hop("tcp", "127.0.0.1", port)
            made.driver.on_closed = lambda closed: order.append(f"closed {len(lost.heard)}")
            lost = send(made, request("MESSAGE", 1), hop, "z9hG4bK1")
            named = send(made, request("INVITE", 2), hop._replace(listener=3), "z9hG4bK2", "INVITE")
            peer = await callers.get()
            await peer.message()
            data = await peer.message()
            peer.writer.write(data.replace(b"INVITE sip:x@127.0.0.1 SIP/2.0", b"SIP/2.0 180 Ringing"))
            await made.until(lambda: named.heard == [180])
            peer.writer.close()
            await made.until(lambda: lost.heard == [-503] and named.heard == [180, -503])
            assert order == ["closed 0"] and made.counters["sip_transport_failures"] == 2
            assert len(made.driver.layer) == 0

    run(main)


def test_strangers_that_come_and_go_cost_no_search(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with rig("tcp") as made:
            failed: list[Hop] = []
            layer = made.driver.layer
            told = SimpleNamespace(
                receive_bytes=layer.receive_bytes, timers=layer.timers,
                transport_failed=lambda hop, now, **_: failed.append(hop),
            )
            monkeypatch.setattr(made.driver, "layer", told)
            for number in range(5):
                async with connected(made.port("tcp")) as peer:
                    peer.writer.write(request(number=number))
                    await peer.message()
            await made.until(lambda: len(made.driver._streams) == 0)
            assert failed == []

    run(main)


# --- UDP and TCP ----------------------------------------------------------------------------------------------------


def large(branch: str = "z9hG4bK1", method: str = "MESSAGE") -> bytes:
    return request(method, int(branch[7:]), "UDP", b"x" * 1400)


def test_a_request_too_large_for_udp(run: Run) -> None:
    """RFC 3261 18.1.1: by TCP, and Via says so; its CANCEL goes the same way (9.1); responses stay as they are."""

    async def main() -> None:
        async with rig("udp", "tcp") as made, server() as (port, callers), asyncio.timeout(PATIENCE_S):
            hop = Hop("udp", "127.0.0.1", port)
            listener = send(made, large(method="INVITE"), hop, method="INVITE")
            peer = await callers.get()
            data = await peer.message()
            via = f"Via: SIP/2.0/TCP 127.0.0.1:{made.port('tcp')};branch=z9hG4bK1;rport;alias\r\n".encode()
            assert via in data and data.count(b"Via:") == 1
            await peer.read(1400)
            peer.writer.write(data.replace(b"INVITE sip:x@127.0.0.1 SIP/2.0", b"SIP/2.0 180 R").replace(b"1400", b"0"))
            await made.until(lambda: listener.heard == [180])
            cancel = send(made, request("CANCEL", 1, "UDP"), hop, method="CANCEL")
            data = await peer.message()
            assert data.startswith(b"CANCEL ") and via in data
            peer.writer.write(data.replace(b"CANCEL sip:x@127.0.0.1 SIP/2.0", b"SIP/2.0 200 OK"))
            await made.until(lambda: cancel.heard == [200])
            assert made.counters["sip_requests_too_large_for_udp"] == 1

    run(main)


def test_back_to_udp_where_nobody_listens(run: Run) -> None:
    """And for a while TCP is not tried again."""

    async def main() -> None:
        async with rig("udp", "tcp") as made:
            with udp_peer() as phone:
                hop = Hop("udp", *phone.getsockname())
                for number, tries in ((1, 1), (2, 1)):
                    listener = send(made, large(f"z9hG4bK{number}"), hop, f"z9hG4bK{number}")
                    got: list[bytes] = []
                    while not got:
                        got = received(phone)
                        await asyncio.sleep(0.002)
                    assert got[0] == large(f"z9hG4bK{number}")
                    assert made.counters["tcp_connect_failures"] == tries
                    answer = got[0].replace(b"MESSAGE sip:x@127.0.0.1 SIP/2.0", b"SIP/2.0 200 OK")
                    phone.sendto(answer, ("127.0.0.1", made.port("udp")))
                    await made.until(lambda listener=listener: bool(listener.heard))  # type: ignore[misc]
                    assert listener.heard == [200]
                assert made.counters["sip_fell_back_to_udp"] == 1

    run(main)


def test_a_firewall_delays_little(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "BRIEF_S", 0.05)

    async def main() -> None:
        with closing(socket.socket()) as deaf, closing(socket.socket()) as filler:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen(0)
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())  # the backlog is full: who comes now waits
            async with rig("udp", "tcp") as made:
                with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as phone:
                    phone.bind(deaf.getsockname())
                    phone.setblocking(False)
                    send(made, large(), Hop("udp", *phone.getsockname()))
                    await made.until(lambda: bool(received(phone)))

    run(main)


@pytest.mark.parametrize("transports", [("udp",), ("udp", "tcp")])
def test_what_fits_or_has_no_other_way_stays(run: Run, transports: tuple[str, ...]) -> None:
    async def main() -> None:
        async with rig(*transports, limits=Limits(udp_max_bytes=2000)) as made:
            with udp_peer() as phone:
                data = large() if len(transports) > 1 else request("MESSAGE", 1, "UDP", b"x" * 3000)
                send(made, data, Hop("udp", *phone.getsockname()))
                await made.until(lambda: received(phone) == [data])

    run(main)


def test_a_large_response_stays_with_udp(run: Run) -> None:
    async def main() -> None:
        async with rig("udp", "tcp") as made:
            with udp_peer() as phone:
                made.driver.send(b"SIP/2.0 200 OK\r\n" + b"X: y\r\n" * 400, Hop("udp", *phone.getsockname()))
                await made.until(lambda: len(received(phone)) == 1)

    run(main)


def test_both_families_side_by_side(run: Run) -> None:
    async def main() -> None:
        async with rig("udp", "udp:::1", "tcp", "tcp:::1") as made:
            four, six = (port for _, port in made.driver.local.listeners["udp"])
            with udp_peer() as phone4, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as phone6:
                phone6.bind(("::1", 0))
                phone6.setblocking(False)
                for phone, source in ((phone4, ("127.0.0.1", four)), (phone6, ("::1", six))):
                    for listener in (0, 1):
                        host, number = phone.getsockname()[:2]
                        hop = Hop("udp", host, number, listener)
                        made.driver.send(b"hello", hop)
                        await asyncio.sleep(0.01)
                        assert phone.recvfrom(100)[1][:2] == source
                        assert made.driver.local.sent_by(hop).endswith(f":{source[1]}")
            for host, (_, port) in zip(("127.0.0.1", "::1"), made.driver.local.listeners["tcp"], strict=True):
                async with connected(port, host) as peer:
                    peer.writer.write(request())
                    assert f";received={host}".encode() in await peer.message() or host == "127.0.0.1"

    run(main)


def test_connections_of_ours_leave_by_the_listeners_address(run: Run) -> None:
    async def main() -> None:
        async with rig("tcp:127.0.0.3") as made, server() as (port, callers), asyncio.timeout(PATIENCE_S):
            made.driver.send(request(), Hop("tcp", "127.0.0.1", port))
            peer = await callers.get()
            assert peer.writer.get_extra_info("peername")[0] == "127.0.0.3"

    run(main)


def test_stun_on_the_sip_port(run: Run) -> None:
    async def main() -> None:
        async with rig("udp") as made:
            with udp_peer() as phone:
                ask = struct.pack("!HHI12s", stun.BINDING_REQUEST, 0, stun.MAGIC_COOKIE, b"twelve bytes")
                for data in (ask[:-1], b"\0" * 30, ask):
                    phone.sendto(data, ("127.0.0.1", made.port("udp")))
                await made.until(lambda: made.counters["stun_requests"] == 1)
                assert received(phone) == [stun.answer(ask, *phone.getsockname())]
                assert made.counters["stun_dropped"] == 2 and not made.counters["sip_malformed"]

    run(main)
