from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from cti.codes import is_code
from cti.routes import ROUTES, Route

if TYPE_CHECKING:
    from tests.cti.conftest import Api, FakeCall

SESSION = {
    "id": "session-1", "name": "Zoé Dupont", "partner": "blog", "phone_numbers": ["06 12 34 56 78", "none"],
    "basket": {"amount": 2300, "currency": "EUR", "items": [{"name": "Tokyo, 9 nights", "quantity": 2, "price": 1150}]},
    "pages": [{"url": "https://shop.example/asia", "title": "Asia"}], "destination": "asia", "language": "fr",
}  # fmt: skip


async def test_the_floor(api: Api, make_call: type[FakeCall]) -> None:
    api.floor.switch.live += [make_call("one"), make_call("two"), make_call("three")]
    status, calls, headers = await api.call("GET", "/v1/calls?limit=2")
    assert status == 200 and [c["id"] for c in calls["calls"]] == ["one", "two"] and calls["left_off"] == 1
    assert headers["Cache-Control"] == "no-store"
    assert (await api.call("GET", "/v1/queues"))[1]["queues"][0]["waiting"][0]["waited_s"] == 12.5
    assert [a["name"] for a in (await api.call("GET", "/v1/agents"))[1]["agents"]] == ["marie", "paul"]
    assert len((await api.call("GET", "/v1/cdrs"))[1]["cdrs"]) == 50
    assert (await api.call("GET", "/v1/cdrs?limit=1"))[1] == {"cdrs": [{"call_id": "old-0", "talked_s": 60.0}]}


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "x", "", "1e3", "٣", "9" * 5000])
async def test_bad_parameters(api: Api, limit: str) -> None:
    status, problem, _ = await api.call("GET", "/v1/cdrs", params={"limit": limit})
    assert status == 400 and problem["detail"] == "limit: expected a whole number from 1 to 1000"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_parameters_that_a_route_does_not_have(api: Api, route: Route) -> None:
    path = route.path.replace("{name}", "marie").replace("{id}", "x").replace("{extension}", "101")
    role = route.roles[-1] if route.roles else None
    status, problem, _ = await api.call(route.method, f"{path}?limti=5", role, json={})
    assert status == 400 and problem["detail"].startswith("limti: unknown parameter, expected ")
    for query in route.query:
        assert query.name in problem["detail"]
        status, twice, _ = await api.call(route.method, path, role, params=[(query.name, "1"), (query.name, "2")])
        assert (status, twice["detail"]) == (400, f"{query.name}: expected once")


async def test_agent_commands(api: Api) -> None:
    assert (await api.call("POST", "/v1/agents/marie/login", "agent", "marie"))[1]["state"] == "NOT_READY"
    assert (await api.call("POST", "/v1/agents/marie/ready", "agent", "marie"))[1]["state"] == "READY"
    _, paused, _ = await api.call("POST", "/v1/agents/marie/not-ready", "supervisor", json={"reason": "lunch"})
    assert paused["state"] == "NOT_READY" and paused["reason"] == "lunch"
    status, problem, headers = await api.call("POST", "/v1/agents/marie/wrap-up-done", "agent", "marie")
    assert (
        status == 409
        and problem["state"] == "NOT_READY"
        and headers["Content-Type"].startswith("application/problem+json")
    )
    assert problem["title"] == "Conflict" and problem["type"] == "about:blank" and problem["status"] == 409
    assert (await api.call("POST", "/v1/agents/marie/logout", "agent", "paul"))[0] == 403
    assert (await api.call("POST", "/v1/agents/nobody/login"))[0] == 404
    assert (await api.call("GET", "/v1/agents/marie", "agent", "marie"))[1]["name"] == "marie"
    assert (await api.call("GET", "/v1/agents/marie", "agent", "paul"))[0] == 403
    assert (await api.call("GET", "/v1/agents/nobody"))[0] == 404


