"""Real phones are recorded by a real server: each on its side, enciphered, as Ogg/Opus, found by the API."""

from __future__ import annotations

import asyncio
import io
import wave
from typing import Any

import aiohttp
import av
import numpy as np
import pytest

from bench.plateau import Plateau
from bench.softphones import Softphones, answer
from tests.wire.conftest import OFFICE, eventually

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]

CHANGES: dict[str, Any] = {
    "recordings": {"folder": "kept", "key": "00ff" * 16, "format": "opus"},
    "queues": {"sales": {"record": True, "wrap_up_s": 0}},
}


async def sound(plateau: Plateau, recording: str) -> Any:
    """Left and right, 48 kHz."""
    headers = {"Authorization": f"Bearer {plateau.token('supervisor', 'bench')}"}
    async with (
        aiohttp.ClientSession(plateau.http, headers=headers) as http,
        http.get(f"/v1/recordings/{recording}/audio") as reply,
    ):
        assert reply.status == 200 and reply.content_type == "audio/ogg" and reply.headers["X-Complete"] == "yes"
        ogg = await reply.read()
    with av.open(io.BytesIO(ogg), "r") as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)


def loudest_hz(samples: Any) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * 48_000 / len(samples))


@pytest.mark.parametrize("with_worker", [False, True])
async def test_what_is_masked_stays_so_when_the_server_is_killed(baresip: Softphones, with_worker: bool) -> None:
    """And its media worker, or not. The next server records on, and unmasks in time."""
    changes: dict[str, Any] = {"recordings": {"folder": "kept", "mask_at_most_s": 15}}
    async with Plateau(OFFICE, changes=changes) as plateau:
        called = await baresip.phone("106", server=plateau.sip, password="wire", policy=answer(), tone_hz=440)
        caller = await baresip.phone("105", server=plateau.sip, password="wire", tone_hz=620)
        assert await called.register() == 200 and await caller.register() == 200
        call = await caller.call("106")
        await call.established()
        there = await called.next_call()
        (live,) = (await plateau.get("/v1/calls"))["calls"]
        begun = await plateau.post(f"/v1/calls/{live['id']}/recording", None, role="supervisor")

        async def rows() -> list[dict[str, Any]]:
            found = (await plateau.get(f"/v1/recordings?call={live['id']}"))["recordings"]
            return sorted(found, key=lambda row: float(row["started_at"]))

        async def masked() -> bool:
            return any(row["masked"] for row in await rows())

        async def kept() -> bool:
            return await plateau.counter("plateau_standing_calls_written_total") >= 1

        await plateau.post(f"/v1/recordings/{begun['id']}/mask", None, role="supervisor")
        await eventually(masked)
        await eventually(kept)
        await asyncio.sleep(0.5)  # rows gather for a quarter of a second before they are written
        await plateau.crash_and_restart(workers=with_worker)

        async def goes_on() -> bool:
            found = await rows()
            return len(found) == 2 and found[1]["state"] == "recording" and bool(found[1]["masked"])

        async def unmasked() -> bool:
            return (await rows())[1]["masked_now"] is False

        await eventually(goes_on)
        await eventually(unmasked)
        await asyncio.sleep(1.5)
        await call.hang_up()
        await there.ended()

        async def over() -> bool:
            return all(row["ended_at"] is not None for row in await rows())

        await eventually(over)
        first, second = await rows()
        assert (first["why"], second["why"]) == ("server died", "call ended")
        assert not (await wav(plateau, first["id"]))[round(first["masked"][0][0] * 8000) + 400 :].any()
        sound = await wav(plateau, second["id"])
        until = round(second["masked"][0][1] * 8000)
        assert not sound[: max(0, until - 400)].any()
        assert sound[until + 400 :, 0].any() and sound[until + 400 :, 1].any()
        assert await called.unregister() == 200 and await caller.unregister() == 200


async def wav(plateau: Plateau, recording: str) -> Any:
    """Left and right, 8 kHz."""
    row = await plateau.get(f"/v1/recordings/{recording}")
    with wave.open(str(plateau.folder / "kept" / row["file"])) as file:
        assert file.getframerate() == 8000
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)


async def test_a_call_is_recorded(baresip: Softphones) -> None:
    async with Plateau(OFFICE, changes=CHANGES) as plateau:
        called = await baresip.phone("106", server=plateau.sip, password="wire", policy=answer(), tone_hz=440)
        caller = await baresip.phone("105", server=plateau.sip, password="wire", tone_hz=620)
        assert await called.register() == 200
        call = await caller.call("106")
        await call.established()
        (live,) = (await plateau.get("/v1/calls"))["calls"]
        begun = await plateau.post(f"/v1/calls/{live['id']}/recording", None, role="supervisor")
        assert begun["state"] == "recording"
        there = await called.next_call()
        assert (await call.hear(440)).heard and (await there.hear(620)).heard
        await call.hear(2000, within_s=1.5)
        await call.hang_up()
        await there.ended()

        async def converted() -> bool:
            row = await plateau.get(f"/v1/recordings/{begun['id']}")
            return row["ended_at"] is not None and row["file"].endswith(".opus.aes")

        await eventually(converted)
        row = await plateau.get(f"/v1/recordings/{begun['id']}")
        assert (row["why"], row["encrypted"], row["state"]) == ("call ended", True, "kept")
        left, right = await sound(plateau, begun["id"])
        assert abs(len(left) / 48_000 - row["duration_s"]) < 0.1 and row["duration_s"] > 1.5
        assert loudest_hz(left) == pytest.approx(620, abs=5)
        assert loudest_hz(right) == pytest.approx(440, abs=5)
        facts = await plateau.get(f"/v1/calls/{live['id']}")
        assert [one["id"] for one in facts["recordings"]] == [begun["id"]]
        files = [path for path in (plateau.folder / "kept").rglob("*") if path.is_file()]
        assert [path.stat().st_mode & 0o777 for path in files] == [0o600]
        assert b"OggS" not in files[0].read_bytes()
        assert await called.unregister() == 200
