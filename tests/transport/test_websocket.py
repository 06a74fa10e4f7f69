"""SIP over WebSocket (RFC 7118) by real sockets, and its framing by itself."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from pbx.sip.errors import SipError
from pbx.sip.hop import Hop
from pbx.transport import stream, streams
from pbx.transport.streams import Limits
from pbx.transport.tls import TlsFiles
from pbx.transport.websocket import MAX_MESSAGE_BYTES, WebSocket

from .certificates import Authority
from .conftest import PATIENCE_S, Rig, Run, connected, request, rig, trusting
from .test_tls import Listener


@asynccontextmanager
async def browser(
    made: Rig, transport: str = "ws", authority: Authority | None = None
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    scheme, tls = ("wss", trusting(authority)) if authority else ("ws", True)
    url = f"{scheme}://127.0.0.1:{made.port(transport)}/"
    async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE_S):
        async with session.ws_connect(url, protocols=("sip",), ssl=tls) as socket:
            yield socket
    await asyncio.sleep(0.01)


def test_messages(run: Run, authority: Authority, files: TlsFiles) -> None:
    async def main() -> None:
        async with rig("ws", "wss", tls=files) as made:
            for transport, by in (("ws", None), ("wss", authority)):
                async with browser(made, transport, by) as socket:
                    assert socket.protocol == "sip"
                    await socket.send_str(request(number=1, transport=transport.upper()).decode())
                    answer = await socket.receive_str()
                    assert answer.startswith("SIP/2.0 200") and "branch=z9hG4bK1;" in answer
                    await socket.send_bytes(request(number=2, transport=transport.upper(), body=b"\xff" * 9000))
                    assert "branch=z9hG4bK2;" in await socket.receive_str()
                    assert made.core.requests[-1][1].transport == transport
                    await socket.send_str("\r\n\r\n")  # RFC 7118 6
                    assert await socket.receive_str() == "\r\n"
                    await socket.ping(b"x")
                await made.until(lambda: len(made.driver._streams) == 0)
            assert not made.counters

    run(main)


def test_a_message_without_a_length(run: Run) -> None:
    """RFC 7118 5: the frame says where it ends."""

    async def main() -> None:
        async with rig("ws") as made, browser(made) as socket:
            await socket.send_bytes(request(transport="WS").replace(b"Content-Length: 0\r\n", b""))
            assert (await socket.receive_str()).startswith("SIP/2.0 200")

    run(main)


def test_what_stands_behind_a_message_is_none(run: Run) -> None:
    """RFC 7118 5: whatever lengths its head has, a frame holds one message."""

    async def main() -> None:
        inner = request(number=2, transport="WS")
        async with rig("ws") as made, browser(made) as socket:
            for lengths, status in ((b"0\r\nContent-Length: 9", "400"), (b"0x5\r\nl: 0", "400"), (b"0", "200")):
                outer = request(number=int(status), transport="WS").replace(b"Length: 0", b"Length: " + lengths)
                await socket.send_bytes(outer + inner)
                assert (await socket.receive_str()).startswith(f"SIP/2.0 {status}")
            assert [one.body for one, _ in made.core.requests] == [b""]

    run(main)


def test_requests_go_back_by_the_connection(run: Run) -> None:
    async def main() -> None:
        closed: list[Hop] = []
        async with rig("ws") as made:
            made.driver.on_closed = closed.append
            listeners = [Listener(), Listener()]

            def call(number: int) -> None:
                data = request("MESSAGE", number, "WS")
                made.driver.layer.request(
                    data, f"z9hG4bK{number}", "MESSAGE", hop, listeners[number], made.driver.now()
                )

            async with browser(made) as socket:
                await socket.send_bytes(request(transport="WS", number=9))
                await socket.receive()
                hop = made.core.requests[0][1]
                call(0)
                assert (await socket.receive_str()).startswith("MESSAGE sip:x")
            await made.until(lambda: listeners[0].heard == [-503])  # at once, with the connection
            assert closed == [hop] and not made.driver.connected(hop)
            call(1)  # a browser can't be connected to
            await made.until(lambda: listeners[1].heard == [-503])
            made.driver.send(b"SIP/2.0 200 OK\r\n\r\n", hop)
            assert made.counters["tcp_unreachable"] == 1 and made.counters["tcp_sends_lost"] == 1

    run(main)


def handshake(**changes: str | None) -> bytes:
    changed = {name.replace("_", "-"): value for name, value in changes.items()}
    headers: dict[str, str | None] = {
        "Host": "x", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "sip",
        **changed,
    }  # fmt: skip
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value is not None)
    return f"GET / HTTP/1.1\r\n{lines}\r\n".encode()


@pytest.mark.parametrize(
    ("first", "status"),
    [
        (handshake(), b"101"),
        (handshake(Sec_WebSocket_Protocol="chat, sip"), b"101"),
        (handshake(Sec_WebSocket_Protocol=None), b"400"),
        (handshake(Sec_WebSocket_Protocol="chat"), b"400"),
        (handshake(Upgrade=None), b"426"),
        (handshake(Connection="close"), b"426"),
        (handshake(Sec_WebSocket_Key="x"), b"400"),
        (handshake(Sec_WebSocket_Version="8"), b"400"),
        (handshake(Origin="https://evil.example"), b"403"),
        (handshake(Origin="https://shop.example"), b"101"),
        (handshake().replace(b"GET", b"POST"), b"405"),
        (handshake(X="y" * 20_000), b""),
        (b"OPTIONS sip:x SIP/2.0\r\n\r\n", b""),
        (b"\0" * 100 + b"\r\n", b""),
        (b"x" * 100_000, b""),
    ],
)
def test_the_handshake(run: Run, first: bytes, status: bytes) -> None:
    async def main() -> None:
        origins = ("https://shop.example",) if b"Origin" in first else ()
        async with rig("ws", limits=Limits(origins=origins)) as made, connected(made.port("ws")) as peer:
            peer.writer.write(first)
            if status == b"101":
                assert (await peer.message()).startswith(b"HTTP/1.1 101 ")
                assert made.counters["ws_handshakes_refused"] == 0
                return
            try:
                async with asyncio.timeout(PATIENCE_S):
                    answer = await peer.reader.read()
            except ConnectionError:
                assert len(first) > 10_000
            else:
                assert answer.split(b" ")[1].startswith(status) if status else True
            assert not made.driver._streams and not made.core.requests

    run(main)


def test_half_a_handshake_is_cut_off(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PARTIAL_S", 0.1)

    async def main() -> None:
        async with rig("ws") as made:
            for first in (b"", b"GET / HTTP/1.1\r\nX: y\r\n"):
                async with connected(made.port("ws")) as peer:
                    peer.writer.write(first)
                    assert await peer.is_cut_off()
            assert made.counters["tcp_partial_timeouts"] == 2

    run(main)


def frame(opcode: Opcode, data: bytes, *, fin: bool = True, masked: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=masked, extensions=[])


@pytest.mark.parametrize(
    "bad",
    [
        frame(Opcode.TEXT, b"x", masked=False),
        frame(Opcode.CONT, b"x"),
        b"\x83\x80\0\0\0\0",  # a reserved opcode
        b"\xc1\x80\0\0\0\0",  # a reserved bit
        b"\x89\xfe\x00\x80" + b"x" * 132,  # a ping too long
        frame(Opcode.TEXT, b"\xff\xfe hello"),
        b"\x82\xff" + (MAX_MESSAGE_BYTES + 1).to_bytes(8, "big"),  # tells that it is too long
        b"\x82\xff" + (1 << 62).to_bytes(8, "big"),
        b"".join(frame(Opcode.BINARY if n == 0 else Opcode.CONT, b"x" * 10_000, fin=False) for n in range(1000)),
        b"\x82\xff" + (10_000_000).to_bytes(8, "big") + b"x" * 10_000_000,
        # No harm one by one, but to read many costs far more than to send them.
        frame(Opcode.PING, b"") * 20_000,
        frame(Opcode.PONG, b"") * 20_000,
        frame(Opcode.BINARY, b"") * 20_000,
        frame(Opcode.BINARY, b"", fin=False) + frame(Opcode.CONT, b"", fin=False) * 20_000,
    ],
)
def test_a_bad_frame_ends_it(run: Run, bad: bytes) -> None:
    async def main() -> None:
        async with rig("ws") as made, connected(made.port("ws")) as peer:
            peer.writer.write(handshake())
            await peer.message()
            peer.writer.write(bad)
            try:
                async with asyncio.timeout(PATIENCE_S):
                    assert (await peer.reader.read())[:1] in (b"\x88", b"\x8a", b"")
            except ConnectionError:
                assert len(bad) > 100_000
            assert made.counters["tcp_unframeable"] == 1 and not made.core.requests
            await made.until(lambda: len(made.driver._streams) == 0)

    run(main)


def test_fragments_and_what_comes_between(run: Run) -> None:
    async def main() -> None:
        async with rig("ws") as made, connected(made.port("ws")) as peer:
            peer.writer.write(handshake())
            await peer.message()
            data = request(transport="WS", body="é".encode() * 3000)
            for octet in (
                frame(Opcode.TEXT, data[:10], fin=False)
                + frame(Opcode.PING, b"are you there")
                + frame(Opcode.CONT, b"", fin=False)
                + frame(Opcode.CONT, data[10:7000], fin=False)
                + frame(Opcode.CONT, data[7000:])
            ):
                peer.writer.write(bytes((octet,)))
            assert await peer.read(2 + 13) == b"\x8a\x0dare you there"
            await peer.message()
            assert made.core.requests[0][0].body == "é".encode() * 3000
            peer.writer.write(frame(Opcode.CLOSE, b"\x03\xe8"))
            assert await peer.read(4) == b"\x88\x02\x03\xe8"
            assert await peer.is_cut_off()

    run(main)


def test_signs_of_life_are_asked_for(run: Run) -> None:
    async def main() -> None:
        async with rig("ws") as made, connected(made.port("ws")) as peer:
            peer.writer.write(handshake())
            await peer.message()
            peer.writer.write(frame(Opcode.BINARY, request(transport="WS")))
            await peer.message()
            made.driver._streams.sweep(made.driver._loop.time() + streams.PING_WEB_S + 1)
            assert await peer.read(2) == b"\x89\x00"

    run(main)


# --- the framing ----------------------------------------------------------------------------------------------------


def opened() -> tuple[WebSocket, ClientProtocol]:
    ours, theirs = WebSocket((), Counter()), ClientProtocol(parse_uri("ws://x/"), subprotocols=["sip"])  # type: ignore[list-item]
    theirs.send_request(theirs.connect())
    assert ours.partial
    assert list(ours.feed(b"".join(theirs.data_to_send()))) == []
    theirs.receive_data(ours.outgoing())
    assert not ours.partial and theirs.handshake_exc is None
    return ours, theirs


@given(st.lists(st.tuples(st.binary(max_size=300), st.integers(1, 400)), max_size=8))
def test_round_trip(messages: list[tuple[bytes, int]]) -> None:
    """However the bytes are cut, and both ways; what is whole leaves nothing half."""
    ours, theirs = opened()
    for message, size in messages:
        theirs.send_binary(message)
        data = b"".join(theirs.data_to_send())
        heard: list[bytes] = []
        for start in range(0, len(data), size):
            heard += ours.feed(data[start : start + size])
            assert ours.partial == (start + size < len(data))
        assert heard == [message]
        theirs.receive_data(ours.frame(message))
        [event] = theirs.events_received()[-1:]
        assert isinstance(event, Frame) and bytes(event.data) == message
        assert event.opcode is (Opcode.BINARY if _not_text(message) else Opcode.TEXT)


def _not_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return True
    return False


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_rubbish(pieces: list[bytes]) -> None:
    for framing in (WebSocket((), Counter()), opened()[0]):
        try:
            for piece in pieces:
                for _ in framing.feed(piece):
                    pass
                if framing.ended:
                    break
        except SipError:
            pass
        framing.outgoing()
        framing.close()
        framing.close()
