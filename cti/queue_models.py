"""What supervisors may send about queues and those who wait in them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from config.fields import DestinationText
from cti.models import Body

Priority = Annotated[float | None, Field(ge=-1e9, le=1e9)]


class QueuePut(Body):
    """Present fields change, absent ones stay."""

    priority: Priority = Field(None, description="in place of the site file's; null: as the site file says")
    emergency: bool | None = Field(None, description="true: who waits, and who comes, goes where the queue says for it")


class EmergencyPut(Body):
    """For all queues at once."""

    on: bool


class ItemPut(Body):
    """One who waits."""

    priority: Priority = Field(description="in place of the queue's; null: as the queue's")


class MovePost(Body):
    """Where a waiting caller is to go."""

    to: DestinationText = Field(description="a destination, as in the site file: queue anyone, extension 110")
