"""What can be written into the ledger, each as one transaction: admit, settle, decide, begin, stop, end, observe.

Comes in: plain records. Goes out: entries, refusals, and facts to whoever listens, after they are on disk. Knows
nothing of tools or tasks.
"""

import dataclasses
from collections.abc import Callable, Container, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from streamgauge.ledger import admission, fence, verdict
from streamgauge.ledger.blind import BlindJournal
from streamgauge.ledger.database import Database
from streamgauge.ledger.entry import Entry, Source, StreamRow, ToolCall
from streamgauge.ledger.errors import (
    ApprovalExpired,
    ApprovalViolation,
    EffectRefused,
    Mistaken,
    UnknownEntry,
)
from streamgauge.ledger.facts import Fact
from streamgauge.ledger.journal import Journal
from streamgauge.ledger.states import NOT_DISPATCHED, TRANSITIONS, EffectState, Step
from streamgauge.ledger.tables import effects, streams, tool_calls

T = TypeVar("T")

_REMEMBERED = 1000
"""Streams of which is remembered that they have ended; a few are enough, and whichever are forgotten are looked at."""


class Store:
    """The ledger's writes on `database`; `publish` is given the facts of every transaction once it is on disk."""

    def __init__(self, database: Database, publish: Callable[[list[Fact]], None]) -> None:
        self.database = database
        self._publish = publish
        self._supposes = database.dialect == "postgresql"
        self._ended: set[str] = set()

    def write(self, work: Callable[[Journal], T]) -> T:
        """Run `work` in one transaction, then tell its facts."""
        facts: list[Fact] = []

        def operation(connection: sa.Connection) -> T:
            journal = Journal(connection)
            result = work(journal)
            journal.flush()
            facts[:] = journal.facts
            return result

        result = self.database.write(operation)
        self._publish(facts)
        return result

    def post(self, work: Callable[[Journal], T]) -> T:
        """Run `work`, which only writes, and send what it wrote without looking; then tell its facts."""
        journal = BlindJournal(None)
        result = work(journal)
        self.database.post(journal.changes())
        self._publish(journal.facts)
        return result

    def admit(self, wanted: Entry, mode: str, fence_mode: str, source: Source) -> Entry:
        """Write the intent down and, if policy, approval and fence allow, the start.

        Raises an `EffectRefused`, itself on disk.
        """
        admit = admission.admit
        try:
            answer = self._blindly(wanted)(lambda journal: admit(journal, wanted, mode, fence_mode, source, look=False))
        except Mistaken:
            answer = self.write(lambda journal: admit(journal, wanted, mode, fence_mode, source, look=True))
        if isinstance(answer, EffectRefused):
            raise answer
        return answer

    def settle(self, entry: Entry, step: Step, at_ns: int, **values: Any) -> Entry:
        """Write down what became of a started effect, on the word of the process that ran it."""
        way = self._blindly(entry) if entry.stream_ref not in self._ended else self.write
        try:
            return way(lambda journal: _settle(journal, entry, entry, step, at_ns, values))
        except Mistaken:
            return self.write(lambda journal: _settle(journal, entry, _look_again(journal, entry), step, at_ns, values))

    def _blindly(self, entry: Entry) -> Callable[[Callable[[Journal], T]], T]:
        """Nothing is read, so nothing has to be waited for but the disk; SQLite reads a stream's row in no time."""
        return self.post if entry.stream_ref is None or self._supposes else self.write

    def decide(self, key: str, step: Step, by: str, at_ns: int, args_hash: str | None) -> Entry:
        """Approve or deny a waiting effect; an approval for other arguments is refused and recorded."""
        answer = self.write(lambda journal: _decide(journal, key, step, by, at_ns, args_hash))
        if isinstance(answer, EffectRefused):
            raise answer
        return answer

    def request_undo(self, key: str, at_ns: int, by: str) -> Entry:
        """Ask for the compensation of an effect that stands."""
        return self.write(lambda journal: _move_latest(journal, key, Step.UNDO, at_ns, by))

    def begin_stream(self, stream: StreamRow) -> StreamRow:
        """Write down that a stream begins."""
        return self.write(lambda journal: _begin(journal, stream))

    def stop_stream(self, ref: str, initiator: str | None, at_ns: int, *, told: bool, hold: bool) -> None:
        """Put the fence up.

        `told`: the time was given by the caller, not read now. `hold`: effects that wait will never start.
        """
        self.write(lambda journal: _stop(journal, ref, initiator, at_ns, told=told, hold=hold))

    def end_stream(
        self,
        ref: str,
        at_ns: int,
        values: dict[str, Any],
        calls: Sequence[ToolCall] = (),
        *,
        told: bool,
        hold: bool,
        known: bool,
    ) -> None:
        """Write down how a stream ended, and which tool calls were seen in it.

        `known`: only if the ledger holds the stream already.
        """

        def work(journal: Journal) -> None:
            for call in calls:
                _observe(journal, call)
            _end(journal, ref, at_ns, values, told=told, hold=hold, known=known)

        self._remember_end(ref)
        self.write(work)

    def _remember_end(self, ref: str) -> None:
        """Of some streams it need not be supposed that they go on."""
        if len(self._ended) >= _REMEMBERED:
            self._ended = set()
        self._ended.add(ref)

    def adopt(self, entry: Entry) -> Entry:
        """Write down an effect that ran while the store was away, as a further attempt if its key is taken."""
        return self.write(lambda journal: _adopt(journal, entry))

    def renew(self, owner: str, running: Container[str], lease_ns: int) -> None:
        """Believe this owner's running effects and open streams for longer."""
        self.write(lambda journal: _renew(journal, owner, running, lease_ns))

    def observe(self, call: ToolCall) -> None:
        """Write down that a tool call was seen in a stream."""
        self.write(lambda journal: _observe(journal, call))


