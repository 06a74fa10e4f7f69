"""The answer to a trunk that asks who we are (RFC 3261 22.2)."""

from __future__ import annotations

from pbx.sip.digest import DigestClient, choose_challenge
from pbx.sip.message import Response

_HEADERS = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}


def credentials_for(
    response: Response, login: tuple[str, str], method: str, uri: str, cnonce: str, body: bytes = b""
) -> str:
    """The header line to send the request again with; "" if the response is no challenge that we can answer."""
    if response.status not in _HEADERS:
        return ""
    asked, answered = _HEADERS[response.status]
    challenge = choose_challenge(response.all(asked))
    if challenge is None:
        return ""
    return f"{answered}: {DigestClient(challenge, *login).credentials(method, uri, cnonce, body)}\r\n"
