"""Verdicts: what each kind of objective says about each kind of stream."""

import dataclasses
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from streamgauge import names, slo
from streamgauge.analysis.report import StreamReport
from streamgauge.names import Finding, Outcome, Verdict
from streamgauge.slo.objectives import kinds
from streamgauge.slo.policy import DEFAULT

GOOD, BAD, EXCLUDED = Verdict.GOOD, Verdict.BAD, Verdict.EXCLUDED


def report(**changes: Any) -> Any:
    """A healthy stream, with changes."""
    healthy = {
        "provider": "openai", "model": "gpt-5-mini", "operation": "chat", "outcome": Outcome.COMPLETED, "findings": (),
        "content_shown": True, "duration_s": 4.0, "ttft_s": 0.8, "ttft_any_s": 0.5, "ttft_reasoning_s": None,
        "ttft_tool_call_s": None, "ttlt_s": 3.9, "gap_max_s": 0.2, "stalls": (), "fluidity": 0.97, "tool_calls": (),
        "cancel": None, "http_status": 200, "usage": SimpleNamespace(input_tokens=900),
        "resume_of": None, "stream_cursor": None,
    }  # fmt: skip
    return SimpleNamespace(**{**healthy, **changes})


def objective(kind: str, extra: str = "") -> slo.Objectives:
    return slo.loads(f"service: chat\nobjectives:\n  - {{name: it, kind: {kind}, target: 99{extra}}}\n")


def verdict(kind: str, extra: str = "", **changes: Any) -> Verdict | None:
    return objective(kind, extra).verdicts(report(**changes)).get("it")


STALL = SimpleNamespace(phase="responding", offset_s=1.0, duration_s=9.0)
BROKEN = SimpleNamespace(complete=False, well_formed=False)
WHOLE = SimpleNamespace(complete=True, well_formed=True)


@pytest.mark.parametrize(
    ("outcome", "shown", "expected"),
    [
        (Outcome.COMPLETED, True, GOOD),
        (Outcome.LENGTH_LIMITED, True, GOOD),
        (Outcome.CONTENT_FILTERED, False, EXCLUDED),
        (Outcome.CONTENT_FILTERED, True, BAD),
        (Outcome.TRUNCATED, True, BAD),
        (Outcome.FAILED, False, BAD),
        (Outcome.TIMED_OUT, False, BAD),
        (Outcome.CANCELLED, True, EXCLUDED),
        (Outcome.ABANDONED, True, EXCLUDED),
        (Outcome.DETACHED, True, EXCLUDED),
        (Outcome.CRASHED, True, BAD),
    ],
)
def test_availability_follows_the_table_of_outcomes(outcome, shown, expected):
    assert verdict("availability", outcome=outcome, content_shown=shown) == expected


def test_the_table_names_every_outcome():
    assert set(DEFAULT.outcomes) == set(Outcome)


@pytest.mark.parametrize("finding", Finding)
def test_only_serious_findings_turn_a_completed_stream_bad(finding):
    serious = {Finding.STALLED, Finding.LOOPED, Finding.MALFORMED_TOOL_CALL, Finding.EMPTY}
    assert verdict("availability", findings=(finding,)) == (BAD if finding in serious else GOOD)


def test_a_finding_never_turns_a_stop_by_the_user_bad():
    assert verdict("availability", outcome=Outcome.CANCELLED, findings=(Finding.STALLED,)) == EXCLUDED


def test_the_file_overrides_the_policy():
    text = """
service: chat
policy:
  outcomes: {cancelled: bad, length_limited: excluded}
  after_text: {content_filtered: good}
  findings: {stalled: good}
objectives: [{name: it, kind: availability, target: 99}]
"""
    judged = slo.loads(text)
    changes = (
        ({"outcome": Outcome.CANCELLED}, BAD),
        ({"outcome": Outcome.LENGTH_LIMITED}, EXCLUDED),
        ({"outcome": Outcome.CONTENT_FILTERED}, GOOD),
        ({"findings": (Finding.STALLED,)}, GOOD),
    )
    for change, expected in changes:
        assert judged.verdicts(report(**change)) == {"it": expected}


