"""The database behind the ledger: opened safely, written in whole transactions, its failures named.

Comes in: a URL and functions that work on a connection. Goes out: their results, durable. On SQLite concurrent writers
share one transaction and one fsync (group commit). PostgreSQL shares the fsync by itself; there, writes that were made
without looking share a transaction and a round trip. May not know what is written.

Every write may be run more than once when a connection is lost or a lock race is lost: a function passed to `write`
must recognise its own earlier success.
"""

import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import ConnectionPoolEntry

from streamgauge.errors import LedgerError
from streamgauge.ledger import migrations
from streamgauge.ledger.errors import EffectInputError, Mistaken, StoreUnavailable
from streamgauge.ledger.posting import post_on_postgresql
from streamgauge.ledger.writing import Changes, joined, write_on_sqlite

T = TypeVar("T")
Operation = Callable[[sa.Connection], T]

_RETRYABLE_SQLSTATES = frozenset({"40001", "40P01", "23505"})
"""Serialization failure, deadlock, and the lost race of two inserts."""

_CONNECTION_LOST = ("08", "57P")
"""Classes of SQL states: the connection is gone, or the server takes it away."""

_DOORS = 2
"""Group commits side by side on PostgreSQL: while it forces one to disk it can already work on the next."""

_RETRIES = 5
_BACKENDS = ("sqlite", "postgresql")


