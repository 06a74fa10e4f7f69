"""The `plateau` command. `python -m pbx` is the same."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import os
import re
import sys
import time
from collections.abc import MutableMapping
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import aiohttp
import structlog
import typer
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from rich.tree import Tree
from yarl import URL

from config.schema import Site
from media.codecs import wants_opus
from media.security import srtp_missing, wants_srtp
from media.worker.opus import missing as opus_missing
from pbx.certificates import soon_over
from pbx.console import UNUSABLE, WRONG, SiteFile, api_of, converting, err, fail, out, read_site, run, say_red
from pbx.descriptors import shortage
from pbx.erlang_command import erlang
from pbx.explain_command import explain
from pbx.simulate_command import simulate
from pbx.statistics_command import queue_log, stats
from pbx.tables import bans_table, calls_table, cdr_table, phones_table, tolls_table, trunks_table

app = typer.Typer(
    help="Plateau: SIP softswitch and contact centre. The web session follows the call.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
DEMO_SITE = Path(__file__).resolve().parent.parent / "config" / "sites" / "travel.yaml"

LOG_VALUE_LENGTH = 1000  # characters
DAY_S = 86_400


# --- serve ----------------------------------------------------------------------------------------------------------


@app.command()
def serve(
    site: SiteFile,
    drain: Annotated[float, typer.Option(help="seconds that live calls may go on after SIGTERM", min=0)] = 20.0,
    log_level: Annotated[str, typer.Option(help="debug (shows every SIP message), info, warning or error")] = "info",
) -> None:
    """Serve a site until SIGTERM. SIGHUP reads the site file again."""
    read_site(site)  # its mistakes are told before anything is opened
    set_up_logs(log_level)
    raise typer.Exit(run(lambda: serve_site(site, drain, log_level == "debug")))


async def serve_site(path: Path, drain_s: float, trace: bool) -> int:
    from cti.errors import CtiError
    from pbx.server import Server, StartError
    from pbx.store.errors import StoreError

    try:
        with converting() as progress:
            server = Server(path, drain_s, progress)
        if trace:
            server.tracing.print_messages(
                lambda way, data, hop: err.print(
                    f"{way} {hop}\n{data.decode('utf-8', 'replace')}", markup=False, highlight=False, soft_wrap=True
                )
            )
        await server.start()
    except (StartError, StoreError, CtiError) as error:
        for line in str(error).splitlines():
            say_red(f"plateau: {line}")
        return UNUSABLE
    welcome(server.site, path)
    await server.run()
    served = server.counters["calls_ended"]
    out.print(f"stopped; {served} call{'s' if served != 1 else ''} served")
    return 0


def welcome(site: Site, path: Path) -> None:
    """What listens where, and what to try next."""
    grid = Table.grid(padding=(0, 2))
    for listener in site.listen.sip:
        grid.add_row(f"SIP {listener.transport.upper()}", f"{listener.host}:{listener.port}")
    if site.listen.http:
        grid.add_row("Web, API", "http://{}:{}/".format(*site.listen.http))
    if site.media.backend == "worker":
        grid.add_row("RTP", f"UDP {site.media.ports.first}-{site.media.ports.last}")
    else:
        grid.add_row("RTP", "rtpengine " + ", ".join(f"{host}:{port}" for host, port in site.media.rtpengine.daemons))
    grid.add_row("Records", site.records.url.rpartition("@")[2])
    out.print(Panel(grid, title=f"Plateau serves {site.site}", expand=False))
    command = Path(sys.argv[0])
    shown = "python -m pbx" if command.name == "__main__.py" else os.path.relpath(command)
    tries = [f"{shown} calls {path}", "live calls", f"{shown} cdr {path}", "last calls"]
    if site.numbers and site.trunks:
        number, trunk = next(iter(site.numbers)), next(iter(site.trunks))
        tries += [f"{shown} route {path} --from {trunk} --to '{number}'", "where a call would go, and why"]
    if site.api is not None:
        tries += [f"{shown} token {path} --supervisor me", "a token for the web page"]
        if site.agents:
            tries += [f"{shown} token {path} --agent {next(iter(site.agents))}", "an agent's"]
    if site.extensions:
        name = next(iter(site.extensions))
        secrets = path.with_suffix(".secrets.yaml")
        where = f"its password is in {secrets if secrets.exists() else path}"
        out.print(f"Register a softphone as [bold]{name}[/bold] ({where}).", soft_wrap=True, highlight=False)
    out.print("Try, in another terminal (Ctrl-C here stops):")
    for text, what in zip(tries[::2], tries[1::2], strict=True):
        out.print(f"  {text}   [dim]# {what}[/dim]", soft_wrap=True, highlight=False)
    sys.stdout.flush()


def printable(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A log's values on one line, without control characters and not endless: peers have written some of them."""
    for key, value in event.items():
        if isinstance(value, str) and (len(value) > LOG_VALUE_LENGTH or not value.isprintable()):
            shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in value[:LOG_VALUE_LENGTH])
            event[key] = shown[:LOG_VALUE_LENGTH]
    return event


