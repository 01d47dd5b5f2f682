import copy
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.schema import emitted, records

from streamgauge import names
from streamgauge.schema import check as checker
from streamgauge.schema.check import RULES, Checker
from streamgauge.schema.check.reading import parse, whole
from streamgauge.schema.check.shapes import compile_shape, record_shape
from streamgauge.schema.generate import RECORDS
from streamgauge.testing.signals import logs_to_otlp, metrics_to_otlp, spans_to_otlp

EMITTED = emitted.emit(*emitted.REPORTS)
EFFECTS = emitted.emit(effects=True)
VALID: dict[str, Any] = {
    "spans": spans_to_otlp(EMITTED.spans),
    "metrics": metrics_to_otlp(EMITTED.metrics),
    "logs": logs_to_otlp(EMITTED.logs),
    "effect spans": spans_to_otlp(EFFECTS.spans),
    "effect metrics": metrics_to_otlp(EFFECTS.metrics),
    "effect logs": logs_to_otlp(EFFECTS.logs),
    "report": emitted.COMPLETED.to_dict(),
    "cancelled report": emitted.CANCELLED.to_dict(),
    "reconciliation": records.RECORD.to_dict(),
    "clean reconciliation": records.CLEAN.to_dict(),
}


def rules(value: Any) -> set[str]:
    return {finding.rule for finding in Checker().value(value)}


def rules_of_lines(*lines: bytes, limit: int = 1000) -> list[tuple[int, str]]:
    return [(finding.line, finding.rule) for finding in Checker(limit=limit).lines(lines)]


@pytest.mark.parametrize("kind", VALID)
def test_what_the_code_emits_has_no_finding(kind):
    assert [str(finding) for finding in Checker().value(VALID[kind])] == []


@pytest.mark.parametrize("chosen", ["v1.41", "genai-main"])
@pytest.mark.parametrize("where", ["span", "log"])
def test_every_vocabulary_and_both_timelines_keep_the_schema(chosen, where):
    sent = emitted.emit(*emitted.REPORTS, vocabulary=chosen, timeline_signal=where)
    for value in (spans_to_otlp(sent.spans), metrics_to_otlp(sent.metrics), logs_to_otlp(sent.logs)):
        assert [str(finding) for finding in Checker().value(value)] == []


# Each rule broken once. A mutation gets a copy of a valid value and breaks it in place.


def span_of(value: dict[str, Any], number: int = 0) -> dict[str, Any]:
    span = value["resourceSpans"][0]["scopeSpans"][0]["spans"][number]
    assert isinstance(span, dict)
    return span


def scope_of(value: dict[str, Any]) -> dict[str, Any]:
    scope = value["resourceSpans"][0]["scopeSpans"][0]
    assert isinstance(scope, dict)
    return scope


def chunks_of(value: dict[str, Any]) -> list[dict[str, Any]]:
    return [event for event in span_of(value)["events"] if event["name"] == names.EVENT_CHUNK]


