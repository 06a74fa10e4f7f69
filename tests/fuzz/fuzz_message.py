"""The message target: one input as a datagram, as a stream and as a session description, and every value in it read as
all that a value is ever read as.

Only the declared errors may leave a parser (SipError, SdpError). What is read is written and read again: it must be the
same; the text functions of the hot path must agree with the values they stand for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from pbx.sdp.audio import AudioStream, quick_audio, read_audio
from pbx.sdp.errors import SdpError
from pbx.sdp.offer_answer import answer, make_offer, read_answer
from pbx.sdp.sdp import parse as parse_sdp
from pbx.sip.address import (
    Address,
    display_name_of,
    parts_of,
    split_values,
    tag_of,
    uri_of,
    validate_address,
    validate_contact,
    with_tag,
)
from pbx.sip.dialog import Dialog, hop_of
from pbx.sip.digest import DigestClient, DigestServer, choose_challenge
from pbx.sip.errors import BadResponse, SipError
from pbx.sip.framing import Framer
from pbx.sip.hop import Hop
from pbx.sip.message import Request, Response, parse, respond
from pbx.sip.refusal import TAG, is_acknowledgement, new_call, refusal
from pbx.sip.uri import Uri, host_port_of, user_of, validate_request_uri
from pbx.sip.via import Via, branch_of, reply_to, validate_via, via_stamp

T = TypeVar("T")

LIMIT_S: Final = 0.010
SOURCE: Final = Hop("udp", "192.0.2.9", 5060)
OUR_VIA: Final = "SIP/2.0/UDP 192.0.2.100:5060;branch=z9hG4bKours"
CODECS: Final = ("PCMA", "PCMU")
OFFER: Final = make_offer("192.0.2.1", 40000, CODECS, session_id=1)
DIGEST: Final = DigestServer("plateau", b"x" * 32, lambda user: "secret" if user else None)
MAX_VALUES: Final = 20  # of one header, and the longest that is read in every way: six ways cost more than any real
MAX_LENGTH: Final = 1000  # reader of it, and what that costs is tests/sip/test_cost.py's to say
NOW: Final = 1_800_000_000.0
ADDRESSES: Final = frozenset(
    ("From", "To", "Contact", "Route", "Record-Route", "Path", "Service-Route", "Refer-To", "Referred-By", "Reply-To",
     "P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "Diversion", "History-Info", "Alert-Info")
)  # fmt: skip
CREDENTIALS: Final = frozenset(("Authorization", "Proxy-Authorization"))
CHALLENGES: Final = frozenset(("WWW-Authenticate", "Proxy-Authenticate"))


def run(data: bytes) -> None:
    """Raises what should never be raised."""
    _stream(data)
    unread = _unread(data)
    try:
        message = parse(data)
    except SipError as error:
        _refused(error)
    else:
        if unread is not None and isinstance(message, Request):
            assert (unread.status, unread.call_id, unread.cseq) == (503, message.call_id, message.cseq)
            assert (unread.from_tag, unread.branch, unread.to_tag) == (message.from_tag, message.branch, TAG)
        _message(message)
        if message.body:
            _description(message.body)
    if data[:2] == b"v=":
        _description(data)


def _unread(data: bytes) -> Response | None:
    """The answer to an INVITE that is not read when there are too many; what the parser takes, it must be right for."""
    call = new_call(data)
    made = refusal(call, SOURCE, 5) if call is not None else None
    answer = tried(parse, made[0]) if made is not None else None
    assert not is_acknowledgement(data) or not call
    return answer if isinstance(answer, Response) else None


def tried(function: Callable[..., T], *args: object) -> T | None:
    """What the function gives, None if it refuses as it may."""
    try:
        return function(*args)
    except (SipError, SdpError):
        return None


def _stream(data: bytes) -> None:
    """The same messages whether it comes at once or in three pieces."""
    third = len(data) // 3 or 1
    whole, pieces = Framer(), Framer()
    one = _fed(whole, [data])
    three = _fed(pieces, [data[:third], data[third : 2 * third], data[2 * third :]])
    assert one == three, "the cut of a stream made a difference"
    for message in one:
        read = tried(parse, message) if message else None
        assert not isinstance(read, Request) or message is None or read.body == message.partition(b"\r\n\r\n")[2], (
            "the framer saw another body than the parser"
        )


def _fed(framer: Framer, parts: list[bytes]) -> list[bytes | None]:
    found: list[bytes | None] = []
    try:
        for part in parts:
            found.extend(framer.feed(part))
    except SipError as error:
        if error.status == 400 and isinstance(error.message, bytes):
            assert tried(parse, error.message) is None, "the parser takes a head whose length is in doubt"
        found.append(None)
    return found


def _refused(error: SipError) -> None:
    request = error.message
    if error.status is None or not isinstance(request, Request):
        return
    lines = request.all("Via")
    if lines and lines[0]:
        via = request.via or split_values(lines[0])[0]
        via = tried(via_stamp, via, SOURCE.host, SOURCE.port) or via
        tried(reply_to, via, SOURCE.host, SOURCE.port)
        respond(request, error.status, via=via, to_tag="t", reason=error.reason)


def _message(message: Request | Response) -> None:
    for name in {name for name, _ in message.headers}:
        lines, values = message.all(name), message.values(name)
        if name in ADDRESSES:
            tried(validate_contact, lines[0])
            for value in values[:MAX_VALUES]:
                _address(value)
        elif name == "Via":
            tried(validate_via, lines[0])
            for value in values[:MAX_VALUES]:
                _via(value)
        elif name in CREDENTIALS:
            tried(DIGEST.verify, message.cseq_method, lines, NOW, message.body)
        elif name in CHALLENGES:
            _challenge(lines)
    _via(message.via)
    assert Via.parse(message.via).branch in ("", message.branch)  # as with tags: see _address
    if isinstance(message, Request):
        _uri(message.uri)
        tried(validate_request_uri, message.uri)
        _request(message)
    else:
        dialog = Dialog(message.call_id, "<sip:a@b>;tag=t", "<sip:c@d>", "t", None, "sip:c@d", "<sip:a@b>", SOURCE)
        dialog.establish(message, SOURCE)
        _in_dialog(dialog)


def _request(request: Request) -> None:
    via = via_stamp(request.via, SOURCE.host, SOURCE.port)
    reply_to(via, SOURCE.host, SOURCE.port)
    reply = _read(respond(request, 200, via=via, to_tag="ours", headers="Content-Type: text/plain\r\n", body="é"))
    if reply is None:
        return
    assert isinstance(reply, Response) and (reply.status, reply.cseq) == (200, request.cseq)
    assert (reply.call_id, reply.from_tag, reply.branch) == (request.call_id, request.from_tag, request.branch)
    assert reply.to_tag == ("ours" if request.to_tag is None else request.to_tag)
    assert reply.values("Via") == [reply.via, *(one for one in request.values("Via")[1:] if one)]
    if request.to_tag is None:
        _in_dialog(Dialog.of_request(request, "ours", "<sip:us@192.0.2.100>", SOURCE))


def _read(ours: bytes) -> Request | Response | None:
    """What we wrote, read; None if it has the one mark too many that its cause had not yet (MAX_MARKS)."""
    try:
        return parse(ours)
    except BadResponse as error:
        assert error.reason == "Head too large"
        return None


def _in_dialog(dialog: Dialog) -> None:
    """What we send into the dialog that a peer's message began can be read."""
    dialog.next_hop()
    bye = _read(dialog.request("BYE", 2, OUR_VIA))
    if bye is None:
        return
    assert isinstance(bye, Request) and bye.method == "BYE" and bye.from_tag == dialog.local_tag
    assert bye.to_tag == dialog.remote_tag and len(bye.values("Route")) == len(dialog.route_set)


