"""The verdict: a stream joined with its effects. Pure, and blind to the order in which the facts arrived.

Comes in: the stream's row, its entries, the tool calls seen in it. Goes out: a `Reconciliation`. May not do I/O nor
read a clock.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from streamgauge.ledger.entry import (
    UNDECLARED,
    EffectView,
    Entry,
    Position,
    Reconciliation,
    StreamRow,
    ToolCall,
    Verdict,
)
from streamgauge.ledger.states import EffectState, Meaning

COMPLETED = frozenset({"completed", "length_limited"})
"""Outcomes after which the reader has the whole answer, as far as it was ever going to go."""

UNDECIDED = frozenset({None, "detached"})
"""Outcomes that may still become another."""

FENCING = frozenset({"cancelled", "failed", "timed_out", "truncated", "crashed"})
"""Outcomes that put the fence up: an effect that has not started by then does not start."""

_NS_PER_MS = 1_000_000

_ORDER: Mapping[bool, tuple[tuple[Meaning, Verdict], ...]] = MappingProxyType(
    {
        True: (
            (Meaning.UNKNOWN, Verdict.UNKNOWN),
            (Meaning.ABSENT, Verdict.EFFECT_FAILED),
            (Meaning.UNDONE, Verdict.COMPENSATED),
            (Meaning.STANDS, Verdict.CONSISTENT),
        ),
        False: (
            (Meaning.UNKNOWN, Verdict.UNKNOWN),
            (Meaning.STANDS, Verdict.PARTIAL_COMMIT),
            (Meaning.UNDONE, Verdict.COMPENSATED),
        ),
    }
)
"""For a stream that completed (True) or did not (False).

The first meaning found among its effects gives the verdict, else `clean`.
"""


def stopped(stream: StreamRow) -> bool:
    """Whether the stream was cancelled, or ended without completing."""
    return stream.stopped_ns is not None or stream.outcome not in COMPLETED | UNDECIDED


def verdict_of(stream: StreamRow, entries: Iterable[Entry]) -> Verdict:
    """How stream and effects fit together, from the last attempt at every key."""
    meanings = {_meaning(entry) for entry in last_attempts(entries)}
    if not meanings:
        return Verdict.CLEAN
    if stream.outcome in UNDECIDED and not stopped(stream):
        return Verdict.UNKNOWN
    table = _ORDER[not stopped(stream)]
    return next((verdict for meaning, verdict in table if meaning in meanings), Verdict.CLEAN)


def _meaning(entry: Entry) -> Meaning | None:
    """A denial is a decision that was told to the model, not a failure.

    Something still open is unknown when a deadline passes.
    """
    if entry.state is EffectState.DENIED:
        return None
    return Meaning.UNKNOWN if entry.meaning is Meaning.PENDING else entry.meaning


def last_attempts(entries: Iterable[Entry]) -> list[Entry]:
    """The newest attempt of every key, in the order of the ledger.

    Compensations belong to the effect that they undo.
    """
    newest: dict[str, Entry] = {}
    for entry in sorted((e for e in entries if e.compensates is None), key=lambda e: (e.intended_ns, e.key, e.attempt)):
        if entry.key not in newest or entry.attempt > newest[entry.key].attempt:
            newest[entry.key] = entry
    return list(newest.values())


def undeclared(entries: Iterable[Entry], calls: Iterable[ToolCall]) -> tuple[ToolCall, ...]:
    """Tool calls that no effect was declared for.

    An effect that knows its stream but not its tool call was declared for the calls of its tool.
    """
    declared = {(entry.tool_call_id, None if entry.tool_call_id else entry.tool) for entry in entries}
    dark = (call for call in calls if not declared & {(call.tool_call_id, None), (None, call.tool)})
    return tuple(sorted(dark, key=lambda call: (call.seen_ns, call.tool_call_id)))


def position(stream: StreamRow, entry: Entry) -> Position | None:
    """Where the stop found the effect; None when the stream was not stopped, or the effect had failed before."""
    stop = _stop_ns(stream)
    if stop is None:
        return None
    if entry.started_ns is None or stop <= entry.started_ns:
        return Position.BEFORE_DISPATCH
    if entry.committed_ns is not None:
        return Position.AFTER_COMMIT if stop > entry.committed_ns else Position.IN_FLIGHT
    over = entry.state is EffectState.FAILED_NO_EFFECT and entry.settled_ns is not None and stop > entry.settled_ns
    return None if over else Position.IN_FLIGHT


def _stop_ns(stream: StreamRow) -> int | None:
    if stream.stopped_ns is not None:
        return stream.stopped_ns
    return stream.ended_ns if stopped(stream) else None


def reconcile(
    stream: StreamRow, entries: Sequence[Entry], calls: Sequence[ToolCall], *, at_ns: int, settled: bool = True
) -> Reconciliation:
    """The reconciliation record of `stream` as of `at_ns`; its revision is one more than the stream's."""
    shown = sorted((e for e in entries if e.compensates is None), key=lambda e: (e.intended_ns, e.key, e.attempt))
    unknown_calls = undeclared(entries, calls)
    states = Counter(str(entry.state) for entry in shown)
    if unknown_calls:
        states[UNDECLARED] = len(unknown_calls)
    return Reconciliation(
        stream=stream.ref,
        revision=stream.revision + 1,
        at_ns=at_ns,
        settled=settled,
        verdict=verdict_of(stream, shown),
        outcome=stream.outcome,
        initiator=stream.initiator,
        phase=stream.phase,
        failure_mode=stream.failure_mode,
        begun_ns=stream.begun_ns,
        ended_ns=stream.ended_ns,
        stopped_ns=_stop_ns(stream),
        shown_chars=stream.shown_chars,
        shown_in_flight_chars=_total(_in_flight(entry) for entry in shown),
        shown_before_failure_chars=_most(e.shown_at_settle for e in shown if e.meaning is Meaning.ABSENT),
        usage=stream.usage,
        trace=stream.trace,
        effects=tuple(_view(stream, entry) for entry in shown),
        undeclared=unknown_calls,
        states=dict(sorted(states.items())),
    )


