"""Who watches whom, joined: lamps of phones and parking slots, presence, the message light, registrations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pbx.call import events
from pbx.call.leg import Leg
from pbx.call.message_relay import MessageRelay
from pbx.call.switch import Switch
from pbx.features import Features
from pbx.routing.location import Location
from pbx.subscriptions.dialog_info import DialogInfo
from pbx.subscriptions.message_summary import MESSAGES, MessageSummary
from pbx.subscriptions.notifier import Notifier
from pbx.subscriptions.presence import Presence, State
from pbx.subscriptions.publications import Publications
from pbx.subscriptions.reg_info import RegInfo


class Watching:
    """One a server; survives reloads."""

    FOLLOWS = (events.CallParked, events.CallUnparked)

    def __init__(self, switch: Switch, location: Location, features: Features, counters: Counter[str]) -> None:
        self._switch = switch
        self._location = location
        self._features = features
        self.messages = MessageSummary(self._is_extension, features.store.save)
        self.publications = Publications(switch, self._is_extension, counters)
        self.notifier = Notifier(
            switch,
            (
                DialogInfo(self._legs_at, self._has_lamp),
                Presence(self._presence, self._is_extension, self.publications.of), RegInfo(location), self.messages,
            ),
            counters,
        )  # fmt: skip
        self.messages.on_change = lambda extension: self.notifier.changed("message-summary", extension)
        self.publications.on_change = lambda extension: self.notifier.changed("presence", extension)
        features.settings.on_change = lambda extension: self.notifier.changed("presence", extension)
        switch.on_leg = self._leg_changed
        switch.serve("SUBSCRIBE", self.notifier.serve)
        switch.serve("PUBLISH", self.publications.serve)
        relay = MessageRelay(switch, location)
        switch.serve("MESSAGE", relay.serve, relay.serve_inside)

    def restore(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """What was set before the server was started again, as the store of settings has it."""
        self.messages.restore((extension, value) for extension, setting, value in rows if setting == MESSAGES)

    def registration_changed(self, extension: str) -> None:
        """It has a contact more, or less."""
        self.notifier.changed("presence", extension)
        self.notifier.changed("reg", extension)

    def event(self, event: object) -> None:
        """A lamp on the key of a parking slot."""
        if isinstance(event, (events.CallParked, events.CallUnparked)):
            self.notifier.changed("dialog", event.slot.rpartition(" ")[2])

    def close(self) -> None:
        """The server ends."""
        self.notifier.close()
        self.publications.close()

    def reconfigure(self) -> None:
        """Another site."""
        self.messages.reconfigure()
        self.publications.reconfigure()

    def _is_extension(self, name: str) -> bool:
        return name in self._switch.rules.site.extensions

    def _has_lamp(self, name: str) -> bool:
        return self._is_extension(name) or any(lot.slots.has(name) for lot in self._switch.rules.site.park.values())

    def _legs_at(self, name: str) -> Iterable[Leg]:
        """Of a phone, or who waits in a parking slot."""
        if self._is_extension(name):
            return self._switch.legs_of(name)
        parked = self._features.park.at(name)
        return () if parked is None else (parked.caller,)

    def _leg_changed(self, leg: Leg) -> None:
        if leg.extension is not None and len(self.notifier):
            self.notifier.changed("dialog", leg.extension)
            self.notifier.changed("presence", leg.extension)

    def _presence(self, extension: str) -> State:
        if self._features.settings.of(extension).dnd:
            return "do not disturb"
        if self._switch.extension_legs(extension):
            return "on the phone"
        return "open" if self._location.is_registered(extension, self._switch.clock.now()) else "offline"
