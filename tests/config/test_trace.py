from __future__ import annotations

import pytest
from pydantic import ValidationError

from config.trace import Homer, Trace


def test_it_is_on_unless_told_otherwise() -> None:
    assert Trace().on and (Trace().minutes, Trace().megabytes) == (10, 32)
    assert not Trace(minutes=0).on and not Trace(megabytes=0).on


def test_homer_reads_the_ring() -> None:
    homer = Homer.model_validate({"address": "[2001:db8::1]:9060"})
    assert homer.address == ("2001:db8::1", 9060) and homer.capture_id == 2001 and homer.password is None
    assert Trace(homer=homer).homer is homer
    with pytest.raises(ValidationError, match="above 0"):
        Trace(minutes=0, homer=homer)


@pytest.mark.parametrize("wrong", [{"minutes": -1}, {"megabytes": 5000}, {"minute": 1}, {"homer": {}}])
def test_mistakes(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Trace.model_validate(wrong)
