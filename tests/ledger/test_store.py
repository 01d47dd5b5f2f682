import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.ledger.conftest import skip_or_fail

from streamgauge.ledger import EffectInputError, NewerSchema, StoreTrouble, StoreUnavailable
from streamgauge.ledger.database import Database, GroupCommit
from streamgauge.ledger.errors import Mistaken
from streamgauge.ledger.ledger import Ledger
from streamgauge.ledger.migrations import scripts
from streamgauge.ledger.states import EffectState
from streamgauge.ledger.tables import REVISIONS, metadata

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.sqlite"))


def run(ledger: Any, key: Any = "k") -> Any:
    with ledger.effect("send", key=key):
        pass


def states(ledger: Any) -> Any:
    return {entry.key: str(entry.state) for entry in ledger.entries()}


def test_sqlite_says_itself_that_every_commit_is_forced_to_disk(ledger):
    assert ledger.durability() == {"journal_mode": "wal", "synchronous": "2"}


def test_the_connection_that_writes_is_one_of_those(ledger):
    assert ledger._database.write(lambda c: c.exec_driver_sql("PRAGMA synchronous").scalar()) == 2
    assert ledger._database.write(lambda c: c.exec_driver_sql("PRAGMA journal_mode").scalar()) == "wal"


def test_postgresql_says_itself_that_every_commit_is_forced_to_disk(postgres_url):
    with Ledger(postgres_url) as ledger:
        assert ledger.durability() == {"fsync": "on", "synchronous_commit": "on"}


def test_synchronous_commit_that_was_switched_off_is_switched_on(postgres, postgres_url):
    with postgres.connect() as connection:
        connection.execute(f'ALTER DATABASE "{postgres_url.rsplit("/", 1)[1]}" SET synchronous_commit = off')
    with Ledger(postgres_url) as ledger:
        assert ledger.durability()["synchronous_commit"] == "on"


def test_the_write_ahead_log_is_forced_to_disk_before_anything_is_dispatched(tmp_path, url):
    """The system calls themselves: fsync or fdatasync of the log comes before the tool's own write."""
    if subprocess.run(["which", "strace"], capture_output=True, check=False).returncode != 0:
        skip_or_fail("strace is not installed")
    script = """
import sys, os, streamgauge.ledger as l
ledger = l.open_ledger(sys.argv[1])
with ledger.effect("warm"): pass
os.write(2, b"BEGIN-MARK")
with ledger.effect("send"): os.write(2, b"DISPATCH-MARK")
"""
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-o", str(trace), "-e", "trace=write,fsync,fdatasync", sys.executable, "-c", script, url]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("strace may not trace here")
    lines = trace.read_text()
    assert "sync(" in lines[lines.index("BEGIN-MARK") : lines.index("DISPATCH-MARK")]


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_every_version_ever_released_opens_and_is_brought_up_to_date(path, tmp_path):
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    with Ledger(f"sqlite:///{copy}") as ledger:
        found = {entry.state for entry in ledger.entries()}
        ledger.probe("*", lambda _: True)
        ledger.reconcile()
        run(ledger, "new")
        assert found == set(EffectState)
        assert states(ledger)["new"] == "committed"
        assert ledger.reconciliations(stream="completed")[0]["verdict"] == "consistent"
        version = ledger._database.read(
            lambda c: c.exec_driver_sql("SELECT version_num FROM streamgauge_ledger_version").scalar()
        )
    assert version == REVISIONS[-1]


def test_the_corpus_holds_every_released_version():
    assert [path.stem for path in CORPUS] == [f"v{revision}" for revision in REVISIONS]


def test_the_revisions_are_those_of_the_migrations_in_their_order():
    assert tuple(step.revision for step in reversed(list(scripts().walk_revisions()))) == REVISIONS


@pytest.mark.parametrize("fixture", ["url", "postgres_url"])
def test_migrated_tables_are_the_tables_of_the_code(fixture, request):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with Ledger(request.getfixturevalue(fixture)) as ledger, ledger._database._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "streamgauge_ledger_version"})
        assert compare_metadata(context, metadata) == []


