"""`plateau explain`: why a call went where it went, asked of the running server, or else read in its records."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.text import Text

from acd.explain import explain as explained
from acd.explain import story
from config.schema import Site
from pbx.console import WRONG, SiteFile, api_of, fail, out, read_site, run
from pbx.store.errors import StoreError
from pbx.store.records import Records
from pbx.trace_commands import AskError, NotThere, asked

COLOURS = {
    "offered": "cyan", "connected": "green", "refused": "yellow", "abandoned": "red", "left": "magenta", "now": "bold",
}  # fmt: skip


def explain(
    site: SiteFile,
    call: Annotated[str, typer.Argument(help="the call's id, as in cdr, the API or the call's page", metavar="CALL")],
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> None:
    """Say why a call went where it went: who could take it, why it waited, to whom it was offered and why."""
    read = read_site(site)
    found = run(lambda: _found(read, call))
    if not found["moments"]:
        fail(f"call {call}: it was in no queue, or there is no such call", WRONG)
    if as_json:
        out.print_json(json.dumps(found))
        return
    _show(found, ZoneInfo(read.locale.timezone))


async def _found(site: Site, call: str) -> dict[str, Any]:
    """A server that runs knows more: what the call is at now."""
    if site.api is not None and site.listen.http is not None:
        base, token = api_of(site)
        try:
            async with asked(base, token, f"/v1/calls/{call}/explanation") as answer:
                live: dict[str, Any] = await answer.json()
                return live
        except NotThere:
            pass
        except AskError as error:
            fail(str(error), WRONG)
    try:
        async with Records(site.records.url) as records:
            return explained(call, await story(records.events, call)).view()
    except StoreError as error:
        fail(str(error))


def _show(found: dict[str, Any], zone: ZoneInfo) -> None:
    out.print(Text(f"call {found['call_id']}", style="bold"))
    for one in found["moments"]:
        at = datetime.fromtimestamp(one["at"], UTC).astimezone(zone).strftime("%H:%M:%S")
        colour = COLOURS.get(one["kind"], "")
        out.print(Text.assemble((f"{at} {one['after_s']:9.1f} s  ", "dim"), (one["text"], colour)), soft_wrap=True)
        for detail in one["details"]:
            out.print(Text(f"{'':22}{detail}", style="dim"), soft_wrap=True)
