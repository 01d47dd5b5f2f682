"""What changes of effects and lines of the history are, and how they get into SQLite: many at a time, in as few
statements as it can take (`posting` has PostgreSQL).

Comes in: plain records, as one transaction or many collected them. Goes out: rows, or `Mistaken`. What waits for an
effect to be on disk waits for this, twice per effect; SQLAlchemy's own executions cost several times as much.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import Any

from streamgauge.ledger.entry import Entry, StreamRow
from streamgauge.ledger.errors import Mistaken
from streamgauge.ledger.tables import effects, history

Row = dict[str, Any]


@dataclass(slots=True)
class Supposed:
    """What the row of a stream was taken for by somebody who did not look; it is opened again, if it has its record.

    `starts`: nobody stopped it, and it has the response id that was named; it is begun as `stream` if nobody did.
    `undecided`: its end was not told. `by_call`: no other stream carries its answer, so that the key of the tool call
    is the right one, and nothing was written under `other_key`, by which the same call might have come.
    """

    stream: StreamRow
    starts: bool = False
    undecided: bool = False
    by_call: bool = False
    other_key: str | None = None


@dataclass(slots=True)
class Changes:
    """What is to be written: new entries, entries as they are known with what they become, lines of the history."""

    added: list[Entry] = field(default_factory=list)
    moved: list[tuple[Entry, Entry]] = field(default_factory=list)
    noted: list[Row] = field(default_factory=list)
    supposed: Supposed | None = None
    """Only of what is posted to PostgreSQL."""

    def __bool__(self) -> bool:
        return bool(self.added or self.moved or self.noted)

    @property
    def entry(self) -> Entry:
        """The one entry that what is posted is about, as it becomes."""
        return self.added[0] if self.added else self.moved[0][1]


def joined(several: Iterable[Changes]) -> Changes:
    """The changes of several transactions as those of one."""
    every = list(several)
    if len(every) == 1:
        return every[0]
    added, moved, noted = ([getattr(one, kind) for one in every] for kind in ("added", "moved", "noted"))
    return Changes(list(chain(*added)), list(chain(*moved)), list(chain(*noted)))


def row_of(entry: Entry) -> Row:
    """The columns of an entry that say something: in both databases an empty one costs as much as a full one."""
    return {name: value for name, value in vars(entry).items() if value is not None}


def changed(known: Entry, entry: Entry) -> Row:
    """The columns in which an entry is not what it was; never none."""
    before = vars(known)
    return {name: value for name, value in vars(entry).items() if value is not before[name]} or {"state": entry.state}


def write_on_sqlite(driver: Any, changes: Changes) -> None:
    """Write all of it, through the driver's own connection; raises `Mistaken` where an entry is there already, or is
    not what it was known as.
    """
    for names, rows in _by_columns([row_of(entry) for entry in changes.added]):
        _run(driver, _insert(names), rows)
    for names, rows in _by_columns([_moved(*both) for both in changes.moved]):
        _run(driver, _update(names), rows)
    driver.executemany(_NOTE, [tuple(note.values()) for note in changes.noted])


def _by_columns(rows: list[Row]) -> Iterable[tuple[tuple[str, ...], list[tuple[Any, ...]]]]:
    """Rows with the same columns go down in one call of the driver."""
    groups: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for row in rows:
        _make_plain(row)
        groups.setdefault(tuple(row), []).append(tuple(row.values()))
    return groups.items()


def _run(driver: Any, sql: str, rows: list[tuple[Any, ...]]) -> None:
    if driver.executemany(sql, rows).rowcount != len(rows):
        raise Mistaken


def _moved(known: Entry, entry: Entry) -> Row:
    """The columns that change, then what the entry is known as."""
    known_as = {"of_key": known.key, "of_attempt": known.attempt, "of_state": str(known.state), "of_token": known.token}
    return changed(known, entry) | known_as


_FORMS: tuple[tuple[str, Callable[[Any], object]], ...] = (
    ("state", str),
    ("reversible", int),
    ("idempotent", int),
    ("args_view", json.dumps),
    ("result", json.dumps),
)
"""Columns that the driver of SQLite does not take, or takes slowly, as they are."""


def _make_plain(row: Row) -> None:
    for name, form in _FORMS:
        if row.get(name) is not None:
            row[name] = form(row[name])


@lru_cache(maxsize=256)
def _insert(names: tuple[str, ...]) -> str:
    marks = ", ".join("?" * len(names))
    return f"INSERT INTO {effects.name} ({', '.join(names)}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608


@lru_cache(maxsize=256)
def _update(names: tuple[str, ...]) -> str:
    values = ", ".join(f"{name} = ?" for name in names if not name.startswith("of_"))
    where = "key = ? AND attempt = ? AND state = ? AND token = ?"
    return f"UPDATE {effects.name} SET {values} WHERE {where}"  # noqa: S608


_NOTED = [column.name for column in history.columns if column.name != "id"]
_NOTE = f"INSERT INTO {history.name} ({', '.join(_NOTED)}) VALUES ({', '.join('?' * len(_NOTED))})"  # noqa: S608
