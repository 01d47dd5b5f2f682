"""One transaction's view of the ledger: reads rows, collects changes, writes them together, and keeps the facts to
tell.

Comes in: a connection inside a write transaction. Goes out: rows and facts. Locks are always taken in one order, the
stream before its effects and several streams by their references, so that transactions wait for each other but never in
a circle. Only a stream whose answer becomes known late locks the others after itself: should two of them meet, the
database breaks the circle and the write is run again.
"""

import dataclasses
from typing import Any

import sqlalchemy as sa

from streamgauge.ledger import verdict
from streamgauge.ledger.entry import Entry, Reconciliation, StreamRow, ToolCall
from streamgauge.ledger.facts import EffectMoved, Fact, Reconciled
from streamgauge.ledger.posting import write_on_postgresql
from streamgauge.ledger.prepared import Prepared, entry_from, stream_from
from streamgauge.ledger.states import EffectState, Step, advance
from streamgauge.ledger.tables import (
    UNSETTLED_VALUES,
    call_of,
    declared_by_the_answer,
    effects,
    entry_of,
    reconciliations,
    streams,
    tool_calls,
)
from streamgauge.ledger.writing import Changes, write_on_sqlite

_IS_ENTRY = (effects.c.key == sa.bindparam("of_key")) & (effects.c.attempt == sa.bindparam("of_attempt"))

_LATEST = Prepared(
    sa.select(effects)
    .where(effects.c.key == sa.bindparam("of_key"))
    .order_by(effects.c.attempt.desc())
    .with_for_update()
)
_ATTEMPT = Prepared(sa.select(effects).where(_IS_ENTRY).with_for_update())
_STREAM = Prepared(sa.select(streams).where(streams.c.ref == sa.bindparam("of_ref")).with_for_update())
_OF_STREAM = sa.select(effects).where(effects.c.stream_ref == sa.bindparam("of_ref"))
_CALLS = sa.select(tool_calls).where(tool_calls.c.stream_ref == sa.bindparam("of_ref"))
_OWN_CALLS = _CALLS.where(~declared_by_the_answer())
_CARRIERS = (
    sa.select(streams.c.ref)
    .where(
        streams.c.response_id
        == sa.func.coalesce(
            sa.bindparam("of_response", type_=sa.Text),
            sa.select(streams.c.response_id).where(streams.c.ref == sa.bindparam("of_ref")).scalar_subquery(),
        )
    )
    .order_by(streams.c.ref)
    .with_for_update()
)
_SIBLINGS = (
    sa.select(streams.c.ref)
    .where(streams.c.response_id == sa.bindparam("of_response"), streams.c.ref != sa.bindparam("of_ref"))
    .where(sa.exists().where(tool_calls.c.stream_ref == streams.c.ref))
    .order_by(streams.c.ref)
)


