from __future__ import annotations

from pbx.routing import failure_log
from pbx.routing.failure_log import LINES, MAX_SOURCES, FailureLog
from pbx.sip.hop import Hop


def test_the_first_few_then_a_count() -> None:
    lines: list[tuple[str, str, str, int | None]] = []
    log = FailureLog(lambda user, source, method, count: lines.append((user, str(source), method, count)))
    for i in range(100):
        log.note(f"u{i}", Hop("udp", "192.0.2.7", 5060), "REGISTER", 1000.0 + i * 0.1)
    log.note("102", Hop("udp", "192.0.2.8", 5060), "INVITE", 1020.0)
    assert len(lines) == LINES + 1
    assert lines[0] == ("u0", "udp:192.0.2.7:5060", "REGISTER", None)
    log.turn(1030.0)
    assert len(lines) == LINES + 1, "not yet"
    log.turn(1060.0)
    assert lines[LINES + 1 :] == [("u99", "udp:192.0.2.7:5060", "REGISTER", 100 - LINES)]
    log.turn(1200.0)
    assert len(lines) == LINES + 2
    log.note("u0", Hop("udp", "192.0.2.7", 5060), "REGISTER", 1201.0)
    assert len(lines) == LINES + 3


def test_many_sources_fill_neither_log_nor_memory() -> None:
    lines: list[int | None] = []
    log = FailureLog(lambda user, source, method, count: lines.append(count))
    for i in range(5 * MAX_SOURCES):
        log.note("101", Hop("udp", f"10.0.{i // 250}.{i % 250}", 5060), "REGISTER", 1000.0)
    assert len(lines) == MAX_SOURCES
    log.turn(1000.0 + failure_log.PERIOD_S)
    assert len(lines) == 2 * MAX_SOURCES
