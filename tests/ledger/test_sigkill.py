"""No effect lost, none run twice, verdicts right: whatever moment a process is killed at.

The killed processes are real, so is SIGKILL; `lives.py` holds them and the witness that knows what really happened.
"""

import importlib.util
import subprocess
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from streamgauge.ledger.entry import Entry, StreamRow
from streamgauge.ledger.ledger import Ledger
from streamgauge.ledger.states import Meaning

SCRIPT = Path(__file__).with_name("lives.py")
_spec = importlib.util.spec_from_file_location("lives", SCRIPT)
assert _spec is not None
assert _spec.loader is not None
lives = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(lives)


def run_script(*args: object) -> int:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", str(SCRIPT), *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def settle_everything(ledger: Ledger) -> None:
    """Reconcile until nothing is open."""
    deadline = time.monotonic() + 30
    while ledger.reconcile().unresolved or ledger.statistics().open_streams:
        assert time.monotonic() < deadline, ledger.entries(unsettled=True)[:3]
        time.sleep(0.01)


def check(ledger: Ledger, world: Any) -> None:
    """The ledger against the witness."""
    done = world.done()
    attempts: dict[str, list[Entry]] = defaultdict(list)
    for entry in ledger.entries():
        attempts[f"undo-{entry.compensates}" if entry.compensates else entry.key].append(entry)
    assert [key for key, times in done.items() if times > 1] == [], "done twice"
    assert set(done) <= set(attempts), "lost"
    for key, entries in attempts.items():
        happened = [e for e in entries if e.meaning in (Meaning.STANDS, Meaning.UNDONE)]
        assert len(happened) == done[key], (key, entries)
        assert all(entry.settled for entry in entries)
    for entry in ledger.entries(tool="charge"):
        if entry.state == "compensated":
            assert done[f"undo-{entry.key}"] == 1
    _check_records(ledger, done, attempts)


def _check_records(ledger: Ledger, done: dict[str, int], attempts: dict[str, list[Entry]]) -> None:
    records = {record["stream"]: record for record in ledger.reconciliations()}
    of_stream: dict[str, set[str]] = defaultdict(set)
    for key, entries in attempts.items():
        for entry in entries:
            if entry.stream_ref is not None:
                of_stream[entry.stream_ref].add(key)
    assert set(of_stream) <= set(records)
    checked = 0
    for stream in ledger.streams():
        keys = of_stream[stream.ref]
        # the witness counts by key: where another stream, or none, tried the same key again it cannot say whose it was
        if keys and all(entry.stream_ref == stream.ref for key in keys for entry in attempts[key]):
            checked += 1
            assert records[stream.ref]["verdict"] == _truth(stream, [done[key] for key in keys]), (
                stream,
                records[stream.ref],
            )
    assert checked or not of_stream


def _truth(stream: StreamRow, happened: list[int]) -> str:
    if stream.stopped_ns is None:
        return "consistent" if all(happened) else "effect_failed"
    return "partial_commit" if any(happened) else "clean"


@pytest.mark.parametrize("path", lives.PATHS)
def test_killed_before_every_single_step_of_a_path(url, tmp_path, path):
    witness = tmp_path / "witness"
    world = lives.World(str(witness))
    with lives.open_ledger(url, world):
        pass
    kills = run_script("walk", url, witness, path)
    assert kills >= 8
    with lives.open_ledger(url, world, clock=lives.Later()) as ledger:
        settle_everything(ledger)
        check(ledger, world)
        for step in range(1, kills + 2):
            lives.take(ledger, world, path, f"{path}-{step}")
        settle_everything(ledger)
        check(ledger, world)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(4))
def test_killed_at_random_moments_with_threads_at_work(url, tmp_path, seed):
    """Four times sixty kills."""
    witness = tmp_path / "witness"
    world = lives.World(str(witness))
    with lives.open_ledger(url, world):
        pass
    assert run_script("random", url, witness, 60, seed, 0.18) == 60
    with lives.open_ledger(url, world, clock=lives.Later()) as ledger:
        settle_everything(ledger)
        assert len(ledger.entries()) > 30
        check(ledger, world)


@pytest.mark.timeout(300)
def test_four_processes_on_postgresql_killed_and_disconnected_at_random(postgres, postgres_url, tmp_path):
    """Forty kills in four processes at once, while somebody keeps terminating the server's side of connections."""
    witness = tmp_path / "witness"
    world = lives.World(str(witness))
    with lives.open_ledger(postgres_url, world):
        pass
    over = threading.Event()
    terminated = []

    def terminate() -> None:
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s ORDER BY random() LIMIT 1"
        with postgres.connect() as connection:
            while not over.wait(0.03):
                terminated.extend(connection.execute(query, [postgres_url.rsplit("/", 1)[1]]).fetchall())

    killer = threading.Thread(target=terminate)
    killer.start()
    command = [sys.executable, "-W", "ignore", str(SCRIPT), "random", postgres_url, str(witness), "10"]
    workers = [
        subprocess.Popen([*command, str(seed), "1.0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for seed in range(4)
    ]
    outputs = [worker.communicate() for worker in workers]
    over.set()
    killer.join()
    assert [(out, worker.returncode) for (out, _), worker in zip(outputs, workers, strict=True)] == [
        (b"10\n", 0)
    ] * 4, outputs
    assert terminated
    with lives.open_ledger(postgres_url, world, clock=lives.Later()) as ledger:
        settle_everything(ledger)
        assert len(ledger.entries()) > 30
        check(ledger, world)
