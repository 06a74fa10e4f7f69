"""The media worker's benchmark: its packets, its arithmetic, and one short run of each kind of work."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

from bench import sound_cost
from bench.checks import Checks
from bench.media_cost import compile_rtp_load
from bench.report import write_svg
from bench.rtpengine_cost import rtpengine
from bench.srtp import Srtp
from bench.streams import Streams, rtp
from bench.worker_cost import PLAIN, WORKS, Cost, Work, _Run, run, summary, worker

COST = Cost("G.711", 500, 0.5, 0.4, 0.6, 25.0, 0.0, 1.0, 0.0, 0.0, 0.0, 30.0)
SIZES = {"conferences of 3": 3, "conferences of 10": 10}


def test_streams_are_rtp_and_their_srtp_opens(tmp_path: Path) -> None:
    packets = rtp("PCMU", 0.2)
    assert [struct.unpack_from(">BBHI", one) for one in packets[:2]] == [(0x80, 0, 0, 0), (0x80, 0, 1, 160)]
    streams = Streams(tmp_path, 0.2)
    assert [streams.number(name) for name in ("SRTP", "OPUS", "SRTP")] == [1, 2, 1]
    data = streams.files[0].read_bytes()
    size = int.from_bytes(data[:2])
    assert Srtp(streams.keys.suite, streams.keys.receive).unprotect(data[2 : 2 + size]) == packets[0]


def test_medians_and_losses() -> None:
    runs = [
        _Run(percent, (1000, 1000, received, 0.9, 21.0, 0.5, 1.0, 1.5, 3.0))
        for percent, received in ((20, 1000), (30, 990), (25, 1000))
    ]
    cost = summary(PLAIN, 500, 3, runs)
    assert (cost.cpu_ms, cost.least_ms, cost.most_ms, cost.lost_percent) == (0.5, 0.4, 0.6, 0.0)
    assert (cost.p99_ms, cost.worst_party) == (1.5, 0.9)


def test_each_limit_is_judged(tmp_path: Path) -> None:
    others = [replace(COST, kind=work.name, count=count) for work in sound_cost.ALL[1:] for count in work.counts]
    good = sound_cost.SoundCosts(others, (5.0, 1.0))
    checks = Checks()
    sound_cost.judge(good, checks)
    assert checks.ok and len(checks.checks) == 7
    bad = [replace(one, cpu_ms=0.9 if one.kind == "G.711" else 2.0, lost_percent=1.0, p99_ms=3.0) for one in others]
    bad = [replace(one, cpu_percent=40.0) for one in bad]
    checks = Checks()
    sound_cost.judge(sound_cost.SoundCosts(bad, (12.0, 1.0)), checks)
    assert not any(check.ok for check in checks.checks)
    write_svg(tmp_path / "plot.svg", sound_cost.series(good))
    assert (tmp_path / "plot.svg").read_text().count("<polyline") == 3


async def test_every_work_for_a_moment(tmp_path: Path) -> None:
    """Nothing is lost; no core is claimed, and nothing is measured."""
    program, streams = compile_rtp_load(tmp_path), Streams(tmp_path, 2)
    async with worker(24, streams, tmp_path, None) as ours:
        for work in WORKS:
            count = SIZES.get(work.name, 2)
            once = await run(program, ours, work, count, 0.1, streams)
            parties, sent, received = once.figures[:3]
            assert parties >= count and received > 0.6 * (sent or 50 * 1.3 * parties), work.name
            assert (once.figures[7] > 0) == work.stamped


async def test_rtpengine_bears_the_same_load(tmp_path: Path) -> None:
    program, streams = compile_rtp_load(tmp_path), Streams(tmp_path, 2)
    with rtpengine(2, None) as theirs:
        once = await run(program, theirs, Work("", (), PLAIN.build), 2, 0.2, streams)
    assert once.figures[1] == once.figures[2] > 0