def _address(value: str) -> None:
    if len(value) > MAX_LENGTH:
        tried(Address.parse, value)
        return
    tag, uri, name = tried(tag_of, value), tried(uri_of, value), tried(display_name_of, value)
    tried(with_tag, value, "t")
    good = tried(_is_good, value)
    address = tried(Address.parse, value)
    if uri:
        _uri(uri)
    if address is None:
        ours = (uri or "").partition(":")[0].lower() in ("sip", "sips", "tel")
        assert not good or not ours or tried(host_port_of, uri) is None, repr(value)[:200]  # a port out of range
        return
    again = Address.parse(str(address))  # control characters of quoted strings are left out in writing
    assert (str(again), again.uri, len(again.params)) == (str(address), address.uri, len(address.params))
    assert parts_of(value)[1] == uri
    assert address.display_name is None or address.display_name == name
    assert address.tag in ("", tag)  # a tag without a value beside one that has it: no reader needs to prefer the same


def _is_good(value: str) -> bool:
    validate_address(value)
    return True


def _uri(text: str) -> None:
    tried(hop_of, text, SOURCE)
    user = user_of(text)
    place = tried(host_port_of, text)
    uri = tried(Uri.parse, text)
    if uri is None:
        return
    assert Uri.parse(str(uri)) == uri and uri.matches(uri)
    if uri.scheme != "tel":
        host = uri.host.strip("[]").replace(":::", "::") if uri.host[0] == "[" else uri.host
        assert place == (host, uri.port, uri.transport), (place, uri)
        assert user == uri.username


def _via(value: str) -> None:
    if len(value) > MAX_LENGTH:
        tried(Via.parse, value)
        return
    via = tried(Via.parse, value)
    tried(branch_of, value)
    stamped = tried(via_stamp, value, SOURCE.host, SOURCE.port)
    where = tried(reply_to, value, SOURCE.host, SOURCE.port)
    if via is None:
        return
    assert Via.parse(str(via)) == via
    assert via.branch in ("", branch_of(str(via))) and where == via.reply_to(SOURCE.host, SOURCE.port)
    assert stamped is not None and Via.parse(stamped) == via.stamped(SOURCE.host, SOURCE.port)


def _challenge(lines: list[str]) -> None:
    challenge = choose_challenge(lines)
    if challenge is None:
        return
    credentials = DigestClient(challenge, "anna", "secret").credentials("INVITE", "sip:b@c", "cnonce")
    assert "\r" not in credentials and "\n" not in credentials
    tried(DIGEST.verify, "INVITE", [credentials], NOW)


def _description(body: bytes) -> None:
    text = body.decode("utf-8", "replace")
    session = tried(parse_sdp, text)
    if session is not None:
        assert parse_sdp(str(session)) == session
    stream = tried(read_audio, text)
    quick = tried(quick_audio, text)
    assert quick is None or quick == stream
    if isinstance(stream, AudioStream):
        _answered(stream)
    tried(read_answer, text, OFFER)


def _answered(stream: AudioStream) -> None:
    made = tried(lambda: answer(stream, "192.0.2.1", 40000, CODECS, session_id=1))
    if made is not None:
        ours = read_audio(made[0], stream.m_line)
        assert len(ours.layout) == len(stream.layout) and made[1].codec in CODECS
