"""One run of the whole pipeline, shared: application on the real SDK, shipped collector, backend, Prometheus."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from tests.pipeline.tools import CONFIGURATION, REPOSITORY, Application, Collector, Prometheus, eventually

from streamgauge import names

HERE = Path(__file__).parent
HEALTHY = 60
BROKEN = (
    "truncated", "reset", "error_event", "garbage", "rate_limited", "content_filter_mid", "incomplete", "stall",
    "loop", "malformed_tool", "empty", "missing_finish_reason", "duplicate_chunk",
)  # fmt: skip
SETTINGS = {
    "STREAMGAUGE_VOCABULARY": "both",
    "STREAMGAUGE_SLO_FILE": str(REPOSITORY / "src" / "streamgauge" / "slo" / "default.yaml"),
    "STREAMGAUGE_TIME_PER_OUTPUT_CHUNK": "true",
    "STREAMGAUGE_STALL_RESPONDING": "0.15",
    "STREAMGAUGE_STALL_WAITING": "5",
    "STREAMGAUGE_LOG_EVENTS": "begin,stall,cancel,end",
}


@dataclass
class Run:
    """What was done, and what came out at every end of the pipeline; `settled` is when Prometheus knew it all."""

    directory: Path
    collector: Collector
    prometheus: Prometheus
    read: list[dict[str, Any]]
    verdicts: list[str]
    settled: float = 0.0
    scraped: str = ""
    told: dict[str, float] = field(default_factory=dict)

    def backend(self, signal: str) -> Path:
        """The file of OTLP JSON that the backend wrote: traces, metrics or logs."""
        return self.directory / "backend" / f"{signal}.jsonl"

    @property
    def reconciliations(self) -> Path:
        return self.directory / "collector" / "reconciliations.jsonl"

    @property
    def verdict_events(self) -> list[dict[str, Any]]:
        """Attributes of the reconciliations in the collector's file, each with its verdict."""
        return [
            plain(record["attributes"])
            for record in records_of(self.reconciliations)
            if record["eventName"] == names.EVENT_RECONCILIATION
        ]

    @cached_property
    def spans(self) -> list[dict[str, Any]]:
        """All spans that the backend got, attributes as plain values."""
        return spans_of(self.backend("traces"))


def spans_of(path: Path) -> list[dict[str, Any]]:
    """Spans of a file of OTLP JSON, attributes as plain values."""
    return [
        span | {"attributes": plain(span.get("attributes", []))}
        for request in requests_of(path)
        for resource in request["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def records_of(path: Path) -> list[dict[str, Any]]:
    """Log records of a file of OTLP JSON."""
    return [
        record
        for request in requests_of(path)
        for resource in request["resourceLogs"]
        for scope in resource["scopeLogs"]
        for record in scope["logRecords"]
    ]


def requests_of(path: Path) -> list[dict[str, Any]]:
    """The requests in a file that a collector writes."""
    return [json.loads(line) for line in whole_lines(path)]


def whole_lines(path: Path) -> list[str]:
    """The lines of a file that somebody writes, without the one that is just being written."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [line for line in lines if line.endswith("\n")]


def plain(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    """Attributes of OTLP JSON as a mapping; lists stay as they are."""
    return {each["key"]: next(iter(each["value"].values()), None) for each in attributes}


@pytest.fixture(scope="session")
def run(tmp_path_factory) -> Iterator[Run]:
    directory = tmp_path_factory.mktemp("pipeline")
    with (
        Collector(directory / "backend", HERE / "backend.yaml") as backend,
        Collector(
            directory / "collector", CONFIGURATION, HERE / "copy.yaml",
            TRACES_ENDPOINT=backend.grpc, DECISION_WAIT="5s", KEEP_HEALTHY_PERCENT="30",
        ) as collector,
        scraping(directory / "prometheus", collector) as prometheus,
        Application(directory / "application", collector.endpoint, **SETTINGS) as application,
    ):  # fmt: skip
        eventually(lambda: prometheus.query(f"count({names.SLO_EVENTS.prometheus})"))  # at 0, before the first stream
        read = application.order("read", faults=["healthy"] * HEALTHY + list(BROKEN))
        read += application.order("read", faults=["healthy", "truncated"], under_one_span=True)
        application.order("stop")
        verdicts = application.order("act")["verdicts"]
        application.order("leak")
        application.order("flush")
        done = Run(directory, collector, prometheus, read, verdicts)
        others = 3  # the stop, the stream of the acts, the leak
        _settle(done, traces=len(read) - 1 + len(verdicts) + others)  # two of the streams are one trace
        yield done


def scraping(directory: Path, collector: Collector) -> Prometheus:
    """A Prometheus that scrapes the collector as the shipped configuration does, faster."""
    directory.mkdir()
    job = {
        "job_name": "streamgauge",
        "honor_labels": True,
        "static_configs": [{"targets": [f"127.0.0.1:{collector.ports['prometheus']}"]}],
    }
    configuration = directory / "prometheus.yml"
    configuration.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}))
    return Prometheus(directory, configuration=configuration)


def _settle(run: Run, traces: int) -> None:
    """Wait until every trace is decided, the kept ones are with the backend, and Prometheus can tell a rate."""
    decided = "otelcol_processor_tail_sampling_global_count_traces_sampled"
    eventually(lambda: run.collector.own(decided), lambda seen: seen >= traces)
    run.told = {
        "decided": run.collector.own(decided),
        "kept": run.collector.own(decided, sampled="true"),
        "early": run.collector.own("otelcol_processor_tail_sampling_sampling_trace_dropped_too_early"),
    }
    eventually(
        lambda: len({span["traceId"] for span in spans_of(run.backend("traces"))}),
        lambda arrived: arrived >= run.told["kept"],
    )
    eventually(lambda: len(run.verdict_events), lambda arrived: arrived >= len(run.verdicts))
    run.collector.pass_on("prometheus")
    passed = time.time()
    eventually(lambda: run.prometheus.query(f"min(timestamp(up)) > {passed}"))
    eventually(
        lambda: run.prometheus.query(f"min(count_over_time({names.STREAMS.prometheus}[1m]))"),
        lambda found: found and float(found[0]["value"][1]) >= 3,
    )
    run.settled = time.time()
    run.scraped = run.collector.scrape()
