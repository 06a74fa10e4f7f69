"""The media load: our UAC and the RTP generator, without any server."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

from bench.media_cost import Callers, compile_rtp_load
from bench.ports import free_port

OK = (
    "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1\r\nFrom: <sip:load@x>;tag=1\r\nTo: <sip:2001@x>;tag=2\r\n"
    "Call-ID: {call_id}\r\nCSeq: 1 INVITE\r\nContact: <sip:b2b@127.0.0.1:5999;x=y>\r\nContent-Length: 10\r\n\r\n"
    "m=audio 4242 RTP/AVP 0\r\n"
)


def test_every_packet_that_is_echoed_is_counted(tmp_path: Path) -> None:
    async def scene() -> list[str]:
        loop = asyncio.get_running_loop()

        class Echo(asyncio.DatagramProtocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                self.transport = transport

            def datagram_received(self, data: bytes, address: object) -> None:
                self.transport.sendto(data, address)  # type: ignore[attr-defined]

        transport, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
        port = free_port()
        program = await asyncio.to_thread(compile_rtp_load, tmp_path)
        pipe = asyncio.subprocess.PIPE
        load = await asyncio.create_subprocess_exec(str(program), "0.4", stdin=pipe, stdout=pipe)
        out, _ = await load.communicate(f"{port} {transport.get_extra_info('sockname')[1]} 0\n".encode())
        transport.close()
        assert load.returncode == 0
        return out.decode().split()

    sockets, sent, received, worst, *_ = asyncio.run(scene())
    assert (sockets, sent, received, worst) == ("1", "20", "20", "1.0000")


def test_the_caller_acknowledges_and_hangs_up_at_the_contact() -> None:
    async def scene() -> list[str]:
        loop = asyncio.get_running_loop()
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        callers = Callers(server.getsockname(), "2001")
        transport, _ = await loop.create_datagram_endpoint(lambda: callers, local_addr=("127.0.0.1", 0))
        callers.invite(0)
        invite, address = await loop.sock_recvfrom(server, 4096)
        call_id = invite.decode().partition("Call-ID: ")[2].partition("\r")[0]
        await loop.sock_sendto(server, OK.format(call_id=call_id).encode(), address)
        ack = await loop.sock_recv(server, 4096)
        assert callers.dialogs[0].rtp_port == 4242
        callers.bye(0)
        bye = await loop.sock_recv(server, 4096)
        await loop.sock_sendto(server, OK.format(call_id=call_id).replace("200 OK", "486 No").encode(), address)
        async with asyncio.timeout(30):
            while not callers.refused:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        transport.close()
        server.close()
        return [message.decode().partition("\r")[0] for message in (invite, ack, bye)]

    invite, ack, bye = asyncio.run(scene())
    assert invite.startswith("INVITE sip:2001@127.0.0.1:")
    assert ack == "ACK sip:b2b@127.0.0.1:5999 SIP/2.0"
    assert bye == "BYE sip:b2b@127.0.0.1:5999 SIP/2.0"
