"""Flows of what phones do with calls, for the lossy network: transfers, Replaces, pickup, park, forwards, groups,
subscriptions, messages."""

from __future__ import annotations

from tests.call.lossy import Agent, Side

from .lossy_calls import each, flow, hold, inside, reaching, talk
from .lossy_office import DID, LossyOffice

HOME = "192.0.2.100"


def last(agent: Agent) -> Side | None:
    """The newest dialog of a phone."""
    return next(reversed(agent.sides.values()), None)


def refer(side: Side, number: str = "102", headers: str = "", extra: str = "") -> None:
    if side.answered:
        side.request("REFER", headers=f"Refer-To: <sip:{number}@{HOME}{headers}>\r\n{extra}")


def refer_to(side: Side, other: Side | None) -> None:
    """An attended transfer: with whom `side` talks is to talk with whom `other` does."""
    if other is not None and other.dialog.remote_tag is not None:
        value = other.replaces.replace(";", "%3B").replace("=", "%3D").replace("@", "%40")
        refer(side, "x", f"?Replaces={value}")


def call_in(world: LossyOffice, called: Agent, seconds: float = 40.0) -> Side:
    """The carrier calls 101, who is `called`."""
    side = world.carrier().call(DID)
    talk(world, side, seconds)
    return side


# --- transfers --------------------------------------------------------------------------------------------------------


@reaching("CallTransferred")
def transferred(world: LossyOffice) -> None:
    """RFC 3515: the called one gives the caller on, by a REFER."""
    called = world.telephone()
    world.telephone("102")
    call_in(world, called)
    world.later(lambda: each(called, refer), 8, 12)


@reaching("CallTransferred")
def transferred_by_the_caller(world: LossyOffice) -> None:
    world.telephone()
    world.telephone("102")
    side = world.telephone("103").call("101")
    world.later(lambda: refer(side), 8, 12)


@flow
def transferred_to_nobody(world: LossyOffice) -> None:
    called = world.telephone()
    call_in(world, called, 60)
    world.later(lambda: each(called, refer), 8, 12)


@flow
def transferred_to_one_who_refuses(world: LossyOffice) -> None:
    """The call comes back, perhaps to one who hung up meanwhile."""
    called = world.telephone()
    world.telephone("102", takes="refuse")
    call_in(world, called)
    world.later(lambda: each(called, refer), 8, 12)
    if world.dice.random() < 0.5:
        world.later(lambda: each(called, Side.hang_up), 8, 16)


@flow
def transferred_and_cancelled(world: LossyOffice) -> None:
    """The caller goes while the target rings."""
    called = world.telephone()
    world.telephone("102", takes="ring")
    call_in(world, called, 10)
    world.later(lambda: each(called, refer), 8, 12)


@reaching("CallTransferred")
def transferred_while_held(world: LossyOffice) -> None:
    called = world.telephone()
    world.telephone("102")
    call_in(world, called)
    world.later(lambda: each(called, hold), 7, 10)
    world.later(lambda: each(called, refer), 9, 12)


@reaching("CallTransferred")
def transferred_to_a_trunk_that_wants_a_login(world: LossyOffice) -> None:
    called = world.telephone()
    world.carrier(takes="login")
    side = world.telephone("103").call("101")
    talk(world, side, 30)
    world.later(lambda: each(called, lambda one: refer(one, "0155")), 8, 12)


@reaching("CallTransferred")
def transferred_by_a_refer_outside(world: LossyOffice) -> None:
    """RFC 4538: the dialog is named."""
    called = world.telephone()
    world.telephone("102")
    call_in(world, called)

    def outside(side: Side) -> None:
        dialog = side.dialog
        named = f"{dialog.call_id};local-tag={dialog.local_tag};remote-tag={dialog.remote_tag}"
        called.ask(
            "REFER", "101", f"Refer-To: <sip:102@{HOME}>\r\nTarget-Dialog: {named}\r\n{called.contact_line}"
        )  # fmt: skip

    world.later(lambda: each(called, outside), 8, 12)


def attended(world: LossyOffice, takes: str = "answer") -> tuple[Agent, list[Side]]:
    """101 is called and calls 102; returned is 101 and a list that gets its second dialog."""
    called = world.telephone()
    world.telephone("102", takes=takes)
    call_in(world, called)
    second: list[Side] = []

    def consult() -> None:
        second.append(called.call("102"))
        talk(world, second[0], 30)

    world.later(consult, 8, 10)
    return called, second


