"""SIP and tel URIs: RFC 3261 19.1 (with its examples), RFC 3966, and the URI cases of RFC 4475."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.sip.errors import BadUri
from pbx.sip.uri import Uri, host_port_of, user_of, validate_request_uri

ESCAPED = st.integers(0, 255).map(lambda octet: f"%{octet:02X}")
USER_CHARS = st.sampled_from("abcXYZ019-_.!~*'()&=+$,;?/#")
USER = st.lists(st.one_of(USER_CHARS, ESCAPED), min_size=1, max_size=12).map("".join)
PASSWORD = st.lists(st.one_of(st.sampled_from("abc019&=+$,"), ESCAPED), max_size=6).map("".join)
HOST = st.one_of(
    st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,3})?(\.[a-z]{1,5}){0,2}", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
)
PARAM_CHARS = st.sampled_from("abc-_.!~*'()[]/:&+$019")
PARAM_TEXT = st.lists(st.one_of(PARAM_CHARS, ESCAPED), min_size=1, max_size=6).map("".join)
PARAMS = st.lists(
    st.one_of(
        st.tuples(PARAM_TEXT, st.one_of(st.none(), PARAM_TEXT)),
        st.sampled_from([("transport", "tcp"), ("Transport", "UDP"), ("lr", None), ("user", "phone")]),
    ),
    max_size=3,
    unique_by=lambda one: one[0].lower(),
).map(tuple)
HEADER_NAMES = PARAM_TEXT.filter(lambda text: "&" not in text)
HEADERS = st.lists(st.tuples(HEADER_NAMES, st.sampled_from(["", "1", "a%20b"])), max_size=2)


@st.composite
def sip_uris(draw: st.DrawFn) -> Uri:
    user = draw(st.one_of(st.none(), USER))
    password = draw(st.one_of(st.none(), PASSWORD)) if user is not None else None
    port = draw(st.one_of(st.none(), st.integers(1, 65535)))
    headers = tuple((name, value) for name, value in draw(HEADERS))
    return Uri(draw(st.sampled_from(["sip", "sips"])), user, password, draw(HOST), port, draw(PARAMS), headers)


TEL = st.builds(
    lambda number, params: Uri("tel", number, None, "", None, params),
    st.from_regex(r"\+?[0-9*#.()\-]{1,12}", fullmatch=True),
    PARAMS,
)


@settings(max_examples=150)
@given(st.one_of(sip_uris(), TEL))
def test_round_trip(uri: Uri) -> None:
    assert Uri.parse(str(uri)) == uri
    assert uri.matches(uri)


@settings(max_examples=150)
@given(st.one_of(sip_uris(), TEL))
def test_text_functions_equal_the_object(uri: Uri) -> None:
    text = str(uri)
    assert user_of(text) == uri.username
    if uri.scheme != "tel":
        host = uri.host[1:-1] if uri.host.startswith("[") else uri.host
        assert host_port_of(text) == (host, uri.port, uri.transport)


@settings(max_examples=150)
@given(st.text(max_size=60), st.sampled_from(["", "sip:", "sips:a@", "tel:", "sip:a@[", "sip:h;", "sip:h?"]))
def test_any_text_is_read_or_refused(text: str, prefix: str) -> None:
    for function in (Uri.parse, validate_request_uri, host_port_of):
        try:
            function(prefix + text)
        except BadUri as error:
            assert error.status in (400, 416)
    user_of(prefix + text)


@given(st.text(min_size=1, max_size=20))
def test_any_user_can_be_made_into_a_uri(user: str) -> None:
    uri = Uri.sip(user, "::1", 5060)
    assert Uri.parse(str(uri)).username == user
    assert uri.host == "[::1]"


@pytest.mark.parametrize(
    ("a", "b"),
    [  # RFC 3261 19.1.4, first list
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0:0::1]"),
        ("tel:+33-1-42-68-53-00", "tel:+33(1)42.68.53.00"),
        ("tel:100;ext=1-2;phone-context=x", "tel:100;phone-context=X;ext=12"),
    ],
)
def test_equal(a: str, b: str) -> None:
    assert Uri.parse(a).matches(Uri.parse(b))
    assert Uri.parse(b).matches(Uri.parse(a))


@pytest.mark.parametrize(
    ("a", "b"),
    [  # RFC 3261 19.1.4, second list
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=off", "sip:carol@chicago.com;security=on"),
        ("sips:bob@biloxi.com", "sip:bob@biloxi.com"),
        ("sip:a%40b@biloxi.com", "sip:a%3Bb@biloxi.com"),
        ("sip:a%3Bb@biloxi.com", "sip:a;b@biloxi.com"),
        ("sip:a@biloxi.com", "sip:a:pw@biloxi.com"),
        ("tel:100", "tel:101"),
        ("tel:100", "tel:100;ext=1"),
    ],
)
def test_not_equal(a: str, b: str) -> None:
    assert not Uri.parse(a).matches(Uri.parse(b))


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("<sip:user@example.com>", 400),  # RFC 4475 ltgtruri
        ("sip:user@example.com; lr", 400),  # lwsruri
        ("sip:user@example.com?Route=%3Csip:example.com%3E", 400),  # escruri
        ("nobodyKnowsThisScheme:totallyopaquecontent", 416),  # unkscm
        ("soap.beep://192.0.2.103:3002", 416),  # novelsc
        ("isbn:2983792873", 416),
        ("", 400),
        ("sip:", 400),
        ("sip:@host", 400),
        ("sip:user@", 400),
        ("sip:user@ho st", 400),
        ("sip:user@host:port", 400),
        ("sip:user@host:123456", 400),
        ("sip:us%4er@host", 200),
        ("sip:us%er@host", 400),
        ("tel:", 400),
        ("sip:user;par=u%40example.net@example.com", 200),  # semiuri
        ("sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@h.com", 200),
        ("sip:sips%3Auser%40example.com@example.net", 200),  # esc01
        ("sip:vivekg@chair-dnrc.example.com;unknownparam", 200),  # wsinv
        ("sip:*21#@pbx_1.local", 200),
        ("sip:%00@host5.example.com", 200),  # escnull
    ],
)
def test_request_uri(text: str, status: int) -> None:
    if status == 200:
        validate_request_uri(text)
        assert str(Uri.parse(text)) == text
    else:
        with pytest.raises(BadUri) as caught:
            validate_request_uri(text)
        assert caught.value.status == status


@pytest.mark.parametrize("port", ["0", "65536", "99999"])
def test_port_out_of_range(port: str) -> None:
    for function in (Uri.parse, host_port_of):
        with pytest.raises(BadUri, match="port"):
            function(f"sip:a@h:{port}")


def test_parts_keep_their_meaning() -> None:
    uri = Uri.parse("sips:j%40x:secret@[2001:db8::9]:5061;transport=TLS;lr?Subject=a%20b")
    assert (uri.username, uri.password, uri.host, uri.port) == ("j@x", "secret", "[2001:db8::9]", 5061)
    assert (uri.transport, uri.param("lr"), uri.param("nothing")) == ("tls", "", None)
    assert uri.headers == (("Subject", "a%20b"),)


def test_null_octets_are_two_different_users() -> None:
    """RFC 4475 3.1.1.4: %00 is not the end of a string."""
    assert not Uri.parse("sip:%00@h").matches(Uri.parse("sip:%00%00@h"))


def test_hostile_length_costs_linear_time() -> None:
    hostile = ("a" * 50_000, "a-" * 50_000 + "!", "h" + ";a=b" * 20_000 + '"', "%41" * 20_000)
    for text in [f"sip:{one}" for one in hostile]:
        try:
            validate_request_uri(text)
        except BadUri:
            pass


@pytest.mark.parametrize("uri", ["sip:a@h;transport=;transport=tcp", "sip:a@h;transport;transport=tcp"])
def test_of_a_parameter_that_is_there_twice_the_first_counts(uri: str) -> None:
    """A parameter must not be (RFC 3261 19.1.1); all readers shall see the same."""
    assert host_port_of(uri)[2] is None and Uri.parse(uri).transport is None
