"""A name server on the loopback, over UDP and TCP, that answers from a zone in memory and misbehaves on request."""

from __future__ import annotations

import asyncio
from collections import Counter

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

SOA = "ns.example. admin.example. 1 3600 600 86400 {minimum}"


class NameServer(asyncio.DatagramProtocol):
    """`zone` is by (name, type) the records as text; a name without any does not exist. `mood`: "well", "silent",
    "broken" (SERVFAIL), "truncated" (over UDP), "rubbish"."""

    def __init__(self, zone: dict[tuple[str, str], list[str]], ttl_s: int = 60, minimum_s: int = 60) -> None:
        self.zone = zone
        self.ttl_s = ttl_s
        self.minimum_s = minimum_s
        self.mood = "well"
        self.asked: Counter[str] = Counter()
        self.address = ("", 0)
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(20):  # until a port is free for both
            self._udp, _protocol = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
            self.address = self._udp.get_extra_info("sockname")[:2]
            try:
                self._tcp = await asyncio.start_server(self._serve, *self.address)
                return
            except OSError:
                self._udp.close()

    async def stop(self) -> None:
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
            await self._tcp.wait_closed()

    def connection_made(self, transport: asyncio.BaseTransport) -> None: ...

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        answer = self._answer(data, "udp")
        if answer is not None and self._udp is not None:
            self._udp.sendto(answer, address)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            size = int.from_bytes(await reader.readexactly(2), "big")
            answer = self._answer(await reader.readexactly(size), "tcp")
            if answer is not None:
                writer.write(len(answer).to_bytes(2, "big") + answer)
                await writer.drain()
        finally:
            writer.close()

    def _answer(self, data: bytes, way: str) -> bytes | None:
        query = dns.message.from_wire(data)
        (question,) = query.question
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked[f"{name} {kind} {way}"] += 1
        response = dns.message.make_response(query)
        if self.mood == "silent":
            return None
        if self.mood == "rubbish":
            return data[:2] + b"\xff" * 20
        if self.mood == "broken":
            response.set_rcode(dns.rcode.SERVFAIL)
            return response.to_wire()
        if self.mood == "truncated" and way == "udp":
            response.flags |= dns.flags.TC
            return response.to_wire()
        records = self.zone.get((name, kind))
        if records:
            response.answer.append(dns.rrset.from_text(question.name, self.ttl_s, "IN", kind, *records))
        else:
            if not any(known == name for known, _ in self.zone):
                response.set_rcode(dns.rcode.NXDOMAIN)
            soa = SOA.format(minimum=self.minimum_s)
            response.authority.append(dns.rrset.from_text("example.", self.ttl_s, "IN", "SOA", soa))
        return response.to_wire()
