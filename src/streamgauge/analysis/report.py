"""The report: a record and what is to be thought of it. The last thing that is computed; everything that leaves is
made from it.

Attribute names are the keys of `to_dict()`, which is the JSON form (`schema/json/stream.json`). Seconds are floats;
offsets count from the start of the call; None is unknown or never happened, never 0."""

import dataclasses
from dataclasses import dataclass
from enum import Enum
from typing import Any

from streamgauge import names
from streamgauge.analysis.findings import findings
from streamgauge.analysis.outcome import ending, expected_choices, finished
from streamgauge.analysis.pacing import fluidity, time_per_chunk_ns
from streamgauge.names import FailureMode, Fault, Finding, Initiator, Mark, Outcome, Phase, Provenance, State, Verdict
from streamgauge.recording import StreamRecord

REPORT_TYPE = "streamgauge.stream"


@dataclass(frozen=True, slots=True)
class Characters:
    """Characters of content, by kind."""

    text: int
    reasoning: int
    tool_call: int


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Token counts and where they come from; a count that nobody reported is None."""

    provenance: Provenance
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class StallReport:
    """A silence longer than its phase allows."""

    phase: Phase
    offset_s: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class ToolCallReport:
    """A tool call seen in the stream; the arguments are hash and length, never text."""

    id: str | None
    name: str | None
    complete: bool
    well_formed: bool | None
    arguments_hash: str | None
    arguments_length: int
    started_s: float
    ended_s: float | None


@dataclass(frozen=True, slots=True)
class CancelReport:
    """Who ended the stream, and how soon the provider was let go."""

    initiator: Initiator
    phase: Phase
    requested_s: float
    upstream_close_s: float | None
    chunks_after: int
    characters_after: int


@dataclass(frozen=True, slots=True)
class LoopReport:
    """Repetition found in the text: period in characters, number of copies, where it began, its share of the text."""

    period: int
    repeats: int
    start: int
    share: float
    suspect: bool


@dataclass(slots=True)
class TimelineSlice:
    """One event of the timeline; immutable by convention."""

    index: int
    count: int
    characters: int
    first_s: float
    last_s: float
    gap_max_s: float
    marks: tuple[Mark, ...]


@dataclass(slots=True)
class StreamReport:
    """Everything that streamgauge has to say about one stream; immutable by convention, like the record."""

    type: str
    schema: str
    stream_id: str
    provider: str
    operation: str
    api: str | None
    model: str | None
    response_model: str | None
    response_id: str | None
    server_address: str | None
    server_port: int | None
    started_unix_ns: int
    duration_s: float
    outcome: Outcome
    failure_mode: FailureMode | None
    error_type: str | None
    fault: Fault | None
    state: State
    findings: tuple[Finding, ...]
    http_status: int | None
    attempts: int
    resume_of: str | None
    stream_cursor: str | None
    finish_reasons: tuple[str | None, ...]
    terminal_marker: str | None
    service_tier: str | None
    ttft_s: float | None
    ttft_any_s: float | None
    ttft_reasoning_s: float | None
    ttft_tool_call_s: float | None
    ttft_attempt_s: float | None
    ttlt_s: float | None
    gap_max_s: float | None
    time_per_chunk_s: float | None
    wait_s: float
    consumer_s: float
    phase_times_s: dict[Phase, float]
    state_times_s: dict[State, float]
    chunks: int
    characters: Characters
    content_shown: bool
    fluidity: float | None
    usage: TokenUsage
    stalls: tuple[StallReport, ...]
    tool_calls: tuple[ToolCallReport, ...]
    loop: LoopReport | None
    cancel: CancelReport | None
    illegal_transitions: int
    timeline_stride: int
    timeline: tuple[TimelineSlice, ...]
    verdicts: dict[str, Verdict]
    trace_id: str | None
    span_id: str | None

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        plain = _plain(self)
        assert isinstance(plain, dict)  # noqa: S101 - a dataclass becomes a dict
        return plain

    @property
    def status_class(self) -> names.StatusClass:
        """Class of the HTTP status of the call's last answer."""
        if self.http_status is None:
            return names.StatusClass.NONE
        return names.StatusClass(f"{min(max(self.http_status // 100, 2), 5)}xx")


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


@dataclass(frozen=True, slots=True)
class Context:
    """What a report needs beyond the record: what the loop detector found, deadlines, and where its span is."""

    loop: LoopReport | None = None
    fluidity_first_ns: int = 1_000_000_000
    fluidity_next_ns: int = 200_000_000
    trace_id: str | None = None
    span_id: str | None = None


