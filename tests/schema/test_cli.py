import json
from typing import Any

import pytest
from click.testing import CliRunner
from tests.schema import emitted

from streamgauge.cli import main
from streamgauge.schema.check import RULES
from streamgauge.testing.signals import spans_to_otlp

GOOD: dict[str, Any] = spans_to_otlp(emitted.emit(emitted.COMPLETED).spans)


def span_of(request: dict[str, Any]) -> Any:
    return request["resourceSpans"][0]["scopeSpans"][0]["spans"][0]


def with_wrong_kind() -> dict[str, Any]:
    broken: dict[str, Any] = json.loads(json.dumps(GOOD))
    span_of(broken)["kind"] = 1
    return broken


def with_another_name() -> dict[str, Any]:
    broken: dict[str, Any] = json.loads(json.dumps(GOOD))
    span_of(broken)["name"] = "chat"
    return broken


@pytest.fixture
def check(tmp_path):
    def run(*values, options=(), text=None):
        file = tmp_path / "signals.jsonl"
        file.write_text("".join(json.dumps(value) + "\n" for value in values) if text is None else text)
        return CliRunner().invoke(main, ["schema", "check", str(file), *options])

    return run


def test_nothing_found_is_status_0(check):
    run = check(GOOD, emitted.COMPLETED.to_dict())
    assert (run.exit_code, run.output) == (0, "0 findings in 2 lines, 1 spans, 1 records\n")


def test_a_warning_is_status_1(check):
    run = check(with_another_name())
    assert run.exit_code == 1
    assert "warning span.name" in run.output


def test_an_error_is_status_3_and_says_where_and_what_to_do(check):
    run = check(GOOD, with_wrong_kind())
    assert run.exit_code == 3
    assert ":2: error span.kind: kind 1" in run.output
    assert RULES["span.kind"].hint in run.output


def test_json_is_a_finding_a_line_and_a_summary(check):
    run = check(with_wrong_kind(), options=["--json"])
    finding, summary = (json.loads(line) for line in run.output.splitlines())
    assert (finding["rule"], finding["severity"], finding["line"]) == ("span.kind", "error", 1)
    assert summary == {"summary": {"findings": {"span.kind": 1}, "seen": {"lines": 1, "spans": 1}}}


def test_findings_above_the_limit_are_counted_and_not_shown(check):
    run = check(*[with_wrong_kind()] * 5, options=["--limit", "2"])
    assert run.output.count("error span.kind") == 2
    assert "5 span.kind" in run.output
    assert check(*[with_wrong_kind()] * 5, options=["--limit", "0"]).output.count("error span.kind") == 5


def test_standard_input_is_read(check):
    run = CliRunner().invoke(main, ["schema", "check", "-"], input=json.dumps(with_wrong_kind()) + "\n")
    assert run.exit_code == 3
    assert "-:1: error span.kind" in run.output


def test_a_file_that_breaks_off_is_a_warning_and_the_rest_is_checked(check):
    run = check(text=json.dumps(GOOD) + "\n" + json.dumps(GOOD)[:500])
    assert run.exit_code == 1
    assert "line.truncated" in run.output
    assert "1 spans" in run.output


def test_several_processes_say_the_same(check):
    values = [GOOD, with_wrong_kind()] * 3
    assert check(*values, options=["--jobs", "2"]).output == check(*values, options=["--jobs", "1"]).output


def test_a_file_that_is_not_there_is_named(check):
    run = CliRunner().invoke(main, ["schema", "check", "nowhere.jsonl"])
    assert run.exit_code == 2
    assert "nowhere.jsonl" in run.output


def test_a_registry_error_is_one_line_and_status_2():
    run = CliRunner().invoke(main, ["schema", "diff", "7.7.7"])
    assert run.exit_code == 2
    assert "neither one of current" in run.output
