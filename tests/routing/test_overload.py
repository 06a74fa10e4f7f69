from __future__ import annotations

import heapq
import random
from collections import Counter, deque
from collections.abc import Iterator
from typing import ClassVar

import pytest

from pbx.routing.overload import END_S, PERIOD_S, Kind, Overload
from pbx.sip.via import Via

NOW = 1_800_000_000.0
TARGET_S = 0.1
T1 = 0.5  # RFC 3261 17.1.1.2: what is not answered by then comes again


class Server:
    """A queue in virtual time: requests of three kinds come at random, each served or refused in its turn, and served
    calls bring requests in dialogs, which are always served. Costs as measured: a call 0.8 ms, two thirds of it at
    once, an INVITE that is refused unread 0.03 ms with its ACK."""

    SERVED_S: ClassVar = {Kind.CALL: 0.55e-3, Kind.OTHER: 0.1e-3, Kind.REFRESH: 0.15e-3}
    LATER_S = 0.25e-3  # ACK, BYE
    REFUSED_S: ClassVar = {Kind.CALL: 0.03e-3, Kind.OTHER: 0.05e-3, Kind.REFRESH: 0.05e-3}
    CAPACITY = 1 / 0.8e-3  # calls a second

    def __init__(self, seed: int = 1) -> None:
        self.counters: Counter[str] = Counter()
        self.overload = Overload(TARGET_S, self.counters)
        self.changes: list[bool] = []
        self.overload.on_change = lambda overloaded, delay_s: self.changes.append(overloaded)
        self.random = random.Random(seed)
        self.now = NOW
        self.queue: deque[tuple[float, Kind | None]] = deque()
        self.later: list[float] = []  # when requests in dialogs come
        self.due = NOW + PERIOD_S  # the next measurement
        self.delays: list[float] = []

    def run(self, for_s: float, calls_per_s: float, others_per_s: float = 0.0, refreshes_per_s: float = 0.0) -> float:
        """Serve for a while; returns the calls a second that were served before the caller would repeat himself."""
        end, good = self.now + for_s, 0
        self.served: Counter[Kind] = Counter()
        self.refused: Counter[Kind] = Counter()
        rates = {Kind.CALL: calls_per_s, Kind.OTHER: others_per_s, Kind.REFRESH: refreshes_per_s}
        arrivals = heapq.merge(*[self._arrivals(kind, rate, end) for kind, rate in rates.items() if rate])
        following = next(arrivals, None)
        while self.now < end:
            while following is not None and following[0] <= self.now:
                self.queue.append(following)
                following = next(arrivals, None)
            while self.later and self.later[0] <= self.now:
                self.queue.append((heapq.heappop(self.later), None))
            if self.now >= self.due:
                self.due = self.now + PERIOD_S
                delay_s = self.now - self.queue[0][0] if self.queue else 0.0
                self.delays.append(delay_s)
                self.overload.measure(delay_s, self.now)
            if not self.queue:
                coming = [self.due, *self.later[:1], *([following[0]] if following else [])]
                self.now = max(self.now, min(coming))
                continue
            came, kind = self.queue.popleft()
            if kind is None:
                self.now += self.LATER_S
            elif self.overload.severity and self._sheds(kind):
                self.now += self.REFUSED_S[kind]
                self.refused[kind] += 1
            else:
                self.now += self.SERVED_S[kind]
                self.served[kind] += 1
                if kind is Kind.CALL:
                    good += self.now - came < T1
                    heapq.heappush(self.later, self.now + self.random.uniform(0, 2))
        return good / for_s

    def _sheds(self, kind: Kind) -> bool:
        """A call is asked for before it is read, and again when it is."""
        self.overload.reading()
        return (kind is Kind.CALL and self.overload.sheds_unread()) or self.overload.sheds(kind)

    def _arrivals(self, kind: Kind, per_s: float, end: float) -> Iterator[tuple[float, Kind | None]]:
        at = self.now
        while (at := at + self.random.expovariate(per_s)) < end:
            yield at, kind


