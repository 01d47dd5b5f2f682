"""What an instrumented application emits, caught whole, and the promises that hold after every test."""

import gc
import itertools
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import streamgauge
from streamgauge import names
from streamgauge.analysis import StreamReport
from streamgauge.clock import SYSTEM_CLOCK, Clock
from streamgauge.gauge import Gauge
from streamgauge.names import Outcome

SECOND = 1_000_000_000


class TickingClock:
    """A clock that a test turns by hand; between turns a microsecond goes by for each look at it."""

    def __init__(self) -> None:
        self.turned = 5 * SECOND
        self.looks = itertools.count()

    def monotonic_ns(self) -> int:
        return self.turned + next(self.looks) * 1000

    def wall_ns(self) -> int:
        return 1_800_000_000 * SECOND + self.monotonic_ns()

    def turn(self, seconds: float) -> None:
        self.turned += int(seconds * SECOND)


class Complaints(logging.Handler):
    """Everything of WARNING and above that was logged by us or by OpenTelemetry."""

    NAMES = ("streamgauge", "opentelemetry")

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(f"{record.name}: {record.getMessage()}")

    def __enter__(self) -> "Complaints":
        for name in self.NAMES:
            logging.getLogger(name).addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        for name in self.NAMES:
            logging.getLogger(name).removeHandler(self)


@dataclass
class Watch:
    """One gauge and everything that left it."""

    gauge: Gauge
    tracers: TracerProvider
    span_exporter: InMemorySpanExporter
    log_exporter: InMemoryLogRecordExporter
    reader: InMemoryMetricReader
    complaints: Complaints
    reports: list[StreamReport] = field(default_factory=list)
    expected_errors: Counter[str] = field(default_factory=Counter)
    expected_complaints: int = 0

    @property
    def spans(self) -> tuple[Any, ...]:
        return self.span_exporter.get_finished_spans()

    @property
    def stream_spans(self) -> list[Any]:
        return [span for span in self.spans if span.instrumentation_scope.name == names.SCOPE]

    @property
    def logs(self) -> list[Any]:
        return list(self.log_exporter.get_finished_logs())

    def points(self) -> dict[str, list[Any]]:
        """The data points of every metric, by name."""
        data = self.reader.get_metrics_data()
        found: dict[str, list[Any]] = {}
        for resource in data.resource_metrics if data is not None else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    found.setdefault(metric.name, []).extend(metric.data.data_points)
        return found

    def settle(self) -> None:
        """Drop what is dead, seal what was dropped."""
        gc.collect()
        streamgauge.flush()
        self.gauge.flush()

    def one(self, outcome: Outcome, *, still_open: int = 0) -> StreamReport:
        """The only report; and exactly one span, and one sample of each metric, agree with it."""
        assert [report.outcome for report in self.reports] == [outcome]
        report = self.reports[0]
        (span,) = self.stream_spans
        assert span.attributes[names.STREAM_ID] == report.stream_id
        assert span.attributes[names.OUTCOME] == outcome.value
        assert span.attributes[names.CHUNKS] == report.chunks
        assert_samples(self.points(), self.reports, still_open)
        return report

    def check(self) -> None:
        """What holds after every test: no error of ours, nothing logged, nothing open."""
        assert self.gauge.guard.errors == self.expected_errors
        assert len(self.complaints.said) == self.expected_complaints, self.complaints.said
        assert self.gauge.open_count == 0


def assert_samples(points: dict[str, list[Any]], reports: list[StreamReport], still_open: int = 0) -> None:
    """Every stream was counted once, under its own outcome, and gave at most one sample of each kind."""
    counted: Counter[tuple[str, ...]] = Counter()
    for point in points[names.STREAMS.name]:
        counted[tuple(point.attributes[key] for key in _ENDED)] += point.value
    assert +counted == Counter((r.outcome, r.failure_mode or "none", r.status_class) for r in reports)
    for metric, expected in _expected_samples(reports).items():
        assert sum(point.count for point in points.get(metric, [])) == expected, metric
    active = sum(point.value for point in points[names.STREAMS_ACTIVE.name])
    assert active == still_open


_ENDED = (names.OUTCOME, names.FAILURE_MODE, names.STATUS_CLASS)


def _expected_samples(reports: list[StreamReport]) -> dict[str, int]:
    def known(*values: object) -> int:
        return sum(value is not None for value in values)

    return {
        names.OPERATION_DURATION.name: len(reports),
        names.TTFT_SECONDS.name: sum(
            known(r.ttft_s, r.ttft_any_s, r.ttft_reasoning_s, r.ttft_tool_call_s) for r in reports
        ),
        names.TTLT_SECONDS.name: sum(known(r.ttlt_s) for r in reports),
        names.GAP_MAX_SECONDS.name: sum(known(r.gap_max_s) for r in reports),
        names.TIME_PER_CHUNK.name: sum(known(r.time_per_chunk_s) for r in reports),
        names.TOKEN_USAGE.name: sum(known(r.usage.input_tokens, r.usage.output_tokens) for r in reports),
    }


@contextmanager
def watching(*, clock: Clock = SYSTEM_CLOCK, client: Any = None, **given: Any) -> Iterator[Watch]:
    """Observe every SDK, or `client` alone, until the block ends; then every promise of `Watch.check` is asserted.

    With a `clock` of the test's own a gauge is made for `client` alone, as `instrument()` takes no clock.
    """
    spans, logs, reader = InMemorySpanExporter(), InMemoryLogRecordExporter(), InMemoryMetricReader()  # type: ignore[no-untyped-call]
    tracers, loggers, meters = given.pop("tracers", None) or TracerProvider(), LoggerProvider(), MeterProvider([reader])
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    loggers.add_log_record_processor(SimpleLogRecordProcessor(logs))
    reports: list[StreamReport] = []
    options = {
        "tracer_provider": tracers,
        "meter_provider": meters,
        "logger_provider": loggers,
        "sinks": [reports.append, *given.pop("sinks", ())],
        "settings": streamgauge.Settings(**given.pop("settings", {})),
        **given,
    }
    before = trace.get_current_span()
    with Complaints() as complaints:
        try:
            gauge = _gauge(clock, client, options)
            watch = Watch(gauge, tracers, spans, logs, reader, complaints, reports)
            yield watch
            gauge.flush()
            watch.check()
            assert trace.get_current_span() is before
        finally:
            for each in _several(client):
                streamgauge.unwatch(each)
            streamgauge.uninstrument()
            for provider in (tracers, loggers, meters):
                provider.shutdown()


def _gauge(clock: Clock, client: Any, options: dict[str, Any]) -> Gauge:
    if client is None:
        return streamgauge.instrument(**options)
    gauge = Gauge(options.pop("settings"), clock=clock, **options)
    for each in _several(client):
        streamgauge.watch(each, gauge=gauge)
    return gauge


def _several(client: Any) -> tuple[Any, ...]:
    return () if client is None else client if isinstance(client, tuple) else (client,)
