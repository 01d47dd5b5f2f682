"""Spans that carry a timeline are large: full batches of an SDK pass every hop, also those that take 4 MiB at most."""

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult
from tests.pipeline.conftest import HERE, spans_of
from tests.pipeline.measure import observing, read
from tests.pipeline.tools import CONFIGURATION, Collector, eventually

BATCH = 512
"""What the SDK's batch processor sends at most in one request."""


def test_a_full_batch_of_large_spans_passes_grpc_and_a_backend_with_default_limits(tmp_path):
    with observing("adaptive") as (provider, spans, _):
        for _ in range(4):
            read(provider, pieces=300)
        finished = list(spans.get_finished_spans())
    with (
        Collector(tmp_path / "backend", HERE / "backend.yaml") as backend,
        Collector(
            tmp_path / "collector", CONFIGURATION,
            TRACES_ENDPOINT=backend.grpc, DECISION_WAIT="1s", KEEP_HEALTHY_PERCENT="100",
        ) as collector,
    ):  # fmt: skip
        exporter = OTLPSpanExporter(endpoint=collector.grpc, insecure=True, timeout=60)
        assert exporter.export(finished * (BATCH // len(finished))) is SpanExportResult.SUCCESS
        exporter.shutdown()
        arrived = eventually(lambda: spans_of(tmp_path / "backend" / "traces.jsonl"), lambda found: len(found) >= BATCH)
        assert len(arrived) == BATCH
        assert collector.own("otelcol_exporter_send_failed_spans") == 0
