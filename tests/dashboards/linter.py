"""The 17 checks of grafana/dashboard-linter (commit 4d0844b), ported under their own names.

A dashboard comes in, complaints go out as (check, place, text). Where the original only
warns, the text says WARNING. The original's quirks are kept, such as the panel types that a check looks at.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import promql_parser
from tests.dashboards.reading import FILLED, Json, filled, walk

MAGIC = {**FILLED, "__rate_interval": "419999ms"}
QUERYING = {"singlestat", "gauge", "table-old", "stat", "state-timeline", "timeseries", "heatmap", "bargauge", "table"}
"""Panels whose queries are looked at: the original's, and heatmap, bar gauge and table besides."""

DRAWING = {"stat", "singlestat", "graph", "table", "timeseries", "gauge"}
UNITS = frozenset(
    [
        "none",
        "string",
        "short",
        "percent",
        "percentunit",
        "humidity",
        "dB",
        "hex0x",
        "hex",
        "sci",
        "locale",
        "pixel",
        "flops",
        "bytes",
        "decbytes",
        "bits",
        "decbits",
        "ns",
        "µs",
        "ms",
        "s",
        "m",
        "h",
        "d",
        "dtdurationms",
        "dtdurations",
        "dthms",
        "dtdhms",
        "timeticks",
        "clockms",
        "clocks",
        "hertz",
        "cps",
        "ops",
        "reqps",
        "rps",
        "wps",
        "iops",
        "cpm",
        "opm",
        "rpm",
        "wpm",
        "mps",
        "mpm",
        "bool",
        "bool_yes_no",
        "bool_on_off",
        "dateTimeAsIso",
        "dateTimeFromNow",
        "currencyUSD",
        "currencyEUR",
    ]
)
"""Of the original's list those that can occur here."""


@dataclass(frozen=True)
class Complaint:
    """What a check has to say about a place."""

    check: str
    place: str
    text: str


Found = Iterator[tuple[str, str]]
"""Place and text."""


def lint(board: Json) -> list[Complaint]:
    """All complaints of all checks."""
    return [Complaint(name, place, text) for name, check in CHECKS.items() for place, text in check(board)]


def _variables(board: Json, kind: str) -> list[Json]:
    return [variable for variable in board["templating"]["list"] if variable["type"] == kind]


def _panels(board: Json, kinds: set[str]) -> Iterator[Json]:
    return (panel for panel in board["panels"] if panel["type"] in kinds)


def _targets(board: Json) -> Iterator[tuple[str, Json]]:
    for panel in _panels(board, QUERYING):
        for target in panel.get("targets", []):
            yield f"{panel['title']} / {target['refId']}", target


def _parsed(board: Json) -> Iterator[tuple[str, str, Any]]:
    for place, target in _targets(board):
        try:
            yield place, target["expr"], promql_parser.parse(filled(target["expr"], MAGIC))
        except (ValueError, KeyError):
            continue  # that is target-promql's business


def template_datasource(board: Json) -> Found:
    sources = _variables(board, "datasource")
    if not sources:
        yield "templating", "does not have a templated data source"
    for source in sources:
        names, labels = {f"{source['query']}_datasource"}, {f"{source['query'].title()} data source"}
        if len(sources) == 1:
            names, labels = names | {"datasource"}, labels | {"Data source"}
        if source["name"] not in names:
            yield source["name"], f"should be named one of {sorted(names)}"
        if source["label"] not in labels:
            yield source["name"], f"WARNING should be labeled one of {sorted(labels)}"


def _required_template(name: str) -> Callable[[Json], Found]:
    def check(board: Json) -> Found:
        found = next((each for each in board["templating"]["list"] if each["name"] == name), None)
        if found is None:
            yield "templating", f"is missing the {name} template"
        elif not (found["type"] == "query" and found["multi"] and found["allValue"] == ".+"):
            yield name, "should be a Prometheus query, multi select, with allValue '.+'"

    return check


def template_label_promql(board: Json) -> Found:
    for variable in _variables(board, "query"):
        found = re.match(r"([a-z_]+)\((.+)\)", variable["query"])
        if not found or found[1] not in {"label_names", "label_values", "metrics", "query_result"}:
            yield variable["name"], f"invalid query {variable['query']}"
            continue
        selector = found[2].rsplit(", ", 1)[0]
        try:
            promql_parser.parse(filled(selector, MAGIC))
        except ValueError as error:
            yield variable["name"], f"invalid PromQL {selector}: {error}"


