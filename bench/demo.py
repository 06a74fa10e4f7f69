"""`plateau demo`: one afternoon's minute at an online travel seller, with real softphones on every end.

Two customers have baskets on the web site and phone. Only one Asia agent is free, so the bigger basket is served first
though it called second; the record is on the agent's screen before the phone rings; sound is checked both ways.

    visitor's web session ---POST---> +---------+ <--websocket-- desktops of Alice, Bruno, Emma
    customers' phones (baresip) -----> | plateau | -----> Alice, Emma (PJSIP; Alice's phone loops sound back)
      by the trunk, each its own tone  +---------+ -----> Bruno (baresip, its own tone)
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from bench.checks import Checks
from bench.cti_client import EventClient, Received, desktop, supervisor
from bench.ladder import Ladder
from bench.plateau import DidNotStart, Plateau, PlateauError
from bench.sites import Instead
from bench.softphones import Heard, Phone, PhoneCall, SoftphoneError, SoftphoneMissing, Softphones, answer
from config.loader import load
from config.schema import Site

QUEUE, KEY = "asia", "1"  # what the customers want, and the key of the IVR's menu for it
NUMBER = "+33180000000"
BRUNO_HZ, BIG_HZ, SMALL_HZ = 433, 617, 761  # no musical notes, so that music on hold is none of them
ALICE, BRUNO, EMMA = "alice", "bruno", "emma"
BIG = {
    "id": "visit-big-basket", "name": "Léa Bernard", "phone_numbers": ["06 12 34 56 78"], "destination": "asia",
    "partner": "wander-blog", "basket": {"amount": 2300, "items": [{"name": "Kyoto and Tokyo, 12 nights, for two"}]},
    "pages": [{"url": "https://horizon.example/asia/japan/kyoto-tokyo"}],
}  # fmt: skip
SMALL = {
    "id": "visit-small-basket", "name": "Marc Petit", "destination": "asia",
    "basket": {"amount": 180, "items": [{"name": "Bangkok, one night"}]},
}  # fmt: skip
BIG_CALLER, SMALL_CALLER = "+33612345678", "+33199000123"
ALWAYS_OPEN = {"hours": {"sales": Instead({"open": {"mon-sun": "00:00-24:00"}})}}  # the demo also runs at night


@dataclass
class Customer:
    """Somebody who phones."""

    name: str
    call: PhoneCall
    call_id: str = ""  # the server's


@dataclass
class Stage:
    """All that takes part."""

    plateau: Plateau
    site: Site
    screen: EventClient  # the supervisor's
    console: Console
    ladder: Ladder = field(default_factory=Ladder)
    checks: Checks = field(default_factory=Checks)
    phones: dict[str, Phone] = field(default_factory=dict)
    desktops: dict[str, EventClient] = field(default_factory=dict)
    records: Table = field(default_factory=lambda: Table(title="Call records", title_justify="left"))

    def say(self, text: str) -> None:
        self.console.print(f"[dim]{time.strftime('%H:%M:%S')}[/dim] {text}")

    async def event(self, kind: str, call_id: str, within_s: float = 30.0) -> Received:
        """A server event of a call."""
        return await self.screen.until(
            lambda e: e.type == kind and call_id in (e["call_id"], e["item_id"]), within_s
        )

    async def ivr_state(self, customer: Customer, state: str) -> None:
        """Until the customer has come so far."""
        await self.screen.until(
            lambda e: e.type == "ivr_state_entered" and e["call_id"] == customer.call_id and e["state"] == state, 10
        )


async def run(site: Path, *, keep: bool = False, picture: Path | None = None) -> int:
    """Play it; 0 if every check holds. One line on stderr if it can't be played. `picture`: an SVG of what is shown."""
    console = Console(record=picture is not None, width=110 if picture else None)
    errors = Console(stderr=True, soft_wrap=True)
    started = time.monotonic()
    try:
        missing = {ALICE, BRUNO, EMMA} - load(site).agents.keys()
        if missing:
            raise PlateauError(f"{site} is not the travel site: no agent {', '.join(sorted(missing))}")
        ok = await _play(site, keep, console)
    except (SoftphoneMissing, SoftphoneError, PlateauError, TimeoutError, aiohttp.ClientError) as error:
        what = str(error) or "something did not happen in time"
        errors.print(f"plateau demo: {what}", style="bold red", markup=False)
        return 2 if isinstance(error, SoftphoneMissing | DidNotStart) else 1
    console.print(f"\n{'[green]all holds[/green]' if ok else '[bold red]failed[/bold red]'}", end="")
    console.print(f" after {time.monotonic() - started:.1f} s")
    if picture is not None:
        console.save_svg(str(picture), title="plateau demo")
    return 0 if ok else 1


