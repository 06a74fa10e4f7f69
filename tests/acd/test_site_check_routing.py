"""Mistakes in how agents are chosen are told like all others: file, line, column."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import SiteError
from pbx.site import load_site

SITE = """\
site: x
listen: {sip: udp:127.0.0.1:5060}
agents:
  ann: {contact: sip:ann@127.0.0.1, skills: {asia: 4}}
queues:
  good: {assign: together}
  better: {assign: together, strategy: most skilled}
  progressive: {strategy: ring progressively, ring_another_s: 3}
  all: {assign: together, strategy: ring all}
  first: {assign: together, strategy: top down}
  another: {ring_another_s: 3}
"""


def test_settings_that_exclude_each_other(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(SITE)
    with pytest.raises(SiteError) as caught:
        load_site(file)
    assert [str(problem).removeprefix(f"{file}:") for problem in caught.value.problems] == [
        '9:17: queues.all.assign: expected at once, found "together" - with ring all the first answer decides',
        '10:39: queues.first.strategy: expected most skilled, or none, with assign: together, found "top down" - '
        "pairs are made for the best levels in sum",
        "11:13: queues.another.ring_another_s: expected strategy: ring progressively, which obeys it, found a time",
    ]
