"""Calls by dice: peers, network, controllers and the media worker do anything at any moment; nothing may stay behind.

Every peer does what a peer could: it repeats, overtakes, forks, answers twice, answers rubbish, hangs up too early, is
silent. What the switch sends must be readable, and of each call and leg exactly one end is told.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from pbx.call import events
from pbx.call.attempt import Attempt
from pbx.call.bridge import DirectBridge
from pbx.call.call import Call
from pbx.sip.message import Request, Response, parse

from .test_flows import DID
from .test_review import ACTS, BAD_CONTACTS, Recorder, reinvite_from
from .world import SITE, Phone, World, sdp

ROUNDS = 400
STEPS = 40
BODIES = ["", "rubbish", sdp(types="18"), sdp(0), sdp(42000, "0 101"), sdp(42002, direction="sendonly")]
OFFERED = [
    "", "", "Supported: 100rel\r\n", "Require: 100rel\r\n", "Supported: timer, 100rel\r\nSession-Expires: 90\r\n",
    "Supported: timer\r\nSession-Expires: 120;refresher=uas\r\nAllow: INVITE, UPDATE, INFO\r\n",
    "Session-Expires: 60\r\n", "Supported: timer\r\nSession-Expires: 60\r\n",
]  # fmt: skip
ALLOWED = ["", "", "Allow: INVITE, UPDATE, INFO\r\n", "Session-Expires: 100;refresher=uas\r\nRequire: timer\r\n"]
REFUSALS = [300, 302, 401, 404, 407, 408, 422, 481, 486, 487, 491, 503, 603]


class Meddler(Recorder):
    """A controller that does another thing each time."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__()
        self._dice = dice

    def _do(self, what: str, call: Call, attempt: Attempt | None = None) -> None:
        self.act = self._dice.choice(ACTS)
        super()._do(what, call, attempt)


class DicePhone(Phone):
    """A peer by dice, behind a network by dice."""

    def __init__(self, world: World, host: str, dice: random.Random) -> None:
        super().__init__(world, host, 5060)
        world.phones[host, 5060] = self
        self.dice = dice
        self.number = 0  # of its calls
        self.cseq = 1
        self.tag = ""
        self.sent: list[str] = []
        self.invites: list[str] = []  # of its calls
        self.rung: list[Request] = []  # INVITEs that it got

    def send(self, text: str) -> None:
        """One in ten is lost; some come late, so that others overtake them, or twice."""
        self.sent.append(text)
        luck = self.dice.random()
        if luck < 0.1:
            return
        for _ in range(2 if luck > 0.9 else 1):
            if self.dice.random() < 0.2:
                self.world.clock.after(self.dice.expovariate(1.0), super().send, text)
            else:
                super().send(text)

    def likely(self) -> bool:
        return self.dice.random() < 0.7

    def act(self) -> None:
        while self.inbox:
            self._hear(self.inbox.pop(0))
        for _ in range(self.dice.randrange(3)):
            self.dice.choice(self.deeds())()

    def deeds(self) -> list[Callable[[], None]]:
        raise NotImplementedError

    def _hear(self, data: bytes) -> None:
        message = parse(data)
        if not isinstance(message, Request):
            self._hear_response(message)
        elif message.method == "INVITE":
            self.rung.append(message)
            if message.to_tag is None and self.likely():
                self.answer(message, self.dice.choice([180, 180, 200]), body=self.body(), tag="a")
            elif self.likely():
                status = self.dice.choice([100, 200, 200, 422, 488, 491])
                self.answer(message, status, body=self.body(), extra=self.allowed())
        elif message.method != "ACK" and self.likely():
            body = self.body() if message.body and self.likely() else ""
            status = self.dice.choice([200, 200, 200, 100, 405, 481, 500])
            self.answer(message, status, tag=self.dice.choice("ab"), body=body)

    def allowed(self) -> str:
        return self.dice.choice(ALLOWED)

    def _hear_response(self, message: Response) -> None:
        status, method = message.status, message.cseq_method
        self.tag = message.to_tag or self.tag
        if message.get("RSeq") and self.invites and self.likely():
            self.cseq += 1
            rack = f"RAck: {message.get('RSeq')} {message.get('CSeq')}\r\n"
            body = self.body() if not message.body or not self.likely() else ""
            self.follow("PRACK", self.invites[0], self.tag, cseq=self.cseq, extra=rack, body=body)
        if method == "INVITE" and status >= 200 and self.invites and self.likely():
            self.acknowledge()

    # --- deeds ------------------------------------------------------------------------------------------------------

    def acknowledge(self) -> None:
        if self.invites:
            cseq = self.dice.randrange(1, self.cseq + 1) if not self.likely() else self.cseq
            body = self.body() if self.dice.random() < 0.3 else ""
            self.follow("ACK", self.dice.choice(self.invites), self.tag, cseq=cseq, body=body)

    def repeat(self) -> None:
        if self.sent:
            self.send(self.dice.choice(self.sent[-20:]))

    def body(self) -> str:
        return sdp(41000, host=self.host) if self.likely() else self.dice.choice(BODIES)

    def stray(self) -> None:
        """A response to nothing."""
        if self.rung:
            request = self.dice.choice(self.rung)
            via = (f"SIP/2.0/UDP 192.0.2.100:5060;branch=z9hG4bKstray{self.dice.random()}",)
            headers = [(name, via[0] if name == "Via" else value) for name, value in request.headers]
            self.answer(Request("INVITE", request.uri, headers, b""), self.dice.choice([100, 180, 200, 486]))


