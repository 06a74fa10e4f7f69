"""The registrar: RFC 3261 10.3 step by step, and the REGISTER cases of RFC 4475."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence

import pytest

from pbx.sip.binding import Binding, after_restart, hop_for, restored
from pbx.sip.digest import DigestClient, DigestServer, choose_challenge
from pbx.sip.hop import Hop
from pbx.sip.message import Request, parse
from pbx.sip.registrar import Registrar, Reply

NOW = 1_700_000_000.0
SOURCE = Hop("udp", "192.0.2.9", 5062)
LIMITS = {"101": 3, "102": 1}
PASSWORDS = {"101": "secret", "102": "other", "ghost": "boo"}  # ghost has a password but may not register


class Store:
    """Bindings in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, list[Binding]] = {}

    def contacts(self, aor: str, now: float) -> list[Binding]:
        return [one for one in self.kept.get(aor, []) if one.expires_at > now]

    def replace(self, aor: str, bindings: Sequence[Binding], now: float) -> None:
        self.kept[aor] = list(bindings)


class Phone:
    """Registers with a registrar, answering challenges."""

    def __init__(self, user: str = "101", password: str = "secret", **options: object) -> None:
        self.user, self.password = user, password
        self.store = Store()
        self.failures: list[tuple[str, Hop]] = []
        self.counters: Counter[str] = Counter()
        self.registrar = Registrar(
            self.store,
            DigestServer("plateau", b"key", PASSWORDS.get),
            LIMITS.get,
            on_auth_failure=lambda user, source: self.failures.append((user, source)),
            counters=self.counters,
            **options,  # type: ignore[arg-type]
        )
        self.cseq = 0

    def send(
        self, *lines: str, to: str | None = None, call_id: str = "c1", cseq: int | None = None, source: Hop = SOURCE,
        now: float = NOW, authenticate: bool = True, uri: str = "sip:pbx.example.com",
    ) -> Reply:  # fmt: skip
        if authenticate:
            challenge = choose_challenge(self.registrar._digest.challenges(now, source.host))
            assert challenge is not None
            answer = DigestClient(challenge, self.user, self.password).credentials("REGISTER", uri, "c")
            lines += (f"Authorization: {answer}",)
        self.cseq = self.cseq + 1 if cseq is None else cseq
        to = to or f"<sip:{self.user}@pbx.example.com>"
        return self.registrar.register(request(uri, to, call_id, self.cseq, lines), source, now)


def request(uri: str, to: str, call_id: str, cseq: int, lines: Sequence[str]) -> Request:
    head = [
        f"REGISTER {uri} SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bK1", f"To: {to}",
        "From: <sip:101@pbx.example.com>;tag=a", f"Call-ID: {call_id}", f"CSeq: {cseq} REGISTER", *lines,
    ]  # fmt: skip
    parsed = parse(("\r\n".join(head) + "\r\n\r\n").encode())
    assert isinstance(parsed, Request)
    return parsed


def contacts(reply: Reply) -> list[str]:
    assert reply.status == 200, reply
    return re.findall(r"^Contact: (.*)\r\n", reply.headers, re.M)


def test_no_credentials_are_challenged_with_nothing_stored() -> None:
    phone = Phone()
    reply = phone.send("Contact: <sip:101@192.0.2.9>", authenticate=False)
    assert reply.status == 401
    assert reply.headers.count("WWW-Authenticate: Digest ") == 2 and "stale" not in reply.headers
    assert not phone.store.kept and not phone.failures


