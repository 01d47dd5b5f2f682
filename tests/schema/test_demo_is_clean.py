"""The demo, piped through the check, has no finding: spans, metrics, log events, reports and its own summary."""

import io
import json

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, generate_latest

from streamgauge import names
from streamgauge.demo import Provider, live, overhead, run
from streamgauge.demo.story import STORIES
from streamgauge.schema.check import Checker
from streamgauge.testing.examples import capture, shortened
from streamgauge.testing.watching import watching


def test_everything_that_the_demo_emits_keeps_the_schema(monkeypatch, tmp_path):
    monkeypatch.setattr(overhead, "measure", lambda _provider: ())
    reports = tmp_path / "reports.jsonl"
    with watching() as found:
        summary = run.run(run.Options(streams=3 * len(STORIES), jsonl=str(reports)), live.show_on(io.StringIO()))
    one = Checker()
    found += one.lines(reports.read_bytes().splitlines(keepends=True))
    found += one.line(json.dumps(summary.to_dict()).encode())
    assert [str(finding) for finding in found] == []
    assert one.seen["records"] > len(STORIES)


@pytest.fixture(scope="module")
def example():
    with Provider() as provider:
        return capture(provider.base_url)


def test_the_examples_of_the_reference_can_be_recorded_again(example):
    span = json.loads(example["span.json"])
    assert Checker().value(span) == Checker().value(json.loads(example["stream.json"])) == []
    lines = example["events.txt"].splitlines()
    assert len(lines) == len(span["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["events"])
    assert lines[-1].endswith(f"{names.EVENT_END} {names.OUTCOME}=failed")
    sample = next(
        line for line in example["metrics.txt"].splitlines() if line.startswith(names.STREAMS.prometheus + "{")
    )
    assert 'streamgauge_outcome="failed"' in sample
    assert sample.endswith(" 1.0")


def test_a_shortened_scrape_keeps_only_what_says_something():
    nothing = ["# HELP a b", "# TYPE a counter", "a 0.0"]
    something = ["# HELP c d", "# TYPE c histogram", 'c_bucket{le="1"} 1.0', 'c_bucket{le="+Inf"} 1.0']
    scrape = "\n".join([*nothing, *something]) + "\n"
    assert shortened(scrape) == '# HELP c d\n# TYPE c histogram\nc_bucket{le="+Inf"} 1.0\n'


def test_the_prometheus_exporter_writes_the_names_that_names_says():
    registry = CollectorRegistry()
    meters = MeterProvider([PrometheusMetricReader(registry=registry)])
    meter = meters.get_meter("test")
    for metric in names.METRICS:
        made = getattr(meter, f"create_{metric.instrument}")(metric.name, metric.unit, metric.brief)
        getattr(made, {"counter": "add", "histogram": "record", "gauge": "set"}[metric.instrument])(1)
    families = {
        line.split()[2] for line in generate_latest(registry).decode().splitlines() if line.startswith("# TYPE")
    }
    meters.shutdown()
    assert families - {"target_info"} == {metric.prometheus for metric in names.METRICS}
