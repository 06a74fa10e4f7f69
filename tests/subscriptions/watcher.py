"""A phone that says who it is: subscribes, and sends messages."""

from __future__ import annotations

from pbx.sip.digest import DigestClient, choose_challenge
from pbx.sip.message import Request, Response
from tests.call.world import Phone, World


class Watcher(Phone):
    """Extension `user`, with the password of the test site."""

    def __init__(self, world: World, host: str, user: str) -> None:
        super().__init__(world, host, 5060)
        self.user = user
        self.cseq = 0

    def say(self, method: str, uri: str, headers: str = "", body: str = "", *, call: str = "s1", to: str = "",
            contact: bool = True) -> None:  # fmt: skip
        """Send a request; `to` is the whole To value inside a dialog."""
        self.cseq += 1
        line = f"Contact: <sip:{self.user}@{self.host}:5060>\r\n" if contact else ""
        self.send(
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {self.host}:5060;branch={self.branch()}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:{self.user}@192.0.2.100>;tag=w{call}\r\nTo: {to or f'<{uri}>'}\r\n"
            f"Call-ID: {call}\r\nCSeq: {self.cseq} {method}\r\n{line}{headers}"
            f"Content-Length: {len(body.encode())}\r\n\r\n{body}"
        )

    def ask(self, method: str, uri: str, headers: str = "", body: str = "", *, call: str = "s1",
            contact: bool = True) -> Response:  # fmt: skip
        """The same with the answer to the challenge; returns the response."""
        self.prove(method, uri, headers, body, call=call, contact=contact)
        return self.answer_of()

    def prove(self, method: str, uri: str, headers: str = "", body: str = "", *, call: str = "s1",
              contact: bool = True) -> None:  # fmt: skip
        """Send it, and again with the answer to the challenge."""
        self.say(method, uri, headers, body, call=call, contact=contact)
        challenge = choose_challenge(self.response(401).all("WWW-Authenticate"))
        assert challenge is not None
        credentials = DigestClient(challenge, self.user, "secret").credentials(method, uri, "cnonce", body.encode())
        self.say(method, uri, f"{headers}Authorization: {credentials}\r\n", body, call=call, contact=contact)

    def subscribe(self, number: str, event: str, *, expires: int | None = 3600, headers: str = "",
                  call: str = "s1") -> Response:  # fmt: skip
        line = "" if expires is None else f"Expires: {expires}\r\n"
        uri = f"sip:{number}@192.0.2.100" if number else "sip:192.0.2.100"
        return self.ask("SUBSCRIBE", uri, f"Event: {event}\r\n{line}{headers}", call=call)

    def again(self, ok: Response, headers: str, call: str = "s1") -> None:
        """A refresh inside the dialog that `ok` made."""
        self.say("SUBSCRIBE", "sip:plateau@192.0.2.100", headers, call=call, to=ok.get("To") or "")

    def answer_of(self) -> Response:
        response = self.take()
        assert isinstance(response, Response)
        return response

    def notify(self, status: int | None = 200) -> Request:
        """The NOTIFY that came, answered."""
        request = self.request("NOTIFY")
        if status is not None:
            self.answer(request, status, tag="unused", contact=None)
        return request
