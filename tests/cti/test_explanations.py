"""Explanations by REST: what the journal has, what the call is at now, calls that nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cti.conftest import Api


async def test_a_live_call(api: Api) -> None:
    status, body, _ = await api.call("GET", "/v1/calls/call-1/explanation")
    assert status == 200 and body["call_id"] == "call-1"
    assert [one["kind"] for one in body["moments"]] == ["queued", "now"]
    assert body["outcome"] == "now: waits"
    assert body["moments"][1] == {
        "at": body["moments"][1]["at"], "after_s": 5.0, "kind": "now", "text": "now: waits", "details": ["place 1"],
    }  # fmt: skip


async def test_a_call_that_was_in_no_queue(api: Api) -> None:
    assert (await api.call("GET", "/v1/calls/old-1/explanation"))[:2] == (
        200, {"call_id": "old-1", "outcome": "", "moments": []}
    )  # fmt: skip


async def test_a_call_that_nobody_knows(api: Api) -> None:
    status, body, _ = await api.call("GET", "/v1/calls/nobody/explanation")
    assert (status, body["detail"]) == (404, "no such call, neither live nor in the records")
