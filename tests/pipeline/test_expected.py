"""Rules and dashboards find what they ask for in a real Prometheus behind the collector, scraped or written to."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.pipeline.conftest import SETTINGS, Run
from tests.pipeline.tools import CONFIGURATION, OVERLAYS, REPOSITORY, Application, Collector, Prometheus, eventually

from streamgauge import names

SELECTOR = re.compile(r"\b((?:streamgauge|gen_ai)_\w+)(\{[^{}]*\})?")
GROUPING = re.compile(r"\b(?:by|on|without|group_left)\s*\(([^()]*)\)")
REPLACED = re.compile(r'label_(?:replace|join)\(.*?, "(\w+)", "', re.DOTALL)
VARIABLE = re.compile(r'(=~|=)"\$\w+"')
DASHBOARDS = REPOSITORY / "dashboards"
EXPECTING = sorted(file for file in DASHBOARDS.rglob("*") if file.suffix in (".yaml", ".json") and file.is_file())


def texts(value: Any, asked: bool = False) -> Iterator[str]:
    """All texts in a document that are queries: below the keys that hold one."""
    if isinstance(value, str) and asked:
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from texts(each, asked or key in ("expr", "query", "definition", "annotations", "cause"))
    elif isinstance(value, list):
        for each in value:
            yield from texts(each, asked)


def selectors(file: Path) -> set[str]:
    """Everything of ours that a file's queries select, with Grafana's variables at "all"."""
    found = set()
    for text in texts(yaml.safe_load(file.read_text())):
        for name, matchers in SELECTOR.findall(text):
            if _is_family(name):
                found.add(name + VARIABLE.sub('=~".+"', matchers))
    return found


def _is_family(name: str) -> bool:
    stem = re.sub(r"_(bucket|sum|count)$", "", name)
    return name.endswith(("_total", "_seconds", "_bucket", "_sum", "_count")) or stem in FAMILIES


FAMILIES = {metric.prometheus for metric in names.METRICS}


@pytest.mark.parametrize("file", EXPECTING, ids=lambda file: str(file.relative_to(DASHBOARDS)))
def test_everything_that_is_selected_is_there(run: Run, file: Path):
    empty = sorted(selector for selector in selectors(file) if not run.prometheus.query(f"count({selector})"))
    assert empty == []


def test_the_rules_do_select_something():
    asked = {each for file in EXPECTING if file.parent.name == "prometheus" for each in selectors(file)}
    assert any(each.startswith(names.SLO_EVENTS.prometheus) for each in asked)
    assert any(each.startswith(names.UNRECONCILED_AGE.prometheus) for each in asked)


def test_the_recorded_counts_have_values_behind_the_collector(run: Run):
    rules = yaml.safe_load((DASHBOARDS / "prometheus" / "recording.yaml").read_text())
    recorded = {
        (rule["record"], rule["labels"].get("slo", ""), rule["labels"]["window"]): rule["expr"]
        for group in rules["groups"]
        for rule in group["rules"]
        if rule.get("labels", {}).get("window") == "5m" and "streamgauge_" in rule["expr"]
    }
    assert recorded
    # asked of the moment when everything had arrived: five minutes later it would be forgotten
    answered = {key: run.prometheus.query(expr.replace(":1m]", ":1s]"), run.settled) for key, expr in recorded.items()}
    assert [key for key, found in answered.items() if not found] == []
    bad = {
        sample["metric"].get("slo"): float(sample["value"][1])
        for (record, _, _), found in answered.items()
        if record == "streamgauge:slo_bad:increase"
        for sample in found
    }
    assert bad["stream-availability"] > 0


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Iterator[Prometheus]:
    """A Prometheus that scrapes nothing: everything in it was written by the collector."""
    directory = tmp_path_factory.mktemp("written")
    configuration = directory / "prometheus.yml"
    configuration.write_text("{}")
    flags = ("--web.enable-remote-write-receiver", "--enable-feature=exemplar-storage")
    with Prometheus(directory / "prometheus", *flags, configuration=configuration) as prometheus:
        files = (CONFIGURATION, OVERLAYS / "remote-write.yaml")
        write_to = f"http://127.0.0.1:{prometheus.port}/api/v1/write"
        with (
            Collector(directory / "collector", *files, REMOTE_WRITE=write_to) as collector,
            Application(directory / "application", collector.endpoint, **SETTINGS) as application,
        ):
            application.order("read", faults=["healthy", "truncated"])
            application.order("act")
            application.order("flush")
            collector.pass_on("prometheusremotewrite")
            eventually(lambda: prometheus.query("sum(streamgauge_reconciliations_total) >= 11"))
            yield prometheus


def test_remote_write_writes_the_names_and_labels_that_a_scrape_shows(run: Run, written: Prometheus):
    scraped, pushed = (_labels(prometheus) for prometheus in (run.prometheus, written))
    common = scraped.keys() & pushed.keys()
    assert len(common) >= 40
    assert {name: scraped[name] ^ pushed[name] for name in common if scraped[name] != pushed[name]} == {}
    assert {name for name in pushed.keys() - scraped.keys() if name.startswith(("streamgauge_", "gen_ai_"))} == set()


def test_exemplars_lead_from_a_histogram_to_a_trace(written: Prometheus):
    """Grafana's link reads the label `trace_id`. An application tells an exemplar once, with the next export."""

    def told() -> set[str]:
        bounds = {"start": "0", "end": str(int(time.time()) + 60)}
        found = written.ask("query_exemplars", query=f"{names.TTFT_SECONDS.prometheus}_bucket", **bounds)
        return {each["labels"]["trace_id"] for series in found for each in series["exemplars"]}

    assert all(re.fullmatch("[0-9a-f]{32}", trace) for trace in eventually(told))


