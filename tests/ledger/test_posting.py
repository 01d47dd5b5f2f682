"""Effects of streams on PostgreSQL: many share a statement and a commit, each of them only where it is true."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from tests.ledger.test_store import at_once

from streamgauge.ledger import (
    ArgumentConflict,
    DuplicateEffect,
    EffectDenied,
    EffectState,
    Policy,
    StreamStopped,
    database,
)
from streamgauge.ledger.database import GroupCommit
from streamgauge.ledger.entry import Entry, StreamRow
from streamgauge.ledger.errors import Mistaken
from streamgauge.ledger.ledger import Ledger
from streamgauge.ledger.posting import post_on_postgresql
from streamgauge.ledger.writing import Changes, Supposed


@pytest.fixture
def ledger(postgres_url: str) -> Iterator[Ledger]:
    with Ledger(postgres_url) as opened:
        yield opened


@pytest.fixture
def one_door(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> GroupCommit:
    monkeypatch.setattr(ledger._database, "_doors", ledger._database._doors[:1])
    return ledger._database._doors[0]


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is sent to the server, by whomever."""
    sent: list[str] = []
    execute = psycopg.Cursor.execute

    def counted(cursor: Any, query: Any, *values: Any, **options: Any) -> Any:
        sent.append(str(query))
        return execute(cursor, query, *values, **options)

    monkeypatch.setattr(psycopg.Cursor, "execute", counted)
    return sent


def run(ledger: Any, key: str, stream: str, args: Any = None, **options: Any) -> None:
    with ledger.effect("send", key=key, stream=stream, args=args, **options):
        pass


