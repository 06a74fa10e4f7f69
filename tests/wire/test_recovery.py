"""The server is killed under a full queue and started again: order, waiting times, agents and figures are as before."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

import pytest

from bench.cti_client import desktop
from bench.plateau import Plateau
from bench.sipp import Sipp
from bench.sites import read_site
from bench.softphones import PhoneCall, Softphones, answer
from tests.wire.conftest import HERE, OFFICE, TRUNK, eventually

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]

WAITING = 50
ROOT = HERE.parents[1]
AGENTS: dict[str, Any] = {
    **read_site(OFFICE)["agents"], "cleo": {"extension": 109, "name": "Cleo"}, "dora": {"extension": 111},
}  # fmt: skip
SOON_S = 1.5  # clocks are read one after the other


def changes(answered: str) -> dict[str, Any]:
    queue = {"music": "music", "ring_s": 10, "wrap_up_s": 120, "answer": answered, "agents": ["anna", "bert", "cleo"]}
    return {"agents": AGENTS, "queues": {**read_site(OFFICE)["queues"], "sales": queue}}


def callers(plateau: Plateau, calls: int) -> Sipp:
    waits = HERE / "sipp" / "uac_waits.xml"
    return Sipp(waits, plateau.sip, service="3000", calls=calls, rate=25, host=TRUNK, within_s=120,
                extra=("-recv_timeout", "120000"))  # fmt: skip


async def queue_of(plateau: Plateau) -> dict[str, Any]:
    queue: dict[str, Any] = next(one for one in (await plateau.get("/v1/queues"))["queues"] if one["name"] == "sales")
    return queue


async def agents_of(plateau: Plateau) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in (await plateau.get("/v1/agents"))["agents"]}


async def figures_of(plateau: Plateau) -> dict[tuple[str, str], dict[str, Any]]:
    """All of the last hour, but for the times of agents, which go on."""
    found = {}
    for by in ("queue", "skill", "agent"):
        for row in (await plateau.get(f"/v1/statistics?by={by}"))["rows"]:
            figures = (row["hour"] or {}).items()
            lasting = {name: one for name, one in figures if by != "agent" or not name.endswith(("_s", "occupancy"))}
            found[by, f"{row['name']} {row.get('channel', '')}"] = lasting
    return found


async def full_house(plateau: Plateau, pjsip: Softphones) -> tuple[Sipp, PhoneCall]:
    """anna talks, bert is not ready, cleo notes down her call, dora was never there; `WAITING` calls wait."""
    phones = {}
    for name, extension in (("anna", "103"), ("cleo", "109"), ("bert", "104")):
        phones[name] = await pjsip.phone(extension, server=plateau.sip, password="wire", policy=answer(50))
        assert await phones[name].register() == 200
        async with desktop(plateau, name) as screen:
            await screen.command("login")
            if name == "bert":
                await screen.command("not_ready", reason="lunch")
            else:
                await screen.command("ready")
    first = callers(plateau, 2)
    await first.start()
    at_cleo = await phones["cleo"].next_call()
    await at_cleo.established()
    at_anna = await phones["anna"].next_call()
    await at_anna.established()
    await at_cleo.hang_up()
    sipp = callers(plateau, WAITING)
    await sipp.start()

    async def all_wait() -> bool:
        states = {name: one["state"] for name, one in (await agents_of(plateau)).items()}
        right = {"anna": "BUSY", "bert": "NOT_READY", "cleo": "WRAP_UP", "dora": "LOGGED_OUT"}
        return states | right == states and len((await queue_of(plateau))["waiting"]) == WAITING

    await eventually(all_wait)
    return sipp, at_anna


@pytest.mark.parametrize("answered", ["on entry", "on agent"])
async def test_a_killed_server_has_forgotten_nothing(pjsip: Softphones, answered: str) -> None:
    """Callers who hear music are still there. Those whose calls only rang are gone with the server: their places are
    kept, for they may call again."""
    async with Plateau(OFFICE, changes=changes(answered)) as plateau:
        sipp, at_anna = await full_house(plateau, pjsip)
        await asyncio.sleep(1.0)  # so that all is written
        asked_at = time.time()
        queue, agents = await queue_of(plateau), await agents_of(plateau)
        figures = await figures_of(plateau)
        assert figures["queue", "sales call"]["offered"] == WAITING + 2
        assert figures["agent", "cleo "]["completed"] == 1
        await plateau.crash_and_restart(workers=False)
        after_s = time.time() - asked_at
        again, agents_again = await queue_of(plateau), await agents_of(plateau)

        assert [one["call_id"] for one in again["waiting"]] == [one["call_id"] for one in queue["waiting"]]
        assert {one["state"] for one in again["waiting"]} == {"QUEUED" if answered == "on entry" else "KEPT"}
        both = zip(queue["waiting"], again["waiting"], strict=True)
        more_s = [after["waited_s"] - before["waited_s"] for before, after in both]
        expected_s = after_s if answered == "on entry" else 0  # whoever is gone waits no more
        assert all(abs(more - expected_s) < SOON_S for more in more_s), more_s
        for figure in ("offered", "answered", "abandoned", "overflowed"):
            assert again[figure] == queue[figure], figure
        assert await figures_of(plateau) == figures
        for name, agent in agents.items():
            assert {key: agents_again[name][key] for key in ("state", "reason", "since", "call_id", "registered")} == {
                key: agent[key] for key in ("state", "reason", "since", "call_id", "registered")
            }  # fmt: skip
        assert any("as the last server left them" in line for line in plateau.log)

        await all_are_explained(plateau, [one["call_id"] for one in queue["waiting"]], answered)
        if answered == "on entry":
            await work_goes_on(plateau, pjsip, at_anna, again["waiting"])
        await sipp.stop()
    assert plateau.exit_status == 0


async def all_are_explained(plateau: Plateau, calls: list[str], answered: str) -> None:
    """By the API and by the command: why they wait, and who is at what."""

    word = "revived" if answered == "on entry" else "kept"

    async def all_are_told() -> bool:  # by the journal, a moment later
        found = [await plateau.get(f"/v1/calls/{call_id}/explanation") for call_id in calls]
        return all(word in {moment["kind"] for moment in one["moments"]} for one in found)

    await eventually(all_are_told)
    for call_id in calls:
        found = await plateau.get(f"/v1/calls/{call_id}/explanation")
        kinds = [one["kind"] for one in found["moments"]]
        assert kinds[:3] == ["came", "queued", "waits"] and kinds[-1] == "now"
        excluded, *at = found["moments"][2]["details"][1:]
        assert excluded.startswith("excluded: 2 at work, 1 not ready, ")
        assert at[:3] == ["anna: talks", "bert: not ready (lunch)", "cleo: notes down a call"]
    shown = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pbx", "explain", str(plateau.site), calls[0], cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    said = (await shown.communicate())[0].decode()
    assert shown.returncode == 0 and "nobody is free" in said and "cleo: notes down a call" in said


async def work_goes_on(
    plateau: Plateau, pjsip: Softphones, at_anna: PhoneCall, waiting: list[dict[str, Any]]
) -> None:
    """Whoever is ready gets the first in line; anna's call of before the kill is followed by its wrap-up."""
    bert = next(one for one in pjsip.phones if one.user == "104")
    async with desktop(plateau, "bert") as screen:
        await screen.command("ready")
        await screen.until(lambda m: m.type == "connected" and m["call_id"] == waiting[0]["call_id"])
    await (await bert.next_call()).established()
    await at_anna.hang_up()

    async def notes_down() -> bool:
        return bool((await agents_of(plateau))["anna"]["state"] == "WRAP_UP")

    await eventually(notes_down)
    assert (await queue_of(plateau))["answered"] == 3
