"""What is written is read as it was meant; reading and writing again changes nothing: values and whole messages."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.sip.address import Address, split_values
from pbx.sip.dialog import Dialog
from pbx.sip.digest import Challenge, DigestClient, read_params
from pbx.sip.framing import Framer
from pbx.sip.grammar import format_params, parse_params, quote, unquote
from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response, parse, respond
from pbx.sip.uri import Uri
from pbx.sip.via import Via

PROFILE = settings(max_examples=200)
HOP = Hop("udp", "198.51.100.7", 5062)

TOKENS = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=10)
TEXT = st.text(st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs", "Cc"]), max_size=15)
HOSTS = st.sampled_from(["192.0.2.1", "phone.example.com", "[2001:db8::1]", "h", "h.", "a_b-c.d"])
PORTS = st.one_of(st.none(), st.integers(1, 65535))
USERS = st.one_of(st.none(), st.text("abcXYZ019-_.!~*'()&=+$,;?/#", min_size=1, max_size=10), st.just("a%20%C3%A9%00"))
URI_WORDS = st.text("abcXYZ019-_.!~*'()[]/:&+$", min_size=1, max_size=6)
URI_PARAMS = st.lists(st.tuples(URI_WORDS, st.one_of(st.none(), URI_WORDS)), max_size=3).map(tuple)
URI_HEADERS = st.lists(st.tuples(URI_WORDS.map(lambda w: w.replace("&", "+")), st.just("b%20c")), max_size=2).map(tuple)
PARAMS = st.lists(
    st.tuples(TOKENS, st.one_of(st.none(), TOKENS, TEXT)), max_size=3, unique_by=lambda one: one[0].lower()
).map(tuple)
URIS = st.builds(Uri, st.sampled_from(["sip", "sips"]), USERS, st.none(), HOSTS, PORTS, URI_PARAMS, URI_HEADERS)
TARGETS = URIS.map(lambda uri: replace(uri, headers=()))
ADDRESSES = st.builds(Address, st.one_of(st.none(), TEXT), URIS, PARAMS)
VIAS = st.builds(Via, st.sampled_from(["UDP", "TCP", "TLS", "WSS", "X-Y"]), HOSTS, PORTS, PARAMS)
WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_characters="\x7f\x85\xa0"), max_size=12)
BODIES = st.text(max_size=40)


def tagged(address: Address, tag: str) -> Address:
    return Address(address.display_name, replace(address.uri, headers=()), (("tag", tag),))


@PROFILE
@given(URIS)
def test_uris(uri: Uri) -> None:
    assert Uri.parse(str(uri)) == uri and str(Uri.parse(str(uri))) == str(uri)


@PROFILE
@given(st.lists(ADDRESSES, min_size=1, max_size=4))
def test_addresses_in_a_list(addresses: list[Address]) -> None:
    line = ", ".join(map(str, addresses))
    assert [Address.parse(one) for one in split_values(line)] == addresses


@PROFILE
@given(st.lists(VIAS, min_size=1, max_size=4))
def test_vias_in_a_list(vias: list[Via]) -> None:
    assert [Via.parse(one) for one in split_values(",".join(map(str, vias)))] == vias


@PROFILE
@given(PARAMS, TEXT)
def test_parameters_and_quoted_strings(params: tuple[tuple[str, str | None], ...], text: str) -> None:
    assert parse_params(format_params(params)) == params
    assert unquote(quote(text)) == text


@st.composite
def requests(draw: st.DrawFn) -> tuple[Request, bytes]:
    """A request as it is meant, and as it is written."""
    method, uri, body = draw(TOKENS), str(draw(TARGETS)), draw(BODIES).encode()
    headers = [
        *(("Via", str(via)) for via in draw(st.lists(VIAS, min_size=1, max_size=3))),
        ("From", str(tagged(draw(ADDRESSES), draw(TOKENS)))), ("To", str(draw(ADDRESSES))),
        ("Call-ID", draw(TOKENS)), ("CSeq", f"{draw(st.integers(0, 2**31 - 1))} {method}"),
        *(("Contact", str(one)) for one in draw(st.lists(ADDRESSES, max_size=2))),
        *(("Record-Route", f"<sip:{host};lr>") for host in draw(st.lists(HOSTS, max_size=2))),
        *((f"X-{name}", value) for name, value in draw(st.lists(st.tuples(TOKENS, WORDS), max_size=3))),
        ("Content-Length", str(len(body))),
    ]  # fmt: skip
    return Request(method, uri, headers, body), written(f"{method} {uri} SIP/2.0", headers, body)


def written(start: str, headers: list[tuple[str, str]], body: bytes) -> bytes:
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"{start}\r\n{head}\r\n".encode("utf-8", "surrogateescape") + body


@PROFILE
@given(requests())
def test_requests(sample: tuple[Request, bytes]) -> None:
    meant, data = sample
    read = parse(data)
    assert isinstance(read, Request)
    assert (read.method, read.uri, read.headers, read.body) == (meant.method, meant.uri, meant.headers, meant.body)
    assert written(f"{read.method} {read.uri} SIP/2.0", read.headers, read.body) == data
    assert [message for part in (data[:9], data[9:]) for message in FRAMER.feed(part)] == [data]


FRAMER = Framer()


@PROFILE
@given(requests(), st.integers(100, 699), BODIES, TOKENS, WORDS)
def test_replies(sample: tuple[Request, bytes], status: int, body: str, tag: str, reason: str) -> None:
    """RFC 3261 8.2.6.2: what a reply repeats, it repeats as it came; read, and written again, it is the same."""
    request = parse(sample[1])
    assert isinstance(request, Request)
    data = respond(request, status, via=request.via, to_tag=tag, reason=reason or None, headers="X-Y: y\r\n", body=body)
    reply = parse(data)
    assert isinstance(reply, Response) and reply.status == status and reply.body == body.encode()
    for name in ("From", "Call-ID", "CSeq", "Record-Route"):
        assert reply.all(name) == request.all(name)
    assert [Via.parse(one) for one in reply.values("Via")] == [Via.parse(one) for one in request.values("Via")]
    assert reply.to_tag == (tag if request.to_tag is None else request.to_tag) and reply.get("X-Y") == "y"
    assert written(f"SIP/2.0 {reply.status} {reply.reason}", reply.headers, reply.body) == data


@PROFILE
@given(requests(), st.sampled_from(["BYE", "INVITE", "INFO", "UPDATE"]), st.integers(0, 2**31 - 1), BODIES)
def test_requests_in_a_dialog(sample: tuple[Request, bytes], method: str, cseq: int, body: str) -> None:
    """RFC 3261 12.2.1.1: the side that was called asks the other; whoever reads it finds the same dialog."""
    invite = parse(sample[1])
    assert isinstance(invite, Request)
    dialog = Dialog.of_request(invite, "ours", "<sip:us@192.0.2.100>", HOP)
    headers = "Content-Type: text/plain\r\n" if body else ""
    data = dialog.request(method, cseq, "SIP/2.0/UDP 192.0.2.100;branch=z9hG4bKx", headers, body)
    read = parse(data)
    assert isinstance(read, Request)
    assert (read.method, read.cseq, read.body) == (method, cseq, body.encode())
    assert (read.call_id, read.to_tag) == (invite.call_id, invite.from_tag)
    assert read.from_tag == (invite.to_tag if invite.to_tag else "ours")
    assert read.uri == dialog.remote_target and tuple(read.all("Route")) == dialog.route_set
    assert written(f"{method} {read.uri} SIP/2.0", read.headers, read.body) == data


@PROFILE
@given(TEXT, TEXT, TEXT, st.sampled_from(["MD5", "SHA-256", "MD5-sess"]), st.sampled_from([None, "auth", "auth-int"]),
       st.one_of(st.none(), TEXT), st.booleans())  # fmt: skip
def test_challenges_and_credentials(
    user: str, realm: str, nonce: str, algorithm: str, qop: str | None, opaque: str | None, stale: bool
) -> None:
    """RFC 7616 3.3, 3.4: a challenge as it was meant, and credentials that say of whom and for what they are."""
    meant = Challenge(realm, nonce, algorithm, True, qop, opaque, stale)
    text = f"Digest realm={quote(realm)}, nonce={quote(nonce)}, algorithm={algorithm}, stale={str(stale).lower()}"
    text += f', qop="{qop}"' if qop else ""
    text += f", opaque={quote(opaque)}" if opaque is not None else ""
    challenge = Challenge.parse(text)
    assert challenge == meant
    params = read_params(DigestClient(challenge, user, "secret").credentials("INVITE", "sip:a@b", "cn"))
    assert params is not None
    assert (params["username"], params["realm"], params["nonce"], params["uri"]) == (user, realm, nonce, "sip:a@b")
    assert params.get("opaque") == opaque and params.get("qop") == qop and params["algorithm"] == algorithm


@PROFILE
@given(st.lists(requests(), max_size=4), st.lists(st.integers(1, 300), max_size=12))
def test_a_stream_of_messages_however_cut(samples: list[tuple[Request, bytes]], sizes: list[int]) -> None:
    stream, framer = b"".join(data for _, data in samples), Framer()
    found: list[bytes] = []
    for size in sizes:
        found += framer.feed(stream[:size])
        stream = stream[size:]
    found += framer.feed(stream)
    assert found == [data for _, data in samples] and not framer.partial
