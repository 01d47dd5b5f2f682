"""The generated files: committed, deterministic, few labels, fast to make; every expression is executed."""

import json
import re
import time
import urllib.parse
from pathlib import Path

import pytest
import yaml

from streamgauge import names, slo
from streamgauge.slo import alertmanager, alerts, render, replay, rules, runbooks
from streamgauge.slo.rehearsal import Rehearsal, RehearsalError
from streamgauge.slo.rules import Alert, Rule

REPOSITORY = Path(__file__).parents[2]
DASHBOARDS = REPOSITORY / "dashboards"
READ = (
    names.SLO_EVENTS, names.STREAMS, names.FINDINGS_TOTAL, names.TTFT_SECONDS, names.TTLT_SECONDS,
    names.GAP_MAX_SECONDS, names.UPSTREAM_CLOSE, names.CANCELS_UNVERIFIED, names.UNRECONCILED_AGE,
)  # fmt: skip


def all_rules(objectives: slo.Objectives) -> list[Rule | Alert]:
    groups = (*rules.recording_groups(objectives), *alerts.alert_groups(objectives))
    return [rule for group in groups for rule in group.rules]


def test_the_committed_rules_are_what_the_default_file_generates():
    assert render.drift(render.files(slo.load()), DASHBOARDS / "prometheus") == []
    assert (DASHBOARDS / "alertmanager.yaml").read_text() == alertmanager.text()


def test_drift_tells_changed_missing_and_stray_files(tmp_path):
    texts = render.files(slo.load())
    render.write(texts, tmp_path)
    (tmp_path / "alerts.yaml").write_text("groups: []\n")
    (tmp_path / "recording.yaml").unlink()
    (tmp_path / "old.yaml").write_text("")
    assert render.drift(texts, tmp_path) == ["missing: recording.yaml", "stray: old.yaml", "changed: alerts.yaml"]


def test_generating_twice_gives_the_same_bytes():
    assert render.files(slo.load()) == render.files(slo.load())


def test_both_emitters_of_the_yaml_library_write_the_same_bytes():
    groups = render.as_document(alerts.alert_groups(slo.load()))
    assert render.document(groups) == render.document(groups, render._dumper(yaml.SafeDumper))


def test_two_hundred_objectives_are_generated_within_two_seconds():
    rows = "\n".join(
        f"  - {{name: slo-{number}, kind: availability, target: 99.{number % 9}}}" for number in range(200)
    )
    objectives = slo.loads(f"service: many\nobjectives:\n{rows}\n")
    best = min(_seconds_to_generate(objectives) for _ in range(2))
    assert best < 2 * _slowness()


def _seconds_to_generate(objectives: slo.Objectives) -> float:
    began = time.process_time()
    render.files(objectives)
    return time.process_time() - began


def _slowness() -> float:
    """How much slower than an ordinary machine this one is, by a loop that takes it 50 ms."""
    began = time.process_time()
    sum(range(4_000_000))
    return max(1.0, (time.process_time() - began) / 0.05)


def test_alerts_have_few_and_stable_labels_an_owner_and_links():
    for rule in all_rules(slo.load()):
        if isinstance(rule, Alert):
            assert set(rule.labels) <= {"severity", "slo", "service", "owner"}
            assert "{{" not in "".join(rule.labels.values())
            assert {"severity", "service", "owner"} <= set(rule.labels)
            assert {"summary", "description", "runbook_url", "dashboard_url"} <= set(rule.annotations)
            assert len(re.sub(r"{{.*?{{ end }}|{{[^}]*}}", "99.99%", rule.annotations["summary"])) < 80


def test_every_runbook_link_leads_to_a_page_with_advice():
    pages = runbooks.read(REPOSITORY / "docs" / "runbooks")
    base = yaml.safe_load(slo.default_text())["runbooks"]
    links = {rule.annotations["runbook_url"] for rule in all_rules(slo.load()) if isinstance(rule, Alert)}
    causes = [f"outcome-{word}.md" for word in slo.load().policy.bad_outcomes()]
    causes += [f"finding-{word}.md" for word in slo.load().policy.findings]
    assert {link.removeprefix(f"{base}/") for link in links} | set(causes) <= set(pages)
    assert runbooks.without_advice(pages) == []


def test_every_dashboard_link_names_a_dashboard_and_variables_that_it_has():
    pages = [json.loads(path.read_text()) for path in (DASHBOARDS / "grafana").glob("*.json")]
    variables = {page["uid"]: {each["name"] for each in page["templating"]["list"]} for page in pages}
    for rule in all_rules(slo.load()):
        if isinstance(rule, Alert):
            link = urllib.parse.urlsplit(rule.annotations["dashboard_url"])
            asked = {name.removeprefix("var-") for name in urllib.parse.parse_qs(link.query) if name.startswith("var-")}
            assert asked <= variables[link.path.removeprefix("/d/")]


