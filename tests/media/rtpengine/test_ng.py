"""The client in virtual time: loss, late and doubled answers, rubbish, a daemon that is gone."""

from __future__ import annotations

from collections import Counter

import pytest

from media.rtpengine import ng
from media.rtpengine.bencode import decode, encode
from media.rtpengine.ng import NgClient, NgError, NgTimeout, Reply, UnknownCall
from tests.virtual_clock import VirtualClock


class Wire:
    """What was sent, and the answers of a daemon that the test plays."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.counters: Counter[str] = Counter()
        self.sent: list[bytes] = []
        self.told: list[Reply | NgError] = []
        self.client = NgClient(self.sent.append, self.clock.after, "x", self.counters)

    def ask(self, command: str = "ping") -> None:
        self.client.request(command, self.told.append)

    def answer(self, request: bytes, **values: str) -> None:
        self.client.received(request.split(b" ")[0] + b" " + encode({"result": "ok", **values}))


@pytest.fixture
def wire() -> Wire:
    return Wire()


def test_a_request_and_its_reply(wire: Wire) -> None:
    wire.client.request("play media", wire.told.append, call_id="c", repeat_times=2)
    cookie, _, body = wire.sent[0].partition(b" ")
    assert cookie == b"x_1"
    assert decode(body) == {"command": b"play media", "call-id": b"c", "repeat-times": 2}
    wire.answer(wire.sent[0], duration="1")
    assert wire.told == [{"result": b"ok", "duration": b"1"}]
    assert (len(wire.client), wire.clock.pending()) == (0, 0)


def test_a_lost_request_is_repeated_with_its_cookie(wire: Wire) -> None:
    wire.ask()
    wire.clock.run(0.8)
    assert len(wire.sent) == 3 and len(set(wire.sent)) == 1
    wire.answer(wire.sent[0])
    wire.clock.run(10)
    assert (len(wire.sent), len(wire.told)) == (3, 1)
    assert wire.counters["media_rtpengine_retries"] == 2


def test_a_reply_counts_once(wire: Wire) -> None:
    wire.ask()
    wire.answer(wire.sent[0])
    wire.answer(wire.sent[0])
    assert len(wire.told) == 1
    assert wire.counters["media_rtpengine_unexpected"] == 1


def test_a_daemon_that_is_gone(wire: Wire) -> None:
    wire.ask()
    wire.clock.run(10)
    assert len(wire.sent) == 1 + len(ng.RETRIES_S)
    assert [type(one) for one in wire.told] == [NgTimeout]
    wire.answer(wire.sent[0])  # after all
    assert len(wire.told) == 1
    assert wire.counters == {
        "media_rtpengine_retries": 3, "media_rtpengine_timeouts": 1, "media_rtpengine_unexpected": 1
    }  # fmt: skip


def test_replies_out_of_order(wire: Wire) -> None:
    wire.ask()
    wire.ask()
    wire.answer(wire.sent[1], sdp="b")
    wire.answer(wire.sent[0], sdp="a")
    assert [one["sdp"] for one in wire.told if isinstance(one, dict)] == [b"b", b"a"]


@pytest.mark.parametrize("body", [b"", b"x", b"i1e", b"d6:result"])
def test_rubbish_is_no_answer(wire: Wire, body: bytes) -> None:
    wire.ask()
    wire.client.received(b"x_1 " + body)
    assert (wire.told, wire.counters["media_rtpengine_unreadable"]) == ([], 1)
    wire.clock.run(0.3)
    wire.answer(wire.sent[1])
    assert len(wire.told) == 1


def test_refusals(wire: Wire) -> None:
    wire.ask()
    wire.client.received(b"x_1 " + encode({"result": "error", "error-reason": "Ran out of ports"}))
    wire.ask()
    wire.client.received(b"x_2 " + encode({"result": "error", "error-reason": "Unknown call-id"}))
    wire.ask()
    wire.client.received(b"x_3 " + encode({"result": "load limit", "message": "too busy"}))
    assert [(type(one), str(one)) for one in wire.told] == [
        (NgError, "Ran out of ports"), (UnknownCall, "Unknown call-id"), (NgError, "too busy")
    ]  # fmt: skip


def test_bounds(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ng, "PENDING_MOST", 2)
    for _ in range(3):
        wire.ask()
    assert [type(one) for one in wire.told] == [NgTimeout]
    assert wire.counters["media_rtpengine_overflow"] == 1
    wire.client.request("play media", wire.told.append, blob=b"x" * 70_000)
    assert type(wire.told[-1]) is NgError
    wire.client.abandon()
    assert (len(wire.told), len(wire.client), wire.clock.pending()) == (4, 0, 0)
