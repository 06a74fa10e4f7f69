"""The route table: the one place that says which addresses exist, who may use them, what goes in and what comes out.

The server is wired from it and the OpenAPI document is generated from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from pydantic import BaseModel

from cti import callbacks, models, queue_models, recordings, tolls
from cti.commands import COMMANDS
from cti.tokens import Role
from cti.traces import JSON_LINES
from pbx.trace import pcapng

OPEN: Final[tuple[Role, ...]] = ()  # no token needed


@dataclass(frozen=True, slots=True)
class Query:
    """A parameter in the address."""

    name: str
    description: str
    default: int | None = None  # with `least` and `most`: a whole number
    least: int = 1
    most: int = 10_000


@dataclass(frozen=True, slots=True)
class Route:
    """One address and method. `operation` is the name of the method of `cti.rest.Rest` that serves it."""

    method: str
    path: str
    operation: str
    summary: str
    roles: tuple[Role, ...]  # who may; OPEN: anyone
    replies: dict[int, type[BaseModel] | str]  # by status: a model, or a media type that isn't JSON
    body: type[BaseModel] | None = None
    body_required: bool = True
    query: tuple[Query, ...] = ()
    problems: tuple[int, ...] = ()  # besides those that follow from the rest
    cors: bool = False  # may be called from the shop's own pages
    tag: str = field(default="floor")


_FLOOR: Final[tuple[Role, ...]] = ("supervisor",)
_DESK: Final[tuple[Role, ...]] = ("agent", "supervisor")
_SHOP: Final[tuple[Role, ...]] = ("shop", "supervisor")
_LIMIT = "at most so many"
_TRACE = (
    Query("number", "a caller's or callee's number, in any form"),
    Query("call", "a call's id: the messages of all its legs"),
    Query("trunk", "a trunk of the site"),
    Query("peer", "an address, address:port or network"),
    Query("method", "a method; with the responses to it"),
    Query("last_s", "not older than so many seconds", 600, least=0, most=86_400),
    Query("follow", "1: go on with what comes", 0, least=0, most=1),
)


def _command(name: str) -> Route:
    command = COMMANDS[name]
    return Route(
        "POST", f"/v1/agents/{{name}}/{name.replace('_', '-')}", f"staff.{name}", command.summary,
        _FLOOR if command.supervisors else _DESK, {200: models.Agent}, body=command.body,
        body_required=command.body_required, problems=(400, 404, 409), tag="agents",
    )  # fmt: skip


ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", "/v1/calls", "calls", "Live calls", _FLOOR, {200: models.Calls},
          query=(Query("limit", _LIMIT, 1000),)),
    Route("GET", "/v1/calls/{id}", "call", "One call, live or over", _FLOOR, {200: models.CallFacts}, problems=(404,)),
    Route("GET", "/v1/calls/{id}/explanation", "explanation.get", "Why it went where it went", _FLOOR,
          {200: models.Explanation}, problems=(404,)),
    Route("GET", "/v1/calls/{id}/ladder", "call_ladder", "Its messages as a ladder", _FLOOR, {200: models.Ladder},
          problems=(404,), tag="trace"),
    Route("GET", "/v1/calls/{id}/ladder.svg", "call_picture", "The ladder as a picture", _FLOOR,
          {200: "image/svg+xml"}, problems=(404,), tag="trace"),
    Route("GET", "/v1/calls/{id}/trace.pcapng", "call_packets", "Its messages for Wireshark", _FLOOR,
          {200: pcapng.MEDIA_TYPE}, problems=(404, 503), tag="trace"),
    Route("GET", "/v1/trace", "trace", "SIP messages as JSON lines, past and live", _FLOOR,
          {200: JSON_LINES}, problems=(404, 503), query=_TRACE, tag="trace"),
    Route("GET", "/v1/trace.pcapng", "trace_packets", "SIP messages for Wireshark, past and live", _FLOOR,
          {200: pcapng.MEDIA_TYPE}, problems=(404, 503), query=_TRACE, tag="trace"),
    Route("GET", "/v1/queues", "queues", "Queues and who waits", _FLOOR, {200: models.Queues}),
    Route("GET", "/v1/queues/{name}", "queue.get", "One queue and who waits", _FLOOR, {200: models.Queue},
          problems=(404,)),
    Route("PUT", "/v1/queues/{name}", "queue.put", "A queue's priority and its emergency switch", _FLOOR,
          {200: models.Queue}, body=queue_models.QueuePut, problems=(404,)),
    Route("PUT", "/v1/queues/{name}/calls/{id}", "queue.put_call", "The priority of one who waits", _FLOOR,
          {200: models.Queue}, body=queue_models.ItemPut, problems=(404, 409)),
    Route("POST", "/v1/queues/{name}/calls/{id}/move", "queue.move", "Send one who waits elsewhere", _FLOOR,
          {200: models.Queue}, body=queue_models.MovePost, problems=(404, 409)),
    Route("DELETE", "/v1/queues/{name}/calls/{id}", "queue.withdraw", "Hang up one who waits", _FLOOR,
          {200: models.Queue}, problems=(404, 409)),
    Route("PUT", "/v1/emergency", "queue.emergency", "The emergency switch of all queues", _FLOOR,
          {200: models.Queues}, body=queue_models.EmergencyPut),
    Route("GET", "/v1/agents", "agents", "Agents and their states", _FLOOR, {200: models.Agents}),
    Route("GET", "/v1/agents/{name}", "agent", "One agent's state", _DESK, {200: models.Agent},
          problems=(404,), tag="agents"),
    *(_command(name) for name in COMMANDS),
    Route("GET", "/v1/agents/{name}/supervision", "talks.supervision", "Who listens to the agent's call", _FLOOR,
          {200: models.Listeners}, tag="agents"),
    Route("POST", "/v1/agents/{name}/supervision", "talks.supervise", "Listen to, or join, the agent's call", _FLOOR,
          {201: models.Supervised}, body=models.SupervisionPost, problems=(404, 409, 503), tag="agents"),
    Route("PUT", "/v1/agents/{name}/supervision/{extension}", "talks.supervise_otherwise",
          "Whom a supervisor is heard by", _FLOOR, {200: models.Listeners}, body=models.SupervisionPut,
          problems=(404,), tag="agents"),
    Route("DELETE", "/v1/agents/{name}/supervision/{extension}", "talks.supervise_no_more",
          "The supervisor's call ends", _FLOOR, {200: models.Listeners}, problems=(404,), tag="agents"),
    Route("POST", "/v1/calls/{id}/conference", "talks.add", "Call somebody into a live call", _FLOOR,
          {201: models.Dialled}, body=models.ConferencePost, problems=(404, 409, 503)),
    Route("GET", "/v1/conferences", "talks.conferences", "Who talks with several", _FLOOR, {200: models.Conferences}),
    Route("GET", "/v1/cdrs", "cdrs", "The last call records", _FLOOR, {200: models.Cdrs},
          query=(Query("limit", _LIMIT, 50, most=1000),)),
    Route("POST", "/v1/web-sessions", "web_session_post", "Store or update a visitor's session", _SHOP,
          {200: models.WebSessionStored, 201: models.WebSessionStored}, body=models.WebSessionPost,
          cors=True, tag="web sessions"),
    Route("GET", "/v1/statistics", "statistics.get", "Figures of queues, skills, agents, flows: now, or of a span",
          _FLOOR, {200: models.Statistics}, problems=(404,), query=(
              Query("by", "queue (so without it), skill, trunk, partner, agent or ivr"),
              Query("name", "of this one only; of a flow's state FLOW/STATE"),
              Query("from", "seconds since 1970; without it the last quarter and hour, and today", 0, least=0,
                    most=99_999_999_999),
              Query("to", "until then; without it until now", 0, least=0, most=99_999_999_999),
              Query("step", "of a span: interval (a quarter of an hour; so without it), hour, day or total"))),
    Route("GET", "/v1/web-sessions/{id}", "web_session", "A session; an agent only while it is on his screen", _DESK,
          {200: models.WebSessionView}, problems=(404,), tag="web sessions"),
    Route("POST", "/v1/web-sessions/{id}/code", "web_session_code", "The code to show and to type", _SHOP,
          {200: models.Code}, problems=(404, 503), cors=True, tag="web sessions"),
    Route("POST", "/v1/callbacks", "callbacks.post", "Ask for a call: from a page, or by a supervisor", _SHOP,
          {201: callbacks.Callback}, body=callbacks.CallbackPost, problems=(404, 409, 503), cors=True, tag="callbacks"),
    Route("GET", "/v1/callbacks", "callbacks.find", "Who is to be called, next one first", _FLOOR,
          {200: callbacks.Callbacks}, query=(Query("limit", _LIMIT, 1000), Query("queue", "of this queue")),
          problems=(404,), tag="callbacks"),
    Route("GET", "/v1/callbacks/{id}", "callbacks.get", "One callback", _SHOP, {200: callbacks.Callback},
          problems=(404,), tag="callbacks"),
    Route("PUT", "/v1/callbacks/{id}", "callbacks.put", "Call at another time", _SHOP, {200: callbacks.Callback},
          body=callbacks.CallbackPut, problems=(404, 409), tag="callbacks"),
    Route("DELETE", "/v1/callbacks/{id}", "callbacks.delete", "Call nobody", _SHOP,
          {200: callbacks.CallbackCancelled}, problems=(404, 409), tag="callbacks"),
    Route("GET", "/v1/events", "events", "Event stream (websocket, see docs/cti-protocol.md)", OPEN,
          {101: "websocket"}, problems=(400, 401, 403, 404, 426, 503),
          query=(Query("since", "the last sequence number seen, to resume"),
                 Query("epoch", "the epoch it was seen in"),
                 Query("topics", "supervisors: some of calls, queues, agents, statistics, system; commas between; "
                       "without it all but statistics"),
                 Query("access_token", "the token, for clients that can't set headers")), tag="events"),
    Route("GET", "/v1/trunks", "trunks", "Trunks: their calls, gateways and registrations", _FLOOR,
          {200: models.Trunks}, tag="trunks"),
    Route("GET", "/v1/phones", "phones", "Registered phones and whether they answer", _FLOOR, {200: models.Phones},
          query=(Query("limit", _LIMIT, 1000),), tag="trunks"),
    Route("GET", "/v1/extensions/{name}", "extension", "What calls to a phone meet: forwards, do not disturb", _FLOOR,
          {200: models.PhoneSettings}, problems=(404,), tag="phones"),
    Route("PUT", "/v1/extensions/{name}", "extension_put", "Set forwards and do not disturb of a phone", _FLOOR,
          {200: models.PhoneSettings}, body=models.PhoneSettingsPut, problems=(404,), tag="phones"),
    Route("POST", "/v1/extensions/{name}/calls", "dial", "Click to dial: the phone rings, then the number", _DESK,
          {201: models.Dialled}, body=models.DialPost, problems=(404, 409, 503), tag="phones"),
    Route("GET", "/v1/extensions/{name}/messages", "messages", "How many voice messages wait", _FLOOR,
          {200: models.Messages}, problems=(404,), tag="phones"),
    Route("PUT", "/v1/extensions/{name}/messages", "messages_put", "Set the message light of a phone", _FLOOR,
          {200: models.Messages}, body=models.Messages, problems=(404,), tag="phones"),
    Route("POST", "/v1/calls/{id}/recording", "recordings.start", "Record a live call from now on", _DESK,
          {201: models.Recording}, problems=(404, 409), tag="recordings"),
    Route("GET", "/v1/recordings", "recordings.find", "Recordings, latest first", _FLOOR, {200: models.Recordings},
          query=(Query("limit", _LIMIT, 100, most=1000), Query("call", "of this call"), Query("queue", "of this queue"),
                 Query("agent", "of this agent")), problems=(404,), tag="recordings"),
    Route("GET", "/v1/recordings/{id}", "recordings.get", "One recording", _FLOOR, {200: models.Recording},
          problems=(404,), tag="recordings"),
    Route("GET", "/v1/recordings/{id}/audio", "recordings.audio", "Its sound, deciphered; or a part (Range)", _FLOOR,
          {200: "audio/wav", 206: "audio/wav"}, problems=(400, 404, 409), tag="recordings"),
    Route("POST", "/v1/recordings/{id}/stop", "recordings.stop", "Record no longer", _FLOOR, {200: models.Recording},
          problems=(404, 409), tag="recordings"),
    Route("POST", "/v1/recordings/{id}/mask", "recordings.mask", "Silence in its place until unmask", _DESK,
          {200: models.Recording}, problems=(404, 409), tag="recordings"),
    Route("POST", "/v1/recordings/{id}/unmask", "recordings.unmask", "Record sound again", _DESK,
          {200: models.Recording}, problems=(404, 409), tag="recordings"),
    Route("PUT", "/v1/recordings/{id}/legal-hold", "recordings.hold", "Keep it whatever its age", _FLOOR,
          {200: models.Recording}, body=models.LegalHold, problems=(404,), tag="recordings"),
    Route("DELETE", "/v1/recordings", "recordings.erase", "Delete all of a person's calls", _FLOOR,
          {200: recordings.Erased}, query=(Query("number", "whose: however it is written"),), problems=(400, 404),
          tag="recordings"),
    Route("DELETE", "/v1/recordings/{id}", "recordings.delete", "Delete its file", _FLOOR, {200: models.Recording},
          problems=(404, 409), tag="recordings"),
    Route("GET", "/v1/bans", "banned", "Sources that are not listened to", _FLOOR, {200: models.Bans},
          tag="security"),
    Route("DELETE", "/v1/bans/{id}", "ban_lift", "Listen to a source again", _FLOOR, {200: models.BanLifted},
          problems=(404,), tag="security"),
    Route("GET", "/v1/tolls", "tolls.list", "What calls out cost today, by account", _FLOOR, {200: tolls.TollAccounts},
          tag="security"),
    Route("DELETE", "/v1/tolls/{id}", "tolls.lift", "Forgive what an account has spent today", _FLOOR,
          {200: tolls.TollLifted}, problems=(404,), tag="security"),
    Route("GET", "/v1/whoami", "whoami", "Whose token this is", ("agent", "supervisor", "shop"), {200: models.Who},
          tag="service"),
    Route("GET", "/v1/openapi.json", "openapi", "This document", OPEN, {200: "application/json"}, tag="service"),
    Route("GET", "/healthz", "healthz", "Whether all parts work", OPEN, {200: models.Health, 503: models.Health},
          tag="service"),
    Route("GET", "/metrics", "metrics", "Numbers for Prometheus", OPEN, {200: "text/plain"}, tag="service"),
)  # fmt: skip