TABLE: list[tuple[str, str, dict[str, Any], Verdict | None]] = [
    # kind, its fields, what the stream did, verdict
    ("availability", ", aborts: counted", {"outcome": Outcome.ABANDONED}, BAD),
    ("ttft", ", threshold: 1s", {}, GOOD),
    ("ttft", ", threshold: 0.8s", {}, GOOD),  # a value on the bound is within, as in a histogram
    ("ttft", ", threshold: 700ms", {}, BAD),
    ("ttft", ", threshold: 600ms, first: any", {}, GOOD),
    ("ttft", ", threshold: 1s", {"ttft_s": None}, EXCLUDED),  # tool calls only: no text was to come
    (
        "ttft",
        ", threshold: 1s",
        {"ttft_s": None, "outcome": Outcome.FAILED, "duration_s": 9, "resume_of": "s1"},
        EXCLUDED,
    ),
    (
        "ttft",
        ", threshold: 1s",
        {"ttft_s": None, "outcome": Outcome.FAILED, "duration_s": 9, "stream_cursor": "4"},
        EXCLUDED,
    ),
    ("ttft", ", threshold: 1s", {"ttft_s": None, "outcome": Outcome.FAILED, "duration_s": 0.1}, EXCLUDED),
    (
        "ttft",
        ", threshold: 1s",
        {"ttft_s": None, "outcome": Outcome.CANCELLED, "duration_s": 9},
        BAD,
    ),  # waited, then left
    ("ttft", ", threshold: 1s, aborts: excluded", {"ttft_s": None, "outcome": Outcome.CANCELLED}, EXCLUDED),
    ("ttlt", ", threshold: 4s", {}, GOOD),
    ("ttlt", ", threshold: 3s", {}, BAD),
    ("ttlt", ", threshold: 3s", {"outcome": Outcome.TRUNCATED, "duration_s": 2}, EXCLUDED),
    ("ttlt", ", threshold: 3s", {"outcome": Outcome.TIMED_OUT, "duration_s": 30}, BAD),
    ("ttlt", ", threshold: 3s", {"outcome": Outcome.CANCELLED, "duration_s": 30}, EXCLUDED),
    ("ttlt", ", threshold: 3s, aborts: counted", {"outcome": Outcome.CANCELLED, "duration_s": 30}, BAD),
    ("pacing", ", max_gap: 5s", {}, GOOD),
    ("pacing", ", max_gap: 5s", {"gap_max_s": 6}, BAD),
    ("pacing", ", max_gap: 5s", {"stalls": (STALL,)}, BAD),  # the last gap never ended
    ("pacing", ", max_gap: 5s", {"gap_max_s": None}, EXCLUDED),
    ("pacing", ", fluidity: 0.9", {}, GOOD),
    ("pacing", ", fluidity: 0.98", {}, BAD),
    ("pacing", ", fluidity: 0.9", {"fluidity": None}, EXCLUDED),
    ("goodput", ", ttft: 1s, ttlt: 4s, max_gap: 1s, fluidity: 0.9", {}, GOOD),
    ("goodput", ", ttft: 1s, ttlt: 3s", {}, BAD),
    ("goodput", ", ttft: 1s", {"findings": (Finding.LOOPED,)}, BAD),
    ("goodput", ", ttft: 1s", {"tool_calls": (WHOLE, BROKEN)}, BAD),
    ("goodput", ", ttft: 1s", {"ttft_s": None}, GOOD),
    ("goodput", ", ttft: 1s", {"outcome": Outcome.CANCELLED}, EXCLUDED),
    ("tool_calls", "", {}, EXCLUDED),
    ("tool_calls", "", {"tool_calls": (WHOLE,)}, GOOD),
    ("tool_calls", "", {"tool_calls": (WHOLE, BROKEN)}, BAD),
    ("cancel", ", threshold: 2s", {}, EXCLUDED),
    (
        "cancel",
        ", threshold: 2s",
        {"outcome": Outcome.CANCELLED, "cancel": SimpleNamespace(upstream_close_s=1.5)},
        GOOD,
    ),
    ("cancel", ", threshold: 2s", {"outcome": Outcome.CANCELLED, "cancel": SimpleNamespace(upstream_close_s=2.5)}, BAD),
    (
        "cancel",
        ", threshold: 2s",
        {"outcome": Outcome.CANCELLED, "cancel": SimpleNamespace(upstream_close_s=None)},
        BAD,
    ),
    ("cancel", ", threshold: 2s", {"outcome": Outcome.CANCELLED}, BAD),
    ("http_status", "", {"outcome": Outcome.TRUNCATED}, GOOD),
    ("http_status", "", {"http_status": 503, "outcome": Outcome.FAILED}, BAD),
    ("http_status", "", {"http_status": 404, "outcome": Outcome.FAILED}, GOOD),
    ("http_status", "", {"http_status": None, "outcome": Outcome.FAILED}, BAD),
    ("http_status", "", {"http_status": None}, EXCLUDED),
    ("reconciliation", ", threshold: 15m", {}, None),
]


