"""Decides inside one transaction whether an effect may start.

What is known under its key, the fence, the policy's mode.

Comes in: a journal and the entry that is wanted. Goes out: the started entry, or the refusal with the entry that stands
in the way; either is written. Check and start are one transaction: nothing is looked at first and relied on later.
"""

from dataclasses import replace

from streamgauge.ledger import fence
from streamgauge.ledger.entry import Entry, Source, StreamRow
from streamgauge.ledger.errors import (
    ApprovalExpired,
    ApprovalRequired,
    ApprovalViolation,
    ArgumentConflict,
    DuplicateEffect,
    EffectDenied,
    EffectRefused,
)
from streamgauge.ledger.facts import Refused as RefusedFact
from streamgauge.ledger.identity import key_of
from streamgauge.ledger.journal import Journal
from streamgauge.ledger.states import NOT_DISPATCHED, EffectState, Step

ANNOUNCE = "announce"
"""A mode of `admit` beside those of the policy: write the intent down and go no further yet."""


def admit(
    journal: Journal, wanted: Entry, mode: str, fence_mode: str, source: Source, *, look: bool
) -> Entry | EffectRefused:
    """`look`: whether to look what is known under the key; taken for nothing first, for most keys are new."""
    if look and wanted.stream_ref is not None:
        journal.lock_carriers(wanted.stream_ref, source.response_id)
    stream = stream_of(journal, wanted, source)
    others = _others(journal, wanted, stream)
    wanted = _under_its_response(journal, wanted, stream, others)
    earlier = journal.latest(wanted.key) if look else None
    if earlier is not None and earlier.token == wanted.token and earlier.state is EffectState.STARTED:
        return earlier
    refusal = _obstacle(journal, earlier, wanted) or _back_again(earlier, stream, fence_mode)
    answer = refusal or _go_on(journal, _continue(journal, earlier, wanted), stream, wanted, mode, fence_mode)
    if isinstance(answer, EffectRefused):
        _note_refusal(journal, wanted, answer)
    if wanted.stream_ref is not None:
        journal.touch(wanted.stream_ref, wanted.changed_ns)
    if others and stream is not None and stream.response_id is not None:
        journal.touch_siblings(stream.ref, stream.response_id, wanted.changed_ns)
    return answer


def _go_on(
    journal: Journal, entry: Entry, stream: StreamRow | None, wanted: Entry, mode: str, fence_mode: str
) -> Entry | EffectRefused:
    held = fence.holds(journal, stream, entry, fence_mode, wanted.changed_ns)
    return held or _proceed(journal, entry, wanted, mode)


def stream_of(journal: Journal, wanted: Entry, source: Source) -> StreamRow | None:
    """The row of the stream that the effect came from, locked; told of for the first time if need be."""
    ref, response_id = wanted.stream_ref, source.response_id
    if ref is None:
        return None
    owner, lease = (wanted.owner, wanted.lease_ns) if source.here else (None, None)
    stream = journal.stream(ref) or journal.begin_stream(
        StreamRow(ref, wanted.changed_ns, owner, lease, changed_ns=wanted.changed_ns, response_id=response_id)
    )
    if stream.response_id is None and response_id is not None:
        journal.change_stream(ref, response_id=response_id)
        return replace(stream, response_id=response_id)
    return stream


def _others(journal: Journal, wanted: Entry, stream: StreamRow | None) -> list[str]:
    """The other streams that carry the answer with the tool call that the effect is for."""
    if stream is None or stream.response_id is None or wanted.tool_call_id is None:
        return []
    return [ref for ref in journal.streams_of(stream.response_id) if ref != stream.ref]


def _under_its_response(journal: Journal, wanted: Entry, stream: StreamRow | None, others: list[str]) -> Entry:
    """The same wish may come by the response, and by any stream that carries it: whichever key came first is the key.

    A key that the application gave is left alone.
    """
    if stream is None or stream.response_id is None or wanted.tool_call_id is None:
        return wanted
    sources = (stream.response_id, stream.ref, *others)
    keys = [key_of(source, wanted.tool_call_id, wanted.tool) for source in sources]
    if wanted.key not in keys:
        return wanted
    taken = journal.known(keys)
    return wanted.evolve(key=next((key for key in keys if key in taken), keys[0]))


