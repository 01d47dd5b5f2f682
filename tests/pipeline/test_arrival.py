"""What leaves the application arrives: every family with its names and labels, every trace that tells of something."""

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from tests.pipeline.conftest import BROKEN, HEALTHY, Run, records_of, spans_of, whole_lines

from streamgauge import names
from streamgauge.cli.schema import command as schema
from streamgauge.names import Outcome

PLAIN = {"job", "instance", "otel_scope_name", "otel_scope_version", "otel_scope_schema_url"}
"""Labels that the collector adds, from resource and scope; rules and dashboards aggregate the latter away."""

SOMETIMES = {names.ERROR_TYPE, names.SERVER_ADDRESS, names.SERVER_PORT}
"""Attributes that the conventions ask for under a condition."""

LIVE = (names.OPERATION_PER_CHUNK, names.INFERENCE_PER_CHUNK)
"""Families sampled while the stream is open, when the model that answers may not be known yet."""

SAMPLE = re.compile(r"^(\w+?)(?:\{(.*)\})? \S+")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def series_of(text: str) -> dict[str, list[dict[str, str]]]:
    """Label sets by name, as a scrape shows them."""
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for line in text.splitlines():
        match = None if line.startswith("#") else SAMPLE.match(line)
        if match:
            found[match[1]].append(dict(LABEL.findall(match[2] or "")))
    return found


def sample_name(metric: names.Metric) -> str:
    return metric.prometheus + ("_bucket" if metric.instrument == "histogram" else "")


def test_every_family_arrives_under_the_name_that_rules_and_dashboards_read(run: Run):
    found = series_of(run.scraped)
    assert {metric.name for metric in names.METRICS if sample_name(metric) not in found} == set()


def test_every_family_has_the_labels_of_the_registry_and_no_others(run: Run):
    found = series_of(run.scraped)
    wrong: dict[str, Any] = {}
    for metric in names.METRICS:
        allowed = {attribute.replace(".", "_") for attribute in metric.attributes}
        seen = set().union(*found[sample_name(metric)]) - PLAIN - {"le"}
        sometimes = SOMETIMES | ({names.RESPONSE_MODEL} if metric in LIVE else set())
        optional = {attribute.replace(".", "_") for attribute in sometimes}
        if not allowed - optional <= seen <= allowed:
            wrong[metric.name] = {"missing": allowed - seen, "unknown": seen - allowed}
    assert wrong == {}


def test_nothing_of_ours_arrives_that_the_registry_does_not_know(run: Run):
    known = {
        metric.prometheus + suffix
        for metric in names.METRICS
        for suffix in (("_bucket", "_sum", "_count") if metric.instrument == "histogram" else ("",))
    }
    ours = {name for name in series_of(run.scraped) if name.startswith(("streamgauge_", "gen_ai_"))}
    assert ours - known == set()


def test_buckets_arrive_as_they_were_set(run: Run):
    found = series_of(run.scraped)
    wrong = {}
    for metric in names.METRICS:
        if metric.instrument == "histogram":
            bounds = {float(labels["le"]) for labels in found[sample_name(metric)]} - {float("inf")}
            if missing := set(metric.buckets) - bounds:
                wrong[metric.name] = missing
    assert wrong == {}


def test_the_service_is_the_job_in_prometheus(run: Run):
    assert {found["metric"]["job"] for found in run.prometheus.query("streamgauge_streams_total")} == {"chat"}


def test_counts_in_prometheus_are_what_the_application_did(run: Run):
    found = run.prometheus.query("sum by (streamgauge_outcome) (streamgauge_streams_total)")
    counted = {each["metric"]["streamgauge_outcome"]: int(each["value"][1]) for each in found}
    assert sum(counted.values()) == len(run.read) + 2
    assert {"truncated": 2, "cancelled": 1, "length_limited": 2}.items() <= counted.items()
    told = run.prometheus.query("sum by (streamgauge_reconciliation_verdict) (streamgauge_reconciliations_total)")
    verdicts = {each["metric"]["streamgauge_reconciliation_verdict"]: int(each["value"][1]) for each in told}
    assert {verdict: count for verdict, count in verdicts.items() if count} == {
        verdict: run.verdicts.count(verdict) for verdict in set(run.verdicts)
    }


