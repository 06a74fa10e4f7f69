"""What passed between the switch and its peers, as the ladders of the RFCs show it, and what is true of every message.

Alice  INVITE ->            Alice sent it to the switch
Bob    <- INVITE            the switch sent it to Bob
Bob    180 INVITE ->
Alice  <- 180 INVITE
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pbx.sip.message import Request, Response, parse

OURS: Final = "192.0.2.100"


@dataclass(frozen=True, slots=True)
class Step:
    """One message."""

    peer: str
    sent: bool  # by the peer
    message: Request | Response

    def __str__(self) -> str:
        message = self.message
        what = message.method if isinstance(message, Request) else f"{message.status} {message.cseq_method}"
        return f"{self.peer} {what} ->" if self.sent else f"{self.peer} <- {what}"


class Ladder(list[Step]):
    """All messages in order."""

    _seen = 0

    def note(self, peer: str, sent: bool, data: bytes) -> None:
        self.append(Step(peer, sent, parse(data)))

    def shows(self, text: str) -> None:
        """Exactly this was said, in this order, since the last time it was asked."""
        said, self._seen = "\n".join(map(str, self[self._seen :])), len(self)
        wanted = "\n".join(" ".join(line.split()) for line in text.splitlines() if line.strip())
        assert said == wanted, f"it was:\n{said}"

    def forget(self) -> None:
        """What was said until now has been looked at."""
        self._seen = len(self)

    def last(self, text: str) -> Request | Response:
        """The newest message that reads so."""
        return next(step.message for step in reversed(self) if str(step) == text)

    def newest(self, peer: str, call_id: str, cseq: int) -> Response | None:
        """The last response that a peer got to a request."""
        got = [step.message for step in self if step.peer == peer and not step.sent]
        answers = [one for one in got if isinstance(one, Response) and (one.call_id, one.cseq) == (call_id, cseq)]
        return answers[-1] if answers else None

    def check(self) -> None:
        """What RFC 3261 wants of each message of ours."""
        for at, step in enumerate(self):
            if not step.sent and isinstance(step.message, Request):
                self._check_request(step.message, step.peer, at)
            elif not step.sent and isinstance(step.message, Response):
                self._check_response(step.message, step.peer, at)

    def _check_request(self, request: Request, peer: str, at: int) -> None:
        """8.1.1, 9.1, 12.2.1.1, 13.2.2.4"""
        via = request.all("Via")
        assert len(via) == 1 and re.match(rf"SIP/2.0/UDP {OURS}(:5060)?;branch=z9hG4bK", via[0])
        assert request.from_tag and (request.get("CSeq") or "").endswith(request.method)
        assert 0 < int(request.get("Max-Forwards") or 0) <= 70
        assert (request.get("Contact") is not None) == (request.method in ("INVITE", "UPDATE", "NOTIFY", "SUBSCRIBE"))
        assert bool(request.body) == (request.get("Content-Type") is not None)
        before = [
            step.message
            for step in self[:at]
            if isinstance(step.message, Request) and not step.sent and step.peer == peer
            and step.message.call_id == request.call_id
        ]  # fmt: skip
        invites = [one for one in before if one.method == "INVITE"]
        if request.method == "CANCEL":
            invite = invites[-1]
            same = (request.via, request.cseq, request.uri, request.get("From"), request.get("To"))
            assert same == (invite.via, invite.cseq, invite.uri, invite.get("From"), invite.get("To"))
        elif request.method == "ACK":
            assert any(one.cseq == request.cseq for one in invites)
        elif before and request.via != before[-1].via:  # no retransmission
            assert request.cseq > max(one.cseq for one in before)

    def _check_response(self, response: Response, peer: str, at: int) -> None:
        """8.2.6.2, 12.1.1, 13.3.1, 20.5"""
        request = next(
            step.message
            for step in reversed(self[:at])
            if isinstance(step.message, Request) and step.sent and step.peer == peer
            and step.message.call_id == response.call_id and step.message.get("CSeq") == response.get("CSeq")
        )  # fmt: skip
        assert [_bare(via) for via in response.all("Via")] == [_bare(via) for via in request.all("Via")]
        assert response.get("From") == request.get("From")
        assert (response.get("To") or "").startswith(request.get("To") or "?")
        assert response.to_tag or response.status == 100
        makes_dialog = response.cseq_method == "INVITE" and 101 <= response.status < 300
        if makes_dialog or (response.cseq_method == "SUBSCRIBE" and response.status == 200):
            assert response.get("Contact")
            assert response.all("Record-Route") == request.all("Record-Route")
        if response.cseq_method == "INVITE" and response.status == 200:
            assert response.get("Allow") and response.get("Supported") and response.body
        if response.status == 401:
            assert response.get("WWW-Authenticate")


def _bare(via: str) -> str:
    """Without what the receiver adds (18.2.1, RFC 3581)."""
    return re.sub(r";(received|rport)(=[^;]*)?", "", via)