def test_register_refresh_remove() -> None:
    phone = Phone()
    reply = phone.send('Contact: "Ann" <sip:101@192.0.2.9:5062>;q=0.5;expires=120;+sip.instance="<urn:x>"')
    assert contacts(reply) == ['<sip:101@192.0.2.9:5062>;q=0.5;+sip.instance="<urn:x>";expires=120']
    assert [one.kind for one in reply.changes] == ["added"]
    reply = phone.send('Contact: <sip:101@192.0.2.9:5062>;+sip.instance="<urn:x>"', "Expires: 300", now=NOW + 60)
    assert contacts(reply) == ['<sip:101@192.0.2.9:5062>;+sip.instance="<urn:x>";expires=300']
    assert [one.kind for one in reply.changes] == ["refreshed"]
    reply = phone.send("Contact: <sip:101@192.0.2.9:5062>;expires=0", now=NOW + 61)
    assert contacts(reply) == [] and [one.kind for one in reply.changes] == ["removed"]
    assert phone.counters["registrations_added"] == phone.counters["registrations_removed"] == 1


def test_query_shows_what_is_left() -> None:
    phone = Phone()
    phone.send("Contact: <sip:101@192.0.2.9>;expires=600")
    reply = phone.send(now=NOW + 100)
    assert contacts(reply) == ["<sip:101@192.0.2.9>;expires=500"] and reply.changes == ()


def test_several_contacts_in_one_request() -> None:
    phone = Phone()
    reply = phone.send("Contact: <sip:a@h>;q=0.1, <sip:b,x@h>", "Contact: sip:c@h;q=junk")
    assert [one.partition(">")[0] for one in contacts(reply)] == ["<sip:a@h", "<sip:b,x@h", "<sip:c@h"]
    assert [one.q for one in phone.store.kept["101"]] == [0.1, 1.0, 1.0]


def test_expires_of_the_contact_goes_before_the_header_and_both_have_limits() -> None:
    phone = Phone(min_expires_s=60, max_expires_s=1800, default_expires_s=900)
    for lines, granted in (
        (("Contact: <sip:a@h>;expires=100", "Expires: 200"), 100),
        (("Contact: <sip:a@h>", "Expires: 200"), 200),
        (("Contact: <sip:a@h>",), 900),
        (("Contact: <sip:a@h>;expires=99999999999999999999",), 1800),
        (("Contact: <sip:a@h>;expires=soon",), 1800),  # malformed is 3600 (20.10), then shortened
    ):
        assert contacts(phone.send(*lines)) == [f"<sip:a@h>;expires={granted}"]


def test_too_brief() -> None:
    phone = Phone(min_expires_s=60)
    reply = phone.send("Contact: <sip:a@h>, <sip:b@h>;expires=59")
    assert (reply.status, reply.headers) == (423, "Min-Expires: 60\r\n")
    assert not phone.store.kept


def test_star() -> None:
    phone = Phone()
    phone.send("Contact: <sip:a@h>, <sip:b@h>")
    for lines in (("Contact: *",), ("Contact: *", "Expires: 60"), ("Contact: *, <sip:a@h>", "Expires: 0")):
        assert phone.send(*lines).status == 400
    assert len(contacts(phone.send())) == 2
    reply = phone.send("Contact: *", "Expires: 0", call_id="another")
    assert contacts(reply) == [] and [one.kind for one in reply.changes] == ["removed", "removed"]


def test_overtaken_request_changes_nothing() -> None:
    """10.3 steps 6 and 7."""
    phone = Phone()
    phone.send("Contact: <sip:a@h>;expires=600", cseq=5)
    for lines in (("Contact: <sip:new@h>, <sip:a@h>;expires=0",), ("Contact: *", "Expires: 0")):
        for cseq in (4, 5):
            assert phone.send(*lines, cseq=cseq).status == 500
    assert contacts(phone.send(cseq=6)) == ["<sip:a@h>;expires=600"]
    assert contacts(phone.send("Contact: <sip:a@h>;expires=0", cseq=1, call_id="rebooted")) == []


def test_contacts_are_compared_as_uris() -> None:
    phone = Phone()
    phone.send("Contact: <sip:a@H.example.com;lr>")
    reply = phone.send("Contact: <sip:%61@h.example.com>;expires=60")
    assert contacts(reply) == ["<sip:%61@h.example.com>;expires=60"]