async def _play(site: Path, keep: bool, console: Console) -> bool:
    pjsip, baresip, carrier = Softphones("pjsip"), Softphones("baresip"), Softphones("baresip")
    plateau = Plateau(site, changes=ALWAYS_OPEN, media_ports=200, keep=keep)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(plateau)
        family = [plateau.pid, *plateau.media_workers()]
        screen = await stack.enter_async_context(supervisor(plateau))
        stage = Stage(plateau, load(plateau.site), screen, console)
        screen.on_message = stage.ladder.server_event
        stage.say(f"plateau serves {stage.site.site} on {plateau.sip}, {plateau.http}; processes {family}")
        await asyncio.gather(*(stack.enter_async_context(phones) for phones in (pjsip, baresip, carrier)))
        try:
            await _prepare(stage, stack, carrier, {"pjsip": pjsip, "baresip": baresip})
            await _conversations(stage)
            await _records(stage)
        finally:
            _show(stage)
    checks = stage.checks
    checks.that("the server ended cleanly", plateau.exit_status == 0, f"exit status {plateau.exit_status}")
    checks.that("no process of it is left", not plateau.left_over, plateau.left_over or "none")
    ends = [phones.exit_status for phones in (pjsip, baresip, carrier)]
    checks.that("the softphones ended cleanly", not any(ends), f"exit statuses {ends}")
    console.print(checks.table())
    if keep:
        console.print(f"kept: {plateau.folder}")
    return checks.ok


# --- before the phone rings -------------------------------------------------------------------------------------------


async def _prepare(
    stage: Stage, stack: AsyncExitStack, carrier: Softphones, agents: dict[str, Softphones]
) -> None:
    site, server = stage.site, stage.plateau.sip
    login = next(trunk.registers_as for trunk in site.trunks.values() if trunk.registers_as)
    assert login is not None
    secret = login.password.get_secret_value()
    trunk: dict[str, Any] = {"server": server, "login": login.username, "password": secret}
    stage.phones["carrier"] = await carrier.phone(login.username, **trunk)
    for caller, tone_hz in ((BIG_CALLER, BIG_HZ), (SMALL_CALLER, SMALL_HZ)):
        stage.phones[caller] = await carrier.phone(caller, tone_hz=tone_hz, **trunk)
    sounds: dict[str, tuple[str, dict[str, Any]]] = {
        ALICE: ("pjsip", {"loops": True}), BRUNO: ("baresip", {"tone_hz": BRUNO_HZ}), EMMA: ("pjsip", {}),
    }  # fmt: skip
    for agent, (name, sound) in sounds.items():
        extension = site.agents[agent].extension or ""
        password = site.extensions[extension].password.get_secret_value()
        phone = await agents[name].phone(extension, server=server, password=password, policy=answer(600), **sound)
        stage.phones[agent] = phone
    registering = ("carrier", ALICE, BRUNO, EMMA)
    answers = await asyncio.gather(*(stage.phones[name].register() for name in registering))
    stage.checks.that("the trunk and three phones register", answers == [200] * 4, answers)
    for name in (ALICE, BRUNO, EMMA):
        stage.ladder.follow(stage.phones[name], name)
        stage.desktops[name] = await stack.enter_async_context(desktop(stage.plateau, name))
        stage.desktops[name].on_message = lambda message, name=name: stage.ladder.pop(name, message)
        await stage.desktops[name].command("login")
    skills = {name: site.agents[name].skills.get("asia", 0) for name in (ALICE, BRUNO, EMMA)}
    stage.say(f"Alice and Emma on PJSIP, Bruno on baresip are logged in; Asia levels {skills}")
    for session in (BIG, SMALL):
        await stage.plateau.post("/v1/web-sessions", session)
    stage.say(f"on the web site: {BIG['name']} with 2,300 euros in the basket, {SMALL['name']} with 180, for Asia")
    await stage.desktops[EMMA].command("ready")


