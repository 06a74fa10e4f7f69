"""Lamps of phones and parking slots, presence with do-not-disturb: as the server joins them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cti.events import EventHub
from cti.screen_pop import ScreenPops
from cti.web_sessions import WebSessions
from pbx.features import Features
from pbx.watching import Watching
from tests.call.world import SITE, World, sdp
from tests.subscriptions.watcher import Watcher

LOT = SITE.replace("dial_plan:", 'dial_plan:\n  - {match: "70X", to: "park house {number}", from: anyone}')
LOT += "park: {house: {slots: 701-702}}\n"


class Watched(World):
    def __init__(self, folder: Path) -> None:
        super().__init__(LOT, folder)
        hub = EventHub(self.clock.time, self.counters)
        sessions = WebSessions(self.site.web, "FR", lambda n: 0, self.counters)
        pops = ScreenPops(hub, sessions, self.clock, self.counters)
        self.features = Features(self.site, self.switch, self.location, pops, self.counters)
        self.switch.handlers = dict(self.features.handlers)
        self.watching = Watching(self.switch, self.location, self.features, self.counters)
        self.switch.emit = self._emitted

    def _emitted(self, event: object) -> None:
        self.events.append(event)
        self.watching.event(event)

    def watcher(self, host: str, user: str) -> Watcher:
        watcher = self.phones[host, 5060] = Watcher(self, host, user)
        return watcher


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Watched]:
    world = Watched(tmp_path)
    yield world
    world.watching.notifier.close()
    world.run(100)
    assert world.leaks() == {}
    assert not world.switch.dialogs


def test_lamp_of_a_parking_slot(world: Watched) -> None:
    watcher = world.watcher("192.0.2.50", "105")
    assert watcher.subscribe("703", "dialog", call="none").status == 404
    assert watcher.subscribe("701", "dialog").status == 200
    assert b"<dialog " not in watcher.notify().body
    carrier = world.phone("198.51.100.1")
    invite = carrier.invite("701")
    ok = carrier.response(200)
    carrier.follow("ACK", invite, ok.to_tag or "")
    world.run(0)
    assert b"<state>confirmed</state>" in watcher.notify().body
    carrier.follow("BYE", invite, ok.to_tag or "", cseq=2)
    carrier.response(200)
    world.run(0)
    assert b"<dialog " not in watcher.notify().body


def test_presence_follows_registration_calls_and_the_users_wish(world: Watched) -> None:
    watcher = world.watcher("192.0.2.50", "105")
    watcher.subscribe("101", "presence")
    assert b">Offline<" in watcher.notify().body
    phone = world.phone("192.0.2.10")
    world.register("101", phone)
    world.watching.registration_changed("101")
    world.run(0)
    assert b">Available<" in watcher.notify().body
    world.features.settings.set("101", "dnd", "on")
    world.run(0)
    assert b">Do not disturb<" in watcher.notify().body
    world.features.settings.set("101", "dnd", "off")
    world.run(0)
    watcher.notify()
    carrier = world.phone("198.51.100.1")
    invite = carrier.invite("+33180000001")
    world.run(0)
    assert b">On the phone<" in watcher.notify().body
    phone.answer(phone.request("INVITE"), 200, body=sdp(41000, host=phone.host))
    phone.request("ACK")
    tag = carrier.response(200).to_tag or ""
    carrier.follow("ACK", invite, tag)
    carrier.follow("BYE", invite, tag, cseq=2)
    phone.answer(phone.request("BYE"), 200)
    world.run(0)
    assert b">Available<" in watcher.notify().body  # what changed while he was told is told once
