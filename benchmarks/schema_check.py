"""How many spans a second `streamgauge schema check` reads and checks, on one processor.

    python benchmarks/schema_check.py [--json]

CPU time of this process over lines as the Collector's file exporter writes them, many spans each; the best of some
rounds. The spans are those of finished streams, without a timeline and with one event for each of 16 chunks. No
figure here is a pass or a fail."""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import streamgauge
from streamgauge.demo import Provider
from streamgauge.schema.check import Checker
from streamgauge.testing.cases import table
from streamgauge.testing.driver import play
from streamgauge.testing.signals import spans_to_otlp

SPANS_A_LINE, LINES, ROUNDS = 256, 40, 5


def line(chunk_events: str) -> bytes:
    """One export request with many copies of the span of one real stream."""
    exporter, tracers = InMemorySpanExporter(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    gauge = streamgauge.instrument(tracer_provider=tracers, settings=streamgauge.Settings(chunk_events=chunk_events))
    (case,) = table().named("healthy")
    with Provider(defaults={"pieces": 12}) as provider:
        play(case, "chat", provider.base_url)
    gauge.flush()
    streamgauge.uninstrument()
    tracers.shutdown()
    spans = exporter.get_finished_spans() * SPANS_A_LINE
    return json.dumps(spans_to_otlp(spans), separators=(",", ":")).encode() + b"\n"


def rounds(text: bytes) -> Iterator[float]:
    for _ in range(ROUNDS):
        checker, start = Checker(), time.process_time()
        assert list(checker.lines([text] * LINES)) == []
        yield time.process_time() - start


def measure(chunk_events: str) -> dict[str, Any]:
    text = line(chunk_events)
    best = min(rounds(text))
    return {
        "bytes_a_span": len(text) // SPANS_A_LINE,
        "spans_a_second": round(SPANS_A_LINE * LINES / best),
        "megabytes_a_second": round(len(text) * LINES / best / 1e6),
    }


def main() -> None:
    results = {mode: measure(mode) for mode in ("off", "adaptive")}
    if "--json" in sys.argv:
        print(json.dumps(results))
        return
    for mode, figures in results.items():
        print(f"chunk events {mode:9}", *(f"{name}={value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
