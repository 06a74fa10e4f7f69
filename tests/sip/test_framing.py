"""Messages out of a stream (RFC 3261 18.3, 20.14, RFC 5626 4.4.1): the same however cut, bounded whatever it says."""

from __future__ import annotations

import itertools
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.sip.errors import BadMessage, BadResponse, SipError
from pbx.sip.framing import PING, Framer
from pbx.sip.message import MAX_BODY_BYTES, MAX_HEAD_BYTES, parse

PROFILE = settings(max_examples=300)


def message(body: bytes = b"", length: str | None = None, name: str = "Content-Length", extra: str = "") -> bytes:
    said = str(len(body)) if length is None else length
    return f"MESSAGE sip:a@b SIP/2.0\r\n{extra}{name}: {said}\r\n\r\n".encode() + body


#: Bodies that look like what they are not.
BODIES = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([b"\r\n\r\n", b"\r\n", message(), b"Content-Length: 99\r\n\r\n", b"\r\n\r\n\r\n\r\nINVITE"]),
)
MESSAGES = st.builds(
    message,
    BODIES,
    name=st.sampled_from(["Content-Length", "l", "L", "CONTENT-LENGTH", "content-length ", "l\t"]),
    extra=st.sampled_from(
        ["", "X: l: 5\r\n", "X-Content-Length: 9\r\n", "X: a\r\n Content-Length: 9\r\n", "ll: 7\r\n"]
    ),
)
STREAMS = st.lists(st.one_of(MESSAGES, st.just(PING)), max_size=6)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(ends)]


@PROFILE
@given(STREAMS, st.lists(st.integers(0, 10_000), max_size=10))
def test_any_cut_gives_the_same_messages(stream: list[bytes], places: list[int]) -> None:
    framer = Framer()
    found = [one for part in cut(b"".join(stream), places) for one in framer.feed(part)]
    assert found == stream
    assert not framer.partial


@PROFILE
@given(STREAMS)
def test_octet_by_octet(stream: list[bytes]) -> None:
    framer = Framer()
    assert [one for octet in b"".join(stream) for one in framer.feed(bytes([octet]))] == stream


@PROFILE
@given(st.lists(st.binary(max_size=40), max_size=8))
def test_any_octets(parts: list[bytes]) -> None:
    """Nothing but SipError, and nothing given that was not sent."""
    framer, found = Framer(), b""
    try:
        for part in parts:
            found += b"".join(framer.feed(part))
    except SipError:
        pass
    assert len(found) <= len(b"".join(parts))


def test_partial() -> None:
    framer = Framer()
    for part, partial in (
        (b"", False),
        (b"MES", True),
        (message()[3:], False),
        (message(b"ab")[:-1], True),
        (b"b", False),
    ):
        list(framer.feed(part))
        assert framer.partial is partial


def test_a_lone_line_end_is_no_half_message() -> None:
    """Some peers keep a connection alive with one line end: they are not to be cut off as too slow."""
    framer = Framer()
    assert list(framer.feed(b"\r\n")) == [] and not framer.partial
    assert list(framer.feed(message())) == [message()]


def test_line_ends_before_a_message_are_skipped() -> None:
    """RFC 3261 7.5."""
    assert list(Framer().feed(b"\r\n" + message() + b"\r\n\r\n\r\n" + message())) == [message(), PING, message()]


INNER = message()


@pytest.mark.parametrize("name", ["Content-Length", "l", "CONTENT-length \t"])
@pytest.mark.parametrize("said", ["-1", "+1", "x", "", "1x", "0x5", "9" * 21, "1 1", "1\r\n 1", "1\r", "1,1", "²"])
def test_no_length_to_believe(said: str, name: str) -> None:
    refused_with_its_head(message(length=said, name=name))


@pytest.mark.parametrize(
    "lengths",
    [
        f"Content-Length: 0\r\nContent-Length: {len(INNER)}",
        "Content-Length: 0\r\nContent-Length: 0",
        "Content-Length: 0x5\r\nl: 0",
        f"Content-Length: +{len(INNER)}\r\nl: 0",
        f"l: {len(INNER)}\r\nContent-Length : 0",
        "L: 0\r\nX: y\r\ncontent-LENGTH\t: 5",
        "l: 0\nl: 5",
        "l: 0\r\nl:\r\n 5",
        "l: 0\r\nContent-Length\r\n : 5",
        "l: 0\r\nX: y\rContent-Length: 5",
        "l: 0\r\nContent-Length: \r\n\t \r\n 5 \r\nX: y",
    ],
)
def test_two_lengths_are_none(lengths: str) -> None:
    """Who frames by the one and who frames by the other see different messages: a body would be a request."""
    refused_with_its_head(f"MESSAGE sip:a@b SIP/2.0\r\n{lengths}\r\n\r\n".encode())


