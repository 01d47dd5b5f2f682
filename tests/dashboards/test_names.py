"""A name that changes in the registry is missed by name: every panel and every rule that it would blank is listed."""

import functools
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
import yaml
from tests.dashboards import reading

from streamgauge import names
from streamgauge.names import Metric
from streamgauge.slo import promql, rules

BOARDS = reading.load()
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
SCRAPED = {"job", "instance", "service", "le", "__name__"}
RECORDED = {"service", "slo", "window", "kind", "owner", "target", "period", "severity", "short"}
ALERTS = {"alertname", "alertstate", "severity", "service", "slo", "owner"}

UNREAD = {
    "INFERENCE_DURATION": "the other vocabulary's twin of a metric that is read; our own TTLT says more",
    "INFERENCE_FIRST_CHUNK": "as above; our own TTFT says more",
    "INFERENCE_PER_CHUNK": "off by default; our own time per chunk is read",
    "INFERENCE_INPUT_TOKENS": "input tokens are a matter of cost, not of streaming",
    "OPERATION_PER_CHUNK": "off by default; our own time per chunk is read",
}
"""Metrics that no dashboard shows, with the reason."""


@functools.cache
def expressions() -> tuple[tuple[str, str], ...]:
    """Place and PromQL of everything that reads series: panels, annotations, variables, rules, texts of alerts."""
    return (*reading.asked(BOARDS), *_ruled())


def _ruled() -> Iterator[tuple[str, str]]:
    for path in sorted(reading.RULES.glob("*.yaml")):
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]:
            for rule in group["rules"]:
                place = f"{path.name} / {rule.get('alert') or rule['record']} / {_of(rule)}"
                yield place, rule["expr"]
                for text in rule.get("annotations", {}).values():
                    yield from ((place, query) for query in re.findall(r"with query `([^`]*)`", text))


def _of(rule: reading.Json) -> str:
    labels = rule.get("labels", {})
    return " ".join(labels[name] for name in ("slo", "window", "severity") if name in labels) or "all"


def known() -> dict[str, set[str]]:
    """Every series there can be, with the labels that it can have."""
    series = {
        metric.prometheus + suffix: SCRAPED | {promql.label(attribute) for attribute in metric.attributes}
        for metric in names.METRICS
        for suffix in SUFFIXES[metric.instrument]
    }
    return {**series, **dict.fromkeys(rules.RECORDED, RECORDED), "ALERTS": ALERTS}


def blanked() -> list[str]:
    """What reads a series or a label that does not exist, by name of the place."""
    there, found = known(), []
    for place, expr in expressions():
        for selector in reading.selectors(expr):
            if selector.name and selector.name not in there:
                found.append(f"{place}: no series {selector.name}")
            elif selector.name:
                asked = {matcher.name for matcher in selector.matchers.matchers}
                found += [
                    f"{place}: {selector.name} has no label {label}" for label in sorted(asked - there[selector.name])
                ]
    return sorted(set(found))


def readers(family: str) -> set[str]:
    """Places that read a family, found by text."""
    word = re.compile(rf"\b{family}(_bucket|_sum|_count)?\b")
    return {place for place, expr in expressions() if word.search(expr)}


def renamed(metric: Metric) -> tuple[Metric, ...]:
    """The registry's metrics after one got another name."""
    return tuple(replace(each, name=f"{each.name}.v2") if each is metric else each for each in names.METRICS)


def test_everything_that_is_read_exists():
    missing = blanked()
    assert not missing, "these panels and rules would show nothing:\n" + "\n".join(missing)


@pytest.mark.parametrize("metric", names.METRICS, ids=lambda metric: metric.name)
def test_renaming_a_metric_names_every_panel_and_rule_that_it_would_blank(metric, monkeypatch):
    expected, before = readers(metric.prometheus), set(blanked())
    monkeypatch.setattr(names, "METRICS", renamed(metric))
    assert {complaint.split(": no series")[0] for complaint in set(blanked()) - before} == expected


def test_renaming_the_counter_of_streams_is_noticed_in_all_stream_dashboards_and_in_the_alerts(monkeypatch):
    monkeypatch.setattr(names, "METRICS", renamed(names.STREAMS))
    complaints = blanked()
    assert {complaint.split(" / ")[0] for complaint in complaints} >= {"streams", "effects", "compare", "alerts.yaml"}
    assert "streams / Outcome mix / A: no series streamgauge_streams_total" in complaints


def test_renaming_the_counter_of_verdicts_is_noticed_in_every_rule_that_counts_them(monkeypatch):
    monkeypatch.setattr(names, "METRICS", renamed(names.SLO_EVENTS))
    places = {complaint.split(":")[0] for complaint in blanked()}
    assert any(place.startswith("recording.yaml") for place in places)
    assert any("StreamTelemetryAbsent" in place for place in places)


def test_a_label_that_goes_away_is_noticed_too(monkeypatch):
    without = replace(
        names.STREAMS, attributes=tuple(each for each in names.STREAMS.attributes if each != names.OUTCOME)
    )
    metrics = tuple(without if each is names.STREAMS else each for each in names.METRICS)
    monkeypatch.setattr(names, "METRICS", metrics)
    label = promql.label(names.OUTCOME)
    assert f"streams / Broken after 200 / A: {names.STREAMS.prometheus} has no label {label}" in blanked()


def test_every_word_that_a_query_asks_for_is_one_of_its_closed_set():
    closed = {promql.label(attribute): {*words, "none"} for attribute, words in names.VALUES.items()}
    for place, expr in expressions():
        for selector in reading.selectors(expr):
            for matcher in selector.matchers.matchers:
                if matcher.name in closed and matcher.value != ".+":
                    assert set(matcher.value.split("|")) <= closed[matcher.name], place


@pytest.mark.parametrize("metric", names.METRICS, ids=lambda metric: metric.name)
def test_every_metric_is_shown_somewhere_or_left_out_for_a_reason(metric):
    shown = any("yaml" not in place for place in readers(metric.prometheus))
    excused = any(getattr(names, name) is metric for name in UNREAD)
    assert shown != excused
