"""What rtpengine's `query` tells of a port, as PortStats."""

from __future__ import annotations

from media.plane import MediaError, PortStats
from media.quality import score
from media.rtpengine.bencode import Value
from media.rtpengine.ng import Reply


def stats_of(reply: Reply, tag: str, partner: str, codec: str) -> PortStats:
    """rtpengine counts what arrives; loss, jitter and round trips it knows from the peers' RTCP alone. So `lost` and
    `jitter_ms` are those of the port's peer as the far end heard it, the `peer_` ones those of the far end as the peer
    heard it, and what was sent is what came from `partner`: prompts are not counted."""
    here, there = _stream(reply, tag), _stream(reply, partner)
    heard, reported = _of_source(reply, here), _of_source(reply, there)
    average, theirs = _table(heard.get("average MOS")), _table(reported.get("average MOS"))
    rtt_us = _number(theirs.get("round-trip time leg")) or _number(theirs.get("round-trip time"))
    rtt_ms = rtt_us / 1000 if rtt_us else None
    received, sent = (_number(_table(one.get("stats")).get("packets")) for one in (here, there))
    lost, peer_lost = (_number(one.get("cumulative loss")) for one in (heard, reported))
    jitter_ms, peer_jitter_ms = (float(_number(one.get("jitter"))) for one in (average, theirs))
    peer_reports = _number(theirs.get("samples"))
    return PortStats(
        packets_received=received,
        packets_sent=sent,
        packets_lost=lost,
        packets_dropped=_number(_table(here.get("stats")).get("errors")),
        jitter_ms=jitter_ms,
        rtt_ms=rtt_ms,
        peer_lost=peer_lost,
        peer_jitter_ms=peer_jitter_ms,
        peer_reports=peer_reports,
        mos=score(codec, received=received, lost=lost, jitter_ms=jitter_ms, round_trip_ms=rtt_ms),
        peer_mos=score(codec, received=sent, lost=peer_lost, jitter_ms=peer_jitter_ms, round_trip_ms=rtt_ms)
        if peer_reports else None,
    )  # fmt: skip


def packets_heard(reply: Reply, tag: str) -> int:
    """RTP and RTCP of the peer so far."""
    return sum(_number(_table(one.get("stats")).get("packets")) for one in _streams(reply, tag))


def local_address(reply: Reply, tag: str) -> tuple[str, int]:
    """Where an end's RTP is received, on the daemon's machine. Raises MediaError."""
    stream = _stream(reply, tag)
    host, port = stream.get("local address"), _number(stream.get("local port"))
    if not isinstance(host, bytes) or not port:
        raise MediaError(f"rtpengine does not tell the port of {tag}")
    return host.decode("ascii", "replace"), port


def _streams(reply: Reply, tag: str) -> list[dict[str, Value]]:
    medias = _table(_table(reply.get("tags")).get(tag)).get("medias")
    streams = _table(medias[0]).get("streams") if isinstance(medias, list) and medias else None
    return [_table(one) for one in streams] if isinstance(streams, list) else []


def _stream(reply: Reply, tag: str) -> dict[str, Value]:
    streams = _streams(reply, tag)
    return streams[0] if streams else {}


def _of_source(reply: Reply, stream: dict[str, Value]) -> dict[str, Value]:
    return _table(_table(reply.get("SSRC")).get(str(_number(stream.get("SSRC")))))


def _table(value: Value | None) -> dict[str, Value]:
    return value if isinstance(value, dict) else {}


def _number(value: Value | None) -> int:
    return value if isinstance(value, int) else 0