def set_up_logs(level: str) -> None:
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        fail(f"--log-level: expected debug, info, warning or error, found {level}")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            printable,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


# --- the site file --------------------------------------------------------------------------------------------------


@app.command()
def check(site: SiteFile) -> None:
    """Read a site file and say everything that is wrong with it."""
    read = read_site(site, with_files=True)
    table = Table(title=read.site, title_justify="left")
    table.add_column("what")
    table.add_column("how many", justify="right")
    for what in ("extensions", "trunks", "numbers", "dial_plan", "hours", "ivr", "agents", "queues"):
        table.add_row(what.replace("_", " "), str(len(getattr(read, what))))
    out.print(table)
    for hint in filter(None, (shortage(read), *soon_over(read))):
        out.print(hint, style="yellow", markup=False, highlight=False, soft_wrap=True)
    if wants_srtp(read) and (missing := srtp_missing()) is not None:
        fail(missing)
    if wants_opus(read) and (missing := opus_missing()) is not None:
        fail(missing)
    out.print(f"{site}: good", style="green")


@app.command()
def route(
    site: SiteFile,
    caller: Annotated[
        str, typer.Option("--from", help="an extension, a trunk, or a number calling in by the only trunk")
    ],
    to: Annotated[str, typer.Option("--to", help="the number dialled")],
    at: Annotated[str | None, typer.Option("--at", help="when, as 2026-12-24T10:00 (the site's time zone)")] = None,
) -> None:
    """Say where a call would go, and why, without making it."""
    from pbx.dry_run import explain_route

    read = read_site(site)
    zone = ZoneInfo(read.locale.timezone)
    try:
        when = dt.datetime.fromisoformat(at).replace(tzinfo=zone) if at else dt.datetime.now(zone)
    except ValueError:
        fail(f"--at: expected a date and time as 2026-12-24T10:00, found {at}")
    try:
        explained = explain_route(read, caller, to, when)
    except LookupError as error:
        fail(str(error.args[0]))
    at_time = f" at {when:%Y-%m-%d %H:%M} {read.locale.timezone}"
    tree = Tree(Text.assemble((caller, "bold"), " dials ", (to, "bold"), at_time))
    grow(tree, explained.steps)
    out.print(tree)
    if not explained.found:
        raise typer.Exit(WRONG)


def grow(tree: Tree, steps: Any) -> None:
    for step in steps:
        grow(tree.add(Text(step.text)), step.below)  # Text: what was dialled may look like rich's markup


# --- the running server ---------------------------------------------------------------------------------------------


@app.command()
def calls(
    site: SiteFile, once: Annotated[bool, typer.Option("--once", help="print once, don't watch")] = False
) -> None:
    """Watch the live calls of a running server."""
    base, token = api_of(read_site(site))
    run(lambda: watch_calls(base, token, once or not out.is_terminal))