def test_same_device_under_another_address_replaces_its_contact() -> None:
    """RFC 5626 6: a phone that moved is not a second phone."""
    phone = Phone()
    phone.send('Contact: <sip:a@192.0.2.9:1111>;+sip.instance="<urn:x>"')
    phone.send('Contact: <sip:a@192.0.2.9:1111;ob>;+sip.instance="<urn:y>"')
    reply = phone.send('Contact: <sip:a@192.0.2.9:2222>;+sip.instance="<urn:x>"', call_id="c2", cseq=1)
    assert [one.partition(">")[0] for one in contacts(reply)] == ["<sip:a@192.0.2.9:1111;ob", "<sip:a@192.0.2.9:2222"]
    assert [one.kind for one in reply.changes] == ["removed", "added"]


def test_at_the_limit_the_contact_nearest_to_its_end_makes_room() -> None:
    phone = Phone()
    for name, expires_s in (("a", 900), ("b", 100), ("c", 900)):
        phone.send(f"Contact: <sip:{name}@h>;expires={expires_s}")
    reply = phone.send("Contact: <sip:d@h>")
    assert [one.partition("@")[0] for one in contacts(reply)] == ["<sip:a", "<sip:c", "<sip:d"]
    assert [(one.kind, one.binding.contact) for one in reply.changes] == [("added", "sip:d@h"), ("removed", "sip:b@h")]
    assert phone.send(*[f"Contact: <sip:{name}@h>" for name in "wxyz"]).status == 403
    assert len(contacts(phone.send())) == 3


def test_wrong_password_unknown_user_and_foreign_aor_look_alike() -> None:
    replies = []
    for user, password, to in (
        ("101", "guess", "<sip:101@h>"),
        ("999", "secret", "<sip:999@h>"),
        ("102", "other", "<sip:101@h>"),
        ("102", "other", "<sip:999@h>"),
        ("ghost", "boo", "<sip:ghost@h>"),
    ):
        phone = Phone(user, password)
        replies.append(phone.send("Contact: <sip:a@h>", to=to))
        assert phone.failures == [(user, SOURCE)] and phone.counters["sip_auth_failures"] == 1
    assert set(replies) == {Reply(403)}


def test_an_old_nonce_is_stale_whatever_the_password() -> None:
    phone = Phone()
    for password in ("secret", "guess"):
        credentials = Phone(password=password)
        challenge = choose_challenge(phone.registrar._digest.challenges(NOW - 1000, SOURCE.host))
        assert challenge is not None
        text = DigestClient(challenge, "101", credentials.password).credentials("REGISTER", "sip:pbx.example.com", "c")
        reply = phone.send(f"Authorization: {text}", "Contact: <sip:a@h>", authenticate=False)
        assert (reply.status, reply.headers.count("stale=true")) == (401, 2)
    assert phone.failures == [], "it may be left over from another server, or forged"


def test_unreadable_credentials() -> None:
    reply = Phone().send('Authorization: Digest realm="plateau", nonce="x"', authenticate=False)
    assert reply.status == 400


def test_whose_registrar_this_is() -> None:
    phone = Phone(is_local=lambda host: host in ("pbx.example.com", "::1"))
    assert phone.send(to="<sip:101@PBX.example.com>").status == 200
    assert phone.send(to="<sips:101@[::1]>").status == 200
    assert phone.send(to="<sip:101@elsewhere.example.com>").status == 404
    assert phone.send(uri="sip:elsewhere.example.com").status == 404
    assert phone.send(to="<sip:pbx.example.com>").status == 404


def test_unknown_extension_is_named() -> None:
    reply = Phone().send("Require: path, timer", "Require: nothing", authenticate=False)
    assert (reply.status, reply.headers) == (420, "Unsupported: timer, nothing\r\n")


def test_service_route() -> None:
    """RFC 3608 6.3: in order, in the answer to whoever has registered."""
    proxies = ("sip:edge.example.com;transport=tcp;lr", "sip:core.example.com;lr")
    phone = Phone(service_route=proxies)
    assert "Service-Route" not in phone.send("Contact: <sip:a@h>", authenticate=False).headers
    reply = phone.send("Contact: <sip:a@h>")
    assert re.findall("Service-Route: <(.*)>\r\n", reply.headers) == [*proxies]