def test_bucket_bounds_are_written_as_they_are_scraped(run: Run, written: Prometheus):
    bounds = [
        {found["metric"]["le"] for found in prometheus.query(f"{names.TTFT_SECONDS.prometheus}_bucket")}
        for prometheus in (run.prometheus, written)
    ]
    assert {float(each) for each in bounds[0]} == {float(each) for each in bounds[1]}


def _labels(prometheus: Prometheus) -> dict[str, frozenset[str]]:
    """Label names by series name; the labels that only some series of a family have are left out.

    So is the schema URL of the scope, which a scrape shows and a remote write does not carry.
    """
    found: dict[str, set[str]] = {}
    for series in prometheus.ask("series", **{"match[]": ['{__name__=~"(streamgauge|gen_ai)_.*"}']}):
        name = series.pop("__name__")
        found[name] = found.setdefault(name, set(series)) & set(series)
    some = {
        "otel_scope_schema_url",
        *(attribute.replace(".", "_") for attribute in (names.RESPONSE_MODEL, names.ERROR_TYPE)),
    }
    return {name: frozenset(labels - some) for name, labels in found.items()}


def test_labels_that_queries_group_by_exist(run: Run):
    known = {label for series in run.prometheus.ask("series", **{"match[]": ['{job="chat"}']}) for label in series}
    recorded = {"slo", "service", "window", "kind", "owner", "target", "period", "cause", "severity", "alertname"}
    queries = [text for file in EXPECTING for text in texts(yaml.safe_load(file.read_text())) if SELECTOR.search(text)]
    made = {label for text in queries for label in REPLACED.findall(text)}
    asked = {label.strip() for text in queries for group in GROUPING.findall(text) for label in group.split(",")}
    assert asked - known - recorded - made - {""} == set()


def test_prometheus_2_stores_the_same_series(run: Run, tmp_path):
    job = {
        "job_name": "streamgauge",
        "honor_labels": True,
        "static_configs": [{"targets": [f"127.0.0.1:{run.collector.ports['prometheus']}"]}],
    }
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}))
    with Prometheus(tmp_path / "two", configuration=configuration, major=2) as older:
        eventually(lambda: older.query("streamgauge_streams_total"))
        assert _labels(older) == _labels(run.prometheus)
