from __future__ import annotations

import pytest
from pydantic import ValidationError

from config import references
from config.findings import Names
from config.recordings import Recordings
from config.schema import Site


def test_nothing_is_recorded_unless_told() -> None:
    site = Recordings()
    assert (site.folder, site.path, site.sound, site.format, site.key) == (None, "{date}/{call}", "stereo", "wav", None)


def test_a_key_is_64_digits() -> None:
    key = Recordings.model_validate({"folder": "/r", "key": "0aF1" * 16}).key
    assert key is not None and len(bytes.fromhex(key.get_secret_value())) == 32


@pytest.mark.parametrize("path", ["{call}", "calls/{date}/{time}-{queue}-{call}", "{from}_{to}/{agent}.{call}.x"])
def test_paths(path: str) -> None:
    assert Recordings(path=path).path == path


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": "{date}"}, {"path": "/{call}"}, {"path": "../{call}"}, {"path": "a//{call}"}, {"path": "{call}/"},
        {"path": ".{call}"}, {"path": "{call} x"}, {"path": "{caller}/{call}"}, {"path": "a/../{call}"},
        {"key": "00" * 32}, {"folder": "/r", "key": "00"}, {"folder": "/r", "key": "zz" * 32}, {"numbers": "112"},
        {"keep_days": 0}, {"sound": "mono"}, {"beep_every_s": -1},
    ],
)  # fmt: skip
def test_mistakes(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Recordings.model_validate(wrong)


def test_who_is_recorded_needs_a_folder() -> None:
    raw = {"site": "s", "listen": {"sip": ["udp:127.0.0.1:5060"]}, "queues": {"asia": {"record": True}}}
    found = list(references.check(Site.model_validate(raw), Names(raw, frozenset())))
    assert [(one.path, one.found) for one in found] == [(("queues", "asia", "record"), "no recordings.folder")]
    raw["recordings"] = {"folder": "/r"}
    assert list(references.check(Site.model_validate(raw), Names(raw, frozenset()))) == []
