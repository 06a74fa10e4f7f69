"""Who can be reached: gateways and registered phones are asked, and what calls meet with counts too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final

from config.schema import Site
from pbx.call import events
from pbx.call.probes import Probe
from pbx.call.switch import Switch
from pbx.call.targets import Target
from pbx.routing.gateways import Gateway, Gateways
from pbx.routing.location import Location
from pbx.routing.reachability import Reachability
from pbx.sip.binding import Binding
from pbx.sip.hop import Hop

TICK_S: Final = 0.1


class Health:
    """Asks who is due whenever `tick` is called, every TICK_S. `on_phone(extension)` is told when a phone became
    reachable or unreachable; `hops` gives what a URI leads to."""

    def __init__(
        self, switch: Switch, gateways: Gateways, location: Location, hops: Callable[[str], tuple[Hop, ...] | None],
        emit: Callable[[object], None], counters: Counter[str], on_phone: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._switch = switch
        self._gateways = gateways
        self._location = location
        self._hops = hops
        self._emit = emit
        self._counters = counters
        self._on_phone = on_phone
        self._site: Site | None = None
        self.phones = Reachability(self._phone_changed)
        gateways.on_change = self._gateway_changed

    def reconfigure(self, site: Site) -> None:
        """For phones that are registered; gateways are reconfigured by their owner."""
        self._site = site
        now = self._switch.clock.now()
        for aor, _ in self._location:
            self.registered(aor, self._location.is_registered(aor, now))

    # --- phones -----------------------------------------------------------------------------------------------------

    def registered(self, aor: str, registered: bool) -> None:
        """An AOR got its first contact or lost its last."""
        site = self._site
        extension = site.extensions.get(aor) if site is not None else None
        if not registered or extension is None or site is None:
            self.phones.forget(aor)
            return
        period_s = site.listen.qualify_s if extension.qualify_s is None else extension.qualify_s
        self.phones.watch(aor, period_s, self._switch.clock.now())

    def view(self, limit: int) -> dict[str, object]:
        """The first `limit` registered extensions with their contacts, and how many were left off."""
        site, now = self._site, self._switch.clock.now()
        rows = [(aor, its) for aor, its in self._location if site is not None and aor in site.extensions]
        shown = [
            {
                "extension": aor, "reachable": self.phones.reachable(aor),
                "contacts": [self._contact_view(aor, one) for one in its if one.expires_at > now],
            }
            for aor, its in rows[:limit]
        ]  # fmt: skip
        return {"phones": shown, "left_off": max(0, len(rows) - limit)}

    def _contact_view(self, aor: str, binding: Binding) -> dict[str, object]:
        known = self.phones.contact(aor, binding.contact)
        round_trip_s = None if known is None else known.round_trip_s
        return {
            "uri": binding.contact, "hop": str(binding.hop), "expires_at": binding.expires_at,
            "silent": 0 if known is None else known.failures,
            "round_trip_ms": None if round_trip_s is None else round(round_trip_s * 1000, 1),
        }  # fmt: skip

    def _phone_changed(self, extension: str, reachable: bool) -> None:
        now = self._switch.clock.now()
        self._counters["phones_reachable_again" if reachable else "phones_unreachable"] += 1
        self._emit(events.PhoneReachable(now, extension) if reachable else events.PhoneUnreachable(now, extension))
        self._on_phone(extension)

    # --- gateways ---------------------------------------------------------------------------------------------------

    def hop_result(self, target: Target, ok: bool) -> None:
        """What a call met with at `target.hop`. A gateway has failed when its last address has."""
        now = self._switch.clock.now()
        self._gateways.setbacks.note(target.hop, now, ok=ok)
        if target.trunk is None or not target.gateway:
            return
        if ok:
            self._gateways.answered(target.trunk, target.gateway, now)
        elif not target.alternatives:
            self._gateways.failed(target.trunk, target.gateway, now)

    def _gateway_changed(self, gateway: Gateway, usable: int) -> None:
        now, trunk, uri = self._switch.clock.now(), gateway.trunk, gateway.uri
        if gateway.usable:
            self._counters["gateways_up_again"] += 1
            self._emit(events.GatewayUp(now, trunk, uri, usable))
            if usable == 1:
                self._emit(events.TrunkUp(now, trunk))
        else:
            self._counters["gateways_down"] += 1
            self._emit(events.GatewayDown(now, trunk, uri, usable))
            if not usable:
                self._emit(events.TrunkDown(now, trunk))

    # --- asking -----------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        now = self._switch.clock.now()
        for gateway in self._gateways.due(now):
            hops = self._hops(gateway.uri)
            if hops:
                self._ask_gateway(gateway.trunk, gateway.uri, self._gateways.setbacks.order(hops, now), now)
            else:  # not an address, or not yet
                self._gateways.failed(gateway.trunk, gateway.uri, now)
        for aor in self.phones.due(now):
            bindings = self._location.contacts(aor, now)
            self.phones.keep(aor, [one.contact for one in bindings])
            for one in bindings:
                self._counters["options_to_phones"] += 1
                told = partial(self.phones.heard, aor, one.contact)
                Probe(self._switch, one.request_uri, one.hop, one.path, told, now)

    def _ask_gateway(self, trunk: str, uri: str, hops: tuple[Hop, ...], now: float) -> None:
        """One address after the other, until one answers."""
        self._counters["options_to_gateways"] += 1
        Probe(self._switch, uri, hops[0], (), partial(self._gateway_told, trunk, uri, hops), now)

    def _gateway_told(
        self, trunk: str, uri: str, hops: tuple[Hop, ...], round_trip_s: float | None, now: float
    ) -> None:
        self._gateways.setbacks.note(hops[0], now, ok=round_trip_s is not None)
        if round_trip_s is not None:
            self._gateways.answered(trunk, uri, now, round_trip_s)
        elif len(hops) > 1:
            self._ask_gateway(trunk, uri, hops[1:], now)
        else:
            self._gateways.failed(trunk, uri, now)
