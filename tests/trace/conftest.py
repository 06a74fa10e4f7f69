"""A ring with a clock that a test moves, and the messages and events of one call between a carrier and an agent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from pbx.call import events
from pbx.sip.hop import Hop
from pbx.trace.captured import Address, Captured
from pbx.trace.reader import Reader
from pbx.trace.ring import Ring

START = 1_795_300_000.0
OURS = {"4": ("192.0.2.1", 5060), "6": ("2001:db8::1", 5060)}
CARRIER = Hop("udp", "198.51.100.7", 5060)
PHONE = Hop("tls", "192.0.2.44", 40123)
SDP = (
    "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)


def ours(hop: Hop) -> Address:
    return OURS["6" if ":" in hop.host else "4"]


def request(
    method: str, call_id: str, caller: str = "+33612345678", called: str = "+33180000000", *, cseq: int = 1,
    more: str = "", body: str = "", uri: str = "",
) -> bytes:  # fmt: skip
    """A request of a call."""
    content = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}" if body else "\r\n"
    return (
        f"{method} {uri or f'sip:{called}@192.0.2.1'} SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK{cseq}\r\n"
        f"From: <sip:{caller}@carrier.example>;tag=a\r\nTo: <sip:{called}@192.0.2.1>\r\nCall-ID: {call_id}\r\n"
        f"CSeq: {cseq} {method}\r\n{more}{content}"
    ).encode()


def response(status: str, to: bytes, body: str = "") -> bytes:
    """A response to a request."""
    head = to.partition(b"\r\nContent")[0].rstrip(b"\r\n").split(b"\r\n", 1)[1].decode()
    content = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}" if body else "\r\n"
    return f"SIP/2.0 {status}\r\n{head}\r\n{content}".encode()


class Recorder:
    """A ring and its clock."""

    def __init__(self, max_bytes: int = 1 << 20, max_age_s: float = 600.0) -> None:
        self.now = START
        self.counters: Counter[str] = Counter()
        self.ring = Ring(max_bytes, max_age_s, lambda: self.now, self.counters)

    def got(self, data: bytes, hop: Hop = CARRIER, after_s: float = 0.01) -> bytes:
        self.now += after_s
        self.ring.message("<-", data, hop)
        return data

    def sent(self, data: bytes, hop: Hop = CARRIER, after_s: float = 0.001) -> bytes:
        self.now += after_s
        self.ring.message("->", data, hop)
        return data

    def all(self) -> list[Captured]:
        return list(self.read(Reader(self.ring, ours)))

    def read(self, reader: Reader) -> Iterator[Captured]:
        while reader.behind:
            yield from reader.step()

    def call(self) -> None:
        """An inbound call to an agent, who answers at the second ring and hears the caller hang up."""
        invite = self.got(request("INVITE", "in@carrier", body=SDP))
        self.got(invite, after_s=0.5)  # retransmitted
        self.sent(response("100 Trying", invite))
        started = (self.now, "c1", "inbound", "+33612345678", "+33180000000", "carrier", "queue asia", "in@carrier")
        self.ring.event(events.CallStarted(*started))
        called = self.sent(request("INVITE", "out@plateau", called="101", body=SDP, uri="sip:101@192.0.2.44"), PHONE)
        self.ring.event(events.LegStarted(self.now, "c1", 2, "sip:101@192.0.2.44", "alice", "out@plateau"))
        self.got(response("180 Ringing", called), PHONE, after_s=0.2)
        self.got(response("200 OK", called, SDP), PHONE, after_s=3.0)
        self.sent(request("ACK", "out@plateau", called="101"), PHONE)
        self.sent(response("200 OK", invite, SDP))
        self.ring.event(events.CallConnected(self.now, "c1", 2, "alice"))
        self.got(request("ACK", "in@carrier"))
        bye = self.got(request("BYE", "in@carrier", cseq=2), after_s=60.0)
        self.sent(response("200 OK", bye))
        self.ring.event(events.CallEnded(self.now, "c1", "caller hung up", 200, 3000, 3000, 0, 0.5))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def recorded(recorder: Recorder) -> Recorder:
    """With the call in it."""
    recorder.call()
    return recorder
