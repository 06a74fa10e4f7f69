"""SIP over the API: messages as JSON lines and pcapng, ladders, who may see them, who is cut off."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

import cti.traces
from pbx.call.events import CallEnded, CallStarted
from pbx.sip.hop import Hop
from pbx.trace.pcapng import head

if TYPE_CHECKING:
    from tests.cti.conftest import Api, FakeCall

CARRIER = Hop("udp", "198.51.100.7", 5060)
PHONE = Hop("tls", "192.0.2.44", 40123)


def message(method: str, call_id: str, more: str = "", number: str = "+33612345678") -> bytes:
    return (
        f"{method} sip:1000@x SIP/2.0\r\nFrom: <sip:{number}@x>;tag=1\r\nTo: <sip:1000@x>\r\nCall-ID: {call_id}\r\n"
        f"CSeq: 1 {method}\r\n{more}\r\n"
    ).encode()


def call(api: Api, call_id: str = "c1") -> None:
    """A short call."""
    ring, now = api.floor.ring, api.floor.clock.now()
    ring.message("<-", message("INVITE", call_id), CARRIER)
    ring.event(CallStarted(now, call_id, "inbound", "+33612345678", "1000", "carrier", "ivr welcome", call_id))
    ring.message("->", message("BYE", call_id), CARRIER)
    ring.event(CallEnded(now, call_id, "callee hung up", 200, 0, 0, 0, 0.0))


async def lines(api: Api, query: str = "") -> list[dict[str, Any]]:
    status, text, headers = await api.call("GET", f"/v1/trace{query}")
    assert status == 200 and headers["Cache-Control"] == "no-store"
    assert headers["Content-Type"] == "application/x-ndjson"
    return [json.loads(line) for line in text.splitlines()]


async def test_past_messages(api: Api) -> None:
    call(api)
    api.floor.ring.message("<-", message("REGISTER", "r", 'Authorization: Digest response="5ec8e7"\r\n'), PHONE)
    found = await lines(api)
    assert [line.get("title") for line in found] == ["INVITE", "BYE", "REGISTER", None]
    assert found[-1] == {"type": "end", "reason": "all", "missed": 0}
    first = found[0]
    assert (first["direction"], first["transport"], first["peer"], first["local"], first["call_id"]) == (
        "received", "udp", "198.51.100.7:5060", "192.0.2.1:5060", "c1",
    )  # fmt: skip
    assert found[2]["transport"] == "tls" and 'response="******"' in found[2]["text"]


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("?call=c1", ["INVITE", "BYE"]),
        ("?call=c2", []),
        ("?number=0612345678", ["INVITE", "BYE"]),
        ("?number=101", ["REGISTER"]),
        ("?method=bye", ["BYE"]),
        ("?trunk=carrier", ["INVITE", "BYE"]),
        ("?peer=192.0.2.44", ["REGISTER"]),
        ("?peer=192.0.2.0/24&method=INVITE", []),
        ("?last_s=0", []),
    ],
)
async def test_filters(api: Api, query: str, titles: list[str]) -> None:
    call(api)
    api.floor.ring.message("<-", message("REGISTER", "r", number="101"), PHONE)
    await asyncio.sleep(0.002)
    assert [line["title"] for line in (await lines(api, query))[:-1]] == titles


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("trunk=nobody", "trunk: there is no trunk 'nobody'"),
        ("peer=carrier.example", "peer: expected an address, as 192.0.2.7"),
        ("number=" + "1" * 101, "number: expected at most 100 characters"),
        ("follow=2", "follow: expected a whole number from 0 to 1"),
        ("last_s=100000", "last_s: expected a whole number from 0 to 86400"),
    ],
)
async def test_bad_questions(api: Api, query: str, detail: str) -> None:
    for path in ("/v1/trace", "/v1/trace.pcapng"):
        status, problem, _ = await api.call("GET", f"{path}?{query}")
        assert status == 400 and problem["detail"].startswith(detail)


async def test_live_messages(api: Api) -> None:
    headers = {"Authorization": f"Bearer {api.token('supervisor')}"}
    async with asyncio.timeout(30), api.http.get(f"{api.base}/v1/trace?follow=1&method=BYE", headers=headers) as answer:
        call(api)
        line = json.loads(await answer.content.readline())
        assert line["title"] == "BYE" and line["call_id"] == "c1"
    async with asyncio.timeout(30):
        while api.floor.traces._readers:  # noqa: ASYNC110 - it finds out when it looks next
            await asyncio.sleep(0.02)
    assert api.floor.counters["trace_readers_lost"] == 1


async def last_line(api: Api, **token: Any) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {api.token('supervisor', **token)}"}
    async with api.http.get(f"{api.base}/v1/trace?follow=1", headers=headers) as answer:
        return json.loads((await answer.text()).splitlines()[-1])  # type: ignore[no-any-return]


async def test_a_live_trace_ends_with_its_token(api: Api) -> None:
    async with asyncio.timeout(30):
        assert (await last_line(api, valid_s=1.2))["reason"] == "the token has expired"


async def test_a_live_trace_ends_with_the_server(api: Api) -> None:
    task = asyncio.create_task(last_line(api))
    async with asyncio.timeout(30):
        while not api.floor.traces._readers:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        api.floor.traces.closing = True
        assert (await task)["reason"] == "the server is stopping"


async def test_who_is_behind_the_ring_is_told_how_much_is_gone(api: Api) -> None:
    task = asyncio.create_task(last_line(api))
    async with asyncio.timeout(30):
        while not api.floor.traces._readers:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.15)
        for _ in range(5000):  # in one go: more than the ring holds
            api.floor.ring.message("<-", message("OPTIONS", "x"), CARRIER)
        end = await task
    assert end["reason"].startswith("too slow") and end["missed"] == 5000 - len(api.floor.ring)
    assert api.floor.counters["trace_readers_too_slow"] == 1


async def test_who_does_not_read_is_cut_off(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cti.traces, "WRITE_S", 0.2)
    for _ in range(80):
        api.floor.ring.message("<-", b"x" * 10_000, CARRIER)
    port = int(api.base.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    ask = f"GET /v1/trace?follow=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.token('supervisor')}\r\n\r\n"
    writer.write(ask.encode())
    async with asyncio.timeout(30):
        while not api.floor.counters["trace_readers_too_slow"]:
            for _ in range(80):
                api.floor.ring.message("<-", b"x" * 10_000, CARRIER)
            await asyncio.sleep(0.05)
    writer.close()
    assert reader is not None and api.floor.traces._readers == 0


async def test_only_so_many_look(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cti.traces, "MAX_READERS", 0)
    status, problem, _ = await api.call("GET", "/v1/trace")
    assert status == 503 and problem["title"] == "Too many readers"


async def test_for_wireshark(api: Api) -> None:
    call(api)
    status, data, headers = await api.call("GET", "/v1/trace.pcapng?method=BYE")
    assert status == 200 and headers["Content-Type"] == "application/x-pcapng"
    assert data.startswith(head()) and data.count(b"sip:1000@x SIP/2.0") == 1
    status, data, _ = await api.call("GET", "/v1/calls/c1/trace.pcapng")
    assert status == 200 and data.count(b"sip:1000@x SIP/2.0") == 2


async def test_a_ladder(api: Api) -> None:
    call(api)
    status, ladder, _ = await api.call("GET", "/v1/calls/c1/ladder")
    assert status == 200 and [row["label"] for row in ladder["rows"]] == [
        "INVITE", "call to 1000: ivr welcome", "BYE", "call ended: callee hung up",
    ]  # fmt: skip
    status, picture, headers = await api.call("GET", "/v1/calls/c1/ladder.svg")
    assert status == 200 and headers["Content-Type"].startswith("image/svg+xml") and picture.startswith(b"<svg")


async def test_facts_of_a_call(api: Api, make_call: type[FakeCall]) -> None:
    api.floor.switch.live.append(make_call("c0"))
    call(api)
    assert (await api.call("GET", "/v1/calls/c0"))[1] | {"live": None} == {
        "id": "c0", "live": None, "record": None, "traced": False, "quality": [], "recordings": [],
    }  # fmt: skip
    assert (await api.call("GET", "/v1/calls/c1"))[1] == {
        "id": "c1", "live": None, "record": None, "traced": True, "quality": [], "recordings": [],
    }  # fmt: skip
    facts = (await api.call("GET", "/v1/calls/old-7"))[1]
    assert facts["record"]["cause"] == "caller hung up" and not facts["traced"]


@pytest.mark.parametrize("path", ["", "/ladder", "/ladder.svg", "/trace.pcapng"])
async def test_an_unknown_call(api: Api, path: str) -> None:
    status, problem, headers = await api.call("GET", f"/v1/calls/nothing{path}")
    assert status == problem["status"] == 404 and headers["Content-Type"].startswith("application/problem+json")


async def test_a_site_that_keeps_nothing(api: Api) -> None:
    api.floor.traces.ring = None
    for path in ("/v1/trace", "/v1/trace.pcapng", "/v1/calls/c1/ladder", "/v1/calls/c1/trace.pcapng"):
        assert (await api.call("GET", path))[0] == 404


async def test_answers_are_as_described(api: Api) -> None:
    import jsonschema

    call(api)
    served = (await api.call("GET", "/v1/openapi.json", None))[1]
    for template in ("/v1/calls/{id}", "/v1/calls/{id}/ladder"):
        _, answer, _ = await api.call("GET", template.replace("{id}", "c1"))
        schema = served["paths"][template]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema.Draft202012Validator({"components": served["components"], **schema}).validate(answer)


async def test_the_page_and_its_style(api: Api) -> None:
    for path, kind in (("/calls/anything", "text/html"), ("/ladder.css", "text/css"), ("/call.js", "text/javascript")):
        status, _, headers = await api.call("GET", path, None)
        assert status == 200 and headers["Content-Type"].startswith(kind) and "Content-Security-Policy" in headers
