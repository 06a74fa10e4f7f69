from __future__ import annotations

from collections.abc import Callable

from config import flows
from config.schema import Site

LoadSite = Callable[..., Site]

CALENDARS = "hours: {h: {open: {}}, g: {open: {}}}\n"


def test_exits_of_every_verb(site: LoadSite) -> None:
    text = (
        "queues: {q: {}}\nivr:\n  f:\n"
        "    a: {say: [], then: b}\n"
        "    b: {menu: [], keys: {1: c, '*': d}, otherwise: e}\n"
        "    c: {gather: [], digits: 1, into: x, then: d, otherwise: e}\n"
        "    d: {hours: h, open: f, closed: g}\n"
        "    e: {enqueue: q}\n"
        "    f: {wait_s: 1, then: h}\n"
        "    g: {echo: true}\n"
        "    h: {hang_up: true}\n"
    )
    flow = site(CALENDARS + text).ivr["f"]
    assert {name: {".".join(path): to for path, to in flows.exits(state)} for name, state in flow.items()} == {
        "a": {"then": "b"},
        "b": {"keys.1": "c", "keys.*": "d", "otherwise": "e"},
        "c": {"then": "d", "otherwise": "e"},
        "d": {"open": "f", "closed": "g"},
        "e": {},
        "f": {"then": "h"},
        "g": {},
        "h": {},
    }
    assert flows.unreachable(flow) == []
    assert flows.endless(flow) == []


def test_calendars_that_wait_somewhere_are_no_circle(site: LoadSite) -> None:
    text = "ivr: {f: {a: {hours: h, open: b, closed: c}, b: {hours: g, open: c, closed: c}, c: {wait_s: 1, then: a}}}\n"
    assert flows.endless(site(CALENDARS + text).ivr["f"]) == []
