"""Phones' settings by REST, and pops that follow a transferred call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cti.test_screen_pop import Desktop

if TYPE_CHECKING:
    from tests.cti.conftest import Api, FakeCall, Floor

AS_THE_SITE_SAYS = {
    "extension": "101", "dnd": False, "record": False, "forward_always": None, "forward_busy": "extension 102",
    "forward_no_answer": None, "forward_unregistered": None, "set": [],
}  # fmt: skip


async def test_read_set_and_take_back(api: Api) -> None:
    status, body, _ = await api.call("GET", "/v1/extensions/101")
    assert (status, body) == (200, AS_THE_SITE_SAYS)
    put = {"dnd": True, "forward_always": "0199", "forward_busy": "off"}
    status, body, _ = await api.call("PUT", "/v1/extensions/101", json=put)
    assert status == 200 and body["set"] == ["dnd", "forward_always", "forward_busy"]
    assert (body["dnd"], body["forward_always"], body["forward_busy"]) == (True, "0199", None)
    back = dict.fromkeys(put)
    assert (await api.call("PUT", "/v1/extensions/101", json=back))[1] == AS_THE_SITE_SAYS


@pytest.mark.parametrize(
    ("put", "status"),
    [({"forward_busy": "a/b"}, 422), ({"forward_busy": "101"}, 422), ({"colour": "red"}, 422), ({"dnd": 7}, 422)],
)
async def test_what_can_not_be_changes_nothing(api: Api, put: dict[str, object], status: int) -> None:
    assert (await api.call("PUT", "/v1/extensions/101", json={"forward_always": "102", **put}))[0] == status
    assert (await api.call("GET", "/v1/extensions/101"))[1] == AS_THE_SITE_SAYS


async def test_who_may(api: Api) -> None:
    assert (await api.call("PUT", "/v1/extensions/199", json={"dnd": True}))[0] == 404
    assert (await api.call("GET", "/v1/extensions/199"))[0] == 404
    assert (await api.call("PUT", "/v1/extensions/101", role="agent", name="marie", json={"dnd": True}))[0] == 403


async def test_message_light(api: Api) -> None:
    none = {"new": 0, "old": 0, "new_urgent": 0, "old_urgent": 0}
    address = "/v1/extensions/101/messages"
    assert (await api.call("GET", address))[:2] == (200, none)
    assert (await api.call("PUT", address, json={"new": 2, "old": 8}))[:2] == (200, none | {"new": 2, "old": 8})
    assert api.floor.messages.of("101").new == 2
    assert (await api.call("PUT", address, json={"new": -1}))[0] == 422
    assert (await api.call("PUT", address, json={"bytes": 1}))[0] == 422
    for method in ("GET", "PUT"):
        body = {"new": 1} if method == "PUT" else None
        assert (await api.call(method, "/v1/extensions/199/messages", json=body))[0] == 404


def test_a_transferred_call_is_on_the_new_owners_screen(floor: Floor, make_call: type[FakeCall]) -> None:
    desktop, call = Desktop(floor), make_call(attributes={"basket": 700})
    floor.pops.transferred(call, "marie")
    (told,) = desktop.read()
    assert told["type"] == "transferred" and told["call"]["attributes"] == {"basket": 700}
    assert told["call"]["queue"] is None and floor.pops.live("marie")[0]["state"] == "connected"
    floor.pops.updated(call)
    floor.pops.call_over("another")
    floor.pops.call_over(call.id)
    assert [one["type"] for one in desktop.read()] == ["updated", "ended"] and not floor.pops.live("marie")


def test_a_pop_of_a_queue_is_the_desks_to_end(floor: Floor, make_call: type[FakeCall]) -> None:
    call = make_call()
    floor.pops.offer(call, "marie", "asia", 1, lambda: None)
    floor.pops.call_over(call.id)
    assert floor.pops.live("marie")[0]["state"] == "offered"


def test_it_takes_the_place_of_what_was_there(floor: Floor, make_call: type[FakeCall]) -> None:
    desktop = Desktop(floor)
    first, second = make_call("a"), make_call("b")
    floor.pops.transferred(first, "marie")
    floor.pops.transferred(second, "marie")
    assert [(one["type"], one["call_id"]) for one in desktop.read()] == [
        ("transferred", "a"), ("retract", "a"), ("transferred", "b"),
    ]  # fmt: skip