@pytest.mark.parametrize("times", [1.5, 3, 8])
@pytest.mark.parametrize("seed", [1, 2])
def test_goodput_holds_under_overload(times: float, seed: int) -> None:
    """Offered three times what it can do, it does nine tenths of it; at eight times three quarters."""
    server = Server(seed)
    server.run(4.0, times * server.CAPACITY)
    server.delays.clear()
    goodput = server.run(10.0, times * server.CAPACITY)
    share = goodput / server.CAPACITY
    assert share > {1.5: 0.9, 3: 0.88, 8: 0.7}[times]
    delays = sorted(server.delays)
    assert delays[len(delays) * 95 // 100] < 3 * TARGET_S, "requests are answered before they are repeated"
    assert server.changes == [True], "it is one overload, not many"


def test_without_control_it_would_collapse() -> None:
    server = Server()
    server.due = float("inf")  # never measured
    server.run(4.0, 3 * server.CAPACITY)
    assert server.run(4.0, 3 * server.CAPACITY) < 0.05 * server.CAPACITY


def test_below_capacity_nothing_is_shed() -> None:
    server = Server()
    assert server.run(10.0, 0.8 * server.CAPACITY) == pytest.approx(0.8 * server.CAPACITY, rel=0.05)
    assert not server.changes and not server.refused


def test_it_ends_when_the_load_does() -> None:
    server = Server()
    server.run(5.0, 3 * server.CAPACITY)
    server.run(5.0, 0.3 * server.CAPACITY)
    assert server.changes == [True, False]
    assert server.overload.severity == 0
    server.run(2.0, 0.3 * server.CAPACITY)
    assert not server.refused


@pytest.mark.parametrize(
    ("delays", "begins"),
    [
        ([0.4, 0.01, 0.4], False),
        ([1.2, 0.4, 0.3, 0.2, 0.1], False),  # the machine stood still; what piled up is soon served
        ([0.2] * 6, False),
        ([0.2] * 7, True),
        ([0.2] * 6 + [0.1] + [0.2] * 6, False),
        ([0.6, 0.6], True),  # callers repeat what they sent
        ([0.4, 0.6, 0.6], True),
        ([0.6, 0.1, 0.6], False),
    ],
)
def test_a_stall_is_no_overload(delays: list[float], begins: bool) -> None:
    overload = Overload(TARGET_S, Counter())
    for number, delay_s in enumerate(delays):
        assert not overload.active
        overload.measure(delay_s, NOW + number * PERIOD_S)
    assert overload.active is begins and (overload.severity > 0) is begins


def test_refreshes_are_shed_last() -> None:
    """Calls at twice the capacity cost no registration; a flood of registrations costs the calls first."""
    server = Server()
    server.run(3.0, 2 * server.CAPACITY, 200, 200)
    server.run(5.0, 2 * server.CAPACITY, 200, 200)
    assert server.refused[Kind.CALL] and not server.refused[Kind.OTHER] and not server.refused[Kind.REFRESH]
    server.run(3.0, 300, 12_000, 200)
    server.run(5.0, 300, 12_000, 200)
    assert server.refused[Kind.OTHER] and not server.refused[Kind.REFRESH]
    assert server.served[Kind.CALL] < 0.05 * server.refused[Kind.CALL]
    assert 1 < server.overload.severity < 2


def test_a_stall_is_over_soon_after_it_is_over() -> None:
    """The machine stands still for a second under load: what piled up is refused, then calls are served again."""
    server = Server()
    server.run(3.0, 1.5 * server.CAPACITY)
    for _ in range(10):
        server.now += 0.1  # nothing is served, measurements go on
        server.overload.measure(server.now - (server.queue[0][0] if server.queue else server.now - 0.5), server.now)
    assert server.overload.severity <= 1.0, "there is nothing but calls to shed"
    server.run(1.5, 1.5 * server.CAPACITY)
    assert server.run(1.0, 1.5 * server.CAPACITY) > 0.9 * server.CAPACITY


@pytest.mark.parametrize(
    ("severity", "shed"),
    [(0.0, (0, 0, 0)), (0.25, (25, 0, 0)), (1.0, (100, 0, 0)), (1.5, (100, 50, 0)), (2.75, (100, 100, 75)),
     (3.0, (100, 100, 100))],
)  # fmt: skip
def test_one_number_orders_what_is_shed(severity: float, shed: tuple[int, int, int]) -> None:
    overload = Overload(TARGET_S, Counter())
    overload.severity = severity
    assert tuple(sum(overload.sheds(kind) for _ in range(100)) for kind in Kind) == shed


def test_who_was_let_in_unread_is_not_asked_for_again() -> None:
    overload = Overload(TARGET_S, Counter())
    overload.severity = 0.5
    let_in = [not overload.sheds_unread() and not overload.sheds(Kind.CALL) for _ in range(100)]
    assert sum(let_in) == 50
    overload.severity = 1.0
    overload.reading()  # the one before was never asked for when it was read: it could not be
    assert overload.sheds(Kind.CALL)


def test_a_third_is_every_third() -> None:
    overload = Overload(TARGET_S, Counter())
    overload.severity = 1 / 3 + 1e-9
    pattern = [overload.sheds(Kind.CALL) for _ in range(9)]
    assert pattern == [False, False, True] * 3


def test_the_refused_do_not_return_together() -> None:
    overload = Overload(TARGET_S, Counter())
    seconds = Counter(overload.retry_after_s() for _ in range(1000))
    assert len(seconds) == 10 and max(seconds.values()) < 150


def test_counters_and_hysteresis() -> None:
    counters: Counter[str] = Counter()
    overload = Overload(TARGET_S, counters)
    changes: list[tuple[bool, float]] = []
    overload.on_change = lambda overloaded, delay_s: changes.append((overloaded, delay_s))
    now = NOW
    for delay_s in [*[0.2] * 7, *[0.06] * 400, *[0.0] * 45]:
        now += PERIOD_S
        overload.measure(delay_s, now)
    assert changes == [(True, 0.2), (False, 0.0)], "a delay between half the target and the target keeps it on"
    assert counters["overloads"] == 1
    overload.severity = 1.0
    overload.sheds(Kind.CALL)
    assert counters["overload_shed_call"] == 1
    assert END_S < 45 * PERIOD_S


# --- RFC 7339 ---------------------------------------------------------------------------------------------------------

OFFER = 'SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK1;rport=5060;oc;oc-algo="loss,rate";received=192.0.2.10'


def test_feedback_is_what_we_shed() -> None:
    overload = Overload(TARGET_S, Counter())
    overload.measure(0.6, NOW)
    overload.measure(0.6, NOW + 0.05)
    overload.severity = 0.204
    text = overload.feedback(OFFER)
    assert text.endswith(f';oc=20;oc-algo="loss";oc-validity=500;oc-seq={NOW + 0.05:.5f}')
    via = Via.parse(text)
    assert (via.branch, via.received, via.rport) == ("z9hG4bK1", "192.0.2.10", 5060)
    overload.severity = 2.0
    assert ";oc=100;" in overload.feedback(OFFER)


def test_feedback_while_all_is_well() -> None:
    overload = Overload(TARGET_S, Counter())
    overload.measure(0.0, NOW)
    assert overload.feedback(OFFER).endswith(f';oc=0;oc-algo="loss";oc-validity=0;oc-seq={NOW:.5f}')


@pytest.mark.parametrize(
    "via",
    [
        "SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1",
        "SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1;oc",
        'SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1;oc;oc-algo="rate"',
        'SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1;ocx;oc-algo="loss"',
        "nonsense;oc",
    ],
)
def test_no_feedback_to_whom_did_not_offer(via: str) -> None:
    assert Overload(TARGET_S, Counter()).feedback(via) == via
