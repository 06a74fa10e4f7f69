from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ivr.events import IvrNoInput

if TYPE_CHECKING:
    from tests.cti.conftest import Api, FakeCall


async def test_counters_and_gauges(api: Api, make_call: type[FakeCall]) -> None:
    api.floor.counters["sip_malformed"] = 7
    api.floor.counters["odd name-é"] = 1
    api.floor.switch.live.append(make_call())
    api.floor.ivr_statistics.event(IvrNoInput(api.floor.clock.now(), "c1", "welcome", "where"))
    status, text, headers = await api.call("GET", "/metrics", None)
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }
    assert samples["plateau_sip_malformed_total",] == 7 and samples["plateau_odd_name___total",] == 1
    assert samples["plateau_calls",] == 1 and samples["plateau_media_ports_free",] == 7
    assert samples["plateau_waiting", "asia"] == 1 and samples["plateau_longest_wait_seconds", "asia"] == 12.5
    assert samples["plateau_agents", "LOGGED_OUT"] == 1 and samples["plateau_agents", "READY"] == 0
    assert samples["plateau_queue_calls_today_total", "answered", "asia"] == 31
    assert samples["plateau_queue_service_level", "asia"] == 0.75
    assert samples["plateau_queue_handle_time_seconds", "asia"] == 100
    assert ("plateau_queue_abandon_share", "asia") not in samples  # nothing to take a share of
    assert samples["plateau_ivr_state_today_total", "welcome/where", "no_input"] == 1
    assert samples["plateau_event_clients",] == 0 and samples["plateau_web_sessions",] == 0


async def test_who_waits_is_told_by_channel(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    (asia,) = api.floor.desk.queues()
    others = [
        {"call_id": "callback-1", "channel": "callback", "waited_s": 900.0, "state": "QUEUED"},
        {"call_id": "call-9", "channel": "call", "waited_s": 100.0, "state": "KEPT"},  # hung up, may call again
    ]
    monkeypatch.setattr(api.floor.desk, "queues", lambda: [asia | {"waiting": [*asia["waiting"], *others]}])
    _, text, _ = await api.call("GET", "/metrics", None)
    assert b'plateau_waiting{queue="asia"} 1.0' in text
    assert b'plateau_longest_wait_seconds{queue="asia"} 12.5' in text
    assert b'plateau_waiting_others{channel="callback",queue="asia"} 1.0' in text