def test_a_newer_schema_is_refused_and_left_alone(url):
    with Ledger(url) as ledger:
        run(ledger)
        ledger._database.write(
            lambda c: c.exec_driver_sql("UPDATE streamgauge_ledger_version SET version_num = '9999'")
        )
    before = Path(url.removeprefix("sqlite:///")).read_bytes()
    with pytest.raises(NewerSchema, match=r"9999.*upgrade") as refused:
        Ledger(url)
    assert (refused.value.found, refused.value.known) == ("9999", REVISIONS[-1])
    assert Path(url.removeprefix("sqlite:///")).read_bytes() == before


def test_threads_and_processes_that_open_a_new_file_at_once_all_succeed(url):
    script = """
import sys, streamgauge.ledger as l
with l.open_ledger(sys.argv[1]) as ledger, ledger.effect("send", key=sys.argv[2]): pass
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", script, url, f"p{n}"], stderr=subprocess.PIPE) for n in range(4)
    ]
    errors = []

    def open_and_run(n):
        try:
            with Ledger(url) as ledger:
                run(ledger, f"t{n}")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=open_and_run, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.communicate()[1] for process in processes] == [b""] * 4
    assert errors == []
    with Ledger(url) as ledger:
        assert set(states(ledger).values()) == {"committed"}
        assert len(states(ledger)) == 12


@pytest.fixture
def crowded(any_url, monkeypatch):
    """A ledger in which all writers meet at one door."""
    with Ledger(any_url) as ledger:
        monkeypatch.setattr(ledger._database, "_doors", ledger._database._doors[:1])
        yield ledger


def at_once(door: GroupCommit, write: Callable[[str], object], keys: list[str]) -> None:
    """One writer per key; all of them wait at the door before the first is let in."""
    threads = [threading.Thread(target=write, args=(key,)) for key in keys]
    with door._door:
        for thread in threads:
            thread.start()
        while len(door._queue) < len(keys):
            threading.Event().wait(0.001)
    for thread in threads:
        thread.join()


def test_concurrent_effects_share_a_commit(crowded):
    ledger = crowded
    commits, door = [], ledger._database._commits
    transact = door._transact

    def counted(connection, batch):
        commits.append(len(batch))
        transact(connection, batch)

    door._transact = counted
    at_once(door, lambda key: run(ledger, key), [f"k{n}" for n in range(16)])
    assert commits[0] == 16
    assert sum(commits) == 32
    assert set(states(ledger).values()) == {"committed"}


def test_a_refusal_in_a_shared_commit_is_its_own_and_spoils_nothing(crowded):
    ledger = crowded
    run(ledger, "taken")
    door, errors = ledger._database._commits, []

    def attempt(key):
        try:
            run(ledger, key)
        except Exception as error:
            errors.append((key, type(error).__name__))

    at_once(door, attempt, ["a", "taken", "b"])
    assert errors == [("taken", "DuplicateEffect")]
    assert states(ledger) == {"taken": "committed", "a": "committed", "b": "committed"}


def test_what_a_refused_writer_wrote_is_not_on_disk_with_what_the_others_wrote(ledger):
    door, refused = ledger._database._commits, []

    def insert(connection: Any, key: str) -> None:
        connection.exec_driver_sql("INSERT INTO kept VALUES (?)", (key,))
        if key == "refused":
            raise Mistaken

    def write(key: str) -> None:
        try:
            ledger._database.write(lambda connection: insert(connection, key))
        except Mistaken:
            refused.append(key)

    ledger._database.write(lambda connection: connection.exec_driver_sql("CREATE TABLE kept (key TEXT)") and None)
    write("refused")
    at_once(door, write, ["a", "refused", "b"])
    kept = ledger._database.read(lambda connection: connection.exec_driver_sql("SELECT key FROM kept").scalars().all())
    assert sorted(kept) == ["a", "b"]
    assert refused == ["refused", "refused"]


def test_a_writer_that_is_interrupted_while_it_waits_wants_nothing_and_holds_nobody_up(crowded):
    door, waiting = crowded._database._commits, threading.main_thread().ident
    assert waiting is not None
    first = threading.Thread(target=run, args=(crowded, "first"))
    raised = threading.Event()

    def handle(_number: int, _frame: object) -> None:
        if not raised.is_set():
            raised.set()
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, handle)

    def interrupt() -> None:
        while len(door._queue) < 2:
            threading.Event().wait(0.001)
        while not raised.wait(0.05):  # a signal that comes just before the thread blocks does not wake it
            signal.pthread_kill(waiting, signal.SIGUSR1)

    interrupter = threading.Thread(target=interrupt)
    door._door.acquire()
    first.start()
    while not door._led:
        threading.Event().wait(0.001)
    interrupter.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run(crowded, "interrupted")
    finally:
        door._door.release()
        interrupter.join()
        signal.signal(signal.SIGUSR1, before)
    first.join()
    run(crowded, "next")
    assert states(crowded) == {"first": "committed", "next": "committed"}
    assert (door._led, door._queue) == (False, [])


@pytest.mark.parametrize("bad", ["mysql://x/y", "sqlite://", "sqlite:///:memory:", "nonsense", "", None, 7])
def test_urls_that_cannot_keep_anything_are_refused(bad):
    with pytest.raises(EffectInputError, match="ledger URL"):
        Ledger(bad)


def test_a_password_is_never_shown():
    with pytest.raises(StoreUnavailable) as away:
        Ledger("postgresql+psycopg://ann:secret@127.0.0.1:9/x", busy_timeout=1)
    assert "secret" not in str(away.value)


@pytest.fixture
def full(ledger):
    """A disk with no room for another page."""
    run(ledger, "before")

    def fill(connection):
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    ledger._database.write(fill)
    return ledger


def fill_up(ledger: Any) -> Any:
    """Effects until the database has no room for one; how many ran."""
    for n in range(10_000):
        ran = []
        try:
            with ledger.effect("send", key=f"fill-{n}" + "x" * 200):
                ran.append(n)
        except StoreUnavailable as refusal:
            assert ran == []
            return n, refusal
    raise AssertionError


def test_on_a_full_disk_the_effect_is_refused_before_it_is_dispatched(full):
    _, refusal = fill_up(full)
    assert "full" in refusal.reason
    assert refusal.entry is not None
    assert refusal.entry.tool == "send"


def test_beyond_the_limit_of_the_file_system_the_effect_is_refused(url):
    """The kernel itself says no (RLIMIT_FSIZE), in a process of its own."""
    script = """