def refused_with_its_head(head: bytes) -> None:
    """400, whatever follows and however often one asks; and the parser takes the head no more than the framer."""
    framer = Framer()
    for data in (b"\r\n" + head + INNER, INNER, b""):
        with pytest.raises(BadMessage) as caught:
            list(framer.feed(data))
        assert (caught.value.status, caught.value.message) == (400, head)
    with pytest.raises(SipError):
        parse(head.replace(b"\r\n", b"\r\n" + IDENTITY, 1))


IDENTITY = (
    b"Via: SIP/2.0/TCP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\n"
)


@pytest.mark.parametrize(
    "length", ["l:\r\n 5", "Content-Length:\n\t5 ", "l\r\n : 5", "l: 0000000000000005", "l: \r\n 5\r\n "]
)
def test_a_length_on_folded_lines(length: str) -> None:
    """As the parser reads it (7.3.1)."""
    one = b"MESSAGE sip:a@b SIP/2.0\r\n" + IDENTITY + length.encode() + b"\r\n\r\n"
    assert list(Framer().feed(one + b"12345" + INNER)) == [one + b"12345", INNER]
    assert parse(one + b"12345").body == b"12345"


def test_without_content_length_nobody_knows_the_end() -> None:
    with pytest.raises(BadResponse):
        list(Framer().feed(b"MESSAGE sip:a@b SIP/2.0\r\nVia: x\r\n\r\nbody"))


def test_a_length_too_small_makes_the_rest_rubbish() -> None:
    """The lie is found at the next message, which is none."""
    framer = Framer()
    stream = framer.feed(message(b"abcdef", length="3") + message())
    assert next(stream) == message(b"abc", length="3")
    rest = list(stream)  # "def" runs into the next start line: one message that no parser takes
    assert rest == [b"def" + message()]


def test_a_length_too_large_swallows_what_follows() -> None:
    framer = Framer()
    assert list(framer.feed(message(b"ab", length="50"))) == [] and framer.partial
    assert list(framer.feed(b"x" * 48)) == [message(b"ab" + b"x" * 48, length="50")]


def test_a_body_too_large_is_told_with_its_head() -> None:
    with pytest.raises(BadMessage) as caught:
        list(Framer().feed(message(length=str(MAX_BODY_BYTES + 1)) + b"x"))
    assert caught.value.status == 413
    assert caught.value.message == message(length=str(MAX_BODY_BYTES + 1))


def test_the_largest_body() -> None:
    large = message(b"x" * MAX_BODY_BYTES)
    assert list(Framer().feed(large)) == [large]


def test_what_stands_before_something_too_large_is_given_first() -> None:
    stream = Framer().feed(message(b"a") + message(length="999999999"))
    assert next(stream) == message(b"a")
    with pytest.raises(SipError):
        next(stream)


@pytest.mark.parametrize("rubbish", [b"x" * 1000, b"X: y\r\n" * 200, b"\n\n" * 500, b"\x00" * 999])
def test_an_endless_head_is_cut_off(rubbish: bytes) -> None:
    framer, fed = Framer(), 0
    with pytest.raises(BadResponse):
        while fed < 10_000_000:
            list(framer.feed(rubbish))
            fed += len(rubbish)
    assert fed <= MAX_HEAD_BYTES + len(rubbish)


def test_ten_megabytes_at_once() -> None:
    with pytest.raises(BadResponse):
        list(Framer().feed(b"x" * 10_000_000))


def test_memory_stays_bounded_over_many_messages() -> None:
    """10 MB of small messages, in pieces that never end where a message does."""
    one = message(b"x" * 900)
    framer, data, count = Framer(), one * 11_000, 0
    tracemalloc.start()
    try:
        for start in range(0, len(data), 60_001):
            count += sum(1 for _ in framer.feed(data[start : start + 60_001]))
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()
    assert count == 11_000


def test_a_head_that_comes_octet_by_octet_costs_no_more_than_its_length() -> None:
    framer, started = Framer(), time.process_time()
    with pytest.raises(BadResponse):
        for _ in range(MAX_HEAD_BYTES + 2):
            list(framer.feed(b"x"))
    assert time.process_time() - started < 1.0


def test_keep_alives() -> None:
    """RFC 5626 4.4.1: a double line end asks for a single one."""
    assert list(Framer().feed(PING * 3)) == [PING] * 3
    framer = Framer()
    assert [list(framer.feed(part)) for part in (b"\r", b"\n", b"\r", b"\n")] == [[], [], [], [PING]]
    assert list(Framer().feed(PING * 50_000)) == [PING] * 50_000