def refer_all_to(agent: Agent, second: list[Side]) -> None:
    """In each other dialog of `agent`, to its second one."""
    for side in agent.sides.values():
        if second and side is not second[0]:
            refer_to(side, second[0])


@reaching("CallTransferred")
def transferred_attended(world: LossyOffice) -> None:
    called, second = attended(world)
    world.later(lambda: refer_all_to(called, second), 20, 24)


@reaching("CallTransferred")
def transferred_attended_in_the_other_dialog(world: LossyOffice) -> None:
    called, second = attended(world)
    world.later(lambda: refer_to(second[0], next(iter(called.sides.values()))), 20, 24)


@reaching("CallTransferred")
def transferred_attended_to_one_who_rings(world: LossyOffice) -> None:
    called, second = attended(world, takes="ring")
    world.later(lambda: refer_all_to(called, second), 14, 16)


@reaching("CallTransferred")
def transferred_attended_as_all_hang_up(world: LossyOffice) -> None:
    called, second = attended(world)
    world.later(lambda: refer_all_to(called, second), 20, 22)
    for agent in list(world.agents.values()):
        world.later(lambda agent=agent: each(agent, Side.hang_up), 20, 23)  # type: ignore[misc]


# --- pickup and Replaces ----------------------------------------------------------------------------------------------


@reaching("CallPickedUp")
def picked_up(world: LossyOffice) -> None:
    world.telephone(takes="ring")
    other = world.telephone("104")
    call_in(world, other)
    world.later(lambda: talk(world, other.call("*8101"), 20), 2, 6)


@reaching("CallPickedUp")
def picked_up_by_two_as_it_is_answered(world: LossyOffice) -> None:
    called = world.telephone()
    codes = {world.telephone("105"): "*8", world.telephone("106"): "*8101"}
    call_in(world, called)
    for agent, code in codes.items():
        world.later(lambda agent=agent, code=code: talk(world, agent.call(code), 20), 0, 5)  # type: ignore[misc]


@reaching("CallPickedUp")
def picked_up_by_replaces(world: LossyOffice) -> None:
    """As a busy lamp's key does (RFC 4235, RFC 3891)."""
    called, other = world.telephone(takes="ring"), world.telephone("104")
    call_in(world, called)
    world.later(lambda: replace(world, called, other, ";early-only"), 2, 8)


@reaching("LegMoved")
def taken_over_on_another_device(world: LossyOffice) -> None:
    called, other = world.telephone(), world.telephone("101", takes="ring")
    call_in(world, called)
    world.later(lambda: replace(world, called, other), 8, 10)


@reaching("LegMoved")
def taken_over_as_the_other_hangs_up(world: LossyOffice) -> None:
    called, other = world.telephone(), world.telephone("101", takes="ring")
    side = call_in(world, called)
    world.later(lambda: replace(world, called, other), 8, 10)
    world.later(side.hang_up, 8, 11)


def replace(world: LossyOffice, called: Agent, other: Agent, more: str = "") -> None:
    """`other` takes the place of `called`."""
    side = last(called)
    if side is not None:
        talk(world, other.call("101", extra=f"Replaces: {side.replaces}{more}\r\n"), 20)


# --- park -------------------------------------------------------------------------------------------------------------


@reaching("CallParked")
def parked_and_fetched(world: LossyOffice) -> None:
    called, other = world.telephone(), world.telephone("104")
    call_in(world, called)
    world.later(lambda: each(called, lambda side: refer(side, "700")), 8, 10)
    world.later(lambda: talk(world, other.call("701"), 10), 12, 16)


@reaching("CallParked")
def parked_and_fetched_by_two_as_the_caller_hangs_up(world: LossyOffice) -> None:
    called = world.telephone()
    others = [world.telephone("104"), world.telephone("105")]
    side = call_in(world, called)
    world.later(lambda: each(called, lambda one: refer(one, "700")), 8, 10)
    for other in others:
        world.later(lambda other=other: talk(world, other.call("701"), 10), 12, 14)  # type: ignore[misc]
    world.later(side.hang_up, 12, 15)


@reaching("CallParked")
def parked_too_long(world: LossyOffice) -> None:
    """It rings at who parked it, or else at 106."""
    called = world.telephone()
    world.telephone("106")
    call_in(world, called, 90)
    world.later(lambda: each(called, lambda side: refer(side, "701")), 8, 10)


