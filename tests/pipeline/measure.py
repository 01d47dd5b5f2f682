"""The figures behind docs/scaling.md, measured on this machine:  python -m tests.pipeline.measure

Spans and metrics are those of the real SDK against the demo provider, encoded by the real exporter; the processor time
is that of a real collector on the shipped configurations, read from /proc.
"""

import gzip
import json
import os
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openai import OpenAI
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.pipeline.conftest import HERE
from tests.pipeline.tools import CONFIGURATION, OVERLAYS, REPOSITORY, Collector, eventually

import streamgauge
from streamgauge.demo import Provider

CHUNKS = (15, 50, 96, 300, 1000, 4000)
TICKS = os.sysconf("SC_CLK_TCK")
BATCH, BATCHES = 500, 40


@contextmanager
def observing(mode: str) -> Iterator[tuple[Provider, InMemorySpanExporter, InMemoryMetricReader]]:
    """The SDK observed with in-memory exporters, timeline events as in `mode`."""
    spans, metrics = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    slo = str(REPOSITORY / "src" / "streamgauge" / "slo" / "default.yaml")
    settings = streamgauge.Settings(chunk_events=mode, slo_file=slo)
    streamgauge.instrument(
        tracer_provider=tracers, meter_provider=MeterProvider(metric_readers=[metrics]), settings=settings
    )
    try:
        with Provider(defaults={"gap_ms": 0, "first_ms": 0}) as provider:
            yield provider, spans, metrics
    finally:
        streamgauge.uninstrument()


def read(provider: Provider, model: str = "demo-healthy", **script: Any) -> None:
    """One stream, to its end."""
    with OpenAI(base_url=provider.base_url("healthy", **script), api_key="k") as client:
        question: Any = [{"role": "user", "content": "hello"}]
        for _chunk in client.chat.completions.create(model=model, messages=question, stream=True):
            pass


def span_sizes(mode: str, chunks: tuple[int, ...] = CHUNKS) -> Iterator[tuple[int, int, int, int]]:
    """Chunks, events, bytes of the span as OTLP, bytes of it in a compressed batch of 100."""
    for pieces in chunks:
        with observing(mode) as (provider, spans, _):
            for _ in range(20):
                read(provider, pieces=pieces)
            finished = spans.get_finished_spans()
            body = encode_spans(finished).SerializeToString()
            events = sum(len(span.events) for span in finished) // len(finished)
            yield pieces, events, len(body) // len(finished), len(gzip.compress(body, 6)) // len(finished)


def metric_sizes() -> Iterator[tuple[int, int, int, int]]:
    """Models, data points and bytes of one export, series in Prometheus."""
    with observing("off") as (provider, _, metrics):
        for number, count in enumerate((1, 2, 10)):
            for model in range(count):
                read(provider, model=f"demo-{'healthy' if model == 0 else f'm{model}'}", pieces=12)
            data = metrics.get_metrics_data()
            assert data is not None, number
            request = encode_metrics(data)
            points = [
                (metric, point)
                for resource in request.resource_metrics
                for scope in resource.scope_metrics
                for metric in scope.metrics
                for point in getattr(metric, metric.WhichOneof("data")).data_points
            ]
            series = sum(
                len(point.bucket_counts) + 2 if metric.WhichOneof("data") == "histogram" else 1
                for metric, point in points
            )
            yield count, len(points), len(request.SerializeToString()), series


def batches(mode: str) -> Iterator[bytes]:
    """Requests of real spans of 50 chunks, one in ten broken, each with trace ids of its own."""
    with observing(mode) as (provider, spans, _):
        for _ in range(9):
            read(provider, pieces=50)
        finished = list(spans.get_finished_spans())
    request = encode_spans(finished)
    scope = request.resource_spans[0].scope_spans[0]
    broken = encode_spans(finished[:1]).resource_spans[0].scope_spans[0].spans[0]
    for attribute in broken.attributes:
        if attribute.key == "streamgauge.outcome":
            attribute.value.string_value = "truncated"
    patterns = [*scope.spans, broken]
    del scope.spans[:]
    for number in range(BATCH):
        scope.spans.append(patterns[number % len(patterns)])
    for _ in range(BATCHES):
        for span in scope.spans:
            span.trace_id, span.span_id = os.urandom(16), os.urandom(8)
        yield request.SerializeToString()


