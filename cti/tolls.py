"""What calls out cost, by REST: shown, and forgiven."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import web
from pydantic import Field

from cti.errors import UnknownResource
from cti.models import Reply
from cti.replies import reply

if TYPE_CHECKING:
    from cti.rest import Ask


class Spending(Protocol):
    """Toll limits at work."""

    def view(self) -> Sequence[Mapping[str, Any]]: ...
    def lift(self, account: str) -> bool: ...


class TollAccount(Reply):
    """Who makes calls out by trunks, and what they cost."""

    account: str = Field(description="an extension, `trunk NAME` for calls that came in by one, or callbacks")
    spent_today: float = Field(description="since midnight, with the calls under way, in the site's currency")
    spend_per_day: float | None = Field(description="null: no limit of its own")
    calls: int = Field(description="out, under way")


class TollAccounts(Reply):
    """All accounts that have spent something today or have calls under way."""

    accounts: list[TollAccount]


class TollLifted(Reply):
    """What the account has spent today is forgiven."""

    account: str
    lifted: bool


class TollRest:
    """Its operations."""

    def __init__(self, spending: Spending | None) -> None:
        self._spending = spending

    async def list(self, ask: Ask) -> web.StreamResponse:
        return reply({"accounts": [] if self._spending is None else self._spending.view()})

    async def lift(self, ask: Ask) -> web.StreamResponse:
        account = ask.path["id"]
        if self._spending is None or not self._spending.lift(account):
            raise UnknownResource(f"{account} has spent nothing today")
        return reply({"account": account, "lifted": True})