def metric_of(value: dict[str, Any], metric: names.Metric) -> dict[str, Any]:
    metrics = value["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
    return next(one for one in metrics if one["name"] == metric.name)


def put(holder: dict[str, Any], key: str, **value: Any) -> None:
    drop(holder, key)
    holder["attributes"].append({"key": key, "value": value})


def drop(holder: dict[str, Any], *keys: str) -> None:
    holder["attributes"] = [pair for pair in holder["attributes"] if pair["key"] not in keys]


def shift(event: dict[str, Any], nanoseconds: int) -> None:
    event["timeUnixNano"] = str(int(event["timeUnixNano"]) + nanoseconds)


Mutation = Callable[[Any], object]

MUTATIONS: list[tuple[str, str, Mutation]] = [
    ("otlp.shape", "spans", lambda v: scope_of(v).update(spans="all of them")),
    ("otlp.shape", "spans", lambda v: span_of(v).update(attributes={"a": 1})),
    ("otlp.shape", "spans", lambda v: span_of(v).update(startTimeUnixNano="yesterday")),
    ("otlp.shape", "spans", lambda v: put(span_of(v), names.CHUNKS, intValue="six")),
    ("scope.schema_url", "spans", lambda v: scope_of(v).update(schemaUrl="")),
    (
        "scope.schema_url",
        "logs",
        lambda v: v["resourceLogs"][0]["scopeLogs"][0].update(schemaUrl="https://streamgauge.dev/schemas/7.0.0"),
    ),
    ("attribute.unknown", "spans", lambda v: put(span_of(v), "streamgauge.outcomes", stringValue="completed")),
    (
        "attribute.unknown",
        "metrics",
        lambda v: put(metric_of(v, names.STREAMS)["sum"]["dataPoints"][0], "streamgauge.x", intValue="1"),
    ),
    ("attribute.misplaced", "spans", lambda v: put(span_of(v), names.SLO, stringValue="availability")),
    ("attribute.misplaced", "spans", lambda v: put(chunks_of(v)[0], names.OUTCOME, stringValue="completed")),
    (
        "attribute.misplaced",
        "metrics",
        lambda v: put(metric_of(v, names.CHUNKS_TOTAL)["sum"]["dataPoints"][0], names.RESPONSE_ID, stringValue="x"),
    ),
    ("attribute.missing", "spans", lambda v: drop(span_of(v), names.OUTCOME)),
    ("attribute.missing", "spans", lambda v: drop(chunks_of(v)[0], names.CHUNK_COUNT)),
    ("attribute.missing", "spans", lambda v: span_of(v).update(attributes=[])),
    (
        "attribute.missing",
        "metrics",
        lambda v: drop(metric_of(v, names.STREAMS)["sum"]["dataPoints"][0], names.STATUS_CLASS),
    ),
    (
        "attribute.missing",
        "logs",
        lambda v: drop(v["resourceLogs"][0]["scopeLogs"][0]["logRecords"][-1], names.STREAM_ID),
    ),
    ("attribute.conditional", "spans", lambda v: drop(span_of(v, 2), names.FAILURE_MODE)),
    ("attribute.conditional", "spans", lambda v: drop(span_of(v, 1), names.INITIATOR)),
    ("attribute.type", "spans", lambda v: put(span_of(v), names.TTFT, intValue="1")),
    ("attribute.type", "spans", lambda v: put(span_of(v), names.FINDINGS, stringValue="stalled")),
    ("attribute.type", "spans", lambda v: put(span_of(v), names.FINDINGS, arrayValue={"values": [{"intValue": "1"}]})),
    ("attribute.value", "spans", lambda v: put(span_of(v), names.OUTCOME, stringValue="finished")),
    (
        "attribute.value",
        "spans",
        lambda v: put(span_of(v), names.FINDINGS, arrayValue={"values": [{"stringValue": "slow"}]}),
    ),
    (
        "attribute.value",
        "metrics",
        lambda v: put(metric_of(v, names.STREAMS)["sum"]["dataPoints"][0], names.FAILURE_MODE, stringValue=""),
    ),
    ("attribute.negative", "spans", lambda v: put(span_of(v), names.WAIT_TIME, doubleValue=-0.1)),
    ("attribute.negative", "spans", lambda v: put(span_of(v), names.WAIT_TIME, doubleValue="NaN")),
    (
        "attribute.duplicate",
        "spans",
        lambda v: span_of(v)["attributes"].append({"key": names.STATE, "value": {"stringValue": "complete"}}),
    ),
    ("span.kind", "effect spans", lambda v: span_of(v).update(kind=3)),
    ("span.name", "effect spans", lambda v: span_of(v).update(name="reconcile")),
    ("attribute.missing", "effect spans", lambda v: drop(span_of(v), names.STREAM_ID)),
    (
        "attribute.missing",
        "effect logs",
        lambda v: drop(v["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0], names.TOOL_NAME),
    ),
    ("span.kind", "spans", lambda v: span_of(v).update(kind=1)),
    ("span.name", "spans", lambda v: span_of(v).update(name="POST /v1/chat/completions")),
    ("span.times", "spans", lambda v: span_of(v).update(endTimeUnixNano="0")),
    ("span.status", "spans", lambda v: span_of(v).update(status={"code": "STATUS_CODE_OK"})),
    ("span.status", "spans", lambda v: span_of(v, 2).update(status={})),
    ("span.error_type", "spans", lambda v: drop(span_of(v, 2), names.ERROR_TYPE)),
    ("span.first_times", "spans", lambda v: put(span_of(v), names.TTFT, doubleValue=0.1)),
    ("span.first_times", "spans", lambda v: put(span_of(v), names.TTFT, doubleValue=1.5)),
    ("span.first_times", "spans", lambda v: put(span_of(v), names.TTLT, doubleValue=2.6)),
    ("span.first_times", "report", lambda v: v.update(ttft_s=0.1)),
    ("span.first_times", "report", lambda v: v.update(ttlt_s=9.0)),
    ("span.usage", "spans", lambda v: put(span_of(v, 1), names.USAGE_OUTPUT_TOKENS, intValue="0")),
    (
        "span.usage",
        "spans",
        lambda v: drop(span_of(v), names.USAGE_OUTPUT_TOKENS, names.USAGE_INPUT_TOKENS),
    ),
    ("span.dropped_events", "spans", lambda v: span_of(v).update(droppedEventsCount=3)),
    ("event.unknown", "spans", lambda v: chunks_of(v)[0].update(name="streamgauge.token")),
    (
        "event.unknown",
        "logs",
        lambda v: v["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0].update(eventName="streamgauge.token"),
    ),
    ("event.order", "spans", lambda v: span_of(v)["events"].reverse()),
    ("event.outside", "spans", lambda v: shift(chunks_of(v)[0], -(10**9))),
    ("event.outside", "spans", lambda v: shift(span_of(v)["events"][-1], 10**9)),
    ("chunk.sum", "spans", lambda v: put(span_of(v), names.CHUNKS, intValue="7")),
    ("chunk.sum", "report", lambda v: v.update(chunks=7)),
    ("chunk.index", "spans", lambda v: put(chunks_of(v)[1], names.CHUNK_INDEX, intValue="2")),
    ("chunk.index", "report", lambda v: v["timeline"][0].update(index=1)),
    ("chunk.offsets", "spans", lambda v: put(chunks_of(v)[1], names.CHUNK_LAST_OFFSET, doubleValue=0.4)),
    ("chunk.offsets", "spans", lambda v: put(chunks_of(v)[1], names.CHUNK_FIRST_OFFSET, doubleValue=0.1)),
    ("metric.unknown", "metrics", lambda v: metric_of(v, names.STREAMS).update(name="streamgauge.requests")),
    ("metric.instrument", "metrics", lambda v: metric_of(v, names.STREAMS)["sum"].update(isMonotonic=False)),
    ("metric.instrument", "metrics", lambda v: metric_of(v, names.STREAMS).pop("sum")),
    ("metric.unit", "metrics", lambda v: metric_of(v, names.TTLT_SECONDS).update(unit="ms")),
    (
        "metric.buckets",
        "metrics",
        lambda v: metric_of(v, names.TTLT_SECONDS)["histogram"]["dataPoints"][0].update(
            explicitBounds=[1.0], bucketCounts=[0, 3]
        ),
    ),
    (
        "metric.counts",
        "metrics",
        lambda v: metric_of(v, names.TTLT_SECONDS)["histogram"]["dataPoints"][0].update(count="99"),
    ),
    ("metric.counts", "metrics", lambda v: metric_of(v, names.STREAMS)["sum"]["dataPoints"][0].update(asInt=-1)),
    ("record.field", "report", lambda v: v.pop("outcome")),
    ("record.field", "report", lambda v: v.update(outcome="finished")),
    ("record.field", "report", lambda v: v.update(ttft_s=-1)),
    ("record.field", "report", lambda v: v["timeline"][0].update(count="1")),
    ("record.field", "reconciliation", lambda v: v["effects"][0].update(state="done")),
    ("record.unknown_field", "report", lambda v: v.update(prompt="tell me")),
    ("record.unknown_field", "reconciliation", lambda v: v["effects"][0].update(result="ok")),
    ("record.version", "report", lambda v: v.update(schema="7.0.0")),
    ("record.states", "reconciliation", lambda v: v["states"].update(committed=2)),
    ("record.verdict", "reconciliation", lambda v: v.update(outcome="completed", stopped_ns=None)),
    ("record.verdict", "reconciliation", lambda v: v.update(verdict="clean")),
    ("record.verdict", "reconciliation", lambda v: v.update(verdict="consistent")),
    ("line.unrecognised", "report", lambda v: v.update(type="somebody.else")),
]


@pytest.mark.parametrize(
    ("rule", "kind", "mutation"), MUTATIONS, ids=[f"{rule}-{i}" for i, (rule, _, _) in enumerate(MUTATIONS)]
)
def test_a_breach_of_a_rule_is_found(rule, kind, mutation):
    broken = copy.deepcopy(VALID[kind])
    mutation(broken)
    assert rule in rules(broken)


def test_every_rule_is_broken_by_a_test():
    of_lines = {"line.json", "line.truncated", "line.too_long"}
    assert {rule for rule, _, _ in MUTATIONS} | of_lines == set(RULES)


def test_lines_that_are_no_json_are_told_with_their_number():
    good = json.dumps({"resourceSpans": []}).encode() + b"\n"
    assert rules_of_lines(good, b"not json\n", b"\n", good, b'{"resourceSpans": [') == [
        (2, "line.json"),
        (5, "line.truncated"),
    ]
    assert rules_of_lines(b"[" * 100_000 + b"\n", limit=10**6) == [(1, "line.json")]
    assert rules_of_lines(b'{"a": "' + b"x" * 2000 + b'"}\n') == [(1, "line.too_long")]
    assert rules_of_lines(b"17\n", b"null\n", b"{}\n") == [
        (1, "line.unrecognised"),
        (2, "line.unrecognised"),
        (3, "line.unrecognised"),
    ]


def test_other_peoples_signals_are_passed_over_and_counted():
    theirs = {
        "name": "GET",
        "kind": 3,
        "attributes": [{"key": "http.response.status_code", "value": {"stringValue": "ok"}}],
    }
    one = Checker()
    assert one.value({"resourceSpans": [{"scopeSpans": [{"scope": {"name": "httpx"}, "spans": [theirs]}]}]}) == []
    assert (
        one.value(
            {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "gen_ai.client.operation.duration"}]}]}]}
        )
        == []
    )
    assert one.value({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "hello"}}]}]}]}) == []
    assert dict(one.seen) == {"foreign spans": 1, "foreign metrics": 1, "foreign logs": 1}


