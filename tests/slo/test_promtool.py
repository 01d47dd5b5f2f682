"""Layer A: the shipped rules and their generated unit tests, run by the real promtool of both majors."""

from pathlib import Path
from typing import Any

import pytest

from streamgauge import names, slo
from streamgauge.slo import alerts, promql, promtool, render, rules

pytestmark = pytest.mark.timeout(600)
VARIANTS = """
version: 1
service: chat
owner: platform
sli: {form}
selector: {{job: chat}}
runbooks: https://runbooks.example.com
objectives:
  - {{name: three-nines, kind: availability, target: 99.9}}
  - {{name: ninety, kind: goodput, target: 90, max_gap: 5s, period: 28d}}
  - {{name: weekly, kind: ttft, target: 97, threshold: 2s, period: 7d}}
  - {{name: strict-stop, kind: cancel, target: 99, threshold: 2s, period: 90d}}
  - {{name: openai-only, kind: ttlt, target: 95, threshold: 0.5s, filter: {{provider: openai, model: "gpt-*"}}}}
"""


def proved(tools: Any, objectives: slo.Objectives, directory: Path) -> dict[str, dict[str, Any]]:
    """Write rules and tests as a user would, and let promtool check and run them."""
    texts = render.files(objectives)
    render.write(texts, directory)
    tools.run(tools.promtool, "check", "rules", *(directory / name for name in texts))
    documents = promtool.documents(objectives, texts)
    render.write({name: render.document(document) for name, document in documents.items()}, directory)
    for name in documents:
        tools.run(tools.promtool, "test", "rules", directory / name)
    return documents


def fired_in(documents: dict[str, dict[str, Any]]) -> set[str]:
    """Names of the alerts that some test expects to fire."""
    cases = [case for document in documents.values() for case in document["tests"]]
    names = {check["alertname"] for case in cases for check in case["alert_rule_test"] if check["exp_alerts"]}
    samples = [
        sample["labels"] for case in cases for check in case["promql_expr_test"] for sample in check["exp_samples"]
    ]
    return names | {name for name in alerts.ALERTS if any(f'"{name}"' in labels for labels in samples)}


def test_the_shipped_objectives_fire_stay_silent_and_reset(tools, tmp_path):
    documents = proved(tools, slo.load(), tmp_path)
    assert fired_in(documents) == set(alerts.ALERTS)


def test_other_targets_periods_and_a_selector_fire_stay_silent_and_reset(tools, tmp_path):
    proved(tools, slo.loads(VARIANTS.format(form="verdicts")), tmp_path)


@pytest.mark.parametrize("form", ["histogram", "native"])
def test_the_histogram_forms_are_valid_rules(tools, tmp_path, form):
    texts = render.files(slo.loads(VARIANTS.format(form=form)))
    render.write(texts, tmp_path)
    tools.run(tools.promtool, "check", "rules", *(tmp_path / name for name in texts))
    assert ("histogram_fraction" in texts["recording.yaml"]) == (form == "native")


def test_a_wrong_threshold_would_be_caught(tools, tmp_path):
    """The tests are no rubber stamp: rules of a laxer target fail the tests of a stricter one."""
    strict = slo.loads(VARIANTS.format(form="verdicts")).only("three-nines")
    lax = slo.loads(VARIANTS.format(form="verdicts").replace("99.9", "99.8")).only("three-nines")
    render.write(render.files(lax), tmp_path)
    document = promtool.documents(strict, render.files(strict))["burn.test.yaml"]
    render.write({"burn.test.yaml": render.document(document)}, tmp_path)
    with pytest.raises(AssertionError, match="does not page just below it"):
        tools.run(tools.promtool, "test", "rules", tmp_path / "burn.test.yaml")


NATIVE = """
service: chat
sli: native
objectives:
  - {name: it, kind: ttft, target: 95, threshold: 1s}
"""


@pytest.mark.parametrize("tools", [3], indirect=True)  # promtool 2.42 cannot write native histograms into a test
def test_the_native_form_counts_what_lies_above_the_threshold(tools, tmp_path):
    texts = render.files(slo.loads(NATIVE))
    render.write(texts, tmp_path)
    kind = f'{promql.label(names.KIND)}="{names.Kind.TEXT}"'
    half_late = "{{schema:0 sum:10 count:10 buckets:[5 5]}}"
    total, bad = (f'round({metric}{{window="1h"}}, 1)' for metric in (rules.TOTAL, rules.BAD))
    labels = '{service="chat",slo="it",window="1h"}'
    case = {
        "interval": "1m",
        "input_series": [
            {"series": f"{names.TTFT_SECONDS.prometheus}{{{kind}}}", "values": f"{half_late}+{half_late}x120"}
        ],
        "promql_expr_test": [
            {"expr": total, "eval_time": "2h", "exp_samples": [{"labels": labels, "value": 600}]},
            {"expr": bad, "eval_time": "2h", "exp_samples": [{"labels": labels, "value": 300}]},
        ],
    }
    document = {"rule_files": sorted(texts), "evaluation_interval": "1m", "tests": [case]}
    render.write({"native.test.yaml": render.document(document)}, tmp_path)
    tools.run(tools.promtool, "test", "rules", tmp_path / "native.test.yaml")
