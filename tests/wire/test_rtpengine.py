"""Calls whose sound passes through rtpengine, with PJSIP and baresip: bridges, echo, menus, its end and its return."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bench.plateau import Plateau
from bench.rtpengine import Rtpengine
from bench.sites import Instead, read_site
from bench.softphones import CallFailed, Phone, Softphones, answer
from tests.wire.conftest import OFFICE, eventually
from tests.wire.test_recording import loudest_hz, sound

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]

MIXED = ("conference", "add", "supervise")


def site_changes(daemons: tuple[Rtpengine, ...], spool: Path) -> dict[str, Any]:
    """The office, without what must be mixed."""
    rtpengine = {
        "daemons": [f"{one.host}:{one.ng}" for one in daemons], "keys": f"127.0.0.1:{daemons[0].keys}",
        "spare_calls": 5, "spool": str(spool),
    }  # fmt: skip
    rules = [rule for rule in read_site(OFFICE)["dial_plan"] if rule["to"].split()[0] not in MIXED]
    return {
        "media": {"backend": "rtpengine", "rtpengine": rtpengine},
        "conferences": Instead({}), "supervision": Instead({}), "dial_plan": rules,
        "recordings": {"folder": "kept", "key": "00ff" * 16, "format": "opus"},
    }  # fmt: skip


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spool")


@pytest.fixture(scope="module")
def daemons(spool: Path) -> Iterator[tuple[Rtpengine, Rtpengine]]:
    """The second does not run."""
    options = (f"--recording-dir={spool}", "--recording-method=pcap")
    first = Rtpengine(options=options)
    second = Rtpengine(options=options, keys=first.keys)
    first.start()
    yield first, second
    first.kill()
    second.kill()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plateau(daemons: tuple[Rtpengine, Rtpengine], spool: Path) -> AsyncIterator[Plateau]:
    async with Plateau(OFFICE, changes=site_changes(daemons, spool)) as plateau:
        yield plateau
    assert plateau.exit_status == 0 and not plateau.left_over


@pytest_asyncio.fixture(loop_scope="session")
async def looper(plateau: Plateau, pjsip: Softphones) -> AsyncIterator[Phone]:
    """Extension 107 on PJSIP: answers and loops sound back."""
    phone = await pjsip.phone("107", server=plateau.sip, password="wire", policy=answer(100), loops=True)
    assert await phone.register() == 200
    yield phone
    assert await phone.unregister() == 200


@pytest_asyncio.fixture(loop_scope="session")
async def listener(plateau: Plateau, baresip: Softphones) -> AsyncIterator[Phone]:
    """Extension 108 on baresip: plays 620 Hz and listens."""
    phone = await baresip.phone("108", server=plateau.sip, password="wire", tone_hz=620)
    assert await phone.register() == 200
    yield phone
    assert await phone.unregister() == 200


async def begin_recording(plateau: Plateau) -> str:
    """Of the only call; its id."""
    (live,) = (await plateau.get("/v1/calls"))["calls"]
    begun = await plateau.post(f"/v1/calls/{live['id']}/recording", None, role="supervisor")
    return str(begun["id"])


async def recorded(plateau: Plateau, recording: str) -> Any:
    """Left and right, 48 kHz, of a recording whose call is over."""

    async def converted() -> bool:
        row = await plateau.get(f"/v1/recordings/{recording}")
        return row["ended_at"] is not None and row["file"].endswith(".opus.aes")

    await eventually(converted)
    row = await plateau.get(f"/v1/recordings/{recording}")
    assert (row["why"], row["encrypted"], row["state"]) == ("call ended", True, "kept")
    left, right = await sound(plateau, recording)
    assert abs(len(left) / 48_000 - row["duration_s"]) < 0.1 and row["duration_s"] > 1
    return left, right


async def test_two_phones_hear_each_other(plateau: Plateau, looper: Phone, listener: Phone) -> None:
    assert plateau.media_workers() == []
    call = await listener.call("107")
    there = await looper.next_call()
    await call.established()
    assert (await call.hear(620)).heard
    await call.press("19#")
    await there.until(lambda c: c.digits_received == "19#")

    await there.hold()
    for _ in range(10):
        heard = await call.hear(620, within_s=0.5)
        if not heard.heard:
            break
        await asyncio.sleep(0.2)
    assert not heard.heard, heard
    assert (await call.hear(None)).heard  # the site's music
    await there.resume()
    assert (await call.hear(620)).heard

    await call.hang_up()
    await there.ended()

    async def recorded() -> list[dict[str, object]]:
        return [cdr for cdr in (await plateau.get("/v1/cdrs"))["cdrs"] if cdr["cause"] == "caller hung up"]

    await eventually(recorded)
    (cdr,) = await recorded()
    assert int(str(cdr["packets_received"])) > 50 and int(str(cdr["packets_sent"])) > 50
    assert float(str(cdr["caller_mos"])) > 4 and cdr["packets_lost"] == cdr["callee_lost"] == 0
    assert await plateau.counter("plateau_media_rtpengine_hops_total") == 0  # both in one call of rtpengine


async def test_echo(plateau: Plateau, listener: Phone) -> None:
    call = await listener.call("1001")
    await call.established()
    assert (await call.hear(620)).heard
    await call.hang_up()


async def test_a_menu_hears_keys(plateau: Plateau, looper: Phone, listener: Phone) -> None:
    call = await listener.call("1003")
    await call.established()
    assert (await call.hear(None)).heard  # the prompt
    await call.press("1")
    there = await looper.next_call()
    await there.established()
    assert (await call.hear(620)).heard
    await there.hang_up()
    await call.ended()


async def test_a_call_is_recorded(plateau: Plateau, looper: Phone, listener: Phone, spool: Path) -> None:
    call = await listener.call("107")
    there = await looper.next_call()
    await call.established()
    begun = await begin_recording(plateau)
    await call.hear(2000, within_s=1.5)
    await call.hang_up()
    await there.ended()
    left, right = await recorded(plateau, begun)
    assert loudest_hz(left) == pytest.approx(620, abs=5) and loudest_hz(right) == pytest.approx(620, abs=5)
    assert list((spool / "pcaps").iterdir()) == []


async def test_a_call_moves_to_the_daemon_that_lives(
    plateau: Plateau, daemons: tuple[Rtpengine, Rtpengine], looper: Phone, listener: Phone
) -> None:
    first, second = daemons
    call = await listener.call("107")
    there = await looper.next_call()
    await call.established()
    assert (await call.hear(620)).heard
    second.start()

    async def ports() -> bool:
        return await plateau.counter("plateau_media_ports_free") >= 18

    await eventually(ports)
    first.kill()

    async def lost() -> bool:
        return await plateau.counter("plateau_media_rtpengine_losses_total") == 1

    await eventually(lost)
    await asyncio.sleep(0.5)  # so that what is heard is not what was on its way
    assert (await call.hear(620)).heard
    await call.hang_up()
    await there.ended()


async def test_without_a_daemon_calls_are_refused(
    plateau: Plateau, daemons: tuple[Rtpengine, Rtpengine], looper: Phone, listener: Phone
) -> None:
    call = await listener.call("107")
    there = await looper.next_call()
    await call.established()
    assert (await call.hear(620)).heard
    for one in daemons:
        one.kill()
    await call.ended()
    await there.ended()
    again = await listener.call("107")
    with pytest.raises(CallFailed) as failed:
        await again.established()
    assert failed.value.status == 503

    daemons[0].start()

    async def ports() -> bool:
        return await plateau.counter("plateau_media_ports_free") > 0

    await eventually(ports)
    call = await listener.call("1001")
    await call.established()
    assert (await call.hear(620)).heard
    await call.hang_up()
