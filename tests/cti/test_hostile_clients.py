"""Clients who send what makes no sense, to a real desk: each is told so by a problem document, and nothing breaks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiohttp import ClientSession

from acd.desk import Desk
from config.schema import Site
from cti.commands import COMMANDS
from cti.routes import ROUTES, Route
from pbx.call.originate import NotDialled
from tests.cti.conftest import SITE, Api, Floor, LoopClock

AGENTS = {"marie": {"extension": "101", "skills": {"asia": 5}}, "paul": {"code": "77", "pin": "1234"}}
QUEUES = {
    "asia": {"needs": "asia >= 3", "callback": {}, "dispositions": ["sold"]}, "anyone": {},
}  # fmt: skip
WRONG: tuple[Any, ...] = (
    None, True, -1, 0, 1e308, 10**30, "", "x" * 3000, "\0", "\N{FULLWIDTH DIGIT ONE}", "../..", "'; drop table calls",
    [], [None], {}, {"x": {}}, {"": 1}, [[[[[[]]]]]],
)  # fmt: skip
PATHS = ("marie", "nobody", "asia", "x" * 3000, "%00", "%FF", "..%2f..", "%F0%9F%98%80", "-1")
RAW = (
    b"", b"null", b"[]", b"{", b'"x"', b"\xff\xfe", b'{"a": NaN}', b'{"levels": {"\\ud800": 1}}', b"[" * 60_000,
    b'{"at": 1' + b"0" * 5000 + b"}", b'{"priority": -Infinity}', b'{"at": 1e999}', b"{" + b" " * 70_000 + b"}",
)  # fmt: skip
TEXTS = ("", "x" * 3000, "-1", "%00", "%FF", "1e9", "9" * 400, "NaN", "' or 1=1", "%F0%9F%98%80")


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    floor = Floor(LoopClock())
    site = Site.model_validate(SITE | {"agents": AGENTS, "queues": QUEUES, "locale": {"country": "FR"}})
    desk = Desk(site, floor.clock, floor.emit, floor.pops, floor.counters)
    floor.clicks.error = floor.talks.error = NotDialled("unknown", "nobody is called")
    floor.desk, floor.callbacks = desk, desk.callbacks  # type: ignore[assignment]
    server = floor.server()
    host, port = await server.start("127.0.0.1", 0)
    async with ClientSession() as http:
        yield Api(floor, http, f"http://{host}:{port}")
    await server.close()


def bodies(route: Route) -> Iterator[bytes]:
    """Whatever the route does not take, and each field wrong in each way."""
    yield from RAW
    assert route.body is not None
    for name in (*route.body.model_fields, "unknown"):
        for value in WRONG:
            yield json.dumps({name: value}).encode()


def paths(route: Route) -> Iterator[str]:
    for part in PATHS if "{" in route.path else PATHS[:1]:
        yield route.path.replace("{name}", part).replace("{id}", part).replace("{extension}", part)


async def told(api: Api, method: str, path: str, **options: Any) -> None:
    """An answer, or a problem that says what it is."""
    headers = {"Authorization": f"Bearer {api.token('supervisor')}", "Content-Type": "application/json"}
    before = api.floor.counters["http_refused"]
    async with api.http.request(method, api.base + path, headers=headers, **options) as answer:
        text = await answer.read()
    assert answer.status < 500 or answer.status == 503, (method, path[:80], options, text)
    assert b"Traceback" not in text
    if answer.status >= 400:
        problem = json.loads(text)
        assert answer.content_type == "application/problem+json" and problem["status"] == answer.status, (path, text)
        assert problem["title"] and ("detail" in problem or "errors" in problem), (path, problem)
        assert api.floor.counters["http_refused"] == before + 1


@pytest.mark.parametrize("route", [route for route in ROUTES if route.body], ids=lambda r: f"{r.method} {r.path}")
async def test_bodies(api: Api, route: Route) -> None:
    path = next(paths(route))
    for body in bodies(route):
        await told(api, route.method, path, data=body)
    assert api.floor.counters["http_errors"] == 0


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: f"{r.method} {r.path}")
async def test_addresses(api: Api, route: Route) -> None:
    for path in paths(route):
        await told(api, route.method, path, data=b"{}" if route.body else None)
    for query in route.query:
        for text in TEXTS:
            await told(api, route.method, f"{next(paths(route))}?{query.name}={text}")
    assert api.floor.counters["http_errors"] == 0


async def test_messages_over_the_websocket(api: Api) -> None:
    socket = await api.socket("supervisor")
    await socket.receive_json(), await socket.receive_json()
    texts = [raw.decode() for raw in RAW if len(raw) < 16_000 and b"\xff" not in raw]
    texts += [json.dumps(value) for value in WRONG]
    for name in ("ping", "", "nonsense", *COMMANDS):
        for value in WRONG:
            for key in ("command", "agent", "id", "unknown", *COMMANDS.get(name, COMMANDS["ready"]).body.model_fields):
                texts.append(json.dumps({"command": name, "agent": "marie", "id": 1, key: value}))
    texts += ['{"command": "ping", "id": NaN}']
    texts += ['{"command": "ping", "id": 1e999}', '{"command": "ready", "agent": "\\ud800"}']
    for text in texts:
        await socket.send_str(text)
        while True:
            got = (await socket.receive(timeout=30)).data
            reply = json.loads(got, parse_constant=pytest.fail)
            if reply["type"] == "reply":
                break
        assert reply["ok"] or reply["problem"]["status"] < 500, (text[:200], reply)
        assert reply["ok"] or reply["problem"]["title"], reply
    assert api.floor.counters["http_errors"] == 0
    await socket.close()