def test_path_is_kept_and_echoed() -> None:
    """RFC 3327 5.3."""
    phone = Phone()
    reply = phone.send("Contact: <sip:a@h>", "Path: <sip:edge.example.com;lr>", "Supported: path")
    assert "Path: <sip:edge.example.com;lr>\r\n" in reply.headers
    assert phone.store.kept["101"][0].path == ("<sip:edge.example.com;lr>",)


URN = "urn:uuid:00000000-0000-4000-8000-000000000001"
FLOWS = ("Supported: path, outbound",)
OB = "Path: <sip:edge.example.com;lr;ob>"
SECOND_VIA = "Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKphone"


def flow(reg_id: int, *lines: str, host: str = "192.0.2.9", urn: str = URN) -> tuple[str, ...]:
    return (f'Contact: <sip:101@{host};ob>;+sip.instance="<{urn}>";reg-id={reg_id}', *FLOWS, *lines)


def test_flows_of_a_device_are_kept_apart_and_each_replaces_itself() -> None:
    """RFC 5626 6."""
    phone = Phone()
    reply = phone.send(*flow(1), call_id="a")
    assert "Require: outbound\r\n" in reply.headers and "Flow-Timer: 25\r\n" in reply.headers
    assert "Flow-Timer: 120\r\n" in phone.send(*flow(2), call_id="b", source=Hop("tcp", "192.0.2.9", 4000)).headers
    assert [one.reg_id for one in phone.store.kept["101"]] == [1, 2]  # one URI, two flows
    reply = phone.send(*flow(1, host="192.0.2.77"), call_id="c")
    assert [(one.kind, one.binding.reg_id) for one in reply.changes] == [("removed", 1), ("added", 1)]
    reply = phone.send(*flow(1, urn="urn:uuid:other"), call_id="d")
    assert [one.kind for one in reply.changes] == ["added"]
    reply = phone.send(*flow(2, "Expires: 0"), call_id="e")
    assert [one.kind for one in reply.changes] == ["removed"] and len(phone.store.kept["101"]) == 2


@pytest.mark.parametrize(
    ("lines", "status", "flow_timer"),
    [
        ((OB,), 200, False),
        (("Path: <sip:outer.example.com;lr>, <sip:edge.example.com;ob;lr>", SECOND_VIA), 200, False),
        (("Path: <sip:edge.example.com;lr;obey>",), 439, False),
        (("Path: <sip:outer.example.com;lr;ob>, <sip:edge.example.com;lr>",), 439, False),  # the phone's edge is last
        ((SECOND_VIA,), 439, False),
        ((), 200, True),
    ],
)
def test_the_first_proxy_must_keep_flows(lines: tuple[str, ...], status: int, flow_timer: bool) -> None:
    phone = Phone()
    reply = phone.send(*flow(1, *lines))
    assert (reply.status, "Flow-Timer" in reply.headers) == (status, flow_timer)
    assert ("Require: outbound" in reply.headers) == bool(phone.store.kept) == (status == 200)
    if status != 200:
        assert reply.reason == "First Hop Lacks Outbound Support"
    assert Phone(outbound=False).send(*flow(1, *lines)).status == 200


@pytest.mark.parametrize(
    "lines",
    [
        ('Contact: <sip:a@h>;+sip.instance="<urn:x>";reg-id=1',),  # not Supported
        ("Contact: <sip:a@h>;reg-id=1", *FLOWS),  # no instance
        ('Contact: <sip:a@h>;+sip.instance="<urn:x>";reg-id=0', *FLOWS),
        ('Contact: <sip:a@h>;+sip.instance="<urn:x>";reg-id=2147483648', *FLOWS),
        ('Contact: <sip:a@h>;+sip.instance="<urn:x>"', *FLOWS),
    ],
)
def test_what_is_no_flow_is_a_contact_like_any(lines: tuple[str, ...]) -> None:
    phone = Phone()
    reply = phone.send(*lines)
    assert len(contacts(reply)) == 1 and "Require" not in reply.headers and "Flow-Timer" not in reply.headers
    assert phone.store.kept["101"][0].reg_id == 0


