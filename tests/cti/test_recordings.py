"""Recordings by REST: who may, which part of the sound, what the keeper's refusals become."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession

from cti.errors import StateConflict, UnknownResource
from cti.models import Recording

if TYPE_CHECKING:
    from tests.cti.conftest import Api, FakeCall

ONE: dict[str, Any] = {
    "id": "c1.1", "call_id": "c1", "linked_call_id": None, "queue": "asia", "agent": "ann", "state": "recording",
    "masked_now": False, "started_at": 1.0, "ended_at": None, "duration_s": 0.0, "file": "x/c1.wav", "format": "wav",
    "encrypted": False, "masked": [], "size_bytes": 0, "why": None, "legal_hold": False, "deleted_at": None,
}  # fmt: skip
SOUND = bytes(range(256)) * 2000  # more than one step


class FakeSound:
    size, media_type, complete = len(SOUND), "audio/wav", True

    def __init__(self) -> None:
        self.closed = False

    def read(self, start: int, size: int) -> bytes:
        assert not self.closed
        return SOUND[start : start + size]

    def close(self) -> None:
        self.closed = True


class FakeRecordings:
    """Keeps ONE; writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.sounds: list[FakeSound] = []

    def _note(self, *told: Any) -> dict[str, Any]:
        if told[1] not in ("c1", "c1.1"):
            raise UnknownResource("no such recording")
        self.told.append(told)
        return ONE

    def start(self, call_id: str, by: str) -> dict[str, Any]:
        if call_id == "c2":
            raise StateConflict("the call is recorded already", "recording")
        return self._note("start", call_id, by)

    def stop(self, recording_id: str, by: str) -> dict[str, Any]:
        return self._note("stop", recording_id, by)

    def mask(self, recording_id: str, masked: bool, by: str) -> dict[str, Any]:
        return self._note("mask", recording_id, masked, by)

    def of_call(self, call_id: str) -> str | None:
        return "c1.1" if call_id == "c1" else None

    async def find(self, limit: int, **wanted: Any) -> list[dict[str, Any]]:
        self.told.append(("find", limit, {name: value for name, value in wanted.items() if value}))
        return [ONE]

    async def get(self, recording_id: str) -> dict[str, Any]:
        return self._note("get", recording_id)

    async def read(self, recording_id: str) -> FakeSound:
        self._note("read", recording_id)
        self.sounds.append(FakeSound())
        return self.sounds[-1]

    async def delete(self, recording_id: str, by: str) -> dict[str, Any]:
        return self._note("delete", recording_id, by)

    async def erase(self, number: str, by: str) -> dict[str, Any]:
        self.told.append(("erase", number, by))
        return {"deleted": ["c1.1"], "running": [], "legal_hold": ["c2.1"]}

    async def hold(self, recording_id: str, on: bool) -> dict[str, Any]:
        return self._note("hold", recording_id, on)


@pytest.fixture
def recordings() -> FakeRecordings:
    return FakeRecordings()


@pytest.fixture
async def desk(api: Api, recordings: FakeRecordings) -> AsyncIterator[Api]:
    """A server that records."""
    server = api.floor.server(recordings=recordings)
    host, port = await server.start("127.0.0.1", 0)
    async with ClientSession() as http:
        yield type(api)(api.floor, http, f"http://{host}:{port}")
        await server.close()


