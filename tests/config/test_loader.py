from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from config import values
from config.errors import SiteError
from config.loader import load
from config.schema import Destination, Enqueue, SipListener, Site

LoadSite = Callable[..., Site]
Problems = Callable[..., list[str]]

MINIMAL = "site: test\nlisten: {sip: udp:127.0.0.1:5060}\n"
SITES = Path(__file__).parents[2] / "config" / "sites"


@pytest.mark.parametrize("name", ["travel", "bench"])
def test_the_example_sites_load(name: str) -> None:
    load(SITES / f"{name}.yaml", {})


def test_the_bench_site_is_what_the_load_tools_expect() -> None:
    bench = load(SITES / "bench.yaml", {})
    assert SipListener("udp", "127.0.0.1", 5066) in bench.listen.sip
    assert {f"reg{n:04}" for n in range(1, 1001)} == set(bench.extensions)
    assert {e.password.get_secret_value() for e in bench.extensions.values()} == {"secret"}
    assert [a.contact for a in bench.agents.values()] == [f"sip:agent{n}@127.0.0.1:5090" for n in range(1, 201)]
    rules = {rule.match: rule.to for rule in bench.dial_plan}
    assert set(rules) == {"1000", "1001", "1002", "2XXX", "3000", "3001"}
    queues = [bench.queues[rules[match].name] for match in ("3000", "3001")]
    assert [(q.answer, q.wrap_up_s) for q in queues] == [("on entry", 0), ("on agent", 0)]


# --- text as written ------------------------------------------------------------------------------------------------


def test_numbers_as_names_stay_text(site: LoadSite) -> None:
    loaded = site("extensions:\n  101: {password: 0123}\n  '0102': {password: on}\n  1_0: {password: 1.50}\n")
    assert {n: e.password.get_secret_value() for n, e in loaded.extensions.items()} == {
        "101": "0123", "0102": "on", "1_0": "1.50",
    }  # fmt: skip


def test_quotes_do_not_matter_where_text_or_a_number_is_meant(site: LoadSite) -> None:
    loaded = site(
        'numbers: {"1": hang up, 2: hang up}\nextensions: {101: {password: x, max_contacts: "3"}}\n'
        "agents: {ann: {extension: 101, name: 007}, ben: {contact: 'sip:b@h', name: '8'}}\n"
    )
    assert [*loaded.numbers] == ["1", "2"]
    assert loaded.extensions["101"].max_contacts == 3
    assert [a.name for a in loaded.agents.values()] == ["007", "8"]


def test_attribute_values_are_numbers_without_quotes_and_text_with(site: LoadSite) -> None:
    loaded = site("queues: {q: {}}\nivr: {f: {s: {enqueue: q, set: {a: 5, b: '5', c: 0.5, d: 05, e: yes, f: -3}}}}\n")
    state = loaded.ivr["f"]["s"]
    assert isinstance(state, Enqueue)
    assert state.set == {"a": 5, "b": "5", "c": 0.5, "d": "05", "e": "yes", "f": -3}


@pytest.mark.parametrize("yes", ["true", "yes", "on", "True"])
def test_yes_in_any_spelling(site: LoadSite, yes: str) -> None:
    assert site(f"ivr: {{f: {{s: {{echo: {yes}}}}}}}\n").ivr["f"]["s"]


def test_a_list_of_one_needs_no_brackets(site: LoadSite) -> None:
    loaded = site("trunks: {t: {from: 192.0.2.0/24}}\nmedia: {codecs: PCMU}\n")
    assert loaded.media.codecs == ("PCMU",)
    assert str(loaded.trunks["t"].sources[0]) == "192.0.2.0/24"


def test_a_section_with_all_lines_commented_out_is_absent(site: LoadSite) -> None:
    assert site("trunks:\n  # carrier: ...\nnumbers:\n").trunks == {}


def test_what_is_written_may_differ_in_blanks(site: LoadSite) -> None:
    assert site("queues: {q: {emergency: refuse  486 }}\n").queues["q"].emergency == Destination("refuse", "486")


def test_the_prompt_folder_is_beside_the_site_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there" / "p").mkdir(parents=True)
    (tmp_path / "there" / "site.yaml").write_text(MINIMAL + "media: {prompts: ./p}\n")
    monkeypatch.chdir(tmp_path)
    assert load(os.path.join("there", "site.yaml"), {}).media.prompts == str(tmp_path / "there" / "p")


# --- ranges, anchors ------------------------------------------------------------------------------------------------


def test_a_range_stands_for_its_entries(site: LoadSite) -> None:
    loaded = site("extensions: {reg008..reg011: {password: 'p{n}', name: 'phone {name}'}, 98..101: {password: x}}\n")
    assert [*loaded.extensions] == ["reg008", "reg009", "reg010", "reg011", "98", "99", "100", "101"]
    assert loaded.extensions["reg009"].name == "phone reg009"
    assert loaded.extensions["reg009"].password.get_secret_value() == "p9"