def test_enums_of_protobufs_json_mapping_are_read_as_their_numbers():
    value = copy.deepcopy(VALID["spans"])
    codes = ("STATUS_CODE_UNSET", "STATUS_CODE_UNSET", "STATUS_CODE_ERROR", "STATUS_CODE_UNSET")
    for number, code in enumerate(codes):
        span_of(value, number).update(kind="SPAN_KIND_CLIENT", status={"code": code})
    assert rules(value) == set()


def test_a_finding_says_where_and_what_to_do():
    value = copy.deepcopy(VALID["spans"])
    put(span_of(value, 1), names.OUTCOME, stringValue="finished")
    (finding,) = [one for one in Checker().line(json.dumps(value).encode()) if one.rule == "attribute.value"]
    assert finding.line == 1
    assert finding.span_id == span_of(value, 1)["spanId"]
    assert finding.path == "resourceSpans[0].scopeSpans[0].spans[1].attributes[streamgauge.outcome]"
    assert finding.to_dict()["severity"] == "error"
    assert finding.to_dict()["hint"] == RULES["attribute.value"].hint


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_any_json_is_answered_with_findings(value):
    findings = Checker().line(json.dumps(value).encode())
    assert all(finding.rule in RULES for finding in findings)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(VALID)), st.randoms(use_true_random=False), JSON)