async def test_a_session_from_post_to_code(api: Api) -> None:
    status, stored, _ = await api.call("POST", "/v1/web-sessions", "shop", json=SESSION)
    assert status == 201 and stored["created"] and stored["calls_updated"] == 0
    assert stored["phone_numbers"] == [
        {"given": "06 12 34 56 78", "e164": "+33612345678"}, {"given": "none", "e164": None},
    ]  # fmt: skip
    status, stored, _ = await api.call("POST", "/v1/web-sessions", "shop", json={"id": "session-1", "name": None})
    assert status == 200 and not stored["created"] and "name" not in stored
    status, session, _ = await api.call("GET", "/v1/web-sessions/session-1")
    assert status == 200 and "name" not in session and session["basket"]["items"][0]["quantity"] == 2
    status, code, _ = await api.call("POST", "/v1/web-sessions/session-1/code", "shop")
    assert status == 200 and is_code(code["code"])
    assert (await api.call("POST", "/v1/web-sessions/unknown/code", "shop"))[0] == 404
    assert (await api.call("GET", "/v1/web-sessions/unknown"))[0] == 404


async def test_an_agent_reads_a_session_only_while_it_is_on_his_screen(api: Api, make_call: type[FakeCall]) -> None:
    await api.call("POST", "/v1/web-sessions", "shop", json=SESSION)
    assert (await api.call("GET", "/v1/web-sessions/session-1", "agent", "marie"))[0] == 403
    api.floor.pops.offer(make_call(attributes={"web_session": "session-1"}), "marie", "asia", 1, lambda: None)
    assert (await api.call("GET", "/v1/web-sessions/session-1", "agent", "marie"))[1]["name"] == "Zoé Dupont"
    assert (await api.call("GET", "/v1/web-sessions/session-1", "agent", "paul"))[0] == 403


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"basket": {"amount": -1}}, "basket.amount"),
        ({"basket": {"amount": "many"}}, "basket.amount"),
        ({"basket": {"currency": "EUR"}}, "basket.amount"),
        ({"basket": {"amount": 1, "items": [{"name": "x"}, {"quantity": 0, "name": "y"}]}}, "basket.items.1.quantity"),
        ({"pages": [{"url": ""}]}, "pages.0.url"),
        ({"id": "short"}, "id"),
        ({"id": "with a space"}, "id"),
        ({"phone": "0612345678"}, "phone"),
        ({"destination": "Asia!"}, "destination"),
        ({"phone_numbers": ["1"] * 11}, "phone_numbers"),
    ],
)
async def test_invalid_fields_are_named(api: Api, change: dict[str, Any], path: str) -> None:
    status, problem, _ = await api.call("POST", "/v1/web-sessions", "shop", json=SESSION | change)
    assert status == 422 and [e["path"] for e in problem["errors"]] == [path] and problem["errors"][0]["message"]


async def test_all_invalid_fields_at_once(api: Api) -> None:
    _, problem, _ = await api.call("POST", "/v1/web-sessions", "shop", json={"id": 1, "basket": {}, "x": 1})
    assert sorted(e["path"] for e in problem["errors"]) == ["basket.amount", "id", "x"]


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", JSON, 400),
        (b"{", JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b"[" * 60_000, JSON, 400),
        (b"[]", JSON, 422),
        (b'{"id": "session-1", "basket": {"amount": NaN}}', JSON, 422),
        (b'{"id": "session-1", "basket": {"amount": 1e999}}', JSON, 422),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"{}", {"Content-Type": "nonsense"}, 415),
        (b" " * 70_000, JSON, 413),
    ],
)
async def test_bodies_that_cannot_be_taken(api: Api, body: bytes, headers: dict[str, str], status: int) -> None:
    found, problem, answered = await api.call("POST", "/v1/web-sessions", "shop", data=body, headers=headers)
    assert found == problem["status"] == status and answered["Content-Type"].startswith("application/problem+json")


