"""Statements compiled once per dialect and run on the driver's own cursor.

SQLAlchemy writes the SQL, so there is one schema and one spelling for both databases; but what it does per execution
costs several times as much as forcing a small commit to disk, and every effect of a stream waits for it twice. Only the
questions that such an effect asks go this way.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from streamgauge.ledger.entry import Entry, StreamRow
from streamgauge.ledger.states import EffectState
from streamgauge.ledger.tables import effects, streams


class Prepared:
    """One statement; `run` gives the driver's cursor."""

    def __init__(self, statement: sa.Executable) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, tuple[str, ...] | None]] = {}

    def run(self, connection: sa.Connection, values: Mapping[str, Any]) -> Any:
        """Run once."""
        sql, names = self._for(connection)
        cursor: Any = connection.connection.cursor()
        cursor.execute(sql, values if names is None else [values[name] for name in names])
        return cursor

    def _for(self, connection: sa.Connection) -> tuple[str, tuple[str, ...] | None]:
        dialect = connection.dialect
        found = self._compiled.get(dialect.name)
        if found is None:
            compiled = self._statement.compile(dialect=dialect)  # type: ignore[attr-defined]
            names = None if compiled.positiontup is None else tuple(compiled.positiontup)
            found = self._compiled[dialect.name] = (str(compiled), names)
        return found


_ENTRY_NAMES = tuple(column.name for column in effects.columns)
_STREAM_NAMES = tuple(column.name for column in streams.columns)


def entry_from(row: Sequence[Any]) -> Entry:
    """One row of `effects`, as the driver gives it."""
    values = dict(zip(_ENTRY_NAMES, row, strict=True))
    values["state"] = EffectState(values["state"])
    for name in ("reversible", "idempotent"):
        values[name] = bool(values[name])
    return Entry(**_decoded(values, ("args_view", "result")))


def stream_from(row: Sequence[Any]) -> StreamRow:
    """One row of `streams`, as the driver gives it."""
    values = dict(zip(_STREAM_NAMES, row, strict=True))
    values["open"] = bool(values["open"])
    return StreamRow(**_decoded(values, ("usage", "trace")))


def _decoded(values: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """SQLite's driver gives JSON as text, PostgreSQL's as what it means."""
    for name in names:
        if isinstance(values[name], str):
            values[name] = json.loads(values[name])
    return values
