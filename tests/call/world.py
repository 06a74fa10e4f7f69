"""A switch in virtual time: no sockets, no sleeps. Phones are scripts that read and write SIP text."""

from __future__ import annotations

import gc
import itertools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from config.loader import load
from config.schema import Site
from media.fake import FakePlane
from pbx.call.bridge import DirectBridge
from pbx.call.call import Call
from pbx.call.events import LegQuality
from pbx.call.screening import Screening
from pbx.call.switch import Rules, Switch
from pbx.call.targets import Targets
from pbx.routing.admission import Admission
from pbx.routing.dial_plan import DialPlan
from pbx.routing.gateways import Gateways
from pbx.routing.location import Location
from pbx.routing.tolls import Tolls
from pbx.routing.trunk import TrunkTable
from pbx.sip.binding import Binding
from pbx.sip.digest import DigestServer
from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response, parse
from pbx.sip.next_hop import Records, Speaks, select
from pbx.sip.registrar import Registrar
from pbx.sip.transaction_layer import TransactionLayer
from pbx.transport.local import Local
from tests.virtual_clock import VirtualClock

SITE = """
site: test
listen: {sip: [udp:192.0.2.100:5060]}
media: {ports: 20000-20099}
records: {url: "sqlite:///test.db"}
trunks:
  carrier: {from: 198.51.100.1, gateway: sip:198.51.100.1, login: {username: us, password: trunk-pw}}
calls: {hold: pass}
extensions:
  101..109: {password: secret}
numbers:
  +33180000001: extension 101
dial_plan:
  - {match: "0X.", to: trunk carrier}
  - {match: "5XX", to: "sip:{number}@203.0.113.9", from: anyone}
"""

PCMA_SDP = (
    "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP {types}\r\n"
    "a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
)


def sdp(port: int = 40000, types: str = "8 0 101", direction: str = "sendrecv", host: str = "192.0.2.1") -> str:
    return PCMA_SDP.format(host=host, port=port, types=types, direction=direction)


class World:
    """A switch with its surroundings. `phone(host)` makes a peer at an address; `run(s)` lets time pass."""

    def __init__(self, text: str = SITE, folder: Path | None = None) -> None:
        path = (folder or Path("/tmp")) / "site.yaml"
        path.write_text(text)
        self.site: Site = load(path)
        self.clock = VirtualClock()
        self.counters: Counter[str] = Counter()
        self.events: list[object] = []
        self.quality: list[LegQuality] = []  # kept apart: one more with each leg that ends
        self.phones: dict[tuple[str, int], Phone] = {}
        self.lost: list[bytes] = []
        self.zone: dict[tuple[str, str], Records | None] = {}  # the name service: (name, type) -> records
        self.layer = TransactionLayer(self._send, self.counters)
        self.receive: Callable[[bytes, Hop, float], None] = self.layer.receive_bytes  # a test may stand in between
        self.plane = FakePlane(self.site.media.ports, prompts={"music"})
        self.location = Location()
        self.admission = Admission(self.site, self.counters)
        self.tolls = Tolls(self.site, self.counters)
        self.gateways = Gateways()
        self.gateways.reconfigure(self.site, self.clock.time)
        local = Local({"udp": [("192.0.2.100", 5060)], "tcp": [("192.0.2.100", 5060)]})
        self.switch = Switch(
            self.layer, local, self.clock, self.plane, self.admission, self._emit, self.counters
        )
        self.layer.core = self.switch
        self.switch.handlers = {kind: DirectBridge(kind).start for kind in ("extension", "trunk", "uri")}
        self.auth_failures: list[tuple[str, str, str]] = []
        self.digest = DigestServer("test", b"x" * 32, lambda user: "secret" if user in self.site.extensions else None)
        trunks = TrunkTable(self.site, self.location.aor_of_source)
        self.switch.configure(
            Rules(
                self.site,
                DialPlan(self.site),
                Targets(
                    self.site, self.location, trunks, self.admission, self.tolls, self.hops, self.gateways,
                    lambda most: 0,
                ),
                Screening(self.digest, trunks, {}, {}, self.counters, lambda *who: self.auth_failures.append(who)),
                Registrar(self.location, self.digest, lambda user: 5 if user in self.site.extensions else None),
            )
        )

    def _emit(self, event: object) -> None:
        if isinstance(event, LegQuality):
            self.quality.append(event)
        else:
            self.events.append(event)

    def hops(self, uri: str) -> tuple[Hop, ...] | None:
        """Where a URI leads by the records in `zone`; what is not there does not exist, None there is not known yet."""
        speaks = Speaks.of(self.site.listen.sip)
        hops, missing = select(uri, lambda question: self.zone.get(question, ()), speaks, lambda most: 0)
        return None if missing else hops

    def phone(self, host: str, port: int = 5060) -> Phone:
        phone = self.phones[host, port] = Phone(self, host, port)
        return phone

    def register(self, extension: str, phone: Phone) -> None:
        """Bind a contact without the messages (the registrar has its own tests)."""
        contact = f"sip:{extension}@{phone.host}:{phone.port}"
        now = self.clock.time
        new = Binding(contact, "", 1.0, now + 3600, "r", 1, phone.hop, phone.hop)
        self.location.replace(extension, [*self.location.contacts(extension, now), new], now)

    def _send(self, data: bytes, hop: Hop) -> None:
        phone = self.phones.get((hop.host, hop.port))
        if phone is None:
            self.lost.append(data)
        else:
            phone.inbox.append(data)

    def run(self, seconds: float = 0.0) -> None:
        """Let `seconds` pass: every timer in its order."""
        end = self.clock.time + seconds
        while True:
            due = min(self.layer.timers.earliest, self.clock.due)
            if due > end:
                break
            self.clock.time = max(self.clock.time, due)
            self.layer.timers.fire(self.clock.time)
            self.clock.fire()
        self.clock.time = end

    def leaks(self) -> dict[str, int]:
        """What is still there; empty when every call is over and its transactions are gone."""
        found = {
            "calls": len(list(self.switch.calls())), "busy": self.switch.busy, "transactions": len(self.layer),
            "ports": len(self.plane.leased), "admitted": self.admission.calls,
            "trunk calls": sum(self.admission.trunk_calls(name) for name in self.site.trunks),
            "bills": sum(row["calls"] for row in self.tolls.view(self.clock.time)),
            "extension legs": sum(self.switch.extension_legs(name) for name in self.site.extensions),
            "SIP timers": len(self.layer.timers),
            "other timers": self.clock.pending(),
        }  # fmt: skip
        return {name: count for name, count in found.items() if count}

    def named(self, kind: str) -> list[object]:
        return [event for event in self.events if type(event).__name__ == kind]


