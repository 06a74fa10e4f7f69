"""Every call flow over a network that loses, repeats and reorders any message: afterwards no dialog, transaction,
timer or port is left on any side, whatever became of the call.

A flow is one function of a LossyWorld in `FLOWS`: it makes agents and lets them do things now or later. It need not end
what it begins: what is still up after a while is hung up by its caller.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from .lossy import Agent, LossyWorld, Side
from .test_flows import DID
from .world import sdp

SEEDS = 12
TRUNK = "198.51.100.1"

Flow = Callable[[LossyWorld], None]
FLOWS: dict[str, Flow] = {}


def flow(function: Flow) -> Flow:
    FLOWS[function.__name__] = function
    return function


def phone(world: LossyWorld, user: str = "101", takes: str = "answer", contact: str = "") -> Agent:
    agent = world.agent(f"192.0.2.{10 + len(world.agents)}", user, takes=takes, contact=contact)
    agent.register()
    world.run(60)
    return agent


def carrier(world: LossyWorld, takes: str = "answer") -> Agent:
    return world.agent(TRUNK, "carrier", takes=takes)


def talk(world: LossyWorld, side: Side, seconds: float = 8.0) -> None:
    """Let a call be, then hang up whatever it came to."""
    world.later(side.cancel, seconds, 2 * seconds)


@flow
def register_and_unregister(world: LossyWorld) -> None:
    agent = phone(world)
    agent.register(0)


@flow
def call_answered(world: LossyWorld) -> None:
    phone(world)
    talk(world, carrier(world).call(DID))


@flow
def call_hung_up_by_the_called(world: LossyWorld) -> None:
    called = phone(world)
    talk(world, carrier(world).call(DID), 60)
    world.later(lambda: each(called, Side.hang_up), 8, 16)


@flow
def both_hang_up_at_once(world: LossyWorld) -> None:
    called = phone(world)
    side = carrier(world).call(DID)

    def both() -> None:
        for one in (side, *called.sides.values()):
            one.hang_up()

    world.later(both, 6, 12)
    talk(world, side, 60)


@flow
def call_cancelled(world: LossyWorld) -> None:
    phone(world, takes="ring")
    world.later(carrier(world).call(DID).cancel, 0, 4)


@flow
def cancel_crosses_the_answer(world: LossyWorld) -> None:
    phone(world)
    world.later(carrier(world).call(DID).cancel, 0, 5)


@flow
def call_refused(world: LossyWorld) -> None:
    phone(world, takes="refuse")
    talk(world, carrier(world).call(DID))


@flow
def call_redirected(world: LossyWorld) -> None:
    target = phone(world, "102")
    phone(world, takes="redirect", contact=f"sip:102@{target.host}")
    talk(world, carrier(world).call(DID), 20)


@flow
def nobody_is_there(world: LossyWorld) -> None:
    gone = phone(world)
    del world.agents[gone.host]
    talk(world, carrier(world).call(DID), 60)


@flow
def late_offer(world: LossyWorld) -> None:
    phone(world)
    talk(world, carrier(world).call(DID, late_offer=True))


@flow
def call_between_extensions(world: LossyWorld) -> None:
    phone(world)
    talk(world, phone(world, "102").call("101"))


@flow
def call_by_a_trunk_that_asks_who_we_are(world: LossyWorld) -> None:
    carrier(world, takes="login")
    talk(world, phone(world).call("0123456789"), 20)


@flow
def forked_to_three(world: LossyWorld) -> None:
    for takes in ("answer", "answer", "refuse"):
        phone(world, takes=takes)
    talk(world, carrier(world).call(DID))


@flow
def hold_and_back(world: LossyWorld) -> None:
    phone(world)
    side = carrier(world).call(DID)
    for n, direction in enumerate(("sendonly", "sendrecv")):
        world.later(lambda direction=direction: reinvite(side, direction), 8 + 6 * n, 12 + 6 * n)  # type: ignore[misc]
    talk(world, side, 24)


@flow
def both_hold_at_once(world: LossyWorld) -> None:
    called = phone(world)
    side = carrier(world).call(DID)

    def glare() -> None:
        for one in (side, *called.sides.values()):
            reinvite(one, "sendonly")

    world.later(glare, 8, 10)
    talk(world, side, 24)


@flow
def held_by_the_called(world: LossyWorld) -> None:
    called = phone(world)
    side = carrier(world).call(DID)
    world.later(lambda: each(called, hold), 8, 12)
    talk(world, side, 24)


@flow
def provisional_responses_acknowledged(world: LossyWorld) -> None:
    phone(world)
    talk(world, carrier(world).call(DID, extra="Supported: 100rel\r\n"))


@flow
def early_media_acknowledged(world: LossyWorld) -> None:
    """RFC 3262: a reliable 183 of the phone, and ours to the caller."""
    phone(world, takes="early")
    talk(world, carrier(world).call(DID, extra="Supported: 100rel\r\n"))


@flow
def early_media_cancelled(world: LossyWorld) -> None:
    phone(world, takes="early")
    world.later(carrier(world).call(DID, extra="Supported: 100rel\r\n").cancel, 0, 5)


@flow
def transferred(world: LossyWorld) -> None:
    """RFC 3515: the called one gives the caller on, by a REFER."""
    called = phone(world)
    phone(world, "102")
    talk(world, carrier(world).call(DID), 30)
    world.later(lambda: each(called, refer), 8, 12)


@flow
def transferred_to_nobody(world: LossyWorld) -> None:
    called = phone(world)
    talk(world, carrier(world).call(DID), 60)
    world.later(lambda: each(called, refer), 8, 12)


@flow
def transferred_and_cancelled(world: LossyWorld) -> None:
    """The caller goes while the target rings."""
    called = phone(world)
    phone(world, "102", takes="ring")
    talk(world, carrier(world).call(DID), 10)
    world.later(lambda: each(called, refer), 8, 12)


@flow
def update_inside(world: LossyWorld) -> None:
    """RFC 3311: an offer by UPDATE, from both sides at once."""
    called = phone(world)
    side = carrier(world).call(DID)

    def both() -> None:
        for one in (side, *called.sides.values()):
            update(one)

    world.later(both, 8, 12)
    talk(world, side, 24)


@flow
def session_timer(world: LossyWorld) -> None:
    phone(world)
    extra = "Supported: timer\r\nSession-Expires: 90\r\nMin-SE: 90\r\n"
    talk(world, carrier(world).call(DID, extra=extra), 100)


@flow
def requests_inside(world: LossyWorld) -> None:
    """OPTIONS, INFO, an UPDATE without a body, and a method that nobody knows."""
    phone(world)
    side = carrier(world).call(DID)
    for method in ("OPTIONS", "INFO", "UPDATE", "FOO"):
        world.later(lambda method=method: inside(side, method), 4, 12)  # type: ignore[misc]
    talk(world, side, 16)


def inside(side: Side, method: str) -> None:
    if side.answered:
        side.request(method)


def each(agent: Agent, deed: Callable[[Side], None]) -> None:
    for side in agent.sides.values():
        deed(side)


def refer(side: Side) -> None:
    if side.answered:
        side.request("REFER", headers="Refer-To: <sip:102@192.0.2.100>\r\n")


def update(side: Side) -> None:
    if side.answered:
        body = sdp(host=side.agent.host, direction="sendonly")
        side.request("UPDATE", headers="Content-Type: application/sdp\r\n", body=body)


def hold(side: Side) -> None:
    reinvite(side, "sendonly")


def reinvite(side: Side, direction: str) -> None:
    if side.answered:
        side.invite(sdp(host=side.agent.host, direction=direction))


def settle(world: LossyWorld) -> None:
    """Whatever is still up ends."""
    world.run(300)
    for agent in list(world.agents.values()):
        for side in agent.sides.values():
            side.cancel()
    world.run(200)


@pytest.mark.parametrize("name", FLOWS)
def test_nothing_stays_behind(name: str, tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    for seed in range(SEEDS):
        world = LossyWorld(tmp_path, seed)
        FLOWS[name](world)
        settle(world)
        assert world.leaks() == {}, f"seed {seed}"
        assert world.counters["sip_malformed"] == 0
        seen.update(type(event).__name__ for event in world.events)
    if "register" not in name:
        assert seen["CallEnded"] == seen["CallStarted"] > SEEDS // 2
