"""Questions to the ledger: entries, streams, reconciliation records, history, statistics. Reads only."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from streamgauge.ledger.database import Database
from streamgauge.ledger.entry import Entry, StreamRow, ToolCall
from streamgauge.ledger.errors import EffectInputError
from streamgauge.ledger.states import EffectState
from streamgauge.ledger.tables import (
    UNSETTLED_VALUES,
    call_of,
    declared_by_the_answer,
    effects,
    entry_of,
    history,
    reconciliations,
    stream_of,
    streams,
    tool_calls,
)

_WAITING = (str(EffectState.AWAITING_APPROVAL),)


@dataclass(frozen=True, slots=True)
class Statistics:
    """The ledger in numbers; ages in seconds, None where there is nothing to be old."""

    effects: dict[tuple[str, str], int] = field(default_factory=dict)
    """(tool class, state) -> effects, compensations among them."""
    reconciliations: dict[str, int] = field(default_factory=dict)
    """verdict -> streams, by their newest record."""
    unreconciled: int = 0
    """Effects that somebody still has to resolve."""
    unreconciled_oldest_age: float | None = None
    open_streams: int = 0
    """Streams with something that no record tells yet."""
    undeclared: int = 0
    """Tool calls that no effect was declared for."""
    awaiting_approval: int = 0
    awaiting_oldest_age: float | None = None
    approvals: int = 0
    """Decisions taken."""
    approval_seconds: float = 0.0
    """How long they took, summed."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; effects as a list of rows."""
        rows = [{"kind": kind, "state": state, "count": count} for (kind, state), count in self.effects.items()]
        rest = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "effects"}
        return {"effects": rows} | rest


class Reading:
    """The ledger's questions on `database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def entries(
        self,
        *,
        key: str | None = None,
        stream: str | None = None,
        tool: str | None = None,
        state: str | None = None,
        unsettled: bool = False,
        limit: int | None = None,
    ) -> list[Entry]:
        """Entries in the order of their intent."""
        query = sa.select(effects).order_by(effects.c.intended_ns, effects.c.key, effects.c.attempt).limit(limit)
        wanted = {"key": key, "stream_ref": stream, "tool": tool, "state": _state(state)}
        for column, value in wanted.items():
            query = query if value is None else query.where(effects.c[column] == value)
        query = query.where(effects.c.state.in_(UNSETTLED_VALUES)) if unsettled else query
        return self._database.read(lambda connection: [entry_of(row) for row in connection.execute(query)])

    def streams(self, *, ref: str | None = None, limit: int | None = None) -> list[StreamRow]:
        """Streams in the order of their beginning."""
        query = sa.select(streams).order_by(streams.c.begun_ns, streams.c.ref).limit(limit)
        query = query if ref is None else query.where(streams.c.ref == ref)
        return self._database.read(lambda connection: [stream_of(row) for row in connection.execute(query)])

    def reconciliations(
        self, *, stream: str | None = None, verdict: str | None = None, history: bool = False, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Reconciliation records as `Reconciliation.to_dict` gives them.

        With `history` also those that newer ones replaced.
        """
        table = reconciliations
        query = sa.select(table.c.body).order_by(table.c.at_ns, table.c.stream_ref, table.c.revision).limit(limit)
        if not history:
            newest = (streams.c.ref == table.c.stream_ref) & (streams.c.revision == table.c.revision)
            query = query.join_from(table, streams, newest)
        query = query if stream is None else query.where(table.c.stream_ref == stream)
        query = query if verdict is None else query.where(table.c.verdict == verdict)
        return self._database.read(lambda connection: list(connection.execute(query).scalars()))

    def undeclared(self, *, stream: str | None = None) -> list[ToolCall]:
        """Tool calls that were seen in a stream and for which no effect was declared."""
        query = sa.select(tool_calls).where(~_declared()).order_by(tool_calls.c.seen_ns)
        query = query if stream is None else query.where(tool_calls.c.stream_ref == stream)
        return self._database.read(lambda connection: [call_of(row) for row in connection.execute(query)])

    def history(self, *, key: str | None = None, stream: str | None = None) -> list[dict[str, Any]]:
        """Every step, refusal, probe and violation, in the order of writing.

        At_ns, what, key, attempt, stream_ref, actor, detail.
        """
        query = sa.select(history).order_by(history.c.id)
        query = query if key is None else query.where(history.c.key == key)
        query = query if stream is None else query.where(history.c.stream_ref == stream)
        return self._database.read(lambda connection: [dict(row._mapping) for row in connection.execute(query)])

    def statistics(self, now_ns: int) -> Statistics:
        """The numbers behind the metrics."""
        return self._database.read(lambda connection: _statistics(connection, now_ns))

    def export(self) -> Iterator[str]:
        """The whole ledger as JSON lines; `line` says what each line is."""
        for kind, rows in (
            ("stream", [_row(streams, row) for row in self._rows(streams)]),
            ("effect", [_row(effects, row) for row in self._rows(effects)]),
            ("tool_call", [_row(tool_calls, row) for row in self._rows(tool_calls)]),
            ("reconciliation", self.reconciliations(history=True)),
            ("history", self.history()),
        ):
            for row in rows:
                yield json.dumps({"line": kind} | row, sort_keys=True)

    def _rows(self, table: sa.Table) -> list[sa.Row[Any]]:
        return self._database.read(lambda connection: list(connection.execute(sa.select(table)).all()))


