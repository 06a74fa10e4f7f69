from __future__ import annotations

import pytest

from pbx.sip.hop import Hop
from pbx.trace.filters import BadFilter, Filter, peer_filter
from pbx.trace.reader import Reader
from tests.trace.conftest import Recorder, ours, request


def titles(recorder: Recorder, wanted: Filter) -> list[str]:
    return [message.title for message in recorder.read(Reader(recorder.ring, ours, wanted))]


@pytest.mark.parametrize("number", ["+33612345678", "0612345678", "06 12 34 56 78", "0033612345678"])
def test_by_number_in_any_form(recorded: Recorder, number: str) -> None:
    recorded.got(request("INVITE", "other", caller="+33699999999"))
    recorded.got(request("INVITE", "national", caller="0612345678", called="7"))
    assert len(titles(recorded, Filter(number=number))) == len(recorded.all()) - 1


def test_by_extension(recorded: Recorder) -> None:
    assert set(titles(recorded, Filter(number="101"))) == {"INVITE", "180 Ringing", "200 OK", "ACK"}
    assert titles(recorded, Filter(number="10")) == []


def test_by_call(recorded: Recorder) -> None:
    recorded.got(request("OPTIONS", "other"))
    assert len(titles(recorded, Filter(call="c1"))) == len(recorded.all()) - 1
    assert titles(recorded, Filter(call="c2")) == []


def test_by_method_with_its_responses(recorded: Recorder) -> None:
    assert titles(recorded, Filter(method="BYE")) == ["BYE", "200 OK (BYE)"]


def test_by_time(recorded: Recorder) -> None:
    assert titles(recorded, Filter(since=recorded.now - 1)) == ["BYE", "200 OK (BYE)"]


def test_all_must_be_met(recorded: Recorder) -> None:
    wanted = Filter(method="INVITE", call="c1").but(peer=peer_filter("192.0.2.44"))
    assert titles(recorded, wanted) == ["INVITE", "180 Ringing", "200 OK"]
    assert titles(recorded, wanted.but(trunk=lambda host, port: False)) == []


@pytest.mark.parametrize(
    ("text", "host", "port", "found"),
    [
        ("192.0.2.7", "192.0.2.7", 5060, True),
        ("192.0.2.7", "192.0.2.70", 5060, False),
        ("192.0.2.7:5060", "192.0.2.7", 5060, True),
        ("192.0.2.7:5060", "192.0.2.7", 5061, False),
        ("192.0.2.0/24", "192.0.2.70", 1, True),
        ("2001:db8::1", "2001:db8:0::1", 1, True),
        ("[2001:db8::1]:5060", "2001:db8::1", 5060, True),
        ("[2001:db8::1]:5060", "2001:db8::1", 5061, False),
        ("[2001:db8::1]", "2001:db8::1", 5061, True),
        ("2001:db8::/32", "192.0.2.7", 1, False),
        ("192.0.2.7", "a.name", 1, False),
    ],
)
def test_peers(text: str, host: str, port: int, found: bool) -> None:
    assert peer_filter(text)(host, port) is found


@pytest.mark.parametrize("text", ["", "carrier.example", "192.0.2.7:sip", "1.2.3.4.5", "x" * 5000])
def test_what_is_no_peer(text: str) -> None:
    with pytest.raises(BadFilter, match="expected an address"):
        peer_filter(text)


def test_a_name_as_peer_is_no_address(recorder: Recorder) -> None:
    recorder.got(request("OPTIONS", "x"), Hop("udp", "::1", 5060))
    assert titles(recorder, Filter().but(peer=peer_filter("::1"))) == ["OPTIONS"]
