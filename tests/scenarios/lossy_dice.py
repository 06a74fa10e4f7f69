"""A flow for the lossy network in which everybody does anything at any moment."""

from __future__ import annotations

from collections.abc import Callable

from tests.call.lossy import Agent, Side

from .lossy_calls import RELIABLE, TIMED, inside, reaching, reinvite, update
from .lossy_office import DID, LossyOffice
from .lossy_services import refer, refer_to

DEEDS = 24
WITHIN_S = 60.0
TAKES = ("answer", "answer", "answer", "ring", "refuse", "early", "redirect")
NUMBERS = (
    "101", "102", "103", "104", "107", "108", "109", "61", "62", "700", "701", "702", "*8", "*8101", "*8102", "*72103",
    "*720", "0155", "9555", "555",
)  # fmt: skip


@reaching("CallConnected")
def anything(world: LossyOffice) -> None:
    dice = world.dice
    phones = [world.telephone(user, dice.choice(TAKES), "sip:104@192.0.2.100") for user in ("101", "102", "103", "107")]
    outside = [world.carrier(dice.choice(TAKES)), world.partner(dice.choice(TAKES), f"sip:{DID}@192.0.2.100")]
    for _ in range(3):
        dial(world, phones, outside)
    kinds = (dial, dial, on_a_dialog, on_a_dialog, on_a_dialog, other)
    for _ in range(DEEDS):
        world.later(lambda: dice.choice(kinds)(world, phones, outside), 0, WITHIN_S)


def dial(world: LossyOffice, phones: list[Agent], outside: list[Agent]) -> None:
    dice = world.dice
    who = dice.choice([*phones, outside[0]])
    number = DID if who in outside else dice.choice(NUMBERS)
    extra = dice.choice(("", RELIABLE, f"{TIMED}\r\n", f"{TIMED};refresher=uac\r\n", f"{TIMED};refresher=uas\r\n"))
    side = who.call(number, late_offer=dice.random() < 0.2, extra=extra)
    world.later(side.cancel, 0, 2 * WITHIN_S)


def sides(agents: list[Agent]) -> list[Side]:
    return [side for agent in agents for side in agent.sides.values()]


def on_a_dialog(world: LossyOffice, phones: list[Agent], outside: list[Agent]) -> None:
    dice = world.dice
    some = sides([*phones, outside[1]])
    if dice.random() < 0.75:
        some = [side for side in some if side.answered] or some
    if not some:
        return
    side, other_side = dice.choice(some), dice.choice(some)
    deeds: tuple[Callable[[], object], ...] = (
        lambda: reinvite(side, "sendonly"), lambda: reinvite(side, "inactive"), lambda: reinvite(side, "sendrecv"),
        lambda: update(side), lambda: refer(side, dice.choice(NUMBERS)), lambda: refer(side, dice.choice(NUMBERS)),
        lambda: refer_to(side, other_side), lambda: refer_to(side, other_side), side.hang_up, side.answer,
        lambda: inside(side, dice.choice(("OPTIONS", "INFO", "MESSAGE", "FOO"))),
        lambda: take_place(world, dice.choice(phones), side),
        lambda: take_place(world, side.agent, other_side), side.cancel,
    )  # fmt: skip
    dice.choice(deeds)()


def take_place(world: LossyOffice, agent: Agent, side: Side) -> None:
    """An INVITE with Replaces."""
    more = ";early-only" if world.dice.random() < 0.3 else ""
    new = agent.call("101", extra=f"Replaces: {side.replaces}{more}\r\n")
    world.later(new.cancel, 0, 2 * WITHIN_S)


def other(world: LossyOffice, phones: list[Agent], outside: list[Agent]) -> None:
    dice = world.dice
    agent = dice.choice(phones)
    luck = dice.random()
    if luck < 0.4:
        watch = agent.subscribe(dice.choice(("101", "102", "103")), dice.choice(("dialog", "presence")), 90)
        world.later(lambda: watch.again(dice.choice((0, 90))), 0, WITHIN_S)
    elif luck < 0.6:
        agent.write(dice.choice(("101", "102", "555")))
    elif luck < 0.8:
        agent.register(dice.choice((0, 600)))
    elif luck < 0.9:
        world.vanish(dice.choice([*phones, *outside]))
    elif luck < 0.95:
        world.plane.kill()