async def watch_calls(base: str, token: str, once: bool) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def table() -> Table:
            try:
                async with session.get(f"{base}/v1/calls") as reply:
                    if reply.status != 200:
                        fail(f"{base} answered {reply.status}: {await reply.text()}")
                    return calls_table((await reply.json())["calls"], time.time())
            except aiohttp.ClientConnectionError:
                fail(f"nothing listens at {base}: is the server running? (plateau serve SITE)", WRONG)

        if once:
            out.print(await table())
            return
        with Live(await table(), console=out, refresh_per_second=2) as live:
            while True:
                await asyncio.sleep(1)
                live.update(await table())


@app.command()
def trace(
    site: SiteFile,
    number: Annotated[str, typer.Option(help="only messages that speak of this number, in any form")] = "",
    call: Annotated[str, typer.Option(help="only this call: its id, as live calls and records have it")] = "",
    trunk: Annotated[str, typer.Option(help="only from and to this trunk")] = "",
    peer: Annotated[str, typer.Option(help="only this ADDRESS, ADDRESS:PORT or network")] = "",
    method: Annotated[str, typer.Option(help="only this method and the responses to it")] = "",
    last: Annotated[str, typer.Option(help="begin so long ago: 90s, 5m, 1h")] = "5m",
    follow: Annotated[
        bool | None, typer.Option(help="go on with what comes; as it is unless written to a file or pipe")
    ] = None,
    pcap: Annotated[Path | None, typer.Option(help="write a file for Wireshark instead; - is standard output")] = None,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="show whole messages")] = False,
) -> None:
    """Watch the SIP messages of a running server, the last minutes first. Passwords are masked."""
    from pbx import trace_commands as commands

    read = read_site(site)
    base, token = api_of(read)
    if follow is None:
        follow = pcap == Path("-") if pcap is not None else out.is_terminal
    asked = {"number": number, "call": call, "trunk": trunk, "peer": peer, "method": method}
    query = {key: value for key, value in asked.items() if value}
    query |= {"last_s": str(seconds_of(last)), "follow": str(int(follow))}
    zone = ZoneInfo(read.locale.timezone)
    try:
        if pcap is None:
            run(lambda: commands.trace(base, token, query, zone, out, verbose=verbose))
        else:
            written = run(lambda: commands.trace_to_file(base, token, query, pcap))
            err.print(f"{pcap}: {written} bytes")
    except commands.AskError as error:
        fail(str(error), WRONG)
    except OSError as error:
        fail(f"{pcap}: {error.strerror}")


def seconds_of(text: str) -> int:
    """`90s`, `5m`, `1h`, `300`."""
    found = re.fullmatch(r"([0-9]{1,5})([smh]?)", text)
    seconds = int(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]] if found else DAY_S + 1
    if seconds > DAY_S:
        fail(f"--last: expected a time up to a day, as 90s, 5m or 1h, found {text}")
    return seconds


@app.command()
def ladder(
    site: SiteFile,
    call: Annotated[str | None, typer.Argument(help="the call's id; without it the last call", metavar="CALL")] = None,
) -> None:
    """Draw a call, live or over: who sent what to whom, when. For as long as its messages are kept."""
    from pbx import trace_commands as commands

    base, token = api_of(read_site(site))
    try:
        run(lambda: commands.ladder(base, token, call, out))
    except commands.AskError as error:
        fail(str(error), WRONG)


@app.command()
def trunks(site: SiteFile) -> None:
    """Show the trunks of a running server: calls, registrations, gateways and whether they answer."""
    base, token = api_of(read_site(site))
    out.print(trunks_table(run(lambda: ask(base, token, "/v1/trunks"))["trunks"], time.time()))


@app.command()
def phones(site: SiteFile) -> None:
    """Show the phones that are registered at a running server, and whether they answer."""
    base, token = api_of(read_site(site))
    answer = run(lambda: ask(base, token, "/v1/phones?limit=10000"))
    out.print(phones_table(answer["phones"], time.time()))
    if answer["left_off"]:
        out.print(f"and {answer['left_off']} more")