def template_on_time_change_reload(board: Json) -> Found:
    for variable in _variables(board, "query"):
        if variable["refresh"] != 2:
            yield variable["name"], "should be refreshed on time range change"


def panel_datasource(board: Json) -> Found:
    allowed = {
        spelling
        for each in _variables(board, "datasource")
        for spelling in (f"${{{each['name']}}}", f"${each['name']}")
    }
    for panel in _panels(board, QUERYING | DRAWING):
        if panel["datasource"]["uid"] not in allowed:
            yield panel["title"], f"does not use a templated datasource, uses {panel['datasource']['uid']}"


def panel_title_description(board: Json) -> Found:
    for panel in _panels(board, QUERYING | DRAWING):
        if not panel.get("title") or not panel.get("description"):
            yield str(panel.get("title")), "has missing title or description"


def panel_units(board: Json) -> Found:
    for panel in _panels(board, DRAWING):
        defaults = panel["fieldConfig"]["defaults"]
        if defaults.get("unit") not in UNITS:
            yield panel["title"], f"has no or invalid units defined: {defaults.get('unit')}"


def panel_no_targets(board: Json) -> Found:
    for panel in _panels(board, QUERYING | DRAWING):
        if not panel.get("targets"):
            yield panel["title"], "has no targets"


def target_logql(board: Json) -> Found:
    for place, target in _targets(board):
        if target["datasource"]["type"] == "loki":
            yield place, "is a Loki query, which this port does not parse"


def target_logql_auto(board: Json) -> Found:
    for place, target in _targets(board):
        if target["datasource"]["type"] == "loki" and "$__auto" not in target["expr"]:
            yield place, "uses a fixed duration: should use $__auto"


def target_promql(board: Json) -> Found:
    for place, target in _targets(board):
        try:
            promql_parser.parse(filled(target["expr"], MAGIC))
        except (ValueError, KeyError) as error:
            yield place, f"invalid PromQL: {error}"


def target_rate_interval(board: Json) -> Found:
    for place, expr, parsed in _parsed(board):
        for node, parents in walk(parsed):
            if (
                not isinstance(node, promql_parser.MatrixSelector)
                or node.range.total_seconds() == 419.999
                or not parents
            ):
                continue
            if not isinstance(parents[-1], promql_parser.Call) or parents[-1].func.name in {"rate", "irate"}:
                yield place, f"should use $__rate_interval: {expr}"


def _required_matcher(label: str) -> Callable[[Json], Found]:
    def check(board: Json) -> Found:
        for place, target in _targets(board):
            for node, _ in walk(promql_parser.parse(filled(target["expr"], {**MAGIC, label: f"@{label}"}))):
                if isinstance(node, promql_parser.VectorSelector) and not _has(node, label):
                    yield place, f'is missing {label}=~"${label}"'

    return check


def _has(node: Any, label: str) -> bool:
    return any(each.name == label and each.value == f"@{label}" for each in node.matchers.matchers)


def target_counter_agg(board: Json) -> Found:
    for place, _expr, parsed in _parsed(board):
        for node, parents in walk(parsed):
            if not isinstance(node, promql_parser.VectorSelector) or not str(node.name).endswith("_total"):
                continue
            call = parents[-2] if len(parents) > 1 else None
            ranged = len(parents) > 1 and isinstance(parents[-1], promql_parser.MatrixSelector)
            if (
                not ranged
                or not isinstance(call, promql_parser.Call)
                or call.func.name not in {"rate", "irate", "increase"}
            ):
                yield place, f"counter metric {node.name} is not aggregated with rate, irate, or increase"


def uneditable(board: Json) -> Found:
    if board["editable"]:
        yield "dashboard", "is editable"


CHECKS: dict[str, Callable[[Json], Found]] = {
    "template-datasource-rule": template_datasource,
    "template-job-rule": _required_template("job"),
    "template-instance-rule": _required_template("instance"),
    "template-label-promql-rule": template_label_promql,
    "template-on-time-change-reload-rule": template_on_time_change_reload,
    "panel-datasource-rule": panel_datasource,
    "panel-title-description-rule": panel_title_description,
    "panel-units-rule": panel_units,
    "panel-no-targets-rule": panel_no_targets,
    "target-logql-rule": target_logql,
    "target-logql-auto-rule": target_logql_auto,
    "target-promql-rule": target_promql,
    "target-rate-interval-rule": target_rate_interval,
    "target-job-rule": _required_matcher("job"),
    "target-instance-rule": _required_matcher("instance"),
    "target-counter-agg-rule": target_counter_agg,
    "uneditable-dashboard": uneditable,
}
