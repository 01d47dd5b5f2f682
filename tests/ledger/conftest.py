"""A clock turned by hand, a ledger in a fresh file, and a real PostgreSQL server for those who ask for it."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from streamgauge.gauge.wiring import current_observation
from streamgauge.ledger.ledger import Ledger

SECOND = 1_000_000_000


class HandClock:
    """Both clocks stand still until somebody turns them; the wall may be turned back."""

    def __init__(self) -> None:
        self.wall = 1_800_000_000 * SECOND
        self.monotonic = 5 * SECOND

    def monotonic_ns(self) -> int:
        return self.monotonic

    def wall_ns(self) -> int:
        return self.wall

    def turn(self, seconds: float) -> None:
        self.monotonic += max(0, int(seconds * SECOND))
        self.wall += int(seconds * SECOND)


@pytest.fixture(autouse=True)
def no_stream_before() -> None:
    """The stream that a test before read in this thread may have called a tool of the same name."""
    current_observation.set(None)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/effects.db"


@pytest.fixture
def ledger(url: str, clock: HandClock) -> Iterator[Ledger]:
    with Ledger(url, clock=clock) as opened:
        yield opened


def skip_or_fail(reason: str) -> None:
    if os.environ.get("STREAMGAUGE_REQUIRE_ALL") == "1" or os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else (Path(on_path).parent if on_path else None)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Postgres:
    """A server in a directory of its own, run by somebody who is not root."""

    def __init__(self, binaries: Path) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="streamgauge-pg-"))
        self.port = _free_port()
        self._binaries = binaries
        self._user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        if self._user is not None:
            os.chown(self.directory, self._user.pw_uid, self._user.pw_gid)
        self._run(
            "initdb", "--auth=trust", "--username=streamgauge", "--encoding=UTF8", f"--pgdata={self.directory}/data"
        )
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://streamgauge@127.0.0.1:{self.port}/postgres"

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(f"host=127.0.0.1 port={self.port} user=streamgauge dbname=postgres", autocommit=True)

    def fresh_url(self, name: str) -> str:
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return f"postgresql+psycopg://streamgauge@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        options = f"-c listen_addresses=127.0.0.1 -c unix_socket_directories={self.directory} -p {self.port}"
        self._run("pg_ctl", "-D", f"{self.directory}/data", "-l", f"{self.directory}/log", "-w", "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", f"{self.directory}/data", "-m", "immediate", "-w", "stop")

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _run(self, program: str, *args: str) -> None:
        identity: dict[str, Any] = {} if self._user is None else {"user": self._user.pw_uid, "group": self._user.pw_gid}
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(self.directory)}
        subprocess.run(
            [self._binaries / program, *args],
            check=True,
            cwd=self.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **identity,
        )


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    binaries = _binaries()
    if binaries is None:
        skip_or_fail("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    assert binaries is not None
    server = Postgres(binaries)
    yield server
    server.remove()


@pytest.fixture
def postgres_url(postgres: Postgres, request: pytest.FixtureRequest) -> str:
    return postgres.fresh_url(f"t{abs(hash(request.node.nodeid)) % 10**12}")


@pytest.fixture(params=["sqlite", "postgresql"])
def any_url(request: pytest.FixtureRequest) -> str:
    """One test, both databases."""
    return str(request.getfixturevalue("url" if request.param == "sqlite" else "postgres_url"))
