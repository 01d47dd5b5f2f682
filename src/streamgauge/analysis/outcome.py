"""How a stream ended: from the sealed record to one outcome, its failure mode, error type and whose fault it was.

The rules, in order:

1. What the provider said inside the stream counts first: an error frame is a failure even if the bytes ended politely.
2. An accepted end marker makes the stream complete, whatever happened to the connection afterwards; the finish
reasons say whether it is
   `completed`, `length_limited` or `content_filtered`.
3. Without a marker the way the stream was left decides (the tables below).
4. A provider that goes on after the reader left (background mode) makes a left stream `detached`.
"""

from dataclasses import dataclass

from streamgauge.names import FailureMode, Fault, Outcome
from streamgauge.recording import End, EndCause, StreamRecord

LENGTH = frozenset({"length", "max_tokens", "max_output_tokens", "model_context_window_exceeded"})
FILTERED = frozenset({"content_filter", "refusal", "safety", "content_filtered"})

LEFT = {
    EndCause.EXHAUSTED: Outcome.TRUNCATED,
    EndCause.INTERRUPTED: Outcome.CANCELLED,
    EndCause.CLOSED: Outcome.CANCELLED,
    EndCause.DROPPED: Outcome.ABANDONED,
    EndCause.IDLE: Outcome.ABANDONED,
    EndCause.EXIT: Outcome.ABANDONED,
}


@dataclass(frozen=True, slots=True)
class Ending:
    """The judgement on a stream's end; all but the outcome are None where they do not apply."""

    outcome: Outcome
    failure_mode: FailureMode | None = None
    error_type: str | None = None
    fault: Fault | None = None


def ending(record: StreamRecord) -> Ending:
    """How the stream of `record` ended."""
    if record.error_status == "cancelled":
        return Ending(Outcome.CANCELLED)
    if record.error_code is not None:
        return Ending(Outcome.FAILED, FailureMode.STREAM_ERROR_EVENT, record.error_code, Fault.PROVIDER)
    if finished(record):
        return Ending(_finished(record))
    if record.cancel is not None:
        return Ending(Outcome.DETACHED if record.call.background else Outcome.CANCELLED)
    if record.end.cause is EndCause.FAILED:
        return _failed(record, record.end)
    return _left(record)


def finished(record: StreamRecord) -> bool:
    """Whether an accepted end marker of the API was seen."""
    if record.terminal_marker is not None:
        return True
    call = record.call
    if call.ends_by_itself and not record.marked and record.end.cause is EndCause.EXHAUSTED:
        return True
    return call.finish_ends and len(record.finish_reasons) >= expected_choices(record)


def expected_choices(record: StreamRecord) -> int:
    """How many answers the call asked for or gave."""
    asked = record.call.parameters.get("n")
    return max(record.choices, asked if isinstance(asked, int) else 1, 1)


def _finished(record: StreamRecord) -> Outcome:
    reasons = set(record.finish_reasons.values())
    if record.refused or reasons & FILTERED:
        return Outcome.CONTENT_FILTERED
    return Outcome.LENGTH_LIMITED if reasons & LENGTH else Outcome.COMPLETED


def _left(record: StreamRecord) -> Ending:
    outcome = LEFT[record.end.cause]
    if outcome is Outcome.TRUNCATED:
        return Ending(outcome, None, "truncated", Fault.PROVIDER)
    return Ending(Outcome.DETACHED if record.call.background else outcome)


def _failed(record: StreamRecord, end: End) -> Ending:
    before = record.http_status is None and record.chunks == 0
    if end.timeout:
        return Ending(Outcome.TIMED_OUT, None, end.error_type, Fault.NETWORK if before else Fault.PROVIDER)
    mode, fault = _mode(end, before)
    return Ending(Outcome.FAILED, mode, end.error_type, fault)


def _mode(end: End, before: bool) -> tuple[FailureMode, Fault]:
    if end.status is not None:
        return _refused(end.status)
    if end.network:
        return (FailureMode.NETWORK_PRE_STREAM if before else FailureMode.NETWORK_MID_STREAM), Fault.NETWORK
    if end.malformed:
        return FailureMode.MALFORMED_STREAM, Fault.PROVIDER
    if end.provider:
        return FailureMode.STREAM_ERROR_EVENT, Fault.PROVIDER
    return FailureMode.CLIENT_ERROR, Fault.CALLER


def _refused(status: int) -> tuple[FailureMode, Fault]:
    if status == 429:
        return FailureMode.RATE_LIMITED, Fault.PROVIDER
    return (FailureMode.PROVIDER_ERROR, Fault.PROVIDER) if status >= 500 else (FailureMode.CLIENT_ERROR, Fault.CALLER)
