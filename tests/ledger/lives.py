"""Lives of a process that is killed with SIGKILL, and a witness outside that knows what really happened.

    python lives.py walk URL WITNESS PATH   kill a process at its first, second ... step of PATH, until one survives
    python lives.py work URL WITNESS NAME SEED work through jobs until somebody kills it
    python lives.py random URL WITNESS KILLS SEED LONGEST   start `work`, kill it within LONGEST seconds, again

`walk` and `random` fork every life from one process that has imported everything, so that a life costs milliseconds.
"""

import contextlib
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from streamgauge.ledger import (
    ApprovalRequired,
    EffectRefused,
    Entry,
    Execution,
    LedgerSettings,
    NoEffect,
    Policy,
    StoreUnavailable,
)
from streamgauge.ledger.ledger import Ledger


class Deed(NamedTuple):
    """What the witness saw: under which key, by which attempt, and in which stream the tool was called."""

    key: str
    token: str
    stream: str | None


class World:
    """What effects are done to: one line per effect, appended by one system call, so that it survives SIGKILL.

    Probes may ask for a key, as real ones do; the attempts are for the judges.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def do(self, execution: Execution, stream: str | None = None) -> None:
        self._write(execution.idempotency_key, execution.entry.token, stream)

    def undo(self, entry: Entry) -> None:
        self._write(f"undo-{entry.key}", entry.token, None)

    def _write(self, key: str, token: str, stream: str | None) -> None:
        os.write(self._file, f"{key} {token} {stream or '-'}\n".encode())

    def deeds(self) -> list[Deed]:
        lines = (line.split() for line in self._path.read_text().splitlines())
        return [Deed(key, token, None if stream == "-" else stream) for key, token, stream in lines]

    def done(self) -> Counter[str]:
        return Counter(deed.key for deed in self.deeds())


class Later:
    """The clocks of the machine, two hours on: every lease and every approval of the dead has run out."""

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        return time.time_ns() + 7_200_000_000_000


def plain(ledger: Ledger, world: World, name: str) -> None:
    with ledger.effect("send", key=name) as e:
        world.do(e)


def raises_after(ledger: Ledger, world: World, name: str) -> None:
    with ledger.effect("send", key=name) as e:
        world.do(e)
        raise ConnectionError


def raises_before(ledger: Ledger, world: World, name: str) -> None:
    with ledger.effect("send", key=name):
        raise ConnectionError


def no_effect(ledger: Ledger, world: World, name: str) -> None:
    with ledger.effect("send", key=name):
        raise NoEffect


def announced(ledger: Ledger, world: World, name: str) -> None:
    execution = ledger.effect("send", key=name).execution()
    execution.announce()
    execution.begin()
    world.do(execution)
    execution.committed()


def approved(ledger: Ledger, world: World, name: str) -> None:
    for _ in range(2):
        try:
            with ledger.effect("send", key=name, policy=Policy("confirm")) as e:
                world.do(e)
        except ApprovalRequired:
            ledger.approve(name, "ann")


def completed(ledger: Ledger, world: World, name: str) -> None:
    ref = f"stream-{name}"
    ledger.begin_stream(ref)
    with ledger.effect("send", key=name, tool_call=f"{ref}#c1") as e:
        world.do(e, ref)
    ledger.observe_tool_call(ref, "c1", "send")
    ledger.end_stream(ref, "completed")


def stopped(ledger: Ledger, world: World, name: str) -> None:
    ref = f"stream-{name}"
    ledger.begin_stream(ref)
    with ledger.effect("send", key=name, stream=ref) as e:
        world.do(e, ref)
    ledger.cancel(ref, "user_stop")
    try:
        with ledger.effect("send", key=f"{name}-late", stream=ref) as e:
            world.do(e, ref)
    except EffectRefused:
        pass
    ledger.end_stream(ref, "cancelled", "user_stop")


def undone(ledger: Ledger, world: World, name: str) -> None:
    with ledger.effect("charge", key=name, reversible=True) as e:
        world.do(e)
    ledger.request_compensation(name, "ann")
    ledger.reconcile()


def probed(ledger: Ledger, world: World, name: str) -> None:
    try:
        raises_after(ledger, world, name)
    except ConnectionError:
        ledger.reconcile()


PATHS: dict[str, Callable[[Ledger, World, str], None]] = {
    path.__name__: path
    for path in (plain, raises_after, raises_before, no_effect, announced, approved, completed, stopped, undone, probed)
}


def open_ledger(url: str, world: World, **choices: Any) -> Ledger:
    """A ledger whose probes tell the truth."""
    ledger = Ledger(url, LedgerSettings(lease=0.05, probe_backoff=0.001), **choices)
    ledger.probe("*", lambda entry: world.done()[(entry.compensates and f"undo-{entry.compensates}") or entry.key] > 0)
    ledger.compensate("charge", world.undo)
    return ledger


def take(ledger: Ledger, world: World, path: str, name: str) -> None:
    """One path, as a caller that survives refusals, failures of the tool and a database that is away."""
    with contextlib.suppress(EffectRefused, ConnectionError, NoEffect, StoreUnavailable):
        PATHS[path](ledger, world, name)


def _die_at(step: int) -> Callable[[object, str, object], None]:
    """A profiler that kills its own process before the `step`-th call into C that touches a database or a file."""
    left = [step]

    def profile(_: object, event: str, function: object) -> None:
        if event == "c_call" and getattr(function, "__name__", "") in ("execute", "executemany", "commit", "write"):
            left[0] -= 1
            if left[0] <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return profile


def _life(action: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            action()
            os._exit(0)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
    return pid


def walk(url: str, witness: str, path: str) -> None:
    """Print the number of lives that were killed."""
    world = World(witness)
    for step in range(1, 10_000):

        def life(step: int = step) -> None:
            ledger = open_ledger(url, world)
            sys.setprofile(_die_at(step))
            take(ledger, world, path, f"{path}-{step}")
            sys.setprofile(None)

        _, status = os.waitpid(_life(life), 0)
        if not os.WIFSIGNALED(status):
            assert os.waitstatus_to_exitcode(status) == 0, "the path failed by itself"
            print(step - 1)
            return


def _open_patiently(url: str, world: World) -> Ledger:
    while True:
        try:
            return open_ledger(url, world)
        except StoreUnavailable:
            time.sleep(0.01)


def work(url: str, witness: str, name: str, seed: int) -> None:
    """Jobs in threads, for ever; a job is delivered again until nothing is open."""
    world = World(witness)
    ledger = _open_patiently(url, world)

    def run(number: int) -> None:
        rng = random.Random(f"{seed}-{name}-{number}-{time.time_ns()}")
        while True:
            take(ledger, world, rng.choice([*PATHS]), f"{rng.choice('abcdefghij')}{rng.randrange(60)}")
            if rng.random() < 0.1:
                with contextlib.suppress(StoreUnavailable):
                    ledger.reconcile()

    for number in range(3):
        threading.Thread(target=run, args=(number,), daemon=True).start()
    signal.pause()


def kill_at_random(url: str, witness: str, kills: int, seed: int, longest: float) -> None:
    rng = random.Random(seed)
    _open_patiently(url, World(witness)).close()  # every driver is imported now, not in every life
    for life in range(kills):
        pid = _life(partial(work, url, witness, f"life{life}", seed))
        time.sleep(rng.uniform(0.02, longest))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status), "died by itself"
    print(kills)


if __name__ == "__main__":
    command, url, witness, *rest = sys.argv[1:]
    if command == "walk":
        walk(url, witness, rest[0])
    elif command == "work":
        work(url, witness, rest[0], int(rest[1]))
    else:
        kill_at_random(url, witness, int(rest[0]), int(rest[1]), float(rest[2]))
