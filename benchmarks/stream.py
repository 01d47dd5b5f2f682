"""What observing a stream of ten chunks costs, and how much of that OpenTelemetry takes by itself.

A stream is observed once and its span, events and samples are noted. Then three are read in turns: the bare SDK's, the
bare SDK's followed by the same span, events and samples made with OpenTelemetry alone, and an observed one. The second
is what saying as much of a stream costs by itself. Medians of CPU time of this process.

    python benchmarks/stream.py [--rounds N] [--json]
"""

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

from opentelemetry import trace
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import streamgauge
from capture import ANTHROPIC, OPENAI, make
from streamgauge.gauge.wiring import Gauge

CHUNKS = 10
WARM_UP = 30
AT_THE_START = 8
"""Attributes that a span is begun with; the others are set before it ends."""

Read = Callable[[], None]
Sample = tuple[str, str, float, dict[str, Any]]
"""(method, instrument, value, attributes)."""


def read(api: str, gauge: Gauge | None) -> Read:
    """Reads one stream to its end, observed by `gauge` if there is one."""
    client, reader = make(api, False, CHUNKS)
    if gauge is not None:
        streamgauge.watch(client, gauge=gauge)

    def to_the_end() -> None:
        for _ in reader(client):
            pass

    return to_the_end


def said_of_one(api: str) -> tuple[Any, list[Sample]]:
    """The span and the samples of one observed stream that is not the first of its kind."""
    exporter, tracers, samples = InMemorySpanExporter(), TracerProvider(), list[Sample]()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    observed = read(api, Gauge(tracer_provider=tracers, meter_provider=MeterProvider()))
    observed()
    counted = mock.patch.object(Counter, "add", noting("add", samples))
    measured = mock.patch.object(Histogram, "record", noting("record", samples))
    with counted, measured:
        observed()
    return exporter.get_finished_spans()[-1], samples


def noting(method: str, samples: list[Sample]) -> Callable[..., None]:
    def note(instrument: Any, value: float, attributes: Any = None, _context: Any = None) -> None:
        samples.append((method, instrument.name, value, dict(attributes or {})))

    return note


def alone(span: Any, samples: list[Sample]) -> Read:
    """Says the same with OpenTelemetry and nothing else."""
    tracer, meter = TracerProvider().get_tracer("alone"), MeterProvider().get_meter("alone")
    makers = {"add": meter.create_counter, "record": meter.create_histogram}
    instruments = {name: makers[method](name) for method, name, _, _ in samples}
    calls = [(getattr(instruments[name], method), value, labels) for method, name, value, labels in samples]
    attributes = [*span.attributes.items()]
    begun, added = dict(attributes[:AT_THE_START]), dict(attributes[AT_THE_START:])
    events = [(event.name, dict(event.attributes), event.timestamp) for event in span.events]

    def say() -> None:
        own = tracer.start_span(span.name, attributes=begun)
        context = trace.set_span_in_context(own)
        for event in events:
            own.add_event(*event)
        own.set_attributes(added)
        for call, value, labels in calls:
            call(value, labels, context)
        own.end()

    return say


def microseconds(reads: list[Read], rounds: int) -> list[list[float]]:
    """Per round what each took; whoever begins is another one each time."""
    rows = []
    for turn in range(WARM_UP + rounds):
        row = [0.0] * len(reads)
        for place in range(len(reads)):
            which = (place + turn) % len(reads)
            began = time.process_time_ns()
            reads[which]()
            row[which] = (time.process_time_ns() - began) / 1000
        rows.append(row)
    return rows[WARM_UP:]


def measure(api: str, rounds: int) -> dict[str, float]:
    """Medians in µs per stream, and how much is said of one."""
    span, samples = said_of_one(api)
    bare, say = read(api, None), alone(span, samples)

    def bare_and_said() -> None:
        bare()
        say()

    observed = read(api, Gauge(tracer_provider=TracerProvider(), meter_provider=MeterProvider()))
    gc.collect()
    gc.freeze()
    rows = microseconds([bare, bare_and_said, observed], rounds)
    return {
        "bare": round(statistics.median(row[0] for row in rows)),
        "added by OpenTelemetry alone": round(statistics.median(row[1] - row[0] for row in rows)),
        "added": round(statistics.median(row[2] - row[0] for row in rows)),
        "attributes": len(span.attributes),
        "events": len(span.events),
        "samples": len(samples),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="What observing a stream costs, beside OpenTelemetry alone.")
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = {api: measure(api, options.rounds) for api in (*OPENAI, *ANTHROPIC)}
    if options.json:
        print(json.dumps(results))
        return
    for api, figures in results.items():
        print(f"{api:16}", "  ".join(f"{name} {figure}" for name, figure in figures.items()), "  (us per stream)")


if __name__ == "__main__":
    main()
