"""OpenSLO, backtest, explain and the command line."""

import json

import pytest
import yaml
from click.testing import CliRunner

from streamgauge import slo
from streamgauge.cli import main
from streamgauge.errors import ConfigError
from streamgauge.slo import backtest, explain, openslo
from streamgauge.slo.windows import PENDING

FOREIGN = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: latency}
spec:
  service: shop
  indicator: {spec: {ratioMetric: {counter: true}}}
  timeWindow: [{duration: 4w, isRolling: false}]
  budgetingMethod: Timeslices
  objectives: [{targetPercent: 99.5, timeSliceTarget: 0.9}]
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: {name: fast}
spec: {severity: page, condition: {kind: burnrate, op: gt, threshold: 14.4, lookbackWindow: 1h}}
"""


def run(*arguments: str):
    return CliRunner().invoke(main, ["slo", *arguments])


def test_what_is_exported_is_imported_again_without_a_note(tmp_path):
    text = """
service: chat
owner: platform
objectives:
  - {name: a, kind: ttft, target: 99.5, threshold: 1.5s, first: any, filter: {model: ["gpt-*"], prompt_tokens: 0-2000}}
  - {name: b, kind: pacing, target: 95, fluidity: 0.9, period: 28d, aborts: counted}
  - {name: c, kind: goodput, target: 90, ttft: 2s, max_gap: 5s}
