"""The composition root: builds every object of a site, starts them in order, reloads, drains. Imported by nobody but
the command."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import secrets
import signal
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import structlog

from acd.desk import Desk
from config.errors import SiteError
from config.listen import Listen, Tls
from config.schema import Site
from cti.events import EventHub, wire_name
from cti.http import HttpServer
from cti.ivr_statistics import IvrStatistics
from cti.matching import Matching
from cti.ports import CallView
from cti.quality import Quality
from cti.screen_pop import ScreenPops
from cti.tokens import Tokens
from cti.web_sessions import WebSessions
from ivr.sayer import Sayer
from ivr.session import IvrHandler
from media.codecs import wants_opus
from media.plane import MediaError
from media.prompts import Progress
from media.rtpengine.plane import RtpenginePlane
from media.runtime import folder_of
from media.security import SecurityPolicy, wants_srtp
from media.worker_plane import WorkerPlane
from pbx.call import events
from pbx.call.call import Call
from pbx.call.carrier_registration import Carriers
from pbx.call.clock import Timer
from pbx.call.health import TICK_S, Health
from pbx.call.outbound import CustomerCalls
from pbx.call.screening import Screening
from pbx.call.switch import Rules, Switch
from pbx.call.targets import Targets
from pbx.certificates import DAY_S, days_left, tls_files, warn_of_end
from pbx.defence import Defence
from pbx.descriptors import raise_limit
from pbx.features import Features
from pbx.recording_files import key_of
from pbx.recordings import Recordings
from pbx.recovery import Recovery
from pbx.routing.admission import Admission
from pbx.routing.dial_plan import DialPlan
from pbx.routing.gateways import Gateways
from pbx.routing.location import Location
from pbx.routing.trunk import TrunkTable
from pbx.sip.binding import restored
from pbx.sip.digest import DigestServer
from pbx.sip.hop import Hop
from pbx.sip.next_hop import Speaks
from pbx.sip.registrar import Registrar
from pbx.site import load_site
from pbx.site_facts import Users, media_host, nameservers_of, realm_of, uris_of
from pbx.sound import prompt_library, wanted
from pbx.spending import LOOK_S, Spending
from pbx.standing_calls import StandingCalls
from pbx.statistics_history import restore
from pbx.store.bindings import BindingStore, Record
from pbx.store.errors import StoreError
from pbx.store.journal import Journal
from pbx.store.records import Records
from pbx.tracing import Tracing
from pbx.transport.driver import Driver, ListenError
from pbx.transport.local import LOCAL_NETWORKS
from pbx.transport.resolver import Resolver
from pbx.transport.streams import Limits
from pbx.transport.tls import TlsError
from pbx.watching import Watching

log = structlog.get_logger("pbx.server")

MISTAKES_LOGGED = 20  # of a site file that is refused on SIGHUP
DRAIN_S = 20.0  # how long live calls may go on after SIGTERM
EXPIRY_S = 1.0  # how often expired registrations are looked for
COLLECT_S = 600.0  # how often the collector runs; no call path makes cycles, so it finds next to nothing


class StartError(Exception):
    """The server can't start: a line for each reason."""


