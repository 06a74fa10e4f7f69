"""What a call, a queued call or a registration costs the server: CPU time of its processes over a run of sipp."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from bench.processes import cpu_s, rss_bytes
from bench.sipp import Sipp

HERE = Path(__file__).resolve().parent
_SETTLE_S = 1.0


@dataclass(frozen=True, slots=True)
class SipWork:
    """A kind of work that sipp asks for."""

    name: str
    unit: str
    scenario: str | Path
    service: str
    users: tuple[str, str] | None = None  # first and last user NAME0001..NAME1000, and their password
    count: int = 0  # of users


@dataclass(frozen=True, slots=True)
class SipStep:
    """One rate, held for some seconds."""

    work: str
    offered: float  # per second
    achieved: float  # successes per second, start and end of sipp included
    successful: int
    failed: int
    retransmissions: int
    cpu_ms: float  # per success, the server's processes
    cpu_percent: float  # of one core
    generator_percent: float  # sipp's own, of one core: near 100 it is sipp that is measured
    response_ms: float  # mean, INVITE to 200 or REGISTER to 200
    rss_mb: float  # the server's, afterwards

    @property
    def held(self) -> bool:
        """At most one failure in a thousand, nothing sent twice."""
        return self.failed <= self.successful / 1000 and self.retransmissions == 0 and self.successful > 0


CALLS = SipWork("bridged call", "call", "uac", "2001")
QUEUED = SipWork("queued call", "call", "uac", "3001")
REGISTRATIONS = SipWork("registration", "registration", HERE / "register.xml", "", ("reg", "secret"), 1000)


def users_file(work: SipWork, folder: Path) -> Path | None:
    """sipp's -inf file: one line a user."""
    if work.users is None:
        return None
    prefix, password = work.users
    names = [f"{prefix}{number:04d}" for number in range(1, work.count + 1)]
    lines = [f"{name};[authentication username={name} password={password}]" for name in names]
    path = folder / f"{work.name}.csv"
    path.write_text("\n".join(["SEQUENTIAL", *lines]) + "\n")
    return path


async def measure(
    work: SipWork, pid: int, target: str, rate: float, seconds: float, folder: Path, core: int | None, port: int = 0
) -> SipStep:
    """Offer `rate` a second for `seconds`, from `port` (0: any), and read what it cost."""
    users = users_file(work, folder)
    sipp = Sipp(
        work.scenario, target, service=work.service or "nobody", calls=round(rate * seconds), rate=rate, core=core,
        port=port, within_s=seconds * 3 + 40, extra=("-inf", str(users)) if users else (),
    )  # fmt: skip
    cpu, started = cpu_s(pid), time.monotonic()
    await sipp.start()
    result = await sipp.wait()
    spent, elapsed = cpu_s(pid) - cpu, time.monotonic() - started
    await asyncio.sleep(_SETTLE_S)
    return SipStep(
        work=work.name,
        offered=rate,
        achieved=round(result.successful / elapsed, 1),
        successful=result.successful,
        failed=result.failed,
        retransmissions=result.retransmissions,
        cpu_ms=round(1000 * spent / max(result.successful, 1), 3),
        cpu_percent=round(100 * spent / elapsed, 1),
        generator_percent=round(100 * result.cpu_s / elapsed, 1),
        response_ms=round(result.response_ms, 2),
        rss_mb=round(rss_bytes(pid) / 1e6, 1),
    )
