"""The flows target: a whole switch in virtual time, its peers, its network, its controllers and the moment of every
fault by dice; and the dice are the input. Messages are mutated on their way too.

Never an exception; every call told to have begun is told to have ended, once; after its timers nothing is left.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path

from pbx.sip.errors import SipError
from pbx.sip.hop import Hop
from pbx.sip.message import parse
from tests.call.test_random_flows import check_ends, play
from tests.call.world import World
from tests.fuzz.mutator import mutate

LIMIT_S = 5.0  # a round is forty steps of several peers, not one message
MUTATED = 0.1


class Dice(random.Random):
    """Throws what the input says, then what a seed made of it says: so that a longer input decides more."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._data = iter(data)

    def random(self) -> float:
        octet = next(self._data, None)
        return super().random() if octet is None else octet / 256

    def getrandbits(self, bits: int) -> int:
        octet = next(self._data, None) if bits <= 8 else None
        return super().getrandbits(bits) if octet is None else octet % (1 << bits)


def run(data: bytes) -> None:
    dice = Dice(data)
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder=Path(folder))
        world.receive = spoilt(world.receive, dice)
        world.layer.send = without_refusals(world.layer.send)
        play(world, dice)
        world.run(400)
    assert world.leaks() == {}, world.leaks()
    check_ends(world.events)


def spoilt(deliver: Callable[..., None], dice: random.Random) -> Callable[..., None]:
    """Some messages arrive otherwise than they were sent."""

    def receive(data: bytes, *rest: object) -> None:
        deliver(mutate(data, dice) if dice.random() < MUTATED else data, *rest)

    return receive


def without_refusals(send: Callable[[bytes, Hop], None]) -> Callable[[bytes, Hop], None]:
    """A refusal of what can't be read gives it back as it came, so it may not be readable itself. All else must be."""

    def sent(data: bytes, hop: Hop) -> None:
        try:
            parse(data)
        except SipError as error:  # or it has the one mark too many that its cause had not yet (MAX_MARKS)
            assert data.startswith((b"SIP/2.0 4", b"SIP/2.0 505 ")) or error.reason == "Head too large", data
        else:
            send(data, hop)

    return sent
