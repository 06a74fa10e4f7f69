"""Our side of a session, as it changes; and streams that we have no transport for."""

from __future__ import annotations

import pytest

from pbx.sdp.errors import NotAcceptable
from pbx.sdp.offer_answer import LocalDescription, answer


def test_what_is_said_again_is_the_same_version_and_may_be_answered() -> None:
    """RFC 4028 7.4: a refresh changes nothing; RFC 3264 8: whatever changes has a higher version."""
    local = LocalDescription(7)
    theirs = local.offer("192.0.2.100", 20000, ("PCMA", "PCMU"))
    assert local.offer_again() == theirs and local.version == 1
    text, _ = LocalDescription(8).answer(theirs, "192.0.2.1", 30000, ("PCMU",))
    assert local.read_answer(text).codec == "PCMU"
    held = local.offer("192.0.2.100", 20000, ("PCMA", "PCMU"), direction="sendonly")
    assert "o=- 7 2 IN IP4" in held and local.offer_again() == held
    resumed = local.offer("192.0.2.100", 20000, ("PCMA", "PCMU"))
    assert "o=- 7 3 IN IP4" in resumed


@pytest.mark.parametrize("proto", ["UDP/TLS/RTP/SAVPF", "RTP/SAVP", "TCP/RTP/AVP", "udptl"])
def test_other_transports_are_refused_until_there_is_one_that_we_have(proto: str) -> None:
    head = "v=0\r\no=- 1 1 IN IP6 ::1\r\ns=-\r\nc=IN IP6 ::1\r\nt=0 0\r\n"
    secured = f"m=audio 4000 {proto} 8\r\n"
    with pytest.raises(NotAcceptable):
        answer(head + secured, "::1", 20000, ("PCMA",), session_id=1)
    text, negotiated = answer(head + secured + "m=audio 4002 RTP/AVP 8\r\n", "::1", 20000, ("PCMA",), session_id=1)
    assert f"m=audio 0 {proto} 8\r\nm=audio 20000 RTP/AVP 8\r\n" in text and negotiated.port == 4002
