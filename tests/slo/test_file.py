"""The SLO file: every mistake is told with its line and column, its value, and what would be right."""

import pytest

from streamgauge import slo
from streamgauge.errors import ConfigError

HEAD = "service: chat\nobjectives:\n"
ONE = HEAD + "  - name: a\n    kind: availability\n    target: 99\n"


@pytest.mark.parametrize(
    ("text", "place", "told"),
    [
        ("", "slo.yaml:1:1", "a mapping with `objectives:`"),
        ("service: [\n", "slo.yaml:2:1", "a well-formed YAML document"),
        ("objectives: []\n", "slo.yaml:1:1", "the field is required"),
        ("service: Chat\nobjectives: []\n", "slo.yaml:1:10", "lower-case letters"),
        ("service: chat\nobjectives: []\n", "slo.yaml:2:13", "a list with at least one entry"),
        ("service: chat\nobjectives: [a]\n", "slo.yaml:2:14", "a list of mappings"),
        (ONE + "    targett: 98\n", "slo.yaml:6:5", "did you mean 'target'?"),
        (ONE + "    target: 98\n", "slo.yaml:6:5", "each field once"),
        (ONE.replace("availability", "avail"), "slo.yaml:4:11", "one of availability, cancel"),
        (ONE.replace("99", "100"), "slo.yaml:5:13", "a percentage between 0 and 100"),
        (ONE.replace("99", "0.99"), "slo.yaml:5:13", "not a ratio"),
        (ONE.replace("99", "often"), "slo.yaml:5:13", "a percentage between 0 and 100"),
        (ONE.replace("99", "NaN"), "slo.yaml:5:13", "a percentage between 0 and 100"),
        (ONE + "    period: 36h\n", "slo.yaml:6:13", "whole days"),
        (ONE + "    alerts: off\n", "slo.yaml:6:13", "one of none"),
        (ONE + "    alerts: {min_failures: -1}\n", "slo.yaml:6:28", "a number of failures"),
        (ONE + "    filter: {prompt_tokens: 9-3}\n", "slo.yaml:6:29", "a half-open range"),
        (ONE + "    filter: {modell: x}\n", "slo.yaml:6:14", "did you mean 'model'?"),
        (ONE + "  - name: a\n    kind: availability\n    target: 98\n", "slo.yaml:6:5", "first used at slo.yaml:3:5"),
        (HEAD + "  - {name: a, kind: ttft, target: 99}\n", "slo.yaml:3:5", "the field is required"),
        (HEAD + "  - {name: a, kind: ttft, target: 99, threshold: soon}\n", "slo.yaml:3:50", "a duration such as"),
        (HEAD + "  - {name: a, kind: pacing, target: 99}\n", "slo.yaml:3:5", "exactly one of max_gap and fluidity"),
        (HEAD + "  - {name: a, kind: goodput, target: 99}\n", "slo.yaml:3:5", "at least one of"),
        (ONE + "policy: {outcomes: {canceled: bad}}\n", "slo.yaml:6:31", "one of completed"),
        (ONE + "policy: {findings: {looped: awful}}\n", "slo.yaml:6:29", "one of good, bad, excluded"),
        (ONE + "selector: {a-b: x}\n", "slo.yaml:6:17", "a Prometheus label name"),
        (ONE + "windows: [{severity: page, long: 1h, short: 1m, share: 0.02}]\n", "slo.yaml:6:45", "at least 5m"),
        (ONE + "sli: exact\n", "slo.yaml:6:6", "one of verdicts, histogram, native"),
        (
            "insert_bounds: false\n" + HEAD + "  - {name: a, kind: ttft, target: 99, threshold: 2.2s}\n",
            "slo.yaml:4:5",
            "1.5s, 2s",
        ),
    ],
)
def test_a_mistake_names_its_place_and_what_would_be_right(text, place, told):
    with pytest.raises(ConfigError) as error:
        slo.loads(text, "slo.yaml")
    assert error.value.where == place
    assert told in str(error.value)


def test_a_missing_file_is_told_by_its_name(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.yaml"):
        slo.load(tmp_path / "absent.yaml")


def test_a_file_is_read_as_the_default_is(tmp_path):
    path = tmp_path / "slo.yaml"
    path.write_text(slo.default_text())
    assert slo.load(str(path)).names == slo.load().names


def test_a_threshold_that_is_a_bound_needs_no_insertion():
    text = "insert_bounds: false\n" + HEAD + "  - {name: a, kind: ttft, target: 99, threshold: 2s}\n"
    assert slo.loads(text).names == ("a",)