class DiceCaller(DicePhone):
    def deeds(self) -> list[Callable[[], None]]:
        return [self.call, self.again, self.cancel, self.hang_up, self.acknowledge, self.repeat, self.other]

    def call(self) -> None:
        self.number += 1
        self.cseq, self.tag = 1, ""
        body = self.body() if self.likely() else ""
        call = f"{self.host}-{self.dice.random()}"
        self.invites = [self.invite(DID, call=call, body=body, extra=self.dice.choice(OFFERED))]

    def again(self) -> None:
        if self.invites:
            self.cseq += 1
            call = self.invites[0].partition("Call-ID: ")[2].partition("\r\n")[0]
            contact = self.dice.choice(BAD_CONTACTS) if not self.likely() else None
            body = self.body() if self.likely() else ""
            text = self.invite(DID, call=call, cseq=self.cseq, to_tag=self.tag, body=body, contact=contact)
            self.invites.append(text)

    def cancel(self) -> None:
        if self.invites:
            invite = self.dice.choice(self.invites)
            self.follow("CANCEL", invite, cseq=int(invite.partition("CSeq: ")[2].partition(" ")[0]))

    def hang_up(self) -> None:
        if self.invites and self.tag:
            self.cseq += 1
            self.follow("BYE", self.invites[0], self.tag, cseq=self.cseq)

    def other(self) -> None:
        if self.invites:
            self.cseq += 1
            method = self.dice.choice(["OPTIONS", "INFO", "INFO", "UPDATE", "UPDATE", "FOO", "PRACK", "BYE"])
            tag = self.tag if self.likely() else self.dice.choice(["nobody", ""])
            body, kind = "", "application/sdp"
            if method == "INFO":
                body, kind = self.dice.choice([("5", "application/dtmf"), ("<x/>", "text/xml"), ("", "text/plain")])
            elif self.likely():
                body = self.body()
            self.follow(method, self.invites[0], tag, cseq=self.cseq, body=body, kind=kind)


