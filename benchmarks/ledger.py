"""What durable effects cost: effects per second beside the bare database's own commits per second, in the same run.

python benchmarks/ledger.py [--json] [--seconds N] [--postgresql URL] [--reconcile ENTRIES]

An effect is two durable commits one after the other, one before it is dispatched and one after it: a lone thread cannot
run more effects than half the commits its disk can take, threads can, because they share commits. `bare` is the bare
driver, one small row per transaction on a connection per thread, with the same settings (SQLite: WAL,
synchronous=FULL), measured in turns with the ledger because other work on the machine moves both. `effects per bare
commit` compares what is done, `commits per bare commit` what is promised: how often the return of a call stood for
something on disk. `added` is how much longer a decorated function that does nothing takes than the function itself.
Effects `of streams` belong to a stream each thread reads, whose row is looked at and locked by both their commits. No
figure here is a pass or a fail.
"""

import argparse
import json
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from streamgauge.ledger.ledger import Ledger
from streamgauge.ledger.tables import effects
from streamgauge.ledger.writing import row_of

ROUNDS = 5
Work = Callable[[float], tuple[int, float]]


def rate(work: Work, threads: int, seconds: float) -> float:
    """How often per second `work` gets done by so many threads."""
    done: list[tuple[int, float]] = []
    workers = [threading.Thread(target=lambda: done.append(work(seconds))) for _ in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(count for count, _ in done) / (time.perf_counter() - start)


def repeat(once: Callable[[], object], seconds: float) -> tuple[int, float]:
    """Do it again and again; how often, and for how long."""
    start = time.perf_counter()
    count = 0
    while (spent := time.perf_counter() - start) < seconds:
        once()
        count += 1
    return count, spent


def bare_sqlite(path: Path) -> Work:
    """One row per commit on a connection per thread."""

    def work(seconds: float) -> tuple[int, float]:
        connection = sqlite3.connect(path, timeout=60, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS bare (value TEXT)")

        def once() -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO bare VALUES (?)", ("x" * 100,))
            connection.execute("COMMIT")

        try:
            return repeat(once, seconds)
        finally:
            connection.close()

    return work


def bare_postgresql(url: str) -> Work:
    """One row per commit on a connection per thread."""
    import psycopg

    plain = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS bare (value TEXT)")

    def work(seconds: float) -> tuple[int, float]:
        with psycopg.connect(plain) as connection:

            def once() -> None:
                connection.execute("INSERT INTO bare VALUES (%s)", ("x" * 100,))
                connection.commit()

            return repeat(once, seconds)

    return work


def durable(ledger: Ledger) -> Work:
    """One effect that does nothing outside."""

    @ledger.effect(kind="external_message")
    def send(invoice_id: int) -> int:
        return invoice_id

    return lambda seconds: repeat(lambda: send(7), seconds)


def durable_of_streams(ledger: Ledger) -> Work:
    """The same, each thread in a stream of its own."""

    @ledger.effect(kind="external_message", stream_arg="stream")
    def send(invoice_id: int, stream: str) -> int:  # noqa: ARG001 - the ledger reads it
        return invoice_id

    def work(seconds: float) -> tuple[int, float]:
        stream = f"stream-{uuid.uuid4().hex}"
        ledger.begin_stream(stream)
        return repeat(lambda: send(7, stream), seconds)

    return work


def compare(effect: Work, bare: Work, threads: int, seconds: float) -> dict[str, float]:
    """Medians over turns of the bare database and the ledger."""
    turns = [(rate(bare, threads, seconds), rate(effect, threads, seconds)) for _ in range(ROUNDS)]
    commits, effects_ = (statistics.median(turn[side] for turn in turns) for side in (0, 1))
    ratio = statistics.median(turn[1] / turn[0] for turn in turns)
    return {
        "threads": threads,
        "bare_commits_per_s": round(commits, 1),
        "effects_per_s": round(effects_, 1),
        "effects_per_bare_commit": round(ratio, 3),
        "commits_per_bare_commit": round(2 * ratio, 3),
        "added_ms": round(1000 * threads / effects_, 3),
    }


def measure(database: str, ledger: Ledger, bare: Work, threads: int, seconds: float) -> dict[str, dict[str, float]]:
    """Effects by themselves, and effects that belong to streams."""
    who = f"{database}, {threads} thread{'s' if threads > 1 else ''}"
    return {
        who: compare(durable(ledger), bare, threads, seconds),
        f"{who}, of streams": compare(durable_of_streams(ledger), bare, threads, seconds),
    }


def fill(ledger: Ledger, count: int) -> None:
    """So many entries, one in ten of them unknown."""
    with ledger.effect("send", key="model") as execution:
        pass
    row = row_of(execution.entry)

    def insert(connection: sa.Connection) -> None:
        for start in range(0, count, 5000):
            rows = [
                row | {"key": f"k{n}", "token": uuid.uuid4().hex, "state": "unknown" if n % 10 == 0 else "committed"}
                for n in range(start, min(start + 5000, count))
            ]
            connection.execute(sa.insert(effects), rows)

    ledger._database.write(insert)


def reconcile(ledger: Ledger, count: int) -> dict[str, float]:
    """Seconds of one `reconcile` with probes that answer at once, and of one more that finds nothing to do."""
    fill(ledger, count)
    ledger.probe("*", lambda _: True)
    start = time.perf_counter()
    report = ledger.reconcile()
    first = time.perf_counter() - start
    start = time.perf_counter()
    ledger.reconcile()
    return {
        "entries": count,
        "open": report.resolved,
        "seconds": round(first, 2),
        "seconds_when_nothing_is_open": round(time.perf_counter() - start, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="What durable effects cost.")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--postgresql", metavar="URL", help="an empty database")
    parser.add_argument("--reconcile", type=int, default=100_000, metavar="ENTRIES")
    options = parser.parse_args()
    if options.postgresql:
        with Ledger(options.postgresql) as ledger:
            if ledger.entries(limit=1):
                parser.error("--postgresql: an empty database is needed, this one holds entries")
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as directory:
        for threads in (1, 32):
            bare = bare_sqlite(Path(directory) / "bare.db")
            with Ledger(f"sqlite:///{directory}/effects{threads}.db") as ledger:
                results |= measure("sqlite", ledger, bare, threads, options.seconds)
        with Ledger(f"sqlite:///{directory}/many.db") as ledger:
            results["sqlite, reconcile"] = reconcile(ledger, options.reconcile)
        for threads in (1, 32) if options.postgresql else ():
            bare = bare_postgresql(options.postgresql)
            with Ledger(options.postgresql, pool_size=32) as ledger:
                results |= measure("postgresql", ledger, bare, threads, options.seconds)
        if options.postgresql:
            with Ledger(options.postgresql) as ledger:
                results["postgresql, reconcile"] = reconcile(ledger, options.reconcile)
    if options.json:
        json.dump(results, sys.stdout)
        return
    for name, numbers in results.items():
        print(f"{name:34}", "  ".join(f"{key.replace('_', ' ')} {value}" for key, value in numbers.items()))
    print("An effect is two durable commits, one after the other: a lone thread has at most about 0.5 per bare commit.")


if __name__ == "__main__":
    main()
