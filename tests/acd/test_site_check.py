"""Mistakes in `needs` and in who serves are told like all others: file, line, column."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import SiteError
from pbx.site import load_site

SITE = """\
site: x
listen: {sip: udp:127.0.0.1:5060}
agents:
  ann: {contact: "sip:ann@127.0.0.1", skills: {asia: 4, french: 9}}
  bob: {contact: "sip:bob@127.0.0.1", skills: {asia: 2}, queues: {anyone: 1}}
queues:
  anyone: {}
"""


@pytest.mark.parametrize(
    ("queue", "told"),
    [
        ("q: {needs: asia >=}", "8:14: queues.q.needs: expected a requirement (column 8: expected a skill"),
        ("q: {needs: asia >= 5}", "8:14: queues.q.needs: expected a requirement that at least one agent of"),
        ("q: {needs: asai >= 4}",
         '8:14: queues.q.needs: expected a skill that some agent has (asia, french), found "asai" - did you mean'),
        ("q: {relax: [{after_s: 9, needs: asia and}]}", "8:35: queues.q.relax[0].needs: expected a requirement ("),
        ("q: {needs: asia, relax: [{after_s: 9, needs: french >= 10}]}",
         "8:48: queues.q.relax[0].needs: expected a requirement that at least one agent of the queue fulfils"),
        ("q: {needs: asia, relax: [{after_s: 9, needs: frnch}]}",
         '8:48: queues.q.relax[0].needs: expected a skill that some agent has (asia, french), found "frnch" - '),
        ("q: {needs: asia >= 2, relax: [{after_s: 9, needs: asia >= 3}]}",
         "8:53: queues.q.relax[0].needs: expected a step that lets another agent take the call than those before it"),
        ("q: {relax: [{after_s: 9, needs: asia}]}", "8:35: queues.q.relax[0].needs: expected a step that lets another"),
        ("q: {needs: 'asia > 9', agents: ann, relax: [{after_s: 9, needs: asia}, {after_s: 9, needs: asia}]}", None),
        ("q: {agents: bob}", "8:7: queues.q.agents: expected a queue that at least one agent serves, found nobody"),
        ("q: {borrow: {when: waiting > 5, agents_of: anyone, needs: french >= 10}}",
         "8:61: queues.q.borrow.needs: expected a requirement that at least one agent of these queues fulfils"),
    ],
)  # fmt: skip
def test_one_mistake(tmp_path: Path, queue: str, told: str | None) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(SITE + "  " + queue + "\n")
    with pytest.raises(SiteError) as caught:
        load_site(file)
    found = [str(problem).removeprefix(f"{file}:") for problem in caught.value.problems]
    if told is None:
        assert [one.split(": expected")[0] for one in found] == [
            "8:14: queues.q.needs", "8:84: queues.q.relax[1].after_s", "8:94: queues.q.relax[1].needs",
        ]  # fmt: skip
        return
    assert found[0].startswith(told), found
    assert len(found) <= 2  # an unknown skill is one that nobody has, too


def test_a_queue_whose_agents_take_no_calls(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(SITE.replace("queues: {anyone: 1}", "channels: {chat: 2}") + "  q: {agents: bob}\n")
    with pytest.raises(SiteError) as caught:
        load_site(file)
    assert [str(problem).removeprefix(f"{file}:") for problem in caught.value.problems] == [
        "8:3: queues.q: expected a queue that at least one agent serves who takes calls, found nobody who takes calls "
        "- as `channels: {call: 1}`, which every agent has who names no channels",
    ]


SKILLS = """\
site: x
listen: {sip: udp:127.0.0.1:5060}
agents: {a: {contact: "sip:a@h", skills: {asia: 5, far-east: 3, french: 4, far east: 1}}}
"""


@pytest.mark.parametrize(
    "needs",
    [
        "asia >= 5 and (french or not far-east >= 7)",
        "skill(call.destination) >= 5 or call.basket >= 2000",
        "skill('far east') and call.language = \"english\"",
    ],
)
def test_skills_that_agents_have(tmp_path: Path, needs: str) -> None:
    file = tmp_path / "site.yaml"
    quoted = needs.replace("'", "''")
    file.write_text(SKILLS + f"queues: {{q: {{needs: '{quoted}'}}}}\n")
    assert load_site(file)


def _told(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "site.yaml"
    file.write_text(text)
    with pytest.raises(SiteError) as caught:
        load_site(file)
    return [str(problem).removeprefix(f"{file}:") for problem in caught.value.problems]


def test_skills_that_no_agent_has(tmp_path: Path) -> None:
    """In the order of the file; that nobody fulfils what asks for them goes without saying."""
    assert _told(tmp_path, SKILLS + "queues: {q: {needs: asai >= 5 and english, agents: [b]}}\n") == [
        '4:21: queues.q.needs: expected a skill that some agent has (asia, far east, far-east, french), '
        'found "asai" - did you mean asia?',
        '4:21: queues.q.needs: expected a skill that some agent has (asia, far east, far-east, french), '
        'found "english"',
        '4:53: queues.q.agents[0]: expected an existing agent (a), found "b"',
    ]


@pytest.mark.parametrize(
    ("queue", "told"),
    [
        ("{needs: asia >= 5 and asia < 3}", '5:14: queues.q.needs: expected a requirement that can hold, found "asia'),
        ("{needs: asia >= 12}", '5:14: queues.q.needs: expected a requirement that can hold, found "asia >= 12" - '
                                "levels are from 0 to 10"),
        ("{needs: call.basket > 9 and not call.basket > 5}", "5:14: queues.q.needs: expected a requirement that can "),
        ("{needs: french or not french}", "5:14: queues.q.needs: expected a requirement that does not always hold, or"),
        ("{needs: asia, relax: [{after_s: 9, needs: asia > 2 and asia <= 2}]}",
         "5:48: queues.q.relax[0].needs: expected a requirement that can hold"),
    ],
)  # fmt: skip
def test_what_holds_never_or_always(tmp_path: Path, queue: str, told: str) -> None:
    """It is told once: that nobody fulfils what can't be fulfilled goes without saying."""
    [problem] = _told(tmp_path, SKILLS + f"queues:\n  q: {queue}\n")
    assert problem.startswith(told)