def _look_again(journal: Journal, known: Entry) -> Entry | None:
    if known.stream_ref is not None:
        journal.stream(known.stream_ref)
    return journal.held_by(known.key, known.token)


def _settle(
    journal: Journal, known: Entry, entry: Entry | None, step: Step, at_ns: int, values: dict[str, Any]
) -> Entry:
    """`entry`: what is in the ledger; taken for what the process knows first, for nobody else changes what runs."""
    if entry is None:
        raise UnknownEntry(known.key)
    if (entry.state, step) not in TRANSITIONS:
        if entry is known:
            raise Mistaken
        return _testimony(journal, entry, step, at_ns)
    if entry.stream_ref is not None:
        journal.stream(entry.stream_ref)
    entry = journal.move(entry, step, at_ns, **values)
    if entry.stream_ref is not None:
        journal.touch(entry.stream_ref, at_ns)
    return entry


def _testimony(journal: Journal, entry: Entry, step: Step, at_ns: int) -> Entry:
    """A word that comes too late to change anything, because it was said before or because a probe knows better."""
    journal.note("testimony", at_ns, entry, detail=f"{step} while {entry.state}")
    return entry


def _decide(
    journal: Journal, key: str, step: Step, by: str, at_ns: int, args_hash: str | None
) -> Entry | EffectRefused:
    entry = journal.latest(key)
    if entry is None:
        raise UnknownEntry(key)
    if admission.overdue(entry, at_ns) and entry.state is EffectState.AWAITING_APPROVAL:
        entry = journal.move(entry, Step.EXPIRE, at_ns, reason="nobody decided in time")
        return ApprovalExpired(entry, f"{entry.tool}: the key {key} expired before {by} decided")
    if args_hash is not None and args_hash != entry.args_hash:
        journal.note("refused", at_ns, entry, actor=by, detail=ApprovalViolation.because)
        return ApprovalViolation(entry, f"{entry.tool}: {by} decided about other arguments than those of the key {key}")
    if entry.decided_by == by and entry.state is _DECISIONS[step]:
        return entry
    return journal.move(entry, step, at_ns, actor=by, decided_ns=at_ns, decided_by=by)


_DECISIONS = {Step.APPROVE: EffectState.APPROVED, Step.DENY: EffectState.DENIED}


def _move_latest(journal: Journal, key: str, step: Step, at_ns: int, by: str) -> Entry:
    entry = journal.latest(key)
    if entry is None:
        raise UnknownEntry(key)
    if entry.state is EffectState.COMPENSATION_REQUESTED:
        return entry
    moved = journal.move(entry, step, at_ns, actor=by)
    if moved.stream_ref is not None:
        journal.touch(moved.stream_ref, at_ns)
    return moved


def _begin(journal: Journal, stream: StreamRow) -> StreamRow:
    """The earliest begin that was told holds, also when it arrives after the end."""
    found = journal.begin_stream(stream)
    begun = min(found.begun_ns, stream.begun_ns)
    mine = {"owner": stream.owner, "lease_ns": stream.lease_ns} if found.outcome is None else {}
    response_id = found.response_id or stream.response_id
    if (begun, response_id) != (found.begun_ns, found.response_id) or (mine and found.owner != stream.owner):
        trace = stream.trace or found.trace
        journal.change_stream(stream.ref, begun_ns=begun, trace=trace, response_id=response_id, **mine)
        journal.touch(stream.ref, stream.changed_ns)
    _learn(journal, found, stream.response_id, stream.changed_ns)
    return found


def _learn(journal: Journal, stream: StreamRow, response_id: str | None, at_ns: int) -> None:
    """Which answer it is that a stream carries: what was done for it is known to all that carry it from now on."""
    if stream.response_id is None and response_id is not None:
        journal.touch_siblings(stream.ref, response_id, at_ns)


