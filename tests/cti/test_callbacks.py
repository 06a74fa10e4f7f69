"""Callbacks by REST: who may, what is refused with which status, the web session's basket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from acd.callback_errors import (
    CallbacksFull,
    CallbackStateError,
    DuplicateCallback,
    NoCallbacks,
    NotANumber,
    UnknownCallback,
)
from acd.errors import UnknownQueue

if TYPE_CHECKING:
    from tests.cti.conftest import Api, FakeCall, Floor

ADDRESS = "/v1/callbacks"
BODY: dict[str, Any] = {"queue": "asia", "number": "06 12 34 56 78"}
SESSION = {"id": "session-1", "basket": {"amount": 700.0}, "destination": "asia"}


async def test_the_page_asks_and_the_basket_counts(api: Api) -> None:
    assert (await api.call("POST", "/v1/web-sessions", role="shop", json=SESSION))[0] == 201
    at = api.floor.clock.now() + 3600
    status, body, _ = await api.call("POST", ADDRESS, role="shop", json={**BODY, "web_session": "session-1", "at": at})
    assert (status, body["due_at"]) == (201, at)
    assert body["attributes"] == {"basket": 700.0, "destination": "asia", "web_session": "session-1"}
    await api.call("POST", "/v1/web-sessions", role="shop", json={**SESSION, "basket": {"amount": 900.0}})
    status, body, _ = await api.call("GET", f"{ADDRESS}/cb", role="shop")
    assert (status, body["attributes"]["basket"]) == (200, 900.0)
    status, body, _ = await api.call("PUT", f"{ADDRESS}/cb", role="shop", json={"at": at + 60})
    assert (status, body["due_at"]) == (200, at + 60)
    assert (await api.call("DELETE", f"{ADDRESS}/cb", role="shop"))[:2] == (200, {"id": "cb", "cancelled": True})
    assert (await api.call("GET", f"{ADDRESS}/cb"))[0] == 404


async def test_a_supervisor_asks_for_anybody(api: Api) -> None:
    status, body, _ = await api.call("POST", ADDRESS, json={**BODY, "attributes": {"tier": "gold"}})
    assert (status, body["attributes"]) == (201, {"tier": "gold"})
    assert (await api.call("GET", ADDRESS))[1]["callbacks"] == [body]
    assert (await api.call("GET", f"{ADDRESS}?queue=asia"))[1]["callbacks"] == [body]
    status, body, _ = await api.call("GET", f"{ADDRESS}?queue=asi")
    assert (status, body["detail"]) == (404, "no queue 'asi', did you mean asia?")


async def test_who_may(api: Api) -> None:
    assert (await api.call("POST", ADDRESS, role="shop", json=BODY))[0] == 403
    assert (await api.call("POST", ADDRESS, role="agent", name="marie", json=BODY))[0] == 403
    assert (await api.call("GET", ADDRESS, role="shop"))[0] == 403
    assert (await api.call("POST", ADDRESS, role=None, json=BODY))[0] == 401
    gone = {**BODY, "web_session": "session-9"}
    assert (await api.call("POST", ADDRESS, role="shop", json=gone))[0] == 404


@pytest.mark.parametrize(
    ("error", "status", "state"),
    [
        (UnknownQueue("asia"), 404, None),
        (NoCallbacks("asia"), 409, "no callbacks"),
        (DuplicateCallback("asia", "+33612345678", "DIALLING"), 409, "DIALLING"),
        (CallbacksFull("asia", 5), 503, None),
        (NotANumber("no number"), 422, None),
    ],
)
async def test_what_is_refused(api: Api, error: Exception, status: int, state: str | None) -> None:
    api.floor.callbacks.error = error
    answer, body, _ = await api.call("POST", ADDRESS, json=BODY)
    assert (answer, body.get("state")) == (status, state)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_commands_that_make_no_sense(api: Api, method: str) -> None:
    json = {"at": api.floor.clock.now() + 9} if method == "PUT" else None
    for error, status in ((UnknownCallback("cb"), 404), (CallbackStateError("cb", "cancel", "CONNECTED"), 409)):
        api.floor.callbacks.error = error
        assert (await api.call(method, f"{ADDRESS}/cb", json=json))[0] == status


@pytest.mark.parametrize("ahead_s", [-3600.0, 31 * 86_400.0])
async def test_a_time_that_is_none(api: Api, ahead_s: float) -> None:
    at = api.floor.clock.now() + ahead_s
    status, body, _ = await api.call("POST", ADDRESS, json={**BODY, "at": at})
    assert status == 422 and body["errors"][0]["path"] == "at"


def test_the_call_of_a_callback_is_matched_with_its_session(floor: Floor, make_call: type[FakeCall]) -> None:
    from cti.models import WebSessionPost

    floor.sessions.upsert(WebSessionPost.model_validate(SESSION), floor.clock.now())
    call = make_call(attributes={"web_session": "session-1"}, direction="outbound")
    floor.matching.on_callback(call)
    assert call.attributes["match_method"] == "callback" and call.attributes["match_confidence"] == 0.9
    other = make_call(attributes={"web_session": "session-9"})
    floor.matching.on_callback(other)
    assert "match_method" not in other.attributes
