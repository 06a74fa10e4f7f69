"""A transaction's surroundings in virtual time: what was sent, when; timers that fire when told."""

from __future__ import annotations

from collections import Counter

from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response, parse
from pbx.sip.timers import Timers
from pbx.sip.transaction import Transaction

UDP = Hop("udp", "192.0.2.1", 5060)
TCP = Hop("tcp", "192.0.2.1", 5060)


class FakeNetwork:
    """Stands for the transaction layer."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers = Timers()
        self.counters: Counter[str] = Counter()
        self.sent: list[tuple[float, bytes]] = []
        self.forgotten: list[Transaction] = []

    def send(self, data: bytes, hop: Hop) -> None:
        self.sent.append((round(self.now - 1000.0, 3), data))

    def forget(self, transaction: Transaction) -> None:
        self.forgotten.append(transaction)

    def run(self, until_s: float) -> None:
        """Fire timers one by one up to `until_s` seconds after the start."""
        while self.timers.earliest <= 1000.0 + until_s:
            self.now = max(self.now, self.timers.earliest)
            self.timers.fire(self.now)
        self.now = 1000.0 + until_s

    @property
    def times(self) -> list[float]:
        return [time for time, _ in self.sent]

    @property
    def starts(self) -> list[str]:
        """The first line of everything sent."""
        return [data.split(b"\r\n", 1)[0].decode() for _, data in self.sent]


class User:
    """Records what a client transaction tells."""

    def __init__(self) -> None:
        self.heard: list[int | str] = []

    def on_response(self, response: Response, hop: Hop, now: float) -> None:
        self.heard.append(response.status)

    def on_failure(self, status: int, now: float) -> None:
        self.heard.append(f"failure {status}")

    def on_cancel(self, request: Request, now: float) -> None:
        self.heard.append("cancel")


def request(method: str = "INVITE", *, branch: str = "z9hG4bKabc", to_tag: str = "", extra: str = "", body: str = "",
            cseq: int = 1, uri: str = "sip:bob@192.0.2.9") -> bytes:  # fmt: skip
    tag = f";tag={to_tag}" if to_tag else ""
    return (
        f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch={branch}\r\nMax-Forwards: 70\r\n"
        f"From: Alice <sip:alice@example.com>;tag=a1\r\nTo: Bob <sip:bob@example.com>{tag}\r\n"
        "Call-ID: c1@example.com\r\n"
        f"CSeq: {cseq} {method}\r\nContact: <sip:alice@192.0.2.1>\r\n{extra}Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def response(
    status: int, method: str = "INVITE", *, branch: str = "z9hG4bKabc", tag: str = "b1", cseq: int = 1
) -> Response:
    data = (
        f"SIP/2.0 {status} Any\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch={branch}\r\n"
        f"From: Alice <sip:alice@example.com>;tag=a1\r\nTo: Bob <sip:bob@example.com>;tag={tag}\r\n"
        "Call-ID: c1@example.com\r\n"
        f"CSeq: {cseq} {method}\r\nContact: <sip:bob@192.0.2.9>\r\nContent-Length: 0\r\n\r\n"
    ).encode()
    parsed = parse(data)
    assert isinstance(parsed, Response)
    return parsed


def parsed_request(method: str = "INVITE", **options: object) -> Request:
    parsed = parse(request(method, **options))  # type: ignore[arg-type]
    assert isinstance(parsed, Request)
    return parsed