@contextmanager
def stopping(url: str, ref: str) -> Iterator[None]:
    """Another process is about to stop the stream: its row is changed, the commit comes when the block is left."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute(
            "UPDATE streamgauge_stream SET stopped_ns = 1, initiator = 'user_stop' WHERE ref = %s", (ref,)
        )
        yield


# How many statements, how many commits


def test_an_effect_of_a_stream_is_two_statements_each_a_transaction_of_its_own(ledger, statements):
    run(ledger, "begins the stream", "s")
    statements.clear()
    run(ledger, "k", "s")
    assert [statement.split()[0] for statement in statements] == ["WITH", "WITH"]
    assert {str(entry.state) for entry in ledger.entries(stream="s")} == {"committed"}


@pytest.mark.usefixtures("one_door")
def test_the_first_effect_of_a_stream_begins_it_in_the_same_statement(ledger, statements):
    run(ledger, "warm", "other")
    statements.clear()
    run(ledger, "k", "s")
    assert len(statements) == 2
    (stream,) = ledger.streams(ref="s")
    (entry,) = ledger.entries(stream="s")
    assert (stream.open, stream.begun_ns, stream.owner) == (True, entry.intended_ns, None)


def test_so_are_many_of_many_streams_at_once(ledger, one_door, statements):
    for n in range(8):
        ledger.begin_stream(f"s{n}")
    run(ledger, "warm", "s0")
    statements.clear()
    at_once(one_door, lambda key: run(ledger, key, f"s{hash(key) % 16}"), [f"k{n}" for n in range(16)])
    assert statements[0].startswith("WITH supposed")
    assert len(statements) <= 17, "one to start them all; how they meet again when they are done is up to them"
    assert sum(statement.startswith("WITH supposed") for statement in statements) == len(statements)
    assert [str(entry.state) for entry in ledger.entries()] == ["committed"] * 17
    assert len(ledger.history()) == 51


def test_those_of_streams_and_those_of_none_share_a_commit(ledger, one_door, statements):
    def write(key: str) -> None:
        ledger.effect("send", key=key, stream="s" if key < "k4" else None).execution().begin()

    run(ledger, "warm", "s")
    statements.clear()
    at_once(one_door, write, [f"k{n}" for n in range(8)])
    assert len(statements) == 1
    assert [str(entry.state) for entry in ledger.entries() if entry.key != "warm"] == ["started"] * 8


def test_those_of_one_stream_go_by_one_door(ledger):
    doors = ledger._database._doors
    assert len(doors) > 1

    def of(ref: str) -> Changes:
        return Changes(supposed=Supposed(StreamRow(ref, 1)))

    assert all(len({ledger._database._door_for(of(f"s{n}")) for _ in range(3)}) == 1 for n in range(20))
    assert {ledger._database._door_for(of(f"s{n}")) for n in range(50)} == set(doors)


def test_no_plan_that_was_made_while_a_table_was_small_scans_it_when_it_is_not(ledger):
    run(ledger, "k", "s")
    for door in {ledger._database._door_for(Changes(supposed=Supposed(StreamRow("s", 1))))}:
        driver = door._connection.connection.driver_connection
        assert driver.execute("SHOW enable_seqscan").fetchone() == ("off",)


# The fence


def test_one_of_many_is_refused_by_the_fence_and_the_others_start(ledger, one_door, statements):
    errors: dict[str, Any] = {}

    def write(key: str) -> None:
        try:
            run(ledger, key, key)
        except StreamStopped as error:
            errors[key] = error

    for n in range(6):
        ledger.begin_stream(f"s{n}")
    ledger.cancel("s3", "user_stop")
    statements.clear()
    at_once(one_door, write, [f"s{n}" for n in range(6)])
    assert list(errors) == ["s3"]
    assert errors["s3"].entry.state is EffectState.NEVER_STARTED
    states = {entry.stream_ref: str(entry.state) for entry in ledger.entries()}
    assert states == {f"s{n}": "never_started" if n == 3 else "committed" for n in range(6)}
    started = [statement for statement in statements if "begun AS" in statement and "met AS" not in statement]
    assert len(started) <= 2 + 5, "the others do not start again because one was refused"


def test_a_stop_that_is_being_written_is_waited_for_by_its_own_effects_and_by_no_others(ledger, one_door, postgres_url):
    refused, ran = [], []

    def write(ref: str) -> None:
        try:
            run(ledger, ref, ref)
            ran.append(ref)
        except StreamStopped:
            refused.append(ref)

    for ref in ("a", "b", "c"):
        ledger.begin_stream(ref)
    with stopping(postgres_url, "b"):
        threads = [threading.Thread(target=write, args=(ref,)) for ref in ("a", "b", "c")]
        with one_door._door:
            for thread in threads:
                thread.start()
            while len(one_door._queue) < 3:
                time.sleep(0.001)
        threads[0].join(5)
        threads[2].join(5)
        assert (sorted(ran), refused) == (["a", "c"], [])
    threads[1].join(5)
    assert refused == ["b"]
    assert {entry.stream_ref: str(entry.state) for entry in ledger.entries()} == {
        "a": "committed",
        "b": "never_started",
        "c": "committed",
    }


def test_an_outcome_is_written_behind_the_fence(ledger, one_door):
    with ledger.effect("send", key="k", stream="s"):
        ledger.cancel("s", "user_stop")
    assert [str(entry.state) for entry in ledger.entries()] == ["committed"]


@pytest.mark.parametrize("told_here", [True, False])
def test_an_outcome_after_the_end_of_the_stream_writes_its_record(ledger, postgres_url, told_here):
    with Ledger(postgres_url) as other, ledger.effect("send", key="k", stream="s"):
        (ledger if told_here else other).end_stream("s", "completed")
    assert [record["verdict"] for record in ledger.reconciliations()] == ["consistent"]
    assert not ledger.streams(ref="s")[0].open


def test_nobody_supposes_that_a_stream_goes_on_whose_end_he_told(ledger, statements):
    with ledger.effect("send", key="k", stream="s"):
        ledger.end_stream("s", "completed")
        statements.clear()
    assert [statement for statement in statements if statement.startswith("WITH supposed")] == []
    for n in range(3000):
        ledger._store._remember_end(f"s{n}")
    assert len(ledger._store._ended) <= 1000


def test_what_is_denied_after_the_end_of_the_stream_is_in_its_record(postgres_url):
    with Ledger(postgres_url, policies={"send": Policy("deny")}) as ledger:
        ledger.end_stream("s", "completed")
        with pytest.raises(EffectDenied):
            run(ledger, "k", "s")
        assert not ledger.streams(ref="s")[0].open


@pytest.mark.parametrize("company", [0, 2])
def test_a_stream_that_has_its_record_is_opened_again_by_another_effect(ledger, one_door, company):
    ledger.end_stream("s", "completed")
    run(ledger, "a", "s")
    before = ledger.streams(ref="s")[0]
    others = [ledger.effect("send", key=f"o{n}", stream=f"o{n}").execution() for n in range(company)]
    mine = ledger.effect("send", key="b", stream="s").execution()
    executions = {str(n): execution for n, execution in enumerate([*others, mine])}
    at_once(one_door, lambda name: executions[name].begin(), list(executions))
    after = ledger.streams(ref="s")[0]
    assert (before.open, after.open) == (False, True)
    assert after.changed_ns == mine.entry.intended_ns
    mine.committed()
    assert [len(record["effects"]) for record in ledger.reconciliations(history=True, stream="s")] == [1, 2]


def test_of_many_each_is_told_what_stands_in_its_own_way(ledger, one_door):
    errors: dict[str, Any] = {}

    def write(key: str) -> None:
        try:
            run(ledger, key, "s", {"n": 2 if key == "other arguments" else 1})
        except (DuplicateEffect, ArgumentConflict) as error:
            errors[key] = error

    run(ledger, "again", "s", {"n": 1})
    run(ledger, "other arguments", "s", {"n": 1})
    at_once(one_door, write, ["a", "again", "b", "other arguments", "c"])
    assert {key: type(error).__name__ for key, error in errors.items()} == {
        "again": "DuplicateEffect",
        "other arguments": "ArgumentConflict",
    }
    assert all(error.entry.key == key and error.entry.state == "committed" for key, error in errors.items())
    assert sorted(entry.key for entry in ledger.entries()) == ["a", "again", "b", "c", "other arguments"]


def test_of_many_that_want_one_key_one_has_it(ledger, one_door):
    ran, errors = [], []

    def write(name: str) -> None:
        try:
            run(ledger, "k", "s")
            ran.append(name)
        except DuplicateEffect:
            errors.append(name)

    at_once(one_door, write, ["a", "b", "c"])
    assert (len(ran), len(errors)) == (1, 2)
    assert [line["what"] for line in ledger.history() if line["what"] != "refused"] == [
        "intended",
        "started",
        "committed",
    ]


# What goes wrong on the way


def test_a_connection_that_is_taken_away_is_made_again(ledger, postgres):
    run(ledger, "before", "s")
    with postgres.connect() as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    run(ledger, "after", "s")
    assert {entry.key: str(entry.state) for entry in ledger.entries()} == {"before": "committed", "after": "committed"}


def test_what_was_written_although_the_answer_was_lost_is_written_once(ledger, monkeypatch):
    lost: list[Any] = []

    def loses(cursor: Any, several: Any) -> list[int]:
        refused = post_on_postgresql(cursor, several)
        if len(lost) < 4 and not refused:
            lost.append(several)
            raise psycopg.OperationalError("the answer was lost")
        return refused

    monkeypatch.setattr(database, "post_on_postgresql", loses)
    run(ledger, "k", "s")
    assert len(lost) == 2, "one at the start, one at the end"
    assert [(entry.attempt, str(entry.state)) for entry in ledger.entries()] == [(1, "committed")]
    assert [line["what"] for line in ledger.history()][:3] == ["intended", "started", "committed"]


# What is supposed of a stream, one by one

STARTED = Entry(
    "k", 1, "send", "external_message", EffectState.STARTED, "hash", "mine", 1, 2, stream_ref="s", tool_call_id="c"
)
ROW = StreamRow("s", 1, changed_ns=1, response_id="r")
START = Supposed(ROW, starts=True, by_call=True, other_key="s#c:send")
NAMELESS = StreamRow("s", 1, changed_ns=1)


def sql(statement: str) -> Callable[[Ledger], object]:
    return lambda ledger: ledger._database.write(lambda c: c.exec_driver_sql(statement))


def change(values: str) -> Callable[[Ledger], object]:
    return sql(f"UPDATE streamgauge_stream SET {values} WHERE ref = 's'")


def nothing(_: Ledger) -> None:
    pass


def another_carries_it(ledger: Ledger) -> None:
    ledger.begin_stream("t", response_id="r")


def done_under_the_other_key(ledger: Ledger) -> None:
    ledger._database.post(Changes(added=[STARTED.evolve(key="s#c:send", token="theirs", stream_ref=None)]))


CASES: dict[str, tuple[Callable[[Ledger], object], Supposed, bool]] = {
    "all is so": (nothing, START, True),
    "it was stopped": (change("stopped_ns = 1"), START, False),
    "it was stopped, which is no matter": (change("stopped_ns = 1"), Supposed(ROW, undecided=True), True),
    "it has ended": (change("outcome = 'completed'"), Supposed(ROW, undecided=True), False),
    "it has ended, which is no matter": (change("outcome = 'completed'"), START, True),
    "nobody knows how it ends": (change("outcome = 'detached'"), Supposed(ROW, undecided=True), True),
    "it has its record": (change("open = FALSE"), START, True),
    "it has its record and was stopped": (change("open = FALSE, stopped_ns = 1"), START, False),
    "nobody began it": (sql("DELETE FROM streamgauge_stream"), START, True),
    "nobody began what is to be settled": (sql("DELETE FROM streamgauge_stream"), Supposed(ROW), False),
    "it has another answer": (change("response_id = 'other'"), START, False),
    "it has no answer yet": (change("response_id = NULL"), START, False),
    "it has an answer": (nothing, Supposed(NAMELESS, starts=True, by_call=True), False),
    "it has an answer, which is no matter": (nothing, Supposed(NAMELESS, starts=True), True),
    "another carries its answer": (another_carries_it, START, False),
    "another carries its answer, which is no matter": (another_carries_it, Supposed(ROW, starts=True), True),
    "it was done under the other key": (done_under_the_other_key, START, False),
}


def posted(ledger: Ledger, door: GroupCommit, changes: dict[str, Changes]) -> list[str]:
    """Post all at once by one door; those of whom it was not so."""
    mistaken = []

    def write(key: str) -> None:
        try:
            ledger._database.post(changes[key])
        except Mistaken:
            mistaken.append(key)

    at_once(door, write, list(changes))
    return mistaken


@pytest.mark.parametrize("company", [0, 3])
@pytest.mark.parametrize(("before", "supposed", "so"), CASES.values(), ids=CASES.keys())
def test_a_start_is_written_only_where_all_is_so(ledger, one_door, before, supposed, so, company):
    ledger.begin_stream("s", response_id="r")
    before(ledger)
    rows_before = len(ledger.entries())
    others = [STARTED.evolve(key=f"n{n}", token=f"t{n}", stream_ref=f"n{n}") for n in range(company)]
    changes = {entry.key: Changes([entry], supposed=Supposed(StreamRow(entry.key, 1), starts=True)) for entry in others}
    line = {"at_ns": 1, "what": "x", "key": "k", "attempt": 1, "stream_ref": "s", "actor": None, "detail": None}
    changes["k"] = Changes([STARTED], noted=[line], supposed=supposed)
    mistaken = posted(ledger, one_door, changes)
    assert mistaken == ([] if so else ["k"])
    assert len(ledger.entries()) == rows_before + company + so
    assert len(ledger.history(key="k")) == so
    assert [stream.open for stream in ledger.streams(ref="s")] in ([so], [True], [])


def test_what_is_begun_at_once_by_two_that_know_different_answers_is_begun_by_one(ledger, one_door):
    entries = [STARTED.evolve(key=key, token=key) for key in ("a", "b")]
    changes = {
        "a": Changes([entries[0]], supposed=Supposed(NAMELESS, starts=True, by_call=True)),
        "b": Changes([entries[1]], supposed=Supposed(ROW, starts=True, by_call=True)),
    }
    mistaken = posted(ledger, one_door, changes)
    (stream,) = ledger.streams()
    assert mistaken == (["b"] if stream.response_id is None else ["a"])


# Other processes

WORKER = """
import sys, threading, time
import streamgauge.ledger as l
from streamgauge.ledger import StreamStopped
url, count, *refs = sys.argv[1:]
ledger = l.open_ledger(url)
lines = []