def test_a_mistake_in_a_range_is_said_once(problems: Problems) -> None:
    assert problems("extensions:\n  r1..r500:\n    password: x\n    max_contacts: none\n") == [
        'site.yaml:6:19: extensions.r1..r500.max_contacts: expected a whole number from 1 to 50, found "none"'
    ]


@pytest.mark.parametrize("key", ["a1..b5", "5..1", "..5", "1..", "1..999999", "1..99999999999999999999"])
def test_ranges_that_are_none(problems: Problems, key: str) -> None:
    assert problems(f"extensions:\n  {key}: {{password: x}}\n") == [
        f"site.yaml:4:3: extensions.{key}: expected a range as 101..199 or reg001..reg100, of at most 100,000, "
        f'found "{key}"'
    ]


def test_a_name_within_a_range_is_a_duplicate(problems: Problems) -> None:
    assert problems("extensions:\n  100..110: {password: x}\n  105: {password: y}\n") == [
        "site.yaml:5:3: extensions.105: expected each name once, found 105 again - first in line 4"
    ]


def test_anchors_merge_and_the_nearer_wins(site: LoadSite) -> None:
    loaded = site("queues:\n  a: &a {ring_s: 5, priority: 1}\n  b: {<<: *a, ring_s: 9}\n  c: {<<: [*a]}\n  d: *a\n")
    assert [(q.ring_s, q.priority) for q in loaded.queues.values()] == [(5, 1), (9, 1), (5, 1), (5, 1)]


def test_a_mistake_in_what_is_merged_stands_where_it_was_written(problems: Problems) -> None:
    assert problems("queues:\n  a: &a {ring_s: soon}\n  b: {<<: *a}\n") == [
        'site.yaml:4:18: queues.a.ring_s: expected a number of seconds, such as 15, found "soon"'
    ]


def test_aliases_cannot_blow_up(problems: Problems, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "MAX_VALUES", 10_000)
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    assert "expected at most 10,000 values" in problems(whole=bomb)[0]
    merges = "a0: &a0 {k: x}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 40))
    assert "expected at most 10,000 values" in problems(whole=merges)[0]


# --- problems -------------------------------------------------------------------------------------------------------

SECTIONS = """\
queues:
  asia:
    ring_s: soon
    rings_s: 5
    value_weight: .inf
extensions:
  101: {pasword: x}
  102: {password: ""}
agents:
  ann: {extension: 101, skills: {asia: 11}}
  ben: {}
trunks: {t: {max_calls: 3}}
hours: {h: {open: {mon-sut: 09:00-21:00, tue: [8-9, 21:00-09:00]}, closed: [24.12.2026]}}
dial_plan:
  - {match: "0.1", to: nowhere}
ivr: {f: {s: {sya: hello}, t: hello, u: {menu: x, keys: {12: s}}}}
locale: Paris
"""


def test_every_mistake_is_said_at_once_in_words(problems: Problems) -> None:
    assert [p.removeprefix("site.yaml:") for p in problems(SECTIONS)] == [
        '5:13: queues.asia.ring_s: expected a number of seconds, such as 15, found "soon"',
        '6:5: queues.asia.rings_s: expected another key, found "rings_s" - did you mean ring_s?',
        '7:19: queues.asia.value_weight: expected a number of at least 0, found ".inf"',
        "9:3: extensions.101: expected the key password, found none",
        "9:9: extensions.101.pasword: expected a key of: password, name, caller_id, max_contacts, qualify_s, "
        "max_calls, tolls, do_not_disturb, forward, redirects, codecs, srtp, dtmf, silent_after_s, on_silence, record, "
        'reliable_provisional, pickup_groups, picks_up, found "pasword" - did you mean password?',
        "10:19: extensions.102.password: expected a password, best as !secret NAME, found no text",
        "12:40: agents.ann.skills.asia: expected a whole number from 1 to 10, found 11",
        "13:3: agents.ben: expected either extension or contact, or a code to log in with, found a mapping",
        "14:10: trunks.t: expected at least one of: from, gateway, gateways, register, registers_as, tls_name, "
        "found max_calls",
        '15:20: hours.h.open.mon-sut: expected days as mon-sat or mon,wed, found "mon-sut"',
        '15:48: hours.h.open.tue[0]: expected hours as 09:00-21:00, found "8-9"',
        "15:53: hours.h.open.tue[1]: expected a closing time after the opening time; split hours that cross midnight "
        'in two, found "21:00-09:00"',
        '15:77: hours.h.closed[0]: expected a date as 2026-12-24, found "24.12.2026"',
        "17:13: dial_plan[0].match: expected a dial pattern: digits, X (0-9), Z (1-9), N (2-9), [1-5], and at the end "
        '. (one or more) or ! (any), found "0.1"',
        "17:24: dial_plan[0].to: expected one of: extension NAME, queue NAME, ivr NAME, group NAME, trunk NAME, "
        "number NUMBER, park LOT, park LOT SLOT, pickup EXTENSION, pickup group, set dnd on|off, set record on|off, "
        "set forward-WHEN NUMBER|off, conference NAME, conference new, add NUMBER, "
        'supervise monitor|whisper|barge AGENT, agent login, agent login CODE, agent logout, agent ready, '
        'agent not-ready REASON, refuse STATUS, hang up, sip:USER@HOST, found "nowhere"',
        "18:11: ivr.f.s: expected exactly one verb of: say, menu, gather, hours, enqueue, connect, wait_s, echo, "
        "record, callback, hang_up, found sya - did you mean say?",
        "18:31: ivr.f.t: expected a state, that is a verb and its keys; verbs: say, menu, gather, hours, enqueue, "
        'connect, wait_s, echo, record, callback, hang_up, found "hello"',
        '18:58: ivr.f.u.keys.12: expected one key of a telephone: 0-9, *, #, A-D, found "12"',
        "19:9: locale: expected keys and values, as country: ..., found text",
    ]