def _stop(
    journal: Journal, ref: str, initiator: str | None, at_ns: int, *, told: bool, hold: bool, phase: str | None = None
) -> StreamRow:
    stream = journal.stream(ref) or journal.begin_stream(StreamRow(ref, at_ns, changed_ns=at_ns))
    entries = journal.entries_of(ref)
    if not told:
        at_ns = max([at_ns, *(entry.started_ns + 1 for entry in entries if entry.started_ns is not None)])
    stopped = at_ns if stream.stopped_ns is None else min(at_ns, stream.stopped_ns)
    first = initiator if _first_word(stream, initiator, at_ns) else stream.initiator
    journal.change_stream(ref, stopped_ns=stopped, initiator=first, phase=phase or stream.phase, changed_ns=at_ns)
    journal.note("stopped", at_ns, stream_ref=ref, actor=initiator)
    for entry in entries if hold else ():
        if entry.state in NOT_DISPATCHED:
            journal.move(entry, Step.SKIP, at_ns, reason=fence.REASON)
    journal.touch(ref, at_ns)
    return stream


def _first_word(stream: StreamRow, initiator: str | None, at_ns: int) -> bool:
    """Whoever stopped it first is the initiator, whatever arrives first; somebody known comes before nobody."""
    if initiator in (None, "unknown"):
        return stream.initiator is None
    if stream.initiator in (None, "unknown") or stream.stopped_ns is None:
        return True
    return at_ns < stream.stopped_ns


def _end(
    journal: Journal, ref: str, at_ns: int, values: dict[str, Any], *, told: bool, hold: bool, known: bool
) -> None:
    stream = journal.stream(ref)
    if stream is None and known:
        return
    if stream is None:
        stream = journal.begin_stream(StreamRow(ref, at_ns, changed_ns=at_ns))
    if not _is_news(stream, values["outcome"]):
        return
    initiator, phase = values.get("initiator"), values.get("phase")
    known_initiator = initiator if _first_word(stream, initiator, at_ns) else stream.initiator
    told_values = {name: value for name, value in values.items() if value is not None}
    journal.change_stream(
        ref, **told_values | {"initiator": known_initiator, "ended_ns": at_ns, "changed_ns": at_ns, "open": True}
    )
    journal.note("ended", at_ns, stream_ref=ref, actor=initiator, detail=values["outcome"])
    if values["outcome"] in verdict.FENCING:
        _stop(journal, ref, initiator, at_ns, told=told, hold=hold, phase=phase)
    elif stream.outcome == "crashed" and stream.initiator is None:
        journal.change_stream(ref, stopped_ns=None)
        journal.touch(ref, at_ns)
    else:
        journal.touch(ref, at_ns)
    _learn(journal, stream, values.get("response_id"), at_ns)


def _is_news(stream: StreamRow, outcome: str) -> bool:
    """The first end that was told stays; "detached" and "crashed" give way to the word of whoever saw the real end."""
    return stream.outcome in verdict.UNDECIDED or (stream.outcome == "crashed" and outcome != "crashed")


def _observe(journal: Journal, call: ToolCall) -> None:
    journal.stream(call.stream_ref) or journal.begin_stream(
        StreamRow(call.stream_ref, call.seen_ns, changed_ns=call.seen_ns)
    )
    known = {(c.tool_call_id): c for c in journal.calls_of(call.stream_ref)}
    if call.tool_call_id in known:
        return
    journal.connection.execute(sa.insert(tool_calls).values(**dataclasses.asdict(call)))
    journal.touch(call.stream_ref, call.seen_ns)


def _adopt(journal: Journal, entry: Entry) -> Entry:
    stream = admission.stream_of(journal, entry, Source())
    earlier = journal.latest(entry.key)
    if earlier is not None and earlier.token == entry.token:
        return earlier
    adopted = journal.add(entry.evolve(attempt=earlier.attempt + 1 if earlier else 1))
    journal.note("adopted", entry.changed_ns, adopted, detail="ran while the store was away")
    if stream is not None:
        journal.touch(stream.ref, entry.changed_ns)
    if stream is not None and stream.response_id is not None:
        journal.touch_siblings(stream.ref, stream.response_id, entry.changed_ns)
    return adopted


def _renew(journal: Journal, owner: str, running: Container[str], lease_ns: int) -> None:
    live = (effects.c.owner == owner) & effects.c.state.in_([str(EffectState.INTENDED), str(EffectState.STARTED)])
    for key, attempt, token in journal.connection.execute(
        sa.select(effects.c.key, effects.c.attempt, effects.c.token).where(live)
    ):
        if token in running:
            where = (effects.c.key == key) & (effects.c.attempt == attempt)
            journal.connection.execute(sa.update(effects).where(where).values(lease_ns=lease_ns))
    mine = (streams.c.owner == owner) & streams.c.outcome.is_(None)
    journal.connection.execute(sa.update(streams).where(mine).values(lease_ns=lease_ns))
