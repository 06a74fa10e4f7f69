"""Every request, and every response to our INVITE, in every state of a leg's dialog: what it gets, what the leg is
then, and that nothing is left of it. The tables were read against RFC 3261 9, 12 to 15, RFC 3262, 3311 and 6026."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pbx.sip.message import Response

from .test_flows import DID, ringing, talking
from .world import Phone, World, sdp

BODY = sdp(41000)
REQUESTS: dict[str, tuple[str, str, str]] = {  # method, headers, body
    "INVITE": ("INVITE", "", BODY),
    "INVITE_without_offer": ("INVITE", "", ""),
    "ACK": ("ACK", "", ""),
    "PRACK": ("PRACK", "RAck: 1 1 INVITE\r\n", ""),
    "UPDATE": ("UPDATE", "", BODY),
    "UPDATE_without_offer": ("UPDATE", "", ""),
    "INFO": ("INFO", "", ""),
    "OPTIONS": ("OPTIONS", "", ""),
    "REFER": ("REFER", "Refer-To: <sip:102@192.0.2.100>\r\n", ""),
    "NOTIFY": ("NOTIFY", "Event: refer\r\nSubscription-State: active\r\n", ""),
    "SUBSCRIBE": ("SUBSCRIBE", "Event: presence\r\n", ""),
    "MESSAGE": ("MESSAGE", "", ""),
    "BYE": ("BYE", "", ""),
    "BYE_out_of_order": ("BYE", "", ""),
    "CANCEL": ("CANCEL", "", ""),
    "FOO": ("FOO", "", ""),
}

# What the peer gets ("-": nothing; "+": one after the other); "!": the leg is over, though it was not before.
CALLER = """
                        trying     early      answered  confirmed  we_hang_up  ended
INVITE                  481        500        491       200        481         481
INVITE_without_offer    481        500        491       200        481         481
ACK                     -          -          -         -          -           -
PRACK                   481        481        481       481        481         481
UPDATE                  481        500        200       200        481         481
UPDATE_without_offer    481        200        200       200        481         481
INFO                    481        200        200       200        481         481
OPTIONS                 481        200        200       200        481         481
REFER                   481        405        405       405        481         481
NOTIFY                  481        405        405       405        481         481
SUBSCRIBE               481        405        405       405        481         481
MESSAGE                 481        405        405       405        481         481
BYE                     481        200+487!   200!      200!       481         481
BYE_out_of_order        481        500        500       500        481         481
CANCEL                  200+487!   200+487!   200       200        200         200
FOO                     481        405        405       405        481         481
"""
CALLED = """
                        trying     early      cancelled  confirmed  we_hang_up  ended
INVITE                  481        481        481        200        481         481
INVITE_without_offer    481        481        481        200        481         481
ACK                     -          -          -          -          -           -
PRACK                   481        481        481        481        481         481
UPDATE                  481        481        481        200        481         481
UPDATE_without_offer    481        481        481        200        481         481
INFO                    481        481        481        200        481         481
OPTIONS                 481        481        481        200        481         481
REFER                   481        481        481        405        481         481
NOTIFY                  481        481        481        405        481         481
SUBSCRIBE               481        481        481        405        481         481
MESSAGE                 481        481        481        405        481         481
BYE                     481        481        481        200!       481         481
BYE_out_of_order        481        481        481        500        481         481
CANCEL                  481        481        481        481        481         481
FOO                     481        481        481        405        481         481
"""
RESPONSES = """
                        trying     early      cancelled  confirmed  we_hang_up  ended