def _obstacle(journal: Journal, earlier: Entry | None, wanted: Entry) -> EffectRefused | None:
    """What an earlier entry under the same key has against a new execution."""
    if earlier is None:
        return None
    if (earlier.args_hash, earlier.tool) != (wanted.args_hash, wanted.tool):
        return _other_arguments(earlier, wanted)
    if earlier.state in (EffectState.AWAITING_APPROVAL, EffectState.APPROVED) and overdue(earlier, wanted.changed_ns):
        earlier = journal.move(earlier, Step.EXPIRE, wanted.changed_ns, reason="nobody decided or started it in time")
    if earlier.retryable or earlier.state is EffectState.APPROVED:
        return None
    if earlier.state is EffectState.INTENDED and earlier.token == wanted.token:
        return None
    error, text = _REFUSALS.get(earlier.state, (DuplicateEffect, "was used before and is {state}"))
    return error(
        earlier, f"{wanted.tool}: the key {wanted.key} " + text.format(state=earlier.state, by=earlier.decided_by)
    )


_REFUSALS: dict[EffectState, tuple[type[EffectRefused], str]] = {
    EffectState.AWAITING_APPROVAL: (ApprovalRequired, "waits for approval"),
    EffectState.DENIED: (EffectDenied, "was denied by {by}"),
    EffectState.EXPIRED: (ApprovalExpired, "expired: nobody approved and started it in time"),
}


def _other_arguments(earlier: Entry, wanted: Entry) -> EffectRefused:
    waiting = earlier.state in (EffectState.AWAITING_APPROVAL, EffectState.APPROVED)
    kind = ApprovalViolation if waiting else ArgumentConflict
    return kind(
        earlier,
        f"{wanted.tool}: the key {wanted.key} belongs to {earlier.tool} with arguments {earlier.args_hash[:12]}, "
        f"not {wanted.args_hash[:12]}",
    )


def overdue(entry: Entry, at_ns: int) -> bool:
    """Whether an approval, wanted or given, is no good any more."""
    return entry.expires_ns is not None and at_ns >= entry.expires_ns


def _back_again(earlier: Entry | None, stream: StreamRow | None, fence_mode: str) -> EffectRefused | None:
    """What was kept back by the fence once is kept back again without another attempt being written."""
    fenced = stream is not None and stream.stopped_ns is not None and fence_mode == "refuse"
    if stream is None or earlier is None or not fenced or earlier.state is not EffectState.NEVER_STARTED:
        return None
    return fence.refusal(earlier, stream)


def _continue(journal: Journal, earlier: Entry | None, wanted: Entry) -> Entry:
    if earlier is None:
        return journal.add(wanted)
    if earlier.state in NOT_DISPATCHED:
        return journal.change(earlier, token=wanted.token, owner=wanted.owner, lease_ns=wanted.lease_ns)
    return journal.add(wanted.evolve(attempt=earlier.attempt + 1))


def _proceed(journal: Journal, entry: Entry, wanted: Entry, mode: str) -> Entry | EffectRefused:
    at_ns = wanted.changed_ns
    if entry.state is EffectState.APPROVED or mode == "silent":
        return journal.move(entry, Step.START, at_ns, started_ns=max(at_ns, entry.changed_ns))
    if mode == ANNOUNCE:
        return entry
    if mode == "deny":
        denied = journal.move(entry, Step.DENY, at_ns, actor="policy", decided_ns=at_ns, decided_by="policy")
        return EffectDenied(denied, f"{entry.tool}: the policy denies it")
    asked = journal.move(entry, Step.ASK, at_ns, asked_ns=at_ns, expires_ns=wanted.expires_ns)
    return ApprovalRequired(asked, f"{entry.tool}: the key {entry.key} waits for approval")


def _note_refusal(journal: Journal, wanted: Entry, refusal: EffectRefused) -> None:
    journal.note("refused", wanted.changed_ns, refusal.entry, actor=wanted.owner, detail=refusal.because)
    fact = RefusedFact(wanted.tool, wanted.kind, refusal.because, refusal.entry, wanted.changed_ns)
    journal.facts.append(fact)
