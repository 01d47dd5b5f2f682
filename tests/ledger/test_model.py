"""The ledger and its reconciler against a model that keeps everything in dictionaries, under random histories."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from tests.ledger.conftest import HandClock

from streamgauge.ledger import (
    ApprovalExpired,
    ApprovalRequired,
    ApprovalViolation,
    ArgumentConflict,
    DuplicateEffect,
    EffectDenied,
    EffectRefused,
    IllegalTransition,
    Policy,
    StreamStopped,
    UnknownEntry,
)
from streamgauge.ledger.execution import Execution
from streamgauge.ledger.ledger import Ledger

pytestmark = pytest.mark.timeout(600)  # a slow disk, and what is found is made small first
EXPIRES, LEASE, BACKOFF = 100, 50, 5
FENCING = {"cancelled", "failed", "crashed"}
REFUSALS = {
    "awaiting_approval": ApprovalRequired,
    "denied": EffectDenied,
    "expired": ApprovalExpired,
}
RETRYABLE = ("failed_no_effect", "reconciled_absent", "never_started")
STANDS = ("committed", "reconciled_committed", "compensation_failed", "compensation_requested")
ABSENT = ("failed_no_effect", "reconciled_absent", "never_started", "expired")

keys = st.sampled_from(["k1", "k2"])
streams = st.sampled_from(["s1", "s1", None, "s2"])
arguments = st.sampled_from([1, 1, 1, 2])


class Model:
    """One key in the simplest words: its state, arguments, stream, and whether the world was changed."""

    def __init__(self) -> None:
        self.state: dict[str, str] = {}
        self.args: dict[str, int] = {}
        self.stream: dict[str, str | None] = {}
        self.left: dict[tuple[str | None, str], str] = {}
        """What became of the last attempt in a stream, where a later one was made elsewhere."""
        self.asked_at: dict[str, float] = {}
        self.happened: dict[str, int] = {}
        self.outcome: dict[str, str | None] = {}
        self.stopped: set[str] = set()
        self.now = 0.0

    def overdue(self, key: str) -> bool:
        waiting = self.state.get(key) in ("awaiting_approval", "approved")
        return waiting and self.now >= self.asked_at[key] + EXPIRES

    def attempt(self, key: str, stream: str | None) -> None:
        """The next attempt is made in `stream`."""
        if self.stream.get(key, stream) != stream:
            self.left[self.stream[key], key] = self.state[key]
        self.left.pop((stream, key), None)
        self.stream[key] = stream

    def states_in(self, stream: str) -> list[str]:
        """The states of the last attempts at every key in a stream."""
        return [state for key, state in self.state.items() if self.stream[key] == stream] + [
            state for (place, _), state in self.left.items() if place == stream
        ]

    def verdict(self, stream: str) -> str:
        states = [state for state in self.states_in(stream) if state != "denied"]
        stopped = stream in self.stopped
        if "unknown" in states:
            return "unknown"
        if stopped:
            return (
                "partial_commit"
                if any(s in STANDS for s in states)
                else "compensated"
                if "compensated" in states
                else "clean"
            )
        if any(s in ABSENT for s in states):
            return "effect_failed"
        return "compensated" if "compensated" in states else "consistent" if states else "clean"


MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where the files lie: logic is judged here, not a disk."""


