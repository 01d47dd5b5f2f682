"""What an application emitted, against the trace schema: SDK objects in, findings out; no pytest, no network.

Usage in a test:

    exporter = InMemorySpanExporter()
    ...
    assert check_spans(exporter.get_finished_spans()) == []
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics.export import (
    ExponentialHistogram,
    Gauge,
    Histogram,
    MetricsData,
    NumberDataPoint,
    Sum,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, format_span_id, format_trace_id

from streamgauge.schema.check import Checker, Finding

_KINDS = {kind: kind.value + 1 for kind in SpanKind}
"""OTLP counts kinds from 1, the API from 0."""


def check_spans(spans: Iterable[ReadableSpan]) -> list[Finding]:
    """Findings in finished spans, those of other instrumentations passed over."""
    return Checker().value(spans_to_otlp(spans))


def check_metrics(data: MetricsData | None) -> list[Finding]:
    """Findings in what a metric reader collected; None is what a reader gives when there was nothing."""
    return [] if data is None else Checker().value(metrics_to_otlp(data))


def check_logs(logs: Iterable[ReadableLogRecord]) -> list[Finding]:
    """Findings in finished log records, those of other instrumentations passed over."""
    return Checker().value(logs_to_otlp(logs))


def spans_to_otlp(spans: Iterable[ReadableSpan]) -> dict[str, Any]:
    """Spans as an OTLP JSON export request."""
    scopes = _by_scope((span.instrumentation_scope, _span(span)) for span in spans)
    return {"resourceSpans": [{"scopeSpans": [{**scope, "spans": items} for scope, items in scopes]}]}


def metrics_to_otlp(data: MetricsData) -> dict[str, Any]:
    """Collected metrics as an OTLP JSON export request."""
    scopes = [
        {**_scope(scope.scope), "metrics": [_metric(metric) for metric in scope.metrics]}
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
    ]
    return {"resourceMetrics": [{"scopeMetrics": scopes}]}


def logs_to_otlp(logs: Iterable[ReadableLogRecord]) -> dict[str, Any]:
    """Log records as an OTLP JSON export request."""
    scopes = _by_scope((log.instrumentation_scope, _log(log)) for log in logs)
    return {"resourceLogs": [{"scopeLogs": [{**scope, "logRecords": items} for scope, items in scopes]}]}


def _by_scope(items: Iterable[tuple[Any, dict[str, Any]]]) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    grouped: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for scope, item in items:
        grouped[scope].append(item)
    return [(_scope(scope), members) for scope, members in grouped.items()]


def _scope(scope: Any) -> dict[str, Any]:
    if scope is None:
        return {}
    return {"scope": {"name": scope.name, "version": scope.version or ""}, "schemaUrl": scope.schema_url or ""}


def _span(span: ReadableSpan) -> dict[str, Any]:
    context = span.context
    return {
        "traceId": format_trace_id(context.trace_id) if context else "",
        "spanId": format_span_id(context.span_id) if context else "",
        "name": span.name,
        "kind": _KINDS[span.kind],
        "startTimeUnixNano": str(span.start_time or 0),
        "endTimeUnixNano": str(span.end_time or 0),
        "attributes": _attributes(span.attributes),
        "events": [
            {"timeUnixNano": str(event.timestamp), "name": event.name, "attributes": _attributes(event.attributes)}
            for event in span.events
        ],
        "droppedEventsCount": span.dropped_events,
        "status": {"code": span.status.status_code.value},
    }


def _log(log: ReadableLogRecord) -> dict[str, Any]:
    record = log.log_record
    return {
        "timeUnixNano": str(record.timestamp or 0),
        "eventName": record.event_name or "",
        "attributes": _attributes(record.attributes),
    }


def _metric(metric: Any) -> dict[str, Any]:
    data = metric.data
    points = [_point(point) for point in data.data_points]
    body: dict[str, Any] = {"dataPoints": points}
    if isinstance(data, Sum):
        kind, body = "sum", {**body, "isMonotonic": data.is_monotonic}
    else:
        kind = {Gauge: "gauge", Histogram: "histogram", ExponentialHistogram: "exponentialHistogram"}[type(data)]
    return {"name": metric.name, "unit": metric.unit or "", kind: body}


def _point(point: Any) -> dict[str, Any]:
    attributes = {"attributes": _attributes(point.attributes)}
    if isinstance(point, NumberDataPoint):
        return {**attributes, "asInt" if isinstance(point.value, int) else "asDouble": point.value}
    if hasattr(point, "bucket_counts"):
        bounds = {"bucketCounts": list(point.bucket_counts), "explicitBounds": list(point.explicit_bounds)}
        return {**attributes, **bounds, "count": point.count}
    return {**attributes, "count": point.count}


def _attributes(attributes: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in (attributes or {}).items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, Mapping):
        return {"kvlistValue": {"values": _attributes(value)}}
    if isinstance(value, Sequence):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    return {}
