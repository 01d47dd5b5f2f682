"""Forgets what is old and settled; never anything that is unreconciled.

A pruned idempotency key is free again: keep entries longer than any queue may deliver a job twice.
"""

import sqlalchemy as sa

from streamgauge.ledger.database import Database
from streamgauge.ledger.tables import UNSETTLED_VALUES, effects, history, reconciliations, streams, tool_calls


def prune(database: Database, before_ns: int) -> dict[str, int]:
    """Remove settled effects and finished, reconciled streams that last changed before `before_ns`.

    Rows removed per table.
    """
    return database.write(lambda connection: _prune(connection, before_ns))


def _prune(connection: sa.Connection, before_ns: int) -> dict[str, int]:
    refs = sa.select(streams.c.ref).where(_forgettable(before_ns)).scalar_subquery()
    of_stream = [(table, table.c.stream_ref.in_(refs)) for table in (effects, tool_calls, reconciliations, history)]
    removed = {table.name: _delete(connection, table, where) for table, where in of_stream}
    removed[streams.name] = _delete(connection, streams, streams.c.ref.in_(refs))
    loose = (
        effects.c.stream_ref.is_(None) & (effects.c.changed_ns < before_ns) & effects.c.state.not_in(UNSETTLED_VALUES)
    )
    loose &= effects.c.compensates.is_(None) | effects.c.compensates.not_in(sa.select(effects.c.key).correlate(None))
    keys = sa.select(effects.c.key).where(loose)
    removed[history.name] += _delete(connection, history, history.c.key.in_(keys) & history.c.stream_ref.is_(None))
    removed[effects.name] += _delete(connection, effects, loose)
    return removed


def _forgettable(before_ns: int) -> sa.ColumnElement[bool]:
    busy = sa.exists().where(
        effects.c.stream_ref == streams.c.ref,
        effects.c.state.in_(UNSETTLED_VALUES) | (effects.c.changed_ns >= before_ns),
    )
    return streams.c.outcome.is_not(None) & ~streams.c.open & (streams.c.changed_ns < before_ns) & ~busy


def _delete(connection: sa.Connection, table: sa.Table, where: sa.ColumnElement[bool]) -> int:
    return connection.execute(sa.delete(table).where(where)).rowcount
