"""Brings a database to the newest schema, once, however many processes open it at the same time.

Comes in: a connection inside a transaction that nobody else can hold at once. Goes out: the schema of
`tables.REVISIONS[-1]`. A database that a newer streamgauge wrote is refused, never touched.
"""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from streamgauge.ledger.errors import NewerSchema
from streamgauge.ledger.tables import REVISIONS, VERSION_TABLE

_POSTGRESQL_LOCK = 0x73_67_6C_65_64
"""The advisory lock that keeps migrating processes apart: "sgled"."""


def version(connection: sa.Connection) -> str | None:
    """The schema version of the database, or None for an empty one."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 - a constant
    return None if found is None else str(found)


def is_current(connection: sa.Connection, url: str) -> bool:
    """Whether nothing has to be done; raises `NewerSchema` for a database from the future."""
    found = version(connection)
    if found is not None and found not in REVISIONS:
        raise NewerSchema(url, found, REVISIONS[-1])
    return found == REVISIONS[-1]


def upgrade(connection: sa.Connection, url: str) -> None:
    """Run the missing revisions, all or none of them."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _POSTGRESQL_LOCK})
    if not is_current(connection, url):
        _run(connection)


def _run(connection: sa.Connection) -> None:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext

    script = scripts()

    def steps(revision: Any, _: Any) -> Any:
        return script._upgrade_revs("head", revision)

    with EnvironmentContext(Config(), script, fn=steps, destination_rev="head") as environment:
        environment.configure(connection=connection, version_table=VERSION_TABLE, transactional_ddl=True)
        with environment.begin_transaction():
            environment.run_migrations()


def scripts() -> Any:
    """The revisions of this package, as Alembic reads them."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(Path(__file__).parent))
