"""A call as a ladder: who told whom what and when. Plateau is one column, each leg's peer another.

Made from a call's messages and events, in the order of the ring; drawn by `terminal` and `svg`. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

from pbx.sip.uri import user_of
from pbx.trace.captured import Captured, address_text, plain
from pbx.trace.notes import note_of

PLATEAU: Final = 1  # its column: the caller is at its left, those who are called at its right
MAX_COLUMNS: Final = 20
MAX_ROWS: Final = 500
_TEXT: Final = 200  # characters of a label or a note

Kind = Literal["request", "provisional", "success", "failure", "note"]


@dataclass(frozen=True, slots=True)
class Column:
    """One participant."""

    title: str  # number, agent or name
    address: str  # "udp 192.0.2.7:5060"; "" for Plateau


@dataclass(frozen=True, slots=True)
class Row:
    """An arrow, or (kind note) something that happened inside Plateau."""

    at: float  # seconds since 1970
    kind: Kind
    source: int  # column
    target: int  # column; the same as `source` for a note
    label: str  # "INVITE", "200 OK"
    detail: str = ""  # what the session description says
    repeats: int = 1  # the same message this many times: retransmissions
    sequence: int | None = None  # of the message, in the ring


@dataclass(frozen=True, slots=True)
class Ladder:
    """Columns from left to right, rows from first to last."""

    call_id: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    left_off: int = 0  # rows or columns too many to be shown

    @property
    def started_at(self) -> float:
        return self.rows[0].at if self.rows else 0.0

    def view(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)

    @staticmethod
    def of_view(view: Mapping[str, Any]) -> Ladder:
        """The inverse of `view`, also after JSON."""
        columns = tuple(Column(**column) for column in view["columns"])
        return Ladder(view["call_id"], columns, tuple(Row(**row) for row in view["rows"]), view["left_off"])


class LadderMaker:
    """Takes what happened in order: `message` and `event`; then `ladder` is the ladder."""

    def __init__(self, call_id: str) -> None:
        self._call_id = call_id
        self._columns: list[Column] = [Column("caller", ""), Column("Plateau", "")]
        self._column_of: dict[str, int] = {}  # SIP Call-ID -> column
        self._titles: dict[str, str] = {}  # the same -> who that is, if an event said so
        self._who: dict[int, str] = {}  # the legs' names by number
        self._rows: list[Row] = []
        self._seen: dict[tuple[int, bool, bytes], int] = {}  # message -> its row
        self._left_off = 0

    def event(self, event: Any) -> None:
        kind, sip_call_id = type(event).__name__, getattr(event, "sip_call_id", "")
        if kind == "CallStarted":
            self._name(sip_call_id, event.from_number, 0)
        elif kind == "LegStarted":
            who = event.agent or user_of(event.target)
            self._name(sip_call_id, who, None)
            self._who[event.leg] = who
        note = note_of(event, self._who)
        if note is not None:
            self._add(Row(event.at, "note", PLATEAU, PLATEAU, plain(note.encode()[: 4 * _TEXT])[:_TEXT]))

    def _name(self, sip_call_id: str, title: str, column: int | None) -> None:
        title = plain(title.encode("utf-8", "replace"))[:_TEXT]
        if column is not None:
            self._column_of.setdefault(sip_call_id, column)
        self._titles[sip_call_id] = title
        known = self._column_of.get(sip_call_id)
        if known is not None and title:
            self._columns[known] = replace(self._columns[known], title=title)

    def message(self, message: Captured) -> None:
        column = self._column(message)
        if column is None:
            self._left_off += 1
            return
        key = (column, message.received, message.raw)
        row = self._seen.get(key)
        if row is not None:
            self._rows[row] = replace(self._rows[row], repeats=self._rows[row].repeats + 1)
            return
        source, target = (column, PLATEAU) if message.received else (PLATEAU, column)
        peer = _peer(message)
        detail = " ".join(filter(None, (message.sdp, "" if peer == self._columns[column].address else f"({peer})")))
        if self._add(Row(message.at, _kind(message), source, target, message.title, detail[:_TEXT],
                         sequence=message.sequence)):  # fmt: skip
            self._seen[key] = len(self._rows) - 1

    def _column(self, message: Captured) -> int | None:
        """The column of the message's leg; a new one if it is the leg's first."""
        leg = message.sip_call_id
        column = self._column_of.get(leg)
        if column is None:
            first = not self._column_of and message.received  # the call began with it
            if not first and len(self._columns) >= MAX_COLUMNS:
                return None
            column = self._column_of[leg] = 0 if first else len(self._columns)
            if not first:
                self._columns.append(Column("", ""))
        if not self._columns[column].address:
            user = message.from_user if message.received == (not message.status) else message.to_user
            title = self._titles.get(leg) or user or message.peer[0]
            self._columns[column] = Column(title[:_TEXT], _peer(message))
        return column

    def _add(self, row: Row) -> bool:
        if len(self._rows) >= MAX_ROWS:
            self._left_off += 1
            return False
        if self._rows and row.at < self._rows[-1].at:  # an event of the past, told when all was known
            row = replace(row, at=self._rows[-1].at)
        self._rows.append(row)
        return True

    def ladder(self) -> Ladder:
        return Ladder(self._call_id, tuple(self._columns), tuple(self._rows), self._left_off)


def _peer(message: Captured) -> str:
    return f"{message.transport} {address_text(*message.peer)}"


def _kind(message: Captured) -> Kind:
    if not message.status:
        return "request"
    return "provisional" if message.status < 200 else "success" if message.status < 300 else "failure"
