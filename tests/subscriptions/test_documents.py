"""What watchers read: well-formed, true, and safe whatever strangers call themselves."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from pbx.subscriptions.message_summary import Messages, MessageSummary
from pbx.subscriptions.xml import attribute, text

from .conftest import Watched

DIALOG = "{urn:ietf:params:xml:ns:dialog-info}"
PIDF = "{urn:ietf:params:xml:ns:pidf}"
REG = "{urn:ietf:params:xml:ns:reginfo}"
NASTY = "<b>&\"'\x00\x1b\ud800\n]]>"


def test_text_is_safe() -> None:
    element = ElementTree.fromstring(f'<a b="{attribute(NASTY)}">{text(NASTY)}</a>')
    assert element.text == element.get("b") == "<b>&\"'\n]]>"


def test_a_caller_with_a_nasty_name(world: Watched) -> None:
    watcher = world.watcher("192.0.2.50", "105")
    watcher.subscribe("101", "dialog")
    watcher.notify()
    world.register("101", world.phone("192.0.2.10"))
    carrier = world.phone("198.51.100.1")
    invite = carrier.invite("+33180000001", user="%3Cx%3E%26")
    world.run(0)
    root = ElementTree.fromstring(watcher.notify().body)
    assert root.tag == f"{DIALOG}dialog-info"
    assert (root.get("entity"), root.get("state"), root.get("version")) == ("sip:101@192.0.2.100", "full", "1")
    [dialog] = root.findall(f"{DIALOG}dialog")
    assert dialog.get("direction") == "recipient"
    assert dialog.findtext(f"{DIALOG}remote/{DIALOG}identity") == "sip:%3Cx%3E&@192.0.2.100:5060"
    world.run(0.3)
    carrier.follow("CANCEL", invite)
    world.run(40)
    watcher.inbox.clear()


@pytest.mark.parametrize(
    ("state", "basic", "activity"),
    [
        ("open", "open", "unknown"), ("offline", "closed", "unknown"), ("on the phone", "open", "on-the-phone"),
        ("do not disturb", "closed", "busy"),
    ],
)  # fmt: skip
def test_presence(world: Watched, state: str, basic: str, activity: str) -> None:
    world.states["101"] = state  # type: ignore[assignment]
    watcher = world.watcher("192.0.2.50", "105")
    watcher.subscribe("101", "presence")
    root = ElementTree.fromstring(watcher.notify().body)
    assert root.findtext(f"{PIDF}tuple/{PIDF}status/{PIDF}basic") == basic
    assert any(one.tag.endswith("}" + activity) for one in root.iter())


def test_registrations(world: Watched) -> None:
    watcher = world.watcher("192.0.2.50", "105")
    world.register("105", world.phone("192.0.2.60"))
    world.run(100)
    watcher.subscribe("", "reg")
    root = ElementTree.fromstring(watcher.notify().body)
    registration = root.find(f"{REG}registration")
    assert registration is not None and registration.get("state") == "active"
    contact = registration.find(f"{REG}contact")
    assert contact is not None and contact.get("expires") == "3500"
    assert contact.findtext(f"{REG}uri") == "sip:105@192.0.2.60:5060"


def test_message_light(world: Watched) -> None:
    world.messages.set("105", 2, 8, 1, 2)
    watcher = world.watcher("192.0.2.50", "105")
    watcher.subscribe("", "message-summary")
    assert watcher.notify().body.decode() == (
        "Messages-Waiting: yes\r\nMessage-Account: sip:105@192.0.2.100\r\nVoice-Message: 2/8 (1/2)\r\n"
    )
    with pytest.raises(KeyError):
        world.messages.set("nobody", 1)


def test_message_counts_outlive_the_server() -> None:
    """Saved with each change, restored at the start; none is no row; what somebody else wrote there is left out."""
    rows: dict[str, str | None] = {}
    before = MessageSummary({"101", "102"}.__contains__, lambda extension, _, value: rows.update({extension: value}))
    before.set("101", 2, 8, 1, 2)
    before.set("102", 1)
    before.set("102", 0)
    assert rows == {"101": "2/8/1/2", "102": None}
    after = MessageSummary({"101", "102"}.__contains__)
    after.restore([("101", "2/8/1/2"), ("102", "many"), ("103", "1/0/0/0")])
    assert after.of("101") == Messages(2, 8, 1, 2) and after.of("102") == Messages()
    assert after._mailboxes.keys() == {"101"}
