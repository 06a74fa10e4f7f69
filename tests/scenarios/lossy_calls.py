"""Flows of calls for the lossy network (storm.py): each is one function of a world in `FLOWS`. It makes agents and lets
them do things now or later, and need not end what it begins: what is still up after a while is hung up by its caller.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.call.lossy import Agent, Side
from tests.call.world import sdp

from .lossy_office import DID, Flow, LossyOffice

FLOWS: dict[str, Flow] = {}
REACHED: dict[str, str] = {}
RELIABLE = "Supported: 100rel\r\n"
TIMED = "Supported: timer\r\nMin-SE: 90\r\nSession-Expires: 90"


def reaching(event: str) -> Callable[[Flow], Flow]:
    """A flow that is told by such an event, at least by some seeds; "": it is no call."""

    def register(function: Flow) -> Flow:
        FLOWS[function.__name__] = function
        REACHED[function.__name__] = event
        return function

    return register


flow = reaching("CallConnected")


def talk(world: LossyOffice, side: Side, seconds: float = 8.0) -> None:
    """Let a call be, then hang up whatever it came to."""
    world.later(side.cancel, seconds, 2 * seconds)


@reaching("")
def register_and_unregister(world: LossyOffice) -> None:
    agent = world.telephone()
    agent.register(0)


@flow
def call_answered(world: LossyOffice) -> None:
    world.telephone()
    talk(world, world.carrier().call(DID))


@flow
def call_hung_up_by_the_called(world: LossyOffice) -> None:
    called = world.telephone()
    talk(world, world.carrier().call(DID), 60)
    world.later(lambda: each(called, Side.hang_up), 8, 16)


@flow
def both_hang_up_at_once(world: LossyOffice) -> None:
    called = world.telephone()
    side = world.carrier().call(DID)

    def both() -> None:
        for one in (side, *called.sides.values()):
            one.hang_up()

    world.later(both, 6, 12)
    talk(world, side, 60)


@reaching("CallEnded")
def call_cancelled(world: LossyOffice) -> None:
    world.telephone(takes="ring")
    world.later(world.carrier().call(DID).cancel, 0, 4)


@flow
def cancel_crosses_the_answer(world: LossyOffice) -> None:
    world.telephone()
    world.later(world.carrier().call(DID).cancel, 0, 5)


@reaching("CallEnded")
def call_refused(world: LossyOffice) -> None:
    world.telephone(takes="refuse")
    talk(world, world.carrier().call(DID))


@reaching("CallForwarded")
def call_redirected(world: LossyOffice) -> None:
    target = world.telephone("102")
    world.telephone(takes="redirect", contact=f"sip:102@{target.host}")
    talk(world, world.carrier().call(DID), 20)


@reaching("CallEnded")
def nobody_is_there(world: LossyOffice) -> None:
    gone = world.telephone()
    world.vanish(gone)
    talk(world, world.carrier().call(DID), 60)


@flow
def late_offer(world: LossyOffice) -> None:
    world.telephone()
    talk(world, world.carrier().call(DID, late_offer=True))


@flow
def call_between_extensions(world: LossyOffice) -> None:
    world.telephone()
    talk(world, world.telephone("102").call("101"))


@flow
def call_by_a_trunk_that_asks_who_we_are(world: LossyOffice) -> None:
    world.carrier(takes="login")
    talk(world, world.telephone().call("0123456789"), 20)


@flow
def forked_to_three(world: LossyOffice) -> None:
    for takes in ("answer", "answer", "refuse"):
        world.telephone(takes=takes)
    talk(world, world.carrier().call(DID))


@flow
def hold_and_back(world: LossyOffice) -> None:
    world.telephone()
    side = world.carrier().call(DID)
    for n, direction in enumerate(("sendonly", "sendrecv")):
        world.later(lambda direction=direction: reinvite(side, direction), 8 + 6 * n, 12 + 6 * n)  # type: ignore[misc]
    talk(world, side, 24)


@flow
def both_hold_at_once(world: LossyOffice) -> None:
    called = world.telephone()
    side = world.carrier().call(DID)

    def glare() -> None:
        for one in (side, *called.sides.values()):
            reinvite(one, "sendonly")

    world.later(glare, 8, 10)
    talk(world, side, 24)


@flow
def held_by_the_called(world: LossyOffice) -> None:
    called = world.telephone()
    side = world.carrier().call(DID)
    world.later(lambda: each(called, hold), 8, 12)
    talk(world, side, 24)


@flow
def provisional_responses_acknowledged(world: LossyOffice) -> None:
    world.telephone()
    talk(world, world.carrier().call(DID, extra=RELIABLE))


@flow
def early_media_acknowledged(world: LossyOffice) -> None:
    """RFC 3262: a reliable 183 of the phone, and ours to the caller."""
    world.telephone(takes="early")
    talk(world, world.carrier().call(DID, extra=RELIABLE))


@flow
def early_media_cancelled(world: LossyOffice) -> None:
    world.telephone(takes="early")
    world.later(world.carrier().call(DID, extra=RELIABLE).cancel, 0, 5)


@flow
def update_inside(world: LossyOffice) -> None:
    """RFC 3311: an offer by UPDATE, from both sides at once."""
    called = world.telephone()
    side = world.carrier().call(DID)

    def both() -> None:
        for one in (side, *called.sides.values()):
            update(one)

    world.later(both, 8, 12)
    talk(world, side, 24)


@flow
def late_offer_and_early_media(world: LossyOffice) -> None:
    """The offer is in our reliable 183, the answer in the PRACK."""
    world.telephone(takes="early")
    talk(world, world.carrier().call(DID, late_offer=True, extra=RELIABLE), 12)


@flow
def resume_crosses_hold(world: LossyOffice) -> None:
    called = world.telephone()
    side = world.carrier().call(DID)
    world.later(lambda: reinvite(side, "sendonly"), 8, 10)
    world.later(lambda: each(called, update), 8, 10)
    world.later(lambda: reinvite(side, "sendrecv"), 8, 12)
    talk(world, side, 24)


@flow
def hang_up_crosses_hold(world: LossyOffice) -> None:
    called = world.telephone()
    side = world.carrier().call(DID)
    world.later(lambda: reinvite(side, "sendonly"), 8, 9)
    world.later(lambda: each(called, Side.hang_up), 8, 9)
    talk(world, side, 24)


@flow
def session_expires(world: LossyOffice) -> None:
    """The caller promised to refresh (RFC 4028) and does not."""
    world.telephone()
    talk(world, world.carrier().call(DID, extra=f"{TIMED};refresher=uac\r\n"), 100)


@flow
def session_refreshed_by_us(world: LossyOffice) -> None:
    world.telephone()
    talk(world, world.carrier().call(DID, extra=f"{TIMED};refresher=uas\r\n"), 150)


@flow
def both_refresh_at_once(world: LossyOffice) -> None:
    """Our refresh crosses the peer's."""
    called = world.telephone()
    side = world.carrier().call(DID, extra=f"{TIMED};refresher=uas\r\n")

    def both() -> None:
        for one in (side, *called.sides.values()):
            reinvite(one, "sendrecv")

    world.later(both, 44, 47)
    talk(world, side, 100)


