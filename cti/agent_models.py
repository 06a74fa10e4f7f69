"""What the commands of agents take, by websocket and by REST alike."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cti.models import Body

Queue = Annotated[str, Field(min_length=1, max_length=100)]
Disposition = Annotated[str, Field(min_length=1, max_length=100)]
Item = Annotated[
    str | None, Field(min_length=1, max_length=200, description="the chat or mail that is meant; null: the call")
]
CallId = Annotated[
    str | None, Field(min_length=1, max_length=200, description="only if this is the call he is at: else 409")
]
Level = Annotated[int | None, Field(ge=0, le=10, strict=True)]
Levels = Annotated[dict[Queue, Level], Field(min_length=1, max_length=200)]


class NoMore(Body):
    """Nothing but the command itself."""


class HangUp(Body):
    """His conversation ends."""

    call_id: CallId = None


class Logout(Body):
    """The agent leaves."""

    now: bool = Field(False, description="for supervisors: ends his conversation, rather than wait for its end")
    call_id: CallId = None


class Login(Body):
    """The agent is here."""

    queues: list[Queue] | None = Field(None, max_length=1000, description="he serves only these; null: all of his")


class NotReady(Body):
    """Why the agent pauses."""

    reason: str = Field("", max_length=100, description="one of the site's `not_ready_reasons`, if it has some")
    now: bool = Field(False, description="for supervisors: ends his conversation, rather than wait for its end")
    call_id: CallId = None


class Note(Body):
    """How the call ended."""

    disposition: Disposition = Field(description="one of the queue's `dispositions`")
    item: Item = None


class WrapUpDone(Body):
    """The work after a call is done."""

    disposition: Disposition | None = Field(None, description="how the call ended, unless `note` has said it")
    item: Item = None


class ExtendWrapUp(Body):
    """The work after a call takes longer."""

    seconds: float = Field(60, gt=0, le=86_400, description="so much longer")
    item: Item = None


class OfQueue(Body):
    """A queue that the agent serves, or not."""

    queue: Queue


class Change(Body):
    """Levels over those of the site file, until taken back."""

    levels: Levels = Field(description="0: not at all; null: as the site file says. Absent ones stay")
