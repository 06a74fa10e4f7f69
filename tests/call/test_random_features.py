"""Phones that do by dice whatever a user may do, at any moment: afterwards nothing is left, and no cycle."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from .office import Office, Talk, Telephone

NUMBERS = ("101", "102", "103", "104", "105", "107", "108", "61", "62", "63", "64", "700", "701", "702", "*8", "*8101",
           "*8102", "*781", "*780", "*72105", "*720", "0199", "9555", "+33180000001", "555")  # fmt: skip


class Dice:
    """One office for some minutes."""

    def __init__(self, office: Office, seed: int) -> None:
        self.office = office
        self.dice = random.Random(seed)
        self.phones = [office.telephone(name) for name in ("101", "102", "103", "104", "105", "107", "108")]
        self.phones += [office.carrier(), office.partner()]
        self.acts: list[Callable[[], None]] = [
            self.dial, self.dial, self.answer, self.answer, self.answer, self.refuse, self.redirect, self.hang_up,
            self.cancel, self.refer, self.refer, self.attend, self.replace, self.wait,
        ]  # fmt: skip

    def _settles(self) -> bool:
        """Or the next thing happens before anybody has read what came."""
        return self.dice.random() < 0.6

    def _talks(self, wanted: Callable[[Talk], bool]) -> Talk | None:
        found = [talk for phone in self.phones for talk in phone.talks if not talk.ended and wanted(talk)]
        return self.dice.choice(found) if found else None

    def _standing(self) -> Talk | None:
        return self._talks(lambda talk: talk.status == 200 and (talk.invite is not None or talk.final is not None))

    def _ringing(self) -> Talk | None:
        return self._talks(lambda talk: talk.invite is not None and not talk.status)

    def dial(self) -> None:
        phone: Telephone = self.dice.choice(self.phones)
        phone.dial(self.dice.choice(NUMBERS), settle=self._settles())

    def answer(self) -> None:
        if (talk := self._ringing()) is not None:
            talk.answer(settle=self._settles())

    def refuse(self) -> None:
        if (talk := self._ringing()) is not None:
            talk.refuse(self.dice.choice((480, 486, 603)))

    def redirect(self) -> None:
        if (talk := self._ringing()) is not None:
            talk.redirect(self.dice.choice(NUMBERS))

    def hang_up(self) -> None:
        if (talk := self._standing()) is not None:
            talk.ended = True
            talk.bye(settle=self._settles())

    def cancel(self) -> None:
        talk = self._talks(lambda talk: bool(talk.sent) and talk.status < 200)
        if talk is not None:
            talk.cancel()

    def refer(self) -> None:
        if (talk := self._standing()) is not None:
            talk.refer(self.dice.choice(NUMBERS).replace("*", "%2A"), settle=self._settles())

    def attend(self) -> None:
        talk = self._standing()
        others = [] if talk is None else [one for one in talk.phone.talks if one is not talk and one.status == 200]
        if talk is not None and others:
            talk.refer_to(self.dice.choice(others), settle=self._settles())

    def replace(self) -> None:
        if (talk := self._standing()) is not None:
            phone: Telephone = self.dice.choice(self.phones)
            phone.dial("x", f"Replaces: {talk.replaces}\r\n", settle=self._settles())

    def wait(self) -> None:
        self.office.pass_time(self.dice.choice((0.1, 1, 7, 20)))

    def run(self, acts: int) -> None:
        for _ in range(acts):
            self.dice.choice(self.acts)()
        self.office.settle()
        for phone in self.phones:
            for talk in phone.talks:
                if talk.sent and talk.status < 200:
                    talk.cancel()
                elif talk.status == 200 and not talk.ended:
                    talk.ended = True
                    talk.bye()
                elif talk.invite is not None and not talk.status and not talk.ended:
                    talk.refuse()
        self.office.pass_time(5)
        for phone in self.phones:  # who answered in between
            for talk in phone.talks:
                if talk.invite is not None and not talk.status and not talk.ended:
                    talk.refuse()


@pytest.mark.parametrize("seed", range(40))
def test_nothing_is_left(tmp_path: Path, seed: int) -> None:
    office = Office(tmp_path)
    Dice(office, seed).run(120)
    office.pass_time(300)
    assert office.leaks() == {}
    assert not office.park._slots and not office.park._of
    ended = [event.call_id for event in office.named("CallEnded")]
    assert sorted(ended) == sorted(event.call_id for event in office.named("CallStarted"))
    assert len(ended) == len(set(ended))


def test_no_cycle_is_left(tmp_path: Path) -> None:
    office = Office(tmp_path)
    gc.collect()
    gc.disable()
    try:
        Dice(office, 7).run(120)
        office.pass_time(300)
        ours = {"Call", "CallerLeg", "CalledLeg", "Attempt", "Transfer", "Progress", "_Slot", "_Hunt", "Audio"}
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        assert {type(one).__name__ for one in gc.garbage} & ours == set()
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
