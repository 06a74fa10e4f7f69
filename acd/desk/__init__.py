"""The engine and the calls: the only part of `acd` that knows `pbx.call`."""

from acd.desk.desk import Desk
from acd.desk.ringing import outcome_of
from acd.desk.screens import ScreenPops
from acd.errors import AcdError, AgentCommandError, UnknownAgent

__all__ = ["AcdError", "AgentCommandError", "Desk", "ScreenPops", "UnknownAgent", "outcome_of"]