async def test_every_route(desk: Api, recordings: FakeRecordings) -> None:
    asked: list[tuple[str, str, dict[str, Any], int]] = [
        ("POST", "/v1/calls/c1/recording", {}, 201), ("GET", "/v1/recordings/c1.1", {}, 200),
        ("POST", "/v1/recordings/c1.1/mask", {}, 200), ("POST", "/v1/recordings/c1.1/unmask", {}, 200),
        ("POST", "/v1/recordings/c1.1/stop", {}, 200),
        ("PUT", "/v1/recordings/c1.1/legal-hold", {"json": {"on": True}}, 200),
        ("DELETE", "/v1/recordings/c1.1", {}, 200),
    ]  # fmt: skip
    for method, path, options, expected in asked:
        status, body, _ = await desk.call(method, path, **options)
        assert (status, body) == (expected, ONE), path
        Recording.model_validate(body)
        assert (await desk.call(method, path, role="shop", **options))[0] == 403
        assert (await desk.call(method, path.replace("c1", "c9"), **options))[0] == 404
    by = "supervisor boss"
    assert recordings.told == [
        ("start", "c1", by), ("get", "c1.1"), ("mask", "c1.1", True, by), ("mask", "c1.1", False, by),
        ("stop", "c1.1", by), ("hold", "c1.1", True), ("delete", "c1.1", by),
    ]  # fmt: skip
    status, body, _ = await desk.call("GET", "/v1/recordings?queue=asia&limit=5")
    assert (status, body) == (200, {"recordings": [ONE]})
    assert recordings.told[-1] == ("find", 5, {"queue": "asia"})
    assert (await desk.call("POST", "/v1/calls/c2/recording"))[0] == 409


async def test_a_person_who_asks_to_be_forgotten(desk: Api, recordings: FakeRecordings) -> None:
    status, body, _ = await desk.call("DELETE", "/v1/recordings?number=%2B33%206%2012%2034%2056%2078")
    assert (status, body) == (200, {"deleted": ["c1.1"], "running": [], "legal_hold": ["c2.1"]})
    assert recordings.told == [("erase", "+33 6 12 34 56 78", "supervisor boss")]
    for path in ("/v1/recordings", "/v1/recordings?number=", "/v1/recordings?number=%25"):
        status, body, _ = await desk.call("DELETE", path)
        assert status == 400 and "expected the number of a person" in body["detail"], path
    assert (await desk.call("DELETE", "/v1/recordings?number=0612345678", role="agent"))[0] == 403
    assert len(recordings.told) == 1


@pytest.mark.parametrize(
    ("asked", "status", "start", "end"),
    [
        (None, 200, 0, len(SOUND)), ("bytes=0-9", 206, 0, 10), ("bytes=300000-", 206, 300_000, len(SOUND)),
        ("bytes=-5", 206, len(SOUND) - 5, len(SOUND)), ("bytes=10-99999999", 206, 10, len(SOUND)),
        ("bytes=0-", 200, 0, len(SOUND)), ("bytes=9999999-", 400, 0, 0), ("bytes=x", 400, 0, 0),
    ],
)  # fmt: skip
async def test_a_part_of_the_sound(
    desk: Api, recordings: FakeRecordings, asked: str | None, status: int, start: int, end: int
) -> None:
    headers = {} if asked is None else {"Range": asked}
    got, body, told = await desk.call("GET", "/v1/recordings/c1.1/audio", headers=headers)
    assert got == status
    if status < 400:
        assert body == SOUND[start:end] and told["Content-Type"] == "audio/wav"
    if status == 206:
        assert told["Content-Range"] == f"bytes {start}-{end - 1}/{len(SOUND)}"
    assert all(sound.closed for sound in recordings.sounds)


async def test_an_agent_masks_his_own_call_only(
    desk: Api, recordings: FakeRecordings, make_call: type[FakeCall]
) -> None:
    assert (await desk.call("POST", "/v1/recordings/c1.1/mask", role="agent", name="ann"))[0] == 200
    assert (await desk.call("POST", "/v1/recordings/c1.1/mask", role="agent", name="ben"))[0] == 403
    assert (await desk.call("POST", "/v1/recordings/c1.1/stop", role="agent", name="ann"))[0] == 403
    assert (await desk.call("GET", "/v1/recordings/c1.1/audio", role="agent", name="ann"))[0] == 403
    assert (await desk.call("POST", "/v1/calls/c1/recording", role="agent", name="ann"))[0] == 403  # not his call


async def test_the_call_has_its_recordings(desk: Api, make_call: type[FakeCall]) -> None:
    desk.floor.switch.live.append(make_call("c1"))
    assert (await desk.call("GET", "/v1/calls/c1"))[1]["recordings"] == [ONE]


async def test_a_site_that_records_nothing(api: Api) -> None:
    assert (await api.call("GET", "/v1/recordings"))[0] == 404
    assert (await api.call("GET", "/v1/calls/old-7"))[1]["recordings"] == []