class Journal:
    """Reads through `connection`; `flush` writes what was collected."""

    def __init__(self, connection: sa.Connection | None) -> None:
        self._connection = connection
        self.facts: list[Fact] = []
        self._notes: list[dict[str, Any]] = []
        self._new: dict[tuple[str, int], Entry] = {}
        self._changed: dict[tuple[str, int], tuple[Entry, Entry]] = {}
        self._locked: dict[str, StreamRow] = {}

    @property
    def connection(self) -> sa.Connection:
        """Inside a write transaction."""
        assert self._connection is not None, "a blind journal reads nothing"  # noqa: S101 - a mistake of this room
        return self._connection

    def latest(self, key: str) -> Entry | None:
        """The newest attempt under `key`, locked until the end of the transaction."""
        row = _LATEST.run(self.connection, {"of_key": key}).fetchone()
        return None if row is None else entry_from(row)

    def attempt(self, key: str, attempt: int) -> Entry | None:
        """One attempt under `key`, locked until the end of the transaction."""
        row = _ATTEMPT.run(self.connection, {"of_key": key, "of_attempt": attempt}).fetchone()
        return None if row is None else entry_from(row)

    def held_by(self, key: str, token: str) -> Entry | None:
        """The attempt under `key` that the execution `token` holds, locked until the end of the transaction."""
        entries = [entry_from(row) for row in _LATEST.run(self.connection, {"of_key": key}).fetchall()]
        return next((entry for entry in entries if entry.token == token), None)

    def stream(self, ref: str) -> StreamRow | None:
        """The stream, locked until the end of the transaction; looked at again only after it was changed here."""
        if ref not in self._locked:
            row = _STREAM.run(self.connection, {"of_ref": ref}).fetchone()
            if row is None:
                return None
            self._locked[ref] = stream_from(row)
        return self._locked[ref]

    def lock_carriers(self, ref: str, response_id: str | None) -> None:
        """Lock all streams that carry a response, that of the stream `ref` if it is not named."""
        self.connection.execute(_CARRIERS, {"of_ref": ref, "of_response": response_id}).all()

    def streams_of(self, response_id: str) -> list[str]:
        """References of the streams that carry a response."""
        where = streams.c.response_id == response_id
        return list(self.connection.execute(sa.select(streams.c.ref).where(where).order_by(streams.c.ref)).scalars())

    def known(self, keys: list[str]) -> set[str]:
        """Those of `keys` that have an entry."""
        return set(self.connection.execute(sa.select(effects.c.key).where(effects.c.key.in_(keys))).scalars())

    def begin_stream(self, stream: StreamRow) -> StreamRow:
        """Insert `stream` unless it is known; the row as it is, locked."""
        values = dataclasses.asdict(stream)
        self.connection.execute(_insert_or_ignore(self.connection.dialect.name), values)
        found = self.stream(stream.ref)
        assert found is not None  # noqa: S101 - inserted above, and nobody else can remove it now
        return found

    def change_stream(self, ref: str, **values: Any) -> None:
        """Write columns of a stream at once."""
        self._locked.pop(ref, None)
        self.connection.execute(sa.update(streams).where(streams.c.ref == ref).values(**values))

    def add(self, entry: Entry) -> Entry:
        """A new entry."""
        self._new[entry.key, entry.attempt] = entry
        self._tell(entry, None, None, entry.intended_ns, None)
        return entry

    def move(self, entry: Entry, step: Step, at_ns: int, *, actor: str | None = None, **values: Any) -> Entry:
        """Take `step`; raises `IllegalTransition`. A stamp never precedes the entry's last one."""
        at_ns = max(at_ns, entry.changed_ns)
        moved = entry.evolve(state=advance(entry.state, step), changed_ns=at_ns, **values)
        self._tell(moved, step, entry.state, at_ns, actor)
        return self._put(entry, moved)

    def change(self, entry: Entry, **values: Any) -> Entry:
        """Change columns without a step."""
        return self._put(entry, entry.evolve(**values))

    def _put(self, before: Entry, entry: Entry) -> Entry:
        identity = (entry.key, entry.attempt)
        if identity in self._new:
            self._new[identity] = entry
        else:
            known, _ = self._changed.get(identity, (before, entry))
            self._changed[identity] = (known, entry)
        return entry

    def _tell(
        self, entry: Entry, step: Step | None, previous: EffectState | None, at_ns: int, actor: str | None
    ) -> None:
        self.facts.append(EffectMoved(entry, step, previous, at_ns))
        self.note(str(entry.state), at_ns, entry, actor=actor, detail=entry.reason if step else None)

    def note(
        self,
        what: str,
        at_ns: int,
        entry: Entry | None = None,
        *,
        stream_ref: str | None = None,
        actor: str | None = None,
        detail: str | None = None,
    ) -> None:
        """Append one line to the history."""
        key, attempt = (entry.key, entry.attempt) if entry else (None, None)
        ref = stream_ref or (entry.stream_ref if entry else None)
        self._notes.append(
            {
                "at_ns": at_ns,
                "what": what,
                "key": key,
                "attempt": attempt,
                "stream_ref": ref,
                "actor": actor,
                "detail": detail,
            }
        )

    def flush(self) -> None:
        """Write what was collected; raises `Mistaken` where an entry is not what it was taken for."""
        changes = self.changes()
        if changes:
            write = write_on_sqlite if self.connection.dialect.name == "sqlite" else write_on_postgresql
            write(self.connection.connection.driver_connection, changes)
            self._new, self._changed, self._notes = {}, {}, []

    def changes(self) -> Changes:
        """What was collected since the last flush."""
        return Changes(list(self._new.values()), list(self._changed.values()), self._notes)

    def entries_of(self, ref: str) -> list[Entry]:
        """All entries of a stream."""
        return [entry_of(row) for row in self.connection.execute(_OF_STREAM, {"of_ref": ref})]

    def calls_of(self, ref: str) -> list[ToolCall]:
        """All tool calls seen in a stream."""
        return [call_of(row) for row in self.connection.execute(_CALLS, {"of_ref": ref})]

    def own_calls_of(self, ref: str) -> list[ToolCall]:
        """The tool calls of a stream that no effect answers for by the name of the answer, in this stream or another
        that carries it.
        """
        return [call_of(row) for row in self.connection.execute(_OWN_CALLS, {"of_ref": ref})]

    def touch(self, ref: str, at_ns: int) -> None:
        """Something about the stream changed.

        Write its record, if everything is settled, or leave that to the reconciler.
        """
        self.flush()
        stream = self.stream(ref)
        if stream is None:
            return
        if stream.outcome in verdict.UNDECIDED:
            self._reopen(stream, at_ns)
            return
        entries, calls = self.entries_of(ref), self.own_calls_of(ref)
        missing = any(call.complete for call in verdict.undeclared(entries, calls))
        if missing or any(entry.state in UNSETTLED_VALUES for entry in entries):
            self._reopen(stream, at_ns)
        else:
            self.record(stream, entries, calls, at_ns, settled=True)

    def touch_siblings(self, ref: str, response_id: str, at_ns: int) -> None:
        """What the stream `ref` declares changed, and so, maybe, what others that carry its answer still miss."""
        of = {"of_response": response_id, "of_ref": ref}
        for sibling in self.connection.execute(_SIBLINGS, of).scalars().all():
            self.touch(sibling, at_ns)

    def _reopen(self, stream: StreamRow, at_ns: int) -> None:
        if not stream.open:
            self.change_stream(stream.ref, open=True, changed_ns=at_ns)

    def record(
        self, stream: StreamRow, entries: list[Entry], calls: list[ToolCall], at_ns: int, *, settled: bool
    ) -> Reconciliation | None:
        """Write the reconciliation record of a stream that touched the world, if it says anything new."""
        record = verdict.reconcile(stream, entries, calls, at_ns=at_ns, settled=settled)
        said = verdict.fingerprint(record)
        news = bool(entries or calls or stream.revision) and said != self._last_said(stream)
        if news:
            self._write_record(record, said)
        seen = {"revision": record.revision, "verdict": str(record.verdict)} if news else {}
        self.change_stream(stream.ref, open=False, **seen)
        return record if news else None

    def _write_record(self, record: Reconciliation, said: str) -> None:
        self.connection.execute(
            sa.insert(reconciliations).values(
                stream_ref=record.stream,
                revision=record.revision,
                at_ns=record.at_ns,
                verdict=str(record.verdict),
                settled=record.settled,
                fingerprint=said,
                body=record.to_dict(),
            )
        )
        self.facts.append(Reconciled(record))

    def _last_said(self, stream: StreamRow) -> str | None:
        where = (reconciliations.c.stream_ref == stream.ref) & (reconciliations.c.revision == stream.revision)
        return self.connection.execute(sa.select(reconciliations.c.fingerprint).where(where)).scalar()


def _insert_or_ignore(dialect: str) -> Any:
    if dialect == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(streams).on_conflict_do_nothing()
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(streams).on_conflict_do_nothing()