def streams(run: Run) -> list[dict[str, Any]]:
    return [span for span in run.spans if names.CHUNKS in span["attributes"]]


def test_every_stream_that_did_not_complete_is_kept(run: Run):
    kept = [span["attributes"][names.OUTCOME] for span in streams(run)]
    counted = run.prometheus.query("sum by (streamgauge_outcome) (streamgauge_streams_total) > 0")
    expected = {each["metric"]["streamgauge_outcome"]: int(each["value"][1]) for each in counted}
    assert {word: kept.count(word) for word in expected if word != Outcome.COMPLETED} == {
        word: count for word, count in expected.items() if word != Outcome.COMPLETED
    }


def test_every_finding_is_kept(run: Run):
    counted = run.prometheus.query("sum by (streamgauge_finding) (streamgauge_findings_total) > 0")
    expected = {each["metric"]["streamgauge_finding"]: int(each["value"][1]) for each in counted}
    kept = [
        value["stringValue"]
        for span in streams(run)
        for value in span["attributes"].get(names.FINDINGS, {}).get("values", [])
    ]
    assert len(expected) >= 5
    assert {word: kept.count(word) for word in expected} == expected


def test_every_reconciliation_that_is_not_consistent_is_kept(run: Run):
    found = [span["attributes"].get(names.RECONCILIATION_VERDICT) for span in run.spans]
    assert "partial_commit" in run.verdicts
    for verdict in set(run.verdicts) - {"clean", "consistent"}:
        assert found.count(verdict) == run.verdicts.count(verdict)


def test_a_trace_with_one_whole_and_one_broken_stream_is_kept_whole(run: Run):
    turn = next(span for span in run.spans if span["name"] == "turn")
    inside = [span for span in streams(run) if span["traceId"] == turn["traceId"]]
    assert sorted(span["attributes"][names.OUTCOME] for span in inside) == ["completed", "truncated"]


def test_only_a_share_of_the_healthy_is_kept_and_nothing_is_lost_before_its_decision(run: Run):
    healthy = [
        span
        for span in streams(run)
        if span["attributes"][names.OUTCOME] == Outcome.COMPLETED and names.FINDINGS not in span["attributes"]
    ]
    assert 2 <= len(healthy) <= HEALTHY - 10
    assert run.told["early"] == 0
    assert run.told["decided"] > run.told["kept"] >= len(BROKEN)


def test_what_arrives_keeps_the_schema(run: Run, tmp_path: Path):
    for file in (run.backend("traces"), run.backend("metrics"), run.reconciliations):
        written = tmp_path / file.name
        written.write_text("".join(whole_lines(file)))  # metrics go on coming
        found, seen = checked(written)
        assert seen > 0
        assert found == [], file.name


def checked(file: Path) -> tuple[list[dict[str, Any]], int]:
    """What `streamgauge schema check` finds in a file, and how many lines it read."""
    done = CliRunner().invoke(schema, ["check", "--json", "--limit", "0", str(file)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    *findings, summary = [json.loads(line) for line in done.stdout.splitlines()]
    return findings, summary["summary"]["seen"].get("lines", 0)


def test_reconciliations_are_in_the_file_each_with_its_verdict(run: Run):
    events = {record["eventName"] for record in records_of(run.reconciliations)}
    assert events == {names.EVENT_EFFECT, names.EVENT_RECONCILIATION}
    verdicts = [attributes[names.RECONCILIATION_VERDICT] for attributes in run.verdict_events]
    assert sorted(verdicts) == sorted(run.verdicts)


def test_content_of_other_instrumentations_does_not_pass_the_second_line(run: Run):
    leaky = next(span for span in spans_of(run.backend("traces")) if span["name"] == "leaky")
    written = run.backend("traces").read_text() + run.reconciliations.read_text()
    assert leaky["attributes"]["note"] == "key **** of ****"
    assert leaky["attributes"]["redaction.masked.count"] == "2"
    assert {event["name"] for event in leaky["events"]} == {"gen_ai.choice", "exception"}
    assert [word for word in ("SECRET", "ann@example.com", "abcdefghijklmnop1234") if word in written] == []
