"""What calls out cost, by REST."""

from __future__ import annotations

from pbx.routing.tolls import Bill

from .conftest import Api


async def test_accounts_are_listed_and_forgiven(api: Api) -> None:
    tolls, now = api.floor.spending.tolls, api.floor.clock.now()
    bill = Bill("trunk branch/1", "abroad", per_minute=6.0, per_call=0.5, answered_at=now - 60)
    tolls.begin(bill)
    tolls.ended(bill, now)
    tolls.begin(Bill("101", "", 0, 0))
    status, body, _ = await api.call("GET", "/v1/tolls")
    assert status == 200
    assert body["accounts"] == [
        {"account": "101", "spent_today": 0.0, "spend_per_day": None, "calls": 1},
        {"account": "trunk branch/1", "spent_today": 6.5, "spend_per_day": None, "calls": 0},
    ]
    status, body, _ = await api.call("DELETE", "/v1/tolls/trunk%20branch%2F1")
    assert (status, body) == (200, {"account": "trunk branch/1", "lifted": True})
    status, body, _ = await api.call("DELETE", "/v1/tolls/trunk%20branch%2F1")
    assert status == 404 and body["detail"] == "trunk branch/1 has spent nothing today"
    assert (await api.call("GET", "/v1/tolls", "agent"))[0] == 403
