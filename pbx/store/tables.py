"""The tables. `migrations/versions` must lead to exactly these: a test compares them.

Only what is queried is indexed: the journal by its number and by call, call records by start and by call.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Double, Index, Integer, MetaData, Table, Text

metadata: Final = MetaData()

# "INTEGER" makes it the row id in SQLite: rows are appended in key order, without a second tree.
_Number = BigInteger().with_variant(Integer, "sqlite")

journal: Final = Table(
    "journal",
    metadata,
    Column("seq", _Number, primary_key=True, autoincrement=False),  # 1, 2, 3 ... in order of happening
    Column("at", Double, nullable=False),  # seconds since 1970 (UTC)
    Column("kind", Text, nullable=False),  # the event's class: CallStarted, ItemQueued ...
    Column("call_id", Text),  # call_id or item_id of the event
    Column("data", Text, nullable=False),  # its other fields, a JSON object
    Index("journal_call", "call_id"),
)

cdr: Final = Table(
    "cdr",
    metadata,
    Column("seq", _Number, primary_key=True, autoincrement=False),  # of the CallEnded that closed it
    Column("call_id", Text, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("answered_at", Double),
    Column("connected_at", Double),
    Column("ended_at", Double, nullable=False),
    Column("direction", Text, nullable=False),
    Column("from_number", Text, nullable=False),
    Column("to_number", Text, nullable=False),
    Column("trunk", Text),
    Column("destination", Text, nullable=False),
    Column("queue", Text),
    Column("agent", Text),
    Column("waited_s", Double, nullable=False),
    Column("talked_s", Double, nullable=False),
    Column("cause", Text, nullable=False),
    Column("status", Integer),
    Column("web_session", Text),
    Column("basket", Double),
    Column("packets_received", BigInteger, nullable=False),
    Column("packets_sent", BigInteger, nullable=False),
    Column("packets_lost", BigInteger, nullable=False),
    Column("jitter_ms", Double, nullable=False),
    Column("transfers", Integer, nullable=False, server_default="0"),
    Column("transferred_to", Text),
    Column("caller_rtt_ms", Double),
    Column("caller_mos", Double),
    Column("callee_lost", BigInteger),
    Column("callee_jitter_ms", Double),
    Column("callee_rtt_ms", Double),
    Column("callee_mos", Double),
    Column("disposition", Text),
    Index("cdr_started", "started_at"),
    Index("cdr_call", "call_id"),
)

# How far each projection has read the journal.
projection: Final = Table(
    "projection",
    metadata,
    Column("name", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),  # read up to here
    Column("open_from", BigInteger, nullable=False),  # what it still holds in memory began here or later
)

# Who is registered where, a row for each AOR: read at start, written behind the registrar's back.
bindings: Final = Table(
    "bindings",
    metadata,
    Column("aor", Text, primary_key=True),
    Column("expires_at", Double, nullable=False),  # seconds since 1970 (UTC): of its last contact
    Column("contacts", Text, nullable=False),  # a JSON array of objects
)

# What users set for their phones over what the site says.
phone_settings: Final = Table(
    "phone_settings",
    metadata,
    Column("extension", Text, primary_key=True),
    Column("setting", Text, primary_key=True),  # dnd, forward-always, ...
    Column("value", Text, nullable=False),
)

# Recordings of calls: a row each, its file's name below the site's folder.
recordings: Final = Table(
    "recordings",
    metadata,
    Column("id", Text, primary_key=True),  # the call's id, a dot, 1 for its first recording
    Column("call_id", Text, nullable=False),
    Column("linked_call_id", Text),
    Column("queue", Text),
    Column("agent", Text),
    Column("started_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("duration_s", Double, nullable=False),
    Column("file", Text, nullable=False),
    Column("format", Text, nullable=False),  # wav, opus
    Column("encrypted", Integer, nullable=False),  # 0, 1
    Column("masked", Text, nullable=False),  # spans in seconds, a JSON array of pairs
    Column("size_bytes", BigInteger, nullable=False),
    Column("why", Text),  # it ended
    Column("legal_hold", Integer, nullable=False),
    Column("deleted_at", Double),
    Index("recordings_started", "started_at"),
    Index("recordings_call", "call_id"),
)

# Calls that stand: read at start, so that they outlive the server.
standing_calls: Final = Table(
    "standing_calls",
    metadata,
    Column("call_id", Text, primary_key=True),
    Column("kept", Text, nullable=False),  # a JSON object
)

# The whole state of the ACD, after so many inputs; the two newest are kept.
floor_checkpoints: Final = Table(
    "floor_checkpoints",
    metadata,
    Column("number", _Number, primary_key=True, autoincrement=False),  # inputs before it, ever
    Column("at", Double, nullable=False),  # seconds since 1970 (UTC)
    Column("kept", Text, nullable=False),  # JSON, as acd/checkpoint.py makes it
)

# The ACD's inputs since the older of its checkpoints, a quarter of a second in a row.
floor_inputs: Final = Table(
    "floor_inputs",
    metadata,
    Column("first", _Number, primary_key=True, autoincrement=False),  # number of its first input
    Column("inputs", Integer, nullable=False),  # how many it has
    Column("data", Text, nullable=False),  # a JSON array, as acd/input_log.py makes its elements
)

#: Figures of a quarter of an hour, as the folds name them. A new one goes to the end, with a migration.
CALLS_COLUMNS: Final = (
    "offered", "answered", "answered_in_time", "abandoned", "abandoned_short", "overflowed", "turned_away",
    "called_back", "resumed", "completed", "transferred", "offers", "missed", "unreachable", "waited_ms",
    "abandon_waited_ms", "overflow_waited_ms", "longest_ms", "talked_ms", "wrap_up_ms", "estimates",
    "estimates_near", "estimate_error_ms", "estimate_off_ms",
)  # fmt: skip
AGENT_COLUMNS: Final = (
    "offers", "answered", "no_answer", "rejected", "busy", "unreachable", "completed", "transferred", "received",
    "talked_ms", "ready_ms", "reserved_ms", "busy_ms", "wrap_up_ms", "not_ready_ms",
)  # fmt: skip

IVR_COLUMNS: Final = (
    "entered", "left", "hung_up", "ended", "inputs", "spent_ms", "no_match", "no_input", "unmatched", "silent",
)  # fmt: skip


def _figures(names: tuple[str, ...]) -> list[Column[int]]:
    return [Column(name, BigInteger, nullable=False, server_default="0") for name in names]


calls_intervals: Final = Table(
    "calls_intervals",
    metadata,
    Column("start", BigInteger, primary_key=True, autoincrement=False),  # seconds since 1970 (UTC), a multiple of 900
    Column("kind", Text, primary_key=True),  # queue, skill
    Column("name", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("dispositions", Text, nullable=False, server_default="{}"),  # how often each was noted, a JSON object
    *_figures(CALLS_COLUMNS),
)

agent_intervals: Final = Table(
    "agent_intervals",
    metadata,
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("agent", Text, primary_key=True),
    Column("not_ready", Text, nullable=False),  # ms by reason, a JSON object
    Column("dispositions", Text, nullable=False, server_default="{}"),
    *_figures(AGENT_COLUMNS),
)

ivr_intervals: Final = Table(
    "ivr_intervals",
    metadata,
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("flow", Text, primary_key=True),
    Column("state", Text, primary_key=True),
    *_figures(IVR_COLUMNS),
)
