"""No effect lost, none run twice, verdicts right: whatever moment a process is killed at.

The killed processes are real, so is SIGKILL; `lives.py` holds them and the witness that knows what really happened.
"""

import importlib.util
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
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
    """The ledger against the witness: every attempt, every stream."""
    done = Counter(deed.token for deed in world.deeds() if not deed.key.startswith("undo-"))
    undone = Counter(deed.token for deed in world.deeds() if deed.key.startswith("undo-"))
    entries = ledger.entries()
    effects = [entry for entry in entries if entry.compensates is None]
    by_token = {entry.token: entry for entry in effects}
    assert [key for key, times in world.done().items() if times > 1] == [], "done twice"
    assert set(done) | set(undone) <= set(by_token), "lost"
    assert all(entry.settled for entry in entries)
    for entry in effects:
        happened = entry.meaning in (Meaning.STANDS, Meaning.UNDONE)
        assert happened == (done[entry.token] == 1), entry
        assert (entry.meaning is Meaning.UNDONE) <= (undone[entry.token] == 1), entry
    stands = Counter(f"undo-{e.compensates}" for e in entries if e.compensates and e.meaning is Meaning.STANDS)
    assert stands == Counter(deed.key for deed in world.deeds() if deed.key.startswith("undo-"))
    for deed in world.deeds():
        _check_stream(by_token[deed.token], deed)
    _check_records(ledger, effects, done)


def _check_stream(entry: Entry, deed: Any) -> None:
    """An effect belongs to the stream that it was called in; one that waited, to that which asked for it: to none."""
    waited = entry.started_ns != entry.intended_ns
    assert entry.stream_ref == deed.stream or (waited and entry.stream_ref is None) or deed.key.startswith("undo-"), (
        entry,
        deed,
    )


def _check_records(ledger: Ledger, effects: list[Entry], done: dict[str, int]) -> None:
    records = {record["stream"]: record for record in ledger.reconciliations()}
    last: dict[str, dict[str, Entry]] = defaultdict(dict)
    for entry in sorted(effects, key=lambda entry: entry.attempt):
        if entry.stream_ref is not None:
            last[entry.stream_ref][entry.key] = entry
    assert set(last) <= set(records)
    for stream in ledger.streams():
        happened = [done[entry.token] for entry in last[stream.ref].values()]
        if happened:
            assert records[stream.ref]["verdict"] == _truth(stream, happened), (stream, records[stream.ref])


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
        # not those that have only just begun: on a slow machine nobody would ever get as far as a statement
        query = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = %s AND backend_start < now() - interval '200 ms' ORDER BY random() LIMIT 1"
        )
        with postgres.connect() as connection:
            while not over.wait(0.03):
                terminated.extend(connection.execute(query, [postgres_url.rsplit("/", 1)[1]]).fetchall())

    killer = threading.Thread(target=terminate)
    killer.start()
    command = [sys.executable, "-W", "ignore", str(SCRIPT), "random", postgres_url, str(witness), "10"]
    workers = [
        subprocess.Popen([*command, str(seed), "2.5"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
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