@pytest.mark.parametrize(("kind", "extra", "changes", "expected"), TABLE)
def test_each_kind_judges_as_its_table_says(kind, extra, changes, expected):
    assert verdict(kind, extra, **changes) == expected


def test_the_table_has_every_kind():
    assert {kind for kind, *_ in TABLE} == set(kinds())


@pytest.mark.parametrize(
    ("chosen", "counted"),
    [
        ("{provider: openai}", True),
        ("{provider: anthropic}", False),
        ("{model: [claude-*, gpt-*]}", True),
        ("{operation: embeddings}", False),
        ("{prompt_tokens: 0-1000}", True),
        ("{prompt_tokens: 1000-}", False),
    ],
)
def test_a_filter_chooses_the_streams(chosen, counted):
    assert (verdict("availability", f", filter: {chosen}") is not None) == counted


def test_a_stream_of_unknown_prompt_size_is_in_no_size_class():
    unknown = SimpleNamespace(input_tokens=None)
    assert verdict("availability", ", filter: {prompt_tokens: 0-}", usage=unknown) is None


def test_an_odd_report_is_excluded_and_never_an_error():
    everything = slo.load()
    for odd in (
        None,
        object(),
        SimpleNamespace(provider=3),
        report(usage=None, findings=None, stalls=None, tool_calls=7),
    ):
        assert set(everything.verdicts(odd)) <= set(everything.names)


def test_only_attributes_of_a_stream_report_are_read():
    read = set()

    class Watched:
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            read.add(name)
            return getattr(self._inner, name)

    for kind, extra, changes, _ in TABLE:
        objective(kind, extra).verdicts(Watched(report(**changes)))
    assert read <= {field.name for field in dataclasses.fields(StreamReport)}
    assert "outcome" in read


def test_thresholds_are_inserted_as_bounds_of_the_histogram():
    judged = objective("ttft", ", threshold: 2.2s")
    bounds = judged.bounds(names.TTFT_SECONDS.name)
    assert set(bounds) == {*names.TTFT_SECONDS.buckets, 2.2}
    assert list(bounds) == sorted(bounds)
    assert judged.bounds_by_metric() == {names.TTFT_SECONDS.name: bounds}
    assert judged.bounds("no.such.metric") == ()
    assert judged.bounds(names.TTLT_SECONDS.name) == names.TTLT_SECONDS.buckets


def test_the_default_file_has_one_objective_of_every_kind_and_exact_numbers():
    default = slo.load()
    assert {each.kind for each in default} == set(kinds())
    assert next(each.budget for each in default if each.name == "http-status") == Decimal("0.001")
    assert "effects-reconciled" not in default.names
