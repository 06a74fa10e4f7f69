from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from pbx.call.message_relay import MessageRelay
from pbx.subscriptions.dialog_info import DialogInfo
from pbx.subscriptions.message_summary import MessageSummary
from pbx.subscriptions.notifier import Notifier
from pbx.subscriptions.pidf import Pidf
from pbx.subscriptions.presence import Presence, State
from pbx.subscriptions.publications import Publications
from pbx.subscriptions.reg_info import RegInfo
from tests.call.world import World

from .watcher import Watcher


def add_subscriptions(
    world: World, states: Mapping[str, State], published: Callable[[str], Pidf | None] = lambda name: None
) -> tuple[Notifier, MessageSummary]:
    """All that can be watched, and MESSAGE; `states` is presence by extension."""
    switch, is_extension = world.switch, world.site.extensions.__contains__
    messages = MessageSummary(is_extension)
    notifier = Notifier(
        switch,
        (
            DialogInfo(switch.legs_of, is_extension),
            Presence(lambda name: states.get(name, "open"), is_extension, published),
            RegInfo(world.location),
            messages,
        ),
        world.counters,
    )
    relay = MessageRelay(switch, world.location)
    switch.serve("SUBSCRIBE", notifier.serve)
    switch.serve("MESSAGE", relay.serve, relay.serve_inside)
    switch.on_leg = lambda leg: notifier.changed("dialog", leg.extension or "")
    messages.on_change = lambda name: notifier.changed("message-summary", name)
    return notifier, messages


class Watched(World):
    """A switch whose extensions can be watched."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder=folder)
        self.states: dict[str, State] = {}
        self.publications = Publications(self.switch, self.site.extensions.__contains__, self.counters)
        self.notifier, self.messages = add_subscriptions(self, self.states, self.publications.of)
        self.publications.on_change = lambda name: self.notifier.changed("presence", name)
        self.switch.serve("PUBLISH", self.publications.serve)

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