def test_a_flow_stands_alone_in_its_request() -> None:
    phone = Phone()
    assert phone.send(*flow(1), "Contact: <sip:b@h>").status == 400
    assert not phone.store.kept


def test_outbound_may_be_required() -> None:
    phone = Phone()
    line = flow(1)[0]
    assert "Require: outbound" in phone.send(line, "Require: outbound").headers


def test_public_gruu() -> None:
    """RFC 5627 5.2; what the phone itself says of GRUUs is not believed."""
    phone = Phone()
    lines = (f'Contact: <sip:a@192.0.2.9>;+sip.instance="<{URN}>";pub-gruu="sip:boss@h;gr=x"', "Contact: <sip:b@h>")
    one, other = contacts(phone.send(*lines, "Supported: gruu"))
    assert one == f'<sip:a@192.0.2.9>;+sip.instance="<{URN}>";pub-gruu="sip:101@pbx.example.com;gr={URN}";expires=3600'
    assert "gruu" not in other
    assert all("gruu" not in one for one in contacts(phone.send()))


def test_at_the_limit_it_may_be_refused() -> None:
    phone = Phone("102", "other", at_limit="refuse")
    assert phone.send("Contact: <sip:a@h>").status == 200
    assert phone.send("Contact: <sip:b@h>").status == 403
    assert phone.counters["registrations_refused_at_limit"] == 1
    assert phone.send("Contact: <sip:a@h>").status == 200  # a refresh
    assert phone.send("Contact: <sip:b@h>, <sip:a@h>;expires=0").status == 200  # a change
    assert [one.contact for one in phone.store.kept["102"]] == ["sip:b@h"]


def test_contacts_of_one_request_are_bounded() -> None:
    phone = Phone()
    assert phone.send(*["Contact: <sip:a@h>;expires=0"] * 11).status == 403


def test_the_time_is_told() -> None:
    assert "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n" in Phone().send().headers


@pytest.mark.parametrize(
    "path", ["edge.example.com", "<edge.example.com>", "<sip:a b>", "<sip:h;lr>," * 9, f"<sip:{'h' * 1000}>"]
)
def test_bad_path(path: str) -> None:
    phone = Phone()
    assert phone.send("Contact: <sip:a@h>", f"Path: {path}").status == 400
    assert not phone.store.kept


@pytest.mark.parametrize(
    ("path", "source", "hop"),
    [
        ("<sip:192.0.2.7;lr>", Hop("udp", "192.0.2.7", 5080), Hop("udp", "192.0.2.7", 5060)),
        ("<sip:10.0.0.1;lr>", Hop("udp", "192.0.2.7", 5080), Hop("udp", "192.0.2.7", 5080)),
        ("<sip:edge.example.com;lr>", Hop("udp", "192.0.2.7", 5080), Hop("udp", "192.0.2.7", 5080)),
        ("<sip:192.0.2.7;lr;transport=tcp>", Hop("tcp", "192.0.2.7", 40000), Hop("tcp", "192.0.2.7", 5060)),
        ("<sip:192.0.2.7;lr>", Hop("tcp", "192.0.2.7", 40000), Hop("tcp", "192.0.2.7", 40000)),
    ],
)
def test_a_phone_behind_a_proxy_is_reached_by_the_proxy(path: str, source: Hop, hop: Hop) -> None:
    phone = Phone()
    phone.send("Contact: <sip:a@10.9.9.9>", f"Path: {path}", source=source)
    assert phone.store.kept["101"][0].hop == hop


TCP = Hop("tcp", "192.0.2.9", 51000)


