"""Telephones of an office in virtual time: they dial, answer, transfer and hang up as a test tells them, and say what
became of it."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

from pbx.call import pickup, replaces
from pbx.call.feature_codes import FeatureCodes
from pbx.call.forwarding import Forwarding, TrunkCalls
from pbx.call.groups import Groups
from pbx.call.park import Park
from pbx.call.phone_settings import PhoneSettings
from pbx.call.refer import Refers
from pbx.call.rooms import Rooms
from pbx.call.screening import Identity
from pbx.sip.binding import Binding
from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response

from .world import Phone, World, sdp

SITE = """
site: test
listen: {sip: [udp:192.0.2.100:5060]}
media: {ports: 20000-20199}
records: {url: "sqlite:///test.db"}
trunks:
  carrier: {from: 198.51.100.1, gateway: sip:198.51.100.1, trusted: true}
  partner: {from: 198.51.100.2, gateway: sip:198.51.100.2, refer: true, redirects: follow}
extensions:
  101..105: {password: secret, pickup_groups: sales}
  106: {password: secret}
  107: {password: secret, picks_up: sales, forward: {no_answer: extension 108, after_s: 12}}
  108: {password: secret, max_calls: 1, forward: {busy: extension 106}}
  109: {password: secret, forward: {unregistered: number 0199}}
groups:
  together: {extensions: [101, 102, 103], ring_s: 10, otherwise: extension 106}
  ordered: {extensions: [101, 102, 103], ring: in order, ring_s: 10}
  turns: {extensions: [101, 102, 103], ring: rotating, ring_s: 10}
  idle: {extensions: [101, 102, 103], ring: longest idle, ring_s: 10}
park:
  house: {slots: 701-702, timeout_s: 60, otherwise: extension 106}
numbers:
  +33180000001: extension 101
  +33180000002: group together
conferences:
  open: {music: "tone:noise"}
  board: {pin: "1234", max_members: 3, ask_pin: "tone:dial", wrong_pin: "tone:sit"}
dial_plan:
  - {match: "*40", to: conference open}
  - {match: "*41", to: conference board}
  - {match: "*42", to: conference new}
  - {match: "*3X.", to: "add {number:2}"}
  - {match: "*8", to: pickup group}
  - {match: "*8XXX", to: "pickup {number:2}"}
  - {match: "700", to: park house}
  - {match: "70X", to: "park house {number}"}
  - {match: "61", to: group together}
  - {match: "62", to: group ordered}
  - {match: "63", to: group turns}
  - {match: "64", to: group idle}
  - {match: "*781", to: set dnd on}
  - {match: "*780", to: set dnd off}
  - {match: "*720", to: set forward-always off}
  - {match: "*72.", to: "set forward-always {number:3}"}
  - {match: "*90.", to: "set forward-busy {number:3}"}
  - {match: "0X.", to: trunk carrier}
  - {match: "9X.", to: trunk partner, from: anyone}