async def test_a_session_too_large_for_a_screen(api: Api) -> None:
    form = {f"field {n}": "x" * 3000 for n in range(10)}
    status, problem, _ = await api.call("POST", "/v1/web-sessions", "shop", json=SESSION | {"form": form})
    assert status == 413 and "at most" in problem["detail"]


async def test_who_may_do_what(api: Api) -> None:
    for route in ROUTES:
        if not route.roles:
            continue
        path = route.path.replace("{name}", "marie").replace("{id}", "session-1").replace("{extension}", "104")
        status, problem, headers = await api.call(route.method, path, None)
        assert status == 401 and headers["WWW-Authenticate"] == "Bearer" and problem["title"] == "Unauthorised"
        for role in {"agent", "supervisor", "shop"} - set(route.roles):
            assert (await api.call(route.method, path, role))[0] == 403


@pytest.mark.parametrize("value", ["Bearer", "Bearer  ", "Basic Ym9zczpib3Nz", "Bearer a.b.c", "bearer é"])
async def test_bad_credentials(api: Api, value: str) -> None:
    status, problem, _ = await api.call("GET", "/v1/calls", None, headers={"Authorization": value})
    assert status == 401 and not {"a.b.c", "é", "Ym9zczpib3Nz"} & set(problem["detail"].split())


async def test_an_expired_token(api: Api) -> None:
    token = api.token("supervisor", valid_s=-1)
    status, problem, _ = await api.call("GET", "/v1/calls", None, headers={"Authorization": f"Bearer {token}"})
    assert status == 401 and problem["detail"] == "the token has expired"


async def test_no_such_address_or_method(api: Api) -> None:
    assert (await api.call("GET", "/v2/calls"))[1]["status"] == 404
    assert (await api.call("GET", "/v1/calls/"))[1]["status"] == 404
    status, problem, headers = await api.call("DELETE", "/v1/calls")
    assert status == problem["status"] == 405 and "GET" in headers["Allow"]
    assert (await api.call("GET", "/../etc/passwd"))[0] == 404