def _view(stream: StreamRow, entry: Entry) -> EffectView:
    where = position(stream, entry)
    return EffectView(
        key=entry.key,
        attempt=entry.attempt,
        tool=entry.tool,
        kind=entry.kind,
        state=str(entry.state),
        tool_call_id=entry.tool_call_id,
        reversible=entry.reversible,
        args_hash=entry.args_hash,
        args=entry.args_view,
        reason=entry.reason,
        intended_ns=entry.intended_ns,
        decided_ns=entry.decided_ns,
        decided_by=entry.decided_by,
        started_ns=entry.started_ns,
        committed_ns=entry.committed_ns,
        settled_ns=entry.settled_ns,
        compensated_ns=entry.compensated_ns,
        position=str(where) if where else None,
        stop_after_start_ms=_ms(_stop_ns(stream), entry.started_ns),
        stop_after_commit_ms=_ms(_stop_ns(stream), entry.committed_ns),
        shown_in_flight=_in_flight(entry),
    )


def _ms(stop: int | None, point: int | None) -> float | None:
    return None if stop is None or point is None else (stop - point) / _NS_PER_MS


def _in_flight(entry: Entry) -> int | None:
    if entry.shown_at_start is None or entry.shown_at_settle is None:
        return None
    return entry.shown_at_settle - entry.shown_at_start


def _total(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _most(numbers: Iterable[int | None]) -> int | None:
    return max((number for number in numbers if number is not None), default=None)


def fingerprint(record: Reconciliation) -> str:
    """What a record says, without when and how often it was said: a record is written again only when this changes."""
    body = {key: value for key, value in record.to_dict().items() if key not in ("at_ns", "revision")}
    return json.dumps(body, sort_keys=True, default=str)