100                     -          -          -          -          -           -
180                     -          -          -          -          -           -
183_described           -          -          -          -          -           -
200_described           ACK        ACK        ACK+BYE    ACK        ACK         ACK
200_of_another          ACK        ACK        ACK+BYE    ACK+BYE    ACK+BYE     ACK+BYE
200                     ACK+BYE!   ACK+BYE!   ACK+BYE    ACK        ACK         ACK
302                     ACK!       ACK!       ACK        -          -           -
401                     ACK!       ACK!       ACK        -          -           -
404                     ACK!       ACK!       ACK        -          -           -
486                     ACK!       ACK!       ACK        -          -           -
503                     ACK!       ACK!       ACK        -          -           -
600                     ACK!       ACK!       ACK        -          -           -
"""
PHASES = {
    "trying": "trying", "early": "early", "answered": "confirmed", "confirmed": "confirmed", "cancelled": "terminated",
    "we_hang_up": "terminated", "ended": "terminated",
}  # fmt: skip
BECOMES = {("180", "trying"): "early", ("183_described", "trying"): "early"} | {
    (answer, state): "confirmed" for answer in ("200_described", "200_of_another") for state in ("trying", "early")
}


class Caller:
    """The peer is a trunk that called an extension."""

    def __init__(self, world: World, state: str) -> None:
        self.tag = "none"
        if state == "trying":
            self.peer, phone = world.phone("198.51.100.1"), world.phone("192.0.2.10")
            world.register("101", phone)
            self.invite = self.peer.invite(DID)
            phone.request("INVITE")
        elif state == "early":
            self.peer, self.invite, _ = ringing(world)
        else:
            self.peer, self.invite, self.tag, phone, request = talking(world, acknowledge=state != "answered")
        [call] = world.switch.calls()
        self.leg = call.caller
        if state == "early":
            self.tag = self.leg.dialog.local_tag
        elif state == "we_hang_up":
            phone.bye(request)
        elif state == "ended":
            self.send("BYE", 2)
        self.peer.inbox.clear()

    def send(self, name: str, cseq: int) -> None:
        method, extra, body = REQUESTS[name]
        if method == "INVITE":
            self.peer.invite(DID, to_tag=self.tag, cseq=cseq, body=body)
        else:
            self.peer.follow(method, self.invite, self.tag, cseq=cseq, body=body, extra=extra)


class Called:
    """The peer is an extension that a trunk calls."""

    def __init__(self, world: World, state: str) -> None:
        self.tag = "callee"
        if state == "trying":
            carrier, self.peer = world.phone("198.51.100.1"), world.phone("192.0.2.10")
            world.register("101", self.peer)
            carrier.invite(DID)
            self.request = self.peer.request("INVITE")
        elif state in ("early", "cancelled"):
            carrier, invite, [(self.peer, self.request)] = ringing(world)
            self.tag = self.peer.host
        else:
            carrier, invite, tag, self.peer, self.request = talking(world)
        [call] = world.switch.calls()
        [self.leg] = call.called()
        if state == "cancelled":
            carrier.follow("CANCEL", invite)
        elif state == "we_hang_up":
            carrier.follow("BYE", invite, tag, cseq=2)
        elif state == "ended":
            self.send("BYE", 2)
        self.peer.inbox.clear()

    def send(self, name: str, cseq: int) -> None:
        method, extra, body = REQUESTS[name]
        self.peer.back(method, self.request, cseq=cseq, tag=self.tag, body=body, extra=extra)

    def answer(self, name: str) -> None:
        status, _, what = name.partition("_")
        contact = {"302": "<sip:x@192.0.2.77>"}.get(status, "" if status < "300" else None)
        tag = "another" if what == "of_another" else self.tag
        self.peer.answer(self.request, int(status), body=BODY if what else "", tag=tag, contact=contact)


def cells(table: str) -> Iterator[tuple[str, str, str]]:
    head, *rows = [line.split() for line in table.strip().splitlines()]
    for name, *row in rows:
        yield from ((name, state, gets) for state, gets in zip(head, row, strict=True))


def got(peer: Phone) -> str:
    messages = [peer.take() for _ in range(len(peer.inbox))]
    said = [str(one.status) if isinstance(one, Response) else one.method for one in messages]
    return "+".join(said) or "-"


def check(world: World, side: Caller | Called, name: str, state: str, gets: str) -> None:
    assert got(side.peer) == gets.rstrip("!")
    assert side.leg.phase == ("terminated" if gets.endswith("!") else BECOMES.get((name, state), PHASES[state]))
    for call in list(world.switch.calls()):
        call.hang_up("the test is over")
    world.run(100)  # nobody answers any more: timers alone end it, and the fixture looks for what is left


@pytest.mark.parametrize(
    ("side", "name", "state", "gets"),
    [(side, *cell) for side, table in ((Caller, CALLER), (Called, CALLED)) for cell in cells(table)],
)
def test_a_request(world: World, side: type[Caller | Called], name: str, state: str, gets: str) -> None:
    peer = side(world, state)
    assert peer.leg.phase == PHASES[state]
    if name == "BYE_out_of_order":
        peer.send("OPTIONS", 9)
        peer.peer.inbox.clear()
    peer.send(name, 1 if name in ("ACK", "CANCEL") else 5)
    check(world, peer, name, state, gets)


@pytest.mark.parametrize(("name", "state", "gets"), [*cells(RESPONSES)])
def test_a_response(world: World, name: str, state: str, gets: str) -> None:
    peer = Called(world, state)
    peer.answer(name)
    check(world, peer, name, state, gets)


def test_the_tables_are_whole() -> None:
    for table in (CALLER, CALLED):
        assert {name for name, _, _ in cells(table)} == set(REQUESTS)