class Database:
    """One database at `url`: `sqlite:///path` or `postgresql+psycopg://...`.

    Raises `EffectInputError` for a URL that cannot work and `StoreUnavailable` when the database does not answer.
    """

    def __init__(self, url: str, *, busy_timeout: float = 10.0, pool_size: int = 16) -> None:
        self._url = parse_url(url)
        self._busy_timeout = busy_timeout
        self._pool_size = pool_size
        self.url = self._url.render_as_string(hide_password=True)
        self._open()
        _opened.add(self)
        self._guarded(self._migrate)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    def _open(self) -> None:
        sqlite = self._url.get_backend_name() == "sqlite"
        self._engine = self._sqlite_engine() if sqlite else self._postgresql_engine()
        driver: Any = self._engine.dialect.dbapi
        self._driver_error: type[Exception] = driver.Error
        self._commits = GroupCommit(self._engine, _transact if sqlite else _post)
        self._doors = [self._commits, *(GroupCommit(self._engine, _post) for _ in range(0 if sqlite else _DOORS - 1))]

    def _sqlite_engine(self) -> sa.Engine:
        engine = sa.create_engine(self._url, connect_args={"timeout": self._busy_timeout, "check_same_thread": False})
        event.listen(engine, "connect", self._on_sqlite_connect)
        event.listen(engine, "begin", _begin_on_sqlite)
        return engine

    def _on_sqlite_connect(self, connection: Any, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None
        _switch_to_wal(connection, self._busy_timeout)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA fullfsync=ON")

    def _postgresql_engine(self) -> sa.Engine:
        engine = sa.create_engine(
            self._url,
            pool_size=self._pool_size,
            max_overflow=self._pool_size,
            pool_timeout=self._busy_timeout,
            connect_args={"connect_timeout": max(2, round(self._busy_timeout))},
        )
        event.listen(engine, "connect", self._on_postgresql_connect)
        return engine

    def _on_postgresql_connect(self, connection: Any, _: ConnectionPoolEntry) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {round(self._busy_timeout * 1000)}")
            if cursor.execute("SHOW synchronous_commit").fetchone()[0] == "off":
                cursor.execute("SET synchronous_commit = on")
        connection.commit()

    def _migrate(self) -> None:
        with self._engine.connect().execution_options(read=True) as connection, connection.begin():
            current = migrations.is_current(connection, self.url)
        if not current:
            with self._engine.begin() as connection:
                migrations.upgrade(connection, self.url)

    def read(self, operation: Operation[T]) -> T:
        """Run `operation` in a transaction of its own that writes nothing."""

        def run() -> T:
            with self._engine.connect().execution_options(read=True) as connection, connection.begin():
                return operation(connection)

        return self._guarded(run)

    def write(self, operation: Operation[T]) -> T:
        """Run `operation`; when this returns, what it wrote is on disk."""
        if self.dialect == "sqlite":
            result: T = self._guarded(lambda: self._commits.run(operation))
            return result
        return self._guarded(lambda: self._transaction(operation))

    def post(self, changes: Changes) -> None:
        """Write `changes` of one entry, all or none; when this returns, they are on disk. Raises `Mistaken`."""
        self._guarded(lambda: self._door_for(changes).run(changes))

    def _door_for(self, changes: Changes) -> "GroupCommit":
        """Those who come from one stream go by one door: at two they would be in each other's way."""
        if changes.supposed is None:
            return min(self._doors, key=GroupCommit.crowd)
        return self._doors[hash(changes.supposed.stream.ref) % len(self._doors)]

    def _transaction(self, operation: Operation[T]) -> T:
        with self._engine.begin() as connection:
            return operation(connection)

    def _guarded(self, run: Callable[[], T]) -> T:
        for attempt in range(_RETRIES):
            try:
                return run()
            except (sa.exc.DBAPIError, self._driver_error) as error:
                if attempt + 1 == _RETRIES or not _worth_another_try(error):
                    raise StoreUnavailable(self.url, _reason(error)) from error
            except sa.exc.TimeoutError as error:
                raise StoreUnavailable(self.url, "no connection became free in time") from error
        raise AssertionError  # pragma: no cover - the last attempt returns or raises

    def durability(self) -> dict[str, str]:
        """What the database itself says about how safely it commits, read back from it."""
        settings = _SAFETY[self.dialect]
        return self.read(lambda c: {name: str(c.exec_driver_sql(query).scalar()) for name, query in settings.items()})

    def close(self) -> None:
        """Give all connections back."""
        _opened.discard(self)
        for door in self._doors:
            door.close()
        self._engine.dispose()

    def _after_fork(self) -> None:
        """A child has no business with its parent's connections: leave them open, untouched, and open its own."""
        _left_behind.append((self._engine, self._doors))
        self._engine.dispose(close=False)
        self._open()


_SAFETY = {
    "sqlite": {"journal_mode": "PRAGMA journal_mode", "synchronous": "PRAGMA synchronous"},
    "postgresql": {"fsync": "SHOW fsync", "synchronous_commit": "SHOW synchronous_commit"},
}


def parse_url(url: object) -> sa.URL:
    """`url` as SQLAlchemy sees it, if it is a database that keeps what it is told."""
    right = "'sqlite:///path/to/file.db' or 'postgresql+psycopg://user:password@host/database'"
    try:
        parsed = sa.make_url(url)  # type: ignore[arg-type]
    except (sa.exc.ArgumentError, ValueError, TypeError, AttributeError):
        raise EffectInputError("ledger URL", url, right) from None
    shown = parsed.render_as_string(hide_password=True)
    if parsed.get_backend_name() not in _BACKENDS:
        raise EffectInputError("ledger URL", shown, right)
    if parsed.get_backend_name() == "sqlite" and (parsed.database or ":memory:") == ":memory:":
        raise EffectInputError("ledger URL", shown, "a file: a ledger in memory forgets what it exists to remember")
    return parsed


def _switch_to_wal(connection: Any, patience: float) -> None:
    """Switching to WAL does not wait for locks.

    Two processes that open a new file at once meet "database is locked".
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        except connection.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            if mode != "wal":
                raise connection.OperationalError(f"write-ahead logging is not possible here (journal mode {mode})")
            return


def _begin_on_sqlite(connection: sa.Connection) -> None:
    driver: Any = connection.connection.driver_connection
    if driver.in_transaction:
        return
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("read") else "BEGIN IMMEDIATE")


def _worth_another_try(error: Exception) -> bool:
    """Lost races and lost connections; the driver reports the latter without a state."""
    if isinstance(error, sa.exc.DBAPIError):
        return error.connection_invalidated or _retryable(error.orig)
    return _retryable(error)


def _retryable(error: object) -> bool:
    if not hasattr(error, "sqlstate"):
        return False
    state = error.sqlstate
    return state is None or state in _RETRYABLE_SQLSTATES or state.startswith(_CONNECTION_LOST)


def _reason(error: Exception) -> str:
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    first = str(cause).strip().splitlines()[:1]
    return f"{type(cause).__name__}: {first[0]}" if first else repr(cause)


class _Ticket:
    """One operation on its way through a group commit; `turn` is released when it is done, or when it is to lead."""

    def __init__(self, operation: Any) -> None:
        self.operation: Any = operation
        self.done = self.leads = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.turn = threading.Lock()
        self.turn.acquire()

    def outcome(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.result


class GroupCommit:
    """Lets writers share a transaction: one leads, and takes everybody along who waits when it begins.

    While one transaction is being forced to disk the others queue up; the first of them leads the next one, and
    commits them all at once. Needs no thread of its own, so a lone writer pays nothing for it. Keeps one connection to
    itself.
    """

    def __init__(self, engine: sa.Engine, transact: Callable[[sa.Connection, list[_Ticket]], None]) -> None:
        self._engine, self._transact = engine, transact
        self._door = threading.Lock()
        self._queue_lock = threading.Lock()
        self._queue: list[_Ticket] = []
        self._led = False
        self._connection: sa.Connection | None = None

    def run(self, operation: Any) -> Any:
        """Run `operation` in the next transaction.

        Returns when that is on disk, raises what it or the commit raised.
        """
        ticket = _Ticket(operation)
        with self._queue_lock:
            self._queue.append(ticket)
            first, self._led = not self._led, True
        try:
            if not first:
                ticket.turn.acquire()
            if not ticket.done:
                ticket.leads = True
                self._lead()
        finally:
            self._leave(ticket)
        return ticket.outcome()

    def crowd(self) -> int:
        """How many wait here, or lead."""
        return len(self._queue) + self._led

    def _lead(self) -> None:
        batch: list[_Ticket] = []
        try:
            with self._door:
                with self._queue_lock:
                    batch, self._queue = self._queue, []
                self._commit(batch)
        except Exception as error:
            for ticket in batch:
                ticket.done, ticket.error = True, ticket.error or error
        finally:
            # if the leader was interrupted the others were not: they are led by one of themselves
            with self._queue_lock:
                self._queue = [ticket for ticket in batch if not (ticket.done or ticket.leads)] + self._queue
            for ticket in batch:
                if ticket.done:
                    ticket.turn.release()

    def _leave(self, ticket: _Ticket) -> None:
        """Let the next one lead; whoever was interrupted before it was done no longer wants anything."""
        following = None
        with self._queue_lock:
            if not ticket.done and ticket in self._queue:
                self._queue.remove(ticket)
            if ticket.leads:
                following = self._queue[0] if self._queue else None
                self._led = following is not None
            if following is not None:
                following.leads = True
        if following is not None:
            following.turn.release()

    def _commit(self, batch: list[_Ticket]) -> None:
        connection = self._connection or self._engine.connect()
        self._connection = None
        try:
            self._transact(connection, batch)
        except BaseException:
            connection.invalidate()
            connection.close()
            raise
        self._connection = connection
        for ticket in batch:
            ticket.done = True

    def close(self) -> None:
        """Give the connection back."""
        with self._door:
            if self._connection is not None:
                self._connection.close()
            self._connection = None


def _transact(connection: sa.Connection, batch: list[_Ticket]) -> None:
    """Changes and whole operations in one transaction of SQLite.

    Begin and commit go to the driver itself; SQLAlchemy's own begin, if an operation causes it, finds a transaction.
    """
    driver: Any = connection.connection.driver_connection
    driver.execute("BEGIN IMMEDIATE")
    if not _performed_together(connection, driver, batch):
        driver.execute("ROLLBACK")
        if len(batch) > 1:
            driver.execute("BEGIN IMMEDIATE")
            for ticket in batch:
                _perform_apart(connection, driver, ticket)
    driver.commit()
    if connection.in_transaction():
        connection.commit()


def _performed_together(connection: sa.Connection, driver: Any, batch: list[_Ticket]) -> bool:
    """Whether everything was done, the changes of all as one; False if anything was refused."""
    posted = [ticket for ticket in batch if isinstance(ticket.operation, Changes)]
    if len(posted) < 2:
        return all(_performed(connection, driver, ticket) for ticket in batch)
    try:
        write_on_sqlite(driver, joined(ticket.operation for ticket in posted))
    except Mistaken:
        return False
    return all(_performed(connection, driver, ticket) for ticket in batch if ticket not in posted)


def _performed(connection: sa.Connection, driver: Any, ticket: _Ticket) -> bool:
    """Whether the operation was done; False if it was refused."""
    operation = ticket.operation
    try:
        ticket.error = None
        if isinstance(operation, Changes):
            write_on_sqlite(driver, operation)
        else:
            ticket.result = operation(connection)
    except LedgerError as error:
        ticket.error = error
    return ticket.error is None


def _perform_apart(connection: sa.Connection, driver: Any, ticket: _Ticket) -> None:
    """What an operation that is refused has written must not go to disk with the others.

    Only when one was refused: savepoints are half of all statements, and each lets go of the interpreter's lock.
    """
    driver.execute("SAVEPOINT operation")
    if not _performed(connection, driver, ticket):
        driver.execute("ROLLBACK TO operation")
    driver.execute("RELEASE operation")


def _post(connection: sa.Connection, batch: list[_Ticket]) -> None:
    """Changes that were made without looking, in one round trip to PostgreSQL, which is one transaction.

    Whose changes rest on something that is not so is told; if it fails, each goes alone, to learn whose fault it was.
    """
    cursor = connection.info.get(_CURSOR) or _prepare_to_post(connection)
    driver = cursor.connection
    try:
        refused = post_on_postgresql(cursor, [ticket.operation for ticket in batch])
    except driver.Error as error:
        if driver.closed or driver.broken:
            raise
        if len(batch) > 1:
            for ticket in batch:
                _post(connection, [ticket])
        else:
            batch[0].error = error
    else:
        for place in refused:
            batch[place].error = Mistaken()


_CURSOR = "streamgauge_cursor"


def _prepare_to_post(connection: sa.Connection) -> Any:
    """A cursor for all that is posted: the driver's own, which commits each statement by itself."""
    driver: Any = connection.connection.driver_connection
    driver.autocommit = True
    cursor = connection.info[_CURSOR] = driver.cursor()
    cursor.execute("SET enable_seqscan = off")  # plans are kept, also those made while the tables were small
    return cursor


_opened: "weakref.WeakSet[Database]" = weakref.WeakSet()
_left_behind: list[object] = []


def _after_fork() -> None:
    for database in list(_opened):
        database._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
