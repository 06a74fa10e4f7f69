"""PUBLISH (RFC 3903): what a phone says of its user, kept for those who watch, merged with what we see ourselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.sip.errors import SipError
from pbx.sip.message import Response
from pbx.subscriptions import publications
from pbx.subscriptions.pidf import Pidf, parse

from .conftest import Watched
from .watcher import Watcher

PIDF, RPID = "{urn:ietf:params:xml:ns:pidf}", "{urn:ietf:params:xml:ns:pidf:rpid}"
KIND = "Content-Type: application/pidf+xml\r\n"


def pidf(basic: str = "open", activity: str = "", note: str = "") -> str:
    activities = f"<r:activities><r:{activity}/></r:activities>" if activity else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<presence xmlns="urn:ietf:params:xml:ns:pidf" '
        'xmlns:m="urn:ietf:params:xml:ns:pidf:data-model" xmlns:r="urn:ietf:params:xml:ns:pidf:rpid" '
        f'entity="sip:101@192.0.2.100"><tuple id="a"><status><basic>{basic}</basic></status></tuple>'
        f'<m:person id="p">{activities}<m:note>{note}</m:note></m:person></presence>'
    )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Watched]:
    world = Watched(tmp_path)
    yield world
    world.notifier.close()
    world.publications.close()
    world.run(100)
    assert world.leaks() == {} and len(world.layer.timers) == 0 and len(world.publications) == 0


@pytest.fixture
def phone(world: Watched) -> Watcher:
    return world.watcher("192.0.2.51", "101")


def publish(phone: Watcher, headers: str = "", body: str = "", *, event: str = "presence", number: str = "101",
            call: str = "p1") -> Response:  # fmt: skip
    kind = KIND if body else ""
    lines = f"Event: {event}\r\n{kind}{headers}"
    return phone.ask("PUBLISH", f"sip:{number}@192.0.2.100", lines, body, call=call, contact=False)


def tag(response: Response) -> str:
    assert response.status == 200, response.status
    return response.get("SIP-ETag") or ""


def shown(watcher: Watcher) -> tuple[str | None, list[str], str | None]:
    """Of the NOTIFY that came: basic status, activities, note."""
    root = ElementTree.fromstring(watcher.notify().body)
    found = [one.tag.removeprefix(RPID) for all_of in root.iter(f"{RPID}activities") for one in all_of]
    return root.findtext(f"{PIDF}tuple/{PIDF}status/{PIDF}basic"), found, root.findtext(f"{PIDF}tuple/{PIDF}note")


def test_published_changed_refreshed_and_taken_back(world: Watched, phone: Watcher) -> None:
    watcher = world.watcher("192.0.2.50", "105")
    watcher.subscribe("101", "presence")
    assert shown(watcher) == ("open", ["unknown"], "Available")
    first = publish(
        phone, body=pidf("open", "meeting", "Until <noon> & later".replace("<", "&lt;").replace("& ", "&amp; "))
    )
    assert first.get("Expires") == "3600"
    world.run(0)
    assert shown(watcher) == ("open", ["meeting"], "Until <noon> & later")
    second = publish(phone, f"SIP-If-Match: {tag(first)}\r\nExpires: 600\r\n", pidf("closed", "away"))
    assert tag(second) != tag(first) and second.get("Expires") == "600"
    world.run(0)
    assert shown(watcher) == ("closed", ["away"], "Away")
    third = publish(phone, f"SIP-If-Match: {tag(second)}\r\n")
    assert tag(third) not in (tag(first), tag(second)) and third.get("Expires") == "3600"
    world.run(0)
    assert not watcher.inbox  # nothing is new
    gone = publish(phone, f"SIP-If-Match: {tag(third)}\r\nExpires: 0\r\n")
    assert gone.status == 200 and gone.get("Expires") == "0" and gone.get("SIP-ETag")
    world.run(0)
    assert shown(watcher) == ("open", ["unknown"], "Available")
    assert publish(phone, f"SIP-If-Match: {tag(gone)}\r\n").status == 412


def test_an_old_tag_is_none(phone: Watcher) -> None:
    """RFC 3903 6: the phone that restarted, or missed our answer, publishes anew."""
    first = tag(publish(phone, body=pidf()))
    second = tag(publish(phone, f"SIP-If-Match: {first}\r\n"))
    for match in (first, "nonsense"):
        for body in ("", pidf("closed")):
            assert publish(phone, f"SIP-If-Match: {match}\r\n", body).status == 412
    assert publish(phone, f"SIP-If-Match: {second}\r\n").status == 200


def test_what_is_not_refreshed_ends(world: Watched, phone: Watcher) -> None:
    watcher = world.watcher("192.0.2.50", "105")
    watcher.subscribe("101", "presence", expires=7200)
    shown(watcher)
    first = tag(publish(phone, "Expires: 60\r\n", pidf("closed")))
    world.run(0)
    assert shown(watcher)[0] == "closed"
    world.run(61)
    assert shown(watcher)[0] == "open" and len(world.publications) == 0
    assert publish(phone, f"SIP-If-Match: {first}\r\n").status == 412


@pytest.mark.parametrize(
    ("headers", "body", "event", "number", "status", "explains"),
    [
        ("", pidf(), "presence", "199", 404, None),
        ("", pidf(), "dialog", "101", 489, ("Allow-Events", "presence")),
        ("", pidf(), "", "101", 489, ("Allow-Events", "presence")),
        ("", pidf(), "presence", "105", 403, None),
        ("Expires: 59\r\n", pidf(), "presence", "101", 423, ("Min-Expires", "60")),
        ("", "", "presence", "101", 400, None),
        ("", "<presence/>", "presence", "101", 400, None),
        ("", "no XML", "presence", "101", 400, None),
        ("", '<!DOCTYPE a [<!ENTITY b "c">]>' + pidf(), "presence", "101", 400, None),
        ("", pidf(note="x" * 17_000), "presence", "101", 413, None),
        ("SIP-If-Match: a\r\nSIP-If-Match: b\r\n", pidf(), "presence", "101", 400, None),
    ],
)
def test_refusals(
    world: Watched, phone: Watcher, headers: str, body: str, event: str, number: str, status: int,
    explains: tuple[str, str] | None,
) -> None:  # fmt: skip
    answer = publish(phone, headers, body, event=event, number=number)
    assert answer.status == status and world.counters[f"publications_refused_{status}"] == 1
    assert explains is None or answer.get(explains[0]) == explains[1]
    assert len(world.publications) == 0


def test_another_kind_of_body(phone: Watcher) -> None:
    lines = "Event: presence\r\nContent-Type: text/plain\r\n"
    answer = phone.ask("PUBLISH", "sip:101@192.0.2.100", lines, "away", contact=False)
    assert answer.status == 415 and answer.get("Accept") == "application/pidf+xml"


def test_it_is_told_among_the_methods(world: Watched, phone: Watcher) -> None:
    phone.say("OPTIONS", "sip:192.0.2.100")
    assert "PUBLISH" in (phone.answer_of().get("Allow") or "")


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("offline", ("closed", ["unknown"], "Offline")),
        ("on the phone", ("open", ["on-the-phone"], "On the phone")),
        ("do not disturb", ("closed", ["busy"], "Do not disturb")),
        ("open", ("open", ["lunch"], "Back at two")),
    ],
)
def test_what_we_see_ourselves_comes_first(
    world: Watched, phone: Watcher, state: str, expected: tuple[str, list[str], str]
) -> None:
    publish(phone, body=pidf("open", "lunch", "Back at two"))
    world.states["101"] = state  # type: ignore[assignment]
    watcher = world.watcher("192.0.2.50", "105")
    watcher.subscribe("101", "presence")
    assert shown(watcher) == expected


def test_of_two_phones_the_last_word_counts(world: Watched, phone: Watcher) -> None:
    """A refresh is no word."""
    desk = tag(publish(phone, body=pidf("open", "meeting")))
    world.run(1)
    mobile = tag(publish(phone, body=pidf("open", "travel"), call="p2"))
    publish(phone, f"SIP-If-Match: {desk}\r\n")
    assert world.publications.of("101") == Pidf(True, ("travel",), "")
    publish(phone, f"SIP-If-Match: {mobile}\r\nExpires: 0\r\n", call="p2")
    assert world.publications.of("101") == Pidf(True, ("meeting",), "")


def test_the_table_is_bounded(world: Watched, phone: Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publications, "LIMIT_EACH", 2)
    first, second, third = (tag(publish(phone, body=pidf())) for _ in range(3))
    assert len(world.publications) == 2 and world.counters["publications_displaced"] == 1
    assert publish(phone, f"SIP-If-Match: {first}\r\n").status == 412
    monkeypatch.setattr(world.publications, "_limit", 2)
    other = world.watcher("192.0.2.52", "102")
    refused = publish(other, body=pidf(), number="102")
    assert refused.status == 503 and refused.get("Retry-After")
    for one in (second, third):
        assert publish(phone, f"SIP-If-Match: {one}\r\n").status == 200


def test_strangers_and_trunks_publish_nothing(world: Watched) -> None:
    body = pidf()
    stranger = world.watcher("192.0.2.66", "101")
    stranger.say("PUBLISH", "sip:101@192.0.2.100", "Event: presence\r\n" + KIND, body, contact=False)
    assert stranger.answer_of().status == 401
    trunk = world.watcher("198.51.100.1", "101")
    trunk.say("PUBLISH", "sip:101@192.0.2.100", "Event: presence\r\n" + KIND, body, contact=False)
    assert trunk.answer_of().status == 403


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (pidf(), Pidf(True, (), "")),
        (pidf(" closed ", "in-transit", "  on\n the  way "), Pidf(False, ("in-transit",), "on the way")),
        (pidf("open", "dancing"), Pidf(True, (), "")),  # none of RPID's
        ('<presence xmlns="urn:ietf:params:xml:ns:pidf"/>', Pidf(True, (), "")),
        (pidf(note="x" * 500), Pidf(True, (), "x" * 200)),
    ],
)
def test_reading(body: str, found: Pidf) -> None:
    assert parse(body.encode()) == found


@given(st.binary(max_size=200) | st.text().map(lambda text: pidf(note=text).encode("utf-8", "surrogatepass")))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    try:
        assert len(parse(body).note) <= 200
    except SipError as error:
        assert error.status == 400
