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


LATE = """\
site: x
listen: {sip: udp:127.0.0.1:5060}
acd: {not_answered: {rest_s: 100, rest_at_most_s: 10}}
agents:
  ann: {contact: sip:ann@127.0.0.1}
queues:
  one: {strategy: ring progressively, ring_s: 5, ring_another_s: 10}
  two: {announce: {position: true, first_after_s: 500}, max_wait_s: 100}
  three: {callback: {offer_after_s: 200}, max_wait_s: 100}
  four: {callback: {retry_after_s: 90000}}
  five: {callback: {retry_after_s: 90000, retries: 0}, max_wait_s: 60, announce: {position: true}}
  six: {callback: {}, max_wait_s: 20}
"""


def test_times_that_never_come(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(LATE)
    with pytest.raises(SiteError) as caught:
        load_site(file)
    said = [str(problem).removeprefix(f"{file}:") for problem in caught.value.problems]
    assert [line.removesuffix(" - else it never comes") for line in said] == [
        "3:30: acd.not_answered.rest_s: expected rest_s at most rest_at_most_s (10 s), found 100 s",
        "7:66: queues.one.ring_another_s: expected ring_another_s less than ring_s (5 s), found 10 s",
        "8:51: queues.two.announce.first_after_s: expected first_after_s less than max_wait_s (100 s), found 500 s",
        "9:37: queues.three.callback.offer_after_s: expected offer_after_s less than max_wait_s (100 s), found 200 s",
        "10:36: queues.four.callback.retry_after_s: expected retry_after_s less than keep_s (86400 s), found 90000 s",
        "12:19: queues.six.callback: expected offer_after_s less than max_wait_s (20 s), found 30 s",
    ]