"""
    objectives = slo.loads(text)
    imported = openslo.read(openslo.export(objectives))
    assert imported.notes == ()
    again = slo.loads(yaml.safe_dump(imported.content))
    assert [openslo.export(each) for each in (again,)] == [openslo.export(objectives)]


def test_what_does_not_fit_is_told():
    imported = openslo.read(FOREIGN)
    assert imported.content["objectives"] == [
        {"name": "latency", "kind": "availability", "target": "99.5", "period": "28d"}
    ]
    told = " ".join(imported.notes)
    for word in ("Timeslices", "calendar window", "kind availability is a guess", "one window", "timeSliceTarget"):
        assert word in told
    assert slo.loads(yaml.safe_dump(imported.content)).service == "shop"


def test_documents_without_an_slo_are_refused():
    with pytest.raises(ConfigError, match="at least one of kind SLO"):
        openslo.read("kind: Service\n")


def test_exported_conditions_have_one_window_and_name_the_short_one():
    documents = list(yaml.safe_load_all(openslo.export(slo.load())))
    conditions = [each for each in documents if each["kind"] == "AlertCondition"]
    assert conditions
    assert all("streamgauge.dev/short-window" in each["metadata"]["annotations"] for each in conditions)
    policies = [each for each in documents if each["kind"] == "AlertPolicy"]
    assert all(len(each["spec"]["conditions"]) == 1 for each in policies)
    names = {each["metadata"]["name"] for each in policies}
    assert all(set(each["spec"].get("alertPolicies", ())) <= names for each in documents if each["kind"] == "SLO")


def recorded(minute: int, outcome: str, count: int = 1) -> list[str]:
    line = {
        "type": "streamgauge.stream", "provider": "openai", "operation": "chat", "model": "m", "outcome": outcome,
        "findings": [], "content_shown": True, "http_status": 200, "duration_s": 1.5,
        "started_unix_ns": (1_700_006_400 + minute * 60) * 10**9, "usage": {"input_tokens": None},
    }  # fmt: skip
    return [json.dumps(line)] * count


OUTAGE = [
    line
    for minute in range(600)
    for line in recorded(minute, "truncated" if 400 <= minute < 460 else "completed", 4) + recorded(minute, "cancelled")
]
ONLY = "service: chat\nobjectives:\n  - {name: it, kind: availability, target: 99}\n"


def test_a_backtest_finds_the_page_that_explain_promises():
    (result,) = backtest.backtest(slo.loads(ONLY), backtest.reports(OUTAGE))
    page = next(alarm for alarm in result.alarms if alarm.severity == "page")
    minutes = (page.since - 1_700_006_400) / 60 - 400
    promised = explain.explain(slo.loads(ONLY))[0].to_page[0][1]
    assert promised is not None and 8 <= minutes <= promised / 60
    assert page.until is not None and (page.until - 1_700_006_400) / 60 - 460 <= 31
    assert result.counts == {"good": 4 * 540, "bad": 4 * 60, "excluded": 600}
    assert result.causes.most_common(1) == [("truncated", 240)]


def test_a_backtest_of_healthy_reports_is_silent():
    healthy = [line for minute in range(600) for line in recorded(minute, "completed")]
    (result,) = backtest.backtest(slo.loads(ONLY), backtest.reports(healthy))
    assert result.alarms == []
    assert result.sli == 1


def test_a_backtest_stops_where_a_line_is_broken_and_passes_over_other_records():
    lines = [*recorded(0, "completed"), '{"type": "other"}', "{broken"]
    with pytest.raises(ConfigError, match=r"x\.jsonl:3"):
        list(backtest.reports(lines, "x.jsonl"))
    assert len(list(backtest.reports(lines[:2]))) == 1


def test_an_alarm_waits_for_its_pending_time():
    short = [
        line for minute in range(400) for line in recorded(minute, "truncated" if minute >= 398 else "completed", 50)
    ]
    assert PENDING["page"] == 120
    (result,) = backtest.backtest(slo.loads(ONLY), backtest.reports(short))
    assert [alarm for alarm in result.alarms if alarm.severity == "page"] == []


def test_explain_says_when_a_total_outage_pages():
    numbers = {each.name: each for each in explain.explain(slo.load())}
    availability = numbers["stream-availability"]
    assert availability.budget_seconds == 25_920
    assert availability.to_page[0][1] == 519 + 120 + 60 + 60
    assert availability.single_failure_below == 7
    assert numbers["goodput"].warnings
    assert numbers["http-status"].to_page[0][1] is None


def test_the_command_line_makes_checks_explains_and_generates(tmp_path):
    file = tmp_path / "slo.yaml"
    file.write_text(run("init").output)
    assert "10 objectives for chat" in run("check", str(file)).output
    assert "out of reach at 90 %" in run("check", str(file)).stderr
    assert "100 % failing: 12 min 39 s" in run("explain", str(file)).output
    out = tmp_path / "rules"
    assert run("generate", str(file), "--out", str(out), "--tests").exit_code == 0
    assert {path.name for path in out.iterdir()} == {
        "alerts.yaml",
        "recording.yaml",
        "burn.test.yaml",
        "counts.test.yaml",
    }
    assert run("generate", str(file), "--check", str(out)).exit_code == 1
    assert run("generate", str(file), "--check", str(out), "--tests").exit_code == 0
    assert "kind: PrometheusRule" in run("generate", str(file), "--format", "prometheusrule").output


def test_the_command_line_tells_a_mistake_in_one_line(tmp_path):
    file = tmp_path / "slo.yaml"
    file.write_text("service: chat\nobjectives: []\n")
    result = run("check", str(file))
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert f"{file}:2:13" in result.stderr


def test_the_command_line_backtests_imports_and_exports(tmp_path):
    (tmp_path / "slo.yaml").write_text(ONLY)
    (tmp_path / "reports.jsonl").write_text("\n".join(OUTAGE))
    (tmp_path / "open.yaml").write_text(run("export", str(tmp_path / "slo.yaml")).output)
    told = run("backtest", str(tmp_path / "slo.yaml"), "--jsonl", str(tmp_path / "reports.jsonl")).output
    assert "page: 2023-11-15" in told and "truncated 240" in told
    assert "kind: availability" in run("import", str(tmp_path / "open.yaml")).output
    assert "inhibit_rules" in run("alertmanager").output


def test_the_command_line_keeps_advice_when_it_writes_runbooks(tmp_path):
    assert run("runbook", "--out", str(tmp_path)).exit_code == 0
    page = tmp_path / "outcome-truncated.md"
    page.write_text(page.read_text().replace("Nothing is written here yet.", "Look at the proxy."))
    assert run("runbook", "--out", str(tmp_path)).exit_code == 0
    assert "Look at the proxy." in page.read_text()
    assert run("runbook", "--check", str(tmp_path)).exit_code == 0