def analyse(record: StreamRecord, state: State, context: Context) -> StreamReport:
    """The report on a sealed record."""
    started, call, end = record.call.started_ns, record.call, ending(record)

    def since(at: int | None, origin: int = started) -> float | None:
        return None if at is None else (at - origin) / 1e9

    def first(at: int | None, origin: int = started) -> float | None:
        return None if call.resumed else since(at, origin)  # the answer's first text came before

    found = findings(record)
    if context.loop is not None and not context.loop.suspect:
        found = (*found, Finding.LOOPED)
    duration = (record.ended_ns - started) / 1e9
    per_chunk = time_per_chunk_ns(record)
    return StreamReport(
        type=REPORT_TYPE,
        schema=names.SCHEMA_VERSION,
        stream_id=call.stream_id,
        provider=call.provider,
        operation=call.operation,
        api=call.api,
        model=call.model,
        response_model=record.response_model,
        response_id=record.response_id,
        server_address=call.server_address,
        server_port=call.server_port,
        started_unix_ns=call.started_unix_ns,
        duration_s=duration,
        outcome=end.outcome,
        failure_mode=end.failure_mode,
        error_type=end.error_type,
        fault=end.fault,
        state=state,
        findings=found,
        http_status=record.http_status,
        attempts=record.attempts,
        resume_of=call.resume_of,
        stream_cursor=call.stream_cursor,
        finish_reasons=_finish_reasons(record),
        terminal_marker=_marker(record),
        service_tier=record.service_tier,
        ttft_s=first(record.first_text_ns),
        ttft_any_s=first(record.first_any_ns),
        ttft_reasoning_s=first(record.first_reasoning_ns),
        ttft_tool_call_s=first(record.first_tool_call_ns),
        ttft_attempt_s=first(record.first_text_ns, record.attempt_ns),
        ttlt_s=since(record.last_content_ns),
        gap_max_s=None if record.gap_max_ns is None else record.gap_max_ns / 1e9,
        time_per_chunk_s=None if per_chunk is None else per_chunk / 1e9,
        wait_s=record.wait_ns / 1e9,
        consumer_s=max(duration - record.wait_ns / 1e9, 0.0),
        phase_times_s={phase: spent / 1e9 for phase, spent in record.phase_times_ns.items()},
        state_times_s={entered: spent / 1e9 for entered, spent in record.state_times_ns.items()},
        chunks=record.chunks,
        characters=Characters(record.characters.text, record.characters.reasoning, record.characters.tool_call),
        content_shown=record.characters.text > 0,
        fluidity=fluidity(record, context.fluidity_first_ns, context.fluidity_next_ns),
        usage=_usage(record),
        stalls=tuple(StallReport(s.phase, s.offset_ns / 1e9, s.duration_ns / 1e9) for s in record.stalls),
        tool_calls=tuple(_tool_call(call, started) for call in record.tool_calls),
        loop=context.loop,
        cancel=_cancel(record, started),
        illegal_transitions=record.illegal_transitions,
        timeline_stride=record.timeline_stride,
        timeline=_timeline(record, started),
        verdicts={},
        trace_id=context.trace_id,
        span_id=context.span_id,
    )


def _finish_reasons(record: StreamRecord) -> tuple[str | None, ...]:
    if not record.finish_reasons and record.chunks == 0:
        return ()
    return tuple(record.finish_reasons.get(index) for index in range(expected_choices(record)))


def _marker(record: StreamRecord) -> str | None:
    if record.terminal_marker is not None:
        return record.terminal_marker
    if record.call.finish_ends and len(record.finish_reasons) >= expected_choices(record):
        return "finish_reason"
    return None


def _usage(record: StreamRecord) -> TokenUsage:
    usage = record.usage
    if usage is None:
        return TokenUsage(Provenance.UNKNOWN)
    return TokenUsage(
        Provenance.REPORTED if usage.final else Provenance.PARTIAL,
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
    )


def _tool_call(call: Any, started: int) -> ToolCallReport:
    return ToolCallReport(
        call.id,
        call.name,
        call.complete,
        call.well_formed,
        call.arguments_hash,
        call.arguments_length,
        (call.started_ns - started) / 1e9,
        None if call.ended_ns is None else (call.ended_ns - started) / 1e9,
    )


def _cancel(record: StreamRecord, started: int) -> CancelReport | None:
    cancel = record.cancel
    if cancel is None or (cancel.initiator is Initiator.UNKNOWN and finished(record)):
        return None
    closed = cancel.upstream_closed_ns
    return CancelReport(
        cancel.initiator,
        cancel.phase,
        (cancel.requested_ns - started) / 1e9,
        None if closed is None else max(closed - cancel.requested_ns, 0) / 1e9,
        cancel.chunks_after,
        cancel.characters_after,
    )


def _timeline(record: StreamRecord, started: int) -> tuple[TimelineSlice, ...]:
    return tuple(
        TimelineSlice(
            row.index,
            row.count,
            row.characters,
            (row.first_ns - started) / 1e9,
            (row.last_ns - started) / 1e9,
            row.gap_max_ns / 1e9,
            row.marks,
        )
        for row in record.timeline
    )
