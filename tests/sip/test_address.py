"""name-addr and addr-spec: RFC 3261 20.10, 25.1, and the address cases of RFC 4475."""

from __future__ import annotations

import pytest
import sipmessage
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.sip.address import (
    Address,
    display_name_of,
    split_values,
    tag_of,
    uri_of,
    validate_address,
    validate_contact,
    with_tag,
)
from pbx.sip.errors import SipError
from pbx.sip.grammar import is_token, quote, unquote
from pbx.sip.uri import Uri

TOKEN = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=8)
PRINTABLE = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=12)
VALUE = st.one_of(st.none(), TOKEN, PRINTABLE, st.sampled_from(["a;tag=b", "x>y", 'q"q', "[::1]", "a,b"]))
PARAMS = st.lists(
    st.one_of(st.tuples(TOKEN, VALUE), st.tuples(st.sampled_from(["tag", "Tag"]), TOKEN)),
    max_size=3,
    unique_by=lambda one: one[0].lower(),
).map(tuple)
URIS = st.sampled_from(
    [
        "sip:a@example.com", "sip:a;tag=no@example.com", "sip:h;tag=no", "sips:h:5061;lr", "tel:+33123;ext=4",
        "sip:a,b@h?X=1", "sip:%22q%22@h",
    ]
).map(Uri.parse)  # fmt: skip
ODD_NAMES = st.sampled_from(["<sip:x@y>", "a;tag=b", 'say "hi"', "a\\b", "A, B", ""])
NAMES = st.one_of(st.none(), TOKEN, PRINTABLE, ODD_NAMES)
ADDRESSES = st.builds(Address, NAMES, URIS, PARAMS)


def plain(address: Address) -> Address:
    """A flag and an empty value can't be told apart by those who look a parameter up."""
    return Address(address.display_name or None, address.uri, tuple((k, v or None) for k, v in address.params))


@settings(max_examples=150)
@given(ADDRESSES)
def test_round_trip(address: Address) -> None:
    text = str(address)
    again = Address.parse(text)
    assert plain(again) == plain(address)
    validate_address(text)
    assert str(again) == str(Address.parse(str(again)))


@settings(max_examples=150)
@given(ADDRESSES)
def test_text_functions_equal_the_object(address: Address) -> None:
    text = str(address)
    assert tag_of(text) == Address.parse(text).tag
    assert uri_of(text) == str(address.uri)
    assert display_name_of(text) == (address.display_name or "")
    tagged = with_tag(text, "t1")
    assert tag_of(tagged) == (address.tag if address.tag is not None else "t1")
    assert with_tag(tagged, "t2") == tagged


@settings(max_examples=150)
@given(st.lists(ADDRESSES, min_size=1, max_size=4))
def test_split_finds_the_joints(addresses: list[Address]) -> None:
    texts = [str(address) for address in addresses]
    assert split_values(", ".join(texts)) == texts
    validate_contact(",".join(texts))