def _row(_: sa.Table, row: sa.Row[Any]) -> dict[str, Any]:
    return dict(row._mapping)


def _state(state: str | None) -> str | None:
    if state is None or state in [str(known) for known in EffectState]:
        return state
    raise EffectInputError("state", state, "one of " + ", ".join(EffectState))


def _declared() -> sa.ColumnElement[bool]:
    by_the_stream = sa.exists().where(
        effects.c.stream_ref == tool_calls.c.stream_ref,
        (effects.c.tool_call_id == tool_calls.c.tool_call_id)
        | (effects.c.tool_call_id.is_(None) & (effects.c.tool == tool_calls.c.tool)),
    )
    return by_the_stream | declared_by_the_answer()


def _statistics(connection: sa.Connection, now_ns: int) -> Statistics:
    by_state = connection.execute(
        sa.select(effects.c.kind, effects.c.state, sa.func.count()).group_by(effects.c.kind, effects.c.state)
    )
    verdicts = connection.execute(
        sa.select(streams.c.verdict, sa.func.count()).where(streams.c.verdict.is_not(None)).group_by(streams.c.verdict)
    )
    unreconciled, oldest = _count_and_oldest(connection, UNSETTLED_VALUES, effects.c.intended_ns)
    waiting, longest = _count_and_oldest(connection, _WAITING, effects.c.asked_ns)
    decided, took = _decisions(connection)
    return Statistics(
        effects={(kind, state): count for kind, state, count in by_state},
        reconciliations={str(verdict): int(count) for verdict, count in verdicts},
        unreconciled=unreconciled,
        unreconciled_oldest_age=_age(now_ns, oldest),
        open_streams=_scalar(connection, sa.select(sa.func.count()).select_from(streams).where(streams.c.open)),
        undeclared=_scalar(connection, sa.select(sa.func.count()).select_from(tool_calls).where(~_declared())),
        awaiting_approval=waiting,
        awaiting_oldest_age=_age(now_ns, longest),
        approvals=decided,
        approval_seconds=took,
    )


def _scalar(connection: sa.Connection, query: sa.Select[Any]) -> int:
    return int(connection.execute(query).scalar() or 0)


def _count_and_oldest(connection: sa.Connection, states: Any, column: sa.Column[Any]) -> tuple[int, int | None]:
    query = sa.select(sa.func.count(), sa.func.min(column)).where(effects.c.state.in_(states))
    count, oldest = connection.execute(query).one()
    return count, oldest


def _decisions(connection: sa.Connection) -> tuple[int, float]:
    took = effects.c.decided_ns - effects.c.asked_ns
    count, total = connection.execute(sa.select(sa.func.count(took), sa.func.sum(took))).one()
    return count, float(total or 0) / 1e9


def _age(now_ns: int, then_ns: int | None) -> float | None:
    return None if then_ns is None else max(0, now_ns - then_ns) / 1e9