def seconds_of(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident(pid: int) -> int:
    """Largest resident memory of a process so far, in MiB."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def collector_cost(mode: str, directory: Path, *files: Path, **settings: Any) -> dict[str, float]:
    """Processor seconds per 1,000 spans, from their arrival to the decision and the export of those that are kept."""
    bodies = list(batches(mode))
    with Collector(directory / "backend", HERE / "backend.yaml") as backend:
        endpoints: dict[str, Any] = {
            "TRACES_ENDPOINT": backend.grpc,
            "LOGS_ENDPOINT": backend.endpoint,
            "REMOTE_WRITE": f"{backend.endpoint}/api/v1/write",
        }
        with Collector(directory / "collector", *files, **endpoints, DECISION_WAIT="2s", **settings) as collector:
            idle = seconds_of(collector.process.pid)
            for body in bodies:
                post(f"{collector.endpoint}/v1/traces", body)
            decided = "otelcol_processor_tail_sampling_global_count_traces_sampled"
            eventually(lambda: collector.own(decided), lambda seen: seen >= BATCH * BATCHES)
            kept = collector.own(decided, sampled="true")
            eventually(lambda: collector.own("otelcol_exporter_sent_spans"), lambda sent: sent >= kept)
            spent = seconds_of(collector.process.pid) - idle
            return {
                "spans": BATCH * BATCHES,
                "kept": kept,
                "seconds per 1,000": round(spent * 1000 / (BATCH * BATCHES), 4),
                "bytes per span in": round(sum(map(len, bodies)) / (BATCH * BATCHES)),
            }


def waiting(mode: str, directory: Path) -> dict[str, float]:
    """Memory of a gateway in which every span still waits for its decision."""
    bodies = list(batches(mode))
    nowhere: dict[str, Any] = {"DECISION_WAIT": "10m"}
    with Collector(directory, OVERLAYS / "gateway.yaml", **nowhere) as collector:
        before = resident(collector.process.pid)
        for body in bodies:
            post(f"{collector.endpoint}/v1/traces", body)
        received = "otelcol_processor_tail_sampling_new_trace_id_received"
        eventually(lambda: collector.own(received), lambda seen: seen >= BATCH * BATCHES)
        more = resident(collector.process.pid) - before
        return {
            "spans": BATCH * BATCHES,
            "MiB more": more,
            "kB per span": round(more * 1048.576 / (BATCH * BATCHES), 1),
        }


def post(url: str, body: bytes) -> None:
    """Send a request of OTLP as protobuf."""
    headers = {"Content-Type": "application/x-protobuf"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as answer:
        assert answer.status == 200


def main() -> None:
    for mode in ("adaptive", "off"):
        for length, events, size, packed in span_sizes(mode):
            print(
                json.dumps({"mode": mode, "chunks": length, "events": events, "bytes": size, "gzip": packed}),
                flush=True,
            )
    for models, points, size, series in metric_sizes():
        print(json.dumps({"models": models, "points": points, "bytes": size, "series": series}), flush=True)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for words, mode, file in (
            ("single", "adaptive", CONFIGURATION),
            ("gateway", "adaptive", OVERLAYS / "gateway.yaml"),
            ("gateway", "off", OVERLAYS / "gateway.yaml"),
        ):
            cost = collector_cost(mode, directory / f"{words}-{mode}", file, KEEP_HEALTHY_PERCENT="1")
            print(json.dumps({"configuration": words, "mode": mode, **cost}), flush=True)
        for mode in ("adaptive", "off"):
            print(json.dumps({"waiting": mode, **waiting(mode, directory / f"waiting-{mode}")}), flush=True)


if __name__ == "__main__":
    main()
