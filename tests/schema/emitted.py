"""Signals made by the code that makes them: the real Signals room over the OpenTelemetry SDK's in-memory exporters."""

from dataclasses import dataclass, replace
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.schema import records

from streamgauge import names
from streamgauge.analysis import StreamReport
from streamgauge.analysis.report import (
    CancelReport,
    Characters,
    LoopReport,
    StallReport,
    TimelineSlice,
    TokenUsage,
    ToolCallReport,
)
from streamgauge.ledger.entry import Entry
from streamgauge.ledger.facts import EffectMoved, Reconciled
from streamgauge.ledger.states import EffectState, Step
from streamgauge.names import FailureMode, Fault, Finding, FollowUp, Initiator, Mark, Outcome, Phase, Provenance, State
from streamgauge.recording import Call
from streamgauge.settings import Settings
from streamgauge.signals import Signals

START = 1_790_000_000_000_000_000

TIMELINE = (
    TimelineSlice(0, 1, 0, 0.25, 0.25, 0.0, (Mark.FIRST_EVENT,)),
    TimelineSlice(1, 1, 12, 0.5, 0.5, 0.25, (Mark.FIRST_TEXT, Mark.PHASE)),
    TimelineSlice(2, 3, 40, 0.75, 1.25, 0.25, ()),
    TimelineSlice(5, 1, 0, 2.0, 2.0, 0.75, (Mark.TERMINAL,)),
)

COMPLETED = StreamReport(
    type="streamgauge.stream",
    schema=names.SCHEMA_VERSION,
    stream_id="5f0c8e9b6b0f4a0f9d1c2b3a4d5e6f70",
    provider="openai",
    operation="chat",
    api="chat_completions",
    model="gpt-5",
    response_model="gpt-5-2026-08-01",
    response_id="chatcmpl-1",
    server_address="127.0.0.1",
    server_port=8080,
    started_unix_ns=START,
    duration_s=2.5,
    outcome=Outcome.COMPLETED,
    failure_mode=None,
    error_type=None,
    fault=None,
    state=State.COMPLETE,
    findings=(Finding.STALLED,),
    http_status=200,
    attempts=1,
    resume_of=None,
    stream_cursor=None,
    finish_reasons=("stop",),
    terminal_marker="[DONE]",
    service_tier="default",
    ttft_s=0.5,
    ttft_any_s=0.25,
    ttft_reasoning_s=None,
    ttft_tool_call_s=1.25,
    ttft_attempt_s=0.5,
    ttlt_s=1.25,
    gap_max_s=0.75,
    time_per_chunk_s=0.25,
    wait_s=2.0,
    consumer_s=0.5,
    phase_times_s=dict.fromkeys(Phase, 0.5),
    state_times_s={State.STREAMING: 2.0},
    chunks=6,
    characters=Characters(40, 0, 12),
    content_shown=True,
    fluidity=0.9,
    usage=TokenUsage(Provenance.REPORTED, 10, 20, 1, 2, 3),
    stalls=(StallReport(Phase.RESPONDING, 1.25, 0.75),),
    tool_calls=(ToolCallReport("call_1", "send", True, True, "9f86d081", 12, 1.25, 2.0),),
    loop=LoopReport(40, 3, 100, 0.5, True),
    cancel=None,
    illegal_transitions=0,
    timeline_stride=1,
    timeline=TIMELINE,
    verdicts={"availability": names.Verdict.GOOD},
    trace_id=None,
    span_id=None,
)

CANCELLED = replace(
    COMPLETED,
    outcome=Outcome.CANCELLED,
    terminal_marker=None,
    finish_reasons=(None,),
    state=State.INTERRUPTED,
    findings=(),
    stalls=(),
    usage=TokenUsage(Provenance.UNKNOWN),
    cancel=CancelReport(Initiator.USER_STOP, Phase.RESPONDING, 2.1, 0.01, 2, 9),
)