@settings(max_examples=150)
@given(st.text('abc:;,<>"\\ =@?.%[]\tsip:é', max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    for function in (Address.parse, validate_address, validate_contact, tag_of, uri_of, display_name_of):
        try:
            function(text)
        except SipError as error:
            assert error.status in (400, 416)
    assert len(split_values(text)) <= text.count(",") + 1


@settings(max_examples=150)
@given(st.text('abc:;<>"\\ =@.sip:', max_size=30))
def test_what_the_validator_takes_the_object_takes(text: str) -> None:
    value = "sip:" + text
    try:
        validate_address(value)
    except SipError:
        return
    assert uri_of(value) == str(Address.parse(value).uri)
    assert tag_of(value) == Address.parse(value).tag


@given(PRINTABLE)
def test_quoting(text: str) -> None:
    assert unquote(quote(text)) == text
    assert not is_token(quote(text))


def test_quoting_can_not_forge_a_header() -> None:
    assert "\r" not in quote("a\r\nEvil: 1") and "\n" not in quote("a\r\nEvil: 1")


def test_a_name_without_its_control_characters_is_written_as_any_other() -> None:
    """Found by the fuzzer: it was quoted, and not quoted when it was read and written again."""
    address = Address.parse('"An\\\x02 Martin" <sip:anna@example.com>')
    assert str(address) == "An Martin <sip:anna@example.com>"
    assert str(Address.parse(str(address))) == str(address)


GOOD = [
    "sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n",  # RFC 4475 wsinv
    '"J Rosenberg \\\\\\""       <sip:jdrosen@example.com>  ;  tag = 98asjd8',
    '"BEL:\\\a NUL:\\\0 DEL:\\\x7f" <sip:1_unusual.URI~(to-be!sure)&isn\'t+it$/crazy?,/;;*@example.com>',  # intmeth
    "token1~` token2'+_ token3*%!.- <sip:mundane@example.com>"
    ";fromParam''~+*_!.-%=\"работающий\";tag=_token~1'+`*%!-.",
    "caller<sip:caller@example.com>;tag=323",  # lwsdisp
    "sip:null-%00-null@example.com;tag=839923423",  # escnull
    '"%Z%45" <sip:resource@example.com>;tag=f232jadfj23',  # esc02
    "isbn:2983792873",  # unksm2: not ours, but an address
    "<http://www.example.com>;tag=3234233",
    "sip:+16505552222@ss1.example.net;user=phone",  # inv2543
    "<tel:+33142685300>;tag=a",
    '"" <sip:a@b>',
    "<sip:a@[::1]:5060;lr>",
]


@pytest.mark.parametrize("value", GOOD)
def test_unusual_but_valid(value: str) -> None:
    validate_address(value)
    validate_contact(value)


@pytest.mark.parametrize(
    "value",
    [
        '"Mr. J. User <sip:j.user@example.com>',  # RFC 4475 quotbal
        '"Watson, Thomas" < sip:t.watson@example.org >',  # badaspec
        "Bell, Alexander <sip:a.g.bell@example.com>;tag=43",  # baddn
        "sip:user@example.com?Route=%3Csip:sip.example.com%3E",  # regbadct
        '"Joe" <sip:joe@example.org>;;;;',  # badinv01
        "",
        "nonsense",
        "<sip:a@b",
        "sip:a@b>",
        "<>",
        "<sip:>",
        "sip:a@",
        "sip:a@b c",
        "<sip:a@b> x",
        "<sip:a@b>;tag=",
        "<sip:a@b>;tag=<",
        "<sip:a b@c>",
        '"a" "b" <sip:a@b>',
        "sip:a@b\r\nEvil: x",
        "<sip:a@b>\r\nEvil: x",
        "sip:a;b@c",  # must be in <>
    ],
)
def test_invalid(value: str) -> None:
    for function in (validate_address, validate_contact):
        with pytest.raises(SipError) as caught:
            function(value)
        assert caught.value.status == 400


def test_star_is_a_contact_but_no_address() -> None:
    validate_contact("*")
    with pytest.raises(SipError):
        validate_address("*")


def test_contact_list_with_a_gap() -> None:
    with pytest.raises(SipError):
        validate_contact("<sip:a@b>,,<sip:c@d>")


def test_semicolon_belongs_to_the_header_without_brackets() -> None:
    """RFC 3261 20.10 and RFC 4475 3.3.11, 3.3.12 (cparam01, cparam02)."""
    bare = Address.parse("sip:+19725552222@gw1.example.net;unknownparam")
    inside = Address.parse("<sip:+19725552222@gw1.example.net;unknownparam>")
    assert (bare.params, bare.uri.params) == ((("unknownparam", None),), ())
    assert (inside.params, inside.uri.params) == ((), (("unknownparam", None),))


def test_of_two_tags_the_first_counts() -> None:
    """RFC 3261 7.3.1 allows but one; whoever sends two gets the same answer from every reader."""
    value = "<sip:a@b>;tag=a;tag=b"
    assert tag_of(value) == Address.parse(value).tag == "a"


def test_with_param_replaces_in_place() -> None:
    address = Address.parse("<sip:a@b>;Expires=1;q=0.5").with_param("expires", "60").with_param("x", None)
    assert str(address) == "<sip:a@b>;Expires=60;q=0.5;x"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("  ", []),
        ("a", ["a"]),
        ("a , b", ["a", "b"]),
        ("a,,b,", ["a", "", "b", ""]),
        ('"a,b" <sip:x,y@h>, c', ['"a,b" <sip:x,y@h>', "c"]),
        ('"a\\",b" <sip:x>, "c', ['"a\\",b" <sip:x>', '"c']),
        ("<sip:a,b", ["<sip:a,b"]),
    ],
)
def test_split(text: str, values: list[str]) -> None:
    assert split_values(text) == values


USUAL_TOKEN = st.text("abcXYZ019-_", min_size=1, max_size=8)
USUAL_PARAMS = st.dictionaries(USUAL_TOKEN.map(str.lower), st.one_of(st.none(), USUAL_TOKEN), max_size=3)


@settings(max_examples=100)
@given(
    st.one_of(st.just(""), USUAL_TOKEN),
    USUAL_TOKEN,
    st.one_of(st.none(), st.integers(1, 65535)),
    USUAL_PARAMS,
    USUAL_PARAMS,
)
def test_an_independent_parser_agrees(
    name: str, user: str, port: int | None, inner: dict[str, str | None], outer: dict[str, str | None]
) -> None:
    """The same text read by `sipmessage`, and what either writes read by the other."""
    uri = Uri.sip(user, "host.example.com", port, tuple(inner.items()))
    ours = Address(name or None, uri, tuple(outer.items()))
    theirs = sipmessage.Address.parse(str(ours))
    assert (theirs.name, theirs.uri.user, theirs.uri.host, theirs.uri.port) == (name, user, "host.example.com", port)
    assert dict(theirs.uri.parameters) == inner and dict(theirs.parameters) == outer
    assert Address.parse(str(theirs)) == ours