@flow
def called_one_vanishes(world: LossyOffice) -> None:
    """No BYE: only a session timer finds it."""
    called = world.telephone()
    talk(world, world.carrier().call(DID, extra=f"{TIMED}\r\n"), 1000)
    world.later(lambda: world.vanish(called), 3, 8)


@flow
def caller_vanishes(world: LossyOffice) -> None:
    world.telephone()
    caller = world.carrier()
    caller.call(DID, extra=f"{TIMED}\r\n")
    world.later(lambda: world.vanish(caller), 0, 8)


@flow
def requests_inside(world: LossyOffice) -> None:
    """OPTIONS, INFO, an UPDATE without a body, and a method that nobody knows."""
    world.telephone()
    side = world.carrier().call(DID)
    for method in ("OPTIONS", "INFO", "UPDATE", "FOO"):
        world.later(lambda method=method: inside(side, method), 4, 12)  # type: ignore[misc]
    talk(world, side, 16)


def inside(side: Side, method: str) -> None:
    if side.answered:
        side.request(method)


def each(agent: Agent, deed: Callable[[Side], None]) -> None:
    for side in agent.sides.values():
        deed(side)


def update(side: Side) -> None:
    if side.answered:
        body = sdp(host=side.agent.host, direction="sendonly")
        side.request("UPDATE", headers="Content-Type: application/sdp\r\n", body=body)


def hold(side: Side) -> None:
    reinvite(side, "sendonly")


def reinvite(side: Side, direction: str) -> None:
    if side.answered:
        side.invite(sdp(host=side.agent.host, direction=direction))
