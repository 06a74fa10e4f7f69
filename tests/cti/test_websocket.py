from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, WSServerHandshakeError

from cti.http import HttpServer
from pbx.call.events import CallAnswered, CallAttributesSet

if TYPE_CHECKING:
    from tests.cti.conftest import Api, FakeCall

NOW = 1_700_000_000.0


async def take(socket: ClientWebSocketResponse, count: int = 1) -> Any:
    found = [json.loads(await socket.receive_str(timeout=30)) for _ in range(count)]
    return found if count > 1 else found[0]


async def closed(socket: ClientWebSocketResponse) -> int | None:
    """Read to the end; the close code."""
    while (await socket.receive(timeout=30)).type in (WSMsgType.TEXT, WSMsgType.CLOSE):
        pass
    return socket.close_code


async def settle(api: Api) -> None:
    """Until the server has noticed that its clients left."""
    for _ in range(200):
        if api.floor.hub.clients == 0:
            return
        await asyncio.sleep(0.01)


async def test_a_supervisor_gets_hello_a_snapshot_and_events(api: Api, make_call: type[FakeCall]) -> None:
    api.floor.switch.live.append(make_call())
    socket = await api.socket("supervisor")
    hello, snapshot = await take(socket, 2)
    assert hello["type"] == "hello" and hello["role"] == "supervisor" and not hello["resumed"]
    assert snapshot["type"] == "snapshot" and snapshot["sequence"] == hello["sequence"]
    assert snapshot["calls"][0]["id"] == "call-1" and snapshot["queues"] and snapshot["agents"]
    api.floor.emit(CallAnswered(NOW, "call-1"))
    event = await take(socket)
    assert event == {"type": "call_answered", "sequence": hello["sequence"] + 1, "at": NOW, "call_id": "call-1"}
    await socket.close()
    await settle(api)
    assert api.floor.hub.clients == 0


async def test_an_agent_works_over_the_socket(api: Api, make_call: type[FakeCall]) -> None:
    socket = await api.socket("agent", "marie")
    hello, snapshot = await take(socket, 2)
    assert hello["name"] == "marie" and snapshot["agent"]["state"] == "LOGGED_OUT" and snapshot["pops"] == []
    await socket.send_json({"command": "login", "id": 1})
    event, reply = await take(socket, 2)
    assert (event["type"], event["state"]) == ("agent_state_changed", "NOT_READY")
    assert reply["reply"] == 1 and reply["ok"] is True and reply["agent"]["state"] == "NOT_READY"
    await socket.send_json({"command": "ready", "id": "two"})
    _, reply = await take(socket, 2)
    assert reply["reply"] == "two" and reply["agent"]["state"] == "READY"
    await socket.send_json({"command": "ready", "id": 3})
    reply = await take(socket)
    assert not reply["ok"] and reply["problem"]["status"] == 409 and reply["problem"]["state"] == "READY"
    rung = asyncio.Event()
    call = make_call()
    api.floor.pops.offer(call, "marie", "asia", 1, rung.set)
    assert not rung.is_set()
    offer = await take(socket)
    assert offer["type"] == "offer"
    await asyncio.wait_for(rung.wait(), 1)
    assert not api.floor.counters["pops_late"]
    api.floor.pops.connected(call, "marie")
    assert (await take(socket))["type"] == "connected"
    again = await api.socket("agent", "marie")
    _, snapshot = await take(again, 2)
    assert snapshot["pops"][0]["state"] == "connected" and snapshot["pops"][0]["pop_id"] == offer["pop_id"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("nonsense", 400),
        ("[]", 400),
        ('{"command": 7}', 400),
        ('{"id": 1}', 400),
        ('{"command": "dance"}', 400),
        ('{"command": "login", "agent": "paul"}', 403),
        ("[" * 9000, 400),
    ],
)
async def test_bad_commands_get_a_reply(api: Api, sent: str, status: int) -> None:
    socket = await api.socket("agent", "marie")
    await take(socket, 2)
    await socket.send_str(sent)
    reply = await take(socket)
    assert reply["ok"] is False and reply["problem"]["status"] == status
    await socket.send_json({"command": "ping", "id": 2})
    assert await take(socket) == {"type": "reply", "reply": 2, "ok": True}


async def test_a_supervisor_commands_others(api: Api) -> None:
    socket = await api.socket("supervisor")
    await take(socket, 2)
    await socket.send_json({"command": "ready", "agent": "paul", "id": 1})
    event, reply = await take(socket, 2)
    assert event["agent"] == "paul" and reply["agent"]["state"] == "READY"
    await socket.send_json({"command": "not_ready", "agent": "paul", "reason": "lunch"})
    assert (await take(socket, 2))[1]["agent"]["reason"] == "lunch"
    await socket.send_json({"command": "ready"})
    assert (await take(socket))["problem"]["status"] == 404, "a supervisor is no agent"