async def _dial(stage: Stage, caller: str, name: str) -> Customer:
    stage.ladder.follow(stage.phones[caller], name)
    before = len(stage.screen.received)
    call = await stage.phones[caller].call(f"sip:{NUMBER}@{stage.plateau.sip}")
    await call.established()
    started = await stage.screen.until(
        lambda e: e.type == "call_started" and e["from_number"] == caller and e in stage.screen.received[before:]
    )
    return Customer(name, call, str(started["call_id"]))


async def _through_the_ivr(stage: Stage, customer: Customer, code: str) -> None:
    heard = await customer.call.hear(None, 4)
    level = f"{heard.level_dbfs} dBFS after {heard.after_s} s"
    stage.checks.that(f"{customer.name} hears the greeting", heard.heard, level)
    await stage.ivr_state(customer, "code")
    await customer.call.press(code)
    await stage.ivr_state(customer, "destination")
    await asyncio.sleep(0.4)
    heard = await customer.call.hear(None, 4)
    stage.checks.that(f"{customer.name} hears the menu", heard.heard, f"{heard.level_dbfs} dBFS")
    await customer.call.press(KEY)
    queued = await stage.event("item_queued", customer.call_id)
    measured = f"score {queued['score']:g}, {queued['attributes']}"
    stage.checks.that(f"{customer.name} waits in queue {QUEUE}", queued["queue"] == QUEUE, measured)
    await asyncio.sleep(0.3)
    heard = await customer.call.hear(None, 4)
    stage.checks.that(f"{customer.name} hears music", heard.heard, f"{heard.level_dbfs} dBFS")


# --- the conversations ------------------------------------------------------------------------------------------------


async def _conversations(stage: Stage) -> None:
    small = await _dial(stage, SMALL_CALLER, "Marc")
    code = (await stage.plateau.post(f"/v1/web-sessions/{SMALL['id']}/code", None))["code"]
    stage.say(f"Marc (180 euros) calls first, types the code of his web page ({code}) and chooses Asia")
    await _through_the_ivr(stage, small, code)
    big = await _dial(stage, BIG_CALLER, "Léa")
    stage.say("Léa (2,300 euros) calls second; she is known by her number, skips the code and chooses Asia")
    await _through_the_ivr(stage, big, "#")
    for customer, session, method in ((small, SMALL, "code"), (big, BIG, "caller_id")):
        match = await stage.event("web_session_matched", customer.call_id)
        ok = match["session_id"] == session["id"] and match["method"] == method
        stage.checks.that(f"{customer.name}'s web session is found by {method}", ok, match["session_id"])
    rung = [e for e in stage.screen.received if e.type == "item_reserved"]
    claim = "Emma (Asia below the required level) is free and is not rung"
    stage.checks.that(claim, not rung, f"{len(rung)} reservations")

    stage.say("Bruno becomes free")
    await stage.desktops[BRUNO].command("ready")
    with_bruno = await _answered(stage, BRUNO, big, BIG)
    heard = await big.call.hear(BRUNO_HZ)
    stage.checks.that("Léa hears Bruno's tone", heard.heard, _tone(heard, BRUNO_HZ))
    heard = await with_bruno.hear(BIG_HZ)
    stage.checks.that("Bruno hears Léa's tone", heard.heard, _tone(heard, BIG_HZ))
    waiting = [e["item_id"] for e in stage.screen.received if e.type == "item_reserved"]
    stage.checks.that("the big basket overtook, Marc still waits", waiting == [big.call_id], "one reservation, Léa's")

    stage.say("Alice becomes free")
    await stage.desktops[ALICE].command("ready")
    with_alice = await _answered(stage, ALICE, small, SMALL)
    heard = await small.call.hear(SMALL_HZ)
    stage.checks.that("Marc's tone comes back from Alice's looping phone", heard.heard, _tone(heard, SMALL_HZ))
    level = await with_alice.sounds()
    stage.checks.that("Alice's phone gets sound", level >= 10, f"level {level:g} of 255")
    await _ends(stage, big, small, with_alice)


