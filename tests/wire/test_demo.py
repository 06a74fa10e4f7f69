"""`plateau demo` holds; and it can fail."""

from __future__ import annotations

import pytest

from bench import demo
from bench.plateau import SITES
from bench.softphones import Heard, PhoneCall
from tests.wire.conftest import OFFICE

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]
TRAVEL = SITES / "travel.yaml"


async def test_the_demo_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert await demo.run(TRAVEL) == 0, capsys.readouterr().out
    said = capsys.readouterr().out
    assert "failed" not in said and "all holds" in said


async def test_a_site_without_its_agents_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert await demo.run(OFFICE) == 1
    assert "is not the travel site" in capsys.readouterr().err


async def test_the_missing_extra_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.softphones.phone.importlib.util.find_spec", lambda name: None)
    assert await demo.run(TRAVEL) == 2
    said = capsys.readouterr().err
    assert "extra 'softphone'" in said


async def test_a_tone_that_does_not_come_fails_the_demo(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checks look at what is heard: with another tone than expected they must say so."""
    real = PhoneCall.hear

    async def deaf(self: PhoneCall, tone_hz: float | None, *rest: float) -> Heard:
        return await real(self, tone_hz + 90 if tone_hz else None, 0.5)

    monkeypatch.setattr(PhoneCall, "hear", deaf)
    status = await demo.run(TRAVEL)
    said = capsys.readouterr()
    assert status == 1, said
    assert "failed" in said.out
