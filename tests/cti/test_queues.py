"""What supervisors do to queues, by REST."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cti.conftest import Api

ASIA = "/v1/queues/asia"


async def test_a_queue(api: Api) -> None:
    assert (await api.call("GET", ASIA))[1]["name"] == "asia"
    for put in (
        {"priority": 5}, {"emergency": True}, {"priority": None, "emergency": False}, {},
    ):  # fmt: skip
        status, body, _ = await api.call("PUT", ASIA, json=put)
        assert status == 200 and body["name"] == "asia"
    assert api.floor.desk.done == [
        ("queue priority", "asia", 5), ("emergency", "asia", True), ("queue priority", "asia", None),
        ("emergency", "asia", False),
    ]  # fmt: skip


async def test_one_who_waits(api: Api) -> None:
    assert (await api.call("PUT", f"{ASIA}/calls/call-1", json={"priority": 50}))[0] == 200
    assert (await api.call("POST", f"{ASIA}/calls/call-1/move", json={"to": "queue anyone"}))[0] == 200
    assert (await api.call("DELETE", f"{ASIA}/calls/call-1"))[0] == 200
    assert api.floor.desk.done == [
        ("priority", "call-1", 50), ("move", "call-1", "queue anyone"), ("withdraw", "call-1"),
    ]  # fmt: skip
    assert api.floor.counters["queue_commands"] == 3


async def test_emergency_of_all(api: Api) -> None:
    assert (await api.call("PUT", "/v1/emergency", json={"on": True}))[0] == 200
    assert api.floor.desk.done == [("emergency", "asia", True)]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/queues/nowhere", None, 404),
        ("PUT", "/v1/queues/nowhere", {"emergency": True}, 404),
        ("PUT", "/v1/queues/nowhere/calls/call-1", {"priority": 1}, 404),
        ("DELETE", f"{ASIA}/calls/nobody", None, 404),
        ("PUT", ASIA, {"priority": "high"}, 422),
        ("PUT", ASIA, {"emergncy": True}, 422),
        ("PUT", f"{ASIA}/calls/call-1", {}, 422),
        ("POST", f"{ASIA}/calls/call-1/move", {"to": "anyone"}, 422),
        ("POST", f"{ASIA}/calls/call-1/move", {"to": "queue nowhere"}, 422),
        ("POST", f"{ASIA}/calls/talks/move", {"to": "queue anyone"}, 409),
        ("DELETE", f"{ASIA}/calls/talks", None, 409),
    ],
)
async def test_what_can_not_be(api: Api, method: str, path: str, body: Any, status: int) -> None:
    found, problem, _ = await api.call(method, path, **({} if body is None else {"json": body}))
    assert found == status and api.floor.desk.done == []
    if status == 409:
        assert problem["state"] == "CONNECTED" and api.floor.counters["queue_commands_refused"] == 1
    if status == 422:
        assert problem["errors"]


async def test_agents_may_not(api: Api) -> None:
    assert (await api.call("PUT", "/v1/emergency", "agent", json={"on": True}))[0] == 403
