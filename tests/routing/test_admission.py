from __future__ import annotations

from collections import Counter

import pytest

from config.schema import Site
from pbx.routing.admission import ADMIT, RETRY_AFTER_S, RETRY_SPREAD_S, Admission, Refuse

NOW = 1_800_000_000.0


def site(max_calls: int | None = 2) -> Site:
    return Site.model_validate({
        "site": "test",
        "listen": {"sip": ["udp:127.0.0.1:5060"]},
        "trunks": {"carrier": {"from": "192.0.2.1", "gateway": "sip:192.0.2.1", "max_calls": max_calls}},
    })


@pytest.fixture
def counters() -> Counter[str]:
    return Counter()


def test_trunk_limit_counts_both_directions(counters: Counter[str]) -> None:
    admission = Admission(site(), counters)
    assert admission.admit("carrier", None, NOW) == ADMIT
    assert admission.seize("carrier") == ADMIT
    refused = Refuse(503, "trunk carrier is full", None)  # without Retry-After: a place may be free in a second
    assert admission.admit("carrier", None, NOW) == refused
    assert admission.seize("carrier") == refused
    assert admission.admit(None, None, NOW) == ADMIT
    assert admission.admit("other", None, NOW) == ADMIT
    assert (admission.calls, admission.trunk_calls("carrier")) == (3, 2)
    admission.free("carrier")
    assert admission.admit("carrier", None, NOW) == ADMIT
    assert counters["admission_trunk_full"] == 2


def test_everything_is_given_back(counters: Counter[str]) -> None:
    admission = Admission(site(), counters)
    for trunk in ("carrier", "carrier", None, "other"):
        assert admission.admit(trunk, None, NOW) == ADMIT
    for trunk in ("carrier", "carrier", None, "other"):
        admission.leave()
        if trunk is not None:
            admission.free(trunk)
    assert admission.calls == 0
    assert not admission._trunks


def test_max_calls(counters: Counter[str]) -> None:
    admission = Admission(site(), counters, max_calls=1)
    assert admission.admit(None, None, NOW) == ADMIT
    verdict = admission.admit("carrier", None, NOW)
    assert isinstance(verdict, Refuse)
    assert (verdict.status, verdict.reason) == (503, "too many calls")
    assert counters["admission_full"] == 1
    assert admission.trunk_calls("carrier") == 0  # a refused call takes nothing
    admission.leave()
    assert admission.admit("carrier", None, NOW) == ADMIT


def test_draining_refuses_new_calls_but_not_legs_of_live_ones(counters: Counter[str]) -> None:
    admission = Admission(site(), counters)
    assert admission.admit(None, None, NOW) == ADMIT
    admission.drain()
    assert admission.draining
    assert admission.seize("carrier") == ADMIT
    verdicts = [admission.admit("carrier", None, NOW) for _ in range(300)]
    waits = Counter(v.retry_after_s for v in verdicts if isinstance(v, Refuse) and v.status == 503)
    assert sum(waits.values()) == counters["admission_draining"] == 300
    # RFC 3261 21.5.4; spread so that they do not return together
    assert set(waits) == set(range(RETRY_AFTER_S, RETRY_AFTER_S + RETRY_SPREAD_S))
    assert max(waits.values()) <= 12


def test_reload_changes_limits_not_counts(counters: Counter[str]) -> None:
    admission = Admission(site(2), counters)
    admission.admit("carrier", None, NOW)
    admission.admit("carrier", None, NOW)
    admission.reconfigure(site(1))
    admission.leave()
    admission.free("carrier")
    assert isinstance(admission.admit("carrier", None, NOW), Refuse)
    admission.reconfigure(site(None))
    assert admission.admit("carrier", None, NOW) == ADMIT


def test_trunks_and_extensions_have_rates(counters: Counter[str]) -> None:
    read = Site.model_validate({
        "site": "test",
        "listen": {"sip": ["udp:127.0.0.1:5060"]},
        "trunks": {"carrier": {"from": "192.0.2.1", "calls_per_s": 3}, "other": {"from": "192.0.2.2"}},
        "security": {"per_extension": {"calls_per_s": 0.5, "burst": 2}},
    })
    admission = Admission(read, counters)
    verdicts = [admission.admit("carrier", None, NOW) for _ in range(4)]
    assert verdicts == [ADMIT] * 3 + [Refuse(503, "trunk carrier calls too often", None)]
    assert all(admission.admit("other", None, NOW) is ADMIT for _ in range(100))
    verdicts = [admission.admit(None, "101", NOW) for _ in range(3)]
    assert verdicts == [ADMIT] * 2 + [Refuse(503, "extension 101 calls too often", 5)]
    assert verdicts[2].headers == "Retry-After: 5\r\n"  # type: ignore[union-attr]
    assert admission.admit(None, "102", NOW) is ADMIT
    assert admission.admit(None, "101", NOW + 2) is ADMIT
    assert counters == {"admission_trunk_rate": 1, "admission_extension_rate": 1}