def test_runbooks_are_generated_around_the_advice_and_their_links_lead_somewhere():
    directory = REPOSITORY / "docs" / "runbooks"
    pages = runbooks.read(directory)
    assert runbooks.pages(pages) == pages
    assert runbooks.broken_links(pages, directory) == []
    assert runbooks.broken_links({"a.md": "[x](gone.md)"}, directory) == ["a.md -> gone.md"]
    assert set(runbooks.without_advice(runbooks.pages({}))) == set(pages) - {"README.md"}


def test_every_outcome_finding_and_alert_has_a_page():
    pages = runbooks.pages({})
    wanted = {f"{name}.md" for name in alerts.ALERTS} | {f"outcome-{word}.md" for word in names.Outcome}
    assert wanted | {f"finding-{word}.md" for word in names.Finding} <= set(pages)


def test_a_prometheusrule_object_carries_the_same_groups():
    plain, objects = (render.files(slo.load(), form) for form in render.FORMATS)
    for name in plain:
        made = yaml.safe_load(objects[name])
        assert (made["apiVersion"], made["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
        assert made["spec"] == yaml.safe_load(plain[name])


def test_a_time_scale_shortens_every_duration_and_changes_nothing_else():
    for name, text in render.files(slo.load()).items():
        shape = [
            re.sub(r"\b\d+(\.\d+)?(ms|[smhd])?\b", "N", each)
            for each in (text, render.files(slo.load(), scale=60)[name])
        ]
        assert shape[0] == shape[1]
        assert text != render.files(slo.load(), scale=60)[name]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("form", ["verdicts", "histogram"])
@pytest.mark.parametrize("spelling", [replay.EXPORTER, replay.COLLECTOR], ids=["exporter", "collector"])
def test_every_expression_is_executed_and_none_is_empty(tools, tmp_path, form, spelling):
    """As the exporter and as the collector spell series; alerts may be silent, their texts may not be."""
    objectives = slo.loads(slo.default_text() + f"\nsli: {form}\n")
    month = replay.Month(start=1_700_006_400, days=0.5)
    series = [each for each in replay.everything(spelling, objectives.names) if each.metric in _read_families()]
    replay.write(series, month, tmp_path / "month.om")
    server = Rehearsal(tools.prometheus, tools.promtool, tmp_path)
    server.load(tmp_path / "month.om")
    server.backfill(rules.recording_groups(objectives), month.at(0.25), month.end)
    with server:
        for rule in all_rules(objectives):
            if isinstance(rule, Rule):
                _assert_recorded(server, rule, month.end, objectives)
            else:
                _assert_executed(server, rule, month.end)


def _read_families() -> set[str]:
    return {metric.prometheus.removesuffix("_total") for metric in READ}


def _assert_recorded(server: Rehearsal, rule: Rule, at: int, objectives: slo.Objectives) -> None:
    found = server.query(rule.expr, at)
    assert found, rule.expr
    for sample in found:
        labels = {**sample["metric"], **rule.labels}
        labels.pop("__name__", None)
        allowed = {"slo", "service", "window", "short", "severity", "kind", "owner", "target", "period"}
        assert {"slo", "service"} <= set(labels) <= allowed
        assert labels["slo"] in {objective.name for objective in objectives}
        assert float(sample["value"][1]) == pytest.approx(float(sample["value"][1])), rule.expr


def _assert_executed(server: Rehearsal, alert: Alert, at: int) -> None:
    assert {frozenset(sample["metric"]) for sample in server.query(alert.expr, at)} <= {
        frozenset(), frozenset({"slo", "service"}), frozenset({"__name__", "slo", "service"}),
    }, alert.expr  # fmt: skip
    for text in alert.annotations.values():
        for query in re.findall(r"query `([^`]*)`", text):
            assert len(server.query(query, at)) == 1, query


def test_a_refused_query_is_an_error_and_not_an_empty_result(tools, tmp_path):
    with (
        Rehearsal(tools.prometheus, tools.promtool, tmp_path) as server,
        pytest.raises(RehearsalError, match="parse error"),
    ):
        server.query("sum(rate(", 0)


@pytest.mark.parametrize(
    ("severity", "receiver"), [("page", "pager"), ("ticket", "tickets"), ("info", "chat"), ("other", "tickets")]
)
def test_alertmanager_routes_by_severity(tools, severity, receiver):
    file = DASHBOARDS / "alertmanager.yaml"
    tools.run(tools.amtool, "check-config", file)
    routed = tools.run(
        tools.amtool, "config", "routes", "test", f"--config.file={file}", f"severity={severity}", "slo=a"
    )
    assert routed.splitlines()[0] == receiver