import resource, signal, sys, streamgauge.ledger as l
ledger = l.open_ledger(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
ran = 0
try:
    for n in range(10_000):
        with ledger.effect("send", key=f"k{n}"): ran += 1
except l.StoreUnavailable as refusal:
    print(ran, type(refusal).__name__)
"""
    done = subprocess.run([sys.executable, "-c", script, url], capture_output=True, text=True, check=False)
    ran, error = done.stdout.split()
    assert error == "StoreUnavailable"
    with Ledger(url) as ledger:
        assert len(ledger.entries()) in (int(ran), int(ran) + 1)


def test_a_read_only_file_is_named_when_it_is_opened(url):
    with Ledger(url) as ledger:
        run(ledger)
    path = url.removeprefix("sqlite:///")
    with Ledger(f"sqlite:///file:{path}?mode=ro&uri=true") as reading:
        assert states(reading) == {"k": "committed"}
        with pytest.raises(StoreUnavailable, match="readonly"):
            run(reading, "other")


def test_a_locked_file_refuses_after_its_time(url):
    with Ledger(url, busy_timeout=0.1) as ledger:
        run(ledger)
        other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            run(ledger, "other")
        other.execute("ROLLBACK")
        other.close()
        run(ledger, "other")
    assert True


@pytest.mark.parametrize("damage", ["header", "middle"])
def test_a_corrupted_file_is_named_and_never_taken_for_an_empty_one(url, damage):
    with Ledger(url) as ledger:
        for n in range(50):
            run(ledger, f"k{n}")
    path = Path(url.removeprefix("sqlite:///"))
    data = bytearray(path.read_bytes())
    start = 0 if damage == "header" else 4096
    data[start : start + (100 if damage == "header" else len(data))] = b"\xa5" * (
        100 if damage == "header" else len(data) - 4096
    )
    path.write_bytes(data)
    with pytest.raises(StoreUnavailable, match=r"(not a database|malformed)"), Ledger(url) as ledger:
        run(ledger, "new")


def test_a_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StoreUnavailable, match="unable to open"):
        Ledger(f"sqlite:///{tmp_path}/no/x.db")


class Gate:
    """Lets the database of a ledger go away and come back."""

    def __init__(self, monkeypatch: Any) -> None:
        self.away = False
        for way in ("write", "post"):
            monkeypatch.setattr(Database, way, self.guarded(getattr(Database, way)))

    def guarded(self, way: Any) -> Any:
        def through(database, work):
            if self.away:
                raise StoreUnavailable(database.url, "away")
            return way(database, work)

        return through


def test_with_the_memory_policy_effects_run_loudly_and_are_written_when_the_store_is_back(url, monkeypatch, caplog):
    gate, ran = Gate(monkeypatch), []
    heard: list[Any] = []
    with Ledger(url, on_store_failure="memory") as ledger:
        ledger.on_change(heard.append)
        gate.away = True
        with ledger.effect("send", key="k", stream="resp_1") as effect:
            ran.append(effect.idempotency_key)
        ledger.end_stream("resp_1", "cancelled", "user_stop")
        assert (ran, states(ledger)) == (["k"], {})
        assert [entry.key for entry in ledger.unstored] == ["k", "k"]
        gate.away = False
        run(ledger, "next")
        assert states(ledger) == {"k": "committed", "next": "committed"}
        assert ledger.unstored == []
        assert [record["verdict"] for record in ledger.reconciliations()] == ["partial_commit"]
    assert [fact.reason for fact in heard if isinstance(fact, StoreTrouble)] == [
        "away",
        "earlier writes are still owed",
        "earlier writes are still owed",
    ]
    assert "kept in memory only, the start of send (k)" in caplog.text


def test_under_either_policy_an_outcome_is_never_lost_and_the_caller_is_not_broken(url, monkeypatch, caplog):
    gate = Gate(monkeypatch)
    with Ledger(url) as ledger:
        with ledger.effect("send", key="k"):
            gate.away = True
        assert states(ledger) == {"k": "started"}
        gate.away = False
        ledger.reconcile()
        assert states(ledger) == {"k": "committed"}
    assert "the outcome (commit) of send (k)" in caplog.text


def test_a_stop_that_the_store_did_not_take_is_told_to_the_caller_and_holds_once_it_is_back(url, monkeypatch):
    gate = Gate(monkeypatch)
    with Ledger(url) as ledger:
        gate.away = True
        with pytest.raises(StoreUnavailable):
            ledger.cancel("resp_1", "user_stop")
        gate.away = False
        with pytest.raises(Exception, match="cancelled"), ledger.effect("send", stream="resp_1"):
            pytest.fail("must not run")
        assert ledger.streams()[0].initiator == "user_stop"


def test_what_ran_in_memory_under_a_key_that_was_taken_meanwhile_becomes_a_further_attempt(url, monkeypatch):
    gate = Gate(monkeypatch)
    with Ledger(url, on_store_failure="memory") as ledger:
        gate.away = True
        execution = ledger.effect("send", key="k").execution()
        execution.begin()
        gate.away = False
        with Ledger(url) as other:
            run(other)
        execution.committed()
        assert sorted((e.attempt, str(e.state)) for e in ledger.entries()) == [(1, "committed"), (2, "committed")]


def test_a_ledger_that_closes_with_debts_says_so(url, monkeypatch, caplog):
    gate = Gate(monkeypatch)
    with Ledger(url, on_store_failure="memory") as ledger:
        gate.away = True
        run(ledger)
    assert "closed while 2 writes are in memory only: ['k', 'k']" in caplog.text


def test_a_server_that_is_stopped_and_started_again_loses_nothing(postgres, postgres_url):
    with Ledger(postgres_url, busy_timeout=2) as ledger:
        run(ledger, "before")
        postgres.stop()
        try:
            with pytest.raises(StoreUnavailable):
                run(ledger, "away")
        finally:
            postgres.start()
        run(ledger, "after")
        assert states(ledger) == {"before": "committed", "after": "committed"}