async def ask(base: str, token: str, path: str, method: str = "GET") -> Any:
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        try:
            async with session.request(method, URL(base + path, encoded=True)) as reply:
                if reply.status != 200:
                    fail(f"{base} answered {reply.status}: {await reply.text()}")
                return await reply.json()
        except aiohttp.ClientConnectionError:
            fail(f"nothing listens at {base}: is the server running? (plateau serve SITE)", WRONG)


@app.command()
def bans(
    site: SiteFile,
    lift: Annotated[str | None, typer.Option(metavar="ADDRESS", help="listen to this one again")] = None,
) -> None:
    """Show the sources that a running server does not listen to, or lift a ban."""
    base, token = api_of(read_site(site))
    answer = run(lambda: ask_or_lift(base, token, "/v1/bans", lift, f"{lift} is not banned"))
    out.print(bans_table(answer["bans"], time.time()) if lift is None else f"{lift} is listened to again")


@app.command()
def tolls(
    site: SiteFile,
    lift: Annotated[str | None, typer.Option(metavar="ACCOUNT", help="forgive what this one has spent today")] = None,
) -> None:
    """Show what calls out by trunks cost today on a running server, or forgive an account."""
    base, token = api_of(read_site(site))
    answer = run(lambda: ask_or_lift(base, token, "/v1/tolls", lift, f"{lift} has spent nothing today"))
    out.print(tolls_table(answer["accounts"]) if lift is None else f"{lift} may spend again")


async def ask_or_lift(base: str, token: str, path: str, lift: str | None, unknown: str) -> Any:
    method, path = ("GET", path) if lift is None else ("DELETE", f"{path}/{quote(lift, safe='')}")
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        try:
            async with session.request(method, URL(base + path, encoded=True)) as reply:
                if reply.status == 404:
                    fail(unknown, WRONG)
                if reply.status != 200:
                    fail(f"{base} answered {reply.status}: {await reply.text()}")
                return await reply.json()
        except aiohttp.ClientConnectionError:
            fail(f"nothing listens at {base}: is the server running? (plateau serve SITE)", WRONG)


recording_app = typer.Typer(help="Recordings of calls.", no_args_is_help=True)
app.add_typer(recording_app, name="recording")


@recording_app.command("export")
def export_recording(
    site: SiteFile,
    recording: Annotated[str, typer.Argument(help="its id, as in the call's page or GET /v1/recordings", metavar="ID")],
    to: Annotated[Path | None, typer.Option("--output", "-o", help="the file; without it ID.wav or ID.opus")] = None,
) -> None:
    """Write a recording, deciphered, to a file of one's own. Needs no running server."""
    from media.worker.recording_file import RecordingError
    from pbx import recording_commands as commands
    from pbx.store.errors import StoreError

    read = read_site(site)
    try:
        row = run(lambda: commands.row_of(read, recording))
        with commands.opened(read, row) as recorded:
            target = to or Path(commands.file_name(recording, recorded))
            with target.open("xb") as file:
                size = commands.export(recorded, file)
    except (StoreError, RecordingError, commands.NoSuchRecording) as error:
        fail(str(error), WRONG)
    except FileExistsError:
        fail(f"{target} is there already")
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    out.print(f"{target}: {size:,} bytes{'' if recorded.complete else ', cut off at its end'}")


@recording_app.command("erase")
def erase_recordings(
    site: SiteFile,
    number: Annotated[str, typer.Argument(help="the person's number, however it is written")],
    yes: Annotated[bool, typer.Option("--yes", help="do not ask again")] = False,
) -> None:
    """Delete all recordings of a person's calls, on a running server."""
    if not yes:
        typer.confirm(f"Delete all recordings of calls from and to {number}?", abort=True)
    base, token = api_of(read_site(site))
    answer = run(lambda: ask(base, token, f"/v1/recordings?number={quote(number, safe='')}", "DELETE"))
    out.print(f"{len(answer['deleted'])} deleted")
    for kind, why in (("running", "their calls are under way"), ("legal_hold", "on legal hold")):
        if answer[kind]:
            out.print(f"not deleted, {why}: {', '.join(answer[kind])}")


