"""Collector stopped, frozen, back; backends away: the application gets what it always gets; losses are counted."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.pipeline.conftest import HERE, plain, requests_of, spans_of
from tests.pipeline.tools import OVERLAYS, Application, Collector, eventually, free_port

from streamgauge import names

pytestmark = pytest.mark.timeout(300)

FAULTS = ["healthy", "truncated", "tools", "reset", "error_event"] * 4
SMALL = {
    "OTEL_BSP_MAX_QUEUE_SIZE": "8",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    "STREAMGAUGE_LOG_EVENTS": "end",
}
"""An application with little patience and little memory, so that an outage costs it something soon."""


@pytest.fixture
def application(tmp_path) -> Iterator[tuple[Application, dict[str, int]]]:
    ports = {name: free_port() for name in ("grpc", "http", "prometheus", "health", "telemetry")}
    with Application(tmp_path / "application", f"http://127.0.0.1:{ports['http']}", **SMALL) as running:
        yield running, ports


def counted(directory: Path, name: str, failed: bool) -> float:
    """The newest sum of a metric of the OpenTelemetry SDK in the application: items that failed, or that did not."""
    return sum(value for key, value in _newest(directory, name).items() if ("error.type" in key) is failed)


def _newest(directory: Path, name: str) -> dict[str, float]:
    """The newest sum of a metric by its labels, as text."""
    points = [
        point
        for request in requests_of(directory / "metrics.jsonl")
        for resource in request["resourceMetrics"]
        for scope in resource["scopeMetrics"]
        for metric in scope["metrics"]
        if metric["name"] == name
        for point in metric["sum"]["dataPoints"]
    ]
    return {_key(point): float(point["asInt"]) for point in points}


def _key(point: dict[str, Any]) -> str:
    return json.dumps(plain(point.get("attributes", [])), sort_keys=True)


def lost(directory: Path) -> float:
    return counted(directory, "otel.sdk.processor.span.processed", True) + counted(
        directory, "otel.sdk.exporter.span.exported", True
    )


def ended(directory: Path) -> float:
    """Streams that the application's own counter says have ended."""
    return sum(_newest(directory, names.STREAMS.name).values())


def read_and_sent(running: Application, faults: list[str]) -> list[dict[str, Any]]:
    """A few streams, no more than the application's queue holds, and their spans sent before more are made."""
    answers: list[dict[str, Any]] = running.order("read", faults=faults)
    running.order("flush")
    return answers


def test_a_collector_that_is_away_changes_nothing_for_the_application_and_every_lost_span_is_counted(
    application, tmp_path
):
    running, ports = application
    with Collector(tmp_path / "before", HERE / "backend.yaml", ports=ports):
        usual = [answer for few in range(0, len(FAULTS), 5) for answer in read_and_sent(running, FAULTS[few : few + 5])]
    before = spans_of(tmp_path / "before" / "traces.jsonl")
    assert len(before) == len(FAULTS)
    assert running.order("read", faults=FAULTS) == usual
    running.order("flush")
    with Collector(tmp_path / "after", HERE / "backend.yaml", ports=ports):
        assert running.order("read", faults=["healthy"]) == usual[:1]
        running.order("flush")
        made = 2 * len(FAULTS) + 1
        eventually(lambda: ended(tmp_path / "after"), lambda seen: seen == made)
        eventually(
            lambda: (len(spans_of(tmp_path / "after" / "traces.jsonl")), lost(tmp_path / "after")),
            lambda seen: len(before) + sum(seen) == made and all(seen),
        )


def test_a_collector_that_takes_connections_and_never_answers_changes_nothing_either(application, tmp_path):
    running, ports = application
    with Collector(tmp_path / "frozen", HERE / "backend.yaml", ports=ports) as collector:
        usual = running.order("read", faults=FAULTS)
        collector.process.send_signal(signal.SIGSTOP)
        assert running.order("read", faults=FAULTS) == usual
        collector.process.send_signal(signal.SIGCONT)
        assert running.order("read", faults=FAULTS) == usual
        running.order("flush")
        made = 3 * len(FAULTS)
        eventually(lambda: ended(tmp_path / "frozen"), lambda seen: seen == made)
        eventually(
            lambda: (
                len({span["spanId"] for span in spans_of(tmp_path / "frozen" / "traces.jsonl")}),
                lost(tmp_path / "frozen"),
            ),
            lambda seen: sum(seen) >= made,
        )


def test_a_gateway_keeps_what_its_backend_does_not_take_across_its_own_restart(tmp_path):
    backend_ports = {name: free_port() for name in ("grpc", "http", "prometheus", "health", "telemetry")}
    settings: dict[str, Any] = {
        "TRACES_ENDPOINT": f"127.0.0.1:{backend_ports['grpc']}",
        "LOGS_ENDPOINT": f"http://127.0.0.1:{backend_ports['http']}",
        "REMOTE_WRITE": f"http://127.0.0.1:{free_port()}/api/v1/write",
        "DECISION_WAIT": "1s",
        "KEEP_HEALTHY_PERCENT": "0",
    }
    gateway = OVERLAYS / "gateway.yaml"
    with Collector(tmp_path / "gateway", gateway, **settings) as first:
        with Application(tmp_path / "application", first.endpoint) as running:
            running.order("read", faults=["truncated"] * 7 + ["healthy"] * 3)
            running.order("flush")
        decided = "otelcol_processor_tail_sampling_global_count_traces_sampled"
        eventually(lambda: first.own(decided), lambda seen: seen >= 10)
    with (
        Collector(tmp_path / "backend", HERE / "backend.yaml", ports=backend_ports),
        Collector(tmp_path / "gateway", gateway, ports=first.ports, **settings),
    ):
        arrived = eventually(lambda: spans_of(tmp_path / "backend" / "traces.jsonl"), lambda spans: len(spans) >= 7)
        assert [span["attributes"]["streamgauge.outcome"] for span in arrived] == ["truncated"] * 7


def test_a_gateway_whose_queue_is_full_holds_back_whoever_sends(tmp_path):
    settings: dict[str, Any] = {
        "TRACES_ENDPOINT": f"127.0.0.1:{free_port()}",
        "REMOTE_WRITE": f"http://127.0.0.1:{free_port()}/api/v1/write",
        "LOGS_ENDPOINT": f"http://127.0.0.1:{free_port()}",
        "QUEUE_ITEMS": "5",
        "DECISION_WAIT": "1s",
    }
    with (
        Collector(tmp_path / "metrics", HERE / "backend.yaml") as metrics,
        Collector(tmp_path / "gateway", OVERLAYS / "gateway.yaml", **settings) as gateway,
        Application(
            tmp_path / "application", gateway.endpoint, **SMALL,
            OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=f"{metrics.endpoint}/v1/metrics",
        ) as running,
    ):  # fmt: skip
        usual = running.order("read", faults=FAULTS)

        def press() -> float:
            assert running.order("read", faults=FAULTS) == usual
            running.order("flush")
            return lost(tmp_path / "metrics")

        assert eventually(press) > 0
        assert gateway.process.poll() is None
