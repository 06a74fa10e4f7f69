"""Statistics over REST and the websocket."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import ClientSession

import cti.statistics
from tests.cti.conftest import Api, Floor, LoopClock


async def test_now(api: Api) -> None:
    status, body, _ = await api.call("GET", "/v1/statistics")
    assert status == 200 and body["by"] == "queue" and [row["name"] for row in body["rows"]] == ["asia"]


async def test_a_span_is_history_and_the_quarter_at_work(api: Api) -> None:
    body = (await api.call("GET", "/v1/statistics?from=900&to=9000"))[1]
    assert [row["start"] for row in body["rows"]] == [900, 1_800, 2_700, 3_600, 4_500]
    assert body["rows"][0]["offered"] == 1 and body["rows"][0]["service_level"] == 0.5
    assert (body["from"], body["to"], body["step"]) == (900, 9_000, "interval")
    hours = (await api.call("GET", "/v1/statistics?from=900&to=9000&step=hour"))[1]["rows"]
    assert [(row["start"], row["offered"]) for row in hours] == [(0, 3), (3_600, 2)]
    assert [row["dispositions"] for row in hours] == [{"sold": 6}, {"sold": 2}]
    total = (await api.call("GET", "/v1/statistics?from=900&to=9000&step=total"))[1]["rows"]
    assert [(row["name"], row["offered"], row.get("start")) for row in total] == [("asia", 5, None)]
    day = (await api.call("GET", "/v1/statistics?from=900&to=9000&step=day"))[1]["rows"]
    assert [(row["start"], row["offered"]) for row in day] == [(-3_600, 5)]  # midnight in Paris
    agents = (await api.call("GET", "/v1/statistics?by=agent&from=1&to=9000&name=marie&step=total"))[1]["rows"]
    assert agents[0]["not_ready_by_reason_s"] == {"lunch": 60.0} and agents[0]["offers"] == 2
    assert agents[0]["dispositions"] == {"sold": 1}
    assert (await api.call("GET", "/v1/statistics?from=9000&to=9900&name=asia"))[1]["rows"] == [], "known, and idle"


async def test_a_quarter_that_ends_meanwhile_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one at work is asked for before what was written; and what was told before that is written first."""
    floor, asked = Floor(LoopClock()), list[str]()
    at_work, history = floor.desk.statistics_at_work, cti.statistics.history

    def working(by: str) -> Any:
        asked.append("at work")
        return at_work(by)

    async def written() -> None:
        asked.append("written")

    async def read(*about: Any) -> Any:
        asked.append("history")
        return await history(*about)

    monkeypatch.setattr(floor.desk, "statistics_at_work", working)
    monkeypatch.setattr(cti.statistics, "history", read)
    server = floor.server(written=written)
    host, port = await server.start("127.0.0.1", 0)
    async with ClientSession() as http:
        status, body, _ = await Api(floor, http, f"http://{host}:{port}").call("GET", "/v1/statistics?from=900&to=9000")
    await server.close()
    assert status == 200 and len(body["rows"]) == 5 and asked == ["at work", "written", "history"]


@pytest.mark.parametrize("span", ["", "&from=900&to=9000"])
@pytest.mark.parametrize(
    ("by", "name", "meant"), [("queue", "aisa", "asia"), ("skill", "golff", "golf"), ("agent", "mario", "marie")]
)
async def test_a_name_that_is_none_is_told(api: Api, by: str, name: str, meant: str, span: str) -> None:
    status, body, _ = await api.call("GET", f"/v1/statistics?by={by}&name={name}{span}")
    assert (status, body["detail"]) == (404, f"no {by} '{name}', did you mean {meant}?")


@pytest.mark.parametrize(
    "query", ["by=line", "step=week", "from=x", "from=5&to=5", "from=5&to=4", "from=5&to=99999999"]
)
async def test_bad_questions_say_what_was_expected(api: Api, query: str) -> None:
    query += "" if "from" in query else "&from=7"
    status, body, _ = await api.call("GET", f"/v1/statistics?{query}")
    assert status == 400 and "expected" in body["detail"]


async def test_figures_are_the_supervisors(api: Api) -> None:
    assert (await api.call("GET", "/v1/statistics", "agent", "marie"))[0] == 403
    assert (await api.call("GET", "/v1/statistics", None))[0] == 401


async def test_wall_boards_get_figures_and_others_none(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cti.statistics, "SHOW_S", 0.05)
    board = await api.socket("supervisor", query="?topics=statistics")
    other = await api.socket("supervisor")
    kinds = [json.loads(await board.receive_str(timeout=30))["type"] for _ in range(3)]
    assert kinds == ["hello", "snapshot", "statistics"]
    await other.send_json({"command": "ping", "id": 1})
    kinds = [json.loads(await other.receive_str(timeout=30))["type"] for _ in range(3)]
    assert kinds == ["hello", "snapshot", "reply"]
    await board.close()
    await other.close()
