"""What `query` and the key events of rtpengine 10.5 say."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.plane import MediaError, PortStats
from media.rtpengine.bencode import Value
from media.rtpengine.keys import read_key
from media.rtpengine.report import local_address, packets_heard, stats_of


def end(ssrc: int, packets: int, port: int) -> Value:
    rtp: Value = {
        "SSRC": ssrc, "local address": b"192.0.2.7", "local port": port,
        "stats": {"packets": packets, "bytes": packets * 172, "errors": 1},
    }  # fmt: skip
    rtcp: Value = {"local port": port + 1, "stats": {"packets": 4, "bytes": 400, "errors": 0}}
    return {"medias": [{"index": 1, "streams": [rtp, rtcp]}]}


def source(loss: int, jitter: int) -> Value:
    average: Value = {"MOS": 43, "round-trip time leg": 30_500, "jitter": jitter, "samples": 3}
    return {"cumulative loss": loss, "average MOS": average}


QUERY: dict[str, Value] = {
    "result": b"ok",
    "tags": {"a0": end(7, 1000, 30000), "a1": end(8, 900, 30008)},
    "SSRC": {"7": source(2, 5), "8": source(1, 9)},
}


def test_counters() -> None:
    stats = stats_of(QUERY, "a0", "a1", "PCMA")
    assert (stats.packets_received, stats.packets_sent, stats.packets_dropped) == (1000, 900, 1)
    assert (stats.packets_lost, stats.jitter_ms, stats.rtt_ms) == (2, 5.0, 30.5)
    assert (stats.peer_lost, stats.peer_jitter_ms, stats.peer_reports) == (1, 9.0, 3)
    assert stats.mos is not None and stats.peer_mos is not None and 4 < stats.mos < 4.5
    assert packets_heard(QUERY, "a0") == 1004
    assert local_address(QUERY, "a1") == ("192.0.2.7", 30008)


@pytest.mark.parametrize("reply", [{}, {"tags": 1}, {"tags": {"a0": {"medias": []}}}, {"tags": {"a0": b""}, "SSRC": 3}])
def test_what_is_not_said_is_zero(reply: dict[str, Value]) -> None:
    assert stats_of(reply, "a0", "a1", "PCMA") == PortStats()
    assert packets_heard(reply, "a0") == 0
    with pytest.raises(MediaError):
        local_address(reply, "a0")


KEY = {
    "callid": "plateau-1", "source_tag": "a0", "tags": ["a0", "b0"], "type": "DTMF", "timestamp": 1,
    "source_ip": "127.0.0.1", "event": 11, "duration": 100, "volume": 10,
}  # fmt: skip


def test_a_key() -> None:
    assert read_key(json.dumps(KEY).encode()) == ("plateau-1", "a0", "#", 100)


@pytest.mark.parametrize(
    "changes",
    [{"event": 16}, {"event": -1}, {"event": "1"}, {"duration": None}, {"duration": float("inf")}, {"callid": ...}],
)
def test_no_key(changes: dict[str, object]) -> None:
    event = {name: value for name, value in (KEY | changes).items() if value is not ...}
    with pytest.raises(ValueError):
        read_key(json.dumps(event).encode())


texts = st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps).map(str.encode)


@given(st.binary(max_size=100) | texts)
def test_anything_is_a_key_or_refused(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        read_key(data)
