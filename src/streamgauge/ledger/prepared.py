"""Statements compiled once per dialect and run on the driver's own cursor.

SQLAlchemy writes the SQL, so there is one schema and one spelling for both databases; but what it does per execution
costs several times as much as forcing a small commit to disk, and every effect waits for it twice. Only the statements
that every effect runs go this way.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from streamgauge.ledger.entry import Entry, StreamRow
from streamgauge.ledger.errors import Mistaken
from streamgauge.ledger.states import EffectState
from streamgauge.ledger.tables import effects, streams


class Prepared:
    """One statement; `run` gives the driver's cursor.

    `suffix` turns an error into a row less; `strict`, made from the statement without it, an unexpected number of rows
    into an error, for a driver that is to go on without looking. `one`: exactly one row has to be touched.
    """

    def __init__(
        self, statement: sa.Executable, suffix: str = "", *, strict: str | None = None, one: bool = False
    ) -> None:
        self.one = one
        self._statement = statement
        self._suffix, self._strict = suffix, strict or "{}"
        self._compiled: dict[str, tuple[str, str, tuple[str, ...] | None]] = {}

    def run(self, connection: sa.Connection, values: Mapping[str, Any]) -> Any:
        """Run once."""
        sql, _, names = self._for(connection)
        cursor: Any = connection.connection.cursor()
        cursor.execute(sql, values if names is None else [values[name] for name in names])
        return cursor

    def strictly(self, connection: sa.Connection, values: Mapping[str, Any]) -> tuple[str, Any]:
        """The strict form and its values, as the driver takes them."""
        _, sql, names = self._for(connection)
        return sql, values if names is None else [values[name] for name in names]

    def _for(self, connection: sa.Connection) -> tuple[str, str, tuple[str, ...] | None]:
        dialect = connection.dialect
        found = self._compiled.get(dialect.name)
        if found is None:
            compiled = self._statement.compile(dialect=dialect)  # type: ignore[attr-defined]
            names = None if compiled.positiontup is None else tuple(compiled.positiontup)
            sql = str(compiled)
            found = self._compiled[dialect.name] = (sql + self._suffix, self._strict.format(sql), names)
        return found


Write = tuple[Prepared, Mapping[str, Any]]
"""A statement and its values."""


def apply(connection: sa.Connection, writes: Sequence[Write]) -> None:
    """Run `writes`; raises `Mistaken` where a row is not what it was taken for."""
    with batch(connection):
        cursors = [(statement, statement.run(connection, values)) for statement, values in writes]
    if any(statement.one and cursor.rowcount != 1 for statement, cursor in cursors):
        raise Mistaken


def batch(connection: sa.Connection) -> AbstractContextManager[object]:
    """Statements whose results nobody waits for: one round trip for all of them where the driver can do that."""
    driver: Any = connection.connection.driver_connection
    return driver.pipeline() if connection.dialect.name == "postgresql" else nullcontext()


_ENTRY_NAMES = tuple(column.name for column in effects.columns)
_VALUES = attrgetter(*_ENTRY_NAMES)
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


def values_of(entry: Entry) -> dict[str, Any]:
    """The columns of an entry, as the driver takes them."""
    return _encoded(dict(zip(_ENTRY_NAMES, _VALUES(entry), strict=True)))


def changes_of(known: Entry, entry: Entry) -> dict[str, Any]:
    """The columns in which `entry` is not what it was, as the driver takes them."""
    pairs = zip(_ENTRY_NAMES, _VALUES(known), _VALUES(entry), strict=True)
    return _encoded({name: value for name, before, value in pairs if value is not before and value != before})


def _encoded(values: dict[str, Any]) -> dict[str, Any]:
    if "state" in values:
        values["state"] = str(values["state"])
    for name in ("args_view", "result"):
        if values.get(name) is not None:
            values[name] = json.dumps(values[name])
    return values


def _decoded(values: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """SQLite's driver gives JSON as text, PostgreSQL's as what it means."""
    for name in names:
        if isinstance(values[name], str):
            values[name] = json.loads(values[name])
    return values