class Server:
    """One site, live."""

    def __init__(self, site_file: Path, drain_s: float = DRAIN_S, progress: Progress | None = None) -> None:
        """Raises SiteError. Needs a running event loop. `progress` is told of prompts being converted."""
        self.site_file = site_file
        self.site = site = load_site(site_file)
        self.drain_s = drain_s
        self.counters: Counter[str] = Counter()
        self._followers: defaultdict[type, list[Callable[[Any], None]]] = defaultdict(list)  # of events of a kind
        self.driver = Driver(self.counters)
        self.journal = Journal(site.records.url, site.records.buffer_events, self.counters)
        self.hub = EventHub(self.driver.now(), self.counters)
        self.records = Records(site.records.url)
        self.resolver = Resolver(
            Speaks.of(site.listen.sip), self.driver.now, self.counters, nameservers_of(site.listen)
        )
        self.prompts = prompt_library(site, progress)
        self._tell_bad_prompts()
        self.location = Location(on_change=self._registration_changed)
        self.bindings = BindingStore(site.records.url, self._contacts_of, self.counters)
        self.admission = Admission(site, self.counters)
        self.spending = Spending(site, self.driver, self.emit, self.counters)
        self.defence = Defence(
            site, self.driver, self.location, self.resolver.hops, self.emit, self.counters
        )  # fmt: skip
        self.gateways = Gateways()
        self.gateways.reconfigure(site, self.driver.now())
        self.sessions = WebSessions(site.web, site.locale.country, secrets.randbelow, self.counters)
        self.tracing = Tracing(site, self.driver, self._trunk_of, self.resolver.address, self.counters)
        self._build_media(site)
        self._build_calls(site)
        self.http = self._build_http(site)
        self._stop = asyncio.Event()
        self._leaving = False
        self._reloading: asyncio.Task[None] | None = None
        self._chores: dict[Callable[[], None], Timer] = {}  # what is done again and again, and its next turn

    # --- building ---------------------------------------------------------------------------------------------------

    def _build_media(self, site: Site) -> None:
        media = site.media
        self.plane: WorkerPlane | RtpenginePlane
        if media.backend == "rtpengine":
            theirs = media.rtpengine
            self.plane = RtpenginePlane(
                theirs.daemons, self.prompts, self.counters, keys=theirs.keys, spare=theirs.spare_calls,
                folder=None if theirs.prompts is None else Path(theirs.prompts),
                spool=None if theirs.spool is None else Path(theirs.spool), recordings_key=key_of(site),
                srtp=wants_srtp(site), ipv6=all(":" in listener.host for listener in site.listen.sip),
            )  # fmt: skip
            return
        self.plane = WorkerPlane(
            media_host(site), None, media.ports, self.prompts, self.counters,
            workers=media.workers, cpus=media.cpus, runtime=folder_of(self.site_file), grace_s=media.grace_s,
            security=SecurityPolicy.of(site), opus=wants_opus(site),
        )  # fmt: skip

    def _build_calls(self, site: Site) -> None:
        driver, counters = self.driver, self.counters
        self.switch = Switch(
            driver.layer, driver.local, driver, self.plane, self.admission, self.emit, counters
        )  # fmt: skip
        self.quality = Quality(self.switch.call)
        driver.layer.core = self.switch
        self.switch.media_host = media_host(site)
        driver.on_closed = self._connection_closed
        self.switch.connected = driver.connected
        self.switch.lead = self.resolver.lead
        self.switch.resolve = self.resolver.resolve
        self.pops = ScreenPops(self.hub, self.sessions, driver, counters)
        self.standing = StandingCalls(site.records.url, self.switch, counters)
        self.features = Features(site, self.switch, self.location, self.pops, counters)
        self.watching = Watching(self.switch, self.location, self.features, counters)
        self.recordings = Recordings(site, self.switch, self.emit, counters)
        if isinstance(self.plane, RtpenginePlane):
            self.recordings.files.makes = self.plane.captures.makes
        self.recordings.phone_records = self.features.settings.records
        self.desk = Desk(site, driver, self.emit, self.pops, counters, waits=True)
        self.recovery = Recovery(site.records.url, site.records.buffer_events, self.desk, self.pops, counters)
        self.switch.on_revived = self.recovery.revived
        self.sayer = Sayer(site, driver, self.plane, counters)
        self.desk.speaks(self.sayer)
        self.desk.lines.switch = self.switch
        self.features.seated(self.desk.phone_of, self.desk.agent_at)
        self.desk.callbacks.dialler = CustomerCalls(self.switch)
        self.matching = Matching(site.web, self.sessions, driver, self.emit, counters, self._session_updated)
        self.ivr = IvrHandler(site, driver, self.emit, self._gathered, counters)
        self.ivr_statistics = IvrStatistics()
        self.ivr_statistics.reconfigure(site)
        self.switch.handlers = {**self.desk.handlers, "ivr": self.ivr.start, **self.features.handlers}
        self.ivr.record = self.recordings.flow
        self.ivr.callback = lambda call, asked: self.desk.callbacks.noted(
            call, asked.queue, asked.number, asked.after_s, asked.attributes
        )  # fmt: skip
        self.defence.protect(self.switch)
        self.switch.on_call = self._call_started
        self.health = Health(
            self.switch, self.gateways, self.location, self.resolver.hops, self._told_of_health, counters,
            self._phone_changed,
        )  # fmt: skip
        self.health.reconfigure(site)
        self.switch.on_hop_result = self.health.hop_result
        self.switch.on_extension_legs = self._phone_calls
        self.digest = DigestServer(
            realm_of(site), secrets.token_bytes(32), lambda user: self.users.password(user),
            algorithms=site.listen.digest, source_of=self.defence.source_of,
        )  # fmt: skip
        self.carriers = Carriers(self.switch, self.resolver.resolve, self._told_of_health)
        self.switch.configure(self._rules(site))
        for part in (self.features, self.quality, self.watching, self.recordings, self.ivr_statistics):
            for kind in part.FOLLOWS:
                self._followers[kind].append(part.event)
        self._followers[events.CallEnded].append(self._call_ended)

    def _rules(self, site: Site) -> Rules:
        """What a reload replaces."""
        self.users = users = Users(site)
        self.digest.prepare(users.passwords)
        self.trunks = trunks = TrunkTable(site, self.location.aor_of_source)
        registrar = Registrar(
            self.location, self.digest, users.contacts.get,
            on_auth_failure=self._registration_refused, counters=self.counters,
            min_expires_s=site.registration.min_s, max_expires_s=site.registration.max_s,
            default_expires_s=site.registration.default_s, at_limit=site.registration.at_limit,
            outbound=site.registration.outbound, service_route=site.registration.service_route,
        )  # fmt: skip
        return Rules(
            site,
            DialPlan(site),
            Targets(
                site, self.location, trunks, self.admission, self.spending.tolls, self.resolver.hops, self.gateways,
                self.resolver.pick, self.carriers.service_route,
            ),
            Screening(
                self.digest, trunks, users.names, users.trunks, self.counters, self.defence.failed,
                {name.lower(): trunk for trunk, its in site.trunks.items() for name in its.tls_name},
                self.driver.peer_names, self.carriers.identify,
            ),
            registrar,
        )

    def _build_http(self, site: Site) -> HttpServer:
        tokens = Tokens(site.api.secret.get_secret_value()) if site.api is not None else None
        return HttpServer(
            tokens=tokens, desk=self.desk, switch=self.switch, records=self.records, sessions=self.sessions,
            matching=self.matching, hub=self.hub, pops=self.pops, clock=self.driver, counters=self.counters,
            traces=self.tracing.traces, bans=self.defence, settings=self.features.settings,
            clicks=self.features.clicks, conferences=self.features.rooms, supervision=self.features.supervision,
            recordings=self.recordings, callbacks=self.desk.callbacks, spending=self.spending,
            written=self.journal.settle,
            messages=self.watching.messages, trunks=self._trunk_views,
            phones=self.health.view, quality=self.quality,
            gauges={
                "journal_pending": lambda: self.journal.pending,
                "sip_transactions": lambda: len(self.driver.layer),
                "sip_timers": lambda: len(self.driver.layer.timers),
                "sip_dialogs": lambda: self.switch.dialogs,
                "media_ports_leased": lambda: self.plane.leased_ports,
                "media_ports_free": lambda: self.plane.free_ports,
                "media_unsent_messages": lambda: self.plane.backlog().unsent_messages,
                "media_unacknowledged_commands": lambda: self.plane.backlog().unacknowledged,
                "media_oldest_command_seconds": lambda: self.plane.backlog().oldest_s,
                "recordings_running": lambda: len(self.recordings),
                "tasks": lambda: len(asyncio.all_tasks()),
                "registered_contacts": lambda: len(self.location),
                "gateways_usable": lambda: self.gateways.count(usable=True),
                "gateways_unusable": lambda: self.gateways.count(usable=False),
                "last_agents_forgotten": lambda: self.desk.last_agents_forgotten,
                "trunks_to_register": lambda: len(self.carriers),
                "trunks_registered": lambda: self.carriers.registered,
                "phones_unreachable_now": self.health.phones.unreachable,
                "subscriptions": lambda: len(self.watching.notifier),
                "publications": lambda: len(self.watching.publications),
                "banned_sources": lambda: len(self.defence.bans),
                "overload": lambda: self.defence.overload.severity,
                "sip_waiting_seconds": lambda: self.defence.overload.delay_s,
                "tls_certificate_days": lambda: days_left(self.driver.certificates, self.driver.now()),
            },
            health=self._health, ivr_statistics=self.ivr_statistics,
        )  # fmt: skip

    # --- what the parts tell each other -----------------------------------------------------------------------------

    def emit(self, event: object) -> None:
        """Every domain event passes here: to the journal, to whoever listens, and to the parts that follow its kind."""
        self.journal.append(event)
        self.hub.publish(event)
        self.tracing.event(event)
        for follow in self._followers.get(type(event), ()):
            follow(event)

    def _call_ended(self, event: events.CallEnded) -> None:
        self.matching.on_ended(event.call_id)
        self.counters["calls_ended"] += 1

    def _call_started(self, call: Call) -> None:
        self.counters["calls_started"] += 1
        if call.trunk is not None:
            self.matching.on_call(call)
        elif "web_session" in call.attributes:  # a callback that its page asked for
            self.matching.on_callback(call)

    def _session_updated(self, call: CallView) -> None:
        """The shopper went on while waiting: the agent's screen and the order of the queue follow."""
        self.pops.updated(call)
        live = self.switch.call(call.id)
        if live is not None:
            self.desk.attributes_changed(live)

    def _gathered(self, call: Call, name: str, digits: str) -> None:
        self.matching.on_gathered(call, name, digits)

    def _registration_changed(self, aor: str, registered: bool) -> None:
        self.health.registered(aor, registered)
        self._phone_changed(aor)
        contacts = self.location.contacts(aor, self.driver.now())
        contact = contacts[0].contact if contacts else ""
        self.emit(events.Registered(self.driver.now(), aor, contact, 1 if registered else 0))
        self.watching.registration_changed(aor)

    def _phone_calls(self, extension: str, legs: int) -> None:
        self.features.phone_calls(extension, legs)
        self.desk.phone_calls(extension, legs)

    def _phone_changed(self, extension: str) -> None:
        """An agent whose phone is not registered, or does not answer, is not available."""
        if extension in self.site.extensions:
            registered = self.location.is_registered(extension, self.driver.now())
            self.desk.phone_registered(extension, registered and self.health.phones.reachable(extension))

    def _told_of_health(self, event: object) -> None:
        told = {field.name: getattr(event, field.name) for field in fields(event) if field.name != "at"}  # type: ignore[arg-type]
        log.warning(wire_name(type(event)).replace("_", " "), **told)
        self.emit(event)

    def _connection_closed(self, hop: Hop) -> None:
        """Contacts that were reached by this connection alone are gone with it."""
        self.location.drop_source(hop[:3], self.driver.now())
        self.carriers.connection_lost(hop)

    def _trunk_views(self) -> list[dict[str, object]]:
        registrations = {one.trunk: asdict(one) for one in self.carriers.views()}
        return [
            {
                "name": name, "calls": self.admission.trunk_calls(name),
                "gateways": [gateway.view() for gateway in self.gateways.of(name)],
                "registration": registrations.get(name),
            }
            for name in self.site.trunks
        ]  # fmt: skip

    def _trunk_of(self, host: str, port: int) -> str | None:
        return self.trunks.trunk_of(host, port)

    def _registration_refused(self, user: str, source: Hop) -> None:
        self.defence.failed(user, source, "REGISTER")

    def _health(self) -> dict[str, bool]:
        return {
            "media": self.plane.up,
            "records": not self.journal.down,
            "accepting": not self.admission.draining,
        }

    # --- running ----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open everything, media and records before the first socket that could bring a call. Raises StartError."""
        site = self.site
        raise_limit(site)
        try:
            await self.journal.open(self.standing.read)
            await restore(self.ivr_statistics, self.records)
            await self.recovery.open()
            await self._restore_bindings()
            kept = await self.features.open()
            self.watching.restore(kept)
            self.spending.keep(kept, self.features.store.save)
            await self.recordings.files.open()
            await self.plane.start()
            await self.resolver.watch(uris_of(site))
            await self._listen(site.listen)
            self.standing.revive(self.driver.now())
            self.desk.open(site)
            await self._listen_http(site.listen)
        except (StoreError, ListenError, MediaError, OSError) as error:
            await self.close()
            raise StartError(str(error)) from None
        self.tracing.start()
        self.defence.start()
        self.carriers.configure(site)
        self._every(EXPIRY_S, self._expire)
        self._every(TICK_S, self.health.tick)
        self._every(LOOK_S, lambda: self.spending.look(self.switch))
        self._every(DAY_S, self._warn_of_certificates)
        gc.collect()
        gc.freeze()
        gc.disable()  # see pbx/call/README.md: a full collection under load stalls calls for a third of a second
        self._every(COLLECT_S, self._collect)

    async def _listen(self, listen: Listen) -> None:
        shakes = listen.tls or Tls()
        limits = Limits(
            listen.max_connections, listen.max_connections_per_address, listen.idle_s, listen.udp_max_bytes,
            listen.origins, shakes.handshakes_at_once, shakes.handshakes_per_s,
        )  # fmt: skip
        networks = LOCAL_NETWORKS if listen.local_networks is None else listen.local_networks
        try:
            await self.driver.listen(
                listen.sip, listen.advertise, networks=networks, tls=tls_files(self.site), limits=limits
            )
        except ListenError as error:
            await self._listen_http(listen, f"{error}\n")  # all that is in use is told at once
            raise
        self._warn_of_certificates()

    async def _listen_http(self, listen: Listen, said: str = "") -> None:
        """Raises ListenError, with what was `said` of others before."""
        try:
            if listen.http is not None:
                await self.http.start(*listen.http)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)  # asyncio's text has the address again
            raise ListenError(f"{said}http:{':'.join(map(str, listen.http or ()))}: {reason}") from None

    def _warn_of_certificates(self) -> None:
        warn_of_end(self.driver.certificates, self.driver.now())

    async def _restore_bindings(self) -> None:
        """Who was registered when the last server ended is registered now, agents' phones among them."""
        now = self.driver.now()
        for aor, records in await self.bindings.open():
            kept = restored(records, now) if aor in self.users.passwords else []
            self.location.replace(aor, kept, now)
            if len(kept) < len(records):
                self.counters["registrations_not_restored"] += len(records) - len(kept)
                self.bindings.changed(aor)
        self.location.on_write = self.bindings.changed

    def _contacts_of(self, aor: str) -> list[Record]:
        return [one.as_record() for one in self.location.bindings(aor)]

    def _every(self, period_s: float, chore: Callable[[], None]) -> None:
        """Do a chore again and again until `close`."""

        def turn() -> None:
            chore()
            self._every(period_s, chore)

        self._chores[chore] = self.driver.after(period_s, turn)

    def _expire(self) -> None:
        self.location.expire(self.driver.now())
        self.tracing.trim()
        self.desk.close_intervals()
        for ended in self.ivr_statistics.close(self.driver.now()):
            self.emit(ended)
        self.desk.watch()

    def _collect(self) -> None:
        self.counters["gc_objects_found"] += gc.collect(1)

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then drain; a second signal ends it at once. SIGHUP reads the site again;
        SIGUSR2 ends it without a drain, and calls are left to the next server."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop_once)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        loop.add_signal_handler(signal.SIGUSR2, self._leave)
        await self._stop.wait()
        if not self._leaving:
            await self.drain()
        await self.close()

    def _stop_once(self) -> None:
        if self._stop.is_set():
            self.drain_s = 0
        self._stop.set()

    def _leave(self) -> None:
        """End at once and hang nobody up: the sound goes on, and the next server takes it over."""
        log.info("leaving", calls=self.switch.live, grace_s=self.site.media.grace_s)
        self._leaving = True
        self._stop.set()

    async def drain(self) -> None:
        """No new calls; live ones may end by themselves until the deadline, then they are hung up."""
        self.admission.drain()
        self.desk.lines.close()
        self.carriers.stop()  # carriers send their calls elsewhere from now on
        hint = {"hint": "a second signal hangs them up"} if self.switch.live else {}
        log.info("draining", calls=self.switch.live, deadline_s=self.drain_s, **hint)
        await self._until(lambda: not self.switch.live, lambda: self.drain_s)
        for call in list(self.switch.calls()):
            self.counters["calls_drained"] += 1
            call.hang_up("drained")
        self.watching.close()
        # BYEs are answered, the counters of the last ports come, recordings are complete.
        await self._until(
            lambda: not (self.switch.busy or self.driver.layer.pending_clients or self.recordings), lambda: 1.0
        )

    async def _until(self, done: Callable[[], bool], limit_s: Callable[[], float]) -> None:
        """Wait for `done`; the limit is asked again each time, so that a second signal can end the wait."""
        started = self.driver.now()
        for _ in itertools.count():
            if done() or self.driver.now() - started >= limit_s():
                return
            await asyncio.sleep(0.02)

    async def close(self) -> None:
        """Close what is open, the journal last of all but the media worker's end."""
        for timer in self._chores.values():
            timer.cancel()
        self.defence.close()
        if self._reloading is not None:
            self._reloading.cancel()
        await self.http.close()
        await self.features.store.close()
        await self.standing.store.close()
        await self.recovery.store.close()
        await self.bindings.close()  # connections that end with the server unregister nobody
        await self.driver.close()
        await self.tracing.close()
        await self.resolver.close()
        await self.plane.close(stay=self._leaving)
        await self.recordings.files.close()
        await self.journal.close()
        await self.records.close()

    # --- reload -----------------------------------------------------------------------------------------------------

    def reload(self) -> None:
        """Read the site file again. A bad one changes nothing; a good one never touches live calls or agents'
        states."""
        if self._stop.is_set():
            return
        try:
            site = load_site(self.site_file)
        except SiteError as error:
            self.counters["reload_failures"] += 1
            for problem in error.problems[:MISTAKES_LOGGED]:
                log.error("mistake in the site file", mistake=str(problem))
            log.error("site file refused, the old one stays", mistakes=len(error.problems))
            return
        for part in ("listen", "records", "api"):
            before, after = getattr(self.site, part), getattr(site, part)
            if part == "listen":
                before, after = (one.model_copy(update={"tls": None, "qualify_s": 0}) for one in (before, after))
            if before != after:
                log.warning("needs a restart to take effect", part=part)
        try:
            self.driver.reload_tls(tls_files(site))
        except TlsError as error:
            log.error("certificates not reloaded", problem=str(error))
        self._warn_of_certificates()
        self.site = site
        self.admission.reconfigure(site)
        self.spending.reconfigure(site)
        self.defence.reconfigure(site)
        self.gateways.reconfigure(site, self.driver.now())
        self.switch.configure(self._rules(site))
        self.carriers.configure(site)
        self.ivr.reconfigure(site)
        self.ivr_statistics.reconfigure(site)
        self.sayer.reconfigure(site)
        self.desk.reconfigure(site)
        self.features.reconfigure(site)
        self.recordings.reconfigure(site)
        self.matching.reconfigure(site.web)
        self.sessions.reconfigure(site.web, site.locale.country)
        for aor, _ in self.location:
            if aor not in self.users.passwords:
                self.location.remove(aor, self.driver.now())
        self.watching.reconfigure()
        self.health.reconfigure(site)
        for name in site.extensions:
            self._phone_changed(name)
        self._reloading = asyncio.get_running_loop().create_task(self._reload_slowly(site, self._reloading))
        self.counters["reloads"] += 1
        log.info("site file reloaded", file=str(self.site_file))

    async def _reload_slowly(self, site: Site, before: asyncio.Task[None] | None) -> None:
        """What takes its time, host names and prompts: one reload after the other."""
        if before is not None:
            await asyncio.wait((before,))
        await self.resolver.watch(uris_of(site))
        await self.tracing.reconfigure(site)
        try:
            await self.plane.reload_prompts(wanted(site))
        except MediaError as error:
            log.error("prompts not reloaded", problem=str(error))
        self._tell_bad_prompts()

    def _tell_bad_prompts(self) -> None:
        """Calls go on without them."""
        self.counters["media_prompts_unusable"] = len(self.prompts.problems)
        for name, problem in self.prompts.problems.items():
            log.error("a prompt can't be used", prompt=name, problem=problem)
