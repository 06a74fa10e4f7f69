"""Joins the trace to the server: the ring to the driver and the events, the exporter to Homer, what the API reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from config.schema import Site
from config.trace import Homer
from cti.traces import Traces
from pbx.sip.hop import Hop
from pbx.sip.uri import host_port_of
from pbx.trace.captured import Address
from pbx.trace.filters import Addresses
from pbx.trace.homer import HomerExporter
from pbx.trace.mask import mask
from pbx.trace.ring import Ring
from pbx.transport.driver import Driver
from pbx.transport.local import ANY, source_address

Printer = Callable[[str, bytes, Hop], None]


class Tracing:
    """`trunk_of(host, port)` is the trunk of a source; `address_of(host)` resolves a gateway's name."""

    def __init__(
        self, site: Site, driver: Driver, trunk_of: Callable[[str, int], str | None],
        address_of: Callable[[str], str | None], counters: Counter[str],
    ) -> None:  # fmt: skip
        self._site, self._driver, self._counters = site, driver, counters
        self._trunk_of, self._address_of = trunk_of, address_of
        self._printer: Printer | None = None
        self._homer: tuple[Homer, HomerExporter] | None = None
        self.traces = Traces(None, self._ours, self._trunk, lambda: self._site.locale.country, driver, counters)
        self._set_ring()

    def event(self, event: Any) -> None:
        """Every domain event."""
        if self.traces.ring is not None:
            self.traces.ring.event(event)

    def trim(self) -> None:
        if self.traces.ring is not None:
            self.traces.ring.trim()

    def print_messages(self, printer: Printer) -> None:
        """Show every message, without its secrets, as it comes and goes (log level debug)."""
        self._printer = printer
        self._hook()

    def start(self) -> None:
        self._start_homer()

    async def close(self) -> None:
        if self._homer is not None:
            await self._homer[1].close()
            self._homer = None

    async def reconfigure(self, site: Site) -> None:
        """A reload: other bounds, on or off, another Homer. What the ring holds stays if it stays on."""
        self._site = site
        if self._homer is not None and self._homer[0] != site.trace.homer:
            await self.close()
        self._set_ring()
        self._start_homer()

    # --- inside -----------------------------------------------------------------------------------------------------

    def _set_ring(self) -> None:
        settings, traces = self._site.trace, self.traces
        max_bytes, max_age_s = int(settings.megabytes * 1_000_000), settings.minutes * 60
        if not settings.on:
            traces.ring = None
        elif traces.ring is None:
            traces.ring = Ring(max_bytes, max_age_s, self._driver.now, self._counters)
        else:
            traces.ring.resize(max_bytes, max_age_s)
        self._hook()

    def _hook(self) -> None:
        ring, printer = self.traces.ring, self._printer
        if printer is None:
            self._driver.trace = ring.message if ring is not None else None
            return

        def both(direction: str, data: bytes, hop: Hop) -> None:
            if ring is not None:
                ring.message(direction, data, hop)
            printer(direction, mask(data), hop)

        self._driver.trace = both

    def _start_homer(self) -> None:
        settings, ring = self._site.trace.homer, self.traces.ring
        if settings is not None and ring is not None and self._homer is None:
            exporter = HomerExporter(settings, ring, self._ours, self._counters)
            self._homer = settings, exporter
            exporter.start()

    def _ours(self, hop: Hop) -> Address:
        """Our address on a hop, as the peer sees it (without NAT)."""
        local = self._driver.local
        pairs = local.listeners.get(hop.transport)
        if not pairs:
            return source_address(hop.host), 0
        host, port = pairs[local.listener(hop)]
        return (source_address(hop.host) if host in ANY else host), port

    def _trunk(self, name: str) -> Addresses | None:
        trunk = self._site.trunks.get(name)
        if trunk is None:
            return None
        names = {host_port_of(way.uri)[0].strip("[]") for way in trunk.ways}
        hosts = names | {self._address_of(name) for name in names}
        return lambda host, port: host in hosts or self._trunk_of(host, port) == name