FAILED = replace(
    COMPLETED,
    outcome=Outcome.FAILED,
    failure_mode=FailureMode.STREAM_ERROR_EVENT,
    error_type="overloaded_error",
    fault=Fault.PROVIDER,
    state=State.FAILED,
    terminal_marker=None,
    finish_reasons=(None,),
    usage=TokenUsage(Provenance.PARTIAL, 10),
)

EVERYTHING = replace(
    COMPLETED,
    resume_of="0123456789abcdef",
    stream_cursor="42",
    finish_reasons=("stop", "stop"),
    findings=tuple(Finding),
    ttft_reasoning_s=0.4,
    characters=Characters(40, 5, 12),
    illegal_transitions=1,
)

REPORTS = (COMPLETED, CANCELLED, FAILED, EVERYTHING)


@dataclass
class Emitted:
    """Everything that left for the reports given."""

    spans: Any
    metrics: Any
    logs: Any


def emit(*reports: StreamReport, effects: bool = False, **settings: Any) -> Emitted:
    """Send reports through the real Signals room, with every log event switched on."""
    spans, logs, reader = InMemorySpanExporter(), InMemoryLogRecordExporter(), InMemoryMetricReader()  # type: ignore[no-untyped-call]
    tracers, loggers, meters = TracerProvider(), LoggerProvider(), MeterProvider([reader])
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    loggers.add_log_record_processor(SimpleLogRecordProcessor(logs))
    chosen = Settings(**{"log_events": ("begin", "stall", "cancel", "end"), "vocabulary": "both", **settings})
    signals = Signals(
        chosen,
        lambda: [(Phase.RESPONDING, 1.5)],
        tracer_provider=tracers,
        meter_provider=meters,
        logger_provider=loggers,
        slos=["availability"],
    )
    for report in reports:
        _stream(signals, report)
    if effects:
        _effects(signals)
    collected = reader.get_metrics_data()
    for provider in (tracers, loggers, meters):
        provider.shutdown()
    return Emitted(spans.get_finished_spans(), collected, logs.get_finished_logs())


def _effects(signals: Signals) -> None:
    listen = signals.effects(Statistics())
    asked = Entry(
        key="resp_1:call_1",
        attempt=1,
        tool="send_invoice_email",
        kind="external_message",
        state=EffectState.APPROVED,
        args_hash="9f86d081",
        token="t",
        intended_ns=START,
        changed_ns=START,
        stream_ref=COMPLETED.stream_id,
        tool_call_id="call_1",
        asked_ns=START,
    )
    done, second = replace(asked, state=EffectState.COMMITTED), 10**9
    listen(EffectMoved(asked, Step.APPROVE, EffectState.AWAITING_APPROVAL, START + second))
    listen(EffectMoved(done, Step.COMMIT, EffectState.STARTED, START + 2 * second))
    ids = {"trace_id": "ab" * 16, "span_id": "cd" * 8}
    listen(Reconciled(replace(records.RECORD, at_ns=START + 3 * second, trace=ids)))


class Statistics:
    """What a ledger says of itself when metrics are collected."""

    unreconciled = 1
    unreconciled_oldest_age = 2.5

    def statistics(self) -> "Statistics":
        return self


def _stream(signals: Signals, report: StreamReport) -> None:
    call = Call(
        report.stream_id,
        report.provider,
        report.operation,
        report.model,
        report.started_unix_ns,
        0,
        server_address=report.server_address,
        server_port=report.server_port,
        parameters={"max_tokens": 100, "temperature": 1, "top_p": 0.5, "n": 2},
        resume_of=report.resume_of,
        stream_cursor=report.stream_cursor,
    )
    span, labels = signals.begin(call, None)
    signals.metrics.chunk_gap(signals.metrics.per_chunk_labels(call), 0.02)
    for stall in report.stalls:
        signals.stalled(call, span, labels, stall.phase, stall.duration_s, START + 1)
    if report.cancel is not None:
        signals.cancelled(call, span, report.cancel.initiator, report.cancel.phase, START + 2)
    signals.sealed(report, span, labels, len(report.stalls))
    if report.cancel is not None:
        signals.followed_up(report.stream_id, FollowUp.REPROMPTED, START + 3, labels, span.get_span_context())
