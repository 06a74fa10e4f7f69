"""Conferences, and who listens to a call, outlive the server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pbx.call.call import Call
from pbx.call.standing import go_on, keep, revive

from .office import Office
from .test_conference import three
from .test_supervision import Floor, served


def next_office(
    old: Office, folder: Path, but: Call | None = None, make: Callable[[], Office] | None = None
) -> Office:
    """The server dies, its media worker and the phones do not; another takes up what it kept, all `but` one call."""
    kept = [json.dumps(one) for call in old.switch.calls() if call is not but and (one := keep(call)) is not None]
    new = type(old)(folder) if make is None else make()
    new.clock.time = old.clock.time
    old.plane.restart()
    new.plane = new.switch.plane = old.plane
    new.phones, new.people = old.phones, old.people
    for person in new.people.values():
        person.world = person.office = new
    revived = [(revive(new.switch, one, new.clock.time), one) for one in reversed([json.loads(text) for text in kept])]
    go_on(new.switch, [(call, one) for call, one in revived if call is not None])
    new.settle()
    return new


@pytest.fixture
def offices(tmp_path: Path) -> Iterator[list[Office]]:
    """The last one is checked at the end."""
    offices: list[Office] = []
    yield offices
    new = offices[-1]
    new.over()


def test_three_who_talk_notice_nothing(offices: list[Office], tmp_path: Path) -> None:
    old = Office(tmp_path)
    a, b, c = three(old)
    name = old.rooms.view()[0]["name"]
    new = next_office(old, tmp_path)
    offices.append(new)
    assert new.all_hear_each_other(a, b, c) and [one["name"] for one in new.rooms.view()] == [name]
    c.bye()
    assert new.hear_each_other(a, b) and new.rooms.view() == []
    b.bye()
    assert a.ended


def test_a_room_asks_nobody_for_its_pin_again(offices: list[Office], tmp_path: Path) -> None:
    old = Office(tmp_path)
    talks = [old.telephone(name).dial("*41") for name in ("101", "102", "103")]
    for talk in talks:
        for key in "1234#":
            old.plane.press(old.plane.port_of(talk.port), key)
        old.settle()
    late = old.telephone("104").dial("*41")  # full, and refused at the door
    assert old.all_hear_each_other(*talks) and late.status == 486
    new = next_office(old, tmp_path)
    offices.append(new)
    assert new.all_hear_each_other(*talks)
    [room] = new.rooms.view()
    assert (room["name"], room["room"], len(room["members"])) == ("board", True, 3)  # type: ignore[arg-type]
    assert len(new.named("ConferenceJoined")) == 3
    talks[0].bye()
    assert new.hear_each_other(*talks[1:])


def test_who_is_alone_in_it_now_is_told_so_by_its_end(offices: list[Office], tmp_path: Path) -> None:
    """Of a call that became a conference only the third has outlived the server: that is none any more."""
    old = Office(tmp_path)
    a, b, c = three(old)
    lost = next(call for call in old.switch.calls() if call.connected is not None)
    new = next_office(old, tmp_path, but=lost)
    offices.append(new)
    assert c.ended and new.switch.live == 0 and new.rooms.view() == []
    assert [event.cause for event in new.named("CallEnded")] == ["alone in a conference"]
    for talk in (a, b):
        talk.ended = True
    for port in list(new.plane.adopted().values()):  # theirs, which the grace ends
        new.plane.release(port)


def test_who_listened_listens_in_the_way_he_had_chosen(offices: list[Office], tmp_path: Path) -> None:
    old = Floor(tmp_path)
    a, b = served(old)
    s = old.begin("ben", "104", "monitor")
    old.beeped(b)
    old.supervision.change("ben", "104", "whisper")
    old.beeped(b)
    heard = [old.plane.hears(talk.port) for talk in (a, b, s)]
    new = next_office(old, tmp_path)
    offices.append(new)
    assert isinstance(new, Floor)
    new.beeped(b)
    assert [one["mode"] for one in new.supervision.view("ben")] == ["whisper"]
    assert [new.plane.hears(talk.port) for talk in (a, b, s)] == heard
    a.bye()
    assert s.ended