async def test_what_breaks_inside_stays_inside(api: Api, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    monkeypatch.setattr(api.floor.desk, "login", lambda agent, queues, by: 1 / 0)
    socket = await api.socket("agent", "marie")
    await take(socket, 2)
    await socket.send_json({"command": "login"})
    reply = await take(socket)
    assert reply["problem"]["status"] == 500 and "zero" not in json.dumps(reply) and "ZeroDivision" in caplog.text


async def test_resume_and_gap(api: Api) -> None:
    hub = api.floor.hub
    since = hub.sequence
    for n in range(3):
        api.floor.emit(CallAnswered(NOW, f"c{n}"))
    socket = await api.socket("supervisor", query=f"?since={since + 1}&epoch={hub.epoch}")
    hello, one, two = await take(socket, 3)
    assert hello["resumed"] and [one["call_id"], two["call_id"]] == ["c1", "c2"]
    for query in (f"?since={since - 1}", f"?since={since}&epoch=other", f"?since={hub.sequence + 1}"):
        _, gap = await take(await api.socket("supervisor", query=query), 2)
        assert gap["type"] == "gap" and gap["agents"] and gap["sequence"] == hub.sequence


async def test_topics(api: Api) -> None:
    socket = await api.socket("supervisor", query="?topics=agents")
    await take(socket, 2)
    api.floor.emit(CallAnswered(NOW, "c"))
    api.floor.desk.ready("paul")
    assert (await take(socket))["type"] == "agent_state_changed"


@pytest.mark.parametrize("query", ["?since=x", "?since=-1", "?topics=sports", "?since=" + "9" * 30])
async def test_bad_addresses(api: Api, query: str) -> None:
    with pytest.raises(WSServerHandshakeError) as caught:
        await api.socket("supervisor", query=query)
    assert caught.value.status == 400


async def test_tokens_in_the_address_and_in_the_first_message(api: Api) -> None:
    token = api.token("agent", "marie")
    url = f"{api.base}/v1/events"
    async with api.http.ws_connect(f"{url}?access_token={token}") as socket:
        assert (await take(socket))["name"] == "marie"
    async with api.http.ws_connect(url) as socket:
        await socket.send_json({"token": token})
        assert (await take(socket))["name"] == "marie"


@pytest.mark.parametrize(("role", "name", "status"), [("shop", "shop", 403), ("agent", "nobody", 404), ("", "", 401)])
async def test_who_may_not_listen(api: Api, role: str, name: str, status: int) -> None:
    token = api.token(role, name) if role else "a.b.c"
    with pytest.raises(WSServerHandshakeError) as caught:
        await api.http.ws_connect(f"{api.base}/v1/events", headers={"Authorization": f"Bearer {token}"})
    assert caught.value.status == status
    async with api.http.ws_connect(f"{api.base}/v1/events") as socket:
        await socket.send_json({"token": token})
        error = await take(socket)
        assert error["type"] == "error" and error["problem"]["status"] == status
        assert await closed(socket) == 4000 + status


@pytest.mark.parametrize("first", ['"x"', "[" * 3000, '{"token": 3}', "", '{"command": "ready"}'])
async def test_a_first_message_without_token(api: Api, first: str) -> None:
    async with api.http.ws_connect(f"{api.base}/v1/events") as socket:
        await socket.send_str(first)
        assert (await take(socket))["problem"]["status"] == 401
        assert await closed(socket) == 4401


async def test_no_first_message(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cti.websocket.FIRST_MESSAGE_S", 0.05)
    async with api.http.ws_connect(f"{api.base}/v1/events") as socket:
        assert (await take(socket))["problem"]["detail"] == "no token came"
        assert await closed(socket) == 4401


async def test_plain_http_is_told_to_upgrade(api: Api) -> None:
    status, problem, _ = await api.call("GET", "/v1/events")
    assert status == 426 and problem["title"] == "Upgrade required"


async def test_clients_are_limited_in_number(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cti.websocket.MAX_CLIENTS", 1)
    await take(await api.socket("supervisor"), 2)
    with pytest.raises(WSServerHandshakeError) as caught:
        await api.socket("supervisor")
    assert caught.value.status == 503 and api.floor.counters["event_clients_refused"] == 1


async def test_a_socket_ends_with_its_token(api: Api) -> None:
    claims = {"sub": "boss", "role": "supervisor", "exp": api.floor.clock.now() + 0.3}
    token = jwt.encode(claims, api.floor.tokens._secret, algorithm="HS256")
    async with api.http.ws_connect(f"{api.base}/v1/events?access_token={token}") as socket:
        assert await closed(socket) == 4401


async def test_binary_and_huge_messages_end_the_socket(api: Api) -> None:
    socket = await api.socket("supervisor")
    await socket.send_bytes(b"x")
    assert await closed(socket) == 1003
    socket = await api.socket("supervisor")
    await socket.send_str("x" * 20_000)
    assert await closed(socket) == 1009


async def test_a_client_that_does_not_read_is_cut_off(api: Api) -> None:
    """Raw TCP, because every library reads on its own."""
    port = int(api.base.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(
        f"GET /v1/events?access_token={api.token('supervisor')} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    healthy = await api.socket("supervisor")
    await take(healthy, 2)
    big = CallAttributesSet(NOW, "c", {"x": "y" * 20_000})
    for _ in range(2000):
        api.floor.emit(big)
        await take(healthy)
        if api.floor.counters["event_clients_too_slow"]:
            break
    assert api.floor.counters["event_clients_too_slow"] == 1 and api.floor.hub.clients == 1
    api.floor.emit(CallAnswered(NOW, "c"))
    assert (await take(healthy))["type"] in ("call_attributes_set", "call_answered"), "the others hear on"
    writer.close()


async def test_the_server_says_goodbye(api: Api) -> None:
    server: HttpServer = api.floor.server()
    host, port = await server.start("127.0.0.1", 0)
    url = f"http://{host}:{port}/v1/events"
    known = await api.http.ws_connect(f"{url}?access_token={api.token('supervisor')}")
    await take(known, 2)
    unknown = await api.http.ws_connect(url)
    closing = asyncio.create_task(server.close())
    assert await closed(known) == 1001
    assert await closed(unknown) is not None
    await asyncio.wait_for(closing, 5)


async def test_clients_leave_nothing_behind(api: Api) -> None:
    for _ in range(3):
        socket = await api.socket("agent", "marie")
        await take(socket, 2)
        await socket.close()
    await settle(api)
    assert api.floor.hub.clients == 0 and not api.floor.hub._listening
