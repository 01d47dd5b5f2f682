"""Resolves what was left open: asks probes, finds the dead, runs compensations, writes the records that are due.

Comes in: the store, the registered probes and compensations. Goes out: steps in the ledger and a `Report`. Across
processes at most one reconciler works on an entry: it holds a claim that expires (and on PostgreSQL skips what others
have locked).

A probe may say "absent" of a request that is still on its way from a dead process. That is why an entry is left alone
until its lease, which must be longer than the tool's own time-out, has passed.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from streamgauge.ledger import verdict
from streamgauge.ledger.entry import Entry, StreamRow, Verdict
from streamgauge.ledger.journal import Journal
from streamgauge.ledger.owner import InFlight, alive, owner
from streamgauge.ledger.patience import within
from streamgauge.ledger.policy import LedgerSettings
from streamgauge.ledger.stamps import Stamps
from streamgauge.ledger.states import EffectState, Step
from streamgauge.ledger.store import Store
from streamgauge.ledger.tables import UNSETTLED_VALUES, effects, entry_of, stream_of, streams

Probe = Callable[[Entry], Any]
Compensate = Callable[[Entry], None]

ANY_TOOL = "*"
_BATCH = 200
_SECOND = 1_000_000_000

_ANSWERS: Mapping[bool | None, Step | None] = {True: Step.FIND, False: Step.MISS, None: None}


@dataclass(slots=True)
class Report:
    """What one run did. `unresolved`: effects that are still open; 0 means that nothing is left to do."""

    expired: int = 0
    never_started: int = 0
    lost: int = 0
    """Started effects whose process died: now unknown."""
    crashed: int = 0
    """Streams whose process died."""
    probed: int = 0
    probe_errors: int = 0
    resolved: int = 0
    abandoned: int = 0
    compensations: int = 0
    records: int = 0
    unresolved: int = 0


class Reconciler:
    """One run over the ledger per call of `run`; safe from several threads and processes at once."""

    def __init__(
        self,
        store: Store,
        stamps: Stamps,
        settings: LedgerSettings,
        probes: Mapping[str, Probe],
        undo: Compensate,
        undoable: Mapping[str, Any],
        in_flight: InFlight,
    ) -> None:
        self._store, self._stamps, self._settings = store, stamps, settings
        self._probes, self._undo, self._undoable, self._in_flight = probes, undo, undoable, in_flight

    def run(self) -> Report:
        """Everything that can be done now; what cannot is left, recorded and backed off."""
        report = Report()
        self._expire(report)
        self._bury_effects(report)
        self._bury_streams(report)
        self._probe_all(report)
        self._give_up(report)
        self._write_records(report)
        self._compensate(report)
        report.unresolved = self._count_open()
        return report

    def _expire(self, report: Report) -> None:
        states = [str(EffectState.AWAITING_APPROVAL), str(EffectState.APPROVED)]
        now = self._stamps.now()
        overdue = effects.c.state.in_(states) & (effects.c.expires_ns <= now)
        report.expired += self._each(
            overdue, lambda journal, entry: self._step(journal, entry, Step.EXPIRE, "nobody decided in time")
        )

    def _bury_effects(self, report: Report) -> None:
        """Entries whose process is gone: what had not started never will, what had started is unknown."""
        now = self._stamps.now()
        due = effects.c.lease_ns <= now
        intended = due & (effects.c.state == str(EffectState.INTENDED))
        started = due & (effects.c.state == str(EffectState.STARTED))
        report.never_started += self._each(
            intended, lambda j, e: self._step(j, e, Step.SKIP, "its process died"), self._dead
        )
        report.lost += self._each(
            started, lambda j, e: self._step(j, e, Step.LOSE, "its process died in flight"), self._dead
        )

    def _dead(self, entry: Entry) -> bool:
        if entry.owner == owner():
            return entry.token not in self._in_flight
        return not alive(entry.owner)

    def _step(self, journal: Journal, entry: Entry, step: Step, reason: str) -> None:
        now = self._stamps.now()
        settled = {"settled_ns": now} if step is Step.LOSE else {}
        journal.move(entry, step, now, actor="reconciler", reason=reason, **settled)

    def _each(
        self,
        where: sa.ColumnElement[bool],
        act: Callable[[Journal, Entry], None],
        fits: Callable[[Entry], bool] = lambda _: True,
    ) -> int:
        """Apply `act` to every entry that `where` and `fits` choose, looked at again under lock; how many."""
        query = sa.select(effects).where(where).order_by(effects.c.stream_ref, effects.c.key, effects.c.attempt)
        found = self._store.database.read(lambda connection: [entry_of(row) for row in connection.execute(query)])
        chosen = [entry for entry in found if fits(entry)]
        return sum(
            self._store.write(lambda journal, batch=batch: _apply(journal, batch, act, self._stamps))  # type: ignore[misc]
            for batch in _batches(chosen)
        )

    def _bury_streams(self, report: Report) -> None:
        now = self._stamps.now()
        query = sa.select(streams).where(
            streams.c.outcome.is_(None), streams.c.owner.is_not(None), streams.c.lease_ns <= now
        )
        found = self._store.database.read(lambda connection: [stream_of(row) for row in connection.execute(query)])
        for stream in found:
            if not alive(stream.owner):
                self._store.end_stream(stream.ref, now, {"outcome": "crashed"}, told=False, hold=True, known=True)
                report.crashed += 1

    def _probe_all(self, report: Report) -> None:
        while batch := self._claim(str(EffectState.UNKNOWN), self._probes):
            self._probe_batch(batch, report)

    def _claim(self, state: str, registered: Mapping[str, Any]) -> list[Entry]:
        """Take up to a batch of entries that no other reconciler works on."""
        if not registered:
            return []
        now = self._stamps.now()
        until = now + self._claim_ns()
        ready = (effects.c.state == state) & (effects.c.next_probe_ns <= now) & (effects.c.claim_ns <= now)
        if ANY_TOOL not in registered:
            ready &= effects.c.tool.in_(list(registered))
        query = sa.select(effects).where(ready).order_by(effects.c.next_probe_ns).limit(_BATCH)

        def take(journal: Journal) -> list[Entry]:
            rows = journal.connection.execute(query.with_for_update(skip_locked=True)).all()
            entries = [entry_of(row) for row in rows]
            for entry in entries:
                _claim_row(journal, entry, until)
            return entries

        return self._store.write(take)

    def _claim_ns(self) -> int:
        return int((self._settings.probe_timeout * 2 + 10) * _SECOND)

    def _probe_batch(self, batch: list[Entry], report: Report) -> None:
        """Ask for each; write the answers down together, but before the claim runs out."""
        deadline = self._stamps.now() + self._claim_ns() // 2
        answers: list[tuple[Entry, Step | None, str | None]] = []
        for entry in batch:
            if self._stamps.now() > deadline:
                answers.append((entry, None, None))
                continue
            answers.append((entry, *self._ask(entry)))
            report.probed += 1
        report.probe_errors += sum(error is not None for _, _, error in answers)
        report.resolved += self._store.write(lambda journal: self._answer(journal, answers))

    def _ask(self, entry: Entry) -> tuple[Step | None, str | None]:
        probe = self._probes.get(entry.tool) or self._probes[ANY_TOOL]
        try:
            said = within(self._settings.probe_timeout, probe, entry)
            return _ANSWERS[said], None
        except (KeyError, TypeError) as error:
            return None, f"the probe did not answer True, False or None: {type(error).__name__}"
        except BaseException as error:
            return None, type(error).__name__

    def _answer(self, journal: Journal, answers: list[tuple[Entry, Step | None, str | None]]) -> int:
        resolved = 0
        for known, step, error in sorted(answers, key=lambda a: (a[0].stream_ref or "", a[0].key)):
            entry = _relock(journal, known)
            if entry is None or entry.state is not EffectState.UNKNOWN:
                continue
            now = self._stamps.now()
            journal.note(
                "probed", now, entry, actor="reconciler", detail=error or (str(step) if step else "not known yet")
            )
            if step is None:
                journal.change(entry, claim_ns=0, probes=entry.probes + 1, next_probe_ns=now + self._backoff(entry))
                continue
            journal.move(entry, step, now, actor="reconciler", claim_ns=0, probes=entry.probes + 1)
            resolved += 1
        _touch_all(journal, [entry for entry, step, _ in answers if step], self._stamps.now())
        return resolved

    def _backoff(self, entry: Entry) -> int:
        wait = self._settings.probe_backoff * 2 ** min(entry.probes, 30)
        return int(min(wait, self._settings.probe_backoff_limit) * _SECOND)

    def _give_up(self, report: Report) -> None:
        before = self._stamps.now() - int(self._settings.abandon_after * _SECOND)
        old = (effects.c.state == str(EffectState.UNKNOWN)) & (effects.c.settled_ns <= before)
        report.abandoned += self._each(
            old, lambda j, e: self._step(j, e, Step.GIVE_UP, "nobody could tell for too long")
        )

    def _write_records(self, report: Report) -> None:
        now = self._stamps.now()
        before = now - int(self._settings.settle_deadline * _SECOND)
        query = sa.select(streams.c.ref).where(streams.c.open).order_by(streams.c.ref)
        refs = self._store.database.read(lambda connection: list(connection.execute(query).scalars()))
        for batch in _batches(refs):
            report.records += self._store.write(lambda journal, batch=batch: self._records(journal, batch, before))  # type: ignore[misc]

    def _records(self, journal: Journal, refs: list[str], before: int) -> int:
        return sum(self._record(journal, ref, before) for ref in refs)

    def _record(self, journal: Journal, ref: str, before: int) -> bool:
        stream = journal.stream(ref)
        if stream is None or not stream.open or self._still_running(stream, before):
            return False
        entries, calls = journal.entries_of(ref), journal.own_calls_of(ref)
        missing = any(call.complete for call in verdict.undeclared(entries, calls))
        undecided = stream.outcome in verdict.UNDECIDED or any(entry.state in UNSETTLED_VALUES for entry in entries)
        if (missing or undecided) and stream.changed_ns > before:
            return False
        return journal.record(stream, entries, calls, self._stamps.now(), settled=not undecided) is not None

    def _still_running(self, stream: StreamRow, before: int) -> bool:
        if stream.outcome is not None or stream.stopped_ns is not None:
            return False
        return bool(alive(stream.owner)) or stream.changed_ns > before - int(self._settings.lease * _SECOND)

    def _compensate(self, report: Report) -> None:
        if self._settings.compensation == "on_partial_commit" and self._undoable:
            self._request_undo()
        while batch := self._claim(str(EffectState.COMPENSATION_REQUESTED), self._undoable):
            for entry in batch:
                self._undo(entry)
                report.compensations += 1

    def _request_undo(self) -> None:
        standing = [str(EffectState.COMMITTED), str(EffectState.RECONCILED_COMMITTED)]
        partial = sa.select(streams.c.ref).where(streams.c.verdict == str(Verdict.PARTIAL_COMMIT))
        where: sa.ColumnElement[bool] = effects.c.state.in_(standing)
        where &= effects.c.reversible.is_(True) & effects.c.stream_ref.in_(partial)
        where &= effects.c.tool.in_(list(self._undoable))
        self._each(where, lambda j, e: self._step(j, e, Step.UNDO, "the stream did not complete"))

    def _count_open(self) -> int:
        query = sa.select(sa.func.count()).select_from(effects).where(effects.c.state.in_(UNSETTLED_VALUES))
        return int(self._store.database.read(lambda connection: connection.execute(query).scalar() or 0))


def _apply(journal: Journal, batch: list[Entry], act: Callable[[Journal, Entry], None], stamps: Stamps) -> int:
    done = []
    for known in batch:
        entry = _relock(journal, known)
        if entry is not None and (entry.state, entry.token, entry.lease_ns) == (
            known.state,
            known.token,
            known.lease_ns,
        ):
            act(journal, entry)
            done.append(entry)
    _touch_all(journal, done, stamps.now())
    return len(done)


def _relock(journal: Journal, known: Entry) -> Entry | None:
    if known.stream_ref is not None:
        journal.stream(known.stream_ref)
    return journal.attempt(known.key, known.attempt)


def _touch_all(journal: Journal, entries: Iterable[Entry], at_ns: int) -> None:
    for ref in sorted({entry.stream_ref for entry in entries if entry.stream_ref is not None}):
        journal.touch(ref, at_ns)


def _claim_row(journal: Journal, entry: Entry, until: int) -> None:
    where = (effects.c.key == entry.key) & (effects.c.attempt == entry.attempt)
    journal.connection.execute(sa.update(effects).where(where).values(claim_ns=until))


def _batches(things: list[Any]) -> Iterable[list[Any]]:
    return (things[start : start + _BATCH] for start in range(0, len(things), _BATCH))