def test_a_valid_value_with_garbage_somewhere_is_answered_with_findings(kind, random, garbage):
    value = copy.deepcopy(VALID[kind])
    holder: Any = value
    while True:
        key = random.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        if not isinstance(holder[key], (dict, list)) or not holder[key] or random.random() < 0.15:
            break
        holder = holder[key]
    holder[key] = garbage
    findings = Checker().line(json.dumps(value).encode())
    assert all(finding.rule in RULES for finding in findings)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_answered_with_findings(line):
    assert all(finding.rule in RULES for finding in Checker().line(line))


@pytest.mark.parametrize("kind", ["spans", "metrics", "logs"])
def test_raw_items_read_to_the_same_values(kind):
    line = json.dumps(VALID[kind], separators=(",", ":")).encode()
    request = parse(line)
    for resource in request[f"resource{kind.title()}"]:
        for scope in resource[f"scope{kind.title()}"]:
            items = "logRecords" if kind == "logs" else kind
            scope[items] = [whole(item) for item in scope[items]]
    assert request == json.loads(line)


@pytest.mark.parametrize("name", ["stream", "reconciliation"])
def test_a_record_schema_is_a_json_schema_and_reads_as_one(name):
    schema = json.loads((RECORDS / f"{name}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    ours, theirs = record_shape(name), jsonschema.Draft202012Validator(schema)
    for value in VALID.values():
        told: list[tuple[str, str, str]] = []
        ours(value, lambda *finding, told=told: told.append(finding), "$")
        assert any(rule == "record.field" for rule, _, _ in told) == bool(list(theirs.iter_errors(value)))


def test_the_record_schemas_list_exactly_the_fields_of_the_code():
    for name, value in (("stream", VALID["report"]), ("reconciliation", VALID["reconciliation"])):
        schema = json.loads((RECORDS / f"{name}.schema.json").read_text("utf-8"))
        assert list(schema["properties"]) == list(value)


def test_a_schema_keyword_that_the_compiled_shapes_do_not_know_is_refused():
    with pytest.raises(ValueError, match="'pattern' is not understood"):
        compile_shape({"pattern": "a"}, {})


def test_several_processes_find_the_same_in_the_same_order():
    broken = copy.deepcopy(VALID["spans"])
    span_of(broken).update(kind=1)
    lines = [json.dumps(value).encode() + b"\n" for value in (VALID["spans"], broken, VALID["report"])] * 3
    alone = Checker()
    seen: Counter[str] = Counter()
    assert list(checker.check_parallel(lines, 2, seen)) == list(alone.lines(lines))
    assert seen == alone.seen


WITHOUT_MSGSPEC = """
import json, sys
sys.modules["msgspec"] = None
from streamgauge.schema.check import Checker
checker = Checker()
found = [finding.rule for finding in checker.lines(sys.stdin.buffer)]
print(json.dumps([found, dict(checker.seen)]))
"""


def test_without_msgspec_the_findings_are_the_same():
    broken = copy.deepcopy(VALID["spans"])
    span_of(broken).update(kind=1)
    lines = [json.dumps(value).encode() + b"\n" for value in (VALID["spans"], broken, VALID["metrics"], "text")]
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_MSGSPEC], input=b"".join(lines), capture_output=True, timeout=60
    )
    alone = Checker()
    assert json.loads(run.stdout) == [[finding.rule for finding in alone.lines(lines)], dict(alone.seen)]
