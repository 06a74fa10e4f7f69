from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from config.schema import Site

LoadSite = Callable[..., Site]
Problems = Callable[..., list[str]]

PARTS = """\
extensions: {101: {password: x}, 102: {password: x}}
hours: {sales: {open: {mon: 9:00-10:00}}}
queues: {asia: {}}
trunks: {carrier: {gateway: sip:h}, in: {from: 192.0.2.1}}
"""
"""Lines 3 to 6 of a site."""


def wrong_references() -> list[tuple[str, str]]:
    lines = Path(__file__).with_name("wrong_references.txt").read_text("utf-8").splitlines()
    told = [line for line in lines if line and not line.startswith("#")]
    return list(zip(told[::2], told[1::2], strict=True))


@pytest.mark.parametrize(("text", "problem"), wrong_references())
def test_one_wrong_reference(problems: Problems, text: str, problem: str) -> None:
    assert [p.removeprefix("site.yaml:") for p in problems(PARTS + text)] == [problem]


@pytest.mark.parametrize(
    "text",
    [
        "numbers: {0180000001: queue asia, 100: extension 101, 101: hang up, 102: refuse 486, 103: 'sip:1@192.0.2.1'}",
        "dial_plan: [{match: 1XX, to: 'extension {number}'}, {match: '0.', to: trunk carrier, dial: '+33{number:1}'}]",
        "dial_plan: [{match: 1, to: queue asia, from: trunk in}, {match: 1, to: queue asia, from: trunks}]",
        "dial_plan: [{match: 1XX, to: queue asia}, {match: X., to: queue asia}]",
        "ivr: {f: {a: {hours: sales, open: b, closed: a2}, b: {wait_s: 1, then: a}, a2: {echo: true}}}",
        "records: {url: 'postgresql://u:p@h:5432/d'}",
        "agents: {a: {extension: 101}, b: {extension: 102}, c: {contact: 'sip:x@h'}, d: {contact: 'sip:x@h'}}",
    ],
)
def test_right_references(site: LoadSite, text: str) -> None:
    assert site(PARTS + text)


LISTEN = "site: x\nlisten: "


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{sip: [udp:127.0.0.1:5060, udp:127.0.0.1:5060]}", "2:36: listen.sip[1]: expected each address and port once"),
        ("{sip: [udp:127.0.0.1:5060, udp:0.0.0.0:5060]}", "2:36: listen.sip[1]: expected each address and port once"),
        ("{sip: tcp:127.0.0.1:80, http: 127.0.0.1:80}", "2:39: listen.http: expected each address and port once"),
        ("{sip: udp:127.0.0.1:5, advertise: 1.2.3}", "2:43: listen.advertise: expected an IP address or a host name"),
        ("{sip: [tcp:0.0.0.0:5060, ws:127.0.0.1:5060]}", "2:34: listen.sip[1]: expected each address and port once"),
        ('{sip: ["tcp:[::]:5060", "tcp:[::1]:5060"]}', "2:33: listen.sip[1]: expected each address and port once"),
        ("{sip: udp:127.0.0.1:5, advertise: [1.2.3.4, 1.2.3.5]}", "2:53: listen.advertise[1]: expected at most one"),
        ("{sip: tls:127.0.0.1:5061}", "2:15: listen.sip: expected listen.tls.certificate, which tls needs"),
        ("{sip: [udp:0.0.0.0:5, wss:0.0.0.0:6], tls: {}}", "2:31: listen.sip[1]: expected listen.tls.certificate"),
        ("{sip: udp:0.0.0.0:5, tls: {key: k}}", "2:30: listen.tls: expected certificate beside key"),
        ("{sip: udp:0.0.0.0:5, tls: {client_certificates: often}}", "2:57: listen.tls.client_certificates: expected"),
        ("{sip: ws:0.0.0.0:5, origins: shop.example}", "2:38: listen.origins: expected the origin of web pages"),
        ("{sip: quic:127.0.0.1:5060}", "2:15: listen.sip: expected udp:ADDRESS:PORT, tcp:ADDRESS:PORT, tls:..."),
        ("{sip: udp:127.0.0.1:99999}", "2:15: listen.sip: expected udp:ADDRESS:PORT, tcp:ADDRESS:PORT, tls:..."),
    ],
)
def test_listeners(problems: Problems, text: str, told: str) -> None:
    [problem] = problems(whole=LISTEN + text + "\n")
    assert problem.startswith("site.yaml:" + told)


def test_listeners_that_do_not_hinder_each_other(site: LoadSite, tmp_path: Path) -> None:
    """Families, and UDP beside what runs over TCP; paths of certificates are relative to the site file."""
    sockets = '["udp:[::]:5060", udp:0.0.0.0:5060, tcp:0.0.0.0:5060, "tls:[::]:5060", wss:0.0.0.0:8443]'
    tls = "{certificate: c.pem, key: /k.pem, ca: ca/ca.pem, names: {x.example: {certificate: x.pem}}}"
    more = "advertise: [sip.example.com, 203.0.113.7, '2001:db8::7'], local_networks: 10.0.0.0/8"
    listen = site(whole=f"site: test\nlisten: {{sip: {sockets}, tls: {tls}, {more}}}\n").listen
    assert [one.transport for one in listen.sip] == ["udp", "udp", "tcp", "tls", "wss"]
    assert listen.sip[0].host == "::" and len(listen.advertise) == 3
    assert listen.tls is not None
    paths = (listen.tls.certificate, listen.tls.key, listen.tls.ca, listen.tls.names["x.example"].certificate)
    assert paths == (str(tmp_path / "c.pem"), "/k.pem", str(tmp_path / "ca" / "ca.pem"), str(tmp_path / "x.pem"))


