"""Commands of agents and supervisors, by REST and by websocket."""

from __future__ import annotations

from typing import Any

import pytest

from cti.commands import COMMANDS
from tests.cti.conftest import Api

GOOD: dict[str, dict[str, Any]] = {
    "note": {"disposition": "sold"}, "join_queue": {"queue": "asia"}, "leave_queue": {"queue": "asia"},
    "change_skills": {"levels": {"asia": 7, "golf": None}}, "change_queues": {"levels": {"asia": 0}},
}  # fmt: skip


def told(api: Api) -> tuple[object, ...]:
    return api.floor.desk.told


async def test_login_for_some_queues(api: Api) -> None:
    assert (await api.call("POST", "/v1/agents/marie/login", "agent", "marie", json={"queues": ["asia"]}))[0] == 200
    assert told(api) == ("login", "marie", ["asia"], "")


@pytest.mark.parametrize("name", [*GOOD])
async def test_each_command_reaches_the_desk(api: Api, name: str) -> None:
    role, by = ("supervisor", ("boss",)) if COMMANDS[name].supervisors else ("agent", ())
    who = "boss" if role == "supervisor" else "marie"
    address = f"/v1/agents/marie/{name.replace('_', '-')}"
    status, agent, _ = await api.call("POST", address, role, who, json=GOOD[name])
    assert (status, agent["name"]) == (200, "marie")
    assert told(api) == (name, "marie", *GOOD[name].values(), *by)
    for wrong in ({}, {"what": 1}):
        assert (await api.call("POST", address, role, who, json=wrong))[0] == 422
    assert (await api.call("POST", address.replace("marie", "paul"), "agent", "marie", json=GOOD[name]))[0] == 403


async def test_levels_are_for_supervisors(api: Api) -> None:
    for name in ("change-skills", "change-queues"):
        body = {"levels": {"asia": 10}}
        assert (await api.call("POST", f"/v1/agents/marie/{name}", "agent", "marie", json=body))[0] == 403
    socket = await api.socket("agent", "marie")
    await socket.receive_json(), await socket.receive_json()
    await socket.send_json({"command": "change_skills", "levels": {"asia": 10}})
    assert (await socket.receive_json())["problem"]["status"] == 403
    assert told(api) == ()


@pytest.mark.parametrize("levels", [{"asia": 11}, {"asia": -1}, {"asia": 1.5}, {"asia": True}, {}, {"bad": 3}])
async def test_bad_levels(api: Api, levels: dict[str, Any]) -> None:
    status, problem, _ = await api.call("POST", "/v1/agents/marie/change-skills", json={"levels": levels})
    assert status == 422 and problem["errors"][0]["path"].startswith("levels")


async def test_a_skill_that_is_none_is_told_with_the_nearest(api: Api) -> None:
    status, problem, _ = await api.call("POST", "/v1/agents/marie/change-skills", json={"levels": {"aisa": 3}})
    assert status == 422
    assert problem["errors"] == [{"path": "levels.aisa", "message": "no skill 'aisa', did you mean asia?"}]


async def test_words_that_are_not_in_the_list_come_back_with_it(api: Api) -> None:
    for command, body, allowed in (
        ("not-ready", {"reason": "sleep"}, ["lunch", "training"]), ("note", {"disposition": "x"}, ["sold", "no sale"]),
    ):  # fmt: skip
        status, problem, _ = await api.call("POST", f"/v1/agents/paul/{command}", "agent", "paul", json=body)
        assert (status, problem["title"], problem["allowed"]) == (400, "Not in the list", allowed)


async def test_a_disposition_that_is_needed(api: Api) -> None:
    api.floor.desk.states["marie"] = "WRAP_UP"
    status, problem, _ = await api.call("POST", "/v1/agents/marie/wrap-up-done", "agent", "marie")
    assert (status, problem["state"], problem["allowed"]) == (409, "WRAP_UP", ["sold", "no sale"])
    body = {"disposition": "sold"}
    assert (await api.call("POST", "/v1/agents/marie/wrap-up-done", "agent", "marie", json=body))[0] == 200
    assert told(api) == ("wrap_up_done", "marie", "sold", "")