"""

_ANSWERED = itertools.count(1)


def add_features(world: World, settings: PhoneSettings) -> tuple[Groups, Park, Rooms]:
    """All that phones can do with calls."""
    switch, is_registered = world.switch, world.location.is_registered
    groups, forwarding, park = Groups(switch, settings, is_registered), Forwarding(settings, is_registered), Park()
    rooms = Rooms(switch)
    switch.handlers |= {
        "extension": forwarding.start, "number": forwarding.number, "trunk": TrunkCalls().start,
        "group": groups.start, "park": park.start, "pickup": pickup.start, "replaces": replaces.start,
        "set": FeatureCodes(settings).start, "conference": rooms.start, "add": rooms.dialled,
    }  # fmt: skip
    switch.on_extension_legs = groups.phone_calls
    Refers(switch, rooms)
    emit = switch.emit

    def emit_and_follow(event: object) -> None:
        emit(event)
        rooms.event(event)

    switch.emit = emit_and_follow
    return groups, park, rooms


class Office(World):
    """A switch with all call features, and phones that are known by their address."""

    person: type[Telephone]

    def __init__(self, folder: Path | None = None, text: str = SITE) -> None:
        super().__init__(text, folder)
        self.saved: list[tuple[str, str, str | None]] = []
        self.settings = PhoneSettings(self.site, lambda *row: self.saved.append(row))
        self.groups, self.park, self.rooms = add_features(self, self.settings)
        self.plane.prompts |= {"tone:noise", "tone:dial", "tone:sit"}
        self.people: dict[tuple[str, int], Telephone] = {}
        screening = self.switch.rules.screening
        screening.identify = self._identify  # type: ignore[method-assign]
        screening.trunk_of = lambda request, hop: ("", "")  # type: ignore[method-assign]

    def _identify(self, request: Request, hop: Hop, now: float) -> Identity | tuple[int, str]:
        who = self.people[hop.host, hop.port]
        return Identity(who.number, "", None if who.trunk else who.number, who.trunk)

    def telephone(self, extension: str, host: str = "", q: float = 1.0) -> Telephone:
        """A registered phone."""
        phone = self.person(self, host or f"192.0.2.{extension[-3:]}", extension, None)
        contact = f"sip:{extension}@{phone.host}:{phone.port}"
        now = self.clock.time
        new = Binding(contact, "", q, now + 36000, "r", 1, phone.hop, phone.hop)
        self.location.replace(extension, [*self.location.contacts(extension, now), new], now)
        return phone

    def carrier(self, number: str = "+33612345678") -> Telephone:
        """Somebody outside."""
        return self.person(self, "198.51.100.1", number, "carrier")

    def partner(self, number: str = "+33698765432") -> Telephone:
        return self.person(self, "198.51.100.2", number, "partner")

    def settle(self) -> None:
        """Everybody reads what he got and does what phones do with it by themselves."""
        while any(person.inbox for person in self.people.values()):
            for person in list(self.people.values()):
                person.read()

    def pass_time(self, seconds: float) -> None:
        """Time passes, and phones answer meanwhile."""
        end = self.clock.time + seconds
        while self.clock.time < end:
            self.run(min(0.25, end - self.clock.time))
            self.settle()

    def hang_up_all(self) -> None:
        for person in self.people.values():
            for talk in person.talks:
                if talk.status == 200 and not talk.ended and talk.port:
                    talk.ended = True
                    talk.bye()

    def over(self) -> None:
        """Everybody hangs up, and nothing may be left."""
        self.hang_up_all()
        self.pass_time(100)
        assert self.leaks() == {}

    def hear_each_other(self, a: Talk, b: Talk) -> bool:
        return a.port != 0 and self.plane.bridged.get(a.port) == b.port

    def all_hear_each_other(self, *talks: Talk) -> bool:
        """And nobody else."""
        ports = {talk.port for talk in talks}
        return len(ports) == len(talks) and all(self.plane.hears(port) == ports - {port} for port in ports)

    def call_of(self, talk: Talk) -> object:
        return next(call for call in self.switch.calls() if call.caller.dialog.call_id == talk.call_id)

    def named(self, kind: str) -> list[Any]:
        return super().named(kind)

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]


class Talk:
    """One dialog of a telephone."""

    def __init__(self, phone: Telephone, call_id: str, local: str, remote: str, target: str) -> None:
        self.phone = phone
        self.call_id = call_id
        self.local = local
        self.remote = remote  # with the tag once there is one
        self.target = target
        self.cseq = 1
        self.invite: Request | None = None  # that we got
        self.sent = ""  # that we sent
        self.status = 0  # the last response to ours
        self.port = 0  # of the server's sound for us
        self.ended = False  # by the other side
        self.frags: list[str] = []  # what NOTIFY said
        self.directions: list[str] = []  # that re-INVITEs asked us for
        self.told: list[int] = []  # responses to REFER
        self.final: Response | None = None

    @property
    def tags(self) -> tuple[str, str]:
        """(the server's, ours)"""
        return re.findall(r"tag=([^;>]+)", self.remote)[0], re.findall(r"tag=([^;>]+)", self.local)[0]

    @property
    def replaces(self) -> str:
        """As somebody else names this dialog."""
        theirs, ours = self.tags
        return f"{self.call_id};to-tag={theirs};from-tag={ours}"

    def send(self, method: str, extra: str = "", body: str = "", settle: bool = True) -> None:
        self.cseq += 1
        phone = self.phone
        kind = "Content-Type: application/sdp\r\n" if body and "Content-Type" not in extra else ""
        phone.send(
            f"{method} {self.target} SIP/2.0\r\nVia: SIP/2.0/UDP {phone.host}:{phone.port};branch={phone.branch()}\r\n"
            f"Max-Forwards: 70\r\nFrom: {self.local}\r\nTo: {self.remote}\r\nCall-ID: {self.call_id}\r\n"
            f"CSeq: {self.cseq} {method}\r\nContact: {phone.contact}\r\n{extra}{kind}"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )
        if settle:
            phone.office.settle()

    def send_ack(self, response: Response) -> None:
        phone = self.phone
        phone.send(
            f"ACK {self.target} SIP/2.0\r\nVia: SIP/2.0/UDP {phone.host}:{phone.port};branch={phone.branch()}\r\n"
            f"From: {self.local}\r\nTo: {self.remote}\r\nCall-ID: {self.call_id}\r\n"
            f"CSeq: {response.cseq} ACK\r\nContent-Length: 0\r\n\r\n"
        )

    def bye(self, settle: bool = True) -> None:
        self.send("BYE", settle=settle)

    def refer(self, number: str, extra: str = "", headers: str = "", settle: bool = True) -> None:
        self.send("REFER", f"Refer-To: <sip:{number}@192.0.2.100{headers}>\r\n{extra}", settle=settle)

    def refer_to(self, other: Talk, settle: bool = True) -> None:
        """An attended transfer."""
        value = other.replaces.replace(";", "%3B").replace("=", "%3D").replace("@", "%40")
        self.refer("anybody", headers=f"?Replaces={value}", settle=settle)

    def cancel(self) -> None:
        self.phone.follow("CANCEL", self.sent)
        self.phone.office.settle()

    # --- as a called one ---

    def ring(self) -> Talk:
        assert self.invite is not None
        self.phone.answer(self.invite, 180, tag=self.tags[1] if self.tags else "x")
        self.phone.office.settle()
        return self

    def answer(self, settle: bool = True, extra: str = "") -> Talk:
        assert self.invite is not None
        self.status = 200
        number = self.phone.port_of_sound
        self.phone.sound(self.invite.body)
        self.port = _port(self.invite.body)
        tag = re.findall(r"tag=([^;>]+)", self.local)[0]
        self.phone.respond(self.invite, 200, body=sdp(number, host=self.phone.host), tag=tag, extra=extra)
        if settle:
            self.phone.office.settle()
        return self

    def refuse(self, status: int = 486, extra: str = "") -> None:
        assert self.invite is not None
        self.status = status
        tag = re.findall(r"tag=([^;>]+)", self.local)[0]
        self.phone.answer(self.invite, status, tag=tag, extra=extra, contact=None)
        self.phone.office.settle()

    def redirect(self, number: str) -> None:
        """302 to a number of the server."""
        self.refuse(302, f"Contact: <sip:{number}@192.0.2.100>\r\n")


class Telephone(Phone):
    """A peer that acknowledges, takes BYE, CANCEL, NOTIFY and re-INVITE by itself."""

    def __init__(self, office: Office, host: str, number: str, trunk: str | None) -> None:
        super().__init__(office, host, 5060)
        self.office = office
        self.number = number
        self.trunk = trunk
        self.talks: list[Talk] = []
        self.contact = f"<sip:{number}@{host}:5060>"
        self.port_of_sound = 40000
        office.phones[host, 5060] = office.people[host, 5060] = self

    def sound(self, body: bytes) -> None:
        """What the other side sent as SDP."""

    @property
    def rings(self) -> Talk:
        """The newest INVITE that waits for us."""
        ringing = [talk for talk in self.talks if talk.invite is not None and not talk.status and not talk.ended]
        assert ringing, f"{self.number} does not ring"
        return ringing[-1]

    @property
    def is_ringing(self) -> bool:
        return any(talk.invite is not None and not talk.status and not talk.ended for talk in self.talks)

    def dial(self, number: str, extra: str = "", settle: bool = True) -> Talk:
        call_id = f"{self.number}-{len(self.talks)}-{self.host}"
        text = self.invite(number, call=call_id, user=self.number, extra=extra)
        talk = Talk(self, call_id, f"<sip:{self.number}@{self.host}>;tag=f{call_id}", f"<sip:{number}@192.0.2.100>", "")
        talk.target = f"sip:{number}@192.0.2.100"
        talk.sent = text
        self.talks.append(talk)
        if settle:
            self.office.settle()
        return talk

    def respond(self, request: Request, status: int, *, body: str = "", tag: str = "", extra: str = "") -> None:
        self.answer(request, status, body=body, tag=tag, extra=extra, contact=self.contact)

    def ring(self, invite: Request, tag: str) -> None:
        self.respond(invite, 180, tag=tag)

    def read(self) -> None:
        while self.inbox:
            message = self.take()
            if isinstance(message, Request):
                self._request(message)
            else:
                self._response(message)

    def _talk(self, call_id: str) -> Talk | None:
        return next((talk for talk in reversed(self.talks) if talk.call_id == call_id), None)

    def _request(self, request: Request) -> None:
        talk = self._talk(request.call_id)
        if request.method == "INVITE" and (talk is None or request.to_tag is None):
            tag = f"t{self.number}-{next(_ANSWERED)}"
            origin = request.get("From") or ""
            target = re.search(r"<(.*?)>", request.get("Contact") or "")
            assert target is not None
            talk = Talk(self, request.call_id, f"{request.get('To')};tag={tag}", origin, target[1])
            talk.invite = request
            self.talks.append(talk)
            self.ring(request, tag)
        elif talk is None:
            if request.method != "ACK":
                self.respond(request, 481)
        elif request.method == "INVITE":
            said = re.search(rb"a=(sendrecv|sendonly|recvonly|inactive)", request.body)
            direction = said[1].decode() if said else "sendrecv"
            talk.directions.append(direction)
            talk.port = _port(request.body) or talk.port
            flipped = {"sendonly": "recvonly", "recvonly": "sendonly"}.get(direction, direction)
            self.respond(request, 200, body=sdp(self.port_of_sound, host=self.host, direction=flipped))
        elif request.method == "CANCEL":
            assert talk.invite is not None
            self.respond(request, 200, tag=talk.tags[1] if talk.tags else "")
            if not talk.status:
                talk.ended = True
                self.respond(talk.invite, 487, tag=re.findall(r"tag=([^;>]+)", talk.local)[0])
        elif request.method == "BYE":
            talk.ended = True
            self.respond(request, 200)
        elif request.method == "NOTIFY":
            talk.frags.append(request.body.decode().strip().removeprefix("SIP/2.0 "))
            self.respond(request, 481 if talk.ended else 200)

    def _response(self, response: Response) -> None:
        talk = self._talk(response.call_id)
        if talk is None:
            return
        if response.cseq_method == "REFER":
            talk.told.append(response.status)
        if response.cseq_method != "INVITE":
            return
        if talk.invite is not None or (talk.final is not None and talk.final.status < 300):  # of a re-INVITE
            if response.status >= 200:
                talk.send_ack(response)
            return
        talk.status = response.status
        if response.status < 200:
            return
        talk.final = response
        if response.status >= 300:
            self.ack_refusal(talk.sent, response)
            return
        talk.remote = response.get("To") or ""
        target = re.search(r"<(.*?)>", response.get("Contact") or "")
        talk.target = target[1] if target else talk.target
        talk.port = _port(response.body)
        self.follow("ACK", talk.sent, response.to_tag or "", cseq=response.cseq)


Office.person = Telephone


def _port(body: bytes) -> int:
    found = re.search(rb"m=audio (\d+)", body)
    return int(found[1]) if found else 0