async def test_what_breaks_inside_stays_inside(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> list[dict[str, Any]]:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(api.floor.desk, "queues", broken)
    status, problem, _ = await api.call("GET", "/v1/queues")
    assert status == 500 and "secret" not in json.dumps(problem) and "Traceback" not in json.dumps(problem)
    assert problem["detail"].split()[-1] in caplog.text and "the secret inside" in caplog.text
    assert api.floor.counters["http_errors"] == 1


async def test_cors_is_for_the_shop_and_its_routes_alone(api: Api) -> None:
    shop, other = {"Origin": "https://shop.example"}, {"Origin": "https://evil.example"}
    asks = {"Access-Control-Request-Method": "POST"}
    status, _, headers = await api.call("OPTIONS", "/v1/web-sessions", None, headers=shop | asks)
    assert status == 204 and headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert "Authorization" in headers["Access-Control-Allow-Headers"]
    for path in ("/v1/web-sessions", "/v1/web-sessions/session-1/code"):
        assert "Access-Control-Allow-Origin" in (await api.call("POST", path, "shop", headers=shop, json=SESSION))[2]
        assert (
            "Access-Control-Allow-Origin" not in (await api.call("POST", path, "shop", headers=other, json=SESSION))[2]
        )
    assert "Access-Control-Allow-Origin" in (await api.call("POST", "/v1/web-sessions", None, headers=shop))[2], (
        "errors too"
    )
    assert "Access-Control-Allow-Origin" not in (await api.call("GET", "/v1/calls", headers=shop))[2]
    assert (await api.call("OPTIONS", "/v1/calls", headers=shop))[0] == 405


async def test_service_routes(api: Api) -> None:
    assert (await api.call("GET", "/healthz", None))[1] == {"status": "ok", "parts": {}}
    assert (await api.call("GET", "/v1/whoami", "agent", "marie"))[1]["name"] == "marie"
    status, page, headers = await api.call("GET", "/", None)
    assert status == 200 and b"<title>" in page and "default-src 'none'" in headers["Content-Security-Policy"]
    assert (await api.call("GET", "/app.js", None))[0] == (await api.call("GET", "/style.css", None))[0] == 200


async def test_health_says_which_part_is_ill(api: Api) -> None:
    server = api.floor.server(health=lambda: {"media": True, "records": False})
    host, port = await server.start("127.0.0.1", 0)
    async with api.http.get(f"http://{host}:{port}/healthz") as answer:
        assert answer.status == 503
        assert await answer.json() == {"status": "degraded", "parts": {"media": True, "records": False}}
    await server.close()
    await server.close()


async def test_a_site_without_secret_lets_nobody_in(api: Api) -> None:
    from cti.http import HttpServer

    floor, token = api.floor, api.token("supervisor")
    server = HttpServer(
        tokens=None, desk=floor.desk, switch=floor.switch, records=None, sessions=floor.sessions,  # type: ignore[arg-type]
        matching=floor.matching, hub=floor.hub, pops=floor.pops, clock=floor.clock, counters=floor.counters,
        traces=floor.traces, bans=floor.bans,
    )  # fmt: skip
    host, port = await server.start("127.0.0.1", 0)
    async with api.http.get(f"http://{host}:{port}/v1/calls", headers={"Authorization": f"Bearer {token}"}) as answer:
        assert answer.status == 401 and "api.secret" in (await answer.json(content_type=None))["detail"]
    await server.close()


async def test_requests_that_are_not_http(api: Api) -> None:
    port = int(api.base.rpartition(":")[2])
    for line in (
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"GET /" + b"a" * 70_000,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(line + b"\r\n\r\n")
        try:
            answer = await asyncio.wait_for(reader.read(), 5)
        except ConnectionResetError:
            answer = b"HTTP/1.0 400 reset"
        assert b" 400 " in answer.splitlines()[0] + b" " and b"Traceback" not in answer
        writer.close()


async def test_trunks_with_their_gateways_and_registrations(api: Api) -> None:
    gateway = {
        "uri": "sip:carrier.example.com", "priority": 0, "weight": 1, "state": "up", "since": None, "failed_at": None,
        "round_trip_ms": 12.5,
    }  # fmt: skip
    registration = {
        "state": "waiting", "registrar": "sip:carrier.example.com", "registered": False, "expires_at": None,
        "next_at": 1_800_000_000.0, "failures": 2, "last_status": 403, "last_reason": "Forbidden", "trunk": "carrier",
    }  # fmt: skip
    api.floor.trunks = [
        {"name": "carrier", "calls": 3, "gateways": [gateway], "registration": registration},
        {"name": "branch", "calls": 0, "gateways": [], "registration": None},
    ]
    async with api.http.get(
        f"{api.base}/v1/trunks", headers={"Authorization": f"Bearer {api.token('supervisor')}"}
    ) as answer:
        one, other = (await answer.json())["trunks"]
    assert (one["gateways"][0]["state"], one["registration"]["last_status"]) == ("up", 403)
    assert other["registration"] is None


async def test_bans_are_listed_and_lifted(api: Api) -> None:
    headers = {"Authorization": f"Bearer {api.token('supervisor')}"}
    async with api.http.get(f"{api.base}/v1/bans", headers=headers) as answer:
        assert [ban["source"] for ban in (await answer.json())["bans"]] == ["192.0.2.7"]
    for status in (200, 404):
        async with api.http.delete(f"{api.base}/v1/bans/192.0.2.7", headers=headers) as answer:
            assert answer.status == status
    async with api.http.get(
        f"{api.base}/v1/bans", headers={"Authorization": f"Bearer {api.token('agent')}"}
    ) as answer:
        assert answer.status == 403