@pytest.mark.parametrize(
    ("contact", "source", "hop"),
    [
        ("sip:a@10.0.0.4:5060", SOURCE, SOURCE),  # UDP lives on
        ("sip:a@192.0.2.9:5070;transport=tcp", TCP, Hop("tcp", "192.0.2.9", 5070)),
        ("sip:a@192.0.2.9;transport=tcp", TCP, Hop("tcp", "192.0.2.9", 5060)),
        ("sip:a@192.0.2.9:51000;transport=tcp", TCP, None),  # the connection's own port
        ("sip:a@10.0.0.4:5070;transport=tcp", TCP, None),  # behind a NAT
        ("sip:a@192.0.2.9:5070", TCP, None),
        ("sip:a@x.invalid;transport=ws", Hop("ws", "192.0.2.9", 51000), None),
    ],
)
def test_what_is_left_after_a_restart(contact: str, source: Hop, hop: Hop | None) -> None:
    kept = Binding(contact, "", 1.0, NOW, "c", 1, source, hop_for(contact, source))
    left = after_restart(kept)
    assert (left.hop if left else None) == hop


def test_a_flow_is_gone_with_its_connection_and_a_proxy_is_not() -> None:
    own = "sip:a@192.0.2.9:5070;transport=tcp"
    assert after_restart(Binding(own, "", 1.0, NOW, "c", 1, TCP, TCP, "<urn:x>", (), 1)) is None
    proxied = Binding("sip:a@h", "", 1.0, NOW, "c", 1, TCP, TCP._replace(port=5060), None, ("<sip:192.0.2.9;lr>",))
    assert after_restart(proxied) is proxied


JUNK: tuple[object, ...] = (
    None, -1, 5, 1.5, float("nan"), float("inf"), True, "", "x", [], {}, ["udp", "h", 5060], ["udp", 5, "x"],
    [[], [], []], ["udp", "192.0.2.7", 0], ["udp", "192.0.2.7", 5060, 0, 5, 6], ["icmp", "192.0.2.7", 5060], 1 << 80,
)  # fmt: skip


@pytest.mark.parametrize("key", Binding._fields)
def test_a_damaged_row_is_no_binding(key: str) -> None:
    """Whatever stands in the database, the server starts, and nothing that is restored fails later."""
    there = Hop("udp", "192.0.2.7", 40000)
    good = Binding("sip:101@192.0.2.7:5060", "", 1.0, NOW + 60, "c", 1, there, there).as_record()
    assert len(restored([good], NOW)) == 1
    for junk in JUNK:
        for one in restored([{**good, key: junk}], NOW):
            assert NOW < one.expires_at < NOW + (1 << 33) and 0 <= one.q <= 1
            assert key in ("params", "q", "call_id", "cseq", "instance", "path", "reg_id"), junk
            assert one.request_uri and restored([one.as_record()], NOW) == [one]


def test_what_a_store_gave_back_is_taken_as_far_as_it_can_be_read() -> None:
    good = Binding("sip:a@h", "", 1.0, NOW + 60, "c", 1, SOURCE, SOURCE).as_record()
    expired, of_a_later_version = {**good, "expires_at": NOW}, {**good, "colour": "red"}
    without = {name: value for name, value in good.items() if name != "hop"}
    records = [good, expired, without, of_a_later_version, {**good, "source": 7}, {}, {**good, "hop": ["udp"]}]
    assert [one.contact for one in restored(records, NOW)] == ["sip:a@h", "sip:a@h"]


def test_a_binding_survives_as_json() -> None:
    binding = Binding("sip:a@h", ";q=0.5", 0.5, NOW, "c\udcff", 7, TCP, SOURCE, "<urn:x>", ("<sip:h;lr>",), 2)
    assert Binding.of_record(json.loads(json.dumps(binding.as_record()))) == binding


