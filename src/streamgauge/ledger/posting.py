"""How changes get into PostgreSQL: those of many who know nothing of each other, and did not look, in one round trip
and one transaction; those of a transaction that goes on by the same statements.

Comes in: for each of them one entry that is new or moves, the lines of the history about it, and what it took the row
of its stream for. Goes out: rows, and whose changes were not written, because something was not what it was taken for.
The statement locks the streams' rows and looks at them as they are once they are locked, so that a stop that another
process writes meanwhile comes either after the start or in its way. A row that somebody else has locked is not waited
for: whose stream it is has to go alone, and look; the others have nothing to do with it.
"""

# ruff: noqa: S608 - the names in the statements are those of our own tables

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from streamgauge.ledger.errors import Mistaken
from streamgauge.ledger.tables import effects, history, streams
from streamgauge.ledger.verdict import UNDECIDED
from streamgauge.ledger.writing import Changes, Row, changed, row_of

Names = tuple[str, ...]


def post_on_postgresql(cursor: Any, several: Sequence[Changes]) -> list[int]:
    """Write, through the driver's own cursor, what is true of each; the places of those of whom it is not."""
    if len(several) == 1:
        return [] if cursor.execute(*_alone(several[0])).rowcount else [0]
    groups = _by_change(several)
    refused: list[int] = []
    with cursor.connection.transaction() if len(groups) > 1 else nullcontext():
        for (state, *names), places in groups.items():
            sql, values = _together([several[place] for place in places], state, tuple(names))
            if cursor.execute(sql, values).rowcount < len(places):
                done = set(cursor.fetchall())
                refused += [place for place in places if _identity(several[place]) not in done]
    return refused


def write_on_postgresql(driver: Any, changes: Changes) -> None:
    """Write all of it, in the transaction that goes on; raises `Mistaken` where an entry is there already, or is not
    what it was known as.
    """
    each = _apart(changes)
    try:
        with driver.cursor() as cursor:
            if post_on_postgresql(cursor, each):
                raise Mistaken
            if changes.noted and len(each) != 1:
                cursor.execute(_NOTE, {"noted": json.dumps(changes.noted)})
    except Exception as error:
        if getattr(error, "sqlstate", None) == _DIVISION_BY_ZERO:
            raise Mistaken from error
        raise


def _apart(changes: Changes) -> list[Changes]:
    """Those of each entry; the lines of the history go along if there is only one."""
    if len(changes.added) + len(changes.moved) == 1:
        return [changes]
    return [Changes([entry]) for entry in changes.added] + [Changes(moved=[both]) for both in changes.moved]


def _by_change(several: Sequence[Changes]) -> dict[Names, list[int]]:
    """Places by what one statement can do: all that add, and of those that move all that move alike.

    Who adds goes with the first who move; more than one group is rare.
    """
    groups: dict[Names, list[int]] = {}
    adding = [place for place, changes in enumerate(several) if changes.added]
    for place, changes in enumerate(several):
        for known, entry in changes.moved:
            groups.setdefault((str(known.state), *changed(known, entry)), []).append(place)
    if adding:
        groups.setdefault(next(iter(groups), ("",)), []).extend(adding)
    return groups


def _identity(changes: Changes) -> tuple[str, int, str]:
    """Nobody else's changes are about the same three."""
    entry = changes.entry
    return entry.key, entry.attempt, entry.token


def _supposed(changes: Changes) -> Row:
    supposed = changes.supposed
    assert supposed is not None  # noqa: S101 - the caller looked
    stream = supposed.stream
    return {
        "token": changes.entry.token,
        "ref": stream.ref,
        "begun_ns": stream.begun_ns,
        "owner": stream.owner,
        "lease_ns": stream.lease_ns,
        "changed_ns": stream.changed_ns,
        "response_id": stream.response_id,
        "starts": supposed.starts,
        "undecided": supposed.undecided,
        "by_call": supposed.by_call,
        "other_key": supposed.other_key,
    }


# Many: rows go down as JSON, so that one statement, which is planned once per connection, fits any number of them


def _together(several: list[Changes], state: str, names: Names) -> tuple[str, Row]:
    of_streams = [_supposed(changes) for changes in several if changes.supposed is not None]
    values = {
        "of_state": state,
        "added": _json((row_of(entry) for changes in several for entry in changes.added), "key"),
        "moved": _json((row_of(entry) for changes in several for _, entry in changes.moved), "key"),
        "noted": json.dumps([note | {"token": changes.entry.token} for changes in several for note in changes.noted]),
        "supposed": _json(of_streams, "ref"),
    }
    return _for_many(names, bool(of_streams)), values


