"""What phones can do with calls, joined: forwards, groups, park, pickup, transfers, and the agents' screens when a call
moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from config.schema import Site
from cti.screen_pop import ScreenPops
from pbx.call import events, pickup, replaces
from pbx.call.bridge import DirectBridge
from pbx.call.feature_codes import FeatureCodes
from pbx.call.forwarding import Forwarding, TrunkCalls
from pbx.call.groups import Groups
from pbx.call.originate import ClickToDial
from pbx.call.park import Park
from pbx.call.phone_settings import PhoneSettings
from pbx.call.refer import Refers
from pbx.call.rooms import Rooms
from pbx.call.supervision import Supervision
from pbx.call.switch import Handler, Switch
from pbx.routing.dial_plan import Caller
from pbx.routing.location import Location
from pbx.store.settings import SettingStore

if TYPE_CHECKING:
    from pbx.call.call import Call


class Features:
    """One a server; survives reloads."""

    FOLLOWS = (events.CallEnded, events.CallParked, events.CallTransferred)

    def __init__(
        self, site: Site, switch: Switch, location: Location, pops: ScreenPops, counters: Counter[str]
    ) -> None:
        self._switch = switch
        self._pops = pops
        self.store = SettingStore(site.records.url, counters)
        self.settings = PhoneSettings(site, self.store.save)
        self.settings.leads = self._leads
        self.park = Park()
        self.rooms = Rooms(switch)
        self.clicks = ClickToDial(switch, location.is_registered)
        self.supervision = Supervision(switch, self.rooms, self.clicks)
        self._groups = Groups(switch, self.settings, location.is_registered)
        forwarding = Forwarding(self.settings, location.is_registered)
        self.handlers: Mapping[str, Handler] = {
            "extension": forwarding.start, "number": forwarding.number, "trunk": TrunkCalls().start,
            "uri": DirectBridge("uri").start, "group": self._groups.start, "park": self.park.start,
            "pickup": pickup.start, "replaces": replaces.start, "set": FeatureCodes(self.settings).start,
            "conference": self.rooms.start, "add": self.rooms.dialled, "supervise": self.supervision.start,
        }  # fmt: skip
        Refers(switch, self.rooms)
        self.phone_calls: Callable[[str, int], None] = self._groups.phone_calls
        self._agent_at: Callable[[str], str | None] = lambda extension: None
        self._read(site)

    def _leads(self, extension: str, number: str) -> bool:
        return self._switch.resolve_number(Caller("extension", extension), number) is not None

    async def open(self) -> list[tuple[str, str, str]]:
        """What users had set, and what else is kept as settings: all of it. Raises DatabaseUnreachable."""
        rows = await self.store.open()
        self.settings.restore(rows)
        return rows

    def reconfigure(self, site: Site) -> None:
        self.settings.reconfigure(site)
        self._groups.reconfigure(site.extensions)
        self._read(site)

    def _read(self, site: Site) -> None:
        self._contacts = {agent.contact: name for name, agent in site.agents.items() if agent.contact is not None}

    def seated(self, phone_of: Callable[[str], str | None], agent_at: Callable[[str], str | None]) -> None:
        """Where agents sit, who sits at a phone: they may log in at any."""
        self._agent_at = self.supervision.agent_at = agent_at
        self.supervision.phone_of = phone_of

    def event(self, event: object) -> None:
        """Conferences and screens follow a call that moves, and are left and closed with it."""
        self.rooms.event(event)
        if type(event) is events.CallTransferred:
            call = self._switch.call(event.call_id)
            if call is not None:
                self._transferred(call, event)
        elif type(event) is events.CallEnded:
            self._pops.call_over(event.call_id)

    def _transferred(self, call: Call, event: events.CallTransferred) -> None:
        self._pops.call_over(call.id)  # who had it by an earlier transfer
        if event.other_call_id is not None:
            self._pops.call_over(event.other_call_id)
        talks = call.connected
        leg = None if talks is None else talks.winner
        agent = None
        if talks is not None and leg is not None:
            where = leg.extension or talks.destination.name
            agent = self._agent_at(where) or self._contacts.get(where)
        if event.to_agent is not None:
            self._pops.updated(call)  # he has the pop of the call that he took; now it is another caller's
        elif agent is not None:
            self._pops.transferred(call, agent)
