from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from config.schema import Destination, Site
from ivr.explain import Step, explain_route

WEDNESDAY_11H = dt.datetime(2026, 3, 4, 11, 0, tzinfo=ZoneInfo("Europe/Paris"))
WEDNESDAY_22H = dt.datetime(2026, 3, 4, 21, 0, tzinfo=dt.UTC)

SITE: dict[str, Any] = {
    "site": "test",
    "listen": {"sip": ["udp:127.0.0.1:5060"]},
    "extensions": {
        "101": {"password": "x", "name": "Reception"}, "102": {"password": "x"},
        "103": {"password": "x", "forward": {"busy": "group desks", "no_answer": "number 0199"}},
    },
    "groups": {"desks": {"extensions": ["101"], "otherwise": "extension 103"}},
    "park": {"house": {"slots": "701-702", "otherwise": "extension 101"}},
    "trunks": {
        "carrier": {"gateway": "sip:192.0.2.1"},
        "pbx": {"registers_as": {"username": "pbx2", "password": "x"}},
        "inward": {"from": "192.0.2.1"},
    },
    "hours": {"shop": {"open": {"mon-sat": "09:00-21:00"}}},
    "ivr": {
        "welcome": {
            "hello": {"say": "hello", "then": "opening"},
            "opening": {"hours": "shop", "open": "code", "closed": "sorry"},
            "code": {"gather": "type", "digits": 7, "min_digits": 4, "into": "web_code", "then": "where",
                     "otherwise": "pause"},
            "pause": {"wait_s": 2, "then": "where"},
            "where": {"menu": ["where-to"], "keys": {"1": "asia", "9": "hello", "0": "desk"}, "otherwise": "other"},
            "asia": {"enqueue": "asia", "set": {"destination": "asia"}},
            "desk": {"connect": "extension 101"},
            "other": {"connect": "ivr small"},
            "sorry": {"say": ["closed"]},
        },
        "small": {"g": {"gather": "p", "digits": 2, "into": "n", "then": "e", "otherwise": "e"}, "e": {"echo": True}},
    },
    "agents": {
        "alice": {"extension": "101", "name": "Alice", "skills": {"asia": 9, "french": 10}},
        "bruno": {"extension": "102"},
    },
    "queues": {
        "asia": {"needs": "asia >= 5", "max_wait_s": 60, "overflow": "queue rest"},
        "rest": {
            "needs": "skill(call.destination) >= 1 or call.basket > 5", "max_wait_s": 60, "overflow": "queue asia",
        },
        "empty": {"agents": [], "overflow": "extension 101"},
    },
}  # fmt: skip


def serves(queue: str, attributes: Mapping[str, str | int | float]) -> Sequence[str]:
    asked.append((queue, dict(attributes)))
    return {"asia": ["alice"], "rest": ["alice", "bruno"]}.get(queue, [])


asked: list[tuple[str, dict[str, str | int | float]]] = []


def lines(to: Destination | None, *, at: dt.datetime = WEDNESDAY_11H, dial: str | None = None) -> list[str]:
    """The explanation as indented text."""
    asked.clear()
    out: list[str] = []

    def walk(step: Step, depth: int) -> None:
        out.append("  " * depth + step.text)
        for child in step.below:
            walk(child, depth + 1)

    for step in explain_route(Site.model_validate(SITE), ["because"], to, dial, at, serves):
        walk(step, 0)
    assert out[0] == "because"
    return out[1:]


def test_flow_by_day() -> None:
    assert lines(Destination("ivr", "welcome")) == [
        "ivr welcome",
        "  hello: say hello",
        "  opening: calendar shop is open at Wed 2026-03-04 11:00 Europe/Paris, to code",
        "    otherwise sorry",
        "  code: gather 4 to 7 digits into web_code",
        "    enough digits",
        "      where: menu where-to",
        "        key 1",
        "          asia: enqueue, destination = asia",
        "            queue asia, needs asia >= 5",
        "              alice (Alice): asia 9, french 10",
        "              after 60 s",
        "                queue rest, needs skill(call.destination) >= 1 or call.basket > 5",
        "                  call.basket is not known here, taken as missing",
        "                  alice (Alice): asia 9, french 10",
        "                  bruno",
        "                  after 60 s",
        "                    queue asia: as told above",
        "        key 9",
        "          hello: as told above",
        "        key 0",
        "          desk: connect",
        "            extension 101 (Reception)",
        "        no valid key after 3 attempts",
        "          other: connect",
        "            ivr small",
        "              g: gather 2 digits into n",
        "              e: echo, until the caller hangs up",
        "    otherwise",
        "      pause: wait 2 s",
        "      where: as told above",
    ]
    assert asked == [("asia", {"destination": "asia"}), ("rest", {"destination": "asia"})]


def test_flow_by_night() -> None:
    assert lines(Destination("ivr", "welcome"), at=WEDNESDAY_22H) == [
        "ivr welcome",
        "  hello: say hello",
        "  opening: calendar shop is closed (outside hours) at Wed 2026-03-04 22:00 Europe/Paris, to sorry",
        "    otherwise code",
        "  sorry: say closed",
        "  hang up",
    ]


@pytest.mark.parametrize(
    ("to", "dial", "text"),
    [
        (Destination("extension", "102"), None, ["extension 102"]),
        (Destination("extension", "199"), None, ["extension 199 does not exist: 404"]),
        (Destination("trunk", "carrier"), "+331", ["trunk carrier, dial +331, by its gateway sip:192.0.2.1"]),
        (Destination("trunk", "pbx"), None, ["trunk pbx, where it registered as pbx2"]),
        (Destination("trunk", "inward"), None, ["trunk inward has no gateway and does not register here: 503"]),
        (Destination("trunk", "none"), None, ["trunk none does not exist: 404"]),
        (Destination("refuse", "486"), None, ["refused with 486"]),
        (Destination("extension", "103"), None,
         ["extension 103", "  when busy or refused", "    group desks: ring together, 15 s", "      extension 101",
          "      when nobody takes it", "        extension 103: as told above",
          "  after 20 s", "    number 0199: where the dial plan sends a phone of ours that dials it"]),
        (Destination("group", "none"), None, ["group none does not exist: 404"]),
        (Destination("park", "house 701"), None,
         ["park house, slot 701: fetches who waits there, or parks", "  after 120 s",
          "    back to the extension that parked it", "  if not taken there", "    extension 101 (Reception)"]),
        (Destination("park", "house 799"), None, ["park house 799 does not exist: 404"]),
        (Destination("pickup", "101"), None, ["pickup 101: takes a call that rings there"]),
        (Destination("uri", "sip:1@192.0.2.1"), None, ["sip:1@192.0.2.1"]),
        (Destination("ivr", "none"), None, ["ivr none does not exist: 404"]),
        (Destination("queue", "none"), None, ["queue none does not exist: 404"]),
        (Destination("queue", "empty"), None,
         ["queue empty", "  no agent could serve", "  when it must overflow", "    extension 101 (Reception)"]),
    ],
)  # fmt: skip
def test_destinations(to: Destination, dial: str | None, text: list[str]) -> None:
    assert lines(to, dial=dial) == text


def test_nothing_found() -> None:
    assert lines(None) == []