def _json(rows: Iterable[Row], order: str) -> str:
    """In one order: two processes that want the same ones wait for each other, never in a circle."""
    return json.dumps(sorted(rows, key=itemgetter(order)))


@lru_cache(maxsize=256)
def _for_many(names: Names, of_streams: bool) -> str:
    rows = f"json_populate_recordset(NULL::{effects.name}, %({{}})s) AS row"
    fits = _FITS if of_streams else "TRUE"
    written = {"added": _ADDED.format(names=", ".join(_ENTRY), rows=rows.format("added"), fits=fits)}
    if names:
        values = ", ".join(f"{name} = excluded.{name}" for name in names)
        written |= {"met": _MET.format(values=values, rows=rows.format("moved"), fits=fits), "moved": _MOVED_TOGETHER}
    supposed = f"json_to_recordset(%(supposed)s) AS row({_typed(_SUPPOSED)})" if of_streams else None
    lines = f"json_to_recordset(%(noted)s) AS row({_typed(_LINE | {'token': 'TEXT'})})"
    return _statement(supposed, written, f"{lines} WHERE ({_WHO}) IN (SELECT {_WHO} FROM done)")


def _typed(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())


# One: its values go down as they are, which is much less work for the server


class _Shape(NamedTuple):
    """What one statement fits."""

    added: Names
    moved: Names
    lines: int
    of_stream: bool


def _alone(changes: Changes) -> tuple[str, Row]:
    entry = changes.entry
    known = None if changes.added else changes.moved[0][0]
    values = row_of(entry) if known is None else changed(known, entry)
    names = tuple(values)
    for name, form in _FORMS:
        if name in values:
            values[name] = form(values[name])
    if known is not None:
        values |= {"of_key": known.key, "of_attempt": known.attempt, "of_state": str(known.state)}
        values["of_token"] = known.token
    for number, note in enumerate(changes.noted):
        values |= {f"{name}_{number}": value for name, value in note.items()}
    if changes.supposed is not None:
        values |= {f"stream_{name}": value for name, value in _supposed(changes).items()}
    added, moved = (names, ()) if known is None else ((), names)
    return _for_one(_Shape(added, moved, len(changes.noted), changes.supposed is not None)), values


_FORMS = (("state", str), ("args_view", json.dumps), ("result", json.dumps))


@lru_cache(maxsize=256)
def _for_one(shape: _Shape) -> str:
    fits = "EXISTS (SELECT FROM held)" if shape.of_stream else "TRUE"
    if shape.added:
        rows = _rows({name: _ENTRY[name] for name in shape.added})
        written = {"added": _ADDED.format(names=", ".join(shape.added), rows=rows, fits=fits)}
    else:
        values = ", ".join(f"{name} = %({name})s::{_ENTRY[name]}" for name in shape.moved)
        written = {"moved": _MOVED_ALONE.format(values=values, fits=fits)}
    supposed = _rows(_SUPPOSED, "stream_{}") if shape.of_stream else None
    lines = _rows(_LINE, *(f"{{}}_{number}" for number in range(shape.lines)))
    return _statement(supposed, written, f"{lines} WHERE EXISTS (SELECT FROM done)" if shape.lines else None)


def _rows(columns: Mapping[str, str], *marks: str) -> str:
    """Rows of these columns, each row with a way of its own to name its values."""
    rows = [
        ", ".join(f"%({mark.format(name)})s::{kind}" for name, kind in columns.items()) for mark in marks or ("{}",)
    ]
    return f"(VALUES {', '.join(f'({row})' for row in rows)}) AS row({', '.join(columns)})"


# Both


