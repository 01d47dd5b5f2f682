"""Providers for applications that have none: OTLP by the standard variables, Prometheus by port, or both."""

import os
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from streamgauge.errors import ConfigError

_ENDPOINTS = tuple(f"OTEL_EXPORTER_OTLP{signal}_ENDPOINT" for signal in ("", "_TRACES", "_METRICS", "_LOGS"))


def set_up(*, otlp: bool | None, prometheus_port: int | None) -> dict[str, Any]:
    """Make providers, set them as the global ones, and give them back by the names that `instrument()` takes."""
    if otlp is None:
        otlp = prometheus_port is None or any(os.environ.get(name) for name in _ENDPOINTS)
    readers: list[MetricReader] = [_prometheus(prometheus_port)] if prometheus_port is not None else []
    spans, logs = TracerProvider(), LoggerProvider()
    if otlp:
        exporters = _otlp()
        spans.add_span_processor(BatchSpanProcessor(exporters["spans"]))
        logs.add_log_record_processor(BatchLogRecordProcessor(exporters["logs"]))
        readers.append(PeriodicExportingMetricReader(exporters["metrics"]))
    meters = MeterProvider(metric_readers=readers)
    trace.set_tracer_provider(spans)
    metrics.set_meter_provider(meters)
    set_logger_provider(logs)
    return {"tracer_provider": spans, "meter_provider": meters, "logger_provider": logs}


def _prometheus(port: int) -> MetricReader:
    if not isinstance(port, int) or not 0 <= port <= 65535:
        raise ConfigError("prometheus_port", port, "a port from 0 to 65535", "configure()")
    try:
        from opentelemetry.exporter.prometheus import PrometheusMetricReader
        from prometheus_client import start_http_server
    except ImportError:
        raise ConfigError("prometheus_port", port, "an installation with the extra streamgauge[prometheus]") from None
    try:
        start_http_server(port, addr=os.environ.get("OTEL_EXPORTER_PROMETHEUS_HOST", "127.0.0.1"))
    except OSError as error:
        raise ConfigError("prometheus_port", port, f"a free port ({error.strerror})", "configure()") from None
    return PrometheusMetricReader()


def _otlp() -> dict[str, Any]:
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    if protocol not in ("grpc", "http/protobuf"):
        raise ConfigError("OTEL_EXPORTER_OTLP_PROTOCOL", protocol, "grpc or http/protobuf", "environment")
    try:
        if protocol == "grpc":
            from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
            from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        else:
            from opentelemetry.exporter.otlp.proto.http._log_exporter import (  # type: ignore[assignment]
                OTLPLogExporter,
            )
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # type: ignore[assignment]
                OTLPMetricExporter,
            )
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # type: ignore[assignment]
                OTLPSpanExporter,
            )
    except ImportError:
        raise ConfigError("otlp", True, "an installation with the extra streamgauge[otlp]", "configure()") from None
    return {"spans": OTLPSpanExporter(), "metrics": OTLPMetricExporter(), "logs": OTLPLogExporter()}
