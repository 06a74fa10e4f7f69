"""The `media` section: the processes that make the sound, and what a silent phone is."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from config.media import Media


def test_defaults() -> None:
    media = Media()
    assert (media.workers, media.cpus, media.grace_s) == (1, (), 30)
    assert (media.silent_after_s, media.on_silence) == (300, "end")


def test_what_a_site_may_say() -> None:
    media = Media.model_validate({
        "workers": 2, "cpus": [2, 3], "grace_s": 0, "silent_after_s": None, "on_silence": "tell",
        "ports": "20000-20003",
    })  # fmt: skip
    assert (media.workers, media.cpus, media.silent_after_s) == (2, (2, 3), None)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"workers": 0}, "greater than or equal to 1"),
        ({"workers": 3, "ports": "20000-20003"}, "3 workers share 2 pairs of ports"),
        ({"cpus": [-1]}, "greater than or equal to 0"),
        ({"grace_s": -1}, "greater than or equal to 0"),
        ({"silent_after_s": 0.5}, "greater than or equal to 1"),
        ({"on_silence": "shout"}, "'end' or 'tell'"),
    ],
)
def test_mistakes(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Media.model_validate(wrong)