class DiceCallee(DicePhone):
    def deeds(self) -> list[Callable[[], None]]:
        return [
            self.ring, self.early, self.take_it, self.take_it, self.refuse, self.end, self.hold, self.update,
            self.repeat, self.stray,
        ]  # fmt: skip

    def ring(self) -> None:
        if self.rung:
            self.answer(self.rung[-1], self.dice.choice([100, 180, 183]), tag=self.dice.choice("ab"))

    def early(self) -> None:
        """Early media, reliably or not, in one of several early dialogs."""
        if self.rung:
            extra = f"Require: 100rel\r\nRSeq: {self.dice.randrange(1, 4)}\r\n" if self.likely() else ""
            status, tag = self.dice.choice([180, 183, 183]), self.dice.choice("aab")
            self.answer(self.rung[-1], status, tag=tag, body=self.body(), extra=extra)

    def update(self) -> None:
        if self.rung:
            self.cseq += 1
            body = self.body() if self.likely() else ""
            first = next(request for request in self.rung if request.to_tag is None or request is self.rung[-1])
            self.back("UPDATE", first, cseq=self.cseq, tag=self.dice.choice("aab"), body=body)

    def take_it(self) -> None:
        if self.rung:
            request = self.rung[-1] if self.likely() else self.dice.choice(self.rung)
            contact = "" if self.likely() else self.dice.choice([*BAD_CONTACTS, None])
            extra = self.allowed() if self.likely() else f"Record-Route: {self.dice.choice(BAD_CONTACTS)}\r\n"
            self.answer(request, 200, body=self.body(), tag=self.dice.choice("aab"), contact=contact, extra=extra)

    def refuse(self) -> None:
        if self.rung:
            self.answer(self.rung[-1], self.dice.choice(REFUSALS), tag=self.dice.choice("ab"))

    def end(self) -> None:
        if self.rung and self.rung[-1].to_tag is None:
            self.cseq += 1
            self.bye(self.rung[-1], cseq=self.cseq, tag=self.dice.choice("ab"))

    def hold(self) -> None:
        first = [request for request in self.rung if request.to_tag is None]
        if first:
            self.cseq += 1
            body = self.body() if self.likely() else ""
            text = reinvite_from(self, first[-1], cseq=self.cseq, tag=self.dice.choice("ab"), body=body)
            self.invites.append(text)


def play(world: World, dice: random.Random) -> None:
    """One round: some calls, some time, some faults, then the server hangs up what is left."""
    bridge, meddler = DirectBridge("extension"), Meddler(dice)

    def handler(call: Call, name: str) -> None:
        bridge.start(call, name)
        if dice.random() < 0.3:
            call.controller = meddler

    world.switch.handlers["extension"] = handler
    peers: list[DicePhone] = [DiceCaller(world, "198.51.100.1", dice)]
    peers += [DiceCallee(world, f"192.0.2.{10 + n}", dice) for n in range(3)]
    for n, extension in enumerate(("101", "101", "102")):
        world.register(extension, peers[1 + n])
    for _ in range(STEPS):
        dice.choice(peers).act()
        if dice.random() < 0.02:
            world.plane.kill()
        if dice.random() < 0.05:
            for port in list(world.plane.leased.values())[:1]:
                world.plane.press(port, "1")
        if dice.random() < 0.5:
            world.run(dice.choice([0, 0.1, 0.6, 3, 3, 40, 50]))
    world.run(20)  # what the network still holds
    for call in list(world.switch.calls()):
        call.hang_up("the round is over")
    world.run(200)


def check_ends(told: list[object]) -> None:
    """Each call and each attempt ends once; nothing ends that did not begin."""
    started = [event.call_id for event in told if isinstance(event, events.CallStarted)]
    ended = [event.call_id for event in told if isinstance(event, events.CallEnded)]
    assert Counter(started) == Counter(ended) and len(set(ended)) == len(ended)
    rung = {(event.call_id, event.leg) for event in told if isinstance(event, events.LegStarted)}
    over = Counter((event.call_id, event.leg) for event in told if isinstance(event, events.LegEnded))
    assert rung <= over.keys() and set(over.values()) <= {1}


@pytest.mark.parametrize("hundred", range(ROUNDS // 100))
def test_whatever_peers_do_nothing_stays_behind(tmp_path: Path, hundred: int) -> None:
    world = World(SITE if hundred % 2 else SITE.replace("{hold: pass}", "{session_timer: {expires_s: 90}}"), tmp_path)
    for seed in range(100 * hundred, 100 * hundred + 100):
        play(world, random.Random(seed))
        assert world.leaks() == {}, f"seed {seed}"
        check_ends(world.events)
        world.events.clear()
        world.lost.clear()
        for extension in ("101", "102"):
            world.location.remove(extension, world.clock.time)
    counted = world.counters  # that the dice get everywhere
    assert counted["sip_second_answers"] and counted["sip_cancel_crossed_200"] and counted["legs_media_lost"]
    assert counted["sip_1xx_unacknowledged"] and counted["early_media_unusable"]
