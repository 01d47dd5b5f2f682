"""The ledger's tables, one schema for SQLite and PostgreSQL, and rows turned into the plain records of `entry`.

All times are integers (nanoseconds). A changed table needs a new revision in `migrations/versions` and a row in
`REVISIONS`.
"""

from typing import Any

import sqlalchemy as sa

from streamgauge.ledger.entry import Entry, StreamRow, ToolCall
from streamgauge.ledger.states import NOT_DISPATCHED, UNSETTLED, EffectState

REVISIONS = ("0001", "0002")
"""Every schema version ever released, oldest first."""

VERSION_TABLE = "streamgauge_ledger_version"

metadata = sa.MetaData()
_NS = sa.BigInteger
_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")

streams = sa.Table(
    "streamgauge_stream",
    metadata,
    sa.Column("ref", sa.Text, primary_key=True),
    sa.Column("begun_ns", _NS, nullable=False),
    sa.Column("owner", sa.Text),
    sa.Column("lease_ns", _NS),
    sa.Column("outcome", sa.Text),
    sa.Column("initiator", sa.Text),
    sa.Column("phase", sa.Text),
    sa.Column("failure_mode", sa.Text),
    sa.Column("ended_ns", _NS),
    sa.Column("stopped_ns", _NS),
    sa.Column("shown_chars", sa.BigInteger),
    sa.Column("usage", sa.JSON(none_as_null=True)),
    sa.Column("trace", sa.JSON(none_as_null=True)),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("verdict", sa.Text),
    sa.Column("changed_ns", _NS, nullable=False),
    sa.Column("response_id", sa.Text),
    sa.Index("streamgauge_stream_open", "open", "changed_ns"),
    sa.Index("streamgauge_stream_response", "response_id"),
)

effects = sa.Table(
    "streamgauge_effect",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("tool", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("args_hash", sa.Text, nullable=False),
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("intended_ns", _NS, nullable=False),
    sa.Column("changed_ns", _NS, nullable=False),
    sa.Column("stream_ref", sa.Text),
    sa.Column("tool_call_id", sa.Text),
    sa.Column("reversible", sa.Boolean, nullable=False),
    sa.Column("idempotent", sa.Boolean, nullable=False),
    sa.Column("args_view", sa.JSON(none_as_null=True)),
    sa.Column("result", sa.JSON(none_as_null=True)),
    sa.Column("reason", sa.Text),
    sa.Column("policy", sa.Text, nullable=False),
    sa.Column("confidence", sa.Float),
    sa.Column("compensates", sa.Text),
    sa.Column("owner", sa.Text),
    sa.Column("lease_ns", _NS),
    sa.Column("asked_ns", _NS),
    sa.Column("expires_ns", _NS),
    sa.Column("decided_ns", _NS),
    sa.Column("decided_by", sa.Text),
    sa.Column("started_ns", _NS),
    sa.Column("committed_ns", _NS),
    sa.Column("settled_ns", _NS),
    sa.Column("compensated_ns", _NS),
    sa.Column("shown_at_start", sa.BigInteger),
    sa.Column("shown_at_settle", sa.BigInteger),
    sa.Column("probes", sa.Integer, nullable=False),
    sa.Column("next_probe_ns", _NS, nullable=False),
    sa.Column("claim_ns", _NS, nullable=False),
    sa.Index("streamgauge_effect_state", "state", "next_probe_ns"),
    sa.Index(
        "streamgauge_effect_stream",
        "stream_ref",
        sqlite_where=sa.text("stream_ref IS NOT NULL"),
        postgresql_where=sa.text("stream_ref IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

tool_calls = sa.Table(
    "streamgauge_tool_call",
    metadata,
    sa.Column("stream_ref", sa.Text, primary_key=True),
    sa.Column("tool_call_id", sa.Text, primary_key=True),
    sa.Column("tool", sa.Text, nullable=False),
    sa.Column("args_hash", sa.Text),
    sa.Column("complete", sa.Boolean, nullable=False),
    sa.Column("seen_ns", _NS, nullable=False),
)

reconciliations = sa.Table(
    "streamgauge_reconciliation",
    metadata,
    sa.Column("stream_ref", sa.Text, primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at_ns", _NS, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("settled", sa.Boolean, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
)

history = sa.Table(
    "streamgauge_history",
    metadata,
    sa.Column("id", _ID, primary_key=True, autoincrement=True),
    sa.Column("at_ns", _NS, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("key", sa.Text),
    sa.Column("attempt", sa.Integer),
    sa.Column("stream_ref", sa.Text),
    sa.Column("actor", sa.Text),
    sa.Column("detail", sa.Text),
)

UNSETTLED_VALUES = [str(state) for state in UNSETTLED]
NOT_DISPATCHED_VALUES = [str(state) for state in NOT_DISPATCHED]


def declared_by_the_answer() -> sa.Exists:
    """Whether a tool call has an effect in any stream that carries the same answer: it was declared once for all."""
    mine, other = streams.alias(), streams.alias()
    return sa.exists().where(
        mine.c.ref == tool_calls.c.stream_ref,
        other.c.response_id == mine.c.response_id,
        effects.c.stream_ref == other.c.ref,
        effects.c.tool_call_id == tool_calls.c.tool_call_id,
    )


def entry_of(row: sa.Row[Any]) -> Entry:
    """One row of `effects`."""
    values = dict(row._mapping)
    values["state"] = EffectState(values["state"])
    return Entry(**values)


def stream_of(row: sa.Row[Any]) -> StreamRow:
    """One row of `streams`."""
    return StreamRow(**row._mapping)


def call_of(row: sa.Row[Any]) -> ToolCall:
    """One row of `tool_calls`."""
    return ToolCall(**row._mapping)
