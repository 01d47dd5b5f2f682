"""Effects: what the ledger tells becomes metrics, log events and, for each reconciliation, a span linked to the
stream's.

In: the ledger's facts and statistics, read by attribute. The ledger itself knows nothing of OpenTelemetry.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry._logs import Logger, LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags, Tracer

from streamgauge import names
from streamgauge.ledger.entry import UNDECLARED, EffectView, Entry, Reconciliation, Verdict
from streamgauge.ledger.errors import StoreUnavailable
from streamgauge.ledger.facts import EffectMoved, Fact, Reconciled
from streamgauge.ledger.policy import DESTRUCTIVE
from streamgauge.ledger.states import EffectState
from streamgauge.signals.labels import Cap

CLASSES = 50
"""Tool classes that become labels; further ones are `other`."""

_GOOD = frozenset({Verdict.CLEAN, Verdict.CONSISTENT, Verdict.COMPENSATED})


class Effects:
    """Listens to one ledger; `statistics` is asked whenever metrics are collected, and is None when they are not ours
    to tell."""

    def __init__(self, meter: Meter, logger: Logger, tracer: Tracer, statistics: Callable[[], Any]) -> None:
        self._logger, self._tracer, self._statistics = logger, tracer, statistics
        self._effects = meter.create_counter(
            names.EFFECTS_TOTAL.name, names.EFFECTS_TOTAL.unit, names.EFFECTS_TOTAL.brief
        )
        self._reconciliations = meter.create_counter(
            names.RECONCILIATIONS_TOTAL.name, names.RECONCILIATIONS_TOTAL.unit, names.RECONCILIATIONS_TOTAL.brief
        )
        self._approvals = meter.create_histogram(
            names.APPROVAL_LATENCY.name,
            names.APPROVAL_LATENCY.unit,
            names.APPROVAL_LATENCY.brief,
            explicit_bucket_boundaries_advisory=list(names.APPROVAL_BUCKETS),
        )
        for metric, read in ((names.UNRECONCILED, _unreconciled), (names.UNRECONCILED_AGE, _age)):
            meter.create_observable_gauge(metric.name, [self._reading(read)], metric.unit, metric.brief)
        self._classes = Cap(CLASSES, (), lambda: None)
        self._known: set[str] = set()
        for verdict in Verdict:
            self._reconciliations.add(0, {names.RECONCILIATION_VERDICT: verdict.value})

    def _reading(self, read: Callable[[Any], float]) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            try:
                statistics = self._statistics()
            except StoreUnavailable:
                return []  # nobody knows: no value, rather than a wrong one or a traceback with each collection
            return [] if statistics is None else [Observation(read(statistics))]

        return observe

    def listen(self, fact: Fact) -> None:
        """Take one fact of the ledger."""
        if isinstance(fact, EffectMoved):
            self._moved(fact)
        elif isinstance(fact, Reconciled):
            self._reconciled(fact.record)

    def _moved(self, fact: EffectMoved) -> None:
        kind = self._class(fact.entry.kind)
        self._effects.add(1, {names.EFFECT_CLASS: kind, names.EFFECT_STATE: fact.entry.state.value})
        if fact.approval_ns is not None:
            self._approvals.record(fact.approval_ns / 1e9, {names.EFFECT_CLASS: kind})
        self._emit(names.EVENT_EFFECT, _effect(fact.entry), fact.at_ns, SeverityNumber.INFO)

    def _class(self, kind: str) -> str:
        label = self._classes(kind)
        if label not in self._known:
            self._known.add(label)
            for state in (*(state.value for state in EffectState), UNDECLARED):
                self._effects.add(0, {names.EFFECT_CLASS: label, names.EFFECT_STATE: state})
        return label

    def _reconciled(self, record: Reconciliation) -> None:
        self._reconciliations.add(1, {names.RECONCILIATION_VERDICT: record.verdict.value})
        in_the_dark = sum(call.complete for call in record.undeclared)
        if in_the_dark and record.revision == 1:  # a later revision would count them again
            labels = {names.EFFECT_CLASS: self._class(DESTRUCTIVE), names.EFFECT_STATE: UNDECLARED}
            self._effects.add(in_the_dark, labels)
        values = _reconciliation(record)
        of_stream = _stream_span(record.trace)
        span = self._tracer.start_span(
            f"reconcile {record.verdict.value}",
            kind=SpanKind.INTERNAL,
            context=Context(),
            attributes=values,
            links=[Link(of_stream)] if of_stream is not None else [],
            start_time=record.at_ns,
        )
        for effect in record.effects:
            span.add_event(names.EVENT_EFFECT, _reconciled_effect(effect), record.at_ns)
        span.end(record.at_ns)
        severity = SeverityNumber.INFO if record.verdict in _GOOD else SeverityNumber.WARN
        self._emit(names.EVENT_RECONCILIATION, values, record.at_ns, severity, of_stream)

    def _emit(
        self, name: str, values: dict[str, Any], at: int, severity: SeverityNumber, span: SpanContext | None = None
    ) -> None:
        context = Context() if span is None else trace.set_span_in_context(trace.NonRecordingSpan(span), Context())
        self._logger.emit(
            LogRecord(timestamp=at, event_name=name, attributes=values, context=context, severity_number=severity)
        )


def _unreconciled(statistics: Any) -> float:
    return float(statistics.unreconciled)


def _age(statistics: Any) -> float:
    return statistics.unreconciled_oldest_age or 0.0


def _effect(entry: Entry) -> dict[str, Any]:
    values = {
        names.EFFECT_KEY: entry.key,
        names.EFFECT_STATE: entry.state.value,
        names.EFFECT_CLASS: entry.kind,
        names.EFFECT_ATTEMPT: entry.attempt,
        names.EFFECT_REVERSIBLE: entry.reversible,
        names.TOOL_NAME: entry.tool,
        names.TOOL_CALL_ID: entry.tool_call_id,
        names.STREAM_ID: entry.stream_ref,
    }
    return {name: value for name, value in values.items() if value is not None}


def _reconciled_effect(effect: EffectView) -> dict[str, Any]:
    values = {
        names.EFFECT_KEY: effect.key,
        names.EFFECT_STATE: effect.state,
        names.EFFECT_CLASS: effect.kind,
        names.EFFECT_ATTEMPT: effect.attempt,
        names.EFFECT_REVERSIBLE: effect.reversible,
        names.TOOL_NAME: effect.tool,
        names.TOOL_CALL_ID: effect.tool_call_id,
        names.EFFECT_POSITION: effect.position,
        names.EFFECT_STOP_AFTER_START: effect.stop_after_start_ms,
        names.EFFECT_STOP_AFTER_COMMIT: effect.stop_after_commit_ms,
    }
    return {name: value for name, value in values.items() if value is not None}


def _reconciliation(record: Reconciliation) -> dict[str, Any]:
    values = {
        names.STREAM_ID: record.stream,
        names.RECONCILIATION_VERDICT: record.verdict.value,
        names.RECONCILIATION_REVISION: record.revision,
        names.RECONCILIATION_EFFECTS: len(record.effects),
        names.OUTCOME: record.outcome,
        names.INITIATOR: record.initiator,
        names.CANCEL_PHASE: record.phase if record.initiator else None,
    }
    return {name: value for name, value in values.items() if value is not None}


def _stream_span(trace_ids: Mapping[str, Any] | None) -> SpanContext | None:
    if not trace_ids or not trace_ids.get("trace_id") or not trace_ids.get("span_id"):
        return None
    return SpanContext(
        int(trace_ids["trace_id"], 16),
        int(trace_ids["span_id"], 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