class Phone:
    """A peer at an address: sends what it is told, keeps what it got."""

    def __init__(self, world: World, host: str, port: int) -> None:
        self.world = world
        self.host = host
        self.port = port
        self.hop = Hop("udp", host, port)
        self.inbox: list[bytes] = []
        self._branches = itertools.count(1)

    def send(self, text: str) -> None:
        self.world.receive(text.encode(), self.hop, self.world.clock.time)

    def take(self) -> Request | Response:
        """The oldest message not yet read."""
        assert self.inbox, "nothing came"
        return parse(self.inbox.pop(0))

    def response(self, status: int) -> Response:
        message = self.take()
        assert isinstance(message, Response) and message.status == status, str(vars_of(message))
        return message

    def request(self, method: str) -> Request:
        message = self.take()
        assert isinstance(message, Request) and message.method == method, str(vars_of(message))
        return message

    def branch(self) -> str:
        return f"z9hG4bK{self.host}-{next(self._branches)}"

    # --- as a caller ------------------------------------------------------------------------------------------------

    def invite(self, number: str, *, call: str = "c1", body: str | None = None, cseq: int = 1, user: str = "anna",
               extra: str = "", to_tag: str = "", branch: str = "", contact: str | None = None,
               via_port: int | None = None, kind: str = "application/sdp") -> str:  # fmt: skip
        """Send an INVITE; returns it as text, to be repeated or cancelled."""
        body = sdp(host=self.host) if body is None else body
        tag = f";tag={to_tag}" if to_tag else ""
        kind = f"Content-Type: {kind}\r\n" if body else ""
        contact = f"<sip:{user}@{self.host}:{self.port}>" if contact is None else contact
        text = (
            f"INVITE sip:{number}@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/UDP {self.host}:{via_port or self.port};"
            f"branch={branch or self.branch()}\r\nMax-Forwards: 70\r\nFrom: <sip:{user}@{self.host}>;tag=f{call}\r\n"
            f"To: <sip:{number}@192.0.2.100>{tag}\r\nCall-ID: {call}\r\nCSeq: {cseq} INVITE\r\n"
            f"Contact: {contact}\r\n{extra}{kind}Content-Length: {len(body)}\r\n\r\n{body}"
        )
        self.send(text)
        return text

    def follow(
        self, method: str, invite: str, to_tag: str = "", *, cseq: int = 1, body: str = "", extra: str = "",
        kind: str = "application/sdp",
    ) -> None:  # fmt: skip
        """ACK, BYE, CANCEL or another request of the dialog (or transaction) that an INVITE of ours began."""
        head = dict(re.findall(r"^([\w-]+): (.*)\r$", invite, re.M))
        same = method == "CANCEL" or (method == "ACK" and not to_tag)
        via = head["Via"] if same else f"SIP/2.0/UDP {self.host}:{self.port};branch={self.branch()}"
        tag = f";tag={to_tag}" if to_tag and "tag=" not in head["To"] else ""
        uri = invite.split(" ")[1]
        extra += f"Content-Type: {kind}\r\n" if body else ""
        self.send(
            f"{method} {uri} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: {head['From']}\r\n"
            f"To: {head['To']}{tag}\r\n"
            f"Call-ID: {head['Call-ID']}\r\nCSeq: {cseq} {method}\r\nContact: {head['Contact']}\r\n{extra}"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def ack_refusal(self, invite: str, refusal: Response) -> None:
        """The ACK of a final response other than 2xx: same branch, To of the response."""
        head = dict(re.findall(r"^([\w-]+): (.*)\r$", invite, re.M))
        self.send(
            f"ACK {invite.split(' ')[1]} SIP/2.0\r\nVia: {head['Via']}\r\nFrom: {head['From']}\r\n"
            f"To: {refusal.get('To')}\r\nCall-ID: {head['Call-ID']}\r\nCSeq: {head['CSeq'].split()[0]} ACK\r\n"
            "Content-Length: 0\r\n\r\n"
        )

    # --- as a called phone ------------------------------------------------------------------------------------------

    def answer(self, request: Request, status: int, *, body: str = "", tag: str = "callee", extra: str = "",
               contact: str | None = "", kind: str = "application/sdp") -> None:  # fmt: skip
        """Respond to a request; `contact` None: without one."""
        via = "".join(f"Via: {value}\r\n" for value in request.all("Via"))
        to = request.get("To") or ""
        to = to if "tag=" in to else f"{to};tag={tag}"
        line = "" if contact is None else f"Contact: {contact or f'<sip:x@{self.host}:{self.port}>'}\r\n"
        kind = f"Content-Type: {kind}\r\n" if body else ""
        self.send(
            f"SIP/2.0 {status} Whatever\r\n{via}From: {request.get('From')}\r\nTo: {to}\r\n"
            f"Call-ID: {request.call_id}\r\n"
            f"CSeq: {request.get('CSeq')}\r\n{line}{extra}{kind}"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def ack_answer(self, text: str) -> None:
        """The ACK of a 2xx to what `back` sent."""
        ack = text.replace("INVITE sip", "ACK sip", 1).replace(" INVITE\r\n", " ACK\r\n")
        self.send(ack.replace("z9hG4bK", "z9hG4bKack"))

    def bye(self, invite: Request, *, cseq: int = 1, tag: str = "callee", extra: str = "") -> None:
        """Hang up as the called side of an INVITE that we took."""
        self.back("BYE", invite, cseq=cseq, tag=tag, extra=extra)

    def back(
        self, method: str, invite: Request, *, cseq: int = 1, tag: str = "callee", body: str = "", extra: str = "",
        kind: str = "application/sdp",
    ) -> str:  # fmt: skip
        """A request in the dialog, as the called side of an INVITE that we took; returns it as text."""
        contact = re.search(r"<(.*?)>", invite.get("Contact") or "")
        assert contact
        extra += f"Content-Type: {kind}\r\n" if body else ""
        extra += f"Contact: <sip:x@{self.host}:{self.port}>\r\n" if method in ("INVITE", "UPDATE") else ""
        text = (
            f"{method} {contact[1]} SIP/2.0\r\nVia: SIP/2.0/UDP {self.host}:{self.port};branch={self.branch()}\r\n"
            f"Max-Forwards: 70\r\nFrom: {invite.get('To')};tag={tag}\r\nTo: {invite.get('From')}\r\n"
            f"Call-ID: {invite.call_id}\r\nCSeq: {cseq} {method}\r\n{extra}Content-Length: {len(body)}\r\n\r\n{body}"
        )
        self.send(text)
        return text


def vars_of(message: Request | Response) -> object:
    return (getattr(message, "method", None), getattr(message, "status", None), message.headers, message.body)


def hears_music(call: Call, name: str) -> None:
    """A handler: the caller waits, nobody comes."""
    call.play(("music",), loop=True)


def check_no_cycles(world: World, flows: Sequence[Callable[[World], None]]) -> None:
    """Each flow, once it is over, leaves nothing that only the collector could free."""
    handlers = dict(world.switch.handlers)

    def play(flow: Callable[[World], None]) -> None:
        flow(world)
        world.run(100)
        world.phones.clear()
        world.events.clear()
        world.counters.clear()
        world.plane.down = False
        world.switch.handlers = dict(handlers)
        world.location.remove("101", world.clock.time)

    gc.disable()
    try:
        for flow in flows:
            play(flow)
            gc.collect()  # what the first time alone leaves: caches, compiled patterns
            play(flow)
            assert gc.collect() == 0, flow.__name__
    finally:
        gc.enable()
