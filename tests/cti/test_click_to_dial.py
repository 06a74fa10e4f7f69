"""Click to dial by REST."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pbx.call.originate import NotDialled

if TYPE_CHECKING:
    from tests.cti.conftest import Api, FakeCall

PATH = "/v1/extensions/101/calls"


@pytest.mark.parametrize(("role", "name"), [("supervisor", "boss"), ("agent", "marie")])
async def test_the_call_is_told(api: Api, make_call: type[FakeCall], role: str, name: str) -> None:
    api.floor.clicks.call = make_call()
    status, body, _ = await api.call("POST", PATH, role=role, name=name, json={"to": "0612345678"})
    assert status == 201 and api.floor.clicks.asked == [("101", "0612345678")]
    assert body["call_id"] == api.floor.clicks.call.id and body["extension"] == "101" and body["to"] == "0612345678"


@pytest.mark.parametrize(
    ("why", "status"), [("unknown", 404), ("number", 422), ("unregistered", 409), ("ringing", 409), ("refused", 503)]
)
async def test_no_call_was_made(api: Api, why: str, status: int) -> None:
    api.floor.clicks.error = NotDialled(why, "because")
    told, body, _ = await api.call("POST", PATH, json={"to": "1"})
    assert told == status == body["status"]
    if status == 409:
        assert body["state"] == why
    if status == 422:
        assert body["errors"] == [{"path": "to", "message": "because"}]


async def test_who_may_and_what(api: Api) -> None:
    assert (await api.call("POST", "/v1/extensions/102/calls", role="agent", name="marie", json={"to": "1"}))[0] == 403
    assert (await api.call("POST", PATH, role="shop", json={"to": "1"}))[0] == 403
    assert (await api.call("POST", PATH, json={"to": ""}))[0] == 422
    assert (await api.call("POST", PATH, json={}))[0] == 422
    assert api.floor.clicks.asked == []