@app.command()
def cdr(
    site: SiteFile, last: Annotated[int, typer.Option("--last", "-n", help="how many calls", min=1, max=10_000)] = 20
) -> None:
    """Show the last calls, from the records."""
    from pbx.store.errors import StoreError
    from pbx.store.records import Records

    read = read_site(site)
    zone = ZoneInfo(read.locale.timezone)

    async def rows() -> Any:
        async with Records(read.records.url) as records:
            return await records.cdrs(last)

    try:
        found = run(rows)
    except StoreError as error:
        fail(str(error))
    out.print(cdr_table(found[::-1], zone))


@app.command()
def token(
    site: SiteFile,
    agent: Annotated[str | None, typer.Option(help="for this agent of the site")] = None,
    supervisor: Annotated[str | None, typer.Option(help="for a supervisor of this name")] = None,
    shop: Annotated[str | None, typer.Option(help="for a web shop that posts its visitors' sessions")] = None,
    hours: Annotated[float, typer.Option(help="how long it is good for", min=0.01, max=87_600)] = 12.0,
) -> None:
    """Make a token for the API: an agent's, a supervisor's or a web shop's."""
    from cti.tokens import Role, Tokens

    read = read_site(site)
    if read.api is None:
        fail("this site signs no tokens: it needs api.secret")
    given: list[tuple[Role, str]] = []
    if agent is not None:
        given.append(("agent", agent))
    if supervisor is not None:
        given.append(("supervisor", supervisor))
    if shop is not None:
        given.append(("shop", shop))
    if len(given) != 1:
        fail("expected exactly one of --agent NAME, --supervisor NAME, --shop NAME")
    role, name = given[0]
    if not name:
        fail(f"--{role}: expected a name, found nothing")
    if role == "agent" and name not in read.agents:
        fail(f"no agent {name} in this site; there are: {', '.join(read.agents) or 'none'}")
    print(Tokens(read.api.secret.get_secret_value()).make(role, name, time.time(), hours * 3600))


app.command()(explain)

# --- staffing ---------------------------------------------------------------------------------------------------------

app.command()(erlang)
app.command()(simulate)
app.command()(stats)
app.command("queue-log")(queue_log)


# --- demo, bench, version ---------------------------------------------------------------------------------------------


@app.command()
def demo(
    site: Annotated[Path, typer.Option(help="the site to serve", show_default=False)] = DEMO_SITE,
    keep: Annotated[bool, typer.Option("--keep", help="keep the logs and records of the run")] = False,
    picture: Annotated[Path | None, typer.Option("--picture", help="save what was shown as an SVG file")] = None,
) -> None:
    """Play a whole contact: web visitor, call, IVR, queue, screen pop, conversation - with real softphones."""
    try:
        from bench.demo import run as run_demo
    except ImportError as error:
        fail(
            f"the demo needs the optional extra softphone ({error.name} is missing): "
            "pip install 'plateau-pbx[softphone]'"
        )
    raise typer.Exit(asyncio.run(run_demo(site, keep=keep, picture=picture)))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def bench(context: typer.Context) -> None:
    """Measure on this machine what calls, queues, registrations, media and the ACD cost; all, or those named."""
    from bench.__main__ import main as run_bench

    command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    command.command()(run_bench)
    command(context.args, prog_name="plateau bench")


@app.command()
def version() -> None:
    """Say which version this is."""
    print(f"plateau {version_of('plateau-pbx')}")


def say_version(asked: bool) -> None:
    if asked:
        version()
        raise typer.Exit()


@app.callback()
def options(
    _: Annotated[bool, typer.Option("--version", callback=say_version, is_eager=True, help="say the version")] = False,
) -> None:
    pass


def main() -> None:
    app()


if __name__ == "__main__":
    main()