def work(n):
    for i in range(int(count)):
        for ref in refs[n % len(refs):] + refs[:n % len(refs)]:
            called = time.monotonic_ns()
            try:
                with ledger.effect("send", stream=ref):
                    lines.append(f"{ref} {called}")
            except StreamStopped:
                pass

threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
print("ready", flush=True)
sys.stdin.readline()
for thread in threads: thread.start()
for thread in threads: thread.join()
print("\\n".join(lines))
"""


def workers(url: str, count: int, *several: list[str]) -> list["subprocess.Popen[str]"]:
    """Processes that are ready to run effects of these streams, round after round."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", WORKER, url, str(count)]
    started = [subprocess.Popen([*command, *refs], stdin=pipe, stdout=pipe, stderr=pipe, text=True) for refs in several]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
    return started


def ran(processes: list["subprocess.Popen[str]"]) -> list[tuple[str, int]]:
    lines = []
    for process in processes:
        out, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
        lines += [line.split() for line in out.splitlines()]
    return [(ref, int(called)) for ref, called in lines]


def go(processes: list["subprocess.Popen[str]"]) -> None:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


@pytest.mark.timeout(120)
def test_what_is_called_in_other_processes_after_a_cancel_has_returned_does_not_start(ledger, postgres_url):
    refs = [f"s{n}" for n in range(8)]
    processes = workers(postgres_url, 12, refs, refs)
    go(processes)
    stopped = {}
    for ref in refs:
        time.sleep(0.05)
        ledger.cancel(ref, "user_stop")
        stopped[ref] = time.monotonic_ns()
    done = ran(processes)
    assert done, "some were faster than the cancel"
    assert [(ref, called) for ref, called in done if called > stopped[ref]] == []
    entries = ledger.entries(limit=10_000)
    assert len([entry for entry in entries if entry.state == "committed"]) == len(done)
    stops = {stream.ref: stream.stopped_ns or 0 for stream in ledger.streams()}
    assert all((entry.started_ns or 0) < stops[entry.stream_ref or ""] for entry in entries if entry.started_ns)


@pytest.mark.timeout(120)
def test_two_processes_with_the_same_streams_in_opposite_order_do_not_stand_in_each_others_way(ledger, postgres_url):
    refs = [f"s{n}" for n in range(6)]
    processes = workers(postgres_url, 6, refs, refs[::-1])
    go(processes)
    done = ran(processes)
    assert len(done) == 2 * 6 * 6 * 6
    assert {str(entry.state) for entry in ledger.entries(limit=10_000)} == {"committed"}
    assert len(ledger.history()) == 3 * len(done)