def test_mistakes_of_kind_and_of_reference_come_together(problems: Problems) -> None:
    found = problems("numbers: {100: queue asai, 101: ivr x}\nqueues: {asia: {ring_s: soon}}\n")
    assert found == [
        'site.yaml:3:16: numbers.100: expected an existing queue (asia), found "asai" - did you mean asia?',
        'site.yaml:3:33: numbers.101: expected an existing ivr, found "x" - the section ivr is empty',
        'site.yaml:4:25: queues.asia.ring_s: expected a number of seconds, such as 15, found "soon"',
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "site.yaml:1:1: expected the sections of a site, as site: NAME, found an empty file"),
        ("- a\n", "site.yaml:1:1: expected the sections of a site, as site: NAME, found a list"),
        ("site: x\n", "site.yaml:1:1: expected the key listen, found none"),
        ("site:\nlisten: {sip: udp:h:1}\n", "site.yaml:1:1: site: expected text, found nothing"),
        (b"site: caf\xe9\n", "site.yaml:1:10: expected text in UTF-8, found the byte 0xE9"),
        (MINIMAL + "site: y\n", "site.yaml:3:1: site: expected each name once, found site again - first in line 1"),
        (MINIMAL + "? [a]\n: b\n", "site.yaml:3:3: expected a name before the colon, found a list"),
        (MINIMAL + "'': b\n", 'site.yaml:3:1: expected a name before the colon, found ""'),
        (
            MINIMAL + "locale: {country: !include x}\n",
            "site.yaml:3:19: locale.country: expected a plain value or !secret NAME, found the tag !include - "
            "quotes make it text: '!include'",
        ),
        (MINIMAL + "numbers: [a]\n", "site.yaml:3:1: numbers: expected keys and values, as NAME: ..., found a list"),
        (MINIMAL + "agents: {a: {code: 47a}}\n", 'site.yaml:3:20: agents.a.code: expected 1 to 16 digits, found "47a"'),
        (MINIMAL + "dial_plan: {}\n", "site.yaml:3:1: dial_plan: expected a list, found a mapping"),
        (
            "site: x\nlisten: {sip: []}\n",
            "site.yaml:2:10: listen.sip: expected at least one entry, found none",
        ),
    ],
)
def test_single_mistakes(problems: Problems, text: str | bytes, problem: str) -> None:
    assert problem in problems(whole=text)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match=r"no\.yaml: expected a readable site file, found No such file or directory"):
        load(tmp_path / "no.yaml")


def test_a_section_with_a_wrong_name_is_said_once(problems: Problems) -> None:
    [problem] = problems("queue: {asia: {}}\nnumbers: {100: queue asia}\n")
    assert "did you mean queues?" in problem


def test_the_error_prints_as_its_problems(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("site: x\nlisten: {sip: udp:1, http: 1}\n")
    with pytest.raises(SiteError) as error:
        load(tmp_path / "s.yaml")
    assert str(error.value).splitlines() == [str(p) for p in error.value.problems]
    first = error.value.problems[0]
    assert (first.line, first.column, first.path, first.found) == (2, 15, "listen.sip[0]", '"udp:1"') or first.line == 2


@pytest.mark.parametrize(
    ("to", "meant"), [("a", "queue a"), ("101", "extension 101"), ("hangup", "hang up"), ("voicemail", None)]
)
def test_a_destination_without_the_word_that_says_what_it_is(problems: Problems, to: str, meant: str | None) -> None:
    [problem] = problems(f"extensions: {{101: {{password: x}}}}\nqueues: {{a: {{emergency: {to}}}}}\n")
    assert problem.startswith("site.yaml:4:25: queues.a.emergency: expected one of: extension NAME, ")
    assert problem.partition(" - ")[2] == ("" if meant is None else f"did you mean {meant}?")