class Books(RuleBasedStateMachine):
    running = Bundle("running")

    @initialize()
    def open(self) -> None:
        self.directory = tempfile.mkdtemp(prefix="streamgauge-model-", dir=MEMORY)
        self.clock = HandClock()
        self.model = Model()
        self.truth: dict[str, bool] = {}
        self.ledger = self._open()

    def _open(self) -> Ledger:
        url = f"sqlite:///{self.directory}/effects.db"
        ledger = Ledger(url, clock=self.clock, lease=LEASE, probe_backoff=BACKOFF, settle_deadline=10)
        ledger.probe("send", lambda entry: self.model.happened.get(entry.key, 0) > 0)
        ledger.compensate("send", lambda _: None)
        return ledger

    @rule(target=running, key=keys, args=arguments, stream=streams, confirm=st.booleans())
    def begin(self, key: str, args: int, stream: str | None, confirm: bool):
        model = self.model
        policy = Policy("confirm", expires_after=EXPIRES) if confirm else Policy()
        execution = self.ledger.effect("send", key=key, args={"n": args}, stream=stream, policy=policy).execution()
        expected = self._expected(key, args, stream, confirm)
        try:
            execution.begin()
        except EffectRefused as refused:
            assert type(refused) is expected
            assert refused.entry is not None
            return multiple()
        assert expected is None
        model.state[key] = "started"
        return execution

    @rule(key=keys, again=st.booleans())
    def deliver_again(self, key: str, again: bool) -> None:
        """A queue delivers the same job once more, and whoever takes it runs it to its end."""
        model = self.model
        if key not in model.args:
            return
        args, stream = model.args[key], model.stream[key]
        execution = self.ledger.effect("send", key=key, args={"n": args}, stream=stream).execution()
        expected = self._expected(key, args, stream, confirm=False)
        try:
            execution.begin()
        except EffectRefused as refused:
            assert type(refused) is expected
            return
        assert expected is None
        model.state[key] = "started"
        self.end(execution, "commit" if again else "fail")

    @rule(key=keys, stream=streams, happened=st.booleans())
    def killed_in_flight(self, key: str, stream: str | None, happened: bool) -> None:
        """A process is killed while its tool runs, and somebody reconciles: what had happened is found."""
        model = self.model
        args = model.args.get(key, 1)
        execution = self.ledger.effect("send", key=key, args={"n": args}, stream=stream).execution()
        expected = self._expected(key, args, stream, confirm=False)
        try:
            execution.begin()
        except EffectRefused as refused:
            assert type(refused) is expected
            return
        assert expected is None
        model.state[key] = "started"
        self.end(execution, "die after" if happened else "die before")
        self.reconcile()

    @rule(key=keys, stream=st.sampled_from(["s1", "s2"]))
    def stopped_just_before(self, key: str, stream: str) -> None:
        """Stop is pressed while a tool is about to start."""
        self.stop_or_end(stream, "cancel")
        args = self.model.args.get(key, 1)
        execution = self.ledger.effect("send", key=key, args={"n": args}, stream=stream).execution()
        expected = self._expected(key, args, stream, confirm=False)
        if expected is None:
            return
        try:
            execution.begin()
        except EffectRefused as refused:
            assert type(refused) is expected
        else:
            raise AssertionError(f"{key} started, expected {expected.__name__}")

    def _expected(self, key: str, args: int, stream: str | None, confirm: bool) -> type[EffectRefused] | None:
        """What the ledger has to say, with its consequences written into the model."""
        model = self.model
        state = model.state.get(key)
        if state is not None and model.args[key] != args:
            return ApprovalViolation if state in ("awaiting_approval", "approved") else ArgumentConflict
        if model.overdue(key):
            model.state[key] = state = "expired"
        if state in REFUSALS:
            return REFUSALS[state]
        if state not in (None, "approved", *RETRYABLE):
            return DuplicateEffect
        fenced = stream in model.stopped
        if state == "approved":
            model.state[key] = "never_started" if fenced else state
            return StreamStopped if fenced else None
        if fenced and state == "never_started":
            return StreamStopped
        model.args[key] = args
        model.attempt(key, stream)
        if stream is not None:
            model.outcome.setdefault(stream, None)
        model.state[key] = "never_started" if fenced else "awaiting_approval" if confirm else "started"
        model.asked_at[key] = model.now
        return StreamStopped if fenced else ApprovalRequired if confirm else None

    @rule(execution=consumes(running), how=st.sampled_from(["commit", "fail", "lose", "die after", "die before"]))
    def end(self, execution: Execution, how: str) -> None:
        key = execution.idempotency_key
        if how in ("commit", "lose", "die after"):
            self.model.happened[key] = self.model.happened.get(key, 0) + 1
        before = self.model.state[key]
        if how.startswith("die"):
            self.ledger._in_flight.discard(execution.entry.token)
            return
        tell: dict[str, Callable[[], object]] = {
            "commit": execution.committed,
            "fail": execution.failed_no_effect,
            "lose": execution.unknown,
        }
        tell[how]()
        if before == "started":
            self.model.state[key] = {"commit": "committed", "fail": "failed_no_effect", "lose": "unknown"}[how]
        self._resolve_if_seen(key, how, before)

    def _resolve_if_seen(self, key: str, how: str, before: str) -> None:
        if before == "unknown" and how in ("commit", "fail"):
            self.model.state[key] = "reconciled_committed" if how == "commit" else "reconciled_absent"

    @rule(key=keys, approve=st.booleans())
    def decide(self, key: str, approve: bool) -> None:
        model = self.model
        state, wanted = model.state.get(key), "approved" if approve else "denied"
        try:
            (self.ledger.approve if approve else self.ledger.deny)(key, "ann")
        except UnknownEntry:
            assert state is None
        except ApprovalExpired:
            assert state == "awaiting_approval"
            assert model.overdue(key)
            model.state[key] = "expired"
        except IllegalTransition:
            assert state != "awaiting_approval"
        else:
            assert state in ("awaiting_approval", wanted)
            model.state[key] = wanted

    @rule(stream=st.sampled_from(["s1", "s2"]), how=st.sampled_from(["cancel", "completed", "cancelled", "failed"]))
    def stop_or_end(self, stream: str, how: str) -> None:
        if how == "cancel":
            self.ledger.cancel(stream, "user_stop")
            self.model.outcome.setdefault(stream, None)
            self._stop(stream)
            return
        self.ledger.end_stream(stream, how)
        if self.model.outcome.get(stream) is None:
            self.model.outcome[stream] = how
            if how in FENCING:
                self._stop(stream)

    def _stop(self, stream: str) -> None:
        self.model.stopped.add(stream)
        for key, state in self.model.state.items():
            if self.model.stream[key] == stream and state in ("awaiting_approval", "approved"):
                self.model.state[key] = "never_started"

    @rule(seconds=st.sampled_from([1, 30, 60, 200, -86400]))
    def turn(self, seconds: int) -> None:
        """Backwards only the wall is turned: ledger time stands, nothing expires, nothing is reordered."""
        if seconds < 0:
            self.clock.wall += seconds * 10**9
            return
        self.clock.turn(seconds)
        self.model.now += seconds

    @rule()
    def reopen(self) -> None:
        """Another process takes over; its ledger time begins at its own wall clock."""
        self.clock.wall = max(self.clock.wall, self.ledger._stamps.now())
        running = self.ledger._in_flight
        self.ledger.close()
        self.ledger = self._open()
        self.ledger._in_flight._tokens |= running._tokens

    @rule()
    def reconcile(self) -> None:
        self.clock.turn(LEASE + BACKOFF + 1)
        self.model.now += LEASE + BACKOFF + 1
        self.ledger.reconcile()
        in_flight = self.ledger._in_flight  # may still name an attempt that ended after another process took over
        running = {e.key for e in self.ledger.entries() if e.token in in_flight and not e.settled}
        for key, state in self.model.state.items():
            if self.model.overdue(key):
                self.model.state[key] = "expired"
            elif state == "unknown" or (state == "started" and key not in running):
                found = self.model.happened.get(key, 0) > 0
                self.model.state[key] = "reconciled_committed" if found else "reconciled_absent"
        self._check_records()

    @rule(key=keys)
    def undo(self, key: str) -> None:
        state = self.model.state.get(key)
        if state in ("committed", "reconciled_committed"):
            self.ledger.request_compensation(key, "ann")
            self.ledger.reconcile()
            self.model.state[key] = "compensated"
            self.reconcile()

    def _check_records(self) -> None:
        records = {record["stream"]: record for record in self.ledger.reconciliations()}
        for stream, outcome in self.model.outcome.items():
            states = self.model.states_in(stream)
            if outcome is not None and states and not {"started", "awaiting_approval", "approved"} & {*states}:
                assert records[stream]["settled"]
                assert records[stream]["verdict"] == self.model.verdict(stream), (stream, self.model.state)

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "ledger"):
            return
        last = {entry.key: str(entry.state) for entry in self.ledger.entries() if entry.compensates is None}
        assert last == self.model.state

    @invariant()
    def nothing_twice(self) -> None:
        assert all(times <= 1 for times in getattr(self, "model", Model()).happened.values()), "an effect ran twice"

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.close()
            shutil.rmtree(Path(self.directory))


TestBooks = Books.TestCase
TestBooks.settings = settings(
    max_examples=80, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
