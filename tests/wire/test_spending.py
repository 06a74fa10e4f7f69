"""What calls out have cost when the server is killed (`kill -9`) and started again."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
import time
from contextlib import closing
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bench.plateau import Plateau
from bench.sites import read_site
from bench.softphones import Softphones, answer
from tests.wire.conftest import OFFICE, eventually

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="session")]
NUMBER, SPENT, LOOK = "0612345678", "spent", ""
NOON = f"Etc/GMT{time.gmtime().tm_hour - 12:+d}"  # where it is about noon: no day ends in this test


def _changes(address: str) -> dict[str, Any]:
    return {
        "locale": {"country": "FR", "timezone": NOON},
        "trunks": {**read_site(OFFICE)["trunks"], "outside": {"gateway": f"sip:{address}", "probe_s": 0}},
        "dial_plan": [{"match": "06XXXXXXXX", "to": "trunk outside"}, *read_site(OFFICE)["dial_plan"]],
        "tolls": {"spend_per_day": 1000, "classes": {"mobile": {"numbers": "mobile", "per_minute": 6, "per_call": 5}}},
    }


class Records:
    """The database, which people with a shell can read and garble."""

    def __init__(self, plateau: Plateau) -> None:
        self._path = plateau.folder / "records.db"

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self._path, timeout=10)) as database, database:
            return database.execute(statement, values).fetchall()

    def spent(self, account: str) -> str | None:
        statement = "SELECT value FROM phone_settings WHERE extension = ? AND setting = ?"
        return next((value for (value,) in self.ask(statement, account, SPENT)), None)


async def test_a_killed_server_forgets_no_cent(baresip: Softphones) -> None:
    """A call that the next server can't make anything of costs until the killed one last looked, once; a garbled row
    stops nobody."""
    async with Softphones("baresip") as carrier:
        address = carrier.address("x").partition("@")[2]
        async with Plateau(OFFICE, changes=_changes(address)) as plateau:
            records = Records(plateau)
            await carrier.phone(NUMBER, policy=answer(50))
            phone = await baresip.phone("102", server=plateau.sip, password="wire")
            assert await phone.register() == 200
            call = await phone.call(NUMBER)
            await call.established()

            async def looked() -> bool:
                return records.spent(LOOK) is not None and bool(records.ask("SELECT kept FROM standing_calls"))

            await eventually(looked, within_s=60)
            ((kept,),) = records.ask("SELECT kept FROM standing_calls")
            records.ask("UPDATE standing_calls SET kept = ?", json.dumps({**json.loads(kept), "form": 99}))
            records.ask("INSERT INTO standing_calls VALUES ('garbled', '{')")
            today = dt.datetime.now(ZoneInfo(NOON)).date().isoformat()
            for account, value in (("103", f"{today} 12x"), ("104", f"{today} 7.500000")):
                records.ask("INSERT INTO phone_settings VALUES (?, ?, ?)", account, SPENT, value)
            for restart in range(2):
                await plateau.crash_and_restart()
                if restart == 0:
                    minutes = (float(records.spent(LOOK) or 0) - _answered_at(json.loads(kept))) / 60
                assert await _spent(plateau) == {
                    "102": pytest.approx(5 + 6 * minutes, abs=0.001), "103": 1000, "104": 7.5,
                }  # fmt: skip

                async def written() -> bool:
                    return not records.ask("SELECT * FROM standing_calls") and records.spent("102") is not None

                await eventually(written)
            said = list(plateau.log)
            assert len([line for line in said if "garbled in the records" in line and "103" in line]) == 1
            assert not [line for line in said if "Traceback" in line]
            assert len([line for line in said if "can't be taken up" in line]) == 2
            await call.hang_up()
            assert await phone.unregister() == 200
        assert plateau.exit_status == 0


def _answered_at(kept: dict[str, Any]) -> float:
    return float(kept["talking"]["leg"]["bill"]["answered_at"])


async def _spent(plateau: Plateau) -> dict[str, float]:
    return {row["account"]: row["spent_today"] for row in (await plateau.get("/v1/tolls"))["accounts"]}
