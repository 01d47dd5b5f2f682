"""Examples for the reference, from a real run: one stream of a real SDK over a real socket, and everything that came
of it.

Comes in: the base URL of a fault-injecting provider. Goes out: file name -> text.
"""

import json
from dataclasses import replace
from typing import Any

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest

from streamgauge.analysis import StreamReport
from streamgauge.gauge import instrument, uninstrument
from streamgauge.settings import Settings
from streamgauge.testing.cases import table
from streamgauge.testing.driver import BaseUrl, play
from streamgauge.testing.signals import spans_to_otlp

CASE, API, PACE = "error_event", "messages", {"first_ms": 200, "gap_ms": 20}
"""An overloaded provider says so in the middle of an answer that had begun with 200."""


def capture(base_url: BaseUrl) -> dict[str, str]:
    """Play the example stream; span, events, scrape and report as the reference shows them."""
    exporter, registry, reports = InMemorySpanExporter(), CollectorRegistry(), list[StreamReport]()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    reader = PrometheusMetricReader(disable_target_info=True, scope_info_enabled=False, registry=registry)
    meters = MeterProvider([reader])
    gauge = instrument(tracer_provider=tracers, meter_provider=meters, settings=Settings(), sinks=[reports.append])
    try:
        (case,) = table().named(CASE)
        play(case, API, base_url, replace(table(), script=PACE))
        gauge.flush()
        scrape = generate_latest(registry).decode()
    finally:
        uninstrument()
        meters.shutdown()
        tracers.shutdown()
    (span,), (report,) = exporter.get_finished_spans(), reports
    return {
        "span.json": _json(spans_to_otlp([span])),
        "events.txt": events(span),
        "metrics.txt": shortened(scrape),
        "stream.json": _json(report.to_dict()),
    }


def events(span: ReadableSpan) -> str:
    """A line for each event: seconds since the call, name, attributes."""
    start = span.start_time or 0
    lines = []
    for event in span.events:
        attributes = " ".join(f"{key}={_shown(value)}" for key, value in (event.attributes or {}).items())
        lines.append(f"{(event.timestamp - start) / 1e9:.6f} {event.name} {attributes}".rstrip())
    return "\n".join(lines) + "\n"


def shortened(scrape: str) -> str:
    """A scrape without the samples at 0 and without the buckets but the last, so that it can be read."""
    shown = []
    for family in scrape.split("# HELP ")[1:]:
        head, kind, *samples = family.splitlines()
        kept = [sample for sample in samples if _worth_it(sample)]
        shown += [f"# HELP {head}", kind, *kept] if kept else []
    return "\n".join(shown) + "\n"


def _worth_it(sample: str) -> bool:
    series, value = sample.rsplit(" ", 1)
    return float(value) != 0 and ("_bucket{" not in series or 'le="+Inf"' in series)


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"