def _columns(table: sa.Table) -> dict[str, str]:
    """Every column but one that the database fills, and its type."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return {column.name: column.type.compile(dialect) for column in table.columns if column.autoincrement is not True}


def _statement(supposed: str | None, written: Mapping[str, str], lines: str | None) -> str:
    """Looks at the streams, writes, and tells of whom it was written."""
    parts = {"supposed": f"SELECT * FROM {supposed}"} | _LOOKED_AT if supposed is not None else {}
    parts |= written
    parts["done"] = " UNION ALL ".join(f"SELECT {_WHO} FROM {part}" for part in ("added", "moved") if part in written)
    if supposed is not None:
        parts["reopened"] = _REOPENED
    if lines is not None:
        parts["noted"] = _NOTED.format(lines=lines)
    return f"WITH {', '.join(f'{name} AS ({sql})' for name, sql in parts.items())} SELECT {_WHO} FROM done"


_ENTRY = _columns(effects)
_LINE = _columns(history)
_SUPPOSED = {
    "token": "TEXT",
    "ref": "TEXT",
    "begun_ns": "BIGINT",
    "owner": "TEXT",
    "lease_ns": "BIGINT",
    "changed_ns": "BIGINT",
    "response_id": "TEXT",
    "starts": "BOOLEAN",
    "undecided": "BOOLEAN",
    "by_call": "BOOLEAN",
    "other_key": "TEXT",
}
_WHO = "key, attempt, token"
_NOTED = f"INSERT INTO {history.name} ({', '.join(_LINE)}) SELECT {', '.join(_LINE)} FROM {{lines}}"
_NOTE = _NOTED.format(lines=f"json_to_recordset(%(noted)s) AS row({_typed(_LINE)})")
_DIVISION_BY_ZERO = "22012"

_UNDECIDED = ", ".join(sorted(f"'{outcome or ''}'" for outcome in UNDECIDED))
_LOOKED_AT = {
    "locked": f"""
        SELECT supposed.*, known.open FROM supposed, LATERAL (
            SELECT open, stopped_ns, outcome, response_id FROM {streams.name} WHERE ref = supposed.ref
            FOR UPDATE SKIP LOCKED
        ) AS known
        WHERE (known.stopped_ns IS NULL OR NOT starts)
        AND (coalesce(known.outcome, '') IN ({_UNDECIDED}) OR NOT undecided)
        AND CASE
            WHEN NOT starts THEN TRUE
            WHEN supposed.response_id IS NULL THEN known.response_id IS NULL OR NOT by_call
            ELSE known.response_id = supposed.response_id AND (NOT by_call OR known.response_id = (
                SELECT response_id FROM {streams.name} WHERE ref = supposed.ref
            ))
        END""",
    "begun": f"""
        INSERT INTO {streams.name} (ref, begun_ns, owner, lease_ns, changed_ns, response_id, open, revision)
        SELECT ref, begun_ns, owner, lease_ns, changed_ns, response_id, TRUE, 0 FROM supposed
        WHERE starts AND NOT EXISTS (SELECT FROM {streams.name} WHERE ref = supposed.ref)
        ON CONFLICT DO NOTHING RETURNING ref, response_id""",
    "held": f"""
        SELECT token FROM (
            SELECT * FROM locked
            UNION ALL
            SELECT supposed.*, TRUE FROM supposed JOIN begun USING (ref)
            WHERE starts AND begun.response_id IS NOT DISTINCT FROM supposed.response_id
        ) AS mine
        WHERE NOT by_call OR response_id IS NULL OR NOT (
            EXISTS (SELECT FROM {streams.name} AS s WHERE s.response_id = mine.response_id AND s.ref <> mine.ref)
            OR EXISTS (SELECT FROM {effects.name} WHERE key = mine.other_key)
        )""",
}
"""What is locked is seen as it is then; all else as it was when the statement began. Whoever wrote under the other key
did so before the stream's row got the response id: that has to have been there already. A stream that is known is not
tried to be begun: even an insert that gives way waits for who is changing the row."""

_REOPENED = f"""
    UPDATE {streams.name} AS known SET open = TRUE, changed_ns = locked.changed_ns FROM locked
    WHERE known.ref = locked.ref AND NOT locked.open AND locked.token IN (SELECT token FROM done)"""
"""What the journal does, too: something happened that no record tells yet."""

_ADDED = f"""
    INSERT INTO {effects.name} ({{names}}) SELECT {{names}} FROM {{rows}} WHERE {{fits}}
    ON CONFLICT DO NOTHING RETURNING {_WHO}"""

_MOVED_ALONE = f"""
    UPDATE {effects.name} SET {{values}}
    WHERE key = %(of_key)s AND attempt = %(of_attempt)s AND state = %(of_state)s AND token = %(of_token)s AND {{fits}}
    RETURNING {_WHO}"""

_MET = f"""
    INSERT INTO {effects.name} AS known SELECT row.* FROM {{rows}} WHERE {{fits}}
    ON CONFLICT (key, attempt) DO UPDATE SET {{values}}
    WHERE known.state = %(of_state)s AND known.token = excluded.token
    RETURNING known.xmax, known.key, known.attempt, known.token"""
"""An insert that meets the entry it is for, which is what `xmax` says: an update joined to JSON may be planned as a
scan of the whole table, and its plan is kept."""

_MOVED_TOGETHER = f"SELECT {_WHO} FROM met WHERE 1 / (xmax <> 0)::int = 1"
"""Who meets no entry spoils it for all, for then nothing may stay."""

_FITS = "(SELECT count(*) FROM held) >= 0 AND (row.stream_ref IS NULL OR row.token IN (SELECT token FROM held))"
"""Counted, so that all streams are locked before any effect is."""
