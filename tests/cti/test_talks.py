"""Conferences and supervision by REST."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pbx.call.originate import NotDialled
from pbx.call.supervision import NotSupervised

if TYPE_CHECKING:
    from tests.cti.conftest import Api, FakeCall

WATCH = "/v1/agents/marie/supervision"


async def test_a_third_is_added(api: Api, make_call: type[FakeCall]) -> None:
    api.floor.talks.call = make_call()
    status, body, _ = await api.call("POST", "/v1/calls/c1/conference", json={"to": "103"})
    assert status == 201 and api.floor.talks.asked == [("add", "c1", "103", None)]
    assert body["call_id"] == api.floor.talks.call.id and body["to"] == "103"
    status, body, _ = await api.call("GET", "/v1/conferences")
    assert status == 200 and [one["name"] for one in body["conferences"]] == ["board"]


async def test_a_supervisor_listens(api: Api, make_call: type[FakeCall]) -> None:
    api.floor.talks.call = make_call()
    status, body, _ = await api.call("POST", WATCH, json={"supervisor": "104", "mode": "whisper"})
    assert status == 201 and body["mode"] == "whisper" and body["call_id"] == api.floor.talks.call.id
    assert (await api.call("PUT", f"{WATCH}/104", json={"mode": "barge"}))[0] == 200
    status, body, _ = await api.call("DELETE", f"{WATCH}/104")
    assert status == 200 and body["supervision"][0]["supervisor"] == "104"
    assert api.floor.talks.asked == [
        ("begin", "marie", "104", "whisper"), ("change", "marie", "104", "barge"), ("end", "marie", "104")
    ]  # fmt: skip
    assert (await api.call("GET", WATCH))[0] == 200


@pytest.mark.parametrize(("why", "status"), [("unknown", 404), ("forbidden", 403), ("idle", 409), ("refused", 503)])
async def test_what_may_not_be(api: Api, why: str, status: int) -> None:
    api.floor.talks.error = NotSupervised(why, "because")
    told, body, _ = await api.call("POST", WATCH, json={"supervisor": "104"})
    assert told == status == body["status"] and body["detail"] == "because"
    assert (await api.call("PUT", f"{WATCH}/104", json={"mode": "barge"}))[0] == status
    assert (await api.call("DELETE", f"{WATCH}/104"))[0] == status
    api.floor.talks.error = NotDialled(why, "because")
    assert (await api.call("POST", "/v1/calls/c1/conference", json={"to": "1"}))[0] == status


async def test_who_may_and_what(api: Api) -> None:
    assert (await api.call("POST", WATCH, role="agent", name="marie", json={"supervisor": "104"}))[0] == 403
    assert (await api.call("GET", WATCH, role="agent", name="marie"))[0] == 403
    assert (await api.call("POST", WATCH, json={"supervisor": "104", "mode": "shout"}))[0] == 422