def test_of_skills_nobody_knows_nothing_is_told(tmp_path: Path) -> None:
    """An agent whose entry is wrong may be the one."""
    [problem] = _told(tmp_path, SKILLS.replace("asia: 5", "asia: 50") + "queues: {q: {needs: asia >= 5 and thai}}\n")
    assert problem.startswith("3:49: agents.a.skills.asia: expected a whole number from 1 to 10, found 50")


def test_a_mistake_in_an_entry_hides_no_other_in_it(tmp_path: Path) -> None:
    text = "queues: {q: {ring_s: 15s, needs: asai, overflow: queue z, max_wait_s: 3m, agents: [b]}}\n"
    assert [one.split(": expected")[0] for one in _told(tmp_path, SKILLS + text)] == [
        "4:22: queues.q.ring_s", "4:34: queues.q.needs", "4:50: queues.q.overflow", "4:71: queues.q.max_wait_s",
        "4:84: queues.q.agents[0]",
    ]  # fmt: skip


def test_a_queue_that_nobody_serves_by_the_agents_own_lists(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(SITE.replace("french: 9}}", "french: 9}, queues: {anyone: 1}}") + "  q: {}\n")
    with pytest.raises(SiteError) as caught:
        load_site(file)
    assert [str(problem) for problem in caught.value.problems] == [
        f"{file}:8:3: queues.q: expected a queue that at least one agent serves, found nobody who does"
    ]


def test_steps_that_widen(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    steps = "{after_s: 9, needs: asia >= 4}, {after_s: 20, needs: call.vip or french}, {after_s: 30, needs: asia}"
    file.write_text(SITE.replace(", queues: {anyone: 1}", "") + f"  q: {{needs: french and asia, relax: [{steps}]}}\n")
    with pytest.raises(SiteError) as caught:
        load_site(file)
    [problem] = caught.value.problems
    assert str(problem).startswith(f"{file}:8:59: queues.q.relax[0].needs: expected a step that lets another agent")


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
        "8:3: queues.sales: expected a queue that at least one agent serves who takes calls, "
        "found nobody who takes calls - as `channels: {call: 1}`, which every agent has who names no channels",
        "8:31: queues.sales.disposition_needed: expected dispositions to choose, found true without dispositions",
        '10:22: dial_plan[0].to: expected the code of an agent, found "2"',
        '11:22: dial_plan[1].to: expected one of acd.not_ready_reasons: lunch, found "lunsh" - did you mean lunch?',
        '12:22: dial_plan[2].to: expected from: extensions, for phones of the house alone dial it, '
        'found "agent ready"',
    ]
