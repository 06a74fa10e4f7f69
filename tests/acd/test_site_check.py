"""Mistakes in `needs` are told like all others: file, line, column."""

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
  good: {needs: asia >= 4}
  unreadable: {needs: asia >=}
  nobody: {needs: asia >= 5}
"""


def test_requirements_are_checked_with_the_site(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(SITE)
    with pytest.raises(SiteError) as caught:
        load_site(file)
    unreadable, nobody = map(str, caught.value.problems)
    assert unreadable.startswith(f"{file}:7:23: queues.unreadable.needs: expected a requirement (column ")
    assert nobody.startswith(f"{file}:8:19: queues.nobody.needs: expected a requirement that at least one agent")


AGENTS = """\
site: x
listen: {sip: udp:127.0.0.1:5060}
acd: {not_ready_reasons: [lunch], interrupts: {call: [call]}}
agents:
  ann: {code: "1", queues: {sale: 1}}
  bob: {code: "1", login: always, channels: {call: 0}}
queues:
  sales: {disposition_needed: true}
dial_plan:
  - {match: "1", to: agent login 2}
  - {match: "2", to: agent not-ready lunsh}
  - {match: "3", to: agent ready, from: anyone}
  - {match: "4X", to: "agent login {number:1}"}
"""


def test_what_is_said_of_agents_work_makes_sense(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(AGENTS)
    with pytest.raises(SiteError) as caught:
        load_site(file)
    found = [str(problem).removeprefix(f"{file}:") for problem in caught.value.problems]
    assert found == [
        '3:54: acd.interrupts.call: expected other channels: how much call at once is the agents\' channels, '
        'found "call"',
        '5:29: agents.ann.queues.sale: expected an existing queue, found "sale" - did you mean sales?',
        '6:15: agents.bob.code: expected a code of his own, found "1" again - 1 is ann\'s',
        '6:27: agents.bob.login: expected an extension or a contact, to be at a phone, found "always"',
        "6:45: agents.bob.channels: expected at least one channel of 1 or more, as {call: 1}, found nothing",
        "8:31: queues.sales.disposition_needed: expected dispositions to choose, found true without dispositions",
        '10:22: dial_plan[0].to: expected the code of an agent, found "2"',
        '11:22: dial_plan[1].to: expected one of acd.not_ready_reasons: lunch, found "lunsh" - did you mean lunch?',
        '12:22: dial_plan[2].to: expected from: extensions, for phones of the house alone dial it, '
        'found "agent ready"',
    ]
