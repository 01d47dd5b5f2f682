"""Spans: one CLIENT span per stream, begun with the call, filled and ended when the stream is sealed.

Nothing is ever attached to the current context here. Times on span and events are those of the stream, not of the
export."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from operator import itemgetter
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, StatusCode, Tracer

try:
    from opentelemetry.attributes import BoundedAttributes
    from opentelemetry.sdk.trace import Event
    from opentelemetry.sdk.util import BoundedList
except ImportError:  # an application may bring another SDK
    BoundedAttributes = BoundedList = ()  # type: ignore[assignment, misc]

from streamgauge import names
from streamgauge.analysis import StreamReport
from streamgauge.names import Outcome, Phase, Vocabulary
from streamgauge.recording import Call
from streamgauge.signals.metrics import first_content

ERRORS = frozenset({Outcome.TRUNCATED, Outcome.FAILED, Outcome.TIMED_OUT})
"""Outcomes that give the span the status ERROR."""

_PARAMETERS = {
    "max_tokens": names.REQUEST_MAX_TOKENS,
    "max_completion_tokens": names.REQUEST_MAX_TOKENS,
    "max_output_tokens": names.REQUEST_MAX_TOKENS,
    "temperature": names.REQUEST_TEMPERATURE,
    "top_p": names.REQUEST_TOP_P,
    "n": names.REQUEST_CHOICE_COUNT,
}
_FLOATS = frozenset({names.REQUEST_TEMPERATURE, names.REQUEST_TOP_P})
_PHASE_TIMES = {
    Phase.WAITING: names.PHASE_TIME_WAITING,
    Phase.PLANNING: names.PHASE_TIME_PLANNING,
    Phase.ACTING: names.PHASE_TIME_ACTING,
    Phase.RESPONDING: names.PHASE_TIME_RESPONDING,
}


def begin(tracer: Tracer, call: Call, resumed: SpanContext | None) -> Span:
    """The span of a call that starts now, a child of the current one, linked to the stream that it resumes."""
    attributes: dict[str, Any] = {
        names.OPERATION_NAME: call.operation,
        names.PROVIDER_NAME: call.provider,
        names.REQUEST_STREAM: True,
        names.STREAM_ID: call.stream_id,
    }
    optional = {
        names.REQUEST_MODEL: call.model,
        names.SERVER_ADDRESS: call.server_address,
        names.SERVER_PORT: call.server_port,
        names.RESUME_OF: call.resume_of,
        names.REQUEST_STREAM_CURSOR: call.stream_cursor,
    }
    attributes.update({name: value for name, value in optional.items() if value is not None})
    for parameter, value in call.parameters.items():
        name = _PARAMETERS[parameter]
        attributes[name] = float(value) if name in _FLOATS else value
    title = f"{call.operation} {call.model}" if call.model else call.operation
    links = [Link(resumed)] if resumed is not None and resumed.is_valid else []
    return tracer.start_span(
        title, kind=SpanKind.CLIENT, attributes=attributes, links=links, start_time=call.started_unix_ns
    )


def end(span: Span, report: StreamReport, vocabulary: Vocabulary, *, timeline: bool, mode: str) -> None:
    """Fill the span from the report and end it."""
    try:
        if span.is_recording():
            _fill(span, report, vocabulary, timeline=timeline, mode=mode)
    finally:
        span.end(report.started_unix_ns + round(report.duration_s * 1e9))


def _fill(span: Span, report: StreamReport, vocabulary: Vocabulary, *, timeline: bool, mode: str) -> None:
    _set(span, {**attributes(report, vocabulary), names.TIMELINE_MODE: mode})
    _add(span, events(report, timeline=timeline))
    if report.outcome in ERRORS:
        span.set_status(StatusCode.ERROR, report.outcome.value)


def _set(span: Span, values: dict[str, Any]) -> None:
    # `set_attributes` looks at the type of each value, a tenth of what a stream costs; these are right by construction
    kept = getattr(span, "_attributes", None)
    if isinstance(kept, BoundedAttributes) and _has_room(kept, len(values)):
        with kept._lock:
            kept._dict.update(values)
    else:
        span.set_attributes(values)


def _has_room(kept: BoundedAttributes, more: int) -> bool:
    """Whether the limits that an application may have set are far away."""
    roomy = kept.maxlen is None or len(kept) + more <= kept.maxlen
    return roomy and kept.max_value_len is None and isinstance(getattr(kept, "_dict", None), dict)


def _add(span: Span, told: Iterable[tuple[str, dict[str, Any], int]]) -> None:
    # `add_event` copies and cleans each attribute, 4 us an event; these are plain numbers and words by construction
    kept = getattr(span, "_events", None)
    if isinstance(kept, BoundedList):
        kept.extend([Event(*event) for event in told])
    else:
        for event in told:
            span.add_event(*event)


def attributes(report: StreamReport, vocabulary: Vocabulary) -> dict[str, Any]:
    """What the span of a sealed stream says; unknown values are left out."""
    usage, cancel = report.usage, report.cancel
    values: dict[str, Any] = {
        names.OUTCOME: report.outcome.value,
        names.FAILURE_MODE: report.failure_mode and report.failure_mode.value,
        names.ERROR_TYPE: report.error_type,
        names.FAULT: report.fault and report.fault.value,
        names.STATE: report.state.value,
        names.FINDINGS: tuple(finding.value for finding in report.findings) or None,
        names.HTTP_STATUS_CODE: report.http_status,
        names.ATTEMPTS: report.attempts,
        names.RESPONSE_ID: report.response_id,
        names.RESPONSE_MODEL: report.response_model,
        names.RESPONSE_FINISH_REASONS: tuple(reason or "error" for reason in report.finish_reasons) or None,
        names.RESPONSE_TIME_TO_FIRST_CHUNK: first_content(report),
        names.OPENAI_API_TYPE: report.api if report.api in ("chat_completions", "responses") else None,
        names.OPENAI_SERVICE_TIER: report.service_tier if report.api in ("chat_completions", "responses") else None,
        names.TERMINAL_MARKER: report.terminal_marker,
        names.TTFT: report.ttft_s,
        names.TTFT_ANY: report.ttft_any_s,
        names.TTFT_REASONING: report.ttft_reasoning_s,
        names.TTFT_TOOL_CALL: report.ttft_tool_call_s,
        names.TTFT_ATTEMPT: report.ttft_attempt_s,
        names.TTLT: report.ttlt_s,
        names.GAP_MAX: report.gap_max_s,
        names.WAIT_TIME: report.wait_s,
        names.CONSUMER_TIME: report.consumer_s,
        names.CHUNKS: report.chunks,
        names.TEXT_CHARACTERS: report.characters.text,
        names.REASONING_CHARACTERS: report.characters.reasoning or None,
        names.TOOL_CALL_CHARACTERS: report.characters.tool_call or None,
        names.TOOL_CALLS: len(report.tool_calls) or None,
        names.CHOICES: len(report.finish_reasons) if len(report.finish_reasons) > 1 else None,
        names.STALLS: len(report.stalls) or None,
        names.ILLEGAL_TRANSITIONS: report.illegal_transitions or None,
        names.TIMELINE_STRIDE: report.timeline_stride,
        names.USAGE_PROVENANCE: usage.provenance.value,
        names.USAGE_INPUT_TOKENS: usage.input_tokens,
        names.USAGE_OUTPUT_TOKENS: usage.output_tokens,
        names.USAGE_CACHE_READ_INPUT_TOKENS: usage.cache_read_tokens,
        names.USAGE_REASONING_OUTPUT_TOKENS: usage.reasoning_tokens,
        **dict.fromkeys(vocabulary.cache_write, usage.cache_write_tokens),
        **{_PHASE_TIMES[phase]: spent for phase, spent in report.phase_times_s.items()},
    }
    if cancel is not None:
        values |= {
            names.INITIATOR: cancel.initiator.value,
            names.CANCEL_PHASE: cancel.phase.value,
            names.UPSTREAM_CLOSE_TIME: cancel.upstream_close_s,
            names.CANCEL_CHUNKS: cancel.chunks_after,
            names.CANCEL_CHARACTERS: cancel.characters_after,
        }
    return {name: value for name, value in values.items() if value is not None}


def events(report: StreamReport, *, timeline: bool) -> Iterator[tuple[str, dict[str, Any], int]]:
    """Name, attributes and time (nanoseconds since the epoch) of every event of a stream, in order."""
    chunks, moments = _chunks(report) if timeline else (), list(_moments(report))
    yield from sorted((*moments, *chunks), key=itemgetter(2)) if moments else chunks
    yield names.EVENT_END, {names.OUTCOME: report.outcome.value}, _at(report, report.duration_s)


def _moments(report: StreamReport) -> Iterator[tuple[str, dict[str, Any], int]]:
    for stall in report.stalls:
        attributes = {names.PHASE: stall.phase.value, names.STALL_DURATION: stall.duration_s}
        yield names.EVENT_STALL, attributes, _at(report, stall.offset_s)
    if report.cancel is not None:
        attributes = {names.INITIATOR: report.cancel.initiator.value, names.CANCEL_PHASE: report.cancel.phase.value}
        yield names.EVENT_CANCEL, attributes, _at(report, report.cancel.requested_s)


def _chunks(report: StreamReport) -> Iterator[tuple[str, dict[str, Any], int]]:
    origin = report.started_unix_ns
    for row in report.timeline:
        attributes: dict[str, Any] = {
            names.CHUNK_INDEX: row.index,
            names.CHUNK_COUNT: row.count,
            names.CHUNK_CHARACTERS: row.characters,
            names.CHUNK_FIRST_OFFSET: row.first_s,
            names.CHUNK_LAST_OFFSET: row.last_s,
            names.CHUNK_GAP_MAX: row.gap_max_s,
        }
        if row.marks:
            attributes[names.CHUNK_MARK] = tuple(mark.value for mark in row.marks)
        yield names.EVENT_CHUNK, attributes, origin + round(row.first_s * 1e9)


def _at(report: StreamReport, offset_s: float) -> int:
    return report.started_unix_ns + round(min(offset_s, report.duration_s) * 1e9)


def context_of(span: Span) -> Context:
    """A context whose current span is `span`, for exemplars and log events; attached to nothing."""
    return trace.set_span_in_context(span)


def during_request(span: Span) -> AbstractContextManager[Any]:
    """A block in which `span` is current, so that HTTP instrumentation and propagators see it; it ends with the
    request.
    """
    return trace.use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False)


def ids(span: Span) -> tuple[str | None, str | None]:
    """Trace id and span id in hexadecimal, or None for a span that is not real."""
    context = span.get_span_context()
    if not context.is_valid:
        return None, None
    return trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)


def event_limit(tracer_provider: Any) -> int | None:
    """Most events that the provider's spans keep, or None if it does not say."""
    limits = getattr(tracer_provider, "_span_limits", None)
    limit: int | None = getattr(limits, "max_events", None) or getattr(limits, "max_span_events", None)
    return limit