def test_prompts_are_files(site: LoadSite, problems: Problems, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "welcome.wav").touch()
    (tmp_path / "p" / "music.wav").touch()
    text = "media: {prompts: p}\nqueues: {q: {music: MUSIC}}\nivr: {f: {a: {say: [welcome, WELCOME]}}}\n"
    assert site(text.replace("MUSIC", "music").replace("WELCOME", "welcome"))
    told = [p.replace(str(tmp_path) + "/", "") for p in problems(text.replace("WELCOME", "welcom"))]
    assert told == [
        'site.yaml:4:21: queues.q.music: expected a prompt, that is a file MUSIC.wav in p, found "MUSIC"',
        "site.yaml:5:30: ivr.f.a.say[1]: expected a prompt, that is a file welcom.wav in p, "
        'found "welcom" - did you mean welcome?',
    ]


def test_trunks_that_cannot_be_told_apart(problems: Problems) -> None:
    text = (
        "extensions: {101: {password: x}}\n"
        "trunks:\n  a: {from: 192.0.2.0/24, registers_as: {username: u, password: p}}\n"
        "  b: {from: [192.0.2.1, 192.0.2.0/24], registers_as: {username: u, password: p}}\n"
        "  c: {registers_as: {username: 101, password: p}}\n"
    )
    assert [p.removeprefix("site.yaml:") for p in problems(text)] == [
        "6:25: trunks.b.from[1]: expected each address in one trunk, found 192.0.2.0/24 - taken by the trunk a",
        '6:65: trunks.b.registers_as.username: expected a user name of its own, found "u" - taken by the trunk a',
        '7:32: trunks.c.registers_as.username: expected a user name of its own, found "101" - taken by an extension',
    ]


def test_a_queue_does_not_overflow_into_itself(problems: Problems) -> None:
    [problem] = problems("queues: {q: {max_wait_s: 9, overflow: queue q}}\n")
    assert "expected another destination than the queue itself" in problem


def test_a_calendar_needs_a_country_with_holidays(problems: Problems) -> None:
    [problem] = problems("hours: {h: {open: {}, holidays: QQ}}\n")
    assert problem == 'site.yaml:3:33: hours.h.holidays: expected a country whose holidays are known, as FR, found "QQ"'


@pytest.mark.parametrize(
    "text",
    [
        "queues: {q: {ring_s: x}}\nnumbers: {1: queue q}\n",  # the entry exists though it is wrong
        "extensions: {1-5..x: {password: x}}\nagents: {a: {extension: 101}}\n",  # nobody knows what the range meant
        "agents: {a: {contact: x, skills: {asia: 1}}}\nqueues: {q: {needs: asia}}\n",
        "ivr: {f: {a: {say: [], than: b}, b: {wait_s: 1}}}\n",  # b may well be reachable
        "queues: [q]\nnumbers: {1: queue q}\n",
        "dial_plan: [{match: 1}, {match: 2, to: 'sip:2@h'}]\n",
    ],
)
def test_a_mistake_does_not_cause_others(problems: Problems, text: str) -> None:
    assert len(problems(text)) == (2 if "than" in text and "dial_plan" not in text else 1) or len(problems(text)) == 1


def test_places_in_a_dial_plan_with_a_wrong_rule(problems: Problems) -> None:
    [first, second] = problems("dial_plan:\n  - {match: 1}\n  - {match: 2, to: queue q}\n")
    assert first == "site.yaml:4:5: dial_plan[0]: expected the key to, found none"
    assert second.startswith("site.yaml:5:20: dial_plan[1].to: expected an existing queue")


def test_rtpengine_records_into_a_spool(problems: Problems, tmp_path: Path) -> None:
    text = (
        "media: {backend: rtpengine}\n"
        "ivr: {f: {a: {record: start, then: b}, b: {hang_up: true}}}\n"
        f"recordings: {{folder: {tmp_path}, numbers: ['0180000001']}}\n"
    )
    told = "expected media.rtpengine.spool, the folder of rtpengine's captures, or none, found recording"
    found = [p.removeprefix("site.yaml:") for p in problems(PARTS + text)]
    assert [one.partition(" ")[2] for one in found] == [f"ivr.f.a.record: {told}", f"recordings.numbers: {told}"]
    assert [one.partition(":")[0] for one in found] == ["8", "9"]
    text = text.replace("rtpengine}", "rtpengine, rtpengine: {spool: spool}}")
    [told] = problems(PARTS + text.replace("numbers", "beep_every_s: 9, numbers"))
    assert told.endswith("recordings.beep_every_s: expected 0: rtpengine has no beep, found 9")


def test_rtpengine_mixes_nothing(problems: Problems) -> None:
    text = (
        "media: {backend: rtpengine}\n"
        "conferences: {open: {}}\n"
        "supervision: {supervisors: {101: {}}}\n"
        "dial_plan: [{match: 1010, to: conference open}, {match: '*41XXX', to: 'supervise monitor {number:3}'}]\n"
    )
    found = [one.removeprefix("site.yaml:").split(" ", 1) for one in problems(PARTS + text)]
    assert {told for _, told in found} == {
        f"{place}: expected none: media.backend rtpengine does not mix sound, so there are no conferences and no "
        "supervision, found a conference"
        for place in ("conferences.open", "supervision.supervisors.101", "dial_plan[0].to", "dial_plan[1].to")
    }