async def _answered(stage: Stage, agent: str, customer: Customer, session: dict[str, Any]) -> PhoneCall:
    """The pop, the ring and the answer at the right agent."""
    leg = await stage.phones[agent].next_call()
    offer = await stage.desktops[agent].pop("offer", customer.call_id)
    lead_ms = 1000 * (offer.arrived_at - (leg.told_at or 0.0))
    stage.checks.that(f"{agent}'s pop came before the INVITE", lead_ms < 0, f"{lead_ms:+.1f} ms relative to the INVITE")
    shown = offer["session"] or {}
    ok = shown.get("id") == session["id"] and shown.get("basket", {}).get("amount") == session["basket"]["amount"]
    record = f"{shown.get('name')}, {shown.get('basket')}"
    stage.checks.that(f"{agent}'s pop shows {customer.name}'s record", ok, record)
    await leg.established()
    connected = await stage.event("item_connected", customer.call_id)
    waited = f"after {connected['waited_s']:.1f} s of waiting"
    stage.checks.that(f"{customer.name} talks to {agent}", connected["agent"] == agent, waited)
    await stage.desktops[agent].pop("connected", customer.call_id)
    stage.say(f"{customer.name} talks to {agent.capitalize()}")
    return leg


async def _ends(stage: Stage, big: Customer, small: Customer, with_alice: PhoneCall) -> None:
    """The customer hangs up in one call, the agent in the other."""
    await big.call.hang_up()
    await with_alice.hang_up()
    await small.call.ended()
    for agent, customer in ((BRUNO, big), (ALICE, small)):
        pop = await stage.desktops[agent].pop("wrap_up", customer.call_id)
        state = await stage.desktops[agent].command("wrap_up_done")
        await stage.desktops[agent].pop("ended", customer.call_id)
        claim = f"{agent} writes up, is done and is ready again"
        stage.checks.that(claim, state["state"] == "READY", f"{pop.type} pop, then {state['state']}")
    stage.say("both conversations are over")


# --- afterwards -------------------------------------------------------------------------------------------------------


async def _records(stage: Stage) -> None:
    deadline = time.monotonic() + 30
    while True:
        cdrs = (await stage.plateau.get("/v1/cdrs"))["cdrs"]
        if len(cdrs) >= 2 or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.1)
    table = stage.records
    columns = ("from_number", "destination", "queue", "agent", "waited_s", "talked_s", "basket", "web_session", "cause")
    for column in columns:
        table.add_column(column)
    for cdr in reversed(cdrs):
        table.add_row(*(f"{v:.1f}" if isinstance(v := cdr.get(c), float) else str(v) for c in columns))
    found = {cdr["from_number"]: (cdr["queue"], cdr["agent"], cdr["basket"], cdr["web_session"]) for cdr in cdrs}
    expected = {
        BIG_CALLER: (QUEUE, BRUNO, 2300, BIG["id"]),
        SMALL_CALLER: (QUEUE, ALICE, 180, SMALL["id"]),
    }
    claim = "two call records, with queue, agent, basket and web session"
    stage.checks.that(claim, found == expected, f"{len(cdrs)} records")
    lost = sum(cdr["packets_lost"] for cdr in cdrs)
    received = sum(cdr["packets_received"] for cdr in cdrs)
    stage.checks.that("no packet was lost", lost == 0 and received > 0, f"{lost} of {received}")
    await stage.plateau.until_idle()
    errors = [line for line in stage.plateau.log if "Traceback" in line or "[error" in line]
    stage.checks.that("the server's log holds no error", not errors, errors[:1] or f"{len(stage.plateau.log)} lines")


def _tone(heard: Heard, tone_hz: float) -> str:
    return f"{heard.share:.0%} of the sound at {tone_hz:g} Hz, {heard.level_dbfs} dBFS"


def _show(stage: Stage) -> None:
    stage.console.print(stage.ladder.table())
    table = Table(title="Screen pops", title_justify="left")
    for column in ("agent", "pop", "of", "relative to the INVITE at the agent's phone"):
        table.add_column(column)
    arrived = {step.who: step.at for step in stage.ladder.steps() if step.what == "INVITE arrived"}
    for agent, screen in stage.desktops.items():
        for pop in screen.pops():
            invite = arrived.get(f"{agent}'s phone")
            when = f"{1000 * (pop.arrived_at - invite):+.1f} ms" if invite else "-"
            session = pop["session"] or {}
            table.add_row(agent, pop.type, str(session.get("name") or ""), when)
    stage.console.print(table)
    stage.console.print(stage.records)
