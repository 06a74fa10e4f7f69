"""The `calls` section."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from config.calls import Calls


def test_defaults() -> None:
    calls = Calls()
    assert (calls.session_timer.expires_s, calls.session_timer.min_s) == (1800, 90)
    assert (calls.hold, calls.hold_music, calls.reliable_provisional) == ("music", None, "supported")


def test_session_timer_off() -> None:
    assert Calls.model_validate({"session_timer": {"expires_s": 0}}).session_timer.expires_s == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"session_timer": {"expires_s": 60}},
        {"session_timer": {"min_s": 89}},
        {"session_timer": {"expires_s": 300, "min_s": 600}},
        {"hold": "silence"},
        {"reliable_provisional": "yes"},
    ],
)
def test_mistakes(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Calls.model_validate(wrong)