@reaching("CallParked")
def parked_by_dialling(world: LossyOffice) -> None:
    called = world.telephone()
    call_in(world, called)
    world.later(lambda: talk(world, called.call("700"), 5), 8, 10)


# --- forwards and groups ----------------------------------------------------------------------------------------------


@reaching("CallForwarded")
def forwarded_by_feature_code(world: LossyOffice) -> None:
    called = world.telephone()
    world.telephone("102")
    talk(world, called.call("*72102"), 2)
    world.later(lambda: talk(world, world.carrier().call(DID), 20), 1, 8)
    world.later(lambda: talk(world, called.call("*720"), 2), 4, 9)


@reaching("CallForwarded")
def forwarded_when_not_answered(world: LossyOffice) -> None:
    world.telephone("107", takes="ring")
    world.telephone("102")
    talk(world, world.telephone("103").call("107"), 24)


@reaching("CallForwarded")
def forwarded_as_it_is_answered(world: LossyOffice) -> None:
    """After 8 s, when the answer comes or the caller gives up."""
    called = world.telephone("107", takes="ring")
    world.telephone("102")
    side = world.telephone("103").call("107")
    world.later(lambda: each(called, Side.answer), 7, 10)
    talk(world, side, 9)


@reaching("CallForwarded")
def forwarded_when_busy(world: LossyOffice) -> None:
    world.telephone("108")
    world.telephone("102")
    callers = [world.telephone("103"), world.telephone("104")]
    for caller in callers:
        talk(world, caller.call("108"), 12)


@reaching("CallForwarded")
def forwarded_to_a_trunk(world: LossyOffice) -> None:
    world.carrier(takes="login")
    talk(world, world.telephone("103").call("109"), 20)


@flow
def redirected_by_a_trunk(world: LossyOffice) -> None:
    world.telephone()
    world.partner(takes="redirect", contact="sip:+33180000001@192.0.2.100")
    talk(world, world.telephone("103").call("9555"), 20)


@flow
def group_of_which_one_answers(world: LossyOffice) -> None:
    for user, takes in (("101", "answer"), ("102", "answer"), ("103", "refuse")):
        world.telephone(user, takes=takes)
    talk(world, world.carrier().call("+33180000002"), 14)


@flow
def group_in_order(world: LossyOffice) -> None:
    for user, takes in (("101", "ring"), ("102", "refuse"), ("103", "ring"), ("104", "answer")):
        world.telephone(user, takes=takes)
    talk(world, world.telephone("105").call("62"), 24)


# --- subscriptions and messages ---------------------------------------------------------------------------------------


@flow
def watched(world: LossyOffice) -> None:
    """Somebody watches 101 while calls come and go, refreshes and ends it."""
    called, watcher = world.telephone(), world.telephone("104")
    watch = watcher.subscribe("101", "dialog")
    presence = watcher.subscribe("101", "presence", expires_s=60)
    call_in(world, called, 12)
    world.later(lambda: watch.again(600), 8, 30)
    world.later(lambda: watch.again(0), 30, 60)
    world.later(lambda: presence.again(60), 40, 70)


@flow
def watcher_vanishes(world: LossyOffice) -> None:
    called, watcher = world.telephone(), world.telephone("104")
    watcher.subscribe("101", "dialog")
    call_in(world, called, 12)
    world.later(lambda: world.vanish(watcher), 0, 10)


@reaching("CallPickedUp")
def picked_up_by_a_watcher(world: LossyOffice) -> None:
    called, watcher = world.telephone(takes="ring"), world.telephone("104")
    watch = watcher.subscribe("101", "dialog")
    call_in(world, called)
    world.later(lambda: replace(world, called, watcher, ";early-only"), 2, 8)
    world.later(lambda: watch.again(0), 20, 40)


@reaching("")
def messages(world: LossyOffice) -> None:
    world.telephone()
    world.telephone("101")
    writer = world.telephone("104")
    for number in ("101", "102", "555"):
        writer.write(number)


@flow
def messages_inside(world: LossyOffice) -> None:
    called = world.telephone()
    side = call_in(world, called, 20)
    world.later(lambda: inside(side, "MESSAGE"), 4, 12)
    world.later(lambda: each(called, lambda one: inside(one, "MESSAGE")), 4, 12)
