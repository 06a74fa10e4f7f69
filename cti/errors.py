"""Errors of this package. Each carries the HTTP status it becomes (RFC 9457 problem details).

CtiError                     400
|-- InvalidBody              422: JSON, but not what the route takes; `errors` names the fields
|-- MalformedBody            400: not JSON at all
|-- InvalidQuery             400: a parameter in the address that can't be taken
|-- UnknownCommand           400: not an agent command
|-- NotInList                400: not one of the site's words; `allowed` has them
|-- TokenError               401: no token, or one that can't be trusted
|-- Forbidden                403: a good token without the right to do this
|-- UnknownResource          404: no such session, agent ...
|-- StateConflict            409: what makes no sense now, of an agent or a phone; `state` says why
|-- SessionTooLarge          413: more than an agent's screen is sent
|-- WrongMediaType           415: a body that doesn't say it is JSON
|-- NotAWebsocket            426: the event stream asked for by plain HTTP
|-- TooManyClients           503: more websockets than the server holds
|-- TooManyReaders           503: more traces looked at than the server bears
|-- TooManyCalls             503: more calls, or faster ones, than the server or the phone may have
|-- CallbacksExhausted       503: as many wait for a call from that queue as the site allows
|-- CodesExhausted           503: too many typed codes are live to keep guessing hopeless
+-- WeakSecret               500, at start: the signing secret is too short (RFC 7518 3.2)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class CtiError(Exception):
    """Something asked for can't be done; the message is for the one who asked."""

    status = 400
    title = "Bad request"

    def extra(self) -> Mapping[str, object]:
        """Further members of the problem document (RFC 9457 3.2)."""
        return {}


class FieldError(dict[str, str]):
    """`{"path": "basket.amount", "message": "..."}`."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(path=path, message=message)


class InvalidBody(CtiError):
    """The body is JSON but breaks the route's model."""

    status = 422
    title = "Invalid body"

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__(f"{len(errors)} field{'s are' if len(errors) > 1 else ' is'} not valid")
        self.errors = list(errors)

    def extra(self) -> Mapping[str, object]:
        return {"errors": self.errors}


class MalformedBody(CtiError):
    """The body can't be read as JSON."""

    title = "Not JSON"


class InvalidQuery(CtiError):
    """A parameter in the address is missing, unknown or out of range."""

    title = "Invalid query"


class UnknownCommand(CtiError):
    """Not one of the agent commands."""

    title = "Unknown command"


class NotInList(CtiError):
    """A word that is not in the list that the site file has for it."""

    title = "Not in the list"

    def __init__(self, message: str, allowed: Sequence[str]) -> None:
        super().__init__(message)
        self.allowed = list(allowed)

    def extra(self) -> Mapping[str, object]:
        return {"allowed": self.allowed}


class TokenError(CtiError):
    """No token, or one that is malformed, forged, expired or of an unknown role."""

    status = 401
    title = "Unauthorised"


class Forbidden(CtiError):
    """The token is good; its role may not do this."""

    status = 403
    title = "Forbidden"


class UnknownResource(CtiError):
    """Named something that is not there (any more)."""

    status = 404
    title = "Not found"


class StateConflict(CtiError):
    """What makes no sense in the state that an agent or a phone is in."""

    status = 409
    title = "Conflict"

    def __init__(self, message: str, state: str, allowed: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.state = state
        self.allowed = list(allowed)  # the words of which one is needed first

    def extra(self) -> Mapping[str, object]:
        return {"state": self.state, "allowed": self.allowed} if self.allowed else {"state": self.state}


class TooManyCalls(CtiError):
    """The server bears no more calls, or not so fast."""

    status = 503
    title = "Too many calls"


class SessionTooLarge(CtiError):
    """The session, with what was posted before, is more than an agent's screen is sent."""

    status = 413
    title = "Session too large"


class WrongMediaType(CtiError):
    """The body's Content-Type isn't application/json."""

    status = 415
    title = "Unsupported media type"


class NotAWebsocket(CtiError):
    """The event stream speaks websocket (RFC 6455) only."""

    status = 426
    title = "Upgrade required"


class TooManyClients(CtiError):
    """The server holds as many websockets as it will."""

    status = 503
    title = "Too many clients"


class TooManyReaders(CtiError):
    """So many look at traces already that calls would suffer."""

    status = 503
    title = "Too many readers"


class CodesExhausted(CtiError):
    """So many codes are live that a guess would have a fair chance."""

    status = 503
    title = "No code free"


class WeakSecret(CtiError):
    """`api.secret` of the site file is shorter than HS256 needs."""

    status = 500
    title = "Weak secret"


class CallbacksExhausted(CtiError):
    """As many wait for a call as the site allows."""

    status = 503
    title = "Too many callbacks"