async def test_a_supervisor_needs_none_and_is_named(api: Api) -> None:
    api.floor.desk.states["marie"] = "WRAP_UP"
    assert (await api.call("POST", "/v1/agents/marie/wrap-up-done"))[0] == 200
    assert told(api) == ("wrap_up_done", "marie", None, "boss")


@pytest.mark.parametrize("command", ["note", "wrap-up-done", "extend-wrap-up"])
async def test_a_chat_is_named(api: Api, command: str) -> None:
    body = {"disposition": "sold"} if command == "note" else {}
    for item, status, what in (("chat-1", 409, "CONNECTED"), ("chat-2", 404, None)):
        found, problem, _ = await api.call("POST", f"/v1/agents/marie/{command}", json=body | {"item": item})
        assert (found, problem.get("state")) == (status, what) and item in problem["detail"]


async def test_a_wrap_up_is_extended(api: Api) -> None:
    assert (await api.call("POST", "/v1/agents/marie/extend-wrap-up", "agent", "marie"))[1]["state"] == "LOGGED_OUT"
    api.floor.desk.states["marie"] = "WRAP_UP"
    socket = await api.socket("agent", "marie")
    await socket.receive_json(), await socket.receive_json()
    await socket.send_json({"command": "extend_wrap_up", "seconds": 90, "id": 1})
    assert (await socket.receive_json())["ok"] and told(api) == ("extend_wrap_up", "marie", 90.0)
    await socket.send_json({"command": "extend_wrap_up", "seconds": -90, "id": 2})
    assert (await socket.receive_json())["problem"]["status"] == 422
    await socket.send_json({"command": "leave_queue", "queue": "nowhere", "id": 3})
    assert (await socket.receive_json())["problem"]["status"] == 404


async def test_hang_up(api: Api) -> None:
    assert (await api.call("POST", "/v1/agents/marie/hang-up", "agent", "marie"))[0] == 409
    api.floor.desk.states["marie"] = "BUSY"
    assert (await api.call("POST", "/v1/agents/marie/hang-up", "agent", "marie"))[1]["state"] == "WRAP_UP"


@pytest.mark.parametrize("command", ["hang-up", "logout", "not-ready"])
async def test_what_is_meant_for_one_call_does_not_end_the_next(api: Api, command: str) -> None:
    desk = api.floor.desk
    desk.states["marie"], desk.talks["marie"] = "BUSY" if command == "hang-up" else "READY", "call-2"
    body = {} if command == "hang-up" else {"now": True}
    status, problem, _ = await api.call("POST", f"/v1/agents/marie/{command}", json=body | {"call_id": "call-1"})
    assert (status, problem["state"]) == (409, desk.states["marie"])
    assert problem["detail"] == "agent marie is not at call call-1" and told(api) == ()
    assert (await api.call("POST", f"/v1/agents/marie/{command}", json=body | {"call_id": "call-2"}))[0] == 200


async def test_an_agents_own_view_has_his_queues_and_reasons(api: Api) -> None:
    agent = (await api.call("GET", "/v1/agents/marie", "agent", "marie"))[1]
    assert agent["queues"][0]["name"] == "asia" and agent["not_ready_reasons"] == ["lunch", "training"]


async def test_now_is_for_supervisors(api: Api) -> None:
    """An agent who talks is told that it is pending; only a supervisor may end the conversation by it."""
    for command in ("logout", "not-ready"):
        status, problem, _ = await api.call(
            "POST", f"/v1/agents/marie/{command}", "agent", "marie", json={"now": True}
        )
        assert status == 403 and problem["detail"] == "`now` is for supervisors"
    api.floor.desk.states["marie"] = "READY"
    assert (await api.call("POST", "/v1/agents/marie/logout", json={"now": True}))[0] == 200
    assert told(api) == ("logout", "marie", "boss", "now")
