from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pytest import MonkeyPatch

from cti import quality
from cti.quality import Quality
from pbx.call.events import CallAnswered, LegQuality

LEG = LegQuality(9.0, "c1", 1, "PCMA", 100, 90, 1, 2.0, 35.0, 4.25, 0, 0.0, None)


class Live:
    def __init__(self, *found: LegQuality) -> None:
        self.found = list(found)

    def ask_quality(self, told: Callable[[list[LegQuality]], None]) -> None:
        if self.found:
            told(self.found)
            told(self.found)  # too late: nobody waits any more


async def test_legs_of_a_live_call(monkeypatch: MonkeyPatch) -> None:
    live = {"c1": Live(LEG, replace(LEG, leg=2, mos=None)), "mute": Live()}
    asked = Quality(live.get)
    first, second = await asked.of("c1")
    assert "call_id" not in first and (first["leg"], first["mos"], first["rtt_ms"]) == (1, 4.25, 35.0)
    assert (second["leg"], second["mos"]) == (2, None)
    assert await asked.of("nobody") == []
    monkeypatch.setattr(quality, "_ANSWER_S", 0.01)
    assert await asked.of("mute") == []


def test_histograms() -> None:
    counted = Quality(lambda call_id: None)
    for event in (LEG, replace(LEG, mos=1.2, rtt_ms=None), replace(LEG, mos=None), CallAnswered(1.0, "c1")):
        counted.event(event)
    scores, trips = (histogram.family() for histogram in counted.histograms)
    of_score = {sample.labels.get("le", sample.name): sample.value for sample in scores.samples}
    assert (of_score["1.5"], of_score["4.2"], of_score["4.3"], of_score["+Inf"]) == (1, 1, 2, 2)
    assert of_score["plateau_leg_mos_sum"] == 1.2 + 4.25 and of_score["plateau_leg_mos_count"] == 2
    of_trip = {sample.labels.get("le", sample.name): sample.value for sample in trips.samples}
    assert of_trip["0.02"] == 0 and of_trip["0.05"] == of_trip["+Inf"] == 2