@pytest.mark.parametrize(
    ("to", "lines", "status"),
    [
        ("sip:101@example.com", ("Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E",), 400),  # regbadct
        ("tel:+33142685300", ("Contact: <sip:a@h>",), 404),  # unksm2 (its own To is refused when the message is read)
        ("sip:101@example.com", ("Contact: <name:John_Smith>",), 400),
        ("sip:101@example.com", ("Contact: <sip:a@h:99999>",), 400),
        ("sip:101@example.com", ("Contact: <sip:a@[::1:z]:5070>",), 400),
        ("sip:101@example.com", ("Contact: <sip:a@h>,",), 400),
        ("sip:101@example.com", ("Contact: sip:+19725552222@gw1.example.net;unknownparam",), 200),  # cparam01
        ("sip:101@example.com", ("Contact: <sip:+19725552222@gw1.example.net;unknownparam>",), 200),  # cparam02
        ("sip:101@example.com", ("M: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>",), 200),  # regescrt
        ("sip:101@example.com", ("Contact: <sip:%00@h.example.com>", "Contact: <sip:%00%00@h.example.com>"), 200),
    ],
)
def test_rfc_4475(to: str, lines: tuple[str, ...], status: int) -> None:
    phone = Phone()
    reply = phone.send(*lines, to=to)
    assert reply.status == status
    if status != 200:
        assert not phone.store.kept
        return
    assert len(contacts(reply)) == len(lines)
    for line, shown in zip(lines, contacts(reply), strict=True):
        text = line.partition(": ")[2]
        shown_as = text if text.startswith("<") else "<" + text.replace(";", ">;")
        assert shown == f"{shown_as};expires=3600"


def test_regaut01_unknown_scheme_is_no_credential() -> None:
    reply = Phone().send("Authorization: NoOneKnowsThisScheme opaque-data=here", authenticate=False)
    assert reply.status == 401


def test_embedded_headers_are_kept_but_never_acted_on() -> None:
    phone = Phone()
    phone.send("Contact: <sip:user;a=?b@example.com?Route=%3Csip:sip.example.com%3E>")
    binding = phone.store.kept["101"][0]
    assert binding.contact.endswith("%3E") and binding.request_uri == "sip:user;a=?b@example.com"


@pytest.mark.parametrize(
    ("contact", "source", "hop"),
    [
        ("sip:a@192.0.2.9:5070", Hop("udp", "192.0.2.9", 5062), Hop("udp", "192.0.2.9", 5070)),
        ("sip:a@192.0.2.9", Hop("udp", "192.0.2.9", 5062, 1), Hop("udp", "192.0.2.9", 5060, 1)),
        ("sip:a@10.0.0.4:5060", Hop("udp", "192.0.2.9", 40000), Hop("udp", "192.0.2.9", 40000)),
        ("sip:a@phone.local", Hop("udp", "192.0.2.9", 40000), Hop("udp", "192.0.2.9", 40000)),
        ("sip:a@192.0.2.9:5070;transport=tcp", Hop("udp", "192.0.2.9", 1), Hop("tcp", "192.0.2.9", 5070)),
        ("sip:a@192.0.2.9:5070;transport=ws", Hop("udp", "192.0.2.9", 1), Hop("udp", "192.0.2.9", 1)),
        ("sip:a@192.0.2.9:5070;transport=tcp", Hop("tcp", "192.0.2.9", 51000), Hop("tcp", "192.0.2.9", 51000)),
        ("sip:a@192.0.2.9;transport=tls", Hop("udp", "192.0.2.9", 1), Hop("tls", "192.0.2.9", 5061)),
        ("sip:a@192.0.2.9;transport=tls", Hop("tls", "192.0.2.9", 51000), Hop("tls", "192.0.2.9", 51000)),
        ("sip:a@x.invalid;transport=ws", Hop("wss", "192.0.2.9", 51000), Hop("wss", "192.0.2.9", 51000)),
        ("sip:a@[2001:DB8::1]:5070", Hop("udp", "2001:db8::1", 1), Hop("udp", "2001:db8::1", 5070)),
    ],
)
def test_where_requests_to_a_contact_go(contact: str, source: Hop, hop: Hop) -> None:
    assert hop_for(contact, source) == hop
