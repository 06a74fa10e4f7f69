"""`python -m bench.srtp_cost [CALLS]`: what SRTP adds to an anchored G.711 call, on both legs.

One media worker relays CALLS bridged calls; a second one is their parties: each of its ports sends silence to a port of
the first, under the same keys. CPU time is the first worker's, kernel included.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys

from rich.console import Console

from bench.processes import cpu_s
from config.schema import PortRange
from media.plane import MediaPort, PortStats, RemoteMedia
from media.security import SUITES, SecurityPolicy, SrtpKeys
from media.worker_plane import WorkerPlane

CALLS, SECONDS, ROUNDS = 200, 6, 3
LIMIT_PERCENT = 60.0  # of AES-GCM
PORTS, PARTIES = PortRange(44_100, 46_499), PortRange(46_500, 48_899)
PLAIN = "plain"
FORMS = (PLAIN, "AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80")
POLICY = SecurityPolicy(tuple(SUITES), ("ECDHE+AESGCM",), 15)


def join(relay: WorkerPlane, party: WorkerPlane, suite: str) -> tuple[MediaPort, MediaPort]:
    """A port of each, that talk to each other."""
    here, there = relay.lease(), party.lease()
    one = two = None
    if suite != PLAIN:
        first, second = (os.urandom(sum(SUITES[suite])) for _ in range(2))
        one, two = SrtpKeys(suite, first, second), SrtpKeys(suite, second, first)
    relay.connect(here, RemoteMedia("127.0.0.1", there.number, "PCMU", 0, security=one))
    party.connect(there, RemoteMedia("127.0.0.1", here.number, "PCMU", 0, security=two))
    party.silence(there)
    return here, there


async def cost_ms(calls: int, suite: str) -> tuple[float, float]:
    """CPU ms of the relay for each call-second, and the share of packets that came."""
    relay = WorkerPlane("127.0.0.1", None, PORTS, security=POLICY)
    party = WorkerPlane("127.0.0.1", None, PARTIES, security=POLICY)
    await relay.start()
    await party.start()
    try:
        pairs = [join(relay, party, suite) for _ in range(2 * calls)]
        for (a, _), (b, _) in zip(pairs[::2], pairs[1::2], strict=True):
            relay.bridge(a, b)
        pid = relay.worker_pid
        assert pid is not None
        await asyncio.sleep(1)
        before = cpu_s(pid)
        await asyncio.sleep(SECONDS)
        spent = cpu_s(pid) - before
        counted: list[PortStats] = []
        for _, there in pairs:
            party.release(there, counted.append)
        while len(counted) < len(pairs):  # noqa: ASYNC110 - they come in one message or two
            await asyncio.sleep(0.05)
        came = sum(one.packets_received for one in counted) / sum(one.packets_sent for one in counted)
        return 1000 * spent / (calls * SECONDS), came
    finally:
        await relay.close()
        await party.close()


async def main(calls: int) -> int:
    console = Console()
    cost: dict[str, list[float]] = {suite: [] for suite in FORMS}
    for _ in range(ROUNDS):
        for suite in FORMS:  # in turns, so that whatever else runs meanwhile weighs on all
            ms, came = await cost_ms(calls, suite)
            cost[suite].append(ms)
            console.print(f"{suite:24} {ms:.3f} ms a call-second, {100 * came:.2f} % came")
    plain = statistics.median(cost[PLAIN])
    added = {suite: 100 * (statistics.median(cost[suite]) / plain - 1) for suite in FORMS}
    for suite in FORMS:
        console.print(f"{suite:24} {statistics.median(cost[suite]):.3f} ms, +{added[suite]:.0f} %")
    return int(max(added["AEAD_AES_128_GCM"], added["AEAD_AES_256_GCM"]) > LIMIT_PERCENT)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else CALLS)))
