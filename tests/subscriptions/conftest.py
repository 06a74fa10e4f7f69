from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pbx.call.message_relay import MessageRelay
from pbx.subscriptions.dialog_info import DialogInfo
from pbx.subscriptions.message_summary import MessageSummary
from pbx.subscriptions.notifier import Notifier
from pbx.subscriptions.presence import Presence, State
from pbx.subscriptions.reg_info import RegInfo
from tests.call.world import World

from .watcher import Watcher


class Watched(World):
    """A switch whose extensions can be watched."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder=folder)
        self.states: dict[str, State] = {}
        self.messages = MessageSummary(self.site.extensions.__contains__)
        self.notifier = Notifier(
            self.switch,
            (
                DialogInfo(self.switch.legs_of, self.site.extensions.__contains__),
                Presence(lambda name: self.states.get(name, "open"), self.site.extensions.__contains__),
                RegInfo(self.location),
                self.messages,
            ),
            self.counters,
        )
        relay = MessageRelay(self.switch, self.location)
        self.switch.serve("SUBSCRIBE", self.notifier.serve)
        self.switch.serve("MESSAGE", relay.serve, relay.serve_inside)
        self.switch.on_leg = lambda leg: self.notifier.changed("dialog", leg.extension or "")
        self.messages.on_change = lambda name: self.notifier.changed("message-summary", name)

    def watcher(self, host: str, user: str) -> Watcher:
        watcher = self.phones[host, 5060] = Watcher(self, host, user)
        return watcher


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Watched]:
    world = Watched(tmp_path)
    yield world
    world.notifier.close()
    world.run(100)
    assert world.leaks() == {}
    assert len(world.notifier) == 0
    assert not world.switch._dialogs
