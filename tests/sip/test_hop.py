"""Which transport a URI asks for."""

from __future__ import annotations

import pytest

from pbx.sip.hop import Hop, transport_of


@pytest.mark.parametrize(
    ("uri", "parameter", "transport"),
    [
        ("sip:a@h", None, "udp"),
        ("sip:a@h", "tcp", "tcp"),
        ("sip:a@h", "tls", "tls"),  # RFC 3261 26.2.2: deprecated, and what everyone writes
        ("sip:a@h", "ws", "ws"),
        ("sip:a@h", "wss", "wss"),
        ("sip:a@h", "sctp", None),
        ("sips:a@h", None, "tls"),
        ("SIPS:a@h", "tcp", "tls"),
        ("sips:a@h", "tls", "tls"),
        ("sips:a@h", "ws", "wss"),
        ("sips:a@h", "udp", None),  # 26.2.2: every hop is secured
    ],
)
def test_transport_of(uri: str, parameter: str | None, transport: str | None) -> None:
    assert transport_of(uri, parameter) == transport


def test_a_hop_in_words() -> None:
    assert str(Hop("wss", "2001:db8::1", 5061)) == "wss:[2001:db8::1]:5061"
    assert [Hop(t, "h", 1).reliable for t in ("udp", "tcp", "ws")] == [False, True, True]
    assert [Hop(t, "h", 1).secure for t in ("tcp", "tls", "ws", "wss")] == [False, True, False, True]
